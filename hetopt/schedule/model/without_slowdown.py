"""Instances in which resources slow what runs, as others that do not: for plans, and for bounds.

Let a plan P keep its starts, and end each task as if nothing slowed it. Ends are then no later:
with the same starts, what runs at an instant is at most what ran before, so each rate is at least
what it was (by induction over events; a rate never falls where less runs). So whatever P kept of
precedence, messages, slots, memory, deadlines and resources that forbid, it still keeps, and
makespan, tardiness, idle energy, energy and costs at constant prices are no larger. That is what a
*relaxed* instance asks for. Only power and prices over time can be worse, as the same energy is
drawn in less time: :mod:`hetopt.schedule.bounds.slowed_bounds` has what holds of them. Besides, the
work on a resource of capacity C that is done in a time t is at most C × t (rates × demands never
exceed C), which holds of P: rows of bounds and models that count time × demand stay.

Where a part L of what is shared is lost, that work is at most max(C (1 - L), d) × t, d being the
largest demand of an option that takes time: at an instant at which one alone runs there it goes on
by its demand, at most d; of two or more, with demands a[i] and rates at most
min(1, C / Σ a) × (1 - L), also of some of them only, by at most Σ a[i] r[i] <= C (1 - L). So a
relaxed instance has this for a capacity, as d <= C no more than the stated one.

In a *strict* instance nothing may be slowed: a resource forbids what exceeds it, and where anything
is lost by sharing, any two that use it. Its plans end when they say, so they are plans of P's.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.evaluate.slowing import demands_of, slows
from hetopt.instance import Bools, Floats, Instance, Resources
from hetopt.instance.derived import once
from hetopt.instance.grouping import ptr_of
from hetopt.instance.tariffs import least_price
from hetopt.schedule.model.grid import exact


@once
def shares(instance: Instance) -> Bools:
    """Whether each option uses a resource that slows what runs (length O)."""
    if not slows(instance):
        return np.zeros(len(instance.options), dtype=bool)
    return np.array([len(own) > 0 for own in demands_of(instance)], dtype=bool)


@once
def strict(instance: Instance) -> Instance:
    """Return the instance in which nothing may be slowed; itself where nothing slows.

    Budgets of resources that slow become resources of their own.
    """
    if not slows(instance):
        return instance
    resources, uses = instance.resources, instance.uses
    slow, alone = resources.slow, resources.slow & (resources.loss > 0)
    spent = np.flatnonzero(slow & np.isfinite(resources.budget))
    forbids = np.full(len(resources) + len(spent), "forbid", dtype=resources.sharing.dtype)
    made = Resources(
        np.concatenate([resources.name, resources.name[spent]]),
        np.concatenate([np.where(alone, 1.0, resources.capacity), np.full(len(spent), np.inf)]),
        np.concatenate([np.where(slow, np.inf, resources.budget), resources.budget[spent]]),
        forbids,
        np.zeros(len(forbids)),
        np.full(len(forbids), -1, dtype=np.int64),
    )
    option = np.repeat(np.arange(len(instance.options)), np.diff(uses.ptr))
    number = np.full(len(resources), -1, dtype=np.int64)
    number[spent] = len(resources) + np.arange(len(spent))
    also = np.flatnonzero(number[uses.resource] >= 0)
    owner = np.concatenate([option, option[also]])
    resource = np.concatenate([uses.resource, number[uses.resource[also]]])
    amount = np.concatenate([np.where(alone[uses.resource], 1.0, uses.amount), uses.amount[also]])
    order = np.lexsort((resource, owner))
    ptr = ptr_of(np.bincount(owner, minlength=len(instance.options)))
    return replace(
        instance,
        resources=made,
        uses=replace(
            uses, ptr=ptr.astype(np.int64), resource=resource[order], amount=amount[order]
        ),
    )


@once
def relaxed(instance: Instance) -> Instance:
    """Return an instance for bounds: each joule at the least price up to the latest end.

    Its resources still say that they slow: bounds and models of it count their use on average, and
    no power of what they may slow.
    """
    limits, resources = instance.limits, instance.resources
    if slows(instance) and resources.loss[resources.slow].any():
        resources = replace(resources, capacity=_at_most_done(instance))
    busy = np.unique(instance.tasks.job)
    latest = float(instance.jobs.deadline_s[busy].max()) if len(busy) else np.inf
    latest = min(latest, limits.horizon_s)
    energy, carbon = limits.energy_price_over_time, limits.carbon_over_time
    return replace(
        instance,
        resources=resources,
        limits=replace(
            limits,
            energy_price_per_j=limits.energy_price_per_j
            if energy is None
            else least_price(energy, latest),
            carbon_kg_per_j=limits.carbon_kg_per_j
            if carbon is None
            else least_price(carbon, latest),
            energy_price_over_time=None,
            carbon_over_time=None,
        ),
    )


def _at_most_done(instance: Instance) -> Floats:
    """Most work (demand × time at full speed) that a resource does in a second (length K)."""
    resources, uses, options = instance.resources, instance.uses, instance.options
    usable = np.zeros(len(options), dtype=bool)
    usable[instance.classes.option] = True
    owner = np.repeat(np.arange(len(options)), np.diff(uses.ptr))
    lasting = usable[owner] & (options.time_s[owner] > 0)
    alone = np.zeros(len(resources))
    np.maximum.at(alone, uses.resource[lasting], uses.amount[lasting])
    capacity = resources.capacity.copy()
    for k in np.flatnonzero(resources.slow & (resources.loss > 0) & np.isfinite(capacity)).tolist():
        kept = exact(float(capacity[k])) * (1 - exact(float(resources.loss[k])))
        together = float(kept)
        if exact(together) < kept:
            together = math.nextafter(together, math.inf)
        capacity[k] = min(float(capacity[k]), max(together, float(alone[k])))
    return capacity
