"""Improve the assignment of independent tasks: annealing between proven bounds.

Least cost (energy, cost, carbon) within budgets or time, or least makespan, of tasks that wait for
nothing and send nothing: the generalised assignment problem and R || Cmax.

- :mod:`assignment_prices` proves bounds and finds columns that no better plan uses. For the
  makespan it proves, from below, for one tick after the other that nothing fits into so many.
- :mod:`kernels_assignment` anneals over assignments whose excess of capacity is penalised by the
  prices of rows; candidates are each task's columns of least reduced cost. For the makespan it
  looks for any assignment that fits into a target, which is then lowered towards the bound.
"""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.schedule.assignment_columns import Columns, columns_of, is_assignment, joule_price
from hetopt.schedule.assignment_prices import RowPrices, TaskPrices
from hetopt.schedule.improvers import Found, Improved
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

MOVES_PER_S = 4_000_000
"""Moves that one core makes in a second or so; what deterministic seconds count."""
ITERATIONS = 4_000_000
"""Moves where neither seconds nor iterations are given."""
CACHED = "kernels_assignment.anneal-*.nbi"
"""Name of Numba's index file of the annealing loop, in its cache folder."""
CHUNK = 200_000
"""Moves between two looks at the clock: about 20 ms."""
MOVES, PARTS = 5_000, 40
"""Least moves of a part of a run, and parts of a short one, each a little cooler."""
SHORT, LONG = 200_000, 50_000_000
"""Moves of the first run, and of the longest; runs grow while they find nothing."""
GROWTH = 1.6
HEAT = (0.4, 0.15, 0.8, 0.05)
"""Temperatures of runs: reduced costs then make up this part of the gap; they take turns."""
SOFT, STIFF = 0.02, 4.0
"""Stiffness at the begin and at the end of a run."""
COOLED = 0.4
"""Temperature at the end of a run over that at its begin."""
MOST_CANDIDATES = 24
REACH = (1.0, 0.4, 0.15)
"""Reduced costs of candidates, in parts of the gap that is left; they take turns."""
LEAST_MOVABLE = 4
"""Tasks with two candidates below which all columns are tried."""
PRICING_SHARE = 0.4
"""Part of the time that prices of tasks may take of one worker."""
FIRST_SHARE = 0.1
"""Part of the time for a first plan, where there is one worker."""
POLL_S = 0.1
MARGIN = 0.02
"""Part of the bound that stands for the gap while no plan is known."""
BISECTIONS = 30
STEP_UP, STEP_DOWN = 1.4, 0.85
"""Factors by which penalties follow whether a run ends with excess."""


def fits(instance: Instance) -> bool:
    """Whether an instance is an assignment of tasks to devices and nothing more.

    No edges, releases, finite memory, power cap, capacities that options use, groups of tasks that
    belong together or apart, tasks pinned to a unit, or prices that change over time. The first
    objective is the makespan without budgets, or energy, cost or carbon with neither idle power
    nor prices of units that count; then either budgets limit it (each option uses one at most, and
    each device has slots for all tasks) or one common deadline.
    """
    return is_assignment(instance)


def is_compiled() -> bool:
    """Whether the loops are compiled, or their machine code lies on disk (as far as is known)."""
    from hetopt.schedule.kernels_assignment import anneal

    return bool(anneal.signatures) or any(Path(anneal.stats.cache_path or ".").glob(CACHED))


def moves_within(instance: Instance, seconds: float) -> int:
    """Return the number of moves that stands for so many deterministic seconds."""
    return max(1, int(seconds * MOVES_PER_S))


def improve(
    instance: Instance,
    plan: SchedulePlan | None,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    workers: int = 1,
    stop: threading.Event | None = None,
    bound: float = math.nan,
    found: Found | None = None,
) -> Improved:
    """Look for a better assignment, and for a better bound.

    Parameters
    ----------
    instance
        Of the schedule regime. Nothing is found where :func:`fits` is False.
    plan
        A valid plan, or None.
    seconds
        Time to spend, first compilation included. With ``iterations`` (moves) instead the answer
        depends on nothing but the arguments, and there is one worker.
    seed, workers
        Each worker anneals on its own, in a thread; one of them sees to prices first.
    stop
        Ends the search early when it is set, with the best so far.
    bound
        Proven bound of the first objective, which ends the search where it is met.
    found
        Called with plans that are better than all before.
    """
    began = time.monotonic()
    until = None if seconds is None else began + seconds
    if not fits(instance) or (stop is not None and stop.is_set()):
        return Improved(None)
    columns = columns_of(instance)
    if columns is None:
        return Improved(None)
    if seconds is None and iterations is None:
        iterations = ITERATIONS
    search = _Search(columns, plan, bound, until, iterations, stop)
    search.price(seed)
    if until is None:
        search.work(seed, 0, 1)
    else:
        workers = max(1, workers)
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(search.work, seed, k, workers) for k in range(workers)]
            _watch(search, jobs, found)
    return Improved(search.plan(), search.proven())


def _watch(search: _Search, jobs: list[Future[None]], found: Found | None) -> None:
    """Wait for the workers, and pass on the plans that they find."""
    passed = search.value
    while True:
        left = wait(jobs, POLL_S).not_done
        if found is not None and search.value < passed:
            passed = search.value
            plan = search.plan()
            if plan is not None:
                found(plan)
        if not left:
            for job in jobs:
                job.result()
            return


class _Search:
    """What the workers share: best assignment, proven bound, candidates.

    ``value`` and ``low`` count ticks of makespan or steps of cost.
    """

    def __init__(
        self,
        columns: Columns,
        plan: SchedulePlan | None,
        bound: float,
        until: float | None,
        moves: int | None,
        stop: threading.Event | None,
    ) -> None:
        self.columns = columns
        self.began = time.monotonic()
        self.until, self.stop = until, stop
        self.moves = math.inf if moves is None else float(moves)
        self.lock = threading.Lock()
        self.best: Ints | None = None
        self.given = plan
        name = columns.instance.objective[0]
        joule = joule_price(columns.instance)
        self.unit = float(columns.tick_s) if columns.makespan else float(columns.step) * joule
        self.value = math.inf
        if plan is not None:
            value = objective_value(columns.instance, plan, name) / self.unit
            self.value = float(round(value)) if self.whole else value
        self.low = -math.inf
        if not math.isnan(bound):
            self.raise_low(bound / self.unit)
        self.left: Bools | None = None
        self.left_upto = -math.inf

    @property
    def whole(self) -> bool:
        """Whether objectives are whole numbers of ticks or steps."""
        columns = self.columns
        return columns.exact_use if columns.makespan else columns.exact_cost

    def raise_low(self, value: float) -> None:
        """Take a proven bound; whole numbers are rounded up."""
        if self.whole and math.isfinite(value):
            value = float(math.ceil(value - 1e-6 - 1e-9 * abs(value)))
        self.low = max(self.low, value)

    def over(self) -> bool:
        """Whether the search ends: stopped, out of time or moves, or proven."""
        if self.stop is not None and self.stop.is_set():
            return True
        if self.until is not None and time.monotonic() >= self.until:
            return True
        return self.moves <= 0 or self.closed()

    def closed(self) -> bool:
        """Whether nothing better exists."""
        return self.value <= self.low + (0.0 if self.whole else 1e-9 * abs(self.low))

    def price(self, seed: int) -> None:
        """Prices of rows, with a first plan to aim at between two ascents."""
        columns = self.columns
        guess = self.value
        if columns.makespan or math.isinf(guess):
            owner = columns.owner
            spread = (
                columns.use / max(1, len(columns.capacity)) if columns.makespan else columns.cost
            )
            guess = float((np.bincount(owner, weights=spread) / np.diff(columns.ptr)).sum())
        self.rows = RowPrices(columns, min(guess, self.value))
        if not self.over() and not columns.makespan:
            chain = _Chain(self, seed * 1_000 + 999)
            chain.run(SHORT, 0)
        if math.isfinite(self.value):
            self.rows.raise_to(self.value)
        if not self.over():
            self.rows.polish()
        self.raise_low(self.rows.value)
        self.tasks = TaskPrices(columns, self.rows.task_prices)

    def work(self, seed: int, number: int, workers: int) -> None:
        """Anneal; the first worker sees to prices of tasks before."""
        chain = _Chain(self, seed * 1_000 + number)
        turn = number
        if number == 0 and self.tasks.usable:
            if workers == 1 and self.until is not None:
                first = self.began + FIRST_SHARE * (self.until - self.began)
                while time.monotonic() < first and not self.over():
                    chain.run(chain.length, turn)
                    turn += 1
            self.price_tasks()
        while not self.over():
            chain.run(chain.length, turn)
            turn += 1

    def price_tasks(self) -> None:
        """Raise the bound by knapsacks, and leave columns out."""
        last = None
        if self.until is not None:
            last = self.began + PRICING_SHARE * (self.until - self.began)

        def over() -> bool:
            return self.over() or (last is not None and time.monotonic() >= last)

        if self.columns.makespan:
            if self.columns.exact_use:
                self._refute(over)
            return
        before = -math.inf
        while not over():
            step = 1.0 if self.whole else 0.0
            goal = self.value - step
            target = goal + 1e-6 * max(1.0, abs(goal)) if math.isfinite(goal) else 2 * self.low
            value = self.tasks.ascend(target, lambda v: goal - v, over)
            self.tasks.keep()
            with self.lock:
                self.raise_low(value)
                self.left, self.left_upto = self.tasks.left, goal
            if value <= before + 0.1 * step:
                return
            before = value

    def _refute(self, over: object) -> None:
        """Raise the bound of the makespan, tick by tick or faster, while nothing fits below it."""
        n = len(self.columns.ptr) - 1
        assert callable(over)
        jump, room = 1, int(self.low)
        while not over():
            room = int(min(room, self.value - 1))
            if room < self.low:
                return
            value = self.tasks.ascend(1e-3 * n, lambda v: -v, over, room)
            empty = not np.logical_or.reduceat(self.tasks.left, self.columns.ptr[:-1]).all()
            if value > 0 or empty:
                with self.lock:
                    self.raise_low(room + 1)
                room = int(self.low) - 1 + jump
                jump *= 2
            elif room > self.low:
                jump = max(1, (room - int(self.low)) // 2)
                room = int(self.low) - 1 + jump
                jump = 1
            else:
                with self.lock:
                    self.left, self.left_upto = self.tasks.left, float(room)
                return

    def offer(self, chosen: Ints, value: float) -> None:
        """Take an assignment without excess if it is the best."""
        with self.lock:
            if value < self.value:
                self.best, self.value = chosen.copy(), value

    def plan(self) -> SchedulePlan | None:
        """Return the best plan that was found; None where the checker would reject it."""
        with self.lock:
            best = self.best
        if best is None:
            return None
        instance, name = self.columns.instance, self.columns.instance.objective[0]
        plan = self.columns.plan(best)
        if not verify(instance, plan).ok:
            return None
        if self.given is not None:
            old = objective_value(instance, self.given, name)
            if objective_value(instance, plan, name) >= old:
                return None
        return plan

    def proven(self) -> float:
        """Return the bound in the objective's own unit, NaN where there is none."""
        if not math.isfinite(self.low):
            return math.nan
        columns = self.columns
        if columns.makespan and columns.exact_use:
            return float(int(self.low) * columns.tick_s)
        if columns.exact_cost and not columns.makespan and joule_price(columns.instance) == 1.0:
            return float(int(self.low) * columns.step)
        return self.low * self.unit * (1 - 1e-12)


class _Chain:
    """One worker's annealing: its state, and the lengths and targets of its runs."""

    def __init__(self, search: _Search, seed: int) -> None:
        from hetopt.schedule import kernels_assignment as kernels

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
        self.length = SHORT
        self.failed = -math.inf
        self.factor = 1.0
        reduced = search.rows.reduced
        start = np.lexsort((reduced, columns.owner))[columns.ptr[:-1]]
        self.movable = np.arange(n)
        self._place(start)

    def run(self, moves: int, turn: int) -> None:
        """Anneal once from the present state, for one target."""
        search, kernels = self.search, self.kernels
        columns = search.columns
        target = self._target() if columns.makespan else math.inf
        self.row[:, kernels.CAPACITY] = np.minimum(columns.capacity, target)
        temperature = self._candidates(target, REACH[turn % len(REACH)], HEAT[turn % len(HEAT)])
        state = self.state
        self.numbers[kernels.BEST] = kernels.NONE if columns.makespan else search.value
        if math.isinf(search.value):
            self.numbers[kernels.BEST] = kernels.NONE
        self.numbers[kernels.FIRST] = float(columns.makespan)
        self.numbers[kernels.COST] = columns.cost[state[0]].sum()
        known = self.numbers[kernels.BEST]
        done = 0
        while done < moves and not search.over():
            size = int(min(CHUNK, max(MOVES, moves // PARTS), moves - done, search.moves))
            begin, end = (SOFT * (STIFF / SOFT) ** (m / moves) for m in (done, done + size))
            done += size
            search.moves -= size
            kernels.anneal(
                size, temperature * COOLED ** (done / moves), begin, end, self.rng, self.movable, self.task, self.order,
                self.column, self.cost, self.tried, self.at, self.row, self.weight, state,
                self.member, self.best, self.numbers,
            )  # fmt: skip
            if self.numbers[kernels.BEST] < known:
                known = self.numbers[kernels.BEST]
                self._offer()
                if columns.makespan:
                    self.length = SHORT
                    return
            if columns.makespan and search.value <= target:
                return
        self._after(target)

    def _offer(self) -> None:
        columns = self.search.columns
        if columns.makespan:
            rows = len(columns.capacity)
            load = np.zeros(rows, dtype=np.int64)
            np.add.at(load, columns.row[self.best], columns.use[self.best])
            self.search.offer(self.best, float(load.max()))
        else:
            self.search.offer(self.best, float(columns.cost[self.best].sum()))

    def _after(self, target: float) -> None:
        """Learn from a run that found nothing."""
        self.length = int(min(LONG, self.length * GROWTH))
        if self.search.columns.makespan:
            self.failed = target
            return
        over = (self.row[:, self.kernels.LOAD] > self.row[:, self.kernels.CAPACITY]).any()
        self.factor = min(100.0, self.factor * STEP_UP) if over else self.factor * STEP_DOWN
        self.factor = max(0.3, self.factor)

    def _target(self) -> float:
        """Return the makespan to look for: low at first, then between what failed and what is known."""
        search = self.search
        low = math.ceil(search.low) if math.isfinite(search.low) else 0
        if math.isinf(search.value):
            base = max(low, self.failed, 1)
            return math.floor(base * 1.1) + 1
        known = math.ceil(search.value)
        if self.failed < low:
            return min(known - 1, max(low, math.floor(low * 1.01)))
        target = (self.failed + known) // 2 if self.failed < known - 1 else known - 1
        return max(low, min(target, known - 1))

    def _candidates(self, target: float, reach: float, heat: float) -> float:
        """Choose the columns that are tried, and penalties; return a temperature."""
        search = self.search
        columns, prices = search.columns, search.rows
        rows, owner, ptr = len(columns.capacity), columns.owner, columns.ptr
        scale = float(rows) if columns.makespan else 1.0
        goal = target if columns.makespan else search.value
        gap = (goal - prices.value) * scale if math.isfinite(goal) else math.inf
        reduced = prices.reduced * scale
        left = search.left
        if left is not None and goal <= search.left_upto + (not columns.makespan):
            reduced = np.where(left, reduced, np.inf)
        self.order = np.lexsort((reduced, owner))
        ranked = reduced[self.order]
        rank = np.arange(len(ranked)) - ptr[owner]
        good = (rank == 0) | ((ranked <= reach * gap) & (rank < MOST_CANDIDATES))
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
            above = np.maximum(prices.prices * rows, 0.1)
            below = np.zeros(rows)
        else:
            mean = float(columns.cost.mean()) / max(1.0, float(columns.weight.mean()))
            above = np.maximum(prices.prices, 0.1 * mean) * self.factor
            below = prices.prices
        self.weight = np.stack([above, below], axis=1)
        spread = gap if math.isfinite(gap) else MARGIN * abs(prices.value) * scale
        floor = 1e-4 * float(columns.use[now].mean() if columns.makespan else columns.cost.mean())
        tried = good & np.isfinite(ranked)
        return _temperature(ranked[tried], owner[tried], heat * max(spread, 0.0), floor)

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
        mean = np.add.reduceat(part * reduced, first) / np.add.reduceat(part, first)
        if float(mean.sum()) > total:
            high = middle
        else:
            low = middle
    return low
