"""Scenarios side by side: what each draws, and what it serves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from hetopt import units
from hetopt.instance import Instance
from hetopt.report import charts

KEY = (
    '<p class="key"><span><i class="ka"></i>work, above idle</span>'
    '<span><i class="kb"></i>idle</span></p>'
)


def scenario_pictures(instance: Instance, quantities: Mapping[str, Any]) -> list[str]:
    """Draw power and throughput of the scenarios, in their order."""
    scenarios = quantities["scenarios"]
    power = [
        (str(s["scenario"]), (s["power_w"] - s["idle_power_w"], s["idle_power_w"]))
        for s in scenarios
    ]
    rate = [(str(s["scenario"]), (s["throughput_per_s"],)) for s in scenarios]
    cap = float(instance.limits.power_cap_w)
    watts = partial(units.format, dimension="power")
    per_s = partial(units.format, dimension="rate")
    return [
        "<h2>Power by scenario</h2>",
        KEY,
        charts.columns(power, "Power of each scenario", watts, cap, "power cap"),
        "<h2>Requests served by scenario</h2>",
        charts.columns(rate, "Throughput of each scenario", per_s),
    ]
