"""Plans of placements: from a solved model, and as much as one can serve."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.errors import InputError
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.solution import SteadyPlan
from hetopt.steady.model.resources import resource_limits, taken_per_request
from hetopt.steady.placement.variables import PlacementModel, Unit


def plan_of_model(
    instance: Instance, model: PlacementModel, solver: Any, theta: float | None
) -> SteadyPlan:
    """Make the plan of a placement; with θ free, serve as much as it can."""
    chosen: dict[int, tuple[int, Unit]] = {}
    for (t, o, unit), x in model.x.items():
        if solver.boolean_value(x):
            chosen[t] = (o, unit)
    devices = instance.devices
    on = np.array(
        [
            sum(solver.boolean_value(model.on[d, u]) for u in range(n))
            for d, n in enumerate(model.units)
        ],
        dtype=np.int64,
    )
    serves = np.zeros(len(devices), dtype=bool)
    serves[[unit[0] for _, unit in chosen.values()]] = True
    had = np.maximum(devices.count_min, on + np.where(serves, devices.spare, 0))
    on = np.where(devices.off_when_unused, on, had)
    ptr, tasks = instance.job_tasks
    option = np.array([chosen[int(t)][0] for t in tasks], dtype=np.int64)
    named = np.array([chosen[int(t)][1][1] for t in tasks], dtype=np.int64)
    jobs = np.arange(len(instance.jobs), dtype=np.int64)
    rate = instance.jobs.rate_per_s.astype(np.float64)
    plan = SteadyPlan(jobs, rate, ptr.copy(), tasks.copy(), option, named, on, had)
    scale = served_most(instance, plan) if theta is None else theta
    return plan if scale == 1.0 else with_rates(plan, scale)


def with_rates(plan: SteadyPlan, scale: float) -> SteadyPlan:
    """Return a plan with its rates multiplied."""
    return replace(plan, rate_per_s=plan.rate_per_s * scale)


def served_most(instance: Instance, plan: SteadyPlan) -> float:
    """Return the largest multiple θ of the demanded rates that a placement can serve.

    Raises
    ------
    InputError
        Where nothing limits it.
    """
    known = SteadyQuantities(instance, plan)
    place = known.device * (int(plan.unit.max(initial=0)) + 1) + plan.unit
    load = np.bincount(place, weights=known.row_rate_per_s * known.row_busy_s)
    capacity = np.zeros(len(load))
    capacity[place] = known.unit_capacity[known.device]
    busy = load > 0
    ratios = [float((capacity[busy] / load[busy]).min(initial=np.inf))]
    used = [row["utilization"] or 0.0 for row in known.as_dict()["links"]]
    ratios += [1.0 / share for share in used if share > 0]
    ratios += _supply_ratios(instance, plan)
    limits = instance.limits
    moving = known.power_w - known.idle_power_w
    if moving > 0 and np.isfinite(limits.power_cap_w):
        ratios.append((limits.power_cap_w - known.idle_power_w) / moving)
    if np.isfinite(limits.budget_per_s):
        still = known.cost_units_per_s + known.idle_paid_per_s("cost")
        paid = known.cost_per_s - still
        if paid > LIMIT_TOLERANCE * known.cost_per_s:
            ratios.append((limits.budget_per_s - still) / paid)
    most = min(ratios)
    if math.isinf(most):
        raise InputError(
            "Throughput is unbounded: the work takes no time, no bandwidth and no power that a "
            "limit counts."
        )
    return max(0.0, most)


def _supply_ratios(instance: Instance, plan: SteadyPlan) -> list[float]:
    """Return limit / use of every resource that the placement uses at its rates."""
    limits = resource_limits(instance)
    use = dict.fromkeys(limits, 0.0)
    rate = np.repeat(plan.rate_per_s, np.diff(plan.ptr)).tolist()
    for r, task, option in zip(rate, plan.task.tolist(), plan.option.tolist(), strict=True):
        for resource, amount in taken_per_request(instance, limits, task, option).items():
            use[resource] += r * amount
    return [limits[resource] / total for resource, total in use.items() if total > 0]
