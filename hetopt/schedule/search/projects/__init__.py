"""Makespans under resources: annealing over lists and modes."""

from __future__ import annotations

from hetopt.schedule.search.entry import SearchEntry

ENTRY = SearchEntry(
    "projects",
    "projects.improve:ProjectAnnealing",
    "a makespan under resources or a power cap",
    "makespan with resources: annealing over lists and modes",
    least=20,
    most=5_000,
    share=0.6,
    most_s=40.0,
    alone=True,
    rank=20,
)
