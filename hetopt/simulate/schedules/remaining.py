"""What is left of a schedule at some time: done tasks are done, running ones run on.

The rest is an instance of its own, whose time 0 is now:

- tasks that are done are gone, but for those whose outputs others still read: they stay where they
  ran, take no time and no energy;
- a task that runs keeps its unit and option, takes the time that its option leaves, and its job's
  deadline is the end of that, so that no plan starts it later than now;
- releases, deadlines and due times count from now, and units that are down are not there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from hetopt.compile import from_frames, to_frames, to_settings
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.simulate.events import State, TaskState
from hetopt.solution import Hops, SchedulePlan

if TYPE_CHECKING:
    import pandas as pd

RUNS = ", running"
DONE = ", done"


@dataclass(frozen=True)
class Rest:
    """What is left of a schedule.

    Attributes
    ----------
    instance
        Its time 0 is ``now_s``.
    running
        Names of tasks that run.
    done
        Names of tasks of the instance that are done and only hold their outputs.
    usable
        Numbers of the units of each device that are there; the instance counts them from 0.
    """

    instance: Instance
    now_s: float
    running: frozenset[str]
    done: frozenset[str]
    usable: tuple[tuple[int, ...], ...]

    def unit(self, device: int, number: int) -> int:
        """Return what the instance calls a unit, -1 where it is down."""
        units = self.usable[device]
        return units.index(number) if number in units else -1


def rest_of(instance: Instance, state: State, outputs_survive: bool = False) -> Rest:
    """Return what is left of a schedule at the time of a state.

    Parameters
    ----------
    outputs_survive
        Whether what was done on a unit that is down can still be read, as the simulator has it:
        then from anywhere. Else what others still read from there is to be run again.

    Raises
    ------
    InputError
        Where the state names what the instance does not have, or says of a task what cannot be.
    """
    usable = _usable(instance, state)
    told = _tasks(instance, state)
    if not outputs_survive:
        told = _without_lost(told, instance, usable)
    status = np.array([told[n].status if n in told else "waiting" for n in instance.tasks.name])
    done, running = status == "done", status == "running"
    src, dst = instance.edges.src, instance.edges.dst
    reads = np.zeros(len(status), dtype=bool)
    useful = (instance.edges.tensor >= 0) & done[src] & ~done[dst]
    reads[src[useful]] = True
    for t in np.flatnonzero(reads).tolist():
        task = told[str(instance.tasks.name[t])]
        reads[t] = task.unit in usable[_device(instance, task.device)]
    keep = ~done | reads
    if (done | running).all():
        text = "At least one task that has not started."
        raise InputError([Problem("state.tasks", "", text)])
    if state.power_cap_w is not None:
        instance = instance.with_limits(power_cap_w=state.power_cap_w)
    frames, settings = to_frames(instance), to_settings(instance)
    names = instance.tasks.name
    kept = {str(n) for n in names[keep]}
    held = {str(n) for n in names[done & keep]}
    runs = {str(n) for n in names[running]}
    _tables(instance, frames, told, kept, held, runs, state.time_s, usable)
    for group in ("together", "apart"):
        groups = [[n for n in g if n in kept] for g in settings.get(group, [])]
        settings[group] = [g for g in groups if len(g) > 1]
    if settings.get("horizon_s") is not None:
        settings["horizon_s"] = _from_now(float(settings["horizon_s"]), state.time_s)
    rest = _with_units(from_frames(frames, settings), usable)
    return Rest(rest, state.time_s, frozenset(runs), frozenset(held), usable)


def _tasks(instance: Instance, state: State) -> dict[str, TaskState]:
    known = {str(n): t for t, n in enumerate(instance.tasks.name)}
    devices = {str(n): d for d, n in enumerate(instance.devices.name)}
    problems = []
    found: dict[str, TaskState] = {}
    for i, task in enumerate(state.tasks):
        place = f"state.tasks[{i}]"
        if task.task not in known:
            problems.append(Problem(f"{place}.task", task.task, "A task of the instance."))
            continue
        if task.task in found:
            problems.append(Problem(f"{place}.task", task.task, "Each task once."))
        found[task.task] = task
        if task.status not in ("running", "done"):
            continue
        d = devices.get(task.device, -1)
        if d < 0:
            text = f"A device, where a task runs or ran: {', '.join(devices)}."
            problems.append(Problem(f"{place}.device", task.device, text))
            continue
        if task.unit is None or not 0 <= task.unit < instance.devices.count_max[d]:
            text = f"A unit of {task.device}, where a task runs or ran."
            problems.append(Problem(f"{place}.unit", str(task.unit), text))
        if task.status == "running" and _option(instance, known[task.task], d, task.option) < 0:
            text = f"The label of an option that the task has on {task.device}."
            problems.append(Problem(f"{place}.option", task.option, text))
        if task.status == "running" and not (task.started_s or 0.0) <= state.time_s:
            text = f"At most the state's time, {state.time_s:g} s."
            problems.append(Problem(f"{place}.started_s", str(task.started_s), text))
    if problems:
        raise InputError(problems)
    return found


def _device(instance: Instance, name: str) -> int:
    return int(np.flatnonzero(instance.devices.name == name)[0])


def _option(instance: Instance, task: int, device: int, label: str) -> int:
    options = instance.options
    profile = int(instance.tasks.profile[task])
    for o in range(int(instance.profiles.ptr[profile]), int(instance.profiles.ptr[profile + 1])):
        if options.device[o] == device and options.label[o] == label:
            return o
    return -1


def _usable(instance: Instance, state: State) -> tuple[tuple[int, ...], ...]:
    """Return the numbers of the units of each device that are not down."""
    names = {str(n): d for d, n in enumerate(instance.devices.name)}
    down: set[tuple[int, int]] = set()
    for i, unit in enumerate(state.units):
        if unit.device not in names:
            text = f"A device: {', '.join(names)}."
            raise InputError([Problem(f"state.units[{i}].device", unit.device, text)])
        if unit.status == "down":
            down.add((names[unit.device], unit.unit))
    return tuple(
        tuple(u for u in range(int(most)) if (d, u) not in down)
        for d, most in enumerate(instance.devices.count_max)
    )


def _without_lost(
    told: dict[str, TaskState], instance: Instance, usable: tuple[tuple[int, ...], ...]
) -> dict[str, TaskState]:
    """Return the tasks but for those lost on units that are down.

    What ran there is to be run again, as is what others still read from there.
    """
    devices = {str(n): d for d, n in enumerate(instance.devices.name)}
    index = {str(n): t for t, n in enumerate(instance.tasks.name)}
    over = {index[n] for n, task in told.items() if task.status == "done"}
    read = {
        int(s)
        for s, t, n in zip(
            instance.edges.src, instance.edges.dst, instance.edges.tensor, strict=True
        )
        if n >= 0 and int(t) not in over
    }

    def lost(task: TaskState) -> bool:
        if task.status not in ("running", "done") or task.unit in usable[devices[task.device]]:
            return False
        return task.status == "running" or index[task.task] in read

    return {name: task for name, task in told.items() if not lost(task)}


def _with_units(instance: Instance, usable: tuple[tuple[int, ...], ...]) -> Instance:
    count = np.array([len(units) for units in usable], dtype=np.int64)
    least = np.minimum(instance.devices.count_min, count)
    return replace(instance, devices=replace(instance.devices, count_max=count, count_min=least))


def _tables(
    instance: Instance,
    frames: dict[str, pd.DataFrame],
    told: dict[str, TaskState],
    kept: set[str],
    held: set[str],
    runs: set[str],
    now_s: float,
    usable: tuple[tuple[int, ...], ...],
) -> None:
    """Change the tables of an instance to those of what is left of it."""
    import pandas as pd

    index = {str(n): t for t, n in enumerate(instance.tasks.name)}
    devices = {str(n): d for d, n in enumerate(instance.devices.name)}
    tasks = frames["tasks"]
    tasks = tasks[tasks["name"].isin(kept)].copy()
    if "pin" not in tasks:
        tasks["pin"] = ""
    if "work" not in tasks:
        tasks["work"] = 1.0
    if "job" not in tasks:
        tasks["job"] = str(instance.jobs.name[0])
    options, jobs = frames["options"], frames["jobs"]
    new_options, new_jobs = [options], []
    for name in sorted(held | runs):
        state, t = told[name], index[name]
        d = devices[state.device]
        o = _option(instance, t, d, state.option)
        row = options.iloc[[max(o, 0)]].copy()
        here = tasks["name"] == name
        profile = name + (RUNS if name in runs else DONE)
        row["profile"], row["device"] = profile, state.device
        for column in [
            c for c in row if str(c).endswith(("_low_s", "_high_s", "_low_j", "_high_j"))
        ]:
            row[column] = np.nan
        if name in runs:
            work = float(instance.tasks.work[t])
            whole = Decimal(repr(work)) * Decimal(repr(float(instance.options.time_s[o])))
            end = Decimal(repr(float(state.started_s or 0.0))) + whole
            left = float(max(Decimal(0), end - Decimal(repr(now_s))))
            part = left / float(whole) if whole > 0 else 0.0
            row["time_s"] = left
            row["energy_j"] = work * float(instance.options.energy_j[o]) * part
            job = name + RUNS
            base = jobs[jobs["name"] == instance.jobs.name[instance.tasks.job[t]]]
            base = base.iloc[[0]].copy()
            base["name"], base["release_s"], base["deadline_s"] = job, 0.0, left
            new_jobs.append(base)
            tasks.loc[here, "job"] = job
        else:
            row["time_s"], row["energy_j"] = 0.0, 0.0
            for column in ("weights_b", "model", "variant", "memory_b"):
                if column in row:
                    row[column] = "" if column in ("model", "variant") else 0.0
        new_options.append(row)
        tasks.loc[here, "profile"] = profile
        tasks.loc[here, "work"] = 1.0
        tasks.loc[here, "pin"] = f"{state.device}#{usable[d].index(state.unit or 0)}"
    frames["tasks"] = tasks
    frames["options"] = pd.concat(new_options, ignore_index=True)
    jobs = jobs[jobs["name"].isin(tasks["job"])].copy()
    for column in ("release_s", "deadline_s", "due_s"):
        if column in jobs:
            jobs[column] = [_from_now(float(value), now_s) for value in jobs[column]]
    if "release_s" in jobs:
        jobs["release_s"] = jobs["release_s"].clip(lower=0.0)
    frames["jobs"] = pd.concat([jobs, *new_jobs], ignore_index=True)
    for column in ("deadline_s", "due_s"):
        if column in frames["jobs"]:
            frames["jobs"][column] = frames["jobs"][column].fillna(np.inf)
    if "transfers" in frames and len(frames["transfers"]):
        rows = frames["transfers"]
        # What a task that is held waited for is over.
        inside = rows["from"].isin(kept) & rows["to"].isin(kept - held - runs)
        frames["transfers"] = rows[inside]
    for table in ("uses",):
        if table in frames and not len(frames[table]):
            del frames[table]


def _from_now(value: float, now_s: float) -> float:
    """Return a time counted from now as the decimal that it is: plans are checked to the digit."""
    if not math.isfinite(value):
        return value
    return float(Decimal(repr(value)) - Decimal(repr(float(now_s))))


def carried(instance: Instance, plan: SchedulePlan, rest: Rest) -> SchedulePlan:
    """Return the plan that runs in terms of what is left; option -1 where it says nothing."""
    index = {str(n): t for t, n in enumerate(instance.tasks.name)}
    new = rest.instance
    count = len(new.tasks)
    option = np.full(count, -1, dtype=np.int64)
    unit = np.zeros(count, dtype=np.int64)
    start = np.zeros(count)
    devices = {str(n): d for d, n in enumerate(new.devices.name)}
    for k, name in enumerate(new.tasks.name.tolist()):
        t = index[name]
        o = int(plan.option[t])
        if name in rest.running or name in rest.done:
            option[k] = int(new.task_options(k)[0])
            unit[k] = max(0, int(new.tasks.pin_unit[k]))
            continue
        if o < 0:
            continue
        d = devices[str(instance.devices.name[instance.options.device[o]])]
        option[k] = _option(new, k, d, str(instance.options.label[o]))
        unit[k] = rest.unit(d, int(plan.unit[t]))
        start[k] = max(0.0, _from_now(float(plan.start_s[t]), rest.now_s))
    return SchedulePlan(option, unit, start, Hops.empty())
