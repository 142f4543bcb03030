"""Values of objectives with their units, as people read them."""

from __future__ import annotations

import math

from hetopt import units
from hetopt.instance import Floats, Instance

STATED_DIGITS = 6
"""Significant digits of limits that a file states, so that they are known again."""
MOST_DIGITS = 9
"""Significant digits of times that lie close together."""
OBJECTIVE_DIGITS = 6
"""Significant digits of objectives and bounds, so that a small gap can be seen."""

DIMENSIONS = {
    "energy": "energy",
    "makespan": "time",
    "tardiness": "time",
    "peak_power": "power",
    "power": "power",
    "throughput": "rate",
}


def quantity(instance: Instance, name: str, value: float | None) -> str:
    """Write an objective's value with its unit; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if instance.unitless and name != "accuracy":
        return as_published(value)
    if name in DIMENSIONS:
        return units.format(value, DIMENSIONS[name], digits=OBJECTIVE_DIGITS)
    if name == "cost":
        streams = instance.regime == "steady"
        if not instance.currency:
            return f"{value:.6g}/s" if streams else f"{value:.6g}"
        return money(instance, value, per_time=streams)
    if name == "carbon":
        mass = value if instance.regime == "schedule" else value * 3600
        text = units.format(mass, "carbon", digits=OBJECTIVE_DIGITS)
        return text if instance.regime == "schedule" else f"{text}/h"
    if name == "value":
        return f"{value:.6g}/s" if instance.regime == "steady" else f"{value:.6g}"
    return f"{value:.4%}"


def as_published(value: float) -> str:
    """Write a number of a file without units: whole numbers with every digit."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def bound_with_unit(instance: Instance, name: str, bound: float, value: float, gap: float) -> str:
    """Write a bound; where it proves the value, as the value, from which it differs by rounding."""
    return quantity(instance, name, value if gap == 0 else bound)


def counted(number: int, one: str, of: str = "") -> str:
    """Write a number of things: ``1 start``, ``2 loads of weights``."""
    return f"{number} {one}{'' if number == 1 else 's'}{of}"


def sizes(instance: Instance) -> str:
    """Write how many tasks and devices there are: ``1,000 tasks, 1 device``."""
    tasks, devices = len(instance.tasks), len(instance.devices)
    return (
        f"{tasks:,} task{'' if tasks == 1 else 's'}, {devices} device{'' if devices == 1 else 's'}"
    )


def money(instance: Instance, value: float, *, per_time: bool = False) -> str:
    """Write an amount of money, or one per second as people state it."""
    name = instance.currency or "money"
    if not per_time:
        return f"{value:.6g} {name}"
    if not instance.currency:
        # Prices of a file without units are numbers as they stand; they have no hour.
        return f"{value:.6g} {name}/s"
    return f"{value * 3600:.6g} {name}/h"


def digits_of_times(start_s: Floats, end_s: Floats) -> int:
    """Return how many significant digits tell the start of each task from its end."""
    lasts = end_s - start_s
    ratio = float((end_s[lasts > 0] / lasts[lasts > 0]).max(initial=1.0))
    return min(MOST_DIGITS, max(4, 2 + math.ceil(math.log10(ratio))))


def shown(instance: Instance, value: float, dimension: str, digits: int = 4) -> str:
    """Write a quantity with its unit, or as published where the file had none."""
    value = float(value)
    if instance.unitless and math.isfinite(value):
        return as_published(value)
    return units.format(value, dimension, digits=digits)
