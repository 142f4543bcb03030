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

import math
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from hetopt.instance import Bools, Instance, Ints
from hetopt.runtime.effort import Effort
from hetopt.schedule.search.assignment.annealing import Worker
from hetopt.schedule.search.assignment.mip import (
    NODES_PER_S,
    RUNAWAY,
    RUNAWAY_S,
    Over,
    solve_program,
    suits,
)
from hetopt.schedule.search.assignment.multipliers import CELLS_PER_S, RowPrices, TaskPrices
from hetopt.schedule.search.assignment.table import Columns, columns_of, is_assignment, joule_price
from hetopt.schedule.search.local_search import LocalSearch
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

MOVES_PER_S = 4_000_000
"""Moves that one core makes in a second or so; what deterministic seconds count."""
PRICING_SHARE = 0.4
"""Part of the time that prices of tasks may take of one worker."""
LEAST_CELLS = 400_000_000
"""Cells of knapsacks that prices of tasks may take at least: without them little is found."""
FIRST_SHARE = 0.1
"""Part of the time for a first plan, where there is one worker."""
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


class Job(NamedTuple):
    """Work of one thread: annealing, or branch and bound. All share the best assignment."""

    search: AssignmentSearch
    work: Callable[[], None]

    @property
    def shown(self) -> tuple[float, Ints | None]:
        """Value and columns of the best assignment found."""
        return self.search.best

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Work until the search is over."""
        self.work()


class AssignmentSearch(LocalSearch[Job]):
    """What the workers share: best assignment, proven bound, candidates.

    ``value``, that of the best plan known, and ``low`` count ticks of makespan or steps of cost.
    """

    LOOPS = (
        "assignment.kernels:anneal",
        "assignment.knapsack_kernels:price_rows",
        "assignment.knapsack_kernels:price_tasks",
        "assignment.knapsack_kernels:drop_columns",
    )
    MOVES = MOVES_PER_S
    fits = staticmethod(fits)
    columns: Columns

    @classmethod
    def moves_within(cls, instance: Instance, seconds: float) -> int:
        """Return the number of moves that stands for so many deterministic seconds."""
        return max(1, int(seconds * MOVES_PER_S))

    def chains(self) -> list[Job]:
        """Prices of rows, then annealing and, where the instance is small, branch and bound."""
        columns = columns_of(self.instance)
        if columns is None:
            return []
        self.columns = columns
        self.began = self.effort.began
        self.moves = math.inf if self.effort.moves is None else float(self.effort.moves)
        self.lock = threading.Lock()
        self.best: tuple[float, Ints | None] = (math.inf, None)
        joule = joule_price(self.instance)
        self.unit = float(columns.tick_s) if columns.makespan else float(columns.step) * joule
        value = self.known / self.unit
        self.value = float(round(value)) if self.whole and math.isfinite(value) else value
        self.low = -math.inf
        if not math.isnan(self.bound):
            self.raise_low(self.bound / self.unit)
        self.left: Bools | None = None
        self.left_upto = -math.inf
        self.price()
        branching = suits(columns, self.low)
        if self.effort.moves is not None:
            return [Job(self, partial(self._in_turn, branching))]
        branching = branching and self.workers > 1
        count = self.workers - branching
        jobs = [Job(self, self.branch)] if branching else []
        return [*jobs, *(Job(self, partial(self.work, k, count)) for k in range(count))]

    def go(self, chains: Sequence[Job], part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Work, and tell the bound that is proven in the end."""
        super().go(chains, part)
        self.proven = self._proven()

    def _in_turn(self, branching: bool) -> None:
        """Anneal, then branch and bound, both by counted steps."""
        moves = self.moves
        self.work(0, 1)
        if branching:
            self.branch(moves / MOVES_PER_S)

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
        return self.effort.over() or self.moves <= 0 or self._met()

    def _met(self) -> bool:
        """Whether nothing better exists."""
        return self.value <= self.low + (0.0 if self.whole else 1e-9 * abs(self.low))

    def price(self) -> None:
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
            chain = Worker(self, self.seed * 1_000 + 999)
            chain.run(0)
        if math.isfinite(self.value):
            self.rows.raise_to(self.value)
        if not self.over():
            self.rows.polish()
        self.raise_low(self.rows.value)
        self.tasks = TaskPrices(columns, self.rows.task_prices)

    def work(self, number: int, workers: int) -> None:
        """Anneal; the first worker sees to prices of tasks before."""
        chain = Worker(self, self.seed * 1_000 + number)
        turn = number
        if number == 0 and self.tasks.usable:
            if workers == 1 and self.effort.until is not None:
                first = self.began + FIRST_SHARE * (self.effort.until - self.began)
                while time.monotonic() < first and not self.over():
                    chain.run(turn)
                    turn += 1
            self.price_tasks()
        while not self.over():
            chain.run(turn)
            turn += 1

    def branch(self, counted_s: float | None = None) -> None:
        """Solve the program by branch and bound, and take its assignment and bound.

        ``counted_s`` are deterministic seconds; without them the clock counts.
        """
        with self.lock:
            known = self.best[1]
        if self.over() and (counted_s is None or self._met()):
            return
        if counted_s is None:
            left, nodes = self.effort.left_s(), None
        else:
            left, nodes = RUNAWAY * counted_s + RUNAWAY_S, int(NODES_PER_S * counted_s)
            if not nodes:
                return
        # Annealing may close the gap meanwhile.
        halted = self.over if counted_s is None else self._stopped
        answer = solve_program(
            self.columns, known, stop=Over(halted), seconds=left, nodes=nodes, seed=self.seed
        )
        if answer.chosen is not None:
            self.offer(answer.chosen, float(self.columns.cost[answer.chosen].sum()))
        if answer.bound is not None:
            with self.lock:
                self.raise_low(answer.bound)

    def _stopped(self) -> bool:
        return self.effort.stop is not None and self.effort.stop.is_set()

    def price_tasks(self) -> None:
        """Raise the bound by knapsacks, and leave columns out; where moves count, so do cells."""
        cells = max(LEAST_CELLS, PRICING_SHARE * self.moves * CELLS_PER_S / MOVES_PER_S)
        last = None
        if self.effort.until is not None:
            last = self.began + PRICING_SHARE * (self.effort.until - self.began)

        def over() -> bool:
            late = last is not None and time.monotonic() >= last
            return self.over() or late or self.tasks.worked >= cells

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
                self.best, self.value = (value, chosen.copy()), value

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Return the plan of an assignment; None where the checker would reject it."""
        plan = self.columns.plan(state)
        return plan if verify(self.instance, plan).ok else None

    def _proven(self) -> float:
        """Return the bound in the objective's own unit, NaN where there is none."""
        if not math.isfinite(self.low):
            return math.nan
        columns = self.columns
        if columns.makespan and columns.exact_use:
            return float(int(self.low) * columns.tick_s)
        if columns.exact_cost and not columns.makespan and joule_price(columns.instance) == 1.0:
            return float(int(self.low) * columns.step)
        return self.low * self.unit * (1 - 1e-12)
