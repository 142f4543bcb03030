"""Prices of an assignment's rows and tasks: proven bounds, and which columns are left.

The loops are in :mod:`hetopt.schedule.search.assignment.knapsack_kernels`. A bound holds for
whatever prices the ascent ends with; sums of floats are weakened by ``SAFETY``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hetopt.instance import Bools, Floats
from hetopt.schedule.search.assignment.table import Columns
from hetopt.solvers.share_lp import solve_shares

SAFETY = 1e-9
"""Weakening of sums of floats, in parts of Σ |terms|: above what millions of them may lose."""
ROW_WORK = 300_000_000
"""Steps × columns of the ascent over prices of rows: less than half a second."""
ROW_STEPS = 3_000
MOST_ROOM = 20_000
"""Ticks of a row's capacity in its knapsack; finer uses are rounded down to coarser ones."""
MOST_CELLS = 300_000_000
"""Groups × capacity of all knapsacks above which they take too long."""
MOST_TABLE = 40_000_000
"""Groups × capacity of one row above which columns are not looked at one by one."""
LP_ROUNDS = 2
"""LPs that polish prices of rows, one after the other."""
LP_LEAST = 4
"""Columns a task below which an LP is not worth its time."""
LP_MOST = 12_000
"""Columns of such an LP: about a second."""
TASK_STEPS = 600
"""Steps of the ascent over prices of tasks."""
CHUNK_CELLS = 100_000_000
"""Cells of knapsacks between two looks at the clock: about a tenth of a second."""
CELLS = 20_000_000_000
"""Cells that one ascent may take at most."""
CELLS_PER_S = 1_000_000_000
"""Cells filled in a second or so; what deterministic seconds count."""
DROPPING = 3
"""Steps of an ascent that looking at columns one by one takes as long as."""


class RowPrices:
    """Prices of rows, the bound that they prove, and reduced costs.

    Attributes
    ----------
    prices
        Length R. They sum to 1 where the makespan counts, which makes reduced costs ticks.
    value
        The bound in steps of cost, or in ticks of makespan.
    reduced
        Per column, what it adds to the bound.
    """

    def __init__(self, columns: Columns, target: float) -> None:
        self.columns = columns
        rows = len(columns.limit)
        if columns.makespan:
            self.prices = np.full(rows, 1.0 / max(1, rows))
        else:
            self.prices = np.zeros(rows)
        self.value = -math.inf
        self.reduced = np.zeros(len(columns.row))
        self.raise_to(target)

    def raise_to(self, target: float) -> None:
        """Follow the subgradient, with steps that aim at a target."""
        from hetopt.schedule.search.assignment.knapsack_kernels import price_rows

        c = self.columns
        steps = int(min(ROW_STEPS, max(50, ROW_WORK // max(1, len(c.row)))))
        price_rows(
            steps, float(target), not c.makespan, c.ptr, c.row, c.weight, c.cost, c.limit,
            self.prices,
        )  # fmt: skip
        self._read()

    def polish(self) -> None:
        """Solve the LP over the columns of least reduced cost, and take its prices if better."""
        tasks = len(self.columns.ptr) - 1
        for _ in range(LP_ROUNDS):
            prices = self._solved(LP_MOST // tasks) if tasks * LP_LEAST <= LP_MOST else None
            if prices is None:
                return
            old, before = self.prices, self.value
            self.prices = prices
            self._read()
            if self.value < before:
                self.prices = old
                self._read()

    def _solved(self, per_task: int) -> Floats | None:
        """Prices of rows of an LP with so many columns a task; None where it has no answer."""
        from scipy.sparse import csr_matrix, hstack

        c = self.columns
        owner = c.owner
        order = np.lexsort((self.reduced, owner))
        rank = np.arange(len(order)) - c.ptr[owner[order]]
        kept = order[rank < per_task]
        n, rows, size = len(c.ptr) - 1, len(c.limit), len(kept)
        scale = np.maximum(1.0, c.limit) if not c.makespan else np.ones(rows)
        each = np.arange(size)
        used: Any = csr_matrix(
            (c.weight[kept] / scale[c.row[kept]], (c.row[kept], each)), (rows, size)
        )
        cost, right = c.cost[kept], c.limit / scale
        if c.makespan:
            used = hstack([used, csr_matrix(-np.ones((rows, 1)))]).tocsr()
            cost, right = np.append(cost, 1.0), np.zeros(rows)
        found = solve_shares(owner[kept], n, cost, used, right)
        return found.prices / scale if found.solved else None

    def _read(self) -> None:
        """Bound and reduced costs of the present prices."""
        c = self.columns
        if c.makespan:
            self.prices = self.prices / max(float(self.prices.sum()), 1e-300)
        paid = c.cost + self.prices[c.row] * c.weight
        least = np.minimum.reduceat(paid, c.ptr[:-1])
        self.reduced = paid - np.repeat(least, np.diff(c.ptr))
        spent = 0.0 if c.makespan else float(self.prices @ c.limit)
        size = float(np.abs(least).sum()) + spent
        self.value = float(least.sum()) - spent - SAFETY * size
        self.task_prices = least


class TaskPrices:
    """Prices of tasks with a knapsack for each row.

    Attributes
    ----------
    usable
        Whether the knapsacks are small enough.
    alive
        Columns that an assignment within the last target may use.
    worked
        Cells of knapsacks that all ascents have filled.
    """

    def __init__(self, columns: Columns, prices: Floats) -> None:
        self.columns = columns
        self.worked = 0
        n, rows = len(columns.ptr) - 1, len(columns.limit)
        owner = columns.owner
        self.by_row = np.lexsort((columns.use, owner, columns.row)).astype(np.int64)
        row, task = columns.row[self.by_row], owner[self.by_row]
        first = np.flatnonzero(np.r_[True, (np.diff(row) != 0) | (np.diff(task) != 0)])
        self.group = np.stack([task[first], first, np.r_[first[1:], len(row)]], axis=1)
        self.group_ptr = np.searchsorted(row[first], np.arange(rows + 1)).astype(np.int64)
        total = np.bincount(columns.row, weights=columns.weight, minlength=rows)
        self.limit = np.minimum(columns.limit, total)
        self.prices = prices.copy()
        if columns.makespan:
            self.prices *= n / max(float(prices.sum()), 1e-300)
        self.alive: Bools = np.ones(len(columns.row), dtype=np.bool_)
        self.widest = int(np.diff(self.group_ptr).max(initial=0))
        self.usable = self._cells() <= MOST_CELLS

    def ascend(
        self,
        target: float,
        goal: float,
        over: Callable[[], bool],
        room: int | None = None,
    ) -> float:
        """Raise the bound, and leave out columns; return the bound.

        Parameters
        ----------
        target
            Value at which to stop.
        goal
            Greatest value of the assignments that are still looked for.
        over
            Whether time is up.
        room
            Common capacity of all rows in ticks, where the makespan counts: the bound is then
            above 0 where no assignment fits.
        """
        from hetopt.schedule.search.assignment.knapsack_kernels import drop_columns, price_tasks

        c = self.columns
        limit = self.limit if room is None else np.minimum(self.limit, float(room))
        coarse = max(1, math.ceil(float(limit.max(initial=0.0)) / MOST_ROOM))
        rooms = np.floor(limit / coarse).astype(np.int64)
        size = np.floor(c.weight / coarse).astype(np.int64)
        widest = int(rooms.max(initial=0))
        alive = self.alive & (size <= rooms[c.row])
        take = np.zeros((self.widest, widest + 1), dtype=np.uint8)
        now, best = self.prices.copy(), self.prices.copy()
        numbers = np.array([-np.inf, 1.0])
        cells = max(1, int((np.diff(self.group_ptr) * (rooms + 1)).sum()))
        chunk = max(1, min(50, CHUNK_CELLS // cells))
        most = min(TASK_STEPS, max(10, CELLS // cells))
        done = 0
        while done < most and not over():
            steps = min(chunk, most - done)
            made = price_tasks(
                steps, target, c.makespan, self.by_row, self.group, self.group_ptr, size, c.cost,
                alive, rooms, now, take, best, numbers,
            )  # fmt: skip
            done += steps
            self.worked += made * cells
            if made < steps or numbers[0] >= target:
                break
        self.prices = best
        value = float(numbers[0])
        if done and value < target and (self.widest + 1) * (widest + 1) <= MOST_TABLE:
            table = np.zeros((self.widest + 1, widest + 1))
            self.worked += DROPPING * cells
            allowed = goal - value + self._noise(value)
            drop_columns(
                allowed, self.by_row, self.group, self.group_ptr, size, c.cost, alive, rooms, best,
                table,
            )  # fmt: skip
        self.left = alive
        return value - self._noise(value)

    def _noise(self, value: float) -> float:
        """Return what rounding may have added to prices of tasks less profits of rows."""
        prices = float(self.prices.sum())
        return SAFETY * (float(np.abs(self.prices).sum()) + abs(prices - value))

    def keep(self) -> None:
        """Leave out for good what the last ascent left out."""
        self.alive = self.left

    def _cells(self) -> int:
        room = np.minimum(self.limit, MOST_ROOM) + 1
        return int((np.diff(self.group_ptr) * room).sum())
