"""What the picture of a schedule shows: rows of bars, and curves under them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt import units
from hetopt.evaluate.optional import runs_of
from hetopt.evaluate.over_time.steps import Steps
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.setups import setup_names
from hetopt.evaluate.timeline import memory_over_time, power_over_time
from hetopt.instance import Floats, Instance, Ints
from hetopt.report.lanes import lanes
from hetopt.solution import SchedulePlan

MOST_LINKS = 12
"""Links that have a row each."""

MOST_CURVES = 8
"""Units whose memory is drawn: those with the largest peaks."""

MOST_LIMITS = 12
"""Deadlines that are drawn; of more none is."""

FAR = 4.0
"""A deadline beyond so many times the window is not drawn: it would make the rest small."""

DIGITS = 9
"""Significant digits of times in the page."""


def gantt(instance: Instance, plan: SchedulePlan) -> dict[str, Any]:
    """Return rows, bars and curves as the page's script takes them.

    Returns
    -------
    dict
        ``rows``: names; ``bars``: row, begin, end (s), name, colour (of the job,
        or of the profile where there is one job; -1: a hop or a set-up), more text;
        ``curves``: name, peak as text, times (s) and values, ``limit`` and its text where there
        is one; ``end``: of the time axis (s); ``limits``: time (s) and name of deadlines.
    """
    instance, plan = runs_of(instance, plan)
    q = ScheduleQuantities(instance, plan)
    rows: list[str] = []
    bars: list[list[Any]] = []
    group = instance.tasks.job if len(instance.jobs) > 1 else instance.tasks.profile
    unit_key = q.device * (int(plan.unit.max(initial=0)) + 1) + plan.unit
    for key in np.unique(unit_key).tolist():
        mine = np.flatnonzero(unit_key == key)
        name = instance.unit_name(int(q.device[mine[0]]), int(plan.unit[mine[0]]))
        lane = _rows(rows, name, plan.start_s[mine], q.end_s[mine])
        for t, row in zip(mine.tolist(), lane.tolist(), strict=True):
            label = str(instance.options.label[plan.option[t]])
            energy = units.format(float(q.task_energy_j[t]), "energy", digits=4)
            more = f"{instance.jobs.name[instance.tasks.job[t]]}, {label or 'its option'}, {energy}"
            bars.append(
                [
                    row,
                    _short(plan.start_s[t]),
                    _short(q.end_s[t]),
                    str(instance.tasks.name[t]),
                    int(group[t]),
                    more,
                ]
            )
        bars += _setups(instance, q, mine, int(lane.min()))
    bars += _hops(instance, q, rows)
    bars.sort(key=lambda bar: (bar[0], bar[1]))
    limits = deadlines(instance)
    drawn = [[_short(t), name] for t, name in limits]
    end = max([q.window_s, *(t for t, _ in limits if t <= FAR * q.window_s)])
    return {
        "rows": rows,
        "bars": bars,
        "curves": _curves(instance, plan),
        "end": end,
        "limits": drawn,
    }


def _setups(instance: Instance, q: ScheduleQuantities, tasks: Ints, row: int) -> list[list[Any]]:
    """Return the bars of the set-ups of a unit, which has one slot; instant ones are not drawn."""
    runs = q.setups
    bars = []
    for k, names in enumerate(setup_names(instance, q.plan, runs)):
        if runs.time_s[k] > 0 and int(runs.task[k]) in tasks:
            energy = units.format(float(runs.energy_j[k]), "energy", digits=4)
            more = f"set-up from {names[0]}, {energy}"
            begin, end = _short(runs.start_s[k]), _short(runs.end_s[k])
            bars.append([row, begin, end, f"set-up: {names[1]}", -1, more])
    return bars


def deadlines(instance: Instance) -> list[tuple[float, str]]:
    """Return the hard ends of a schedule, each time once, with whose they are; few of many."""
    names: dict[float, list[str]] = {}
    for time, job in zip(instance.jobs.deadline_s.tolist(), instance.jobs.name, strict=True):
        if np.isfinite(time):
            names.setdefault(float(time), []).append(str(job))
    found = [
        (t, f"deadline of {own[0]}" if len(own) == 1 else f"deadline of {len(own)} jobs")
        for t, own in sorted(names.items())
    ]
    if len(found) > MOST_LIMITS:
        found = []
    horizon = instance.limits.horizon_s
    if np.isfinite(horizon) and horizon not in names:
        found.append((float(horizon), "horizon"))
    return found


def _hops(instance: Instance, q: ScheduleQuantities, rows: list[str]) -> list[list[Any]]:
    """Add a row per link, or per sending device where there are many; return the bars in them."""
    hops, names = q.plan.hops, instance.devices.name
    links = np.unique(hops.link).tolist()
    source = instance.links.src
    if len(links) <= MOST_LINKS:
        row_of = {link: len(rows) + k for k, link in enumerate(links)}
        rows += [f"{names[source[i]]} → {names[instance.links.dst[i]]}" for i in links]
    else:
        senders = sorted({int(source[i]) for i in links})
        row_of = {i: len(rows) + senders.index(int(source[i])) for i in links}
        rows += [f"from {names[device]}" for device in senders]
    bars = []
    for h in range(len(hops)):
        tensor, link = int(hops.tensor[h]), int(hops.link[h])
        producer = instance.tasks.name[instance.tensors.producer[tensor]]
        size = units.format(float(instance.tensors.bytes_b[tensor]), "bytes", digits=4)
        ends = f"{names[source[link]]} → {names[instance.links.dst[link]]}"
        bars.append(
            [
                row_of[link],
                _short(hops.start_s[h]),
                _short(hops.start_s[h] + q.hop_time_s[h]),
                str(instance.tensors.name[tensor]) or f"from {producer}",
                -1,
                f"{ends}, {size}",
            ]
        )
    return bars


def _rows(rows: list[str], name: str, begin: Floats, end: Floats) -> Ints:
    """Add the rows of a unit or link; return the row of each of its bars."""
    lane = lanes(begin, end)
    first = len(rows)
    rows += [name if not k else f"{name} ({k + 1})" for k in range(int(lane.max(initial=0)) + 1)]
    return lane + first


def _curves(instance: Instance, plan: SchedulePlan) -> list[dict[str, Any]]:
    power = power_over_time(instance, plan)
    cap = float(instance.limits.power_cap_w)
    curves = [_curve("power", power, "power", cap, "cap")] if power.peak > 0 else []
    memory = memory_over_time(instance, plan)
    largest = sorted(memory, key=lambda unit: -memory[unit].peak)[:MOST_CURVES]
    pools = np.append(instance.pools.memory_b, np.inf)
    for unit in sorted(largest):
        room, called = float(instance.devices.memory_b[unit[0]]), "of"
        if not np.isfinite(room):
            room, called = float(pools[instance.devices.pool[unit[0]]]), "pool"
        name = f"memory {instance.unit_name(*unit)}"
        curves.append(_curve(name, memory[unit], "bytes", room, called))
    return curves


def _curve(name: str, steps: Steps, dimension: str, limit: float, called: str) -> dict[str, Any]:
    curve: dict[str, Any] = {
        "name": name,
        "peak": units.format(steps.peak, dimension, digits=4),
        "time": [_short(t) for t in steps.time_s],
        "value": [_short(v) for v in steps.value],
    }
    if np.isfinite(limit):
        curve["limit"] = _short(limit)
        curve["called"] = f"{called} {units.format(limit, dimension, digits=4)}"
    return curve


def _short(value: Any) -> float:
    return float(f"{float(value):.{DIGITS}g}")
