"""Quick placements and a quick bound for ``routing: single``, before CP-SAT has its model.

A graph on one unit has no transfers; cut into pieces along its order, one for each unit of a
device, it has few. Such plans are taken where the independent checker does, so that a search has
something to start from, and something to return where its time ends early.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.instance import NO_MAXIMUM, Instance, Ints, is_maximised
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.routes.route import usable_options
from hetopt.verify import verify

MOST_PIECES = 16
"""Units of a device that a graph is cut over."""

ROUNDING = 1e-9
"""Relative room for the rounding of a sum of loads."""

Home = tuple[int, int]
"""(device, unit)."""


def greedy_placement(
    instance: Instance, most: Callable[[SteadyPlan], float], over: Callable[[], bool]
) -> SteadyPlan | None:
    """Return the best of some simple placements, None where the checker takes none of them.

    Parameters
    ----------
    most
        The largest multiple of the demanded rates that a placement can serve.
    over
        Whether the time is over.
    """
    name = instance.objective[0]
    sign = -1.0 if is_maximised(name) else 1.0
    best, least = None, math.inf
    for homes in _candidates(instance):
        if over():
            break
        plan = _plan(instance, homes)
        if plan is None:
            continue
        try:
            if name == "throughput":
                plan = _scaled(instance, plan, most(plan))
            value = sign * objective_value(instance, plan, name)
        except InputError:  # no way between two of its units
            continue
        if value < least and verify(instance, plan).ok:
            best, least = plan, value
    return best


def throughput_bound(instance: Instance) -> float:
    """Return a throughput that nothing exceeds: all work in its least share of a unit's time.

    Σ of the least shares of a unit's capacity × θ ≤ units. NaN where units have no maximum.
    """
    options, devices = instance.options, instance.devices
    if (devices.count_max == NO_MAXIMUM).any():
        return math.nan
    capacity = unit_capacity(instance)
    share = 0.0
    for task in range(len(instance.tasks)):
        rate = float(instance.jobs.rate_per_s[instance.tasks.job[task]])
        ways = [o for o in usable_options(instance, task) if capacity[options.device[o]] > 0]
        busy = [_busy(instance, task, o) / float(capacity[options.device[o]]) for o in ways]
        share += rate * min(busy, default=0.0)
    if share <= 0:
        return math.nan
    units = int(np.maximum(0, devices.count_max - devices.spare).sum())
    return units / share * (1 + ROUNDING) * float(instance.jobs.rate_per_s.sum())


def plan_of(instance: Instance, option: Ints, unit: Ints) -> SteadyPlan:
    """Return the plan at the demanded rates, with no more units on than it needs."""
    devices = instance.devices
    on = np.zeros(len(devices), dtype=np.int64)
    np.maximum.at(on, instance.options.device[option], unit + 1)
    had = np.maximum(devices.count_min, on + np.where(on > 0, devices.spare, 0))
    ptr, tasks = instance.job_tasks
    return SteadyPlan(
        route_job=np.arange(len(instance.jobs), dtype=np.int64),
        rate_per_s=instance.jobs.rate_per_s.astype(np.float64),
        ptr=ptr.copy(),
        task=tasks.copy(),
        option=option[tasks],
        unit=unit[tasks],
        units_on=np.where(devices.off_when_unused, on, had),
        units_had=had,
    )


def _candidates(instance: Instance) -> Iterator[list[Home | None]]:
    """Yield homes that tasks would like: all on one unit, or pieces in order, device by device."""
    count = len(instance.tasks)
    serving = _serving(instance)
    for device, most in enumerate(serving):
        yield [(device, 0)] * count
        units = MOST_PIECES if most == NO_MAXIMUM else min(most, MOST_PIECES)
        for pieces in range(2, units + 1):
            yield _pieces(instance, [(device, u) for u in range(pieces)])
    every = [
        (device, unit)
        for device, most in enumerate(serving)
        for unit in range(1 if most == NO_MAXIMUM else min(most, MOST_PIECES))
    ]
    if every:
        yield _pieces(instance, every)


def _serving(instance: Instance) -> list[int]:
    """Most units of each device that may serve; ``NO_MAXIMUM`` where there is none."""
    devices = instance.devices
    left = np.maximum(0, devices.count_max - devices.spare)
    return [int(n) for n in np.where(devices.count_max == NO_MAXIMUM, NO_MAXIMUM, left)]


def _pieces(instance: Instance, homes: list[Home]) -> list[Home | None]:
    """Cut the tasks' order into pieces of about equal time, one for each home."""
    time = np.zeros(len(instance.tasks))
    for task in range(len(time)):
        ways = usable_options(instance, task)
        time[task] = min((_busy(instance, task, o) for o in ways), default=0.0)
    time *= instance.jobs.rate_per_s[instance.tasks.job]
    found: list[Home | None] = [None] * len(time)
    whole, passed = float(time.sum()) or 1.0, 0.0
    for task in instance.topological_order.tolist():
        at = int((passed + 0.5 * time[task]) / whole * len(homes))
        found[task] = homes[min(at, len(homes) - 1)]
        passed += float(time[task])
    return found


def _plan(instance: Instance, wished: list[Home | None]) -> SteadyPlan | None:
    """Place tasks where they are wished, or else where they run fastest; None where none can."""
    options = instance.options
    wished = list(wished)
    for group in instance.together:
        for task in group[1:].tolist():
            wished[task] = wished[int(group[0])]
    option, unit = [], []
    for task, home in enumerate(wished):
        ways = usable_options(instance, task)
        liked = [o for o in ways if home is not None and options.device[o] == home[0]]
        if not ways:
            return None
        chosen = min(liked or ways, key=lambda o: _busy(instance, task, o))
        pin = int(instance.tasks.pin_unit[task])
        option.append(int(chosen))
        unit.append(pin if pin >= 0 else home[1] if liked and home is not None else 0)
    return plan_of(instance, np.array(option, dtype=np.int64), np.array(unit, dtype=np.int64))


def _scaled(instance: Instance, plan: SteadyPlan, scale: float) -> SteadyPlan:
    rate = instance.jobs.rate_per_s * scale
    return SteadyPlan(
        plan.route_job, rate, plan.ptr, plan.task, plan.option, plan.unit,
        plan.units_on, plan.units_had,
    )  # fmt: skip


def _busy(instance: Instance, task: int, option: int) -> float:
    options = instance.options
    time = float(instance.tasks.work[task]) * float(options.time_s[option])
    return time / float(options.batch[option])
