"""Improve a schedule of many tasks window by window, by annealing inside each.

Large neighbourhood search (Shaw, CP 1998) over windows of time (Godard, Laborie, Nuijten, ICAPS
2005) with annealing as the repair: the tasks of a window, some hundred in the order of their
starts, go to other options, units and places in the sequence, while all others keep theirs. What
follows may start later as long as all deadlines hold; :mod:`hetopt.schedule.search.window_kernels`
says how. A sweep goes through overlapping windows from the first to the last. Workers sweep parts
of the schedule at the same time: in each but the last one the tasks that others after it wait for
keep their units and ends, so that no part sees what another one does. The parts' borders move from
sweep to sweep.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.runtime.effort import Effort, in_threads
from hetopt.schedule.list_scheduling.gap_tables import fresh as fresh_gaps
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.tick_schedule import tick_schedule_of
from hetopt.schedule.search.decoder_features import fits_plain
from hetopt.schedule.search.list_annealing import Annealing, Table, table_of
from hetopt.schedule.search.local_search import LocalSearch, xorshift_seed

PER_UNIT, SHORTEST, LONGEST = 10, 320, 1_280
"""Tasks of a window for each unit, and at least and most."""
FIRST_CHUNK = 2_000
HOT, COLD = 0.03, 0.005
"""First and last temperature of a window over the median cost of a change. Hotter, a window loses
what a list schedule at prices has, and needs many more moves to be as good again."""
SWEEP_MOVES = 600.0
"""Moves per task that a sweep is worth."""
MOST_SWEEPS = 5
JOINS = 3.0
"""Times that timing a plan exactly takes that are kept back for the last one."""
PENALTY_STEP, MOSTLY = 1.1, 0.5
"""As in list annealing."""
LEAST_TASKS = 400
"""Below, all of the schedule is decoded about as fast as a window."""
MOST_CHOICES = 2_000_000
"""Choices of all tasks above which their table takes too long to make."""
LOOK_AHEAD = 4
"""Windows after one in which it is looked for when units go on."""
SHIFT = 0.15
"""Part of the sequence by which the borders between workers move from sweep to sweep."""


class Windows(LocalSearch["Chain"]):
    """Annealing of windows; see the module."""

    LOOPS: ClassVar[tuple[str, ...]] = ("window_kernels:anneal_window",)
    MOVES = 2_000_000
    TASK_MOVES_PER_S = 40_000_000
    NEEDS_PLAN = True

    @staticmethod
    def fits(instance: Instance) -> bool:
        """Whether there are many tasks, on units of one slot, and joules count."""
        devices = instance.devices
        if len(instance.tasks) < LEAST_TASKS or instance.objective[0] not in ENERGY_LIKE:
            return False
        classes = instance.classes
        size = np.add.reduceat(
            np.append(devices.count_max[instance.options.device[classes.option]], 0),
            np.minimum(classes.ptr[:-1], len(classes.option)),
        )
        few = int(size[classes.member].sum()) <= MOST_CHOICES
        return few and bool((devices.slots == 1).all()) and fits_plain(instance)

    @classmethod
    def moves_within(cls, instance: Instance, seconds: float) -> int:
        """Return the number of moves that stands for so many deterministic seconds."""
        return max(1, int(seconds * cls.TASK_MOVES_PER_S / size_of(instance)))

    def chains(self) -> list[Chain]:
        """Workers without a part of the schedule yet."""
        schedule = None if self.start is None else tick_schedule_of(self.problem, self.start)
        if schedule is None:
            return []
        self.table = table_of(self.problem, self.priced)
        order = np.array(sorted(self.problem.order, key=lambda t: schedule.start[t]))
        choice = [
            self.table.choice_of(t, schedule.mode[t], schedule.unit[t]) for t in range(len(order))
        ]
        self.schedule = np.stack([order, np.array(choice)]).astype(np.int64)
        jobs = self.table.jobs
        last = float(jobs[0, np.unique(self.instance.tasks.job)].max())
        # Without a deadline nothing may end later than now.
        until = last if math.isfinite(last) else float(max(map(schedule.end, range(len(order)))))
        return [Chain(self.table, until, self.seed * 1_000 + k) for k in range(self.workers)]

    def plan_of(self, state: Ints) -> Any:
        """Time a state exactly; None where float noise hid that a deadline is missed."""
        return Annealing.plan_of(self, state)  # type: ignore[arg-type]

    def go(self, chains: Sequence[Chain], part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Sweep with all workers, put their parts together, and sweep again."""
        n = len(self.instance.tasks)
        if self.effort.until is not None:
            # What is put together after the time is lost.
            began = time.monotonic()
            self.plan_of(self.schedule)
            took = JOINS * (time.monotonic() - began)
            until = max(began, self.effort.until - took)
            self.effort = replace(self.effort, until=until, began=time.monotonic())
        sweeps = self._sweeps(n, len(chains))
        for sweep in range(sweeps):
            if self.effort.over():
                return
            shift = SHIFT * (sweep % 3 - 1) / len(chains)
            inner = [int(n * (k / len(chains) + shift)) for k in range(1, len(chains))]
            borders = [0, *inner, n]
            for k, chain in enumerate(chains):
                chain.load(self.schedule, borders[k], borders[k + 1])
            works = [
                partial(chain.run, self.effort, (sweep / sweeps, (sweep + 1) / sweeps))
                for chain in chains
            ]
            if len(works) == 1:
                works[0]()
            else:
                in_threads(works, lambda: None)
            self._join(chains)

    def _sweeps(self, n: int, workers: int) -> int:
        moves = self.effort.moves
        if moves is None:
            moves = int(self.effort.left_s() * self.TASK_MOVES_PER_S / size_of(self.instance))
        # By the clock two at least, so that something is known before the time is over.
        least = 1 if self.effort.moves is not None else 2
        return int(np.clip(moves * workers / n / SWEEP_MOVES, least, MOST_SWEEPS))

    def _join(self, chains: Sequence[Chain]) -> None:
        """Put the parts of all workers together; keep the plan if it is better."""
        from hetopt.schedule.search import window_kernels as k

        order = np.concatenate([chain.part(k.ORDER) for chain in chains])
        choice = np.empty_like(order)
        for chain in chains:
            tasks = chain.part(k.ORDER)
            choice[tasks] = chain.seq[k.CHOICE, tasks]
        state = np.stack([order, choice])
        plan = self.plan_of(state)
        if plan is None:
            return
        self.schedule = state
        known = self.objective(plan)
        if known < self.known:
            self.known, self.plan = known, plan
            if self.found is not None:
                self.found(plan)


def size_of(instance: Instance) -> int:
    """Tasks of a window: one that is short for its units moves nothing."""
    return int(np.clip(PER_UNIT * instance.devices.count_max.sum(), SHORTEST, LONGEST))


class Chain:
    """A worker: its copy of the schedule, and the part of it that it may change."""

    def __init__(self, table: Table, until: float, seed: int) -> None:
        from hetopt.schedule.search import window_kernels as k

        self.kernels, self.table, self.until = k, table, until
        a, n = table.packed, table.problem.n_tasks
        self.seq = np.zeros((5, n), dtype=np.int64)
        self.ends = np.zeros((2, n))
        self.units = len(a.units) - 1
        self.copies = np.zeros((len(table.problem.producer), self.units), dtype=np.int64)
        self.used = np.zeros(0, dtype=np.int64)
        self.task_w = np.zeros((3, n))
        self.kept = np.zeros(n, dtype=np.int64)
        self.size = size_of(table.problem.instance)
        self.states = np.zeros((2, self.size // k.CHECKPOINT + 2, self.units))
        self.best = np.zeros((2, self.size), dtype=np.int64)
        self.numbers = np.zeros(k.NUMBERS)
        self.numbers[k.WINDOW] = until
        self.seed = xorshift_seed(seed)
        self.gaps = fresh_gaps(table.gaps)
        self.deadline = np.minimum(table.jobs[0][a.task_i[:, 6]], until)
        self.first, self.last = 0, n

    @property
    def shown(self) -> tuple[float, Any]:
        """Nothing: parts mean something together only."""
        return math.inf, None

    def part(self, row: int) -> Ints:
        """Return a row of the sequence in this worker's part."""
        return np.asarray(self.seq[row, self.first : self.last])

    def load(self, state: Ints, first: int, last: int) -> None:
        """Take a schedule, and the part of it that may change."""
        k, a, seq, task_w = self.kernels, self.table.packed, self.seq, self.task_w
        self.first, self.last = first, last
        order, n = state[0], len(state[0])
        seq[k.CHOICE], seq[k.UNIT] = state[1], a.choice_i[state[1]]
        self.used = self.table.used(seq[k.UNIT])
        sent = a.succ[:, 1] >= 0
        self.copies[:] = 0
        np.add.at(self.copies, (a.succ[sent, 1], seq[k.UNIT][a.succ[sent, 0]]), 1)
        seq[k.ORDER] = order
        self._forward(0, n, np.zeros(self.units))
        # Windows of the sequence are windows of time.
        seq[k.ORDER] = order = order[np.argsort(task_w[k.STARTS, order], kind="stable")]
        seq[k.POSITION, order] = np.arange(n)
        task_w[k.ENDS_BY], task_w[k.STARTS_BY] = self.deadline, task_w[k.STARTS]
        self.entry = np.zeros(self.units)
        self._forward(0, first, self.entry)
        free = np.full(self.units, self.until)
        self.kept[:] = 0
        if last < n:
            free = self.entry.copy()
            self._forward(first, last, free)
            before = np.repeat(np.arange(n), a.task_i[:, 5] - a.task_i[:, 4])
            waited = seq[k.POSITION, a.succ[:, 0]] >= last
            before = before[waited & (seq[k.POSITION, before] < last)]
            self.kept[before] = 1
            task_w[k.ENDS_BY, before] = self.ends[0, before]
        size = self.size
        step = max(1, size // 2)
        begins = range(first, max(first + 1, last - size + step), step)
        self.windows = [(begin, min(last, begin + size)) for begin in begins]
        cuts = np.array([end for _, end in self.windows], dtype=np.int64)
        self.exits = np.zeros((len(cuts), self.units))
        k.latest(first, last, cuts, self.exits, free, task_w, self._state(), a)
        numbers = self.numbers
        numbers[k.ASSIGNED] = self._assigned()
        if not numbers[k.PENALTY]:
            numbers[k.PENALTY] = max(self._cost(), self.table.typical) / max(self.until, 1e-300)

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Sweep through the windows of the part once."""
        begin, each = part[0], (part[1] - part[0]) / len(self.windows)
        hot, cold = HOT * self.table.typical, COLD * self.table.typical
        for w, (first, last) in enumerate(self.windows):
            if effort.over():
                return
            after = self._after(last)
            self._enter(first, last, after)
            share = begin + w * each, begin + (w + 1) * each
            for moves, *parts in effort.steps(FIRST_CHUNK, share):
                self._anneal(w, after, moves, *(hot * (cold / hot) ** f for f in parts))
                self._price_lateness(moves)
            self._leave(first, last)
            next_first = self.windows[w + 1][0] if w + 1 < len(self.windows) else last
            self._forward(first, next_first, self.entry)

    def _after(self, last: int) -> Floats:
        """When each unit goes on after a window, as far as that counts; inf for never."""
        after = np.full(self.units, np.inf)
        if len(self.gaps.order):
            k = self.kernels
            later = self.seq[k.ORDER, last : last + LOOK_AHEAD * self.size]
            unit, first = np.unique(self.seq[k.UNIT, later], return_index=True)
            after[unit] = self.task_w[k.STARTS, later[first]]
        return after

    def _enter(self, first: int, last: int, after: Floats) -> None:
        k, numbers, size = self.kernels, self.numbers, last - first
        state, packed = self._state(), self.table.packed
        k.enter(first, last, self.entry, state, packed)
        cost = self._cost()
        if len(self.gaps.order):
            cost += k.awake_in_window(0, first, last, after, state, packed, self.gaps)
        numbers[k.COST] = numbers[k.BEST] = cost
        numbers[k.LATE] = numbers[k.CLEAN] = 0.0
        self.best[0, :size] = order = self.seq[k.ORDER, first:last]
        self.best[1, :size] = self.seq[k.CHOICE, order]

    def _anneal(self, window: int, after: Floats, moves: int, hot: float, cold: float) -> None:
        self.kernels.anneal_window(
            moves, hot, cold, *self.windows[window], self.exits[window], after, self.task_w,
            self.kept, self._state(), self.table.packed, self.gaps,
        )  # fmt: skip

    def _leave(self, first: int, last: int) -> None:
        """Go back to the best state of a window."""
        self.kernels.restore(first, last, self._state(), self.table.packed)

    def _forward(self, first: int, last: int, free: Floats) -> None:
        state, problem = self._state(), self.table.packed
        self.kernels.forward(first, last, free, self.task_w, state, problem)

    def _state(self) -> Any:
        from hetopt.schedule.search.list_annealing_kernels import State

        return State(
            self.seq, self.ends, self.states, self.copies, self.used, self.best, self.table.jobs,
            self.numbers, self.seed,
        )  # fmt: skip

    def _assigned(self) -> float:
        """Cost of options and transfers."""
        k, a = self.kernels, self.table.packed
        device, unit = a.units[:, 0], self.seq[k.UNIT]
        tensor, there = np.nonzero(self.copies)
        here = unit[np.array(self.table.problem.producer, dtype=np.int64)[tensor]]
        sent = here != there
        per_byte = a.pair[2, device[here[sent]], device[there[sent]]]
        cost = float(a.choice_f[self.seq[k.CHOICE], 1].sum())
        return cost + float((a.bytes_b[tensor[sent]] * per_byte).sum())

    def _cost(self) -> float:
        k, rate = self.kernels, self.table.packed.rate
        per_tick = rate[np.arange(len(rate)), self.used[self.units :]].sum()
        return float(self.numbers[k.ASSIGNED] + self.until * per_tick)

    def _price_lateness(self, moves: int) -> None:
        """Raise the penalty where the search is mostly late, lower it elsewhere."""
        k, numbers = self.kernels, self.numbers
        clean = numbers[k.CLEAN] / moves
        numbers[k.CLEAN] = 0.0
        old = float(numbers[k.PENALTY])
        new = old * PENALTY_STEP if clean < MOSTLY else old / PENALTY_STEP
        numbers[k.PENALTY] = new
        numbers[k.COST] += (new - old) * numbers[k.LATE]
