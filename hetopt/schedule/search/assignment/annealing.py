"""One worker's annealing of an assignment: its state, its targets, its temperatures."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from hetopt.instance import Bools, Floats, Ints
from hetopt.schedule.search.assignment.multipliers import RowPrices
from hetopt.schedule.search.assignment.table import Columns

CHUNK = 200_000
"""Moves between two looks at the clock: about 20 ms."""
MOVES, PARTS = 5_000, 40
"""Least moves of a part of a run, and parts of a short one, each a little cooler."""
SHORT, LONG = 200_000, 50_000_000
"""Moves of the first run, and of the longest; runs grow while they find nothing."""
SHORT_PER_COLUMN = 100
GROWTH = 1.6
HEAT = (0.4, 0.15, 0.8, 0.05)
"""Temperatures of runs: reduced costs then make up this part of the gap; they take turns."""
HEAT_COST = (0.25, 0.1)
"""The same where costs count."""
SOFT, STIFF, STIFF_COST = 0.02, 10.0, 100.0
"""Stiffness at the begin and at the end of a run; higher where costs count, as a plan must then
fit that costs next to nothing to miss."""
COOLED = 0.4
"""Temperature at the end of a run over that at its begin."""
MOST_CANDIDATES = 24
MOST_GAP = 0.01
"""Gap, in parts of the bound, that temperatures and candidates follow where costs count."""
REACH = (1.0, 0.4, 0.15)
"""Reduced costs of candidates, in parts of the gap that is left; they take turns."""
REACH_COST = (0.1, 0.05, 0.03)
"""The same where costs count: a good plan has many columns of little reduced cost, as all add up
to the gap; with more of them, few moves keep the loads."""
LEAST_MOVABLE = 4
"""Tasks with two candidates below which all columns are tried."""
MARGIN = 0.02
"""Part of the bound that stands for the gap while no plan is known."""
BISECTIONS = 30
NONE = 1e300
"""Cost of the best assignment while there is none."""
STEP_UP, STEP_DOWN = 1.5, 0.9
FACTORS = (0.5, 1000.0)
"""A row's penalty follows whether runs end with excess there, within these factors."""
LEAST_PRICE = 0.1
"""Least price of a row's excess over a typical one."""
LEAST_GAIN = 1e-6
"""Least improvement that is looked for, relative, where objectives are no whole numbers."""
FIRST_GAP = 0.02
"""Part of the gap above the bound that the first target leaves."""


class Shared(Protocol):
    """What workers share: the assignment's columns, the best value and bound, candidates left."""

    columns: Columns
    rows: RowPrices
    value: float
    low: float
    moves: float
    left: Bools | None
    left_upto: float

    @property
    def whole(self) -> bool:
        """Whether objectives are whole numbers of ticks or steps."""

    def over(self) -> bool:
        """Whether the search ends."""

    def offer(self, chosen: Ints, value: float) -> None:
        """Take an assignment without excess if it is the best."""


class Worker:
    """One worker's annealing: its state, and the lengths and targets of its runs."""

    def __init__(self, search: Shared, seed: int) -> None:
        from hetopt.schedule.search.assignment import kernels

        self.kernels = kernels
        self.search = search
        columns = search.columns
        n, rows = len(columns.ptr) - 1, len(columns.capacity)
        self.rng = np.random.default_rng([seed, 17]).integers(1, 2**63, 1, dtype=np.uint64)
        self.column = np.stack([columns.row, columns.use], axis=1)
        keys = columns.owner * rows + columns.row
        wanted = np.arange(n)[:, None] * rows + np.arange(rows + 1)
        self.at = np.searchsorted(keys, wanted).astype(np.int32)
        self.state = np.zeros((2, n), dtype=np.int64)
        self.row = np.zeros((rows, 3), dtype=np.int64)
        self.member = np.zeros((rows, n), dtype=np.int32)
        self.best = np.zeros(n, dtype=np.int64)
        self.numbers = np.zeros(kernels.NUMBERS)
        self.length = max(MOVES, min(SHORT, SHORT_PER_COLUMN * len(columns.row)))
        self.distance = 0.0
        self.factor = np.ones(rows)
        reduced = search.rows.reduced
        start = np.lexsort((reduced, columns.owner))[columns.ptr[:-1]]
        self.movable = np.arange(n)
        self._place(start)

    def run(self, turn: int) -> None:
        """Anneal once from the present state: for a target, where the makespan counts."""
        search, kernels = self.search, self.kernels
        columns = search.columns
        goal = self._target() if columns.makespan else search.value
        self.row[:, kernels.CAPACITY] = columns.capacity
        if columns.makespan:
            self.row[:, kernels.CAPACITY] = np.minimum(columns.capacity, int(goal))
        reaches, heats = (REACH, HEAT) if columns.makespan else (REACH_COST, HEAT_COST)
        temperature = self._candidates(goal, reaches[turn % len(reaches)], heats[turn % len(heats)])
        numbers = self.numbers
        numbers[kernels.COST] = columns.cost[self.state[0]].sum()
        known = NONE if columns.makespan or math.isinf(goal) else goal
        numbers[kernels.BEST] = known
        numbers[kernels.FIRST] = float(columns.makespan)
        moves, done = self.length, 0
        stiff = STIFF if columns.makespan else STIFF_COST
        if not len(self.movable):
            search.moves -= moves
        while done < moves and len(self.movable) and not search.over():
            size = int(min(CHUNK, max(MOVES, moves // PARTS), moves - done, search.moves))
            begin, end = (SOFT * (stiff / SOFT) ** (m / moves) for m in (done, done + size))
            heat = temperature * COOLED ** (done / moves)
            done += size
            search.moves -= size
            enough = kernels.anneal(
                size, heat, begin, end, self.rng, self.movable, self.task, self.order,
                self.column, self.cost, self.tried, self.at, self.row, self.price, self.state,
                self.member, self.best, numbers,
            )  # fmt: skip
            if numbers[kernels.BEST] < known:
                known = float(numbers[kernels.BEST])
                self._offer()
            if enough:
                self.distance *= 2.0
                return
            if columns.makespan and search.value <= goal:
                return
        self.length = int(min(LONG, self.length * GROWTH))
        over = self.row[:, kernels.LOAD] > self.row[:, kernels.CAPACITY]
        calm = 1.0 if math.isinf(search.value) else STEP_DOWN
        self.factor = np.where(over, self.factor * STEP_UP, self.factor * calm)
        self.factor = np.clip(self.factor, *FACTORS)
        if math.isinf(search.value):
            self.distance = 4.0 * max(self.distance, MARGIN * abs(search.rows.value))
        else:
            self.distance /= 4.0

    def _offer(self) -> None:
        columns = self.search.columns
        if columns.makespan:
            rows = len(columns.capacity)
            load = np.zeros(rows, dtype=np.int64)
            np.add.at(load, columns.row[self.best], columns.use[self.best])
            self.search.offer(self.best, float(load.max()))
        else:
            self.search.offer(self.best, float(columns.cost[self.best].sum()))

    def _target(self) -> float:
        """Return the objective to look for: below the best by more the easier that is."""
        search = self.search
        low = search.low if math.isfinite(search.low) else search.rows.value
        if math.isinf(search.value):
            return math.floor(low + self.distance + MARGIN * abs(low)) + 1.0
        least = 1.0 if search.whole else LEAST_GAIN * abs(search.value)
        most = search.value - low
        if self.distance <= 0.0:
            self.distance = (1.0 - FIRST_GAP) * most
        self.distance = max(least, min(self.distance, most))
        target = search.value - self.distance
        return math.floor(target) if search.whole else target

    def _candidates(self, target: float, reach: float, heat: float) -> float:
        """Choose the columns that are tried, and penalties; return a temperature."""
        search = self.search
        columns, prices = search.columns, search.rows
        rows, owner, ptr = len(columns.capacity), columns.owner, columns.ptr
        scale = float(rows) if columns.makespan else 1.0
        if math.isinf(target):
            target = prices.value + max(self.distance, MARGIN * abs(prices.value))
        gap = (target - prices.value) * scale
        if not columns.makespan:
            # A task of mean cost, at least, may be dearer.
            gap = min(gap, max(MOST_GAP * abs(prices.value), float(columns.cost.mean())))
        reduced = prices.reduced * scale
        left = search.left
        if left is not None and target - (not columns.makespan) <= search.left_upto:
            reduced = np.where(left, reduced, np.inf)
        self.order = np.lexsort((reduced, owner))
        ranked = reduced[self.order]
        rank = np.arange(len(ranked)) - ptr[owner]
        good = (rank == 0) | (
            (ranked <= (math.inf if math.isinf(search.value) else reach * gap))
            & (rank < MOST_CANDIDATES)
        )
        count = np.add.reduceat(good.astype(np.int64), ptr[:-1])
        if (count > 1).sum() < LEAST_MOVABLE:
            good[:] = True
            count = np.diff(ptr)
        self.task = np.stack([ptr[:-1], count], axis=1)
        self.tried = np.zeros(len(ranked), dtype=np.bool_)
        self.tried[self.order] = good
        self.movable = np.flatnonzero(count > 1)
        now = self.state[0]
        self._place(np.where(self.tried[now], now, self.order[ptr[:-1]]))
        self.cost = np.stack([prices.reduced * scale, columns.cost], axis=1)
        if columns.makespan:
            above, below = np.maximum(prices.prices * rows, LEAST_PRICE), np.zeros(rows)
        else:
            mean = float(columns.cost.mean()) / max(1.0, float(columns.weight.mean()))
            above, below = np.maximum(prices.prices, LEAST_PRICE * mean), prices.prices
        self.price = np.stack([above * self.factor, below], axis=1)
        floor = 1e-4 * float(columns.use[now].mean() if columns.makespan else columns.cost.mean())
        tried = good & np.isfinite(ranked)
        return _temperature(ranked[tried], owner[tried], heat * max(gap, 0.0), floor)

    def _place(self, chosen: Ints) -> None:
        """Make a state of one column per task; lists of rows hold the movable tasks."""
        columns, kernels = self.search.columns, self.kernels
        self.state[0] = chosen
        self.row[:, kernels.LOAD] = 0
        np.add.at(self.row[:, kernels.LOAD], columns.row[chosen], columns.use[chosen])
        row = columns.row[chosen[self.movable]]
        size = np.bincount(row, minlength=len(self.row))
        self.row[:, kernels.SIZE] = size
        order = np.argsort(row, kind="stable")
        place = np.arange(len(order)) - (np.cumsum(size) - size)[row[order]]
        self.state[1, self.movable[order]] = place
        self.member[row[order], place] = self.movable[order]


def _temperature(reduced: Floats, owner: Ints, total: float, floor: float) -> float:
    """Return the temperature at which tasks, on their own, have so much reduced cost in all.

    Parameters
    ----------
    reduced, owner
        Reduced costs by task, and the task of each; every task has one at least.
    total
        What their means add up to.
    floor
        The least temperature.
    """
    first = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    low, high = floor, max(floor, float(reduced.max(initial=0.0))) * 10.0
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        part = np.exp(-reduced / middle)
        all_parts = np.maximum(np.add.reduceat(part, first), np.finfo(float).tiny)
        mean = np.add.reduceat(part * reduced, first) / all_parts
        if float(mean.sum()) > total:
            high = middle
        else:
            low = middle
    return low
