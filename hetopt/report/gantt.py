"""What the picture of a schedule shows: rows of bars, and curves under them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt import units
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.timeline import Steps, memory_over_time, power_over_time
from hetopt.instance import Floats, Instance, Ints
from hetopt.report.lanes import lanes
from hetopt.solution import SchedulePlan

MOST_LINKS = 12
"""Links that have a row each."""

MOST_CURVES = 8
"""Units whose memory is drawn: those with the largest peaks."""

DIGITS = 9
"""Significant digits of times in the page."""


def gantt(instance: Instance, plan: SchedulePlan) -> dict[str, Any]:
    """Return rows, bars and curves as the page's script takes them.

    Returns
    -------
    dict
        ``rows``: names; ``bars``: row, begin, end (s), name, colour (of the job,
        or of the profile where there is one job; -1: a hop), more text;
        ``curves``: name, peak as text, times (s) and values; ``end``: of the time axis (s).
    """
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
    bars += _hops(instance, q, rows)
    bars.sort(key=lambda bar: (bar[0], bar[1]))
    return {"rows": rows, "bars": bars, "curves": _curves(instance, plan), "end": q.window_s}


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
    curves = [_curve("power", power, "power")] if power.peak > 0 else []
    memory = memory_over_time(instance, plan)
    largest = sorted(memory, key=lambda unit: -memory[unit].peak)[:MOST_CURVES]
    curves += [
        _curve(f"memory {instance.unit_name(*unit)}", memory[unit], "bytes")
        for unit in sorted(largest)
    ]
    return curves


def _curve(name: str, steps: Steps, dimension: str) -> dict[str, Any]:
    return {
        "name": name,
        "peak": units.format(steps.peak, dimension, digits=4),
        "time": [_short(t) for t in steps.time_s],
        "value": [_short(v) for v in steps.value],
    }


def _short(value: Any) -> float:
    return float(f"{float(value):.{DIGITS}g}")
