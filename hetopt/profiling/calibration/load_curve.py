"""Idle and dynamic power of devices, from powers measured at several loads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance.instance import Instance
from hetopt.profiling.calibration.location import shrunk
from hetopt.profiling.tables.fields import Field, find_fields
from hetopt.profiling.tables.sheet import read_sheet

FIELDS = (
    Field("device", ("processor", "unit")),
    Field("load", ("utilisation", "utilization", "busy"), "fraction"),
    Field("power", ("draw", "power draw"), "power"),
)
LEAST_POINTS, LEAST_RANGE = 5, 0.3
"""Points, and the range of loads, below which a line means nothing."""
PRIOR_COUNT = 5.0
"""Points that a stated idle power counts as."""


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """A device's power as a line over its load.

    Attributes
    ----------
    device
        Its name.
    idle_w, stated_w
        Power at no load, shrunk to what was stated, and what was stated.
    dynamic_w
        What full load adds.
    points
        Measured points.
    spread_w
        Median distance of a point from the line.
    """

    device: str
    idle_w: float
    stated_w: float
    dynamic_w: float
    points: int
    spread_w: float


def fit_load_curves(instance: Instance, path: str | Path) -> list[LoadCurve]:
    """Fit power = idle + load × dynamic for each device of a table.

    The slope is the median of the slopes between points, the idle power the median of what is left
    (Theil and Sen), so that a quarter of the points may be wrong. A stated idle power counts as 5
    points; one that the instance says is not known counts nothing.

    Parameters
    ----------
    instance
        The instance that has the devices.
    path
        A table with columns ``device``, ``load`` (0 to 1, or in %) and ``power`` (whole draw).

    Raises
    ------
    InputError
        If a column is missing, a device unknown, or there are too few loads of a device.
    """
    sheet = read_sheet(path)
    found = find_fields(sheet, FIELDS)
    missing = [field.name for field in FIELDS if field.name not in found]
    if missing:
        text = f"Columns device, load and power; missing: {', '.join(missing)}."
        raise InputError([Problem(str(path), ", ".join(sheet.columns)[:80], text)])
    points: dict[str, list[tuple[float, float]]] = {}
    for i, row in enumerate(sheet.rows):
        name = row[found["device"].column].strip().partition("#")[0]
        load = sheet.number(i, found["load"].column) * found["load"].factor
        power = sheet.number(i, found["power"].column) * found["power"].factor
        if not 0 <= load <= 1.000001:
            raise sheet.problem(i, found["load"].column, "A load of 0 to 1, or of 0 to 100 %.")
        if not power >= 0:
            raise sheet.problem(i, found["power"].column, "A power of at least 0.")
        points.setdefault(name, []).append((load, power))
    devices = {str(n): i for i, n in enumerate(instance.devices.name.tolist())}
    curves = []
    for name, measured in points.items():
        if name not in devices:
            text = f"A device of the instance: {', '.join(devices)}."
            raise InputError([Problem(str(path), name, text)])
        curves.append(_curve(instance, devices[name], measured, str(path)))
    return curves


def _curve(
    instance: Instance, device: int, measured: list[tuple[float, float]], place: str
) -> LoadCurve:
    load, power = np.array(measured).T
    name = str(instance.devices.name[device])
    if len(load) < LEAST_POINTS or np.ptp(load) < LEAST_RANGE:
        text = f"At least {LEAST_POINTS} points over a range of loads of {LEAST_RANGE:g} or more."
        said = f"{len(load)} points over {np.ptp(load):.2f}"
        raise InputError([Problem(f"{place}, device {name}", said, text)])
    first, second = np.triu_indices(len(load), 1)
    apart = load[second] - load[first]
    slopes = (power[second] - power[first])[apart != 0] / apart[apart != 0]
    slope = max(float(np.median(slopes)), 0.0)
    rest = power - slope * load
    idle = float(np.median(rest))
    stated = float(instance.devices.idle_power_w[device])
    known = bool(instance.devices.idle_known[device]) and stated > 0
    idle = shrunk(idle, len(load), stated, PRIOR_COUNT if known else 0.0)
    return LoadCurve(
        name,
        float(f"{max(idle, 0.0):.6g}"),
        stated if known else math.nan,
        slope,
        len(load),
        float(np.median(np.abs(rest - np.median(rest)))),
    )
