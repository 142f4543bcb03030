"""Plans, bounds and marginal values of parts, taken apart and joined."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.instance import Floats, Instance, Ints, Jobs
from hetopt.instance.grouping import expand, ptr_of
from hetopt.instance.overrides import numbers_of, rows_of, some_tasks
from hetopt.instance.states.stream_boards import device_of_board
from hetopt.solution import ScenarioPlan, SteadyPlan, StreamPlan
from hetopt.steady.parts.find_parts import Part, rated_weight


def part_of(instance: Instance, jobs: Ints, devices: Ints) -> Instance:
    """Return the instance of some jobs, with no unit of other devices, and without cap and budget.

    A board belongs to the part of what stands on it. Devices, boards, options, links and resources
    keep their numbers.
    """
    new_job = numbers_of(len(instance.jobs), jobs)
    tasks = np.flatnonzero(new_job[instance.tasks.job] >= 0)
    mine = np.zeros(len(instance.devices), dtype=bool)
    mine[devices] = True
    part = some_tasks(instance, tasks)
    boards = instance.boards
    return replace(
        part,
        boards=replace(
            boards, count_min=np.where(mine[device_of_board(instance)], boards.count_min, 0)
        ),
        devices=replace(
            instance.devices,
            count_min=np.where(mine, instance.devices.count_min, 0),
            count_max=np.where(mine, instance.devices.count_max, 0),
        ),
        jobs=Jobs(**rows_of(instance.jobs, jobs)),
        tasks=replace(part.tasks, job=new_job[part.tasks.job]),
        scenarios=replace(instance.scenarios, rate_per_s=instance.scenarios.rate_per_s[:, jobs]),
        limits=replace(instance.limits, power_cap_w=np.inf, budget_per_s=np.inf),
    )


def plan_part(instance: Instance, plan: StreamPlan, jobs: Ints, devices: Ints) -> StreamPlan:
    """Return what a plan does with the jobs and devices of a part, told in the part's numbers."""
    if isinstance(plan, ScenarioPlan):
        parts = tuple(plan_part(instance, one, jobs, devices) for one in plan.plans)
        return ScenarioPlan(tuple(p for p in parts if isinstance(p, SteadyPlan)))
    new_job = numbers_of(len(instance.jobs), jobs)
    new = numbers_of(len(instance.tasks), np.flatnonzero(new_job[instance.tasks.job] >= 0))
    kept = np.flatnonzero(new_job[plan.route_job] >= 0)
    _, at = expand(plan.ptr, kept)
    ptr = ptr_of(np.diff(plan.ptr)[kept])
    mine = np.isin(np.arange(len(instance.devices)), devices)
    return SteadyPlan(
        new_job[plan.route_job[kept]],
        plan.rate_per_s[kept],
        ptr,
        new[plan.task[at]],
        plan.option[at],
        plan.unit[at],
        np.where(mine, plan.units_on, 0),
        np.where(mine, plan.units_had, 0),
    )


def join_plans(instance: Instance, parts: list[Part], plans: list[StreamPlan]) -> StreamPlan:
    """Return the plan of the whole instance; of throughput, no part serves more than the least."""
    served = [1.0] * len(plans)
    if instance.objective[0] == "throughput":
        rate = _mean_rates(instance)
        scales = [
            objective_value(part_of(instance, *part), plan, "throughput") / rate[part[0]].sum()
            for part, plan in zip(parts, plans, strict=True)
        ]
        served = [min(scales) / scale if scale > 0 else 1.0 for scale in scales]
    if not len(instance.scenarios):
        return _joined(instance, parts, [p for p in plans if isinstance(p, SteadyPlan)], served)
    mixed = [plan.plans for plan in plans if isinstance(plan, ScenarioPlan)]
    return ScenarioPlan(
        tuple(_joined(instance, parts, list(demand), served) for demand in zip(*mixed, strict=True))
    )


def join_bounds(instance: Instance, parts: list[Part], bounds: list[float]) -> float:
    """Return the bound of the whole instance from those of its parts, NaN where none follows."""
    name = instance.objective[0]
    if name == "throughput":
        rate = _mean_rates(instance)
        known = [
            bound / float(rate[jobs].sum())
            for (jobs, _), bound in zip(parts, bounds, strict=True)
            if not math.isnan(bound)
        ]
        return min(known) * float(rate.sum()) if known else math.nan
    if any(math.isnan(bound) for bound in bounds):
        return math.nan
    if name == "accuracy":
        weight = [rated_weight(instance, jobs) for jobs, _ in parts]
        products = (w * bound for w, bound in zip(weight, bounds, strict=True))
        return math.fsum(products) / math.fsum(weight)
    return math.fsum(bounds)


def marginal_of(
    instance: Instance, parts: list[Part], found: list[dict[str, Any] | None]
) -> dict[str, Any] | None:
    """Return what one more of each limit is worth in the whole; a cap that binds nothing: 0.

    What is worth m in a part is worth W_p m / W in a mean of all. Throughput T = θ R is that of the
    part b with the least θ in the relaxation: what is worth m there is worth m R / R_b, elsewhere
    nothing; a request per second of demand is worth θ, and in b, where it lowers θ too,
    θ + (m − θ) R / R_b. A cap on something else than the objective may bind the relaxation of the
    whole although it binds no plan: then nothing is told.
    """
    known = [one for one in found if one is not None]
    limits, name = instance.limits, instance.objective[0]
    capped = {"power": limits.power_cap_w, "cost": limits.budget_per_s}
    tied = any(math.isfinite(limit) for of, limit in capped.items() if of != name)
    if len(known) < len(parts) or tied:
        return None
    rate = _mean_rates(instance)
    factor = [1.0] * len(parts)
    extra = [0.0] * len(parts)
    values = [float(one["relaxed"]) for one in known]
    relaxed = math.fsum(values)
    if name == "accuracy":
        weight = [rated_weight(instance, jobs) for jobs, _ in parts]
        factor = [w / math.fsum(weight) for w in weight]
        relaxed = math.fsum(w * value for w, value in zip(factor, values, strict=True))
    if name == "throughput":
        served = [float(rate[jobs].sum()) for jobs, _ in parts]
        scales = [value / r for value, r in zip(values, served, strict=True)]
        least = scales.index(min(scales))
        relaxed = scales[least] * float(rate.sum())
        factor = [0.0] * len(parts)
        factor[least] = float(rate.sum()) / served[least]
        extra = [scales[least] * (1.0 - f) for f in factor]
    devices: dict[int, Any] = {}
    jobs: dict[int, Any] = {}
    for (mine, own), one, f, more in zip(parts, known, factor, extra, strict=True):
        devices |= {d: _times(one["devices"][d], "unit", f) for d in own.tolist()}
        rows = [_times(row, "rate_per_s", f, more) for row in one["jobs"]]
        jobs |= dict(zip(mine.tolist(), rows, strict=True))
    return known[0] | {
        "relaxed": relaxed,
        "power_cap_w": 0.0 if math.isfinite(limits.power_cap_w) else None,
        "budget_per_s": 0.0 if math.isfinite(limits.budget_per_s) else None,
        "devices": [devices[d] for d in sorted(devices)],
        "jobs": [jobs[j] for j in sorted(jobs)],
        "links": _added(known, factor, "links", "bandwidth_b_per_s"),
        "pools": _added(known, factor, "pools", "memory_gib"),
    }


def _joined(
    instance: Instance, parts: list[Part], plans: list[SteadyPlan], served: list[float]
) -> SteadyPlan:
    """Return the plan of one demand, in order of jobs, with the rates of each part scaled."""
    tasks = [np.flatnonzero(np.isin(instance.tasks.job, jobs)) for jobs, _ in parts]
    job = np.concatenate([jobs[p.route_job] for (jobs, _), p in zip(parts, plans, strict=True)])
    order = np.argsort(job, kind="stable")
    size = np.concatenate([np.diff(p.ptr) for p in plans])
    ptr = ptr_of(size)
    _, at = expand(ptr, order)
    rate = np.concatenate([p.rate_per_s * s for p, s in zip(plans, served, strict=True)])
    task = np.concatenate([own[p.task] for own, p in zip(tasks, plans, strict=True)])
    return SteadyPlan(
        job[order],
        rate[order],
        ptr_of(size[order]),
        task[at],
        np.concatenate([p.option for p in plans])[at],
        np.concatenate([p.unit for p in plans])[at],
        np.sum([p.units_on for p in plans], axis=0).astype(np.int64),
        np.sum([p.units_had for p in plans], axis=0).astype(np.int64),
    )


def _added(
    found: list[dict[str, Any]], factor: list[float], table: str, key: str
) -> list[dict[str, Any]]:
    """Return rows of a table with a figure summed: of what a part does not use it is 0 there."""
    rows = []
    for same in zip(*(one[table] for one in found), strict=True):
        values = [row[key] for row in same]
        whole = None
        if None not in values:
            whole = math.fsum(f * value for f, value in zip(factor, values, strict=True))
        rows.append(same[0] | {key: whole})
    return rows


def _times(row: dict[str, Any], key: str, factor: float, more: float = 0.0) -> dict[str, Any]:
    """Return a row with a figure multiplied, and added to; None stays None."""
    value = row[key]
    return row | {key: None if value is None else factor * value + more}


def _mean_rates(instance: Instance) -> Floats:
    """Return the demanded rate of each job, of several scenarios the mean (J)."""
    scenarios = instance.scenarios
    if not len(scenarios):
        return instance.jobs.rate_per_s
    rate: Floats = scenarios.share @ scenarios.rate_per_s
    return rate
