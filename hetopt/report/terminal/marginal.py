"""The worth of one more of each limit, in a line for people."""

from __future__ import annotations

from typing import Any

SHOWN = 3
"""Devices and jobs that are named; the JSON output has all."""


def marginal_line(marginal: dict[str, Any]) -> str:
    """Return what one more of the limits that matter most changes of the objective, in SI units."""
    parts = []
    if marginal["power_cap_w"] is not None:
        parts.append(f"1 W of power cap {marginal['power_cap_w']:+.4g}")
    if marginal["budget_per_s"] is not None:
        parts.append(f"1/s of budget {marginal['budget_per_s']:+.4g}")
    parts += _largest("a unit of {}", marginal["devices"], "device", "unit")
    parts += _largest("1 request/s of {}", marginal["jobs"], "job", "rate_per_s")
    if not parts:
        return ""
    return f"One more, by the relaxation, changes {marginal['objective']} by: {'; '.join(parts)}."


def _largest(words: str, rows: list[dict[str, Any]], name: str, key: str) -> list[str]:
    worth = [row for row in rows if row[key]]
    worth.sort(key=lambda row: -abs(row[key]))
    return [f"{words.format(row[name])} {row[key]:+.4g}" for row in worth[:SHOWN]]
