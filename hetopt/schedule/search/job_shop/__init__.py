"""Makespans without transfer times: tabu search over critical blocks."""

from __future__ import annotations

from hetopt.schedule.search.entry import SearchEntry

ENTRY = SearchEntry(
    "shop",
    "job_shop.improve:TabuSearch",
    "a makespan, and messages take no time",
    "makespan with free messages: tabu search on critical paths",
    least=20,
    most=20_000,
    share=0.6,
    rank=30,
)
