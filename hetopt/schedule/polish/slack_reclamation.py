"""Reclaim slack: the cheapest options for a plan whose units and orders stay as they are.

Let task i keep its unit and run in one of the options k of its device, with time t[i,k] and cost
c[i,k] (clocks, batches, precisions). Where it could change between options as it runs, α[i,k] being
the part of it that option k does, the best choice is a linear programme (the Vdd-hopping model of
G. Aupy, A. Benoit, F. Dufossé, Y. Robert, "Reclaiming the energy of a schedule: models and
algorithms", Concurrency and Computation 25(11), 2013):

    minimise    Σ c[i,k] α[i,k] + rate × C
    subject to  Σ_k α[i,k] = 1                                                      for each task
                s[v] >= s[u] + p[u]          where u must end before v begins: data, hops, orders
                s[i] >= release[i],   s[i] + p[i] <= deadline[i],   C >= s[i] + p[i]
    with        p[i] = Σ_k t[i,k] α[i,k], a hop's time where u is a hop

``rate`` is what the units in use cost per second where the makespan is the window, else 0. Only
options on the lower convex hull of time and cost can have a part. Each task then runs in the
cheapest option that takes no longer than its time in the programme, which keeps every limit on
time; what slack is left goes where it saves most per second, one change at a time. That is tried
with the nearest options too, after changes that make up for what is late then; and in the end with
each single change of the best answer.
"""

from __future__ import annotations

import bisect
import math
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.states.setups import device_setups
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.joule_rates import prices_of, rates_of
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.problem import NEVER, Mode, Problem
from hetopt.schedule.model.tick_schedule import (
    Activity,
    ChainKey,
    activities,
    needed_chains,
    retime,
    tick_schedule_of,
)
from hetopt.schedule.polish.mode_changes import NOISE, Chart, Repair, Run
from hetopt.solution import READ, WRITE, SchedulePlan

MOST_TASKS, MOST_ARCS = 5_000, 40_000
"""Tasks, and orders between them, above which the programme takes too long (seconds)."""


def reclaim(
    instance: Instance, plan: SchedulePlan, level: int = 0, seconds: float = math.inf
) -> SchedulePlan | None:
    """Return a plan with other options on the same units, or None where there is nothing to gain.

    It may be no better than the given one, and respects limits on time, slots and channels only;
    earlier levels of the objective, other than the makespan, may be worse: the caller checks.

    Parameters
    ----------
    level
        Of the objective, which is energy, cost or carbon there: else there is nothing to gain.
    seconds
        Most time of the linear programme; it takes milliseconds for hundreds of tasks.
    """
    name = instance.objective[level]
    if name not in ENERGY_LIKE or prices_vary(instance) or not _has_choice(instance):
        return None
    if device_setups(instance):
        return None  # what a set-up leaves of the time before a task depends on both options
    problem = plan_problem(instance)
    runs = [_runs(problem, task, plan, name) for task in range(problem.n_tasks)]
    if all(len(own) < 2 for own in runs):
        return None
    schedule = tick_schedule_of(problem, plan)
    chains = None if schedule is None else needed_chains(problem, schedule.mode, schedule.unit)
    if schedule is None or chains is None:
        return None
    found = activities(schedule, problem, schedule.mode, chains)
    end = math.inf
    if "makespan" in instance.objective[:level]:
        end = max(schedule.end(task) for task in range(problem.n_tasks)) * float(problem.grid.tick)
    chart = _chart(
        problem, found, schedule.mode, schedule.unit, runs, _rate(instance, plan, name), end
    )
    times = _solve(chart, seconds) if len(chart.arcs) <= MOST_ARCS else None
    if times is None:
        return None
    repair = Repair(chart)
    tried = [repair.run(start) for start in (_within(chart, times), _nearest(chart, times))]
    known = [answer for answer in tried if answer is not None]
    if not known:
        return None
    _, chosen = repair.exchange(min(known))
    options = [own[k].option for own, k in zip(chart.runs, chosen, strict=True)]
    moved = retime(schedule, problem, options=options)
    return None if moved is None else moved.plan()


def _has_choice(instance: Instance) -> bool:
    """Whether some tasks have several options on one device, and there are not too many tasks."""
    classes = instance.classes
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    pairs = owner * len(instance.devices) + instance.options.device[classes.option]
    return len(instance.tasks) <= MOST_TASKS and len(np.unique(pairs)) < len(pairs)


def _runs(problem: Problem, task: int, plan: SchedulePlan, name: str) -> list[Run]:
    """Options of a task on its device in the plan, fastest first, each cheaper than the last."""
    instance = problem.instance
    device = int(instance.options.device[plan.option[task]])
    per_joule = float(prices_of(instance, name)[0][device])
    work, tick = float(instance.tasks.work[task]), float(problem.grid.tick)
    found: list[Run] = []
    modes: list[Mode] = [m for m in problem.modes[task] if m.device == device]
    costs = [work * float(instance.options.energy_j[m.option]) * per_joule for m in modes]
    for mode, cost in sorted(
        zip(modes, costs, strict=True), key=lambda pair: (pair[0].duration, pair[1])
    ):
        if not found or cost < found[-1].cost:
            found.append(Run(mode.option, mode.duration * tick, cost))
    return found


def _rate(instance: Instance, plan: SchedulePlan, name: str) -> float:
    """Cost per second of the makespan; 0 where the horizon is the window."""
    if math.isfinite(instance.limits.horizon_s):
        return 0.0
    device = instance.options.device[plan.option]
    pairs = np.unique(np.stack([device, plan.unit]), axis=1)
    used = np.bincount(pairs[0], minlength=len(instance.devices))
    rates = rates_of(instance, *prices_of(instance, name))
    return float(rates[np.arange(len(used)), used].sum())


def _chart(
    problem: Problem,
    found: list[Activity],
    mode: list[Mode],
    unit: list[int],
    runs: list[list[Run]],
    rate: float,
    end: float,
) -> Chart:
    tick = float(problem.grid.tick)
    node_of: dict[tuple[ChainKey | None, int], int] = {}
    for i, a in enumerate(found):
        node_of[(a.key, a.task if a.key is None else a.hop)] = i
    arcs = _data_arcs(problem, found, mode, unit, node_of) + _order_arcs(found)
    own = [a.key is None for a in found]
    release = [
        problem.release[a.task] * tick if t else 0.0 for a, t in zip(found, own, strict=True)
    ]
    limit = [
        problem.deadline[a.task] if t else problem.horizon for a, t in zip(found, own, strict=True)
    ]
    deadline = [math.inf if d >= NEVER else d * tick for d in limit]
    return Chart(
        task=[a.task if t else -1 for a, t in zip(found, own, strict=True)],
        length=[0.0 if t else a.duration * tick for a, t in zip(found, own, strict=True)],
        arcs=sorted(set(arcs), key=lambda arc: (arc[1], arc[0])),
        release=release,
        deadline=deadline,
        runs=runs,
        rate=rate,
        end=end,
    )


def _data_arcs(
    problem: Problem,
    found: list[Activity],
    mode: list[Mode],
    unit: list[int],
    node_of: dict[tuple[ChainKey | None, int], int],
) -> list[tuple[int, int]]:
    """Return what waits for data: tasks for tasks and hops, hops for hops and tasks."""
    arcs: list[tuple[int, int]] = []
    host = (problem.instance.host, -1)
    last: dict[ChainKey, int] = {}
    for i, a in enumerate(found):
        if a.key is not None:
            last[a.key] = max(last.get(a.key, i), i)
    for i, a in enumerate(found):
        if a.key is None:
            here = (mode[a.task].device, unit[a.task])
            for e in problem.entering[a.task]:
                before, _, tensor = problem.edges[e]
                arcs.append((node_of[(None, before)], i))
                if tensor < 0 or (mode[before].device, unit[before]) == here:
                    continue
                for leg, hops in problem.legs(tensor, mode[before].device, here[0]) or []:
                    if hops:
                        arcs.append((last[(tensor, leg, *(host if leg == WRITE else here))], i))
        elif a.hop > 0:
            arcs.append((node_of[(a.key, a.hop - 1)], i))
        else:
            arcs.append((node_of[(None, a.task)], i))
            written = last.get((a.key[0], WRITE, *host))
            if a.key[1] == READ and written is not None:
                arcs.append((written, i))
    return arcs


def _order_arcs(found: list[Activity]) -> list[tuple[int, int]]:
    """Return what ends before what on each resource, without what follows from the rest."""
    rows: dict[tuple[int, int, int], list[int]] = {}
    for i, a in enumerate(found):
        for tag in a.tags:
            rows.setdefault(tag, []).append(i)
    arcs: list[tuple[int, int]] = []
    for nodes in rows.values():
        ends: list[tuple[int, int]] = []
        for i in nodes:
            start = found[i].start
            over = ends[: bisect.bisect_right(ends, (start, len(found)))]
            # Whoever ends before another one of these starts is held by that one already.
            latest = max((found[k].start for _, k in over), default=0)
            arcs.extend((k, i) for end, k in over if end >= latest)
            bisect.insort(ends, (found[i].end, i))
    return arcs


def _solve(chart: Chart, seconds: float) -> Floats | None:
    """Return the time of each task in the linear programme; None where it gave no answer."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    hulls = [_hull(own) for own in chart.runs]
    first = np.cumsum([0, *map(len, hulls)])
    columns, nodes = int(first[-1]), len(chart.task)
    scale = max((run.time for hull in hulls for run in hull), default=0.0) or 1.0
    rows: list[tuple[int, int, float]] = []
    upper: list[float] = []

    def ends_by(node: int, other: int | None, limit: float) -> None:
        """Add ``s[node] + p[node] <= limit``, or ``<= x[other]`` where there is one."""
        row, task = len(upper), chart.task[node]
        rows.append((row, columns + node, 1.0))
        if other is not None:
            rows.append((row, other, -1.0))
        if task >= 0:
            rows.extend(
                (row, int(first[task]) + k, run.time / scale) for k, run in enumerate(hulls[task])
            )
        upper.append((limit - (chart.length[node] if task < 0 else 0.0)) / scale)

    for u, v in chart.arcs:
        ends_by(u, columns + v, 0.0)
    followed = {u for u, _ in chart.arcs}
    end = columns + nodes
    for node in range(nodes):
        if chart.task[node] >= 0 and chart.deadline[node] < math.inf:
            ends_by(node, None, chart.deadline[node])
        if node not in followed and (chart.rate > 0 or chart.end < math.inf):
            ends_by(node, end, 0.0)
    # Independent tasks that nothing limits make no rows.
    row = [entry[0] for entry in rows]
    column, value = [entry[1] for entry in rows], [entry[2] for entry in rows]
    cost = [run.cost for hull in hulls for run in hull]
    price = max((abs(c) for c in cost), default=0.0) or 1.0
    bounds: Any = np.zeros((end + 1, 2))
    bounds[:, 1] = np.inf
    bounds[columns:end, 0] = np.array(chart.release) / scale
    bounds[end, 1] = chart.end / scale
    owner = np.repeat(np.arange(len(hulls)), np.diff(first))
    whole: Any = csr_matrix((np.ones(columns), (owner, np.arange(columns))), (len(hulls), end + 1))
    use: Any = csr_matrix((value, (row, column)), (len(upper), end + 1))
    objective: Any = np.concatenate(
        [np.array(cost) / price, np.zeros(nodes), [chart.rate * scale / price]]
    )
    answer: Any = linprog(
        objective,
        A_ub=use,
        b_ub=np.array(upper) + NOISE,
        A_eq=whole,
        b_eq=np.ones(len(hulls)),
        bounds=bounds,
        method="highs",
        options={"time_limit": seconds},
    )
    if answer.status != 0:
        return None
    spent = answer.x[:columns] * np.array([run.time for hull in hulls for run in hull])
    return np.bincount(owner, spent, minlength=len(hulls)).astype(np.float64)


def _hull(runs: list[Run]) -> list[Run]:
    """Options that a mixture of others of the same time is not cheaper than."""
    hull: list[Run] = []
    for run in runs:
        while len(hull) > 1 and _above(hull[-2], hull[-1], run):
            hull.pop()
        hull.append(run)
    return hull


def _above(a: Run, b: Run, c: Run) -> bool:
    """Whether b lies on or above the line from a to c."""
    return (b.cost - a.cost) * (c.time - a.time) >= (c.cost - a.cost) * (b.time - a.time)


def _within(chart: Chart, times: Floats) -> list[int]:
    """Cheapest option of each task that takes no longer than a time."""
    longest = max(run.time for own in chart.runs for run in own)
    return [
        max(0, sum(run.time <= time + NOISE * longest for run in own) - 1)
        for own, time in zip(chart.runs, times.tolist(), strict=True)
    ]


def _nearest(chart: Chart, times: Floats) -> list[int]:
    """Option of each task whose time is nearest to a time."""
    return [
        min(range(len(own)), key=lambda k: abs(own[k].time - time))
        for own, time in zip(chart.runs, times.tolist(), strict=True)
    ]
