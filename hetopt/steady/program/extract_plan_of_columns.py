"""From shares of the routes of single tasks to a plan, column by column."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import expand, sums
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.program.extract_plan import NO_SHARE, SLIVER, raised_to
from hetopt.steady.routes.single_task_routes import Columns


def columns_plan(
    instance: Instance, columns: Columns, routes: Ints, share: Floats, *, theta: float | None
) -> SteadyPlan:
    """Make a plan in which every job of a stream is served by the stream's shares.

    Parameters
    ----------
    routes
        Routes (of ``columns``, ascending) that may serve something.
    share
        Share of its stream's rate that each of them serves.
    theta
        Multiple of the rates that a share of 1 stands for where throughput is asked for; None
        where all that is demanded is served.
    """
    served = _tidied(columns, routes, share, scaled=theta is not None)
    used = np.flatnonzero(served > 0)
    stream, served = columns.stream[routes[used]], served[used]
    ptr = np.searchsorted(stream, np.arange(len(columns.rate_per_s) + 1))
    job, entry = expand(ptr, columns.stream_of)
    option = columns.option[routes[used]][entry]
    demand = instance.jobs.rate_per_s[job] * (1.0 if theta is None else theta)
    rate = demand * served[entry]
    if theta is None:
        _meet_demand(instance, job, rate)
    tasks = np.empty(len(instance.jobs), dtype=np.int64)
    tasks[instance.tasks.job] = np.arange(len(instance.tasks))
    device = columns.device[routes[used]][entry]
    load = sums(device, rate * columns.busy_s[routes[used]][entry], len(instance.devices))
    units = _units(instance, load)
    return SteadyPlan(
        route_job=job,
        rate_per_s=rate,
        ptr=np.arange(len(job) + 1),
        task=tasks[job],
        option=option,
        unit=np.full(len(job), -1, dtype=np.int64),
        units_on=units["units_on"],
        units_had=units["units_had"],
    )


def _tidied(columns: Columns, routes: Ints, share: Floats, *, scaled: bool) -> Floats:
    """Return shares without a solver's dust; the others of the stream make up for it."""
    stream, count = columns.stream[routes], len(columns.rate_per_s)
    served = np.maximum(share, 0.0)
    whole = sums(stream, served, count)
    served[served <= NO_SHARE * whole[stream]] = 0.0
    kept = sums(stream, served, count)
    target = whole if scaled else np.ones(count)
    factor = np.divide(target, kept, out=np.zeros(count), where=kept > 0)
    several = sums(stream, (served > 0).astype(np.float64), count)[stream] > 1
    return np.where(several, served * factor[stream], np.where(served > 0, target[stream], 0.0))


def _meet_demand(instance: Instance, job: Ints, rate: Floats) -> None:
    """Raise the rates of jobs with several routes until they add up to the demand exactly."""
    several = np.flatnonzero(np.bincount(job, minlength=len(instance.jobs)) > 1)
    first = np.searchsorted(job, several)
    last = np.searchsorted(job, several, side="right")
    for j, begin, end in zip(several.tolist(), first.tolist(), last.tolist(), strict=True):
        demand = Fraction(repr(float(instance.jobs.rate_per_s[j])))
        raised = raised_to(demand, rate[begin:end].tolist())
        rate[begin:end] = raised


def _units(instance: Instance, load: Floats) -> dict[str, Ints]:
    """Return units on and had: no more than the load and the least counts ask for."""
    devices = instance.devices
    capacity = unit_capacity(instance)
    need = np.divide(load, capacity, out=np.zeros(len(load)), where=load > 0)
    on = np.where(load > 0, np.maximum(1, np.ceil(need - 4 * SLIVER)), 0).astype(np.int64)
    had = np.maximum(devices.count_min, on)
    return {"units_on": np.where(devices.off_when_unused, on, had), "units_had": had}
