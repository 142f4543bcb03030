"""What a local search says of itself: its name, what it suits, and how much time it is worth."""

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
    rank
        Where it is in the order in which searches are asked: the first one that fits is used.
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
    rank: int = 50

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
