"""Routes of single-task jobs as columns, without an object per route.

Where every job is one task, a route is an option, and millions of them fit into arrays. Jobs that
may use the same options in the same way are one *stream*: under ``split`` routing any shares of
their total rate are shares for each of them, so the program has one demand for all.

The routes, and which of them are dropped as dominated, are those of
:mod:`hetopt.steady.routes.routes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.grouping import distinct, expand, sums
from hetopt.instance.joule_prices import sites_differ
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.steady.model.capacity import memory_limited, unit_capacity
from hetopt.steady.model.resources import ResourceLimit, resource_limits
from hetopt.steady.routes.route import LATENCY_SLACK, accuracy_counts

NEGLIGIBLE = 1e-6
"""Least busy time of a route, in units at its job's whole rate, that columns of loads can tell
from none; work that takes less needs rows that say that a unit must be on for it."""


MANY = 4_000
"""Routes from which an instance is solved as columns: a model of objects then takes seconds."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Routes of single-task jobs: N routes of G streams, J jobs.

    Attributes
    ----------
    stream_of
        Stream of each job (J); streams are numbered by their first job.
    first_job
        A job of each stream (G).
    rate_per_s
        Total rate of each stream's jobs (G).
    weight
        Total weight of each stream's jobs (G).
    stream, option, device
        Of each route (N), ordered by stream, then option.
    busy_s, energy_j
        Per request (N).
    accuracy
        inf where none is stated (N).
    taken
        What a request takes of each limit of a resource (N each).
    without
        Jobs, one of each stream, that no option can serve.
    """

    stream_of: Ints
    first_job: Ints
    rate_per_s: Floats
    weight: Floats
    stream: Ints
    option: Ints
    device: Ints
    busy_s: Floats
    energy_j: Floats
    accuracy: Floats
    taken: dict[ResourceLimit, Floats]
    without: Ints

    def __len__(self) -> int:
        return len(self.option)


def single_tasks(instance: Instance) -> bool:
    """Whether columns say all: jobs of one task each, on devices whose units are all alike.

    Not with memory limits or exclusive units (which unit holds what matters), nor with what has
    rows of its own: links that grow with the units on, spare units, least loads, parts of
    a demand that are worth more than others, shares of kinds, slices, scenarios, sites at which a
    joule costs or emits differently.
    """
    devices = instance.devices
    if (
        len(instance.scenarios)
        or devices.spare.any()
        or devices.min_load.any()
        or "value" in instance.objective
        or len(instance.kind_shares)
        or instance.jobs.slices.any()
        or any(sites_differ(instance, name) for name in ("cost", "carbon"))
        or slow_domains(instance)
    ):
        return False
    if instance.routing != "split" or len(instance.tasks) != len(instance.jobs):
        return False
    if len(instance.edges) or bool(instance.links.per_unit.any()):
        return False
    return not bool((memory_limited(instance) | instance.devices.exclusive).any())


def many_columns(instance: Instance) -> Columns | None:
    """Return the routes of an instance of single tasks as columns, None where they are few."""
    if not single_tasks(instance) or len(instance.admissible[1]) < MANY:
        return None
    columns = tabulate(instance)
    return None if columns is None or len(columns) < MANY else columns


def tabulate(instance: Instance) -> Columns | None:
    """List the undominated routes of an instance of single tasks.

    Returns
    -------
    Columns or None
        None where some work takes so little time that loads do not tell whether it is served.
    """
    jobs, tasks = instance.jobs, instance.tasks
    task_of = np.empty(len(jobs), dtype=np.int64)
    task_of[tasks.job] = np.arange(len(tasks))
    classes = instance.classes
    _, group = distinct(
        _ranked(jobs.min_accuracy),
        _ranked(jobs.latency_slo_s),
        _ranked(tasks.work[task_of]),
        classes.member[task_of],
    )
    _, first, stream_of = np.unique(group, return_index=True, return_inverse=True)
    by_job = np.argsort(first, kind="stable")
    number = np.empty(len(by_job), dtype=np.int64)
    number[by_job] = np.arange(len(by_job))
    stream_of, first = number[stream_of], first[by_job]
    stream, entry = expand(classes.ptr, classes.member[task_of[first]])
    option = classes.option[entry]
    allowed = _allowed(instance, first[stream], task_of, option)
    stream, option = stream[allowed], option[allowed]
    found = _costs(instance, task_of[first[stream]], option)
    exact = np.array([accuracy_counts(instance, int(j)) for j in first], dtype=bool)
    kept = _undominated(instance, stream, option, found, exact)
    rate = sums(stream_of, jobs.rate_per_s, len(first))
    device = instance.options.device[option[kept]]
    load = rate[stream[kept]] * found.busy_s[kept]
    if np.any(load < NEGLIGIBLE * unit_capacity(instance)[device]):
        return None
    return Columns(
        stream_of=stream_of,
        first_job=first,
        rate_per_s=rate,
        weight=sums(stream_of, jobs.weight, len(first)),
        stream=stream[kept],
        option=option[kept],
        device=device,
        busy_s=found.busy_s[kept],
        energy_j=found.energy_j[kept],
        accuracy=found.accuracy[kept],
        taken={resource: amount[kept] for resource, amount in found.taken.items()},
        without=first[np.bincount(stream, minlength=len(first)) == 0],
    )


@dataclass(frozen=True, slots=True)
class _Costs:
    """What a request costs by each of some routes (N each)."""

    busy_s: Floats
    energy_j: Floats
    accuracy: Floats
    latency_s: Floats
    taken: dict[ResourceLimit, Floats]


def _ranked(values: Floats) -> Ints:
    """Return the rank of each value, equal for equal ones."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _latency_s(instance: Instance, task: Ints, option: Ints) -> Floats:
    """Return the latency of each option: stated, else twice the time of a batch, once of one."""
    options = instance.options
    fills = np.where(options.batch[option] >= 2, 2.0, 1.0)
    stated = options.latency_s[option]
    takes = fills * (instance.tasks.work[task] * options.time_s[option])
    return np.where(np.isnan(stated), takes, stated)


def _allowed(instance: Instance, job: Ints, task_of: Ints, option: Ints) -> Bools:
    """Tell which options meet the accuracy and the latency that their job asks for."""
    slo = instance.jobs.latency_slo_s[job]
    finite = np.isfinite(slo)
    room = np.where(finite, slo * (1 + LATENCY_SLACK), slo)
    in_time = _latency_s(instance, task_of[job], option) <= room
    return in_time & ~(instance.options.accuracy[option] < instance.jobs.min_accuracy[job])


def _costs(instance: Instance, task: Ints, option: Ints) -> _Costs:
    options = instance.options
    share = instance.tasks.work[task] / options.batch[option]
    time = options.time_s[option]
    busy = share * time
    stated = options.accuracy[option]
    return _Costs(
        busy_s=busy,
        energy_j=np.where(time > 0, share * options.energy_j[option], 0.0),
        accuracy=np.where(np.isnan(stated), np.inf, stated),
        latency_s=_latency_s(instance, task, option),
        taken=_taken(instance, option, busy),
    )


def _taken(instance: Instance, option: Ints, busy_s: Floats) -> dict[ResourceLimit, Floats]:
    """Return what each route takes of every limit of a resource, per request."""
    uses = instance.uses
    limits = resource_limits(instance)
    taken: dict[ResourceLimit, Floats] = {}
    if not limits:
        return taken
    which, row = expand(uses.ptr, option)
    for kind, resource in limits:
        mine = uses.resource[row] == resource
        amount = np.zeros(len(option))
        amount[which[mine]] = uses.amount[row[mine]]
        factor = busy_s if kind == "capacity" else 1.0 / instance.options.batch[option]
        taken[kind, resource] = amount * factor
    return taken


def _undominated(
    instance: Instance, stream: Ints, option: Ints, costs: _Costs, exact: Bools
) -> Ints:
    """Return the routes that no other of their stream on the same device beats or equals.

    Of equal ones that of least latency stays, then the first.
    """
    home = stream * len(instance.devices) + instance.options.device[option]
    order = np.arange(len(home))
    if np.any(np.diff(home) < 0):
        order = np.argsort(home, kind="stable")
        home = home[order]
    criteria = [costs.energy_j, costs.busy_s, *costs.taken.values()]
    if exact.any():
        criteria.append(np.where(exact[stream], -costs.accuracy, 0.0))
    criteria = [values[order] for values in criteria]
    latency = costs.latency_s[order]
    kept = np.ones(len(order), dtype=bool)
    # Two routes of one group lie at a distance less than the group's size.
    first, distance = np.arange(len(order) - 1), 1
    while len(first):
        first = first[home[first + distance] == home[first]]
        other = first + distance
        better, worse = (np.ones(len(first), dtype=bool) for _ in range(2))
        for values in criteria:
            better &= values[first] <= values[other]
            worse &= values[first] >= values[other]
        dominated = better & ~(worse & (latency[other] < latency[first]))
        kept[other[dominated]] = False
        kept[first[worse & ~dominated]] = False
        distance += 1
        first = first[first + distance < len(order)]
    return np.sort(order[kept])
