"""Values of objectives with their units, as people read them."""

from __future__ import annotations

import math

from hetopt import units
from hetopt.instance import Instance

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
    if name in DIMENSIONS:
        return units.format(value, DIMENSIONS[name], digits=OBJECTIVE_DIGITS)
    if name == "cost":
        money = instance.currency or "money"
        if instance.regime == "schedule":
            return f"{value:.6g} {money}"
        if not instance.currency:
            # Prices of a file without units are numbers as they stand; they have no hour.
            return f"{value:.6g} {money}/s"
        return f"{value * 3600:.6g} {money}/h"
    if name == "carbon":
        return f"{value:.6g} kg" if instance.regime == "schedule" else f"{value * 3.6e6:.6g} g/h"
    return f"{value:.4%}"
