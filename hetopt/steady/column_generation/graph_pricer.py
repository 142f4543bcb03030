"""Routes of graph jobs, generated as the restricted program's duals ask for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.questions import accuracy_tasks
from hetopt.runtime.executors.loop import in_order, silent
from hetopt.runtime.executors.shared import Shared, load, share
from hetopt.steady.column_generation.column_generation import Offer
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.routes.labels import Found
from hetopt.steady.routes.measure_prices import Prices
from hetopt.steady.routes.route import Route
from hetopt.steady.routes.route_columns import ColumnPool, pool_of_routes
from hetopt.steady.routes.route_search import LABELS, NARROW, RouteSearch
from hetopt.steady.routes.routes import Routes, route_of

DEAR = 1e3
"""What the time of a device to be avoided costs, in multiples of what any costs."""

MANY = 16
"""Jobs from which on they are searched where an executor does."""

CHUNKS = 4
"""Pieces of work for each worker in a round: few, and none much longer than the others."""

OFF, OFF_SIGMA = 4, 0.6
"""Draws of prices that are off, and the sigma of the lognormal factors."""


class GraphPricer:
    """Finds routes job by job; see :class:`column_generation.Pricer`.

    Parameters
    ----------
    fit
        Whether routes whose weights fit no unit are left out.
    executor
        Where jobs are searched, several at a time; None: here.
    """

    def __init__(
        self, instance: Instance, *, fit: bool = True, executor: Executor | None = None
    ) -> None:
        self.instance = instance
        self.executor = executor if len(instance.jobs) >= MANY else None
        self._shared = None if self.executor is None else share(self.executor, (instance, fit))
        self.routes: list[Route] = []
        self.known: dict[tuple[int, tuple[int, ...]], None] = {}
        self.of_job: list[list[int]] = [[] for _ in range(len(instance.jobs))]
        self.searches = [RouteSearch(instance, job, fit=fit) for job in range(len(instance.jobs))]

    @property
    def chosen(self) -> ColumnPool:
        """All routes found so far."""
        return pool_of_routes(self.instance, self.routes)

    @property
    def numbers(self) -> Ints:
        """Numbers of the routes found so far."""
        return np.arange(len(self.routes))

    def offer(self, at: Prices, limit: Floats, most: int, until: float) -> Offer:
        """Search for the cheapest routes of each job: quickly, and fully where that adds none.

        So are jobs of which no route is known yet.

        A job that there is no time for counts with the least cost of each of its tasks.
        """
        least = np.full(len(self.searches), -np.inf)
        cut = list(range(len(self.searches)))
        added = 0
        for width in (NARROW, LABELS):
            still = []
            asked = {
                job: (float(limit[job]) if self.of_job[job] else np.inf, bool(self.of_job[job]))
                for job in cut
            }
            for job, (found, late) in self._searched(at, asked, most, width, until).items():
                below, _ = asked[job]
                least[job] = max(least[job], found.least)
                added += sum(
                    self._add(job, options)
                    for options, cost in zip(found.options, found.costs.tolist(), strict=True)
                    if cost < below
                )
                if found.cut and not late:
                    still.append(job)
            # That a job has no route at all must be seen at once: nothing else says so.
            cut = [job for job in still if not (added and self.of_job[job])]
        return Offer(least, added)

    def _searched(
        self, at: Prices, below: dict[int, tuple[float, bool]], most: int, width: int, until: float
    ) -> dict[int, tuple[Found, bool]]:
        """Search jobs, here or where the executor does; tell which there was no time for."""
        if self.executor is None or self._shared is None:
            return _search(self.searches, _Asked(None, at, below, most, width, 0.0), until)
        jobs = list(below)
        size = max(1, -(-len(jobs) // (CHUNKS * getattr(self.executor, "width", 1))))
        end = time.time() + until - time.monotonic()
        asked = {
            str(k): _Asked(
                self._shared, at, {j: below[j] for j in jobs[k : k + size]}, most, width, end
            )
            for k in range(0, len(jobs), size)
        }
        found: dict[int, tuple[Found, bool]] = {}
        stop = threading.Event()
        for _, part in in_order(self.executor, _search_elsewhere, asked, stop, silent):
            found |= part
        return found

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


@dataclass(frozen=True)
class _Asked:
    """Jobs to search: below which cost, and whether they have routes, so that they can be left.

    ``end`` is a time of the clock that all machines share.
    """

    shared: Shared | None
    at: Prices
    below: dict[int, tuple[float, bool]]
    most: int
    width: int
    end: float


def _search(
    searches: Sequence[RouteSearch] | _Searches, asked: _Asked, until: float
) -> dict[int, tuple[Found, bool]]:
    found = {}
    for job, (below, known) in asked.below.items():
        late = known and time.monotonic() > until
        width = 0 if late else asked.width
        found[job] = searches[job].cheapest(asked.at, asked.most, below, width), late
    return found


def _search_elsewhere(asked: _Asked, stop: threading.Event) -> dict[int, tuple[Found, bool]]:
    if asked.shared is None:
        raise ValueError("Work that is done elsewhere needs the instance.")
    searches = load(asked.shared, lambda value: _Searches(*value))
    return _search(searches, asked, time.monotonic() + asked.end - time.time())


class _Searches:
    """Searches of a worker's jobs, each made when it is first asked for."""

    def __init__(self, instance: Instance, fit: bool) -> None:
        self.instance, self.fit = instance, fit
        self._of: dict[int, RouteSearch] = {}

    def __getitem__(self, job: int) -> RouteSearch:
        if job not in self._of:
            self._of[job] = RouteSearch(self.instance, job, fit=self.fit)
        return self._of[job]


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
