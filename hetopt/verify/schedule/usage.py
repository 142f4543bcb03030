"""Checks of what a schedule uses at once: slots, channels, memory, resources, power."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.solution import WRITE, Hops
from hetopt.verify.exact import Numbers, Timeline, amounts, exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.hops import link_name
from hetopt.verify.schedule.idle_sleep_start_up import Drawn, Held, check_power_with_sleep
from hetopt.verify.schedule.placed import Placed
from hetopt.verify.schedule.resources import check_supplies
from hetopt.verify.schedule.setups import Changes
from hetopt.verify.schedule.slowing import Speeds
from hetopt.verify.schedule.sweep import Levels, sweep
from hetopt.verify.schedule.transfers import Moves


def check_resources(
    instance: Instance,
    placed: Placed,
    runs: tuple[Timeline, Speeds],
    hops: Hops,
    moves: Moves,
    more: tuple[Changes, Held, Drawn],
    findings: Findings,
) -> float:
    """Check slots, channels, memory, resources and power; return the peak power (W).

    Parameters
    ----------
    more
        Set-ups, what takes slots, and what sleep and going on draw.
    """
    times = runs[0]
    changes, held, drawn = more
    _check_slots(instance, placed, times, held, changes, findings)
    _check_channels(instance, times, hops, findings)
    _check_memory(instance, placed, times, moves, findings)
    check_supplies(instance, placed, times, findings)
    return _check_power(instance, placed, runs, (changes, drawn), findings)


def _check_slots(
    instance: Instance,
    placed: Placed,
    times: Timeline,
    held: Held,
    changes: Changes,
    findings: Findings,
) -> None:
    """Check that a unit runs at most ``slots`` tasks, set-ups and transfers without overlap."""
    task = np.flatnonzero(placed.usable)
    group, start, end = held
    first = len(group) - len(changes.place)
    levels = sweep(times.scale, group, start, end, np.ones(len(group), dtype=np.int64))
    slots = instance.devices.slots[placed.device]

    def tell(event: int) -> tuple[str, str]:
        interval, unit = int(levels.interval[event]), int(levels.group[event])
        name = placed.name(instance, unit)
        what = (
            f"task {instance.tasks.name[task[interval]]}"
            if interval < len(task)
            else "a transfer that takes a slot"
            if interval < first
            else changes.name(instance, interval - first)
        )
        several = "tasks, transfers and set-ups" if len(changes.task) else "tasks and transfers"
        return (
            (
                f"Unit {name} runs {levels.level[event]} {several} at once from "
                f"{show(times.scale.seconds(start[interval]), 's')} on, when {what} starts; it has "
                f"{slots[unit]} slots."
            ),
            name,
        )

    findings.rows("slots", levels.excess(slots.astype(np.float64)), tell)


def _check_channels(instance: Instance, times: Timeline, hops: Hops, findings: Findings) -> None:
    """Check that hops find a channel free for their whole time, one each."""
    group = instance.links.channel_group[hops.link]
    held = np.flatnonzero(group >= 0)
    start, end = times.hop_start[held], times.hop_end[held]
    levels = sweep(times.scale, group[held], start, end, np.ones(len(held), dtype=np.int64))
    channels = instance.links.group_channels

    def tell(event: int) -> tuple[str, str]:
        interval = int(levels.interval[event])
        name = link_name(instance, hops.link[held[interval]])
        return (
            (
                f"{levels.level[event]} hops use the channels of link {name} at once from "
                f"{show(times.scale.seconds(start[interval]), 's')} on; there are "
                f"{channels[levels.group[event]]}."
            ),
            name,
        )

    findings.rows("channels", levels.excess(channels.astype(np.float64)), tell)


def _check_memory(
    instance: Instance, placed: Placed, times: Timeline, moves: Moves, findings: Findings
) -> None:
    """Check that weights, working memory, outputs and copies fit each unit and each pool."""
    devices, pools = instance.devices, instance.pools
    per_device = devices.memory_b
    per_pool = np.append(pools.memory_b, np.inf)[devices.pool]
    if np.isinf(per_device).all() and np.isinf(per_pool).all():
        return
    task = np.flatnonzero(placed.usable)
    made = np.flatnonzero(placed.usable[instance.tensors.producer])
    copied = np.flatnonzero(moves.leg != WRITE)
    producer = instance.tensors.producer[made]
    place = np.concatenate([placed.place[task], placed.place[producer], moves.place[copied]])
    start = np.concatenate([times.start[task], times.start[producer], moves.first_start[copied]])
    end = np.concatenate([times.end[task], moves.hold_end[made], moves.copy_end[copied]])
    tensor_b = instance.tensors.bytes_b
    size = np.concatenate(
        [
            instance.options.memory_b[placed.option[task]],
            tensor_b[made],
            tensor_b[moves.tensor[copied]],
        ]
    )
    weights = _weights(instance, placed, task)
    units = np.arange(len(placed.device))
    names = [placed.name(instance, unit) for unit in units.tolist()]
    rows = (place, start, end, size)
    limit = per_device[placed.device]
    _fit(times, findings, ("memory", "Unit", names), rows, (units, weights, limit))
    pool = devices.pool[placed.device]
    labels = ("pool-memory", "Memory pool", list(pools.name))
    _fit(times, findings, labels, rows, (pool, weights, pools.memory_b))


def _fit(
    times: Timeline,
    findings: Findings,
    labels: tuple[str, str, list[str]],
    rows: tuple[Ints, Numbers, Numbers, Floats],
    groups: tuple[Ints, Floats, Floats],
) -> None:
    """Check that what is held at any time fits each group of units.

    Parameters
    ----------
    labels
        Kind of violation, what a group is, and the groups' names.
    rows
        What is held: place, from, to, bytes.
    groups
        Per place its group (-1: none) and weights (B); per group its memory (B).
    """
    kind, what, names = labels
    place, start, end, size = rows
    group_of, weights, capacity = groups
    base = np.zeros(len(capacity))
    np.add.at(base, group_of[group_of >= 0], weights[group_of >= 0])
    full = np.array([exceeds(b, c) for b, c in zip(base, capacity, strict=True)], dtype=bool)
    findings.rows(
        kind,
        np.flatnonzero(full),
        lambda g: (
            (
                f"{what} {names[g]} holds {show(base[g], 'B')} of weights all the time; its "
                f"memory is {show(capacity[g], 'B')}."
            ),
            names[g],
        ),
    )
    # Where the weights alone are too much, that was said already.
    capacity = np.append(np.where(full, np.inf, capacity), np.inf)
    group = group_of[place]
    # Groups whose demands would fit all at once need no sweep.
    most = np.append(base, 0.0)
    np.add.at(most, group, size)
    some = np.flatnonzero((most > capacity)[group] & (size > 0))
    group, start, end = group[some], start[some], end[some]
    held = sweep(times.scale, group, start, end, amounts(size[some]))
    levels = Levels(held.interval, held.is_start, held.group, held.level + base[held.group])
    findings.rows(
        kind,
        levels.excess(capacity),
        lambda event: (
            (
                f"{what} {names[levels.group[event]]} holds {show(levels.level[event], 'B')} from "
                f"{show(times.scale.seconds(start[levels.interval[event]]), 's')} on; its memory "
                f"is {show(capacity[levels.group[event]], 'B')}."
            ),
            names[levels.group[event]],
        ),
    )


def _weights(instance: Instance, placed: Placed, task: Ints) -> Floats:
    """Return the weights (B) that each unit holds: each key of all that it ever runs, once."""
    options = instance.options
    key = options.weights_key[placed.option[task]]
    task = task[key >= 0]
    key = key[key >= 0]
    wide = int(key.max(initial=0)) + 1
    pairs, sample = np.unique(placed.place[task] * wide + key, return_index=True)
    size = options.weights_b[placed.option[task[sample]]]
    held: Floats = np.zeros(len(placed.device))
    np.add.at(held, pairs // wide, size)
    return held


def _check_power(
    instance: Instance,
    placed: Placed,
    timed: tuple[Timeline, Speeds],
    more: tuple[Changes, Drawn],
    findings: Findings,
) -> float:
    """Check that idle power of units on plus what runs and what is set up stays below the cap.

    Sleep takes away from it; waking and going on add to it.
    """
    (times, speeds), (changes, drawn) = timed, more
    options, cap = instance.options, instance.limits.power_cap_w
    task = speeds.task
    runs = (instance.tasks.work[task] > 0) & (options.time_s[placed.option[task]] > 0)
    # Between two changes of rate that should be one there is nothing.
    several = np.bincount(task, minlength=len(placed.option))[task] > 1
    runs &= ~(several & np.asarray(speeds.end - speeds.start <= times.scale.slack, dtype=bool))
    task, rate = task[runs], speeds.rate[runs]
    option = placed.option[task]
    on, _ = placed.units_on(instance)
    # Rounding of these sums is far below the tolerance of limits. What is slowed draws less.
    draw: Numbers = options.energy_j[option] / options.time_s[option] * rate
    idle = instance.devices.idle_power_w
    boards_on, _ = placed.boards_on(instance)
    steady = float((idle * on).sum()) + float((instance.boards.idle_power_w * boards_on).sum())
    start = np.concatenate([speeds.start[runs], changes.start])
    end = np.concatenate([speeds.end[runs], changes.end])
    draw = np.concatenate([draw, changes.power_w])
    if drawn.segments:
        return check_power_with_sleep(times, drawn, steady, (start, end, draw), cap, findings)
    held = sweep(times.scale, np.zeros(len(start), dtype=np.int64), start, end, draw)

    def starting(interval: int) -> str:
        if interval < len(task):
            return f"task {instance.tasks.name[task[interval]]}"
        return changes.name(instance, interval - len(task))

    task_of = np.concatenate([task, changes.task])
    levels = Levels(held.interval, held.is_start, held.group, held.level + steady)
    if exceeds(steady, cap):
        findings.add(
            "power-cap",
            f"The units that are on draw {show(steady, 'W')} when idle; the power cap is "
            f"{show(cap, 'W')}.",
        )
    else:
        findings.rows(
            "power-cap",
            levels.excess(np.array([cap])),
            lambda event: (
                (
                    f"The power is {show(levels.level[event], 'W')} from "
                    f"{show(times.scale.seconds(start[levels.interval[event]]), 's')} on, when "
                    f"{starting(int(levels.interval[event]))} starts; the power "
                    f"cap is {show(cap, 'W')}."
                ),
                instance.tasks.name[task_of[levels.interval[event]]],
            ),
        )
    return max(steady, levels.peak())
