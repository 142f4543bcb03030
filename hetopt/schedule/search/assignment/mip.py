"""A small assignment of least cost as a mixed-integer program, for HiGHS beside the annealing.

A solver's tolerances are absolute, so the program has small whole numbers: the uses of a row, as
bounds may count them, and its limit are rounded down to some steps of it, which only relaxes, and
half a step of room keeps sums away from the limit. So its bound is one of the assignment's; what it
assigns is taken where it fits as plans count.

For the makespan it was tried too, and proved no more than prices do, at the cost of a worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Ints
from hetopt.schedule.search.assignment.table import Columns
from hetopt.solvers.mip import solve_arrays
from hetopt.solvers.mip_arrays import MipArrays

MOST_COLUMNS = 20_000
"""Columns up to which branch and bound has a chance in the time of a search."""
STEPS = 1_000_000
"""Steps of a row's limit at most."""
DEAREST = 1e5
"""Largest cost, in parts of the mean cost of a task in the bound: a solver's errors of each task
grow with the first, and its bound is weakened in parts of the second."""
NODES_PER_S = 50.0
"""Nodes that stand for a deterministic second."""
RUNAWAY, RUNAWAY_S = 20.0, 60.0
"""Seconds on the clock for each deterministic one, and more, after which the clock ends it."""


@dataclass(frozen=True)
class MipAnswer:
    """A column for each task, or None; a proven bound in steps of cost, or None."""

    chosen: Ints | None
    bound: float | None


class Over(threading.Event):
    """An event that is set when a search says that it is over."""

    def __init__(self, over: Callable[[], bool]) -> None:
        super().__init__()
        self._search_over = over

    def is_set(self) -> bool:
        """Whether the search is over."""
        return super().is_set() or self._search_over()


def suits(columns: Columns, low: float) -> bool:
    """Whether the program is worth a worker, and has numbers that a solver can be believed of.

    ``low`` is a bound that is proven, in steps of cost.
    """
    if columns.makespan or len(columns.row) > MOST_COLUMNS or not low > 0:
        return False
    mean = low / (len(columns.ptr) - 1)
    return float(np.abs(columns.cost).max(initial=0.0)) <= DEAREST * mean


def program(columns: Columns) -> MipArrays:
    """Return the program: one column per task, rows within their limits."""
    tasks, rows, size = len(columns.ptr) - 1, len(columns.limit), len(columns.row)
    step = np.maximum(1.0, columns.limit / STEPS)
    # Of a column that fits on no row alone, anything above the limit says so.
    use = np.minimum(np.floor(columns.weight / step[columns.row]), STEPS + 1.0)
    row = np.concatenate([columns.owner, tasks + columns.row])
    column = np.concatenate([np.arange(size), np.arange(size)])
    value = np.concatenate([np.ones(size), use])
    order = np.lexsort((column, row))
    order = order[value[order] != 0.0]
    return MipArrays(
        names=[f"x{k}" for k in range(size)],
        sign=1,
        cost=columns.cost.astype(np.float64),
        offset=0.0,
        lower=np.zeros(size),
        upper=np.ones(size),
        integer=np.ones(size, dtype=bool),
        row_names=[f"task{t}" for t in range(tasks)] + [f"row{r}" for r in range(rows)],
        row_lower=np.concatenate([np.ones(tasks), np.full(rows, -np.inf)]),
        row_upper=np.concatenate([np.ones(tasks), np.floor(columns.limit / step) + 0.5]),
        rows=row[order],
        columns=column[order],
        coefficients=value[order],
    )


def solve_program(
    columns: Columns,
    known: Ints | None,
    *,
    stop: threading.Event,
    seconds: float,
    nodes: int | None = None,
    seed: int = 0,
) -> MipAnswer:
    """Solve the program.

    Parameters
    ----------
    known
        A column for each task that fits; only better ones are looked for then.
    stop
        Ends the search, with the bound that it has.
    seconds, nodes
        Time on the clock, and nodes of the search tree.
    """
    arrays = program(columns)
    start = None
    if known is not None:
        start = np.zeros(len(arrays.names))
        start[known] = 1.0
    found = solve_arrays(
        arrays,
        time_limit_s=seconds,
        nodes=nodes,
        gap_rel=GAP_TOLERANCE,
        seed=seed,
        start=start,
        stop=stop,
    )
    point = None if found.values is None else arrays.vector(found.values)
    return MipAnswer(None if point is None else _chosen(columns, point), found.bound)


def _chosen(columns: Columns, point: np.ndarray) -> Ints | None:
    """Return the column of each task in a solution, None where it does not fit as plans count."""
    taken = np.flatnonzero(point > 0.5)
    if len(taken) != len(columns.ptr) - 1:
        return None
    used = np.bincount(columns.row[taken], columns.use[taken], len(columns.capacity))
    return taken.astype(np.int64) if (used <= columns.capacity).all() else None
