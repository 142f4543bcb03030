"""The local searches that improve a schedule, by name, and which of them suits an instance."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from hetopt.instance import Instance
from hetopt.schedule.search.entry import SearchEntry

MODULES = (
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
"""Searches that are modules beside this one; a package names its own in ``ENTRY``."""


def _found() -> tuple[SearchEntry, ...]:
    """Return all searches in the order in which they are asked; only their names are loaded."""
    place = __name__.rpartition(".")[0]
    folders = iter_modules([str(Path(__file__).parent)], f"{place}.")
    packages = [import_module(found.name).ENTRY for found in folders if found.ispkg]
    return tuple(sorted([*packages, *MODULES], key=lambda entry: entry.rank))


LOCAL_SEARCHES = _found()
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
