"""Shadow prices of limits, in a line for people."""

from __future__ import annotations

from typing import Any

SHOWN = 3
"""Devices and jobs that are named; the JSON output has all."""

UNITS = {"power": "W", "throughput": "requests/s", "cost": "money/s", "carbon": "kg/s"}
"""SI units of the objectives of streams; accuracy has none."""


def marginal_line(marginal: dict[str, Any]) -> str:
    """Return the shadow prices of the limits that matter most, each with its unit."""
    unit = UNITS.get(marginal["objective"], "")
    per_s = f"{unit} per request/s"
    parts = []
    if marginal["power_cap_w"] is not None:
        parts.append(f"power cap {marginal['power_cap_w']:+.4g} {unit} per W")
    if marginal["budget_per_s"] is not None:
        parts.append(f"budget {marginal['budget_per_s']:+.4g} {unit} per money/s")
    parts += _largest(marginal["devices"], "device", "unit", f"{unit} per unit")
    parts += _largest(marginal["jobs"], "job", "rate_per_s", per_s)
    if not parts:
        return ""
    return f"Shadow prices of {marginal['objective']} (LP relaxation): {'; '.join(parts)}."


def _largest(rows: list[dict[str, Any]], name: str, key: str, unit: str) -> list[str]:
    worth = [row for row in rows if row[key]]
    worth.sort(key=lambda row: -abs(row[key]))
    return [f"{row[name]} {row[key]:+.4g} {unit.strip()}" for row in worth[:SHOWN]]
