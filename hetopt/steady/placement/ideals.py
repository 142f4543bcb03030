r"""Pipelines by dynamic programming over ideals, exact where they can all be listed.

J. M. Tarnawski, A. Phanishayee, N. Devanur, D. Mahajan, F. Nina Paravecino, "Efficient algorithms
for device placement of DNN graph operators", NeurIPS 2020, section 5.1. Units are stages in an
order, so the clusters up to a stage are an ideal of the graph (with each cluster, all before it),
and a stage is the difference of two of them:

    least[I, used] = min over ideals J within I and devices d with a unit left of
                     max(least[J, used less one of d], load of I \ J on d)

What a stage takes depends on its clusters alone: where transfers to different devices differ, the
least is taken, and where its clusters have several ways on a device, the fastest that fit into its
memory (`stage_ways`), so that the result is a bound in any case; plans made of it are counted
exactly.
Stages that take no less than a known placement are left out, and so are ideals and states that
leave too much to the units left, or have used more than they needed, by the prices of the load
bound: where that is near, stages can end at few ideals. This is what makes graphs of some ten
thousand ideals possible.

Differences to the paper: the forward tasks of a cluster take its backward tasks with them, whose
own order does not matter; a cluster of backward tasks alone stands where its mirrored edges put it
(as in the paper's code), but then nothing is proven; memory counts shared weights once.

Where there are more ideals than ``MOST_IDEALS``, those along some topological orders are taken,
for plans only.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.instance.grouping import list_ptr
from hetopt.steady.placement.clusters import Clusters
from hetopt.steady.placement.load_bound import LoadBound
from hetopt.steady.placement.search.table import Columns
from hetopt.steady.placement.stage_ways import MOST_WAYS

MOST_IDEALS = 60_000
"""Ideals up to which all are listed."""

MOST_CELLS = 20_000_000
"""Ideals × states up to which the table is kept."""

ORDERS = 12
"""Topological orders along which ideals are taken where there are too many."""

CHUNK = 16
"""Ideals between two looks at the time."""


@dataclass(frozen=True, slots=True)
class Family:
    """Ideals by size: those with one cluster less (``down``), and that cluster (``node``)."""

    down_ptr: Ints
    down: Ints
    node: Ints
    whole: bool

    def __len__(self) -> int:
        return len(self.down_ptr) - 1


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the program found.

    Attributes
    ----------
    stages
        Device and clusters of each stage, in order; empty where nothing is below the limit.
    load
        Largest load of a stage; inf where there is none.
    finished
        Whether all ideals were gone through.
    """

    stages: list[tuple[int, list[int]]]
    load: float
    finished: bool


def best_pipeline(
    columns: Columns, family: Family, bound: LoadBound, limit: float, over: Callable[[], bool]
) -> Pipeline:
    """Return the pipeline with the least largest load below ``limit``.

    Parameters
    ----------
    columns
        Of the clusters of which the ideals are.
    bound
        The load bound of the same columns; what it says of the clusters before and after an ideal
        tells at which ideals a stage can end.
    limit
        Largest row of a known placement; inf where there is none.
    over
        Whether the time is over.
    """
    if limit <= 0:
        # No load is below 0.
        return Pipeline([], np.inf, True)
    ideals = _kernels(len(family)).ideals
    counts = np.minimum(columns.units, len(columns.clusters)).astype(np.int64)
    states = int(np.prod(counts + 1))
    if states * len(family) > MOST_CELLS:
        return Pipeline([], np.inf, False)
    least = np.full((len(family), states), np.inf)
    least[0] = 0.0
    spent = _spent(counts, bound)
    work = _work(family, bound)
    come = np.zeros((len(family), states, 2), dtype=np.int32)
    listed = (family.down_ptr, family.down, family.node)
    table = _table(columns)
    room = _room(columns, len(family))
    ways = (columns.stage.ptr, columns.stage.more, columns.stage.weights)
    fronts = _fronts(columns)
    for first in range(1, len(family), CHUNK):
        if over():
            return Pipeline([], np.inf, False)
        last = min(first + CHUNK, len(family))
        shares = (spent, work, float(bound.work.sum()))
        ideals(
            first, last, listed, table, counts, least, come, limit, shares, room, ways, fronts
        )  # fmt: skip
    state = int(np.argmin(least[-1]))
    load = float(least[-1, state])
    if not np.isfinite(load):
        return Pipeline([], np.inf, True)
    return Pipeline(_stages(family, counts, come, state), load, True)


def list_ideals(clusters: Clusters, until: float, most: int = MOST_IDEALS) -> Family | None:
    """Return all ideals of the order of stages, None where there are too many.

    Parameters
    ----------
    until
        ``time.monotonic()`` value by which listing gives up.
    """
    before = [0] * len(clusters)
    after: list[list[int]] = []
    for c in range(len(clusters)):
        after.append(sorted(set(clusters.next_id[_row(clusters.next_ptr, c)].tolist())))
        for other in after[c]:
            before[other] |= 1 << c
    free = sum(1 << c for c in range(len(clusters)) if not before[c])
    level: dict[int, tuple[int, int]] = {0: (0, free)}
    edges: list[list[tuple[int, int]]] = [[]]
    for _ in range(len(clusters)):
        grown: dict[int, tuple[int, int]] = {}
        for ideal, (number, ready) in level.items():
            left = ready
            while left:
                bit = left & -left
                left ^= bit
                larger = ideal | bit
                c = bit.bit_length() - 1
                if larger not in grown:
                    if len(edges) >= most:
                        return None
                    more = sum(1 << w for w in after[c] if before[w] & ~larger == 0)
                    grown[larger] = (len(edges), (ready ^ bit) | more)
                    edges.append([])
                edges[grown[larger][0]].append((number, c))
        level = grown
        if time.monotonic() > until:
            return None
    return _family(edges, whole=True)


def ideals_along_orders(clusters: Clusters, seed: int) -> Family:
    """Return the ideals along some topological orders, depth first and at random."""
    rng = np.random.default_rng(seed)
    numbers: dict[int, int] = {0: 0}
    found: list[tuple[int, int, int]] = []
    for k in range(ORDERS):
        ideal = 0
        for c in _order(clusters, k, rng):
            larger = ideal | (1 << c)
            if larger not in numbers:
                numbers[larger] = len(numbers)
            found.append((larger, ideal, c))
            ideal = larger
    ranked = sorted(numbers, key=lambda ideal: (ideal.bit_count(), numbers[ideal]))
    at = {ideal: i for i, ideal in enumerate(ranked)}
    edges: list[list[tuple[int, int]]] = [[] for _ in ranked]
    for larger, ideal, c in dict.fromkeys(found):
        edges[at[larger]].append((at[ideal], c))
    return _family(edges, whole=False)


def _order(clusters: Clusters, k: int, rng: Any) -> list[int]:
    """Return a topological order: by index, depth first from the front, or at random."""
    waits = np.diff(clusters.last_ptr)
    done = np.zeros(len(clusters), dtype=np.int64)
    ready = [c for c in range(len(clusters)) if waits[c] == 0]
    order: list[int] = []
    while ready:
        if k == 0:
            at = ready.index(min(ready))
        elif k < ORDERS // 2 or rng.random() < 0.8:
            at = len(ready) - 1
        else:
            at = int(rng.integers(len(ready)))
        c = ready.pop(at)
        order.append(c)
        opened = []
        for other in clusters.next_id[_row(clusters.next_ptr, c)].tolist():
            done[other] += 1
            if done[other] == waits[other]:
                opened.append(other)
        ready += [opened[i] for i in rng.permutation(len(opened))] if k > 1 else opened[::-1]
    return order


def _kernels(count: int) -> Any:
    """Return the loops, as plain Python where there is little to do."""
    from hetopt.runtime.jit import PLAIN_STEPS, plain

    name = "hetopt.steady.placement.ideals_kernels"
    return plain(name) if count * count <= PLAIN_STEPS else importlib.import_module(name)


def _room(columns: Columns, ideals: int) -> tuple[Any, ...]:
    """Return the scratch of the loops, which make no arrays."""
    wide, count = len(columns.units), len(columns.clusters) + 2
    return (
        np.zeros((wide, 4)),
        np.zeros((len(columns.table.maker), 2), dtype=np.int64),
        np.zeros((columns.keys, wide), dtype=np.int64),
        np.zeros(ideals, dtype=np.int64),
        *(np.zeros(count, dtype=np.int64) for _ in range(4)),
    )


def _fronts(columns: Columns) -> tuple[Any, ...]:
    """Return room for the front of a stage at every depth of the search."""
    wide, deep = len(columns.units), len(columns.clusters) + 2
    return (
        np.zeros((deep, wide, 4 * MOST_WAYS)),
        np.zeros((deep, wide, 4 * MOST_WAYS)),
        np.zeros((deep, wide), dtype=np.int64),
        np.zeros(MOST_WAYS, dtype=np.int64),
    )


def _spent(counts: Ints, bound: LoadBound) -> Floats:
    """Worth of the units used in each state: Σ λ × units."""
    state = np.arange(int(np.prod(counts + 1)))
    total = np.zeros(len(state))
    for d, count in enumerate(counts.tolist()):
        total += bound.price[d] * (state % (count + 1))
        state //= count + 1
    return total


def _work(family: Family, bound: LoadBound) -> Floats:
    """Least worth of the time that the clusters of each ideal take."""
    total = np.zeros(len(family))
    for i in range(1, len(family)):
        e = int(family.down_ptr[i])
        total[i] = total[family.down[e]] + bound.work[family.node[e]]
    return total


def _family(edges: list[list[tuple[int, int]]], *, whole: bool) -> Family:
    ptr = list_ptr(edges)
    down = np.array([j for e in edges for j, _ in e], dtype=np.int64)
    node = np.array([c for e in edges for _, c in e], dtype=np.int64)
    return Family(ptr, down, node, whole)


def _table(columns: Columns) -> tuple[Any, ...]:
    """Return the columns of clusters and tensors as the kernel reads them; fastest ways."""
    table, stage = columns.table, columns.stage
    out, inn = _stage_costs(columns)
    readers = np.diff(table.read_ptr)
    return (
        stage.base, stage.allowed, table.ten_ptr, table.ten_id, table.maker, readers, out, inn,
        stage.key_ptr, stage.key_id, stage.key_size,
    )  # fmt: skip


def _stage_costs(columns: Columns) -> tuple[Floats, Floats]:
    """Least time of each device that a tensor takes to leave it and to come in (N × D)."""
    table, units = columns.table, columns.units
    wide, host = len(units), int(table.sizes[3])
    out = np.zeros((len(table.maker), wide))
    inn = np.zeros((len(table.maker), wide))
    staged = np.asarray(table.staged, dtype=bool)
    free = np.asarray(table.free, dtype=bool)
    for d in range(wide):
        others = [b for b in range(wide) if b != d or units[d] > 1]
        if others:
            reach = np.where(free[d, others], 0.0, table.out[:, d, others])
            out[:, d] = reach.min(axis=1)
            reach = np.where(free[others, d], 0.0, table.inn[:, others, d])
            inn[:, d] = reach.min(axis=1)
        if staged.any() and not free[d].any():
            out[staged, d] = 0.0 if d == host else table.out[staged, d, host]
            inn[staged, d] = 0.0 if d == host else table.inn[staged, host, d]
        elif staged.any():
            out[staged, d] = inn[staged, d] = 0.0
    return out, inn


def _stages(family: Family, counts: Ints, come: Any, state: int) -> list[tuple[int, list[int]]]:
    stride = np.concatenate([[1], np.cumprod(counts + 1)])
    stages: list[tuple[int, list[int]]] = []
    ideal = len(family) - 1
    while ideal:
        below, d = come[ideal, state].tolist()
        stages.append((d, _difference(family, ideal, below)))
        ideal, state = below, state - int(stride[d])
    return stages[::-1]


def _difference(family: Family, ideal: int, below: int) -> list[int]:
    """Clusters of an ideal that are not in one within it: a way down along smaller ones."""
    reached = {ideal: (-1, -1)}
    queue = [ideal]
    for here in queue:
        if here == below:
            break
        for e in range(int(family.down_ptr[here]), int(family.down_ptr[here + 1])):
            other = int(family.down[e])
            if other >= below and other not in reached:
                reached[other] = (here, int(family.node[e]))
                queue.append(other)
    found = []
    at = below
    while at != ideal:
        at, c = reached[at]
        found.append(c)
    return sorted(found)


def _row(ptr: Ints, i: int) -> slice:
    return slice(int(ptr[i]), int(ptr[i + 1]))
