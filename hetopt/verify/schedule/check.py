"""Checks of a schedule: placement, times and groups; transfers and resources are beside it.

Rules are those of docs/quantities.md, schedule regime. Rows that cannot be read (an option of
another task's profile, a unit that does not exist, a start that is no number) are reported and left
out of the further checks, so that one mistake does not drown in its consequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import NO_MAXIMUM, Bools, Floats, Instance, Ints
from hetopt.solution import WRITE, Hops, SchedulePlan
from hetopt.verify.columns import check_options, read_columns
from hetopt.verify.exact import timeline
from hetopt.verify.report import Findings, Mode, show
from hetopt.verify.schedule.placed import Placed
from hetopt.verify.schedule.rules import check_rules

if TYPE_CHECKING:
    from hetopt.verify.schedule.idle_sleep_start_up import Drawn


def check_schedule(
    instance: Instance, plan: SchedulePlan, findings: Findings
) -> tuple[dict[str, float], dict[str, float], Mode]:
    """Check every rule of the schedule regime.

    Returns
    -------
    tuple
        Objectives, the scales of those that prices over time make, and the arithmetic used.
    """
    objectives, scales, mode, _ = check_and_draw(instance, plan, findings)
    return objectives, scales, mode


def check_and_draw(
    instance: Instance, plan: SchedulePlan, findings: Findings, repeated: Drawn | None = None
) -> tuple[dict[str, float], dict[str, float], Mode, Drawn]:
    """Check every rule; also return what sleep, waking and going on draw.

    Parameters
    ----------
    repeated
        The same, where it is known of the cycle that is written out here.
    """
    # These modules use the types above.
    from hetopt.verify.schedule.idle_sleep_start_up import Drawn, check_ready, holding, idling
    from hetopt.verify.schedule.objectives import totals
    from hetopt.verify.schedule.setups import find_changes
    from hetopt.verify.schedule.slowing import slowed
    from hetopt.verify.schedule.transfers import check_transfers
    from hetopt.verify.schedule.usage import check_resources

    n = len(instance.tasks)
    read = read_columns(
        findings,
        [
            ("option", plan.option, True),
            ("unit", plan.unit, True),
            ("start_s", plan.start_s, False),
        ],
        n,
    )
    rows = _read_hops(instance, plan.hops, findings)
    if read is None or rows is None:
        return {}, {}, "float", Drawn()
    option, unit, start = read
    hops, spoilt = rows
    placed, start = _placement(instance, option, unit, start, findings)
    work = np.where(placed.usable, instance.tasks.work, 0.0)
    time_s = instance.options.time_s[placed.option] if len(instance.options) else np.zeros(n)
    times = timeline(instance, start, work, time_s, (hops.tensor, hops.link, hops.start_s))
    times, speeds = slowed(instance, placed, work, time_s, times)
    check_rules(instance, placed, times, findings)
    accuracy = _check_accuracy(instance, placed, findings)
    moves = check_transfers(instance, placed, times, hops, spoilt, findings)
    changes = find_changes(instance, placed, times, findings)
    runs = times, speeds
    held = holding(instance, placed, times, moves, changes)
    check_ready(instance, placed, times, held, changes, findings)
    drawn = idling(instance, placed, times, held) if repeated is None else repeated
    peak = check_resources(instance, placed, runs, hops, moves, (changes, held, drawn), findings)
    found = totals(instance, placed, runs, hops, (changes, drawn), peak, accuracy)
    return *found, times.scale.mode, drawn


def _read_hops(instance: Instance, hops: object, findings: Findings) -> tuple[Hops, Bools] | None:
    """Return the hops that can be read, and which tensors (N) have others."""
    if not isinstance(hops, Hops):
        findings.add("malformed-plan", "The plan's hops are not a table of hops.", "hops")
        return None
    names = ("tensor", "leg", "dst_device", "dst_unit", "ordinal", "link", "start_s")
    read = read_columns(
        findings, [(f"hops.{name}", getattr(hops, name), name != "start_s") for name in names], None
    )
    if read is None:
        return None
    table = Hops(*read)
    devices = instance.devices
    faults = np.zeros(len(table), dtype=np.int64)
    device = np.clip(table.dst_device, 0, max(0, len(devices) - 1))
    most = devices.count_max[device] if len(devices) else np.zeros_like(device)
    write = table.leg == WRITE
    bad_unit = np.where(
        write,
        table.dst_unit != -1,
        (table.dst_unit < 0) | ((most != NO_MAXIMUM) & (table.dst_unit >= most)),
    )
    tests = [
        ((table.tensor < 0) | (table.tensor >= len(instance.tensors)), "no such tensor"),
        ((table.leg < 0) | (table.leg > 2), "no such leg"),
        ((table.dst_device < 0) | (table.dst_device >= len(devices)), "no such device"),
        (bad_unit, "no such destination unit"),
        ((table.link < 0) | (table.link >= len(instance.links)), "no such link"),
        (~np.isfinite(table.start_s) | (table.start_s < 0), "a start that is no time from 0 on"),
    ]
    for i, (mask, _) in reversed(list(enumerate(tests, start=1))):
        faults[mask] = i
    findings.rows(
        "malformed-hop",
        np.flatnonzero(faults),
        lambda i: (
            (
                f"Row {i} of the hops (tensor {table.tensor[i]}, leg {table.leg[i]}, link "
                f"{table.link[i]}, to unit {table.dst_unit[i]} of device {table.dst_device[i]}, "
                f"start {show(table.start_s[i], 's')}) names {tests[faults[i] - 1][1]}."
            ),
            f"hops[{i}]",
        ),
    )
    sound = faults == 0
    spoilt = np.zeros(len(instance.tensors), dtype=bool)
    spoilt[table.tensor[~sound & ~tests[0][0]]] = True
    return Hops(*(column[sound] for column in read)), spoilt


def _placement(
    instance: Instance, option: Ints, unit: Ints, start: Floats, findings: Findings
) -> tuple[Placed, Floats]:
    tasks, devices = instance.tasks, instance.devices
    n = len(tasks)
    own = check_options(instance, np.arange(n), option, findings)
    option = np.where(own, option, 0)
    device = instance.options.device[option] if len(instance.options) else np.zeros(n, np.int64)
    most = devices.count_max[device]
    there = (unit >= 0) & ((most == NO_MAXIMUM) | (unit < most))
    findings.rows(
        "unit-range",
        np.flatnonzero(own & ~there),
        lambda t: (
            (
                f"Task {tasks.name[t]} runs on unit {unit[t]} of device {devices.name[device[t]]}, "
                f"which has {most[t]} units, numbered from 0."
            ),
            tasks.name[t],
        ),
    )
    pinned = (tasks.pin_unit >= 0) & (tasks.pin_unit != unit) & (tasks.pin_device == device)
    findings.rows(
        "pinned-unit",
        np.flatnonzero(own & there & pinned),
        lambda t: (
            (
                f"Task {tasks.name[t]} runs on {instance.unit_name(device[t], unit[t])}, but it is "
                f"pinned to unit {tasks.pin_unit[t]}."
            ),
            tasks.name[t],
        ),
    )
    timed = np.isfinite(start) & (start >= 0)
    findings.rows(
        "start-time",
        np.flatnonzero(~timed),
        lambda t: (
            f"Task {tasks.name[t]} starts at {show(start[t], 's')}, which is no time from 0 on.",
            tasks.name[t],
        ),
    )
    usable = own & there & timed
    wide = int(unit[usable].max(initial=0)) + 1
    keys, place = np.unique(device[usable] * wide + unit[usable], return_inverse=True)
    places = np.full(n, -1, dtype=np.int64)
    places[usable] = place
    placed = Placed(usable, option, places, keys // wide, keys % wide)
    return placed, np.where(usable, start, 0.0)


def _check_accuracy(instance: Instance, placed: Placed, findings: Findings) -> float | None:
    """Check ``min_accuracy``; return the weighted mean accuracy, None where none is stated."""
    jobs = instance.jobs
    stated = instance.options.accuracy
    if not len(stated) or np.isnan(stated).all():
        return None
    accuracy = np.where(placed.usable, stated[placed.option], np.nan)
    worst = np.full(len(jobs), np.inf)
    known = np.flatnonzero(~np.isnan(accuracy))
    np.minimum.at(worst, instance.tasks.job[known], accuracy[known])
    some = np.isfinite(worst)
    slack = LIMIT_TOLERANCE * np.abs(jobs.min_accuracy)
    findings.rows(
        "min-accuracy",
        np.flatnonzero(some & (worst < jobs.min_accuracy - slack)),
        lambda j: (
            (
                f"Job {jobs.name[j]} has accuracy {show(worst[j])}, less than the "
                f"{show(jobs.min_accuracy[j])} that it must have."
            ),
            jobs.name[j],
        ),
    )
    weight = float(jobs.weight[some].sum())
    return float((jobs.weight[some] * worst[some]).sum() / weight) if weight > 0 else None
