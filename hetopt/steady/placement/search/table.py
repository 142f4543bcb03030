"""The columns that the search over placements reads, made from an instance.

What each array holds stands in `search.records`.

Tasks that must share a unit become one cluster; where stages must be in order, so do tasks on a
cycle of clusters. Every row is divided by its limit, at the demanded rates: the largest row of a
placement is 1 / θ. Of several options of a task on a device those stay that need less time, or
smaller weights, than any other; a cluster of several tasks has at most two ways on a device, the
fastest one and the one with the smallest weights.

Working memory counts with the largest that any way on the device takes, which is never too little;
latency limits, power caps, budgets, links that grow with units on, and ``exclusive`` are left to
the checker of what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Floats, Instance, Ints
from hetopt.instance.grouping import list_ptr
from hetopt.instance.paths import Network
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.placement.clusters import Clusters
from hetopt.steady.placement.search.records import Room, State, Table
from hetopt.steady.placement.search.table_parts import Moves, Rows, Ways, flat_of
from hetopt.steady.placement.stage_ways import StageWays, stage_ways

MOST_UNITS = 256
"""Units of all devices up to which the search looks at each on its own."""

MOST_CELLS = 20_000_000
"""Tensors × pairs of devices up to which they are tabulated."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A table with what is needed to make plans of states.

    Attributes
    ----------
    clusters
        Which tasks move together.
    units
        Units of each device (length D) that the search may use.
    first_unit
        Index of each device's unit 0.
    options
        Options of the tasks of each way's cluster, in the cluster's order of tasks.
    keys, groups, pools
        Numbers of weights keys, groups of tasks that must be apart, and pools.
    stage
        What clusters take at least, for bounds.
    """

    table: Table
    clusters: Clusters
    units: Ints
    first_unit: Ints
    options: list[list[int]]
    keys: int
    groups: int
    pools: int
    stage: StageWays

    def packed(self) -> Table:
        """Return the table with flat arrays, all integers and flags as 64 bits."""
        whole = (np.ascontiguousarray(array).reshape(-1) for array in self.table)
        return Table(*(a if a.dtype.kind == "f" else a.astype(np.int64) for a in whole))

    def state(self) -> State:
        """Return a state in which no unit runs anything yet."""
        count, units = len(self.clusters), len(self.table.device)
        jobs = max(1, self.clusters.jobs)
        sizes = (count, count, jobs * units, self.keys * units, self.groups * units)
        at = np.cumsum((0, *sizes)).tolist()
        ints = np.zeros(at[-1], dtype=np.int64)
        place, way, pos, keys, crowd = (ints[a:b] for a, b in pairwise(at))
        pos[:] = np.tile(np.arange(units), jobs)
        rows = len(self.table.fixed)
        reals = np.zeros(rows + len(self.table.taken))
        return State(ints, reals, place, way, pos, keys, crowd, reals[:rows], reals[rows:])

    def scratch(self) -> Room:
        """Return what one search marks and lists things in."""
        count, units = len(self.clusters), len(self.table.device)
        tensors = len(self.table.maker)
        sizes = (units, 1, count, 1, count, 1, count, count, 2, tensors, tensors)
        return Room(*(np.zeros(size, dtype=np.int64) for size in sizes))


def placement_columns(instance: Instance, clusters: Clusters) -> Columns | None:
    """Return the columns of an instance; None where some cluster fits nowhere, or it is too large.

    Parameters
    ----------
    instance
        A steady instance with ``routing: single``.
    clusters
        Its tasks that must share units.
    """
    devices = instance.devices
    wide = len(devices)
    units = _units(instance)
    if int(units.sum()) > MOST_UNITS or len(instance.tensors) * wide * wide > MOST_CELLS:
        return None
    capacity = unit_capacity(instance)
    ways = Ways(instance, clusters, capacity)
    if not ways.whole:
        return None
    device = np.repeat(np.arange(wide), units)
    first_unit = np.cumsum(units) - units
    pinned = _pins(instance, clusters, first_unit, units)
    if pinned is None:
        return None
    rows = Rows(instance, int(units.sum()))
    moves = Moves(instance, clusters, capacity, rows)
    more = ways.more(rows)
    apart_ptr, apart_id = _apart(instance, clusters)
    room, taken, per_pool = _memory(instance, device, ways.working)
    near_ptr, near = _near(len(clusters), moves)
    table = Table(
        sizes=np.array([wide, len(instance.apart), max(1, len(instance.jobs)), instance.host]),
        device=device, free=_free(instance), pool=_limited_pools(instance),
        fixed=np.zeros(rows.count), taken=taken, per_unit=room, per_pool=per_pool, pinned=pinned,
        way_ptr=ways.ptr, way_load=np.array(ways.load),
        key_ptr=list_ptr(ways.keys), key_id=flat_of([[k for k, _ in w] for w in ways.keys]),
        key_size=np.array([size for w in ways.keys for _, size in w], dtype=np.float64),
        more_ptr=list_ptr(more), more_row=flat_of([[r for r, _ in m] for m in more]),
        more_share=np.array([share for m in more for _, share in m], dtype=np.float64),
        apart_ptr=apart_ptr, apart_id=apart_id,
        ten_ptr=moves.of_cluster_ptr, ten_id=moves.of_cluster, maker=moves.maker,
        read_ptr=moves.read_ptr, reader=moves.reader, staged=moves.staged, volume=moves.volume,
        out=moves.out, inn=moves.inn, route=moves.route, hop_ptr=moves.hop_ptr,
        hop_row=moves.hop_row, hop_share=moves.hop_share, near_ptr=near_ptr, near=near,
        next_ptr=clusters.next_ptr, next_id=clusters.next_id, next_job=clusters.next_job,
        last_ptr=clusters.last_ptr, last_id=clusters.last_id, last_job=clusters.last_job,
    )  # fmt: skip
    return Columns(
        table, clusters, units, first_unit, ways.options,
        max(1, len(instance.model_keys)), len(instance.apart), len(instance.pools),
        stage_ways(instance, clusters, room),
    )  # fmt: skip


def _units(instance: Instance) -> Ints:
    """Units of each device that may serve: no more than there are tasks."""
    devices, most = instance.devices, len(instance.tasks)
    pinned = np.zeros(len(devices), dtype=np.int64)
    held = instance.tasks.pin_unit >= 0
    np.maximum.at(
        pinned, instance.tasks.pin_device[held], instance.tasks.pin_unit[held].astype(np.int64) + 1
    )
    serving = np.maximum(0, devices.count_max - devices.spare)
    limit = np.where(devices.count_max == NO_MAXIMUM, np.iinfo(np.int64).max, serving)
    return np.minimum(limit, np.maximum(most, pinned)).astype(np.int64)


def _pins(instance: Instance, clusters: Clusters, first_unit: Ints, units: Ints) -> Ints | None:
    """Return the unit that each cluster is pinned to, -1 where free; None where pins collide."""
    pinned = np.full(len(clusters), -1, dtype=np.int64)
    tasks = instance.tasks
    for t in np.flatnonzero(tasks.pin_unit >= 0).tolist():
        if tasks.pin_unit[t] >= units[tasks.pin_device[t]]:
            return None
        unit = int(first_unit[tasks.pin_device[t]] + tasks.pin_unit[t])
        c = int(clusters.of_task[t])
        if pinned[c] not in (-1, unit):
            return None
        pinned[c] = unit
    return pinned


def _memory(instance: Instance, device: Ints, working: Floats) -> tuple[Floats, Floats, Floats]:
    """Return shares per byte of units' and pools' memory, and what working memory takes of them."""
    devices, pools = instance.devices, instance.pools
    per_unit, taken = np.zeros(len(devices)), np.zeros(len(device) + len(pools))
    at_work = devices.slots * working
    for d in range(len(devices)):
        if np.isfinite(devices.memory_b[d]):
            per_unit[d] = 1.0 / max(float(devices.memory_b[d]), 1.0)
    taken[: len(device)] = (at_work * per_unit)[device]
    per_pool = np.zeros(len(pools))
    for p in range(len(pools)):
        if np.isfinite(pools.memory_b[p]):
            per_pool[p] = 1.0 / max(float(pools.memory_b[p]), 1.0)
            # Units that run nothing take nothing; how many will is not known here.
            taken[len(device) + p] = 0.0
    return per_unit, taken, per_pool


def _limited_pools(instance: Instance) -> Ints:
    """Pool of each device where its memory is finite, else -1."""
    pool = instance.devices.pool.astype(np.int64).copy()
    for d in range(len(pool)):
        if pool[d] >= 0 and not np.isfinite(instance.pools.memory_b[pool[d]]):
            pool[d] = -1
    return pool


def _free(instance: Instance) -> Any:
    network, wide = Network(instance), len(instance.devices)
    return np.array([[network.zero_copy(a, b) for b in range(wide)] for a in range(wide)])


def _apart(instance: Instance, clusters: Clusters) -> tuple[Ints, Ints]:
    """Return the groups that each cluster's tasks belong to, once for each task."""
    of: list[list[int]] = [[] for _ in range(len(clusters))]
    for g, group in enumerate(instance.apart):
        for t in group.tolist():
            of[int(clusters.of_task[t])].append(g)
    return list_ptr(of), flat_of(of)


def _near(count: int, moves: Moves) -> tuple[Ints, Ints]:
    """Clusters that share a tensor with each cluster, its maker or a reader."""
    found: list[list[int]] = [[] for _ in range(count)]
    for n, c in enumerate(moves.maker.tolist()):
        for other in moves.reader[moves.read_ptr[n] : moves.read_ptr[n + 1]].tolist():
            found[c].append(other)
            found[other].append(c)
    return list_ptr(found), flat_of(found)
