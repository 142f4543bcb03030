"""Improve a schedule by simulated annealing over a compiled list decoder.

Method: Kirkpatrick, Gelatt, Vecchi, "Optimization by simulated annealing", Science 220, 1983, over
(option and unit of each task, sequence of the tasks), with a list scheduler that starts each task
of the sequence as early as possible on its unit; the loop itself is in
:mod:`hetopt.schedule.search.list_annealing_kernels`. It counts in floats; the best state is timed
anew in integers on the plan grid, so that the checker finds the same decimals.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hetopt.evaluate.slowing import demands_of, slows
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.states.idle_sleep_start_up import as_if_asleep
from hetopt.runtime.effort import Effort
from hetopt.schedule.bounds.objective_bounds import makespan_bound
from hetopt.schedule.list_scheduling.gap_tables import fresh as fresh_gaps
from hetopt.schedule.list_scheduling.gap_tables import gaps_count, gaps_of, least_rates, no_gaps
from hetopt.schedule.list_scheduling.limited import decoder as limited_decoder
from hetopt.schedule.list_scheduling.limited.records import Limits, ListProblem
from hetopt.schedule.list_scheduling.limited.tables import Choices, limits_of
from hetopt.schedule.list_scheduling.packed_under_limits import unlimited
from hetopt.schedule.list_scheduling.portfolio import best_of
from hetopt.schedule.model.joule_rates import prices_of, rates_of
from hetopt.schedule.model.packed import pack, packed
from hetopt.schedule.model.problem import Mode, Problem
from hetopt.schedule.model.tick_schedule import TickSchedule, tick_schedule_of, timed
from hetopt.schedule.search.decoder_features import fits, fits_plain
from hetopt.schedule.search.local_search import LocalSearch, xorshift_seed
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

if TYPE_CHECKING:
    from hetopt.schedule.list_scheduling.gap_kernels import Gaps
    from hetopt.schedule.search.list_annealing_kernels import State

FIRST_CHUNK = 500
HOT, COLD = (0.1, 0.03), (0.01, 0.005)
"""First and last temperature over the median cost of a task's change of option, below ``MANY``
tasks and from there on: more tasks have fewer moves each."""
MANY = 300
CRITICAL_SHARE = {"makespan": 0.6, "tardiness": 0.3}
"""Share of moves whose task is on the critical path; ``CRITICAL_ELSE`` for other objectives."""
CRITICAL_ELSE = 0.4
PENALTY_STEP = 1.1
"""Factor by which the price of lateness follows the share of moves with no task late, and that of
excess over limits the share of moves without any."""
LEAST_PRICE = 1e-3
"""Part of the first guess below which the price of excess does not fall: it would take long to
rise again."""
BOLD_SHARE = 0.1
"""Part of the time for a list schedule as if there were no limits."""
MOSTLY = 0.5
"""Share of moves with no task late, or no excess, that those prices aim at."""


class Annealing(LocalSearch["Chain"]):
    """Annealing over (option and unit of each task, sequence of the tasks)."""

    LOOPS: ClassVar[tuple[str, ...]] = ("list_annealing_kernels:anneal",)
    MOVES = 2_000_000
    TASK_MOVES_PER_S = 40_000_000
    NEEDS_PLAN = True
    fits = staticmethod(fits_plain)

    def chains(self) -> list[Chain]:
        """Chains that start from the plan."""
        schedule = None if self.start is None else tick_schedule_of(self.problem, self.start)
        if schedule is None:
            return []
        self.table = table_of(self.problem, self.priced)
        chains = [Chain(self.table, schedule, self.seed * 1_000 + k) for k in range(self.workers)]
        self.seen = chains[0].best
        return chains

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Time a state exactly; None where float noise hid that a deadline is missed."""
        schedule = timed(self.problem, *self.table.placed(state), state[0].tolist())
        return None if schedule is None else schedule.plan()


class LimitedAnnealing(Annealing):
    """The same under limits that tie units together."""

    LOOPS: ClassVar[tuple[str, ...]] = (*Annealing.LOOPS, "list_annealing_kernels:decode_limited")
    fits = staticmethod(fits)

    def chains(self) -> list[Chain]:
        """Chains that start from the plan, and every other one from one that breaks limits.

        That is a list schedule as if there were none, whose excess is priced: often little has to
        change, while a plan within the limits may be far from the best one.
        """
        chains = super().chains()
        if len(chains) > 1 and self.table.limits is not None:
            columns = packed(unlimited(self.instance))
            limit = None
            if self.effort.until is not None:
                limit = time.monotonic() + BOLD_SHARE * self.effort.left_s()
            bold = None if columns is None else best_of(columns, limit)
            schedule = None if bold is None else tick_schedule_of(self.problem, bold)
            if schedule is not None:
                for k in range(1, len(chains), 2):
                    chains[k] = Chain(self.table, schedule, self.seed * 1_000 + k)
            self.seen = math.inf
        return chains

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Time a state under the limits; None where the checker does not take its plan."""
        if self.table.limits is None:
            return super().plan_of(state)
        plan = timed_within_limits(self.table, self.table.limits, state)
        return plan if plan is not None and verify(self.instance, plan).ok else None


@dataclass(frozen=True)
class Table:
    """The instance as the kernel reads it.

    ``jobs`` and ``numbers`` are as in the kernel's ``State`` at first. ``limits`` holds those that
    tie units together, None without any; ``typical`` is the median cost of a task's change of
    option; ``gaps`` what gaps of units cost beyond, empty where they cost nothing of their own.
    """

    problem: Problem
    choice_mode: list[Mode]
    first_unit: Ints
    packed: ListProblem
    jobs: Floats
    numbers: Floats
    typical: float
    limits: Limits | None
    gaps: Gaps

    def choice_of(self, task: int, mode: Mode, unit: int) -> int:
        """Index of a choice by its mode and the number of its unit on the device."""
        wanted = self.first_unit[mode.device] + unit
        begin, end = self.packed.task_i[task, :2].tolist()
        for k in range(begin, end):
            if self.packed.choice_i[k] == wanted and self.choice_mode[k].option == mode.option:
                return k
        raise ValueError("The plan uses a unit that the device does not have.")

    def used(self, unit: Ints) -> Ints:
        """Tasks on each unit, then units in use of each device, by the unit of each task."""
        units = self.packed.units
        on_unit = np.bincount(unit, minlength=len(units) - 1)
        busy = units[:-1, 0][on_unit > 0]
        on_device = np.bincount(busy, minlength=len(self.problem.units))
        return np.concatenate([on_unit, on_device]).astype(np.int64)

    def placed(self, state: Ints) -> tuple[list[Mode], list[int]]:
        """Mode of each task of a state (ORDER and CHOICE), and the unit of the mode's device."""
        units, device = self.packed.choice_i.tolist(), self.packed.units[:, 0].tolist()
        chosen = state[1].tolist()
        unit = [units[c] - int(self.first_unit[device[units[c]]]) for c in chosen]
        return [self.choice_mode[c] for c in chosen], unit


def table_of(problem: Problem, priced: Instance | None = None) -> Table:
    """Pack the columns of an instance for the kernel; times are ticks of the problem's grid.

    ``priced`` says what plans cost, where the problem's instance leaves out how units sleep.
    """
    from hetopt.schedule.search import list_annealing_kernels as k

    instance = problem.instance
    priced = instance if priced is None else priced
    counted = gaps_count(priced)
    spent = as_if_asleep(priced).options.energy_j if counted else instance.options.energy_j
    options, tasks, count = instance.options, instance.tasks, instance.devices.count_max
    name, tick = instance.objective[0], float(problem.grid.tick)
    energy, price = prices_of(instance, name)
    first_unit = np.cumsum(count) - count
    device = np.append(np.repeat(np.arange(len(count)), count), 0)
    slots = instance.devices.slots[device[:-1]]
    pinned = tasks.pin_unit.tolist()
    # What may be slowed may also wait until it is not.
    kinds = [(0, 1) if own else (0,) for own in demands_of(instance)]
    found = [
        [
            (m, int(first_unit[m.device]) + u, patient)
            for m in modes
            for u in range(problem.units[m.device])
            if pinned[task] in (-1, u)
            for patient in kinds[m.option]
        ]
        for task, modes in enumerate(problem.modes)
    ]
    size = np.array([len(choices) for choices in found])
    flat = [choice for choices in found for choice in choices]
    option = np.array([m.option for m, _, _ in flat], dtype=np.int64)
    unit = np.array([u for _, u, _ in flat], dtype=np.int64)
    patient = np.array([p for _, _, p in flat], dtype=np.int64)
    owner = np.repeat(np.arange(len(tasks)), size)
    length = np.array([m.duration for m, _, _ in flat], dtype=np.float64)
    cost = tasks.work[owner] * spent[option] * energy[options.device[option]]
    shortest = np.full(len(tasks), np.inf)
    np.minimum.at(shortest, owner, length)
    edges = instance.edges
    (pred_ptr, pred), (succ_ptr, succ) = instance.predecessors, instance.successors
    ptr = ptr_of(size)
    columns = (ptr[:-1], ptr[1:], pred_ptr[:-1], pred_ptr[1:], succ_ptr[:-1], succ_ptr[1:])
    horizon = float(instance.limits.horizon_s)
    jobs = instance.jobs
    deadline = np.array([_limit(problem, d) for d in np.minimum(jobs.deadline_s, horizon).tolist()])
    busy = deadline[np.unique(tasks.job)]
    numbers = np.zeros(k.NUMBERS)
    numbers[k.HORIZON] = horizon / tick if math.isfinite(horizon) else 0.0
    numbers[k.W_MAKESPAN] = tick * float(name == "makespan")
    numbers[k.W_TARDINESS] = tick * float(name == "tardiness")
    numbers[k.LEAST] = makespan_bound(instance) / tick
    numbers[k.CRITICAL] = CRITICAL_SHARE.get(name, CRITICAL_ELSE)
    numbers[k.LAST], numbers[k.LIMITED] = busy.max(), float(np.isfinite(busy).any())
    dearer = cost - np.minimum.reduceat(cost, ptr[:-1])[owner]
    dearer = shortest * tick if name in ("makespan", "tardiness") else dearer
    dearer = dearer[dearer > 0]
    packed = ListProblem(
        task_i=_packed(*columns, tasks.job, kind=np.int64),
        task_f=_packed(problem.release, _tails(problem, shortest)),
        pred=_packed(edges.src[pred], edges.tensor[pred], kind=np.int64),
        succ=_packed(edges.dst[succ], edges.tensor[succ], kind=np.int64),
        choice_i=unit,
        choice_f=_packed(length, cost),
        units=_packed(device, ptr_of(slots), kind=np.int64),
        pair=_messages(problem, energy),
        bytes_b=instance.tensors.bytes_b.astype(np.float64),
        rate=(least_rates(priced) if counted else rates_of(instance, energy, price)) * tick,
    )
    due = np.stack([deadline, jobs.due_s / tick, jobs.weight, np.zeros(len(jobs))])
    typical = float(np.median(dearer)) if len(dearer) else 1.0
    limits = None
    if limited_decoder.needed(instance):
        choices = Choices(option, unit, device[:-1], patient)
        limits = limits_of(problem, choices, int(slots.sum()))
    gaps = gaps_of(problem, priced, option, owner) if counted else no_gaps()
    modes = [m for m, _, _ in flat]
    return Table(problem, modes, first_unit, packed, due, numbers, typical, limits, gaps)


def _limit(problem: Problem, time_s: float) -> float:
    return float(problem.grid.limit(time_s)) if math.isfinite(time_s) else math.inf


def _packed(*columns: Any, kind: Any = np.float64) -> Any:
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=kind)


def _messages(problem: Problem, energy: Floats) -> Floats:
    """By pair of devices: latency (inf: no path), ticks and cost per byte, rounding (4 × D × D)."""
    instance = problem.instance
    wide, columns = len(instance.devices), pack(instance)
    if not len(instance.tensors):
        return np.zeros((4, wide, wide))
    latency, per_b, rounding, joules = columns.message
    # A hop pays where it is sent from, which is not the first sender's site on a longer path.
    return np.stack([latency, per_b, joules * energy[:, None], rounding])


def _tails(problem: Problem, shortest: Floats) -> Floats:
    """Least time from a task's end to the end of all that follows it, in ticks."""
    least: list[float] = shortest.tolist()
    tails = [0.0] * problem.n_tasks
    for task in reversed(problem.order):
        for e in problem.leaving[task]:
            after = problem.edges[e][1]
            tails[task] = max(tails[task], least[after] + tails[after])
    return np.array(tails)


def timed_within_limits(table: Table, limits: Limits, state: Ints) -> SchedulePlan | None:
    """Time a state (ORDER and CHOICE) under the limits; None where it breaks one."""
    from hetopt.schedule.list_scheduling.limited.decoder_kernels import decode_limited
    from hetopt.schedule.search import list_annealing_kernels as k

    problem = table.problem
    limits = limited_decoder.fresh(limits)
    order, choice = state
    seq = np.zeros((5, len(order)), dtype=np.int64)
    seq[k.ORDER], seq[k.CHOICE], seq[k.UNIT] = order, choice, table.packed.choice_i[choice]
    seq[k.POSITION, order] = np.arange(len(order))
    excess = limited_decoder.count(limits, choice, seq[k.UNIT])
    used = table.used(seq[k.UNIT])
    makespan, more = decode_limited(np.inf, used, seq, table.packed, limits)
    if excess + more > 0 or not math.isfinite(makespan):
        return None
    if slows(problem.instance):
        return limited_decoder.plan_of_times(limits, problem, *table.placed(state))
    schedule = limited_decoder.draft_of_times(limits, problem, *table.placed(state))
    return None if schedule is None else schedule.plan()


class Chain:
    """One run of annealing: its state, its clock, its best state."""

    def __init__(self, table: Table, schedule: TickSchedule, seed: int) -> None:
        from hetopt.schedule.search import list_annealing_kernels as k

        self.kernels = k
        self.table = table
        problem, packed = table.problem, table.packed
        place = {task: i for i, task in enumerate(problem.order)}
        n, units = problem.n_tasks, len(packed.units) - 1
        order = np.array(sorted(range(n), key=lambda t: (schedule.start[t], place[t])))
        choice = [table.choice_of(t, schedule.mode[t], schedule.unit[t]) for t in range(n)]
        self.seq = np.zeros((5, n), dtype=np.int64)
        self.seq[k.ORDER], self.seq[k.CHOICE] = order, choice
        self.seq[k.POSITION, order] = np.arange(n)
        self.seq[k.UNIT] = unit = packed.choice_i[choice]
        lanes = int(packed.units[-1, 1])
        self.ends = np.zeros((2, n))
        self.states = np.zeros((2, n // k.CHECKPOINT + 2, lanes + 1))
        self.copies = np.zeros((len(problem.producer), units), dtype=np.int64)
        sent = packed.succ[:, 1] >= 0
        np.add.at(self.copies, (packed.succ[sent, 1], unit[packed.succ[sent, 0]]), 1)
        self.used = table.used(unit)
        self.best_state = np.stack([order, np.array(choice)]).astype(np.int64)
        self.seed = xorshift_seed(seed)
        self.numbers = table.numbers.copy()
        self.jobs = table.jobs.copy()
        self.limits = None if table.limits is None else limited_decoder.fresh(table.limits)
        self.gaps = fresh_gaps(table.gaps)
        self._start()
        self.shown = (self.best, self.best_state.copy())

    @property
    def best(self) -> float:
        """Cost of the best state."""
        return float(self.numbers[self.kernels.BEST])

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Anneal until the effort is over."""
        many = len(self.best_state[0]) >= MANY
        hot, cold = (factor[many] * self.table.typical for factor in (HOT, COLD))
        for moves, *parts in effort.steps(FIRST_CHUNK, part):
            self._anneal(moves, *(hot * (cold / hot) ** f for f in parts))
            self._price_lateness(moves)
            if self.best < self.shown[0]:
                self.shown = (self.best, self.best_state.copy())

    def _start(self) -> None:
        """Time the first state and count its cost."""
        a, k, numbers = self.table.packed, self.kernels, self.numbers
        for row in range(2):
            makespan = k.decode(row, 0, np.inf, self._state(), a)
        ends, over = self.ends, 0.0
        if self.limits is not None:
            over = limited_decoder.count(self.limits, self.seq[k.CHOICE], self.seq[k.UNIT])
            makespan, more = k.decode_limited(np.inf, self.used, self.seq, a, self.limits)
            ends, over = self.limits.task_s, over + more
        device, unit = a.units[:, 0], self.seq[k.UNIT]
        tensor, there = np.nonzero(self.copies)
        here = unit[np.array(self.table.problem.producer, dtype=np.int64)[tensor]]
        sent = here != there
        per_byte = a.pair[2, device[here[sent]], device[there[sent]]]
        assigned = float(a.choice_f[self.seq[k.CHOICE], 1].sum())
        assigned += float((a.bytes_b[tensor[sent]] * per_byte).sum())
        rate = a.rate[np.arange(len(a.rate)), self.used[len(device) - 1 :]].sum()
        cost = assigned + float(rate) * (numbers[k.HORIZON] or makespan)
        cost += numbers[k.W_MAKESPAN] * makespan
        if self.limits is not None:
            cost += float(self.limits.paid[0])
        if len(self.gaps.order):
            k.hold_slots(1, self._state(), a, self.limits, self.gaps)
            cost += k.awake(numbers[k.HORIZON] or makespan, self.seq, a, self.gaps)
        if numbers[k.W_TARDINESS]:
            cost += k.lateness(1, 1, ends, a.task_i, self.jobs)
        numbers[k.ASSIGNED], numbers[k.MAKESPAN] = assigned, makespan
        # First guesses; they follow the search from here on.
        numbers[k.PENALTY] = max(cost, self.table.typical) / max(makespan, 1e-300)
        numbers[k.PENALTY_OVER] = max(cost, self.table.typical)
        self.least_price = LEAST_PRICE * float(numbers[k.PENALTY_OVER])
        late = 0.0
        if self.limits is not None and numbers[k.LIMITED]:
            late = k.lateness(1, 0, ends, a.task_i, self.jobs)
        numbers[k.LATE], numbers[k.OVER] = late, over
        cost += numbers[k.PENALTY] * late + numbers[k.PENALTY_OVER] * over
        numbers[k.COST] = cost
        numbers[k.BEST] = cost if late == 0.0 and over == 0.0 else math.inf

    def _anneal(self, moves: int, hot: float, cold: float) -> None:
        self.kernels.anneal(
            moves, hot, cold, self._state(), self.table.packed, self.limits, self.gaps
        )

    def _state(self) -> State:
        return self.kernels.State(
            self.seq, self.ends, self.states, self.copies, self.used, self.best_state, self.jobs,
            self.numbers, self.seed,
        )  # fmt: skip

    def _price_lateness(self, moves: int) -> None:
        """Raise the penalties where the search is mostly late or over, lower them elsewhere."""
        k, numbers = self.kernels, self.numbers
        for kept, price, amount in ((k.CLEAN, k.PENALTY, k.LATE), (k.KEPT, k.PENALTY_OVER, k.OVER)):
            clean = numbers[kept] / moves
            numbers[kept] = 0.0
            old = float(numbers[price])
            new = old * PENALTY_STEP if clean < MOSTLY else old / PENALTY_STEP
            if price == k.PENALTY_OVER:
                new = max(new, self.least_price)
            numbers[price] = new
            numbers[k.COST] += (new - old) * numbers[amount]
