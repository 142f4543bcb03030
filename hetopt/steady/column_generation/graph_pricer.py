"""Routes of graph jobs, generated as the restricted program's duals ask for them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.questions import accuracy_tasks
from hetopt.steady.column_generation.column_generation import Offer
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.routes.measure_prices import Prices
from hetopt.steady.routes.route_columns import Pool, pool_of_routes
from hetopt.steady.routes.route_search import LABELS, NARROW, RouteSearch
from hetopt.steady.routes.routes import Route, Routes, route_of

DEAR = 1e3
"""What the time of a device to be avoided costs, in multiples of what any costs."""

OFF, OFF_SIGMA = 4, 0.6
"""Draws of prices that are off, and the sigma of the lognormal factors."""


class GraphPricer:
    """Finds routes job by job; see :class:`column_generation.Pricer`.

    Parameters
    ----------
    fit
        Whether routes whose weights fit no unit are left out.
    """

    def __init__(self, instance: Instance, *, fit: bool = True) -> None:
        self.instance = instance
        self.routes: list[Route] = []
        self.known: dict[tuple[int, tuple[int, ...]], None] = {}
        self.of_job: list[list[int]] = [[] for _ in range(len(instance.jobs))]
        self.searches = [RouteSearch(instance, job, fit=fit) for job in range(len(instance.jobs))]

    @property
    def chosen(self) -> Pool:
        """All routes found so far."""
        return pool_of_routes(self.instance, self.routes)

    @property
    def numbers(self) -> Ints:
        """Numbers of the routes found so far."""
        return np.arange(len(self.routes))

    def offer(self, at: Prices, limit: Floats, most: int, until: float) -> Offer:
        """Search for the cheapest routes of each job: quickly, and fully where that adds none.

        A job that there is no time for counts with the least cost of each of its tasks.
        """
        least = np.full(len(self.searches), -np.inf)
        cut = list(range(len(self.searches)))
        added = 0
        for width in (NARROW, LABELS):
            still = []
            for job in cut:
                none = not self.of_job[job]
                late = time.monotonic() > until and not none
                below = np.inf if none else float(limit[job])
                found = self.searches[job].cheapest(at, most, below, 0 if late else width)
                least[job] = max(least[job], found.least)
                added += sum(
                    self._add(job, options)
                    for options, cost in zip(found.options, found.costs.tolist(), strict=True)
                    if cost < below
                )
                if found.cut and not late:
                    still.append(job)
            cut = still
            if added:
                break
        return Offer(least, added)

    def widen(self, at: Prices, rng: np.random.Generator, until: float) -> int:
        """Add routes that the relaxation has no use for, but whole units may; return how many.

        They are the cheapest where one device is dear, and at prices that are off by some factor.
        """
        used = sorted({d for search in self.searches for step in search.steps for d in step.device})
        dear = DEAR * max(float(np.abs(at.measures[: len(self.instance.devices)]).max()), 1e-9)
        variants = []
        for device in used:
            measures = at.measures.copy()
            measures[device] = DEAR * measures[device] + dear
            variants.append(measures)
        size = len(at.measures)
        variants += [at.measures * rng.lognormal(0.0, OFF_SIGMA, size) for _ in range(OFF)]
        added = 0
        for measures in variants:
            if time.monotonic() > until:
                break
            other = replace(at, measures=measures)
            for job, search in enumerate(self.searches):
                if time.monotonic() > until:
                    break
                for options in search.cheapest(other, 1, width=NARROW).options:
                    added += self._add(job, options)
        return added

    def add(self, job: int, options: tuple[int, ...]) -> int:
        """Add a route by an option for each task of its job; return 1 if it is a new one."""
        return self._add(job, options)

    def _add(self, job: int, options: tuple[int, ...]) -> int:
        if (job, options) in self.known:
            return 0
        self.known[job, options] = None
        route = route_of(self.instance, job, options)
        if route is None:
            return 0
        self.of_job[job].append(len(self.routes))
        self.routes.append(route)
        return 1

    def as_routes(self) -> Routes:
        """Return the routes found so far, in the order in which they were."""
        return Routes(tuple(self.routes), tuple(map(tuple, self.of_job)), complete=False)


def master_of_graphs(instance: Instance, searches: list[RouteSearch]) -> Master:
    """Return the rows of an instance whose routes are not listed."""
    used = np.zeros(len(instance.devices), dtype=bool)
    capacity = unit_capacity(instance)
    needed = 0.0
    for job, search in enumerate(searches):
        for step in search.steps:
            used[step.device] = True
            if len(step.option):
                busy = step.use[:, : len(capacity)].sum(axis=1) / np.maximum(
                    capacity[step.device], 1e-300
                )
                needed += float(instance.jobs.rate_per_s[job]) * float(busy.min())
    some, _ = accuracy_tasks(instance)
    rated = np.zeros(len(instance.jobs), dtype=bool)
    rated[instance.tasks.job[some]] = True
    return Master(
        instance,
        instance.jobs.rate_per_s,
        instance.jobs.weight,
        used,
        1.0 / needed if needed > 0 else 1.0,
        rated,
    )
