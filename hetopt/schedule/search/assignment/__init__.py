"""Independent tasks: annealing between bounds by multipliers."""

from __future__ import annotations

from hetopt.schedule.search.entry import SearchEntry

ENTRY = SearchEntry(
    "assignment",
    "assignment.improve:AssignmentSearch",
    "no task waits for another",
    "independent tasks: annealing between knapsack bounds",
    least=25,
    most=200_000,
    share=0.9,
    alone=True,
    rank=10,
)
