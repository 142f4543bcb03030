"""Checks of what a schedule uses at once: slots, channels, memory, power."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.solution import READ, WRITE, Hops
from hetopt.verify.exact import SMALL, Numbers, Timeline, amounts, exceeds, fractions
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule import Placed
from hetopt.verify.sweep import Levels, sweep
from hetopt.verify.transfers import Moves, link_name


def check_resources(
    instance: Instance,
    placed: Placed,
    times: Timeline,
    hops: Hops,
    moves: Moves,
    findings: Findings,
) -> float:
    """Check slots, channels, memory and power at every instant; return the peak power (W)."""
    _check_slots(instance, placed, times, moves, findings)
    _check_channels(instance, times, hops, findings)
    _check_memory(instance, placed, times, moves, findings)
    return _check_power(instance, placed, times, findings)


def _check_slots(
    instance: Instance, placed: Placed, times: Timeline, moves: Moves, findings: Findings
) -> None:
    """Check that a unit runs at most ``slots`` tasks (and transfers that do not overlap)."""
    task = np.flatnonzero(placed.usable)
    overlap = instance.devices.overlap
    place = placed.place[instance.tensors.producer[moves.tensor]]
    out = np.flatnonzero(~overlap[placed.device[place]] & (moves.leg != READ))
    into = np.flatnonzero((moves.leg != WRITE) & ~overlap[placed.device[moves.place]])
    group = np.concatenate([placed.place[task], place[out], moves.place[into]])
    start = np.concatenate([times.start[task], moves.first_start[out], moves.last_start[into]])
    end = np.concatenate([times.end[task], moves.first_end[out], moves.last_end[into]])
    levels = sweep(times.scale, group, start, end, np.ones(len(group), dtype=np.int64))
    slots = instance.devices.slots[placed.device]

    def tell(event: int) -> tuple[str, str]:
        interval, unit = int(levels.interval[event]), int(levels.group[event])
        name = placed.name(instance, unit)
        what = (
            f"task {instance.tasks.name[task[interval]]}"
            if interval < len(task)
            else "a transfer that takes a slot"
        )
        return (
            (
                f"Unit {name} runs {levels.level[event]} tasks and transfers at once from "
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
    device = placed.device[place]
    names = [placed.name(instance, u) for u in range(len(placed.device))]
    for kind, what, limit, group, base_group, labels in (
        ("memory", "Unit", per_device, place, np.arange(len(placed.device)), names),
        (
            "pool-memory",
            "Memory pool",
            per_pool,
            devices.pool[device],
            devices.pool[placed.device],
            list(pools.name),
        ),
    ):
        capacity = np.full(len(labels), np.inf)
        counted = np.isfinite(limit[placed.device])
        capacity[base_group[counted]] = limit[placed.device][counted]
        base = np.zeros(len(labels))
        np.add.at(base, base_group[counted], weights[counted])
        some = np.flatnonzero(np.isfinite(limit[device]) & (size > 0))
        rows = (group[some], start[some], end[some], size[some])
        _fit(times, findings, (kind, what, labels), rows, base, capacity)


def _fit(
    times: Timeline,
    findings: Findings,
    labels: tuple[str, str, list[str]],
    rows: tuple[Ints, Numbers, Numbers, Floats],
    base: Floats,
    capacity: Floats,
) -> None:
    kind, what, names = labels
    group, start, end, size = rows
    full = np.array([exceeds(b, c) for b, c in zip(base, capacity, strict=True)], dtype=bool)
    findings.rows(
        kind,
        np.flatnonzero(full),
        lambda g: (
            (
                f"{what} {names[g]} holds {show(base[g], 'B')} of weights all the time; its memory "
                f"is {show(capacity[g], 'B')}."
            ),
            names[g],
        ),
    )
    held = sweep(times.scale, group, start, end, amounts(size, small=len(size) <= 4 * SMALL))
    levels = Levels(held.interval, held.is_start, held.group, held.level + base[held.group])
    # Where the weights alone are too much, that was said already.
    capacity = np.where(full, np.inf, capacity)
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


def _check_power(instance: Instance, placed: Placed, times: Timeline, findings: Findings) -> float:
    """Check that idle power of units on plus what running options draw stays below the cap."""
    options, cap = instance.options, instance.limits.power_cap_w
    task = np.flatnonzero(placed.usable & (instance.tasks.work > 0))
    option = placed.option[task]
    runs = options.time_s[option] > 0
    task, option = task[runs], option[runs]
    on, _ = placed.units_on(instance)
    draw: Numbers = options.energy_j[option] / options.time_s[option]
    idle: Numbers = instance.devices.idle_power_w
    if len(task) <= SMALL:
        draw = fractions(options.energy_j[option]) / fractions(options.time_s[option])
        idle = fractions(idle)
    steady = (idle * on).sum() if len(on) else 0.0
    start, end = times.start[task], times.end[task]
    held = sweep(times.scale, np.zeros(len(task), dtype=np.int64), start, end, draw)
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
                    f"task {instance.tasks.name[task[levels.interval[event]]]} starts; the power "
                    f"cap is {show(cap, 'W')}."
                ),
                instance.tasks.name[task[levels.interval[event]]],
            ),
        )
    return max(float(steady), levels.peak())
