"""What would follow if a device were lost: the plan, what it costs, and what cannot be served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Literal, Unpack

import numpy as np

from hetopt.analysis.solving import Question, solve_all
from hetopt.compile import from_frames, to_frames, to_settings
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.instance.overrides import without_device
from hetopt.instance.questions import stuck_tasks
from hetopt.runtime.executors.loop import Report, silent
from hetopt.solution import Plan, Shown, Solution, SteadyPlan
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of, solve_with
from hetopt.verify import verify

Lose = Literal["device", "unit"]


@dataclass(frozen=True)
class Loss:
    """What follows from the loss of a device, or of one unit of it.

    Attributes
    ----------
    instance
        Without what is lost, and without the jobs that nothing left can run.
    solution
        Of that instance.
    unserved
        Jobs that no device left can run.
    part
        What can be served of the others: 1 where all of it, else the θ of the plan that serves as
        much as there is room for (``most``: its proven bound).
    most
        Proven bound of ``part``.
    difference
        Objective less that of the plan before the loss (SI); NaN where they are not comparable.
    """

    device: str
    instance: Instance
    solution: Solution
    unserved: tuple[str, ...]
    part: float
    most: float
    difference: float


@dataclass(frozen=True)
class Contingency(Shown):
    """The base plan, and each loss in the order of the devices."""

    instance: Instance
    base: Solution
    losses: tuple[Loss, ...]
    lose: Lose
    interrupted: bool = False


def contingency(
    instance: Instance | Buildable,
    plan: Plan | Solution | None = None,
    *,
    lose: Lose = "device",
    options: SolveOptions | None = None,
    executor: Executor | None = None,
    stop: threading.Event | None = None,
    report: Report | None = None,
    **solving: Unpack[SolveFields],
) -> Contingency:
    """Return the plan that would follow the loss of each device.

    Parameters
    ----------
    plan
        The plan in force, to compare with; None: it is solved.
    lose
        ``device``: all units of a device; ``unit``: one of them.
    options, **solving
        How each is solved; the time limit holds for each.
    executor
        Where losses are solved: any executor of ``concurrent.futures``; None: here.
    stop
        Set it to stop early; losses that were not solved by then are left out.
    report
        Called with a line about what is being solved.

    Raises
    ------
    InputError
        Where the question cannot be asked of the instance.
    """
    instance = built(instance)
    options = options_of(options, solving)
    stop, tell = stop or threading.Event(), report or silent
    known = plan.plan if isinstance(plan, Solution) else plan
    tell("as it is")
    base = solve_with(instance, options, start=known, stop=stop)
    cases = {name: _without(instance, d, lose) for name, d in _lost(instance)}
    served = {name: _servable(instance, cases[name], d, lose) for name, d in _lost(instance)}
    asked = {
        name: Question(case, options, _start(case, base.plan))
        for name, (case, _) in served.items()
        if case is not None
    }
    solved = dict(solve_all(executor, asked, stop, tell))
    short = {
        name: Question(served_case.with_objective("throughput"), options)
        for name, (served_case, _) in served.items()
        if served_case is not None
        and served_case.regime == "steady"
        and served_case.limits.demand_known
        and name in solved
        and solved[name].plan is None
    }
    most = dict(solve_all(executor, short, stop, tell)) if short else {}
    losses = []
    for name, (case, out) in served.items():
        if case is None:
            losses.append(_nothing(name, cases[name], options, out))
        elif name in solved:
            losses.append(_loss(name, case, out, base, solved[name], most.get(name)))
    return Contingency(instance, base, tuple(losses), lose, stop.is_set())


def _lost(instance: Instance) -> Iterator[tuple[str, int]]:
    for d, name in enumerate(instance.devices.name.tolist()):
        if instance.devices.count_max[d] != 0:
            yield name, d


def _without(instance: Instance, device: int, lose: Lose) -> Instance:
    devices = instance.devices
    most = int(devices.count_max[device])
    if lose == "device" or most == 1:
        return without_device(instance, device)
    if most == NO_MAXIMUM:
        return instance
    low = min(int(devices.count_min[device]), most - 1)
    return instance.with_cells("devices", device, count_min=low, count_max=most - 1)


def _servable(
    instance: Instance, case: Instance, device: int, lose: Lose
) -> tuple[Instance | None, tuple[str, ...]]:
    """Return the case without the jobs of which a task has no option left, and their names."""
    stuck = stuck_tasks(case)
    if not len(stuck):
        return case, ()
    out = np.unique(case.tasks.job[stuck])
    names = tuple(str(n) for n in case.jobs.name[out])
    if len(out) == len(case.jobs):
        return None, names
    # Tables of an instance have at least one unit of each device: jobs leave first.
    return _without(without_jobs(instance, set(names)), device, lose), names


def without_jobs(instance: Instance, names: set[str]) -> Instance:
    """Return an instance without some jobs, and without what only they have."""
    frames, settings = to_frames(instance), to_settings(instance)
    if "job" not in frames["tasks"]:
        frames["tasks"]["job"] = str(instance.jobs.name[0])
    tasks = frames["tasks"]
    tasks = tasks[~tasks["job"].isin(names)]
    kept = set(tasks["name"])
    frames["tasks"] = tasks
    frames["jobs"] = frames["jobs"][~frames["jobs"]["name"].isin(names)]
    if "transfers" in frames:
        rows = frames["transfers"]
        frames["transfers"] = rows[rows["from"].isin(kept) & rows["to"].isin(kept)]
    if "rates" in frames and len(frames["rates"]):
        frames["rates"] = frames["rates"][~frames["rates"]["job"].isin(names)]
    used = frames["options"]["profile"].isin(tasks["profile"])
    if "uses" in frames and len(frames["uses"]) and "profile" in frames["uses"]:
        frames["uses"] = frames["uses"][frames["uses"]["profile"].isin(tasks["profile"])]
    frames["options"] = frames["options"][used]
    for group in ("together", "apart"):
        groups = [[n for n in g if n in kept] for g in settings.get(group, [])]
        settings[group] = [g for g in groups if len(g) > 1]
    return from_frames(frames, settings)


def _start(case: Instance, plan: Plan | None) -> Plan | None:
    """Return the base's plan where it says something of the case: its columns are the same."""
    if plan is None or not isinstance(plan, SteadyPlan):
        return None
    same = len(plan.units_on) == len(case.devices)
    if not same or (plan.option >= len(case.options)).any():
        return None
    return plan if verify(case, plan).ok else None


def _nothing(name: str, case: Instance, options: SolveOptions, out: tuple[str, ...]) -> Loss:
    return Loss(name, case, solve_with(case, options), out, 0.0, 0.0, np.nan)


def _loss(
    name: str,
    case: Instance,
    out: tuple[str, ...],
    base: Solution,
    solution: Solution,
    most: Solution | None,
) -> Loss:
    if most is None:
        part = 1.0 if solution.plan is not None else np.nan
        ceiling = 1.0 if solution.status != "infeasible" else np.nan
        if solution.status == "infeasible" and case.regime == "schedule":
            part = ceiling = 0.0
        same = not out and solution.objective_names == base.objective_names
        difference = solution.objective - base.objective if same else np.nan
        return Loss(name, case, solution, out, part, ceiling, difference)
    asked = float(case.jobs.rate_per_s.sum())
    part = most.objective / asked if most.plan is not None and asked > 0 else 0.0
    ceiling = min(1.0, most.bound / asked) if asked > 0 else np.nan
    return Loss(name, case, most, out, min(1.0, part), ceiling, np.nan)
