"""The local searches that improve a schedule, by name, and which of them suits an instance."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import Any

from hetopt.instance import Instance
from hetopt.schedule.search.local_search import LocalSearch

LARGE = 80
"""Tasks from which CP-SAT hardly ever closes a gap that a search has left."""


@dataclass(frozen=True)
class SearchEntry:
    """A search by the name that ``--method`` takes.

    Attributes
    ----------
    name, module
        Name, and ``module:class`` of the search, which is loaded when it is needed.
    suits, about
        What the instances that it knows have in common; what it does, in a line, which is empty
        where an entry of the same name says it.
    least, most
        Numbers of tasks between which ``auto`` uses it: below, CP-SAT is as good alone; above,
        its moves are too slow.
    share, share_large, most_s
        Part of the time left, the same from ``LARGE`` tasks on, and most time, that it may use
        before CP-SAT starts.
    alone
        Whether it finds plans without one to start from, so that constructors may give up early.
    """

    name: str
    module: str
    suits: str
    about: str
    least: int = 0
    most: int = 1_000_000_000
    share: float = 0.3
    share_large: float | None = None
    most_s: float = math.inf
    alone: bool = False

    def load(self) -> type[LocalSearch[Any]]:
        """Import the search; compiled loops are loaded when they run."""
        module, name = self.module.split(":")
        found: type[LocalSearch[Any]] = getattr(
            importlib.import_module(f"{__package__}.{module}"), name
        )
        return found

    def seconds(self, instance: Instance, left: float) -> float:
        """Seconds that it may use of those that are left, where CP-SAT follows."""
        large = self.share_large is not None and len(instance.tasks) >= LARGE
        share = self.share_large if large and self.share_large is not None else self.share
        return min(self.most_s, share * left)

    def worth(self, instance: Instance) -> bool:
        """Whether ``auto`` uses it for an instance of this size."""
        return self.least <= len(instance.tasks) <= self.most


LOCAL_SEARCHES = (
    SearchEntry(
        "assignment",
        "assignment.improve:AssignmentSearch",
        "no task waits for another",
        "independent tasks: annealing between knapsack bounds",
        least=25,
        most=200_000,
        share=0.9,
        alone=True,
    ),
    SearchEntry(
        "projects",
        "projects.improve:ProjectAnnealing",
        "a makespan under resources or a power cap",
        "makespan with resources: annealing over lists and modes",
        least=20,
        most=5_000,
        share=0.6,
        most_s=40.0,
        alone=True,
    ),
    SearchEntry(
        "shop",
        "job_shop.improve:TabuSearch",
        "a makespan, and messages take no time",
        "makespan with free messages: tabu search on critical paths",
        least=20,
        most=20_000,
        share=0.6,
    ),
    SearchEntry(
        "graph",
        "best_insertion:BestInsertion",
        "a makespan, and messages take time",
        "makespan with messages: annealing by best insertion",
        least=40,
        most=20_000,
        share=0.6,
        share_large=0.8,
        alone=True,
    ),
    SearchEntry(
        "windows",
        "windows:Windows",
        "energy, cost or carbon of many tasks",
        "energy, cost or carbon of many tasks: annealing in windows",
        most=200_000,
        share=0.9,
    ),
    SearchEntry(
        "anneal",
        "list_annealing:Annealing",
        "an objective beside the makespan",
        "annealing over a compiled list decoder",
        least=40,
        most=5_000,
        share=0.7,
        share_large=0.85,
    ),
    SearchEntry(
        "anneal",
        "list_annealing:LimitedAnnealing",
        "limits that tie units together",
        "",
        least=40,
        most=5_000,
        share=0.7,
        share_large=0.85,
    ),
)
"""In the order in which they are asked: the first one that fits is used."""


def local_search_of(instance: Instance, method: str = "auto") -> SearchEntry | None:
    """Return the entry that a method names, else the first one that fits the instance."""
    for entry in LOCAL_SEARCHES:
        asked = method in (entry.name, "auto", "heuristic", "cpsat", "lns")
        if asked and entry.load().fits(instance):
            return entry
    return None


def is_local_search(method: str) -> bool:
    """Whether a method is the name of an entry."""
    return any(entry.name == method for entry in LOCAL_SEARCHES)
