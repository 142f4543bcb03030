"""Priorities of list schedulers, and tables that they look at, on packed columns.

Upward and downward ranks: Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002; the choice of average:
Zhao, Sakellariou, "An experimental investigation into the rank function of the heterogeneous
earliest finish time scheduling algorithm", Euro-Par 2003. Optimistic cost table: Arabnejad,
Barbosa, "List scheduling algorithm for heterogeneous systems by an optimistic cost table", IEEE
TPDS 25(3), 2014. All times are in ticks; T tasks, D devices, K classes.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.runtime.jit import kernels
from hetopt.schedule.model.packed import PackedProblem

Average = Literal["mean", "median", "least", "greatest"]


def typical_times(columns: PackedProblem, average: Average = "mean") -> Floats:
    """Average over units of each device's shortest option, per task (T)."""
    time = fastest(columns)
    units = columns.instance.devices.count_max.astype(np.float64)
    can = np.isfinite(time)
    if average == "mean":
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (np.where(can, time, 0.0) @ units) / (can @ units)
    elif average == "median":
        found = np.array([_median(row, units) for row in time])
    elif average == "least":
        found = time.min(axis=1)
    else:
        found = np.where(can, time, -np.inf).max(axis=1)
    return np.asarray(np.nan_to_num(found, posinf=0.0, neginf=0.0)[columns.member] * columns.factor)


def fastest(columns: PackedProblem) -> Floats:
    """Shortest option of each class on each device at factor 1, K × D; inf where none."""
    time = np.full((len(columns.scale), len(columns.instance.devices)), np.inf)
    np.minimum.at(time, (columns.owner, columns.device), columns.length)
    return time


def upward_ranks(columns: PackedProblem, length: Floats) -> Floats:
    """Longest path from the start of each task to the end of all, at mean message times (T)."""
    return tails(columns, length) + length


def tails(columns: PackedProblem, length: Floats) -> Floats:
    """Longest path from the end of each task on, at mean message times (T)."""
    ptr, edge = columns.instance.successors
    return _tails(columns, length, ptr, edge, columns.instance.edges.dst, backward=True)


def downward_ranks(columns: PackedProblem, length: Floats) -> Floats:
    """Longest path to the start of each task (T)."""
    ptr, edge = columns.instance.predecessors
    return _tails(columns, length, ptr, edge, columns.instance.edges.src, backward=False)


def latest_ends(
    columns: PackedProblem, length: Floats, stretch: float = 1.0, pace: float = 1.0
) -> Floats:
    """Latest end of each task by the deadlines of all that wait for it (T); inf without any.

    ``stretch`` is how much of the lengths and mean messages behind a task it must leave before
    the deadline, of which the part ``pace`` is taken.
    """
    k = kernels("hetopt.schedule.list_scheduling.rank_kernels", _steps(columns))
    ptr, edge = columns.instance.successors
    found = columns.deadline * pace
    message = edge_messages(columns)[edge] * stretch
    order = columns.instance.topological_order[::-1]
    k.latest(order, ptr, columns.instance.edges.dst[edge], message, length * stretch, found)
    return found


def critical_path(columns: PackedProblem, length: Floats) -> Ints:
    """Tasks of one longest path, first to last, by upward plus downward rank."""
    up, down = upward_ranks(columns, length), downward_ranks(columns, length)
    total = up + down
    top = float(total.max(initial=0.0))
    near = total >= top * (1 - _NEAR)
    ptr, edge = columns.instance.successors
    after = columns.instance.edges.dst
    starts = np.flatnonzero(near & (np.diff(columns.instance.predecessors[0]) == 0))
    path = [int(starts[0])] if len(starts) else []
    while path:
        nexts = after[edge[ptr[path[-1]] : ptr[path[-1] + 1]]]
        nexts = nexts[near[nexts]]
        if not len(nexts):
            break
        path.append(int(nexts[0]))
    return np.array(path, dtype=np.int64)


def optimistic_costs(columns: PackedProblem) -> Any:
    """PEFT's optimistic cost table, T × D (float32)."""
    instance = columns.instance
    k = kernels(
        "hetopt.schedule.list_scheduling.rank_kernels", _steps(columns) * len(instance.devices) ** 2
    )
    ptr, edge = instance.successors
    table = np.empty((len(columns.member), len(instance.devices)), dtype=np.float32)
    k.optimistic_costs(
        instance.topological_order[::-1],
        ptr,
        instance.edges.dst[edge],
        edge_messages(columns)[edge],
        columns.member,
        columns.factor,
        fastest(columns),
        table,
    )
    return table


def mean_over_units(columns: PackedProblem, table: Any) -> Floats:
    """Mean of each row of a T × D table over units, without devices that are out of question."""
    units = columns.instance.devices.count_max.astype(np.float32)
    known = np.isfinite(table)
    return np.asarray((np.where(known, table, 0.0) @ units) / np.maximum(1e-30, known @ units))


def edge_messages(columns: PackedProblem) -> Floats:
    """Mean message time of each edge over pairs of units (E)."""
    latency, per_b = columns.mean_message
    size = np.append(columns.instance.tensors.bytes_b, 0.0)[columns.instance.edges.tensor]
    return np.where(columns.instance.edges.tensor >= 0, latency + per_b * size, 0.0)


_NEAR = 1e-12
"""Relative distance within which a path is one of the longest; float sums are that exact."""


def _steps(columns: PackedProblem) -> int:
    return len(columns.member) + len(columns.instance.edges)


def _tails(
    columns: PackedProblem,
    length: Floats,
    ptr: Ints,
    edge: Ints,
    other: Ints,
    *,
    backward: bool,
) -> Floats:
    k = kernels("hetopt.schedule.list_scheduling.rank_kernels", _steps(columns))
    found = np.zeros(len(length))
    message = edge_messages(columns)[edge]
    order = columns.instance.topological_order
    k.tails(order[::-1] if backward else order, ptr, other[edge], message, length, found)
    return found


def _median(row: Floats, units: Floats) -> float:
    """Weighted lower and upper median's mean over the devices that can."""
    can = np.isfinite(row)
    values = np.sort(np.repeat(row[can], units[can].astype(np.int64)))
    return float(np.median(values)) if len(values) else 0.0
