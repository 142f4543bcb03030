"""Shadow prices of limits, in a line for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hetopt import units
from hetopt.evaluate.with_units import money
from hetopt.instance import Instance

SHOWN = 3
"""Devices and jobs that are named; the JSON output has all."""

UNITS = {"power": ("W", 1.0), "throughput": ("requests/s", 1.0), "carbon": ("kg/h", 3600.0)}
"""Units of the objectives of streams, and how many there are in one of SI; accuracy has none."""


def marginal_line(instance: Instance, marginal: dict[str, Any]) -> str:
    """Return the shadow prices of the limits that matter most, each with its unit."""
    name = instance.currency or "money"
    time, hours = ("h", 3600.0) if instance.currency else ("s", 1.0)
    unit, factor = UNITS.get(marginal["objective"], ("", 1.0))
    if marginal["objective"] == "cost":
        unit, factor = f"{name}/{time}", hours
    parts = []
    if marginal["power_cap_w"] is not None:
        held = _held(marginal.get("power_cap_holds_w"), lambda w: units.format(w, "power"))
        parts.append(f"power cap {factor * marginal['power_cap_w']:+.4g} {unit} per W{held}")
    if marginal["budget_per_s"] is not None:
        worth = factor * marginal["budget_per_s"] / hours
        held = _held(
            marginal.get("budget_holds_per_s"), lambda v: money(instance, v, per_time=True)
        )
        parts.append(f"budget {worth:+.4g} {unit} per {name}/{time}{held}")
    parts += _largest(marginal["devices"], "device", "unit", factor, f"{unit} per unit")
    parts += _largest(marginal["jobs"], "job", "rate_per_s", factor, f"{unit} per request/s")
    if not parts:
        return ""
    return f"Shadow prices of {marginal['objective']} (LP relaxation): {'; '.join(parts)}."


def _held(ends: list[float | None] | None, shown: Callable[[float], str]) -> str:
    """Say from where to where a price holds, nothing where that is not known."""
    if ends is None or ends == [None, None]:
        return ""
    low, high = ("any" if end is None else shown(end) for end in ends)
    return f" (from {low} to {high})"


def _largest(
    rows: list[dict[str, Any]], name: str, key: str, factor: float, unit: str
) -> list[str]:
    worth = [row for row in rows if row[key]]
    worth.sort(key=lambda row: -abs(row[key]))
    return [f"{row[name]} {factor * row[key]:+.4g} {unit.strip()}" for row in worth[:SHOWN]]
