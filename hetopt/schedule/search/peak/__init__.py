"""Least peak power: searches for a plan under caps that fall."""

from __future__ import annotations

from hetopt.schedule.search.entry import SearchEntry

ENTRY = SearchEntry(
    "peak",
    "peak.falling_caps:FallingCaps",
    "the least peak power",
    "peak power: searches for a short schedule under caps that fall",
    least=20,
    most=5_000,
    share=0.5,
    share_large=0.85,
    rank=60,
)
