r"""How slow the options of a route may run for its latency to stay within its limit.

A route's latency is its longest path with each option's own latency divided by its rate. A plan
keeps the limit by one least rate for all slowed options of a route (*kept*): the least at which the
path is within the limit. No plan at all can run an option of the route slower than what is left for
it when all others run at full speed (*needed*): a bound may count on no more. Where a route has one
slowed option the two are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Floats, Instance
from hetopt.instance.grouping import ptr_of
from hetopt.instance.states.slow_domains import slow_demand
from hetopt.solution import SteadyPlan
from hetopt.steady.routes.route import LATENCY_SLACK, Route

HALVINGS = 50
MOST_ROWS = 16
"""Slowed options of a route up to which each is asked for its own least rate."""
SAME = 1e-11
"""Relative distance at which two rates are the same."""

Floors = dict[tuple[int, tuple[int, ...], int], float]
"""(job, options of the route, option) -> least rate of it; 0 where there is none."""


def fast_enough(rate: float, floor: float) -> bool:
    """Whether a rate is at least a least rate, up to rounding."""
    return rate >= floor * (1.0 - SAME)


@dataclass(frozen=True, slots=True)
class RouteFloors:
    """Least rates of the options of routes.

    Attributes
    ----------
    kept, needed
        See the module.
    """

    kept: Floors
    needed: Floors

    @property
    def agree(self) -> bool:
        """Whether plans and bound count on the same rates."""
        return all(abs(self.needed[key] - rate) <= SAME for key, rate in self.kept.items())


def route_floors(instance: Instance, routes: Sequence[Route]) -> RouteFloors:
    """Return the least rates that the latency limits of routes leave."""
    slow = {o for route in routes for o in route.options if slow_demand(instance, o)}
    limit = instance.jobs.latency_slo_s
    kept: Floors = {
        (route.job, route.options, o): 0.0 for route in routes for o in route.options if o in slow
    }
    needed = dict(kept)
    timed = [
        r
        for r, route in enumerate(routes)
        if np.isfinite(limit[route.job]) and any(o in slow for o in route.options)
    ]
    if not timed:
        return RouteFloors(kept, needed)
    paths = _Paths(instance, [routes[r] for r in timed])
    slowed = np.isin(paths.plan.option, sorted(slow))
    whole = paths.least(slowed)
    position = np.concatenate([np.arange(n) for n in np.diff(paths.plan.ptr)])
    own = np.zeros(len(position))
    for p in range(int(position.max()) + 1):
        mine = slowed & (position == p)
        if not mine.any():
            continue
        if p < MOST_ROWS:
            own[mine] = paths.least(mine)[paths.route[mine]]
        else:
            own[mine] = (paths.takes / paths.limit[paths.route])[mine]
    for row in np.flatnonzero(slowed).tolist():
        at = int(paths.route[row])
        route = routes[timed[at]]
        key = route.job, route.options, int(paths.plan.option[row])
        first = kept[key] == 0.0
        kept[key] = float(whole[at])
        # An option may run several tasks of the route; the bound lets all run as slow as any.
        own_rate = min(float(own[row]), kept[key])
        needed[key] = own_rate if first else min(needed[key], own_rate)
    return RouteFloors(kept, needed)


class _Paths:
    """Longest paths of routes, all at once."""

    def __init__(self, instance: Instance, routes: Sequence[Route]) -> None:
        ptr, tasks = instance.job_tasks
        job = np.array([route.job for route in routes], dtype=np.int64)
        size = np.array([len(route.options) for route in routes], dtype=np.int64)
        option = np.array([o for route in routes for o in route.options], dtype=np.int64)
        task = np.concatenate([tasks[ptr[j] : ptr[j + 1]] for j in job.tolist()])
        none = np.zeros(len(instance.devices), dtype=np.int64)
        self.plan = SteadyPlan(
            route_job=job,
            rate_per_s=np.ones(len(job)),
            ptr=ptr_of(size),
            task=task.astype(np.int64),
            option=option,
            unit=np.full(len(option), -1, dtype=np.int64),
            units_on=none,
            units_had=none,
        )
        self.quantities = SteadyQuantities(instance, self.plan)
        self.route = self.quantities.route
        self.takes = self.quantities.row_latency_s
        self.limit: Floats = instance.jobs.latency_slo_s[job] * (1 + LATENCY_SLACK)

    def least(self, slowed: np.ndarray) -> Floats:
        """Return the least rate of some rows (M) at which each route keeps its limit (K)."""
        count = len(self.limit)
        alone = np.diff(self.plan.ptr) == 1
        low, high = np.zeros(count), np.ones(count)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            late = self._latency(slowed, middle) > self.limit
            low, high = np.where(late, middle, low), np.where(late, high, middle)
        exact = self.takes[self.plan.ptr[:-1]] / self.limit
        return np.where(alone, np.minimum(1.0, exact), high)

    def _latency(self, slowed: np.ndarray, rate: Floats) -> Floats:
        return self.quantities.longest_s(
            np.where(slowed, self.takes / rate[self.route], self.takes)
        )
