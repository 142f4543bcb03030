"""Columns of a project for its compiled search, a first state, and units of the tasks."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import list_ptr
from hetopt.schedule.bounds.resource_bounds import resource_times
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import Mode, Problem, option_power
from hetopt.schedule.model.resources import (
    PARTS,
    budgets,
    integer_demands,
    modes_within_budgets,
    renewables,
    whole,
)
from hetopt.schedule.model.tick_schedule import tick_schedule_of
from hetopt.solution import SchedulePlan

WORD_BITS = 62
"""Bits of a word that fields of resources may take: signed integers stay positive."""
MODES_S = 5.0
"""Most (deterministic) seconds for CP-SAT to find modes within the budgets."""
MOST_PRICED = 10_000
"""Modes up to which the relaxation is solved for prices: a second or so."""
Amounts = tuple[dict[int, int], int]
"""What options use of a resource, and what there is of it, as integers of one unit."""


@dataclass(frozen=True)
class Columns:
    """The instance as the kernel reads it (arrays as in :mod:`projects.kernels`).

    Attributes
    ----------
    modes
        All modes by task, without those that alone exceed a resource; rows of ``mode_i``.
    stock
        Budgets, as integers.
    price
        Per mode, the ticks of the makespan that it stands for by the prices of the relaxation.
    typical
        Median of the tasks' shortest durations (ticks).
    """

    problem: Problem
    modes: list[Mode]
    task_i: Ints
    links: Ints
    mode_i: Ints
    guards: Ints
    stock: Ints
    price: Floats
    typical: float

    def spare_of(self, mode: Ints) -> Ints:
        """Return what modes of all tasks leave of each budget."""
        spent = self.mode_i[mode, 1 + self.guards.shape[1] :]
        return np.asarray(self.stock - spent.sum(axis=0))

    def mode_of(self, task: int, option: int) -> int | None:
        """Return the row of a task's mode; None where that mode is left out."""
        begin, end = self.task_i[task, :2].tolist()
        return next((k for k in range(begin, end) if self.modes[k].option == option), None)


def columns_of(problem: Problem) -> Columns | None:
    """Pack the columns of an instance for the kernel; None where a task is left without a mode."""
    instance = problem.instance
    ceilings, stocks = _ceilings(problem), [whole(s) for s in budgets(instance)]
    modes_of = [
        [m for m in modes if not m.duration or all(a.get(m.option, 0) <= c for a, c in ceilings)]
        for modes in problem.modes
    ]
    if not all(modes_of):
        return None
    flat = [m for modes in modes_of for m in modes]
    held, guards = _packed(flat, [c for c in ceilings if _binds(c, modes_of)])
    spent = np.array([[a.get(m.option, 0) for a, _ in stocks] for m in flat], dtype=np.int64)
    length = np.array([[m.duration] for m in flat], dtype=np.int64)
    ptr = list_ptr(modes_of)
    (pred_ptr, pred), (succ_ptr, succ) = instance.predecessors, instance.successors
    columns = (ptr[:-1], ptr[1:], pred_ptr[:-1], pred_ptr[1:], succ_ptr[:-1], succ_ptr[1:])
    task_i = np.stack(
        [*columns, problem.release, problem.deadline, TimeWindows.of(problem).tails], axis=1
    )
    edges = instance.edges
    shortest = np.minimum.reduceat(length[:, 0], ptr[:-1])
    return Columns(
        problem,
        flat,
        np.ascontiguousarray(task_i, dtype=np.int64),
        np.stack([edges.src[pred], edges.dst[succ]]).astype(np.int64),
        np.hstack([length, held, spent]),
        guards,
        np.array([limit for _, limit in stocks], dtype=np.int64),
        _prices(problem, flat, np.repeat(np.arange(problem.n_tasks), np.diff(ptr))),
        float(np.median(shortest[shortest > 0])) if shortest.any() else 1.0,
    )


def start_of(
    columns: Columns, plan: SchedulePlan | None, seed: int, until: float | None
) -> Ints | None:
    """Return a first state: tasks in order, and the row of each task's mode (2 × n).

    From a plan, or else by decreasing tail with short modes within the budgets; None where no such
    modes were found until a time on the clock.
    """
    from hetopt.schedule.search.projects.kernels import TAIL

    problem = columns.problem
    schedule = None if plan is None else tick_schedule_of(problem, plan)
    if schedule is not None:
        key, modes = [float(s) for s in schedule.start], [m.option for m in schedule.mode]
    else:
        key = [-float(tail) for tail in columns.task_i[:, TAIL].tolist()]
        within = _options_within(columns, seed, until)
        if within is None:
            return None
        modes = within
    rows = [columns.mode_of(t, option) for t, option in enumerate(modes)]
    chosen = [row for row in rows if row is not None]
    if len(chosen) < len(rows):
        return None
    return np.array([_topological(problem, key), chosen], dtype=np.int64)


def units_of(problem: Problem, modes: list[Mode], start: list[int]) -> list[int]:
    """Give each task a unit with a free slot, the first one; tasks of no time unit 0."""
    units = [0] * len(modes)
    free = [list(range(u * s)) for u, s in zip(problem.units, problem.slots, strict=True)]
    busy: list[list[tuple[int, int]]] = [[] for _ in free]
    for task in sorted(range(len(modes)), key=lambda t: (start[t], t)):
        device, length = modes[task].device, modes[task].duration
        if not length:
            continue
        while busy[device] and busy[device][0][0] <= start[task]:
            heapq.heappush(free[device], heapq.heappop(busy[device])[1])
        lane = heapq.heappop(free[device])
        heapq.heappush(busy[device], (start[task] + length, lane))
        units[task] = lane // problem.slots[device]
    return units


def _ceilings(problem: Problem) -> list[Amounts]:
    """Renewable resources, slots of devices, and power above idle below a cap."""
    instance = problem.instance
    found = [whole(s) for s in renewables(instance)]
    for device, (units, slots) in enumerate(zip(problem.units, problem.slots, strict=True)):
        own = {m.option: 1 for modes in problem.modes for m in modes if m.device == device}
        found.append((own, units * slots))
    if np.isfinite(instance.limits.power_cap_w):
        found.append(_power(instance))
    return found


def _power(instance: Instance) -> Amounts:
    devices = instance.devices
    idle = sum(
        (
            exact(watts) * count
            for watts, count in zip(
                devices.idle_power_w.tolist(), devices.count_max.tolist(), strict=True
            )
        ),
        start=exact(0.0),
    )
    left = exact(float(instance.limits.power_cap_w)) - idle
    watts = [option_power(instance, o) for o in range(len(instance.options))]
    if left < 0:
        return dict.fromkeys(range(len(watts)), 1), 0
    scaled = integer_demands(watts, left, PARTS, "up")
    return dict(enumerate(scaled.demand)), scaled.capacity


def _binds(ceiling: Amounts, modes_of: list[list[Mode]]) -> bool:
    """Whether some modes of all tasks exceed a resource if they all run at once."""
    amount, capacity = ceiling
    most = sum(
        max(amount.get(m.option, 0) if m.duration else 0 for m in modes) for modes in modes_of
    )
    return most > capacity


def _packed(modes: list[Mode], ceilings: list[Amounts]) -> tuple[Ints, Ints]:
    """Pack what modes hold into words, a field with a guard bit for each resource."""
    words, used = 1, 0
    places = []
    for _, capacity in ceilings:
        bits = capacity.bit_length() + 1
        if used + bits > WORD_BITS:
            words, used = words + 1, 0
        places.append((words - 1, used, 1 << (used + bits - 1)))
        used += bits
    guards = np.zeros((2, words), dtype=np.int64)
    held = np.zeros((len(modes), words), dtype=np.int64)
    for (word, shift, guard), (amount, capacity) in zip(places, ceilings, strict=True):
        guards[0, word] += guard
        guards[1, word] += guard + (capacity << shift)
        held[:, word] += [(amount.get(m.option, 0) << shift) if m.duration else 0 for m in modes]
    return held, guards


def _prices(problem: Problem, modes: list[Mode], task: Ints) -> Floats:
    """Ticks of the makespan that modes stand for in the relaxation; 0 where it says nothing."""
    if len(modes) > MOST_PRICED:
        return np.zeros(len(modes))
    instance = problem.instance
    option = np.array([m.option for m in modes], dtype=np.int64)
    times = resource_times(instance, task, option)[option] * instance.tasks.work[task]
    return np.asarray(times / float(problem.grid.tick))


def _topological(problem: Problem, key: list[float]) -> list[int]:
    """Order tasks by a key, ties by the topological order, none before its predecessors."""
    place = {task: i for i, task in enumerate(problem.order)}
    waits = [len(rows) for rows in problem.entering]
    ready = [(key[t], place[t], t) for t in range(problem.n_tasks) if not waits[t]]
    heapq.heapify(ready)
    order = []
    while ready:
        task = heapq.heappop(ready)[2]
        order.append(task)
        for e in problem.leaving[task]:
            after = problem.edges[e][1]
            waits[after] -= 1
            if not waits[after]:
                heapq.heappush(ready, (key[after], place[after], after))
    return order


def _options_within(columns: Columns, seed: int, until: float | None) -> list[int] | None:
    """Return short options of all tasks within the budgets, or None where none were found."""
    problem = columns.problem
    begin = columns.task_i[:, 0].tolist()
    if not len(columns.stock):
        ends = columns.task_i[:, 1].tolist()
        rows = [
            min(range(a, b), key=lambda k: columns.modes[k].duration)
            for a, b in zip(begin, ends, strict=True)
        ]
        return [columns.modes[k].option for k in rows]
    within = modes_within_budgets(problem, problem.instance.options.time_s, until)
    if within is not None:
        options = [modes[0].option for modes in within]
        if all(columns.mode_of(t, option) is not None for t, option in enumerate(options)):
            return options
    return _options_by_cpsat(columns, seed, until)


def _options_by_cpsat(columns: Columns, seed: int, until: float | None) -> list[int] | None:
    """Choose options within the budgets, of least total time, by a model of nothing else."""
    from hetopt.solvers.cpsat import FOUND, limit_time, load_cp_model, quiet_solver

    model = load_cp_model().CpModel()
    literal = [model.new_bool_var("") for _ in columns.modes]
    for a, b in columns.task_i[:, :2].tolist():
        model.add_exactly_one(literal[a:b])
    first = 1 + columns.guards.shape[1]
    for b, limit in enumerate(columns.stock.tolist()):
        amount = columns.mode_i[:, first + b].tolist()
        model.add(sum(a * x for a, x in zip(amount, literal, strict=True)) <= limit)
    length = columns.mode_i[:, 0].tolist()
    model.minimize(sum(p * x for p, x in zip(length, literal, strict=True)))
    solver = quiet_solver(1, seed)
    solver.parameters.relative_gap_limit = 0.1
    seconds = MODES_S if until is None else min(MODES_S, (until - time.monotonic()) / 2)
    limit_time(solver, seconds, deterministic=until is None)
    if model.validate() or solver.status_name(solver.solve(model)) not in FOUND:
        return None
    return [
        columns.modes[k].option
        for a, b in columns.task_i[:, :2].tolist()
        for k in range(a, b)
        if solver.value(literal[k])
    ]
