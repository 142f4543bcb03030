"""Why a schedule's last task ends when it does: the chain of what waits for what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt import units
from hetopt.evaluate.optional import runs_of
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.setups import setup_names
from hetopt.instance import Instance
from hetopt.instance.states.idle_sleep_start_up import ready_s
from hetopt.solution import SchedulePlan


@dataclass(frozen=True, slots=True)
class Step:
    """One task of the chain; ``because`` says what it waited for, in words."""

    task: str
    unit: str
    start_s: float
    end_s: float
    because: str


def critical_steps(instance: Instance, plan: SchedulePlan) -> list[Step]:
    """Follow the last task of the tightest job back to what nothing holds up.

    The tightest job is the one whose deadline is nearest to its end; without deadlines the one
    that ends last.

    Returns
    -------
    list of Step
        From the first to the last task; each one starts when what it waited for is done.
    """
    instance, plan = runs_of(instance, plan)
    q = ScheduleQuantities(instance, plan)
    if not len(instance.tasks):
        return []
    slack = instance.jobs.deadline_s - q.job_end_s
    job = int(np.argmin(slack)) if np.isfinite(slack).any() else int(np.argmax(q.job_end_s))
    own = np.flatnonzero(instance.tasks.job == job)
    last = int(own[np.argmax(q.end_s[own])])
    steps: list[Step] = []
    seen: list[int] = []
    task: int | None = last
    while task is not None and task not in seen:
        seen.append(task)
        because, before = _held_up(instance, q, task)
        if q.lasting_s[task] > q.time_s[task] + q.slack_s:
            because += f"; what it shares slows it: alone it takes {_time(q.time_s[task])}"
        unit = instance.unit_name(int(q.device[task]), int(plan.unit[task]))
        steps.append(
            Step(
                str(instance.tasks.name[task]),
                unit,
                float(plan.start_s[task]),
                float(q.end_s[task]),
                because,
            )
        )
        task = before
    return steps[::-1]


def _held_up(instance: Instance, q: ScheduleQuantities, task: int) -> tuple[str, int | None]:
    """Return what a task waited for until its start, and the task before it on the chain."""
    plan, edges, names = q.plan, instance.edges, instance.tasks.name
    start = float(plan.start_s[task])

    def now(time: float) -> bool:
        return abs(time - start) <= q.slack_s

    ptr, rows = instance.predecessors
    hops = plan.hops
    arrival = hops.start_s + q.hop_time_s
    for e in rows[ptr[task] : ptr[task + 1]].tolist():
        src, tensor = int(edges.src[e]), int(edges.tensor[e])
        if now(float(q.end_s[src])):
            return f"it waits for {names[src]}", src
        here = (
            (hops.tensor == tensor)
            & (hops.dst_device == q.device[task])
            & (hops.dst_unit == plan.unit[task])
        )
        if tensor >= 0 and now(float(arrival[here].max(initial=-1.0))):
            return f"it waits for the message from {names[src]}", src
    same = (q.device == q.device[task]) & (plan.unit == plan.unit[task])
    for other in np.flatnonzero(same & (q.time_s > 0)).tolist():
        if other != task and now(float(q.end_s[other])):
            return f"its unit is busy with {names[other]}", other
    setup = np.flatnonzero(q.setups.task == task)
    if len(setup):
        source, target = setup_names(instance, plan, q.setups)[int(setup[0])]
        change = f"it is set up from {source} to {target}"
        start = float(q.setups.start_s[setup[0]])
        for other in np.flatnonzero(same & (q.time_s > 0)).tolist():
            if other != task and now(float(q.end_s[other])):
                return f"its unit is busy with {names[other]}, then {change}", other
        if now(0.0):
            return f"{change} until then", None
        start = float(plan.start_s[task])
    if start == 0:
        return "it starts at once", None
    if start > 0 and now(float(ready_s(instance)[q.device[task]])):
        return "its unit goes on until then", None
    if now(float(instance.jobs.release_s[instance.tasks.job[task]])):
        return "its job is released then", None
    return "nothing on its unit: it waits for another limit, or has time", None


def _time(value: float) -> str:
    return units.format(float(value), "time")
