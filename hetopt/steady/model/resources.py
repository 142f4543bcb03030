"""Resources in the steady regime: what a request takes of capacities and budgets, on average.

A renewable capacity holds on average: Σ rate × busy time × amount <= capacity. A budget is one per
second: Σ rate × amount / batch <= budget. Transfers use no resources. What slows instead of
forbidding is the matter of states (:mod:`hetopt.steady.states`): in each of them rate × demand sums
to the capacity at most, so the average does too. Where it slows nothing, one slot of one unit
uses it, and asks for the capacity at most.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from hetopt.instance import Instance

ResourceLimit = tuple[Literal["budget", "capacity"], int]
"""A limit of a resource."""


def resource_limits(instance: Instance) -> dict[ResourceLimit, float]:
    """Return every finite limit, capacities first."""
    limits: dict[ResourceLimit, float] = {}
    if len(instance.uses):
        resources = instance.resources
        for k in np.flatnonzero(np.isfinite(resources.capacity) & ~resources.slow).tolist():
            limits["capacity", k] = float(resources.capacity[k])
        for k in np.flatnonzero(np.isfinite(resources.budget)).tolist():
            limits["budget", k] = float(resources.budget[k])
    return limits


def taken_per_request(
    instance: Instance, limits: dict[ResourceLimit, float], task: int, option: int
) -> dict[ResourceLimit, float]:
    """Return what one request takes of each limit when a task runs by an option."""
    taken: dict[ResourceLimit, float] = {}
    batch = float(instance.options.batch[option])
    time = float(instance.tasks.work[task]) * float(instance.options.time_s[option]) / batch
    for resource, amount in instance.uses.of(option) if limits else []:
        if ("capacity", resource) in limits and time > 0:
            taken["capacity", resource] = amount * time
        if ("budget", resource) in limits:
            taken["budget", resource] = amount / batch
    return taken
