"""Routes of a steady instance: one option per task of a job, without the dominated ones.

A *route* fixes one option for every task of a job (docs/quantities.md). Under ``split`` routing its
tasks on one device share a unit, so a route is described by devices alone. Routes are built task
by task in topological order; partial routes that look the same to the tasks still to come are
compared, and one is dropped where another is at least as good in every respect that a limit or an
objective can see (docs/steady.md): busy time per request of each device, energy, bytes per link,
latency (where the job has a limit on it), accuracy (where it counts), weights and working memory
(where the device has a memory limit), use of resources. Where a unit must be busy for a least part
of its time, less busy time is no gain, so only routes of the same busy time there are compared. So
chains of many tasks work as long as few partial routes are incomparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate.with_units import STATED_DIGITS, shown
from hetopt.instance import Floats, Groups, Instance
from hetopt.instance.paths import Network
from hetopt.instance.states.slow_domains import domain_of_device
from hetopt.steady.model.capacity import least_load, memory_limited
from hetopt.steady.model.resources import ResourceLimit, resource_limits, taken_per_request
from hetopt.steady.routes.route import (
    LATENCY_SLACK,
    Route,
    accuracy_counts,
    option_latency_s,
    usable_options,
)
from hetopt.steady.routes.transfers import Leg, differing_prices, leg_paid, new_legs

MAX_ROUTES = 2_000
"""Incomparable (partial) routes of one job up to which routes are listed: a second or two."""

MAX_IN_ALL = 30_000
"""Routes of all jobs up to which they are listed: about as many as a MIP bears."""


@dataclass(frozen=True, slots=True)
class Routes:
    """All undominated routes, or a part of them.

    Attributes
    ----------
    reasons
        For each job without a route, why it has none.
    complete
        Whether these are all.
    """

    routes: tuple[Route, ...]
    of_job: tuple[tuple[int, ...], ...]
    reasons: dict[int, str] = field(default_factory=dict)
    complete: bool = True


class TooManyRoutesError(InputError):
    """A job, or all jobs, have more routes than can be listed."""


def enumerate_routes(
    instance: Instance, *, limit: int = MAX_ROUTES, in_all: int = MAX_IN_ALL
) -> Routes:
    """List the undominated routes of every job, in a fixed order.

    Parameters
    ----------
    limit, in_all
        Number of incomparable partial routes of one job, and of routes of all jobs, above which
        to give up.

    Raises
    ------
    TooManyRoutesError
        Where there are more.
    InputError
        Where a task is pinned to a unit of a device without memory limits.
    """
    network = Network(instance)
    routes: list[Route] = []
    of_job: list[tuple[int, ...]] = []
    reasons: dict[int, str] = {}
    for job in range(len(instance.jobs)):
        builder = _Builder(instance, network, job, limit)
        found = builder.build()
        if not found:
            reasons[job] = builder.reason
        of_job.append(tuple(range(len(routes), len(routes) + len(found))))
        routes.extend(found)
        if len(routes) > in_all:
            raise TooManyRoutesError(
                f"The jobs have more than {in_all} routes that do not dominate one another, more "
                "than can be listed."
            )
    return Routes(tuple(routes), tuple(of_job), reasons)


def route_of(instance: Instance, job: int, options: Sequence[int]) -> Route | None:
    """Return the route by an option for each task of a job, None where a limit forbids it."""
    builder = _Builder(instance, Network(instance), job, MAX_ROUTES)
    chosen = dict(zip(builder.tasks, options, strict=True))
    return builder.follow([chosen[task] for task in builder.order])


def no_route(instance: Instance, jobs: Sequence[int]) -> list[str]:
    """Say of jobs that cannot be served why not, a full sentence for each (twenty at most)."""
    network = Network(instance)
    reasons = []
    for job in jobs[:20]:
        builder = _Builder(instance, network, job, MAX_ROUTES)
        builder.build()
        reasons.append(builder.reason)
    return reasons


@dataclass(frozen=True, slots=True)
class _Partial:
    """A route of the tasks done so far; ``placed`` and ``finish_s`` go by position in the job."""

    options: tuple[int, ...]
    placed: tuple[int, ...]
    finish_s: tuple[float, ...]
    arrivals: dict[tuple[int, int], float]
    latency_s: float = 0.0
    energy_j: float = 0.0
    accuracy: float = np.inf
    busy_s: dict[int, float] = field(default_factory=dict)
    link_b: dict[int, float] = field(default_factory=dict)
    keys: dict[int, tuple[int, ...]] = field(default_factory=dict)
    working_b: dict[int, float] = field(default_factory=dict)
    pinned: dict[int, int] = field(default_factory=dict)
    taken: dict[ResourceLimit, float] = field(default_factory=dict)
    paid: dict[str, float] = field(default_factory=dict)


class _Builder:
    """Builds the routes of one job, task by task in topological order."""

    def __init__(self, instance: Instance, network: Network, job: int, limit: int) -> None:
        self.instance, self.network, self.job, self.limit = instance, network, job, limit
        ptr, tasks = instance.job_tasks
        self.tasks = [int(t) for t in tasks[ptr[job] : ptr[job + 1]]]
        mine = np.zeros(len(instance.tasks), dtype=bool)
        mine[self.tasks] = True
        self.order = [int(t) for t in instance.topological_order if mine[t]]
        self.position = {task: i for i, task in enumerate(self.order)}
        self.limited = memory_limited(instance)
        self.least = least_load(instance)
        self.resources = resource_limits(instance)
        self.prices = differing_prices(instance)
        self.slowed = domain_of_device(instance) >= 0
        slo = float(instance.jobs.latency_slo_s[job])
        self.slo_s = slo * (1 + LATENCY_SLACK)
        self.timed = bool(np.isfinite(slo))
        self.exact = accuracy_counts(instance, job)
        self.reason = ""
        self.together = _positions(instance.together, self.position)
        self.apart = _positions(instance.apart, self.position)
        self.last_use = self._last_uses()

    def build(self) -> list[Route]:
        """All undominated routes; empty, with ``reason`` set, where the job cannot be served."""
        states = [_Partial((), (), (), {})]
        for step, task in enumerate(self.order):
            options = usable_options(self.instance, task)
            if not options:
                self.reason = self._no_option(task)
                return []
            grown = [s for state in states for o in options if (s := self._extend(state, task, o))]
            if not grown:
                self.reason = self._no_extension(task)
                return []
            states = self._undominated(grown, step)
            if len(states) > self.limit:
                raise TooManyRoutesError(
                    f"Job {self.instance.jobs.name[self.job]!s} has more than {self.limit} routes "
                    "that do not dominate one another, more than can be listed; give its tasks "
                    "fewer options, pin some of them, or put them `together`."
                )
        return [self._route(state) for state in states]

    def follow(self, options: Sequence[int]) -> Route | None:
        """Return the route by these options, in topological order; None where one is forbidden."""
        state: _Partial | None = _Partial((), (), (), {})
        for task, option in zip(self.order, options, strict=True):
            state = None if state is None else self._extend(state, task, option)
        return None if state is None else self._route(state)

    def _extend(self, state: _Partial, task: int, option: int) -> _Partial | None:
        """Place one more task, None where a limit forbids it."""
        instance = self.instance
        device = int(instance.options.device[option])
        if not self._groups_allow(state, device):
            return None
        pinned = self._pin(state, task, device)
        if pinned is None:
            return None
        arrivals = dict(state.arrivals)
        legs: list[Leg] = []
        ready = 0.0
        ptr, edges = instance.predecessors
        for edge in edges[ptr[task] : ptr[task + 1]]:
            source = self.position[int(instance.edges.src[edge])]
            tensor = int(instance.edges.tensor[edge])
            arrival = state.finish_s[source]
            if tensor >= 0 and state.placed[source] != device:
                made = new_legs(
                    instance, self.network, tensor, state.placed[source], device, arrivals, arrival
                )
                if made is None:
                    return None
                legs.extend(made)
                arrival = arrivals.get((tensor, device), arrival)
            ready = max(ready, arrival)
        finish = ready + option_latency_s(instance, task, option)
        if self.timed and finish > self.slo_s:
            return None
        return self._charge(state, task, option, device, pinned, arrivals, legs, finish)

    def _charge(
        self,
        state: _Partial,
        task: int,
        option: int,
        device: int,
        pinned: dict[int, int],
        arrivals: dict[tuple[int, int], float],
        legs: list[Leg],
        finish: float,
    ) -> _Partial:
        """Add what a task and the transfers that it needs cost."""
        options = self.instance.options
        share = float(self.instance.tasks.work[task]) / float(options.batch[option])
        time = share * float(options.time_s[option])
        energy = share * float(options.energy_j[option]) if options.time_s[option] > 0 else 0.0
        busy, link_b = dict(state.busy_s), dict(state.link_b)
        busy[device] = busy.get(device, 0.0) + time
        paid = dict(state.paid)
        for name, price in self.prices.items():
            paid[name] = paid.get(name, 0.0) + energy * float(price[device])
            for leg in legs:
                paid[name] += leg_paid(self.instance, leg, price)
        for leg in legs:
            energy += leg.energy_j
            for link in leg.links:
                link_b[link] = link_b.get(link, 0.0) + leg.bytes_b
            for place, extra in leg.busy_s:
                busy[place] = busy.get(place, 0.0) + extra
        taken = dict(state.taken)
        for resource, amount in taken_per_request(
            self.instance, self.resources, task, option
        ).items():
            taken[resource] = taken.get(resource, 0.0) + amount
        keys, working = state.keys, state.working_b
        if self.limited[device]:
            key = int(options.weights_key[option])
            held = keys.get(device, ())
            keys = {**keys, device: tuple(sorted({*held, key} if key >= 0 else held))}
            most = max(working.get(device, 0.0), float(options.memory_b[option]))
            working = {**working, device: most}
        stated = float(options.accuracy[option])
        return replace(
            state,
            options=(*state.options, option),
            placed=(*state.placed, device),
            finish_s=(*state.finish_s, finish),
            arrivals=arrivals,
            latency_s=max(state.latency_s, finish),
            energy_j=state.energy_j + energy,
            accuracy=state.accuracy if np.isnan(stated) else min(state.accuracy, stated),
            busy_s=busy,
            link_b=link_b,
            keys=keys,
            working_b=working,
            pinned=pinned,
            taken=taken,
            paid=paid,
        )

    def _groups_allow(self, state: _Partial, device: int) -> bool:
        here = len(state.placed)
        for group in self.together:
            if here in group and any(state.placed[p] != device for p in group if p < here):
                return False
        return not any(
            here in group and any(state.placed[p] == device for p in group if p < here)
            for group in self.apart
        )

    def _pin(self, state: _Partial, task: int, device: int) -> dict[int, int] | None:
        """Units that the route is pinned to, None where two tasks name different units."""
        unit = int(self.instance.tasks.pin_unit[task])
        if unit < 0:
            return state.pinned
        if not self.limited[device]:
            raise InputError(
                f"Task {self.instance.tasks.name[task]!s} is pinned to unit "
                f"{self.instance.unit_name(device, unit)}, but a plan with split routing names "
                "units only of devices with a memory limit; pin the task to the device instead."
            )
        if state.pinned.get(device, unit) != unit:
            return None
        return {**state.pinned, device: unit}

    def _undominated(self, states: list[_Partial], step: int) -> list[_Partial]:
        """Drop partial routes that another one beats or equals in every respect that counts."""
        waiting = [p for p in range(step + 1) if self.last_use[p] > step]
        watched = self._watched_groups(step)
        alike: dict[object, list[_Partial]] = {}
        for state in states:
            open_legs = tuple(k for k in state.arrivals if self._tensor_open(k[0], step))
            signature = (
                tuple(state.placed[p] for p in waiting),
                tuple(state.placed[p] for p in watched),
                tuple(sorted(open_legs)),
                tuple(sorted(state.pinned.items())),
                self._slowed_options(state),
            )
            alike.setdefault(signature, []).append(state)
        kept: list[_Partial] = []
        for group in alike.values():
            if len(group) == 1:
                kept.extend(group)
                continue
            table = self._table(group, waiting, step)
            kept.extend(group[i] for i in pareto(table, [s.latency_s for s in group]))
        return kept

    def _slowed_options(self, state: _Partial) -> tuple[tuple[int, int], ...]:
        """Return the options whose speed depends on what runs beside them, which is not known here.

        No two of them compare; nor, under a limit on latency, does what runs in their routes.
        """
        slowed = [p for p, device in enumerate(state.placed) if self.slowed[device]]
        if slowed and self.timed:
            slowed = list(range(len(state.placed)))
        return tuple((p, state.options[p]) for p in slowed)

    def _table(self, states: list[_Partial], waiting: list[int], step: int) -> Floats:
        """One row per state, less is better in every column."""
        devices = sorted({d for s in states for d in s.busy_s})
        links = sorted({link for s in states for link in s.link_b})
        keys = sorted({(d, k) for s in states for d, held in s.keys.items() for k in held})
        legs = sorted(k for k in states[0].arrivals if self._tensor_open(k[0], step))
        rows = []
        for s in states:
            row = [s.energy_j, *(s.paid[name] for name in self.prices)]
            if self.timed:
                # Only what others wait for: every end was held against the limit when it was set.
                row += [s.finish_s[p] for p in waiting]
                row += [s.arrivals[leg] for leg in legs]
            if self.exact:
                row.append(-s.accuracy)
            # A device used for no time still needs a unit, so using it at all is a column too.
            row += [s.busy_s.get(d, 0.0) for d in devices]
            row += [float(d in s.busy_s) for d in devices]
            row += [-s.busy_s.get(d, 0.0) for d in devices if self.least[d] > 0]
            row += [s.link_b.get(link, 0.0) for link in links]
            row += [s.taken.get(resource, 0.0) for resource in self.resources]
            row += [float(k in s.keys.get(d, ())) for d, k in keys]
            row += [s.working_b.get(d, 0.0) for d in devices if self.limited[d]]
            rows.append(row)
        return np.array(rows, dtype=np.float64)

    def _last_uses(self) -> list[int]:
        """Last step at which each task's place matters to a task that waits for it."""
        last = [-1] * len(self.order)
        ptr, edges = self.instance.successors
        for i, task in enumerate(self.order):
            for edge in edges[ptr[task] : ptr[task + 1]]:
                last[i] = max(last[i], self.position[int(self.instance.edges.dst[edge])])
        return last

    def _tensor_open(self, tensor: int, step: int) -> bool:
        return self.last_use[self.position[int(self.instance.tensors.producer[tensor])]] > step

    def _watched_groups(self, step: int) -> list[int]:
        groups = [*self.together, *self.apart]
        return sorted({p for g in groups if max(g) > step for p in g if p <= step})

    def _route(self, state: _Partial) -> Route:
        chosen = dict(zip(self.order, state.options, strict=True))
        return Route(
            job=self.job,
            options=tuple(chosen[t] for t in self.tasks),
            latency_s=state.latency_s,
            energy_j=state.energy_j,
            accuracy=state.accuracy,
            busy_s=state.busy_s,
            link_b=state.link_b,
            keys=state.keys,
            working_b=state.working_b,
            pinned=state.pinned,
            taken=state.taken,
            paid=state.paid,
        )

    def _no_option(self, task: int) -> str:
        name, job = self.instance.tasks.name[task], self.instance.jobs.name[self.job]
        if len(self.instance.task_options(task)):
            return (
                f"Task {name!s} of job {job!s} has no option with an accuracy of at least "
                f"{self.instance.jobs.min_accuracy[self.job]:g}."
            )
        return f"Task {name!s} of job {job!s} has no device that it may run on."

    def _no_extension(self, task: int) -> str:
        slo = self.instance.jobs.latency_slo_s[self.job]
        told = shown(self.instance, float(slo), "time", STATED_DIGITS)
        limit = f"within its latency limit of {told}" if self.timed else "with the links there"
        return (
            f"Job {self.instance.jobs.name[self.job]!s} has no route {limit}: no option of task "
            f"{self.instance.tasks.name[task]!s} fits (latency, paths between devices, pins and "
            "groups considered)."
        )


def pareto(table: Floats, ties: Sequence[float]) -> list[int]:
    """Rows of ``table`` (less is better in every column) that no other row beats or equals.

    Of equal rows the one with the least ``ties`` stays, then the first. Rows in lexicographic
    order can only be dominated by earlier ones. Returns ascending row indices.
    """
    columns = [np.asarray(ties), *table.T[::-1]]
    order = np.lexsort(columns)
    kept = np.empty_like(table)
    chosen: list[int] = []
    for i in order:
        if not np.any(np.all(kept[: len(chosen)] <= table[i], axis=1)):
            kept[len(chosen)] = table[i]
            chosen.append(int(i))
    return sorted(chosen)


def _positions(groups: Groups, position: dict[int, int]) -> list[list[int]]:
    """Return the groups of this job's tasks as positions in its topological order."""
    inside = [[position[int(t)] for t in g if int(t) in position] for g in groups]
    return [g for g in inside if len(g) > 1]
