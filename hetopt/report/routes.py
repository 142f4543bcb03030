"""Routes of streams as people read them: those that differ in their units alone are one row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt import units
from hetopt.instance import Instance
from hetopt.solution import ScenarioPlan, SteadyPlan, StreamPlan

SAME = 6
"""Significant digits of the rates of routes that are shown as one."""


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One or several equal routes: where they run, and the rate of all together.

    ``demand`` is the scenario or period, empty where there are none.
    """

    demand: str
    job: str
    rate_per_s: float
    placed: str


def route_rows(instance: Instance, plan: StreamPlan) -> list[RouteRow]:
    """Return the rows of all routes that are used, in the order of the plan."""
    if isinstance(plan, ScenarioPlan):
        names = [str(name) for name in instance.scenarios.name]
        parts = zip(names, plan.plans, strict=True)
        return [row for name, part in parts for row in _rows(instance, part, name)]
    return _rows(instance, plan, "")


def _rows(instance: Instance, plan: SteadyPlan, demand: str) -> list[RouteRow]:
    alike: dict[tuple[object, ...], list[int]] = {}
    for k in np.flatnonzero(plan.rate_per_s > 0).tolist():
        mine = slice(plan.ptr[k], plan.ptr[k + 1])
        places = zip(plan.task[mine].tolist(), plan.option[mine].tolist(), strict=True)
        named = tuple((plan.unit[mine] >= 0).tolist())
        rate = f"{plan.rate_per_s[k]:.{SAME - 1}e}"
        alike.setdefault((int(plan.route_job[k]), tuple(places), named, rate), []).append(k)
    return [_row(instance, plan, demand, routes) for routes in alike.values()]


def _row(instance: Instance, plan: SteadyPlan, demand: str, routes: list[int]) -> RouteRow:
    first, placed = routes[0], []
    for at in range(int(plan.ptr[first]), int(plan.ptr[first + 1])):
        beside = at - int(plan.ptr[first])
        used = sorted({int(plan.unit[int(plan.ptr[k]) + beside]) for k in routes})
        option = int(plan.option[at])
        place = str(instance.devices.name[instance.options.device[option]])
        place += f"#{ranges(used)}" if used[0] >= 0 else ""
        label = str(instance.options.label[option])
        task = instance.tasks.name[plan.task[at]]
        placed.append(f"{task} on {place}" + (f" ({label})" if label else ""))
    rate = float(sum(plan.rate_per_s[k] for k in routes))
    text = ", ".join(placed)
    if len(routes) > 1:
        each = units.format(float(plan.rate_per_s[first]), "rate")
        text += f"; {len(routes)} routes of {each} each"
    return RouteRow(demand, str(instance.jobs.name[plan.route_job[first]]), rate, text)


def ranges(numbers: list[int]) -> str:
    """Write ascending whole numbers with those that follow each other as ranges: ``0-3,7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else f"{p[0]}" for p in parts)
