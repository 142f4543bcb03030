"""Changes of an instance that a question asks for: other objective, deadline, demand, devices.

Each function returns a new instance; the columns that do not change are shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance.dtypes import Bools, Floats, Ints
from hetopt.instance.grouping import list_ptr, ptr_of
from hetopt.instance.instance import Instance
from hetopt.instance.tables import (
    NO_MAXIMUM,
    Edges,
    Groups,
    Jobs,
    Profiles,
    Resources,
    Tasks,
    Tensors,
    Uses,
)

PAIRS = ("forbid_task", "forbid_device", "site_task", "site_site")
"""Columns of tasks that are lists of pairs, not one value a task."""


def with_deadline(instance: Instance, deadline_s: float) -> Instance:
    """Give every job this hard deadline, counted from its release.

    Raises
    ------
    InputError
        In the steady regime, which has no deadlines.
    """
    if instance.regime != "schedule":
        raise InputError(
            [
                Problem(
                    "deadline",
                    units.format(deadline_s, "time", digits=6),
                    "Nothing here: a stream has no deadline; its limit is latency_slo of a job.",
                )
            ]
        )
    jobs = instance.jobs
    deadline = np.array([_sum(release, deadline_s) for release in jobs.release_s])
    return replace(instance, jobs=replace(jobs, deadline_s=deadline))


def without_memory_limits(instance: Instance) -> Instance:
    """Return the instance whose units and pools hold anything."""
    devices, pools = instance.devices, instance.pools
    return replace(
        instance,
        devices=replace(devices, memory_b=np.full(len(devices), np.inf)),
        pools=replace(pools, memory_b=np.full(len(pools), np.inf)),
    )


def scale_demand(instance: Instance, factor: float) -> Instance:
    """Multiply the demanded rate of every job, in every scenario.

    Raises
    ------
    InputError
        In the schedule regime, for a factor that is not positive, and where no demand is known.
    """
    problem = ""
    with np.errstate(over="ignore"):
        scaled = instance.jobs.rate_per_s * factor
        of_scenarios = instance.scenarios.rate_per_s * factor
    if instance.regime != "steady":
        problem = "An instance of the steady regime: a schedule has no rates."
    elif not instance.limits.demand_known:
        problem = "An instance with rates or demand_per_s: shares alone have nothing to scale."
    elif not 0 < factor < np.inf:
        problem = "A factor of more than 0."
    elif units.is_extreme(scaled).any() or units.is_extreme(of_scenarios).any():
        problem = f"A factor that leaves each rate {units.USUAL}"
    if problem:
        raise InputError([Problem("demand", f"{factor:g}", problem)])
    jobs, scenarios = instance.jobs, instance.scenarios
    return replace(
        instance,
        jobs=replace(jobs, rate_per_s=scaled),
        scenarios=replace(scenarios, rate_per_s=of_scenarios),
    )


def scale_job(instance: Instance, job: int, factor: float) -> Instance:
    """Multiply the rate (or share) of one stream, in every scenario; the others keep theirs."""
    jobs, scenarios = instance.jobs, instance.scenarios
    each = np.ones(len(jobs))
    each[job] = factor
    return replace(
        instance,
        jobs=replace(jobs, rate_per_s=jobs.rate_per_s * each),
        scenarios=replace(scenarios, rate_per_s=scenarios.rate_per_s * each),
    )


def scale_idle(instance: Instance, factor: float) -> Instance:
    """Multiply idle powers while the whole draw of a busy unit stays what was measured.

    What idle power loses, the energy above idle of the options gains: for an option of time t on
    a device with idle power I and s slots, (1 - factor) I t / s. It never falls below 0. The draw
    of a unit on a board was measured there, so that I is that of both.
    """
    devices, options, boards = instance.devices, instance.options, instance.boards
    idle = devices.idle_power_w
    both = idle + np.append(boards.idle_power_w, 0.0)[devices.on_board]
    share = (1 - factor) * both[options.device] / devices.slots[options.device]
    energy = np.maximum(0.0, options.energy_j + share * options.time_s)
    # What is drawn during a set-up, of a unit with one slot, was measured whole too.
    more, setups = (1 - factor) * idle, instance.setups
    each = np.maximum(0.0, devices.setup_energy_j + more * devices.setup_time_s)
    pairs = np.maximum(0.0, setups.energy_j + more[setups.device] * setups.time_s)
    return replace(
        instance,
        devices=replace(
            devices,
            idle_power_w=idle * factor,
            setup_energy_j=each,
            sleep_power_w=np.minimum(devices.sleep_power_w, idle * factor),
        ),
        boards=replace(
            boards,
            idle_power_w=boards.idle_power_w * factor,
            sleep_power_w=np.minimum(boards.sleep_power_w, boards.idle_power_w * factor),
        ),
        options=replace(options, energy_j=energy),
        setups=replace(setups, energy_j=pairs),
    )


def with_free_counts(instance: Instance) -> Instance:
    """Let the solver choose how many units of each device to have.

    In the schedule regime a maximum is needed: as many units as there are tasks, and no more than
    the power cap lets idle.
    """
    devices = instance.devices
    n = len(devices)
    most = np.full(n, -1, dtype=np.int64)
    if instance.regime == "schedule":
        most = np.full(n, max(1, len(instance.tasks)), dtype=np.int64)
        cap = instance.limits.power_cap_w
        hungry = devices.idle_power_w > 0
        if np.isfinite(cap):
            fit = np.floor(cap / devices.idle_power_w[hungry] * (1 + 1e-9)).astype(np.int64)
            most[hungry] = np.clip(fit, 0, most[hungry])
    boards = instance.boards
    if len(boards):
        # As many boards as tasks at most in a schedule, each with the units that it has.
        largest = np.full(len(boards), NO_MAXIMUM, dtype=np.int64)
        if instance.regime == "schedule":
            largest = np.full(len(boards), max(1, len(instance.tasks)))
            carried = devices.on_board >= 0
            most[carried] = boards.per_board[carried] * largest[devices.on_board[carried]]
        boards = replace(boards, count_min=0 * boards.count_min, count_max=largest)
    return replace(
        instance,
        devices=replace(devices, count_min=np.zeros(n, dtype=np.int64), count_max=most),
        boards=boards,
    )


def without_device(instance: Instance, device: int) -> Instance:
    """Have no unit of a device; its links stay."""
    keep = instance.options.device != device
    instance = instance.with_cells("devices", device, count_min=0, count_max=0)
    return keep_options(instance, keep)[0]


def keep_options(instance: Instance, keep: Bools) -> tuple[Instance, Ints]:
    """Drop the options where ``keep`` is False.

    Returns
    -------
    Instance
        Profiles may become empty.
    ints
        The old index of each option kept, so that a plan of the new instance can be told in terms
        of the old one: ``old[plan.option]``.
    """
    ptr = instance.profiles.ptr
    before = ptr_of(keep)
    old = np.flatnonzero(keep).astype(np.int64)
    options = replace(
        instance.options,
        **{f: getattr(instance.options, f)[old] for f in instance.options.__dataclass_fields__},
    )
    profiles = Profiles(instance.profiles.name, before[ptr].astype(np.int64))
    uses, size = instance.uses, np.diff(instance.uses.ptr)
    kept = np.repeat(keep, size)
    uses = Uses(
        ptr_of(size[old]),
        uses.resource[kept],
        uses.amount[kept],
    )
    return replace(instance, options=options, profiles=profiles, uses=uses), old


def only_option_of(instance: Instance, task: int, option: Ints) -> Instance:
    """Let one task use some of its options only; all options keep their indices.

    The task gets a profile of its own, whose options are copies at the end of the table: a plan
    of the new instance names those for the task.
    """
    columns = instance.options.__dataclass_fields__
    rows = np.concatenate([np.arange(len(instance.options)), option])
    options = replace(instance.options, **{f: getattr(instance.options, f)[rows] for f in columns})
    profiles, uses = instance.profiles, instance.uses
    size = np.diff(uses.ptr)[rows]
    ptr = ptr_of(size)
    entry = np.arange(ptr[-1]) + np.repeat(uses.ptr[rows] - ptr[:-1], size)
    own = np.array([f"{instance.tasks.name[task]}, restricted"], dtype=profiles.name.dtype)
    profile = instance.tasks.profile.copy()
    profile[task] = len(profiles)
    return replace(
        instance,
        options=options,
        profiles=Profiles(
            np.concatenate([profiles.name, own]),
            np.concatenate([profiles.ptr, [len(rows)]]).astype(np.int64),
        ),
        uses=Uses(ptr, uses.resource[entry], uses.amount[entry]),
        tasks=replace(instance.tasks, profile=profile),
    )


def restrict(instance: Instance, allowed: Bools, host: int = -1) -> tuple[Instance, Ints, Ints]:
    """Let only some devices run tasks; the others stay as they are, and run nothing.

    Parameters
    ----------
    allowed
        Whether each device (length D) may run tasks.
    host
        A device that may run the tasks that have no admissible option on an allowed device; -1
        for none.

    Returns
    -------
    Instance
        The restricted instance.
    ints
        The old index of each of its options (see :func:`keep_options`).
    ints
        The tasks left to the host.
    """
    options = instance.options
    hosted = np.empty(0, dtype=np.int64)
    keep = allowed[options.device]
    if host >= 0 and not allowed[host]:
        ptr, option = instance.admissible
        able = np.bincount(
            np.repeat(np.arange(len(instance.tasks)), np.diff(ptr))[
                allowed[options.device[option]]
            ],
            minlength=len(instance.tasks),
        )
        hosted = np.flatnonzero(able == 0).astype(np.int64)
        others = np.flatnonzero(able > 0)
        keep |= options.device == host
        tasks = instance.tasks
        instance = replace(
            instance,
            tasks=replace(
                tasks,
                forbid_task=np.concatenate([tasks.forbid_task, others]),
                forbid_device=np.concatenate([tasks.forbid_device, np.full(len(others), host)]),
            ),
        )
    restricted, old = keep_options(instance, keep)
    return restricted, old, hosted


def with_placement(
    instance: Instance, pins: Sequence[tuple[str, str]], forbids: Sequence[tuple[str, str]]
) -> Instance:
    """Pin tasks to devices or units, and forbid tasks on devices, by name.

    Raises
    ------
    InputError
        Naming every unknown task, device or unit.
    """
    if not pins and not forbids:
        return instance
    tasks = instance.tasks
    task_index = {name: i for i, name in enumerate(tasks.name.tolist())}
    device_index = {name: i for i, name in enumerate(instance.devices.name.tolist())}
    problems: list[Problem] = []
    pin_device, pin_unit = tasks.pin_device.copy(), tasks.pin_unit.copy()
    banned: list[tuple[int, int]] = []
    for flag, pairs in (("--pin", pins), ("--forbid", forbids)):
        for task, place in pairs:
            device, mark, unit = place.partition("#")
            value = f"{task}={place}"
            if task not in task_index:
                problems.append(Problem(flag, value, f"A task of the instance, not {task}."))
                continue
            if device not in device_index:
                names = ", ".join(device_index)
                problems.append(Problem(flag, value, f"A device: {names}."))
                continue
            t, d = task_index[task], device_index[device]
            if flag == "--forbid":
                if mark:
                    problems.append(Problem(flag, value, "A device, not one of its units."))
                banned.append((t, d))
                continue
            most = int(instance.devices.count_max[d])
            if mark and not (unit.isdecimal() and (most < 0 or int(unit) < most)):
                problems.append(Problem(flag, value, f"A unit from {device}#0 to #{most - 1}."))
                continue
            if mark and len(instance.periods):
                text = "A device alone: with periods, no unit is told from the others."
                problems.append(Problem(flag, value, text))
                continue
            pin_device[t] = d
            pin_unit[t] = int(unit) if mark else -1
    if problems:
        raise InputError(problems)
    extra = np.array(banned, dtype=np.int64).reshape(-1, 2)
    return replace(
        instance,
        tasks=replace(
            tasks,
            pin_device=pin_device,
            pin_unit=pin_unit,
            forbid_task=np.concatenate([tasks.forbid_task, extra[:, 0]]),
            forbid_device=np.concatenate([tasks.forbid_device, extra[:, 1]]),
        ),
    )


def _sum(a: Floats, b: float) -> float:
    """Add two decimals exactly, so that no grid is lost to rounding."""
    from fractions import Fraction

    if not np.isfinite(b):
        return float(b)
    return float(Fraction(repr(float(a))) + Fraction(repr(float(b))))


def some_tasks(instance: Instance, tasks: Ints) -> Instance:
    """Return the instance of some tasks (ascending), and of what only they have part in.

    Tensors, edges and groups are kept whole or not at all: what joins tasks must be among the
    tasks, or beside them. Platform, jobs, limits and profiles stay as they are.
    """
    old, edges, tensors = instance.tasks, instance.edges, instance.tensors
    new = numbers_of(len(old), tasks)
    forbids, bound = new[old.forbid_task] >= 0, new[old.site_task] >= 0
    kept_tensors = np.flatnonzero(new[tensors.producer] >= 0)
    tensor = np.append(numbers_of(len(tensors), kept_tensors), -1)
    kept = new[edges.src] >= 0
    return replace(
        instance,
        tasks=replace(
            Tasks(**rows_of(old, tasks, leaving_out=PAIRS)),
            forbid_task=new[old.forbid_task[forbids]],
            forbid_device=old.forbid_device[forbids],
            site_task=new[old.site_task[bound]],
            site_site=old.site_site[bound],
        ),
        tensors=replace(
            Tensors(**rows_of(tensors, kept_tensors)), producer=new[tensors.producer[kept_tensors]]
        ),
        edges=Edges(new[edges.src[kept]], new[edges.dst[kept]], tensor[edges.tensor[kept]]),
        together=_groups(instance.together, new),
        apart=_groups(instance.apart, new),
    )


def some_jobs(instance: Instance, jobs: Ints) -> Instance:
    """Return the instance of some jobs (ascending) of a schedule, their groups cut down to them.

    A group of tasks that loses all but one of its members says nothing any more.
    """
    number = numbers_of(len(instance.jobs), jobs)
    tasks = np.flatnonzero(number[instance.tasks.job] >= 0)
    inside = np.zeros(len(instance.tasks), dtype=bool)
    inside[tasks] = True
    whole = replace(
        instance,
        together=_cut(instance.together, inside),
        apart=_cut(instance.apart, inside),
    )
    part = some_tasks(whole, tasks)
    rates = instance.scenarios.rate_per_s[:, jobs]
    return replace(
        part,
        scenarios=replace(instance.scenarios, rate_per_s=rates),
        jobs=Jobs(**rows_of(instance.jobs, jobs)),
        tasks=replace(part.tasks, job=number[part.tasks.job]),
    )


def _cut(groups: Groups, inside: Bools) -> Groups:
    """Return what is left of groups, those of one task or none left out."""
    kept = [group[inside[group]] for group in groups]
    kept = [group for group in kept if len(group) > 1]
    ptr = list_ptr(kept)
    return Groups(ptr, np.concatenate(kept) if kept else np.empty(0, dtype=np.int64))


def numbers_of(size: int, kept: Ints) -> Ints:
    """Return the new number of each of ``size`` things, -1 where it is not kept."""
    found = np.full(size, -1, dtype=np.int64)
    found[kept] = np.arange(len(kept))
    return found


def rows_of(
    table: Tasks | Tensors | Jobs | Resources, rows: Ints, leaving_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return some rows of all columns by name; those to be left out stay whole."""
    columns = {column.name: getattr(table, column.name) for column in fields(table)}
    return {
        name: column if name in leaving_out else column[rows] for name, column in columns.items()
    }


def _groups(groups: Groups, new: Ints) -> Groups:
    """Return the groups of the tasks that are kept; each is kept whole or not at all."""
    mine = [new[group] for group in groups if len(group) and new[group[0]] >= 0]
    ptr = list_ptr(mine)
    return Groups(ptr, np.concatenate(mine) if mine else np.empty(0, dtype=np.int64))
