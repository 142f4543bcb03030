"""Improve the assignment of independent tasks: annealing between proven bounds.

Least cost (energy, cost, carbon) within budgets or time, or least makespan, of tasks that wait for
nothing and send nothing: the generalised assignment problem and R || Cmax.

- :mod:`assignment.multipliers` proves bounds and finds columns that no better plan uses. For the
  makespan it proves, from below, for one tick after the other that nothing fits into so many.
- :mod:`assignment.mip` is branch and bound, beside the rest where the instance is small.
- :mod:`assignment.kernels` anneals over assignments whose excess of capacity is penalised by the
  prices of rows; candidates are each task's columns of least reduced cost. For the makespan it
  looks for any assignment that fits into a target, which is then lowered towards the bound.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.instance import Bools, Instance, Ints
from hetopt.runtime import jit
from hetopt.schedule.search.assignment.annealing import Chain
from hetopt.schedule.search.assignment.mip import (
    NODES_PER_S,
    RUNAWAY,
    RUNAWAY_S,
    Over,
    solve_program,
    suits,
)
from hetopt.schedule.search.assignment.multipliers import RowPrices, TaskPrices
from hetopt.schedule.search.assignment.table import Columns, columns_of, is_assignment, joule_price
from hetopt.schedule.search.registry import Found, Improved
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

MOVES_PER_S = 4_000_000
"""Moves that one core makes in a second or so; what deterministic seconds count."""
ITERATIONS = 4_000_000
"""Moves where neither seconds nor iterations are given."""
LOOPS = (
    ("hetopt.schedule.search.assignment.kernels", "anneal"),
    ("hetopt.schedule.search.assignment.knapsack_kernels", "price_rows"),
    ("hetopt.schedule.search.assignment.knapsack_kernels", "price_tasks"),
    ("hetopt.schedule.search.assignment.knapsack_kernels", "drop_columns"),
)
"""Compiled functions that are called from here."""
PRICING_SHARE = 0.4
"""Part of the time that prices of tasks may take of one worker."""
FIRST_SHARE = 0.1
"""Part of the time for a first plan, where there is one worker."""
POLL_S = 0.1
ROUNDS = 10
"""Ascents over prices of tasks, where costs count; without a plan they may rise for ever."""


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
    return all(
        jit.is_compiled(getattr(importlib.import_module(module), name)) for module, name in LOOPS
    )


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
    search = Search(columns, plan, bound, until, iterations, stop)
    search.price(seed)
    if until is None:
        search.work(seed, 0, 1)
        if suits(columns, search.low):
            search.branch(seed, (iterations or ITERATIONS) / MOVES_PER_S)
    else:
        workers = max(1, workers)
        branching = workers > 1 and suits(columns, search.low)
        with ThreadPoolExecutor(workers) as pool:
            jobs = [pool.submit(search.branch, seed)] if branching else []
            chains = workers - branching
            jobs += [pool.submit(search.work, seed, k, chains) for k in range(chains)]
            _watch(search, jobs, found)
    return Improved(search.plan(), search.proven())


def _watch(search: Search, jobs: list[Future[None]], found: Found | None) -> None:
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


class Search:
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
            chain = Chain(self, seed * 1_000 + 999)
            chain.run(0)
        if math.isfinite(self.value):
            self.rows.raise_to(self.value)
        if not self.over():
            self.rows.polish()
        self.raise_low(self.rows.value)
        self.tasks = TaskPrices(columns, self.rows.task_prices)

    def work(self, seed: int, number: int, workers: int) -> None:
        """Anneal; the first worker sees to prices of tasks before."""
        chain = Chain(self, seed * 1_000 + number)
        turn = number
        if number == 0 and self.tasks.usable:
            if workers == 1 and self.until is not None:
                first = self.began + FIRST_SHARE * (self.until - self.began)
                while time.monotonic() < first and not self.over():
                    chain.run(turn)
                    turn += 1
            self.price_tasks()
        while not self.over():
            chain.run(turn)
            turn += 1

    def branch(self, seed: int, counted_s: float | None = None) -> None:
        """Solve the program by branch and bound, and take its assignment and bound.

        ``counted_s`` are deterministic seconds; without them the clock counts.
        """
        with self.lock:
            known = None if self.best is None else self.best.copy()
        if self.over() and (counted_s is None or self.closed()):
            return
        if counted_s is None:
            left, nodes = (self.until or 0.0) - time.monotonic(), None
        else:
            left, nodes = RUNAWAY * counted_s + RUNAWAY_S, int(NODES_PER_S * counted_s)
            if not nodes:
                return
        # Annealing may close the gap meanwhile.
        halted = self.over if counted_s is None else self._stopped
        answer = solve_program(
            self.columns, known, stop=Over(halted), seconds=left, nodes=nodes, seed=seed
        )
        if answer.chosen is not None:
            self.offer(answer.chosen, float(self.columns.cost[answer.chosen].sum()))
        if answer.bound is not None:
            with self.lock:
                self.raise_low(answer.bound)

    def _stopped(self) -> bool:
        return self.stop is not None and self.stop.is_set()

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
        for _ in range(ROUNDS):
            if over():
                return
            step = 1.0 if self.whole else 0.0
            goal = self.value - step
            target = goal + 1e-6 * abs(goal) if math.isfinite(goal) else 2 * self.low
            value = self.tasks.ascend(target, goal, over)
            self.tasks.keep()
            with self.lock:
                self.raise_low(value)
                self.left, self.left_upto = self.tasks.left, goal
            if value <= before + 0.1 * step:
                return
            before = value

    def _refute(self, over: Callable[[], bool]) -> None:
        """Raise the bound of the makespan, tick by tick or faster, while nothing fits below it."""
        n = len(self.columns.ptr) - 1
        jump, room = 1, int(self.low)
        while not over():
            room = int(min(room, self.value - 1))
            if room < self.low:
                return
            value = self.tasks.ascend(1e-3 * n, 0.0, over, room)
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
