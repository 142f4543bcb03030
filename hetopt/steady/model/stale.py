"""Plans of streams made for another fleet or other rates, carried over to an instance.

What is left of such a plan are its routes: those that may still be used keep their shares of the
rates that are asked for now, and units follow from the load. Nothing here says that the outcome is
a plan of the instance: that is for the checker.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import NO_MAXIMUM, Bools, Instance, Ints
from hetopt.instance.grouping import ptr_of, sums
from hetopt.instance.questions import least_shares
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import memory_limited, unit_capacity

ROUNDING = 1e-9


def usable_routes(instance: Instance, plan: SteadyPlan) -> Bools:
    """Return which routes have a rate, options that may be used, and units to be had (K)."""
    ptr, admissible = instance.admissible
    many = len(instance.options)
    owner = np.repeat(np.arange(len(instance.tasks)), np.diff(ptr))
    fine = np.isin(plan.task * many + plan.option, owner * many + admissible)
    fine &= plan.option >= 0
    most = instance.devices.count_max[instance.options.device[plan.option]]
    fine &= (most == NO_MAXIMUM) | ((most > 0) & (plan.unit < most))
    route = np.repeat(np.arange(len(plan.route_job)), np.diff(plan.ptr))
    bad = np.bincount(route[~fine], minlength=len(plan.route_job)) > 0
    return np.asarray(~bad & (plan.rate_per_s > 0))


def some_routes(plan: SteadyPlan, keep: Bools) -> SteadyPlan:
    """Return a plan with some of its routes; units stay."""
    size = np.diff(plan.ptr)
    rows = np.repeat(keep, size)
    return replace(
        plan,
        route_job=plan.route_job[keep],
        rate_per_s=plan.rate_per_s[keep],
        ptr=ptr_of(size[keep]),
        task=plan.task[rows],
        option=plan.option[rows],
        unit=plan.unit[rows],
        least_rate=None,
        states=None,
    )


def joined(first: SteadyPlan, second: SteadyPlan) -> SteadyPlan:
    """Return the routes of both, in the order of their jobs, with the units of the first."""
    job = np.concatenate([first.route_job, second.route_job])
    order = np.argsort(job, kind="stable")
    size = np.concatenate([np.diff(first.ptr), np.diff(second.ptr)])
    begin = np.concatenate([first.ptr[:-1], second.ptr[:-1] + first.ptr[-1]])
    ptr = ptr_of(size[order])
    rows = np.arange(ptr[-1]) + np.repeat(begin[order] - ptr[:-1], size[order])
    both = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])[rows]
        for name in ("task", "option", "unit")
    }
    rate = np.concatenate([first.rate_per_s, second.rate_per_s])[order]
    joint = replace(first, route_job=job[order], rate_per_s=rate, ptr=ptr, **both)
    return replace(joint, least_rate=None, states=None)


def rescaled(instance: Instance, plan: SteadyPlan) -> SteadyPlan:
    """Return a plan with the rates that are asked for, in the shares of the plan.

    Where throughput is the objective the plan keeps its θ: what it serves of what is asked.
    """
    served = sums(plan.route_job, plan.rate_per_s, len(instance.jobs))
    wanted = instance.jobs.rate_per_s
    if instance.objective[0] == "throughput":
        asked = (wanted > 0) & (served > 0)
        scale = float((served[asked] / wanted[asked]).min(initial=np.inf))
        wanted = wanted * (scale if np.isfinite(scale) else 1.0)
    if "value" in instance.objective:
        wanted = np.clip(served, instance.jobs.min_share * wanted, wanted)
    factor = np.divide(wanted, served, out=np.ones(len(served)), where=served > 0)
    # A hair more than asked for would be fine, a hair less is not.
    factor = np.where(factor * served < wanted, np.nextafter(factor, np.inf), factor)
    return replace(plan, rate_per_s=plan.rate_per_s * factor[plan.route_job])


def fitted(instance: Instance, plan: SteadyPlan, on: Ints | None = None) -> SteadyPlan:
    """Return a plan with as many units as its routes need, and no fewer than ``on`` (D)."""
    of = SteadyQuantities(instance, plan)
    devices = instance.devices
    wide = len(devices)
    capacity = unit_capacity(instance)
    load = np.divide(of.load, capacity, out=np.zeros(wide), where=capacity > 0)
    need = np.ceil(load * (1 - ROUNDING)).astype(np.int64)
    alone = np.flatnonzero(devices.exclusive)
    if len(alone):
        busy = of.row_rate_per_s * of.row_busy_s
        for d in alone.tolist():
            mine = of.device == d
            of_job = np.bincount(plan.route_job[of.route[mine]], busy[mine], len(instance.jobs))
            need[d] = int(np.ceil(of_job / capacity[d] * (1 - ROUNDING)).sum())
    named = plan.unit >= 0
    np.maximum.at(need, of.device[named], plan.unit[named] + 1)
    if on is not None:
        need = np.maximum(need, on)
    spare = np.where(of.serves, devices.spare, 0)
    had = np.maximum(need + spare, devices.count_min)
    limited = devices.count_max != NO_MAXIMUM
    had = np.where(limited, np.minimum(had, devices.count_max), had)
    need = np.minimum(need, had)
    need = np.where(devices.off_when_unused, need, had)
    return replace(plan, units_on=need.astype(np.int64), units_had=had.astype(np.int64))


def names_units(instance: Instance) -> bool:
    """Whether plans of an instance say which unit serves what."""
    return instance.routing == "single" or bool(memory_limited(instance).any())


def repaired(instance: Instance, plan: SteadyPlan) -> tuple[SteadyPlan, Ints, list[str]]:
    """Return what is left of a plan, the jobs without a route, and what was changed, in words."""
    told: list[str] = []
    fine = usable_routes(instance, plan)
    lost = np.flatnonzero(~fine & (plan.rate_per_s > 0))
    if len(lost):
        jobs = _names(instance, plan.route_job[lost])
        told.append(f"{len(lost)} of {len(fine)} routes cannot be used any more (of {jobs})")
    kept = some_routes(plan, fine)
    found = rescaled(instance, kept)
    served = sums(kept.route_job, kept.rate_per_s, len(instance.jobs))
    now = sums(found.route_job, found.rate_per_s, len(instance.jobs))
    other = np.flatnonzero((served > 0) & (np.abs(now - served) > ROUNDING * served))
    if len(other):
        told.append(
            f"rates of {len(other)} jobs follow what is asked (of {_names(instance, other)})"
        )
    found = fitted(instance, found)
    changed = np.flatnonzero(
        (found.units_on != plan.units_on) | (found.units_had != plan.units_had)
    )
    told += [
        f"{instance.devices.name[d]}: {found.units_on[d]} of {found.units_had[d]} units on "
        f"instead of {plan.units_on[d]} of {plan.units_had[d]}"
        for d in changed[:5].tolist()
    ]
    if len(changed) > 5:
        told.append(f"units of {len(changed) - 5} more devices follow the load")
    asked = instance.jobs.rate_per_s * least_shares(instance)
    without = np.flatnonzero((asked > 0) & (served <= 0)).astype(np.int64)
    return found, without, told


def filled(instance: Instance, plan: SteadyPlan, other: SteadyPlan, jobs: Ints) -> SteadyPlan:
    """Return a plan that takes the routes of some jobs from another one."""
    inside = np.isin(other.route_job, jobs)
    kept = some_routes(plan, ~np.isin(plan.route_job, jobs))
    return fitted(instance, joined(kept, some_routes(other, inside & (other.rate_per_s > 0))))


def _names(instance: Instance, jobs: Ints) -> str:
    listed = list(dict.fromkeys(instance.jobs.name[jobs].tolist()))
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
