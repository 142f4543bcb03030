"""Improve a schedule by simulated annealing over a compiled list decoder.

Method: Kirkpatrick, Gelatt, Vecchi, "Optimization by simulated annealing", Science 220, 1983, over
(option and unit of each task, sequence of the tasks), with a list scheduler that starts each task
of the sequence as early as possible on its unit; the loop itself is in
:mod:`hetopt.schedule.search.list_annealing_kernels`. It counts in floats; the best state is timed
anew in integers on the plan grid, so that the checker finds the same decimals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.paths import message_tables
from hetopt.runtime.effort import Effort
from hetopt.schedule.bounds.objective_bounds import makespan_bound
from hetopt.schedule.model.problem import Mode, Problem
from hetopt.schedule.model.rates import prices_of, rates_of
from hetopt.schedule.model.tick_schedule import Draft, draft_of, timed
from hetopt.schedule.search.decoder_features import fits
from hetopt.schedule.search.local_search import LocalSearch, xorshift_seed
from hetopt.solution import SchedulePlan

FIRST_CHUNK = 500
HOT = 0.5
"""First temperature over the median cost of a task's change of option."""
COLD = 2e-2
"""Last temperature over the same."""
CRITICAL_SHARE = {"makespan": 0.6, "tardiness": 0.3}
"""Share of moves whose task is on the critical path; ``CRITICAL_ELSE`` for other objectives."""
CRITICAL_ELSE = 0.4
PENALTY_STEP = 1.1
"""Factor by which the price of lateness follows the share of moves with no task late."""
MOSTLY = 0.5
"""Share of moves with no task late that the price of lateness aims at."""


class Annealing(LocalSearch["Chain"]):
    """Annealing over (option and unit of each task, sequence of the tasks)."""

    LOOPS = ("list_annealing_kernels:anneal",)
    MOVES = 2_000_000
    TASK_MOVES_PER_S = 40_000_000
    NEEDS_PLAN = True
    fits = staticmethod(fits)

    def chains(self) -> list[Chain]:
        """Chains that start from the plan."""
        draft = None if self.start is None else draft_of(self.problem, self.start)
        if draft is None:
            return []
        self.table = table_of(self.problem)
        chains = [Chain(self.table, draft, self.seed * 1_000 + k) for k in range(self.workers)]
        self.seen = chains[0].best
        return chains

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Time a state exactly; None where float noise hid that a deadline is missed."""
        table = self.table
        order, choice = state.tolist()
        unit_of, device = table.arrays["choice_i"].tolist(), table.arrays["units"][:, 0].tolist()
        unit = [unit_of[c] - int(table.first_unit[device[unit_of[c]]]) for c in choice]
        draft = timed(table.problem, [table.choice_mode[c] for c in choice], unit, order)
        return None if draft is None else draft.plan()


@dataclass(frozen=True)
class Table:
    """The instance as the kernel reads it; ``arrays`` by names of :mod:`list_annealing_kernels`."""

    problem: Problem
    choice_mode: list[Mode]
    first_unit: Ints
    arrays: dict[str, Any]
    numbers: Floats
    typical: float

    def choice_of(self, task: int, mode: Mode, unit: int) -> int:
        """Index of a choice by its mode and the number of its unit on the device."""
        wanted = self.first_unit[mode.device] + unit
        begin, end = self.arrays["task_i"][task, :2].tolist()
        for k in range(begin, end):
            if self.arrays["choice_i"][k] == wanted and self.choice_mode[k].option == mode.option:
                return k
        raise ValueError("The plan uses a unit that the device does not have.")


def table_of(problem: Problem) -> Table:
    """Pack the columns of an instance for the kernel."""
    from hetopt.schedule.search import list_annealing_kernels as k

    instance = problem.instance
    options, tasks, count = instance.options, instance.tasks, instance.devices.count_max
    name = instance.objective[0]
    energy, price = prices_of(instance, name)
    first_unit = np.cumsum(count) - count
    device = np.append(np.repeat(np.arange(len(count)), count), 0)
    slots = instance.devices.slots[device[:-1]]
    choices = [
        (m, int(first_unit[m.device]) + u)
        for modes in problem.modes
        for m in modes
        for u in range(problem.units[m.device])
    ]
    size = np.array([sum(problem.units[m.device] for m in modes) for modes in problem.modes])
    option = np.array([m.option for m, _ in choices], dtype=np.int64)
    owner = np.repeat(np.arange(len(tasks)), size)
    time_s = tasks.work[owner] * options.time_s[option]
    cost = tasks.work[owner] * options.energy_j[option] * energy[options.device[option]]
    shortest = np.full(len(tasks), np.inf)
    np.minimum.at(shortest, owner, time_s)
    edges = instance.edges
    (pred_ptr, pred), (succ_ptr, succ) = instance.predecessors, instance.successors
    ptr = np.concatenate([[0], np.cumsum(size)])
    columns = (ptr[:-1], ptr[1:], pred_ptr[:-1], pred_ptr[1:], succ_ptr[:-1], succ_ptr[1:])
    horizon = float(instance.limits.horizon_s)
    deadline = np.minimum(instance.jobs.deadline_s, horizon)
    busy = deadline[np.unique(tasks.job)]
    numbers = np.zeros(k.NUMBERS)
    numbers[k.HORIZON] = horizon if math.isfinite(horizon) else 0.0
    numbers[k.W_MAKESPAN] = float(name == "makespan")
    numbers[k.W_TARDINESS] = float(name == "tardiness")
    numbers[k.LEAST] = makespan_bound(instance)
    numbers[k.CRITICAL] = CRITICAL_SHARE.get(name, CRITICAL_ELSE)
    numbers[k.LAST], numbers[k.LIMITED] = busy.max(), float(np.isfinite(busy).any())
    dearer = cost - np.minimum.reduceat(cost, ptr[:-1])[owner]
    dearer = shortest if name in ("makespan", "tardiness") else dearer
    dearer = dearer[dearer > 0]
    jobs = instance.jobs
    arrays = {
        "task_i": _packed(*columns, tasks.job, kind=np.int64),
        "task_f": _packed(jobs.release_s[tasks.job], _tails(problem, shortest)),
        "pred": _packed(edges.src[pred], edges.tensor[pred], kind=np.int64),
        "succ": _packed(edges.dst[succ], edges.tensor[succ], kind=np.int64),
        "choice_i": np.array([u for _, u in choices], dtype=np.int64),
        "choice_f": _packed(time_s, cost),
        "units": _packed(device, np.concatenate([[0], np.cumsum(slots)]), kind=np.int64),
        "pair": _messages(instance, energy),
        "bytes_b": instance.tensors.bytes_b.astype(np.float64),
        "rate": rates_of(instance, energy, price),
        "jobs": np.stack([deadline, jobs.due_s, jobs.weight, np.zeros(len(jobs))]),
    }
    typical = float(np.median(dearer)) if len(dearer) else 1.0
    return Table(problem, [m for m, _ in choices], first_unit, arrays, numbers, typical)


def _packed(*columns: Any, kind: Any = np.float64) -> Any:
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=kind)


def _messages(instance: Instance, energy: Floats) -> Floats:
    """Latency (inf: no path), seconds and cost per byte by pair of devices (3 × D × D)."""
    wide = len(instance.devices)
    if not len(instance.tensors):
        return np.zeros((3, wide, wide))
    tables = message_tables(instance)
    # A hop pays where it is sent from, which is not the first sender's site on a longer path.
    per_b = tables.energy_j_per_b * energy[:, None]
    return np.stack(
        [
            np.where(tables.allowed, tables.latency_s, np.inf),
            np.where(tables.allowed, tables.s_per_b, 0.0),
            np.where(tables.allowed, per_b, 0.0),
        ]
    )


def _tails(problem: Problem, shortest: Floats) -> Floats:
    """Least time from a task's end to the end of all that follows it, in s."""
    least: list[float] = shortest.tolist()
    tails = [0.0] * problem.n_tasks
    for task in reversed(problem.order):
        for e in problem.leaving[task]:
            after = problem.edges[e][1]
            tails[task] = max(tails[task], least[after] + tails[after])
    return np.array(tails)


class Chain:
    """One run of annealing: its state, its clock, its best state."""

    def __init__(self, table: Table, draft: Draft, seed: int) -> None:
        from hetopt.schedule.search import list_annealing_kernels as k

        self.kernels = k
        self.table = table
        problem, arrays = table.problem, table.arrays
        place = {task: i for i, task in enumerate(problem.order)}
        n, units = problem.n_tasks, len(arrays["units"]) - 1
        order = np.array(sorted(range(n), key=lambda t: (draft.start[t], place[t])))
        choice = [table.choice_of(t, draft.mode[t], draft.unit[t]) for t in range(n)]
        self.seq = np.zeros((5, n), dtype=np.int64)
        self.seq[k.ORDER], self.seq[k.CHOICE] = order, choice
        self.seq[k.POSITION, order] = np.arange(n)
        self.seq[k.UNIT] = unit = arrays["choice_i"][choice]
        lanes = int(arrays["units"][-1, 1])
        self.ends = np.zeros((2, n))
        self.states = np.zeros((2, n // k.CHECKPOINT + 2, lanes + 1))
        self.copies = np.zeros((len(problem.producer), units), dtype=np.int64)
        sent = arrays["succ"][:, 1] >= 0
        np.add.at(self.copies, (arrays["succ"][sent, 1], unit[arrays["succ"][sent, 0]]), 1)
        on_unit = np.bincount(unit, minlength=units)
        busy = arrays["units"][:-1, 0][on_unit > 0]
        on_device = np.bincount(busy, minlength=len(problem.units))
        self.used = np.concatenate([on_unit, on_device]).astype(np.int64)
        self.best_state = np.stack([order, np.array(choice)]).astype(np.int64)
        self.seed = xorshift_seed(seed)
        self.numbers = table.numbers.copy()
        self.jobs = arrays["jobs"].copy()
        self._start()
        self.shown = (self.best, self.best_state.copy())

    @property
    def best(self) -> float:
        """Cost of the best state."""
        return float(self.numbers[self.kernels.BEST])

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Anneal until the effort is over."""
        hot, cold = (factor * self.table.typical for factor in (HOT, COLD))
        for moves, *parts in effort.steps(FIRST_CHUNK, part):
            self._anneal(moves, *(hot * (cold / hot) ** f for f in parts))
            self._price_lateness(moves)
            if self.best < self.shown[0]:
                self.shown = (self.best, self.best_state.copy())

    def _start(self) -> None:
        """Time the first state and count its cost."""
        a, k, numbers = self.table.arrays, self.kernels, self.numbers
        names = ("task_i", "task_f", "pred", "choice_f", "units", "pair", "bytes_b")
        for row in range(2):
            makespan = k.decode(
                row, 0, np.inf, self.seq, self.ends, self.states, *(a[name] for name in names)
            )
        device, unit = a["units"][:, 0], self.seq[k.UNIT]
        tensor, there = np.nonzero(self.copies)
        here = unit[np.array(self.table.problem.producer, dtype=np.int64)[tensor]]
        sent = here != there
        per_byte = a["pair"][2, device[here[sent]], device[there[sent]]]
        assigned = float(a["choice_f"][self.seq[k.CHOICE], 1].sum())
        assigned += float((a["bytes_b"][tensor[sent]] * per_byte).sum())
        rate = a["rate"][np.arange(len(a["rate"])), self.used[len(device) - 1 :]].sum()
        cost = assigned + float(rate) * (numbers[k.HORIZON] or makespan)
        cost += numbers[k.W_MAKESPAN] * makespan
        if numbers[k.W_TARDINESS]:
            cost += k.lateness(0, 1, self.ends, a["task_i"], self.jobs)
        numbers[k.ASSIGNED], numbers[k.MAKESPAN] = assigned, makespan
        numbers[k.COST] = numbers[k.BEST] = cost
        # A first guess; it follows the search from here on.
        numbers[k.PENALTY] = max(cost, self.table.typical) / max(makespan, 1e-300)

    def _anneal(self, moves: int, hot: float, cold: float) -> None:
        a = self.table.arrays
        names = ("task_i", "task_f", "pred", "succ", "choice_i", "choice_f", "units", "pair")
        self.kernels.anneal(
            moves, hot, cold, self.seed, self.numbers, self.seq, self.ends, self.states,
            self.copies, self.used, self.best_state, *(a[name] for name in names), a["bytes_b"],
            a["rate"], self.jobs,
        )  # fmt: skip

    def _price_lateness(self, moves: int) -> None:
        """Raise the penalty where the search is mostly late, lower it where it rarely is."""
        k, numbers = self.kernels, self.numbers
        clean = numbers[k.CLEAN] / moves
        numbers[k.CLEAN] = 0.0
        old = float(numbers[k.PENALTY])
        new = old * PENALTY_STEP if clean < MOSTLY else old / PENALTY_STEP
        numbers[k.PENALTY] = new
        numbers[k.COST] += (new - old) * numbers[k.LATE]
