"""List schedulers on a timetable, under every limit: the path of instances that cannot be packed.

The named methods are those of :mod:`hetopt.schedule.list_scheduling.constructors`; each task is
tried on all of its modes and units, transfers included, which takes Python about a second for a
thousand tasks.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.bounds.objective_bounds import load_plan
from hetopt.schedule.list_scheduling.packed_scheduler import Setting
from hetopt.schedule.list_scheduling.timetable import Timetable, Trial
from hetopt.schedule.model.problem import BILLED, NEVER, Mode, Problem, option_power, plan_problem
from hetopt.schedule.model.resources import modes_within_budgets
from hetopt.schedule.model.upward_ranks import ReadyTasks, mean_times, upward_ranks
from hetopt.solution import SchedulePlan

Choice = Callable[[Timetable, Trial], tuple[float, ...]]
"""Ranks a trial among the modes and units of its task; the smallest wins."""

PACES = (1.0, 0.9, 0.75)
"""Targets are the ends of HEFT's schedule, stretched to this part of the deadline."""
STRETCHES = (1.0, 0.75, 1.4, 0.5, 0.9, 1.15, 2.0, 0.0)
"""How much of its mean-time tail a task must leave before the deadline; 0 trusts, 2 hurries."""
PRICES = (1.0, 0.0, 0.5, 1.5)
"""Multiples of the relaxation's prices on device time that are tried."""
MET, MISSED = 0.0, 1.0
"""First rank of a trial that ends by its task's target, and of one that does not."""
LOOK_AT_CLOCK = 64
"""Tasks placed between two looks at the clock."""
READY = 16
"""Ready tasks that rules see: each step tries all of their modes anew."""
MANY_MODES = 20_000
"""Modes of all tasks from which one choice of modes that keeps within budgets is tried first."""
_OFF = 1e-3
"""Units on, in the relaxation, below which a device counts as off."""


def heft(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the plan of HEFT under all limits, or None where it runs into one.

    Where deadlines are missed in the order of upward ranks, the order of least slack (deadline
    less rank) is tried too. ``limit`` is a ``time.monotonic()`` value at which to give up.
    """
    problem = plan_problem(instance)
    orders = _orders(problem, upward_ranks(problem))
    within = modes_within_budgets(problem, instance.options.time_s, limit)
    tried = [(problem.modes, order) for order in orders]
    cautious = [(within, order) for order in orders] if within is not None else []
    many = sum(map(len, problem.modes)) > MANY_MODES
    for modes, order in cautious + tried if many else tried + cautious:
        if _late(limit):
            return None
        if modes is problem.modes and order is orders[0]:
            table = _fastest(problem, limit)
        else:
            table = build(problem, order, earliest_finish, modes, limit=limit)
        if table is not None:
            return table.plan()
    return None


def energy_greedy(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the cheapest plan (by the first objective) of several greedy passes, or None.

    Where prices change over time, passes that wait for cheap energy take turns with them.
    """
    from hetopt.evaluate import objective_value

    best: SchedulePlan | None = None
    least = np.inf
    name = instance.objective[0]
    sign = -1.0 if name == "accuracy" else 1.0
    tables = greedy_tables(instance, limit)
    if prices_vary(instance):
        # That module is made of the parts below.
        from hetopt.schedule.list_scheduling.greedy_by_tariff import priced_tables

        tables = _in_turn(priced_tables(instance, limit), tables)
    for table in tables:
        plan = table.plan()
        value = sign * objective_value(instance, plan, name)
        if value < least:
            best, least = plan, value
    return best


def by_setting(
    instance: Instance, setting: Setting, *, limit: float | None = None
) -> SchedulePlan | None:
    """Return the plan of a list scheduler's setting, or None where a task fits nowhere.

    Idle time is always filled where it can be, and a rule sees ``READY`` ready tasks at most.
    """
    problem = plan_problem(instance)
    order: list[float] = setting.priority.tolist()
    modes: Sequence[Sequence[Mode]] = problem.modes
    if setting.only is not None:
        modes = [
            [m for m in ms if d < 0 or m.device == d] or ms
            for ms, d in zip(modes, setting.only.tolist(), strict=True)
        ]
    choice = _choice(problem, setting)
    if setting.rule == "first":
        table = build(problem, order, choice, modes, limit=limit)
    else:
        table = _build_ruled(problem, order, choice, setting.rule, modes, limit)
    return None if table is None else table.plan()


def _choice(problem: Problem, setting: Setting) -> Choice:
    """Return the choice of a setting; ties go to the end, the option and the unit."""
    extra = setting.table

    def ranked(value: Callable[[Trial], float]) -> Choice:
        return lambda _, t: (value(t), t.end, t.mode.option, t.unit)

    if setting.choice == "eft-plus" and extra is not None:
        return ranked(lambda t: t.end + float(extra[t.task, t.mode.device]))
    if setting.choice == "quickest":
        return ranked(lambda t: t.mode.duration)
    if setting.choice in ("est", "next-free"):
        return ranked(lambda t: t.start)
    if setting.choice == "lookahead":
        return ranked(lambda t: t.end + _children(problem, t))
    return earliest_finish


def _children(problem: Problem, trial: Trial) -> int:
    """Ticks from the trial's end to the last of the children's ends, by their data from it."""
    last = 0
    for e in problem.leaving[trial.task]:
        _, after, tensor = problem.edges[e]
        soonest = NEVER
        for device, length in problem.fastest(after).items():
            delay: int | None = 0
            if tensor >= 0 and device != trial.mode.device:
                delay = problem.delay(tensor, trial.mode.device, device)
            soonest = min(soonest, NEVER if delay is None else delay + length)
        last = max(last, soonest)
    return last


def _build_ruled(
    problem: Problem,
    priority: Sequence[float],
    choice: Choice,
    rule: str,
    modes: Sequence[Sequence[Mode]],
    limit: float | None,
) -> Timetable | None:
    """Place tasks as min-min and its kin do; each step tries the ready tasks anew."""
    table = Timetable(problem)
    open_before = [len(rows) for rows in problem.entering]
    ready = sorted((-priority[t], t) for t in range(problem.n_tasks) if not open_before[t])
    while ready:
        chosen: tuple[float, int, Trial] | None = None
        for place, (_, task) in enumerate(ready[:READY]):
            if _late(limit):
                return None
            ranked = sorted(_trials(table, task, modes[task], choice), key=lambda found: found[0])
            if not ranked:
                return None
            (first, *_), trial = ranked[0]
            others = [k[0] for k, t in ranked if (t.mode.device, t.unit) != _unit(trial)]
            loss = min(others, default=math.inf) - first
            value = {"least": first, "greatest": -first, "sufferage": -loss}[rule]
            if chosen is None or value < chosen[0]:
                chosen = (value, place, trial)
        if chosen is None:
            return None
        del ready[chosen[1]]
        table.commit(chosen[2])
        for e in problem.leaving[chosen[2].task]:
            after = problem.edges[e][1]
            open_before[after] -= 1
            if not open_before[after]:
                bisect.insort(ready, (-priority[after], after))
    return table


def _trials(
    table: Timetable, task: int, modes: Sequence[Mode], choice: Choice
) -> Iterator[tuple[tuple[float, ...], Trial]]:
    for mode in modes:
        for unit in table.units_for(task, mode.device):
            trial = table.trial(task, mode, unit)
            if trial is not None:
                yield choice(table, trial), trial


def _unit(trial: Trial) -> tuple[int, int]:
    return trial.mode.device, trial.unit


def greedy_tables(instance: Instance, limit: float | None = None) -> Iterator[Timetable]:
    """Yield the complete timetable of each greedy pass that places all tasks."""
    problem = plan_problem(instance)
    ranks = upward_ranks(problem)
    relaxed = load_plan(instance)
    few = _only_on(problem, relaxed.units)
    within = modes_within_budgets(problem, _mode_costs(instance, 0.0 * relaxed.prices), limit)
    passes = [
        (order, modes, level)
        for modes in (few, within, problem.modes)
        if modes is not None
        for order in _orders(problem, ranks)
        for level in (PRICES if relaxed.prices.any() else (0.0,))
    ]
    targets = [_targets(problem, ranks, stretch) for stretch in STRETCHES]
    if _has_deadline(problem):
        fastest = _fastest(problem, limit)
        if fastest is not None:
            targets = [_paced(problem, fastest, pace) for pace in PACES] + targets
    else:
        targets = targets[:1]
    for target in targets:
        for order, modes, level in passes:
            if _late(limit):
                return
            floor = _mode_costs(instance, relaxed.prices * level)
            table = build(problem, order, _cheapest(problem, floor, target), modes, floor, limit)
            if table is not None:
                yield table


def build(
    problem: Problem,
    priority: Sequence[float],
    choice: Choice,
    modes: Sequence[Sequence[Mode]] | None = None,
    floor: Floats | None = None,
    limit: float | None = None,
) -> Timetable | None:
    """Place all tasks, ready ones by decreasing priority, each where ``choice`` ranks it least.

    Parameters
    ----------
    modes
        The modes that each task may use; all of them where not given.
    floor
        Per option, what ``choice`` ranks second at the least (at work 1), where it ranks first
        whether a target is met: dearer modes are not tried once a cheaper one meets it.
    limit
        ``time.monotonic()`` value at which to give up.

    Returns
    -------
    Timetable or None
        None where a task fits nowhere, or time is up.
    """
    table = Timetable(problem)
    work: list[float] = problem.instance.tasks.work.tolist()
    cost: list[float] = floor.tolist() if floor is not None else []
    placed = 0
    ready = ReadyTasks(problem, priority)
    for task in ready:
        placed += 1
        if placed % LOOK_AT_CLOCK == 0 and _late(limit):
            return None
        best: Trial | None = None
        least: tuple[float, ...] = ()
        candidates: Sequence[Mode] = (modes or problem.modes)[task]
        if cost:
            candidates = sorted(candidates, key=lambda mode: cost[mode.option])
        for mode in candidates:
            met = cost and best is not None and least[0] == MET
            if met and work[task] * cost[mode.option] > least[1]:
                break
            for unit in table.units_for(task, mode.device):
                trial = table.trial(task, mode, unit)
                if trial is None:
                    continue
                key = choice(table, trial)
                if best is None or key < least:
                    best, least = trial, key
        if best is None:
            return None
        table.commit(best)
        ready.release_after(task)
    return table


def earliest_finish(table: Timetable, trial: Trial) -> tuple[float, ...]:
    """Rank trials by their end, then energy."""
    mode = trial.mode
    energy = table.instance.options.energy_j[mode.option]
    return (trial.end, float(energy), mode.option, trial.unit)


def _cheapest(problem: Problem, costs: Floats, target: Sequence[float]) -> Choice:
    """Cheapest mode among those that end by the task's target, else the earliest to end."""
    cost: list[float] = costs.tolist()
    work: list[float] = problem.instance.tasks.work.tolist()
    opening = _opening_costs(problem).tolist()
    energetic = float(problem.instance.objective[0] in BILLED)

    def choice(table: Timetable, trial: Trial) -> tuple[float, ...]:
        mode = trial.mode
        if trial.end > target[trial.task]:
            return (MISSED, trial.end, 0.0, mode.option, trial.unit)
        value = work[trial.task] * cost[mode.option]
        if trial.setup is not None:
            value += energetic * float(trial.setup.joules)
        if (mode.device, trial.unit) not in table.used:
            value += opening[mode.device]
        return (MET, value, trial.end, mode.option, trial.unit)

    return choice


def _mode_costs(instance: Instance, prices: np.ndarray) -> np.ndarray:
    """Cost of each option at work 1 in the first objective, plus a price on its device's time."""
    options, name = instance.options, instance.objective[0]
    time_cost = prices[options.device] * options.time_s
    if name == "accuracy":
        return np.nan_to_num(-options.accuracy)
    if name == "peak_power":
        return np.array([float(option_power(instance, o)) for o in range(len(options))])
    if name in ("makespan", "tardiness"):
        return options.time_s.copy()
    return np.asarray(options.energy_j + time_cost)


def _opening_costs(problem: Problem) -> np.ndarray:
    """Cost of one more unit on over the window, roughly: idle power × horizon or deadline."""
    instance = problem.instance
    devices = instance.devices
    if instance.objective[0] not in ("energy", "cost", "carbon"):
        return np.zeros(len(devices))
    finite = [t for t in problem.deadline if t < NEVER]
    window = problem.grid.seconds(max(finite)) if finite else 0.0
    if not np.isfinite(instance.limits.horizon_s):
        window *= 0.5
    return np.where(devices.off_when_unused, devices.idle_power_w * window, 0.0)


def _targets(problem: Problem, ranks: Sequence[float], stretch: float) -> list[float]:
    """Latest finish of each task: its deadline less its mean tail times ``stretch``."""
    mean = mean_times(problem)
    last = [d if d < NEVER else np.inf for d in problem.deadline]
    for task in reversed(problem.order):
        for e in problem.leaving[task]:
            last[task] = min(last[task], last[problem.edges[e][1]])
    return [last[t] - stretch * (ranks[t] - mean[t]) for t in range(problem.n_tasks)]


def _fastest(problem: Problem, limit: float | None) -> Timetable | None:
    """HEFT's timetable; made once per instance, where it was not cut short."""
    kept = problem.instance.derived
    if "fastest" not in kept:
        table = build(problem, upward_ranks(problem), earliest_finish, limit=limit)
        if table is None and _late(limit):
            return None
        kept["fastest"] = table
    made = kept["fastest"]
    return made if isinstance(made, Timetable) else None


def _paced(problem: Problem, fastest: Timetable, pace: float) -> list[float]:
    """Stretch the ends of a fast schedule so that each job ends at part of its deadline."""
    last: dict[int, int] = {}
    for task, job in enumerate(problem.job):
        last[job] = max(last.get(job, 1), fastest.end[task])
    return [
        fastest.end[t] * max(1.0, pace * problem.deadline[t] / last[job])
        if problem.deadline[t] < NEVER
        else np.inf
        for t, job in enumerate(problem.job)
    ]


def _orders(problem: Problem, ranks: list[float]) -> list[list[float]]:
    """Priorities to try: upward rank, and least slack where deadlines or releases differ."""
    slack = [
        ranks[t] - (problem.deadline[t] if problem.deadline[t] < NEVER else problem.span)
        for t in range(problem.n_tasks)
    ]
    due = problem.instance.jobs.due_s
    orders = [ranks]
    if len(set(problem.deadline)) > 1:
        orders.append(slack)
    if "tardiness" in problem.instance.objective:
        orders.append([-float(due[problem.job[t]]) for t in range(problem.n_tasks)])
    return orders


def _only_on(problem: Problem, units: np.ndarray) -> list[list[Mode]] | None:
    """Modes on devices that the load bound has on; None where that leaves out none, or a task."""
    on = [bool(u > _OFF) for u in units.tolist()]
    modes = [[m for m in modes if on[m.device]] for modes in problem.modes]
    if all(modes) and any(len(a) < len(b) for a, b in zip(modes, problem.modes, strict=True)):
        return modes
    return None


def _has_deadline(problem: Problem) -> bool:
    return any(d < NEVER for d in problem.deadline)


def _in_turn(*passes: Iterator[Timetable]) -> Iterator[Timetable]:
    for tables in zip_longest(*passes):
        yield from (table for table in tables if table is not None)


def _late(limit: float | None) -> bool:
    return limit is not None and time.monotonic() >= limit
