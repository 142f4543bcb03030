"""Labels of a search for routes, and which of them others make needless."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hetopt.instance import Bools, Floats, Ints

CHUNK = 64
"""Labels compared at once: few, so that the tables of comparisons stay in a cache."""


EARLIER = np.triu(np.ones((CHUNK, CHUNK), dtype=bool), 1)
"""Pairs (i, j) of a chunk with i before j."""


@dataclass(frozen=True, slots=True)
class Found:
    """Options per task (in ``Instance.job_tasks`` order) and costs of some cheapest routes.

    ``least`` bounds the cost of every route of the job from below; infinite where there is none.
    ``cut`` tells whether labels were left out, so that more of them may find more.
    """

    options: list[tuple[int, ...]]
    costs: Floats
    least: float
    cut: bool = False


@dataclass(slots=True)
class Labels:
    """S labels: cost, and what later tasks can see of them."""

    cost: Floats
    place: dict[int, Ints] = field(default_factory=dict)
    finish: dict[int, Floats] = field(default_factory=dict)
    arrival: dict[int, Floats] = field(default_factory=dict)
    held: dict[int, Ints] = field(default_factory=dict)

    def rows(self, index: Ints) -> Labels:
        """Return some of the labels, in another order or several times."""
        return Labels(
            self.cost[index],
            {p: column[index] for p, column in self.place.items()},
            {p: column[index] for p, column in self.finish.items()},
            {n: table[index] for n, table in self.arrival.items()},
            {d: column[index] for d, column in self.held.items()},
        )


def merged(first: Found, second: Found, extra: float, most: int) -> Found:
    """Return what both searches found, the second one's costs with an extra."""
    both = dict(zip(first.options, first.costs.tolist(), strict=True))
    for options, cost in zip(second.options, (second.costs + extra).tolist(), strict=True):
        both[options] = min(cost, both.get(options, np.inf))
    ranked = sorted(both, key=lambda options: both[options])[:most]
    costs = np.array([both[options] for options in ranked])
    least = min(first.least, second.least + extra)
    return Found(ranked, costs, least, first.cut or second.cut)


def pareto_by_look(look: Ints, cost: Floats, times: list[Floats]) -> Ints:
    """Return, within labels of one look, those that no other beats in cost and all times."""
    size = len(cost)
    columns = [np.arange(size), *times[::-1], cost, look]
    order = np.lexsort(columns)
    new = np.ones(size, dtype=bool)
    new[1:] = look[order][1:] != look[order][:-1]
    if not times:
        return np.sort(order[new])
    group = np.cumsum(new) - 1
    if len(times) == 1:
        rank = np.unique(times[0][order], return_inverse=True)[1] - group * (size + 1)
        before = np.minimum.accumulate(rank)
        kept = new.copy()
        kept[1:] |= rank[1:] < before[:-1]
        return np.sort(order[kept])
    table = np.column_stack(times)
    starts = np.flatnonzero(new).tolist()
    chosen = []
    for begin, end in zip(starts, [*starts[1:], size], strict=True):
        rows = order[begin:end]
        chosen.append(rows[_undominated(table[rows])] if end - begin > 1 else rows)
    return np.sort(np.concatenate(chosen))


def _undominated(table: Floats) -> Bools:
    """Tell which rows no earlier row is at least as good as in every column (less is better)."""
    kept = np.zeros(len(table), dtype=bool)
    best = table[:0]
    for begin in range(0, len(table), CHUNK):
        part = table[begin : begin + CHUNK]
        dominated = (best[:, None, :] <= part[None, :, :]).all(axis=2).any(axis=0)
        left = np.flatnonzero(~dominated)
        among = part[left]
        no_worse = (among[:, None, :] <= among[None, :, :]).all(axis=2)
        within = (no_worse & EARLIER[: len(left), : len(left)]).any(axis=0)
        kept[begin + left[~within]] = True
        best = np.concatenate([best, among[~within]])
    return kept
