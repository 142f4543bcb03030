"""Cheapest sets that hit every one of some sets: which jobs to leave out, at the least loss.

Each set is one of jobs that cannot all run (a *core*), so that some of it must be left out. Branch
and bound over the first core that is not hit, by its cheapest member first; a lower bound adds up
the cheapest members of cores that share nothing with each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Core = frozenset[int]

MOST_NODES = 20_000
"""Nodes of the search after which what is known so far is returned: about a second."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A set that hits every core, and what the cheapest of all such sets costs at least.

    ``others`` are further ones that cost no more than it (all of them, where ``exact``).
    """

    out: Core
    cost: float
    least: float
    exact: bool
    others: tuple[Core, ...] = ()


@dataclass(slots=True)
class _Search:
    cores: Sequence[Core]
    price: Mapping[int, float]
    best: float = math.inf
    found: list[Core] = field(default_factory=list)
    nodes: int = 0
    cut: bool = False

    def visit(self, out: Core, banned: Core, cost: float) -> None:
        """Go through sets that contain ``out`` and nothing of ``banned``."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.cut = True
            return
        left = [core - banned for core in self.cores if not core & out]
        if any(not core for core in left):
            return
        if cost + packed(left, self.price) > self.best * (1 + ROUNDING):
            return
        if not left:
            if cost < self.best * (1 - ROUNDING):
                self.found = []
            self.best = min(self.best, cost)
            self.found.append(out)
            return
        core = min(left, key=lambda c: (len(c), sorted(c)))
        closed = banned
        for job in sorted(core, key=lambda j: (self.price[j], j)):
            self.visit(out | {job}, closed, cost + self.price[job])
            closed = closed | {job}


ROUNDING = 1e-12
"""Relative difference of sums of prices that is rounding."""


def packed(cores: Sequence[Core], price: Mapping[int, float]) -> float:
    """Return what cores that are disjoint cost at least: no set hits them all for less."""
    taken: set[int] = set()
    total = 0.0
    for core in sorted(cores, key=lambda c: (len(c), sorted(c))):
        if taken.isdisjoint(core):
            taken |= core
            total += min(price[j] for j in core)
    return total


def cheapest(cores: Sequence[Core], price: Mapping[int, float]) -> Hit:
    """Return the cheapest set of jobs that hits every core.

    Parameters
    ----------
    price
        What leaving each job out costs, above 0.
    """
    search = _Search(cores, price)
    search.visit(frozenset(), frozenset(), 0.0)
    least = packed(cores, price)
    if not search.found:
        # Cut before any was found: one that takes the cheapest of each core.
        out = frozenset(min(core, key=lambda j: (price[j], j)) for core in cores)
        return Hit(out, sum(price[j] for j in out), least, exact=False)
    kept = [out for out in search.found if _cost(out, price) <= search.best * (1 + ROUNDING)]
    first, *others = sorted(dict.fromkeys(kept), key=sorted)
    exact = not search.cut
    return Hit(first, search.best, search.best if exact else least, exact, tuple(others))


def _cost(out: Core, price: Mapping[int, float]) -> float:
    return math.fsum(price[j] for j in sorted(out))
