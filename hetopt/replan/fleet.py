"""The units that there are: which are on, which hold what, and what a plan's numbers mean.

A plan numbers the units that it has on from 0; units that are there have numbers of their own, and
some are down. A plan that names units (memory limits, ``routing: single``) is laid over those that
hold most of the weights it needs, so that little is loaded anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.simulate.events import State, UnitState
from hetopt.solution import SteadyPlan

Unit = tuple[int, int]
ON = ("on", "starting")
MANY_UNITS = 400
"""Units of a device beyond which they are laid out in order, not by what they hold."""
OTHER_PLACE = 1e-3
"""What another place of equal weights counts, beside a byte."""


@dataclass
class Now:
    """What is so: usable units of each device (D lists), those on, and the weights that they hold.

    ``stated`` are the units whose weights the state says.
    """

    usable: list[list[int]]
    on: set[Unit]
    held: dict[Unit, set[int]]
    running: dict[Unit, float]
    stated: set[Unit] = field(default_factory=set)
    down: set[Unit] = field(default_factory=set)


def now_of(instance: Instance, plan: SteadyPlan, state: State | None) -> Now:
    """Return what a state says, and of devices that it does not name what the plan says.

    Raises
    ------
    InputError
        Where the state names what the instance does not have.
    """
    devices = instance.devices
    known = {str(name): d for d, name in enumerate(devices.name)}
    keys = {key: k for k, key in enumerate(instance.model_keys)}
    told: dict[int, dict[int, UnitState]] = {}
    problems = []
    for i, unit in enumerate(() if state is None else state.units):
        d = known.get(unit.device, -1)
        if d < 0:
            text = f"A device: {', '.join(known)}."
            problems.append(Problem(f"state.units[{i}].device", unit.device, text))
            continue
        most = int(devices.count_max[d])
        if unit.unit < 0 or (most != NO_MAXIMUM and unit.unit >= most):
            text = f"A unit from 0 to {most - 1}." if most > 0 else "A unit that can be had."
            problems.append(Problem(f"state.units[{i}].unit", str(unit.unit), text))
        if unit.unit in told.setdefault(d, {}):
            text = "Each unit once."
            problems.append(Problem(f"state.units[{i}].unit", str(unit.unit), text))
        told[d][unit.unit] = unit
        for w, weights in enumerate(unit.weights):
            if tuple(weights) not in keys:
                text = "A model and variant of the instance's options."
                problems.append(Problem(f"state.units[{i}].weights[{w}]", str(weights), text))
    if problems:
        raise InputError(problems)
    found = Now([], set(), {}, {})
    for d in range(len(devices)):
        most = int(devices.count_max[d])
        rows = told.get(d, {})
        planned = int(plan.units_had[d])
        size = most if most != NO_MAXIMUM else max([planned, *(u + 1 for u in rows)])
        found.usable.append([u for u in range(size) if _status(rows.get(u)) != "down"])
        for u in range(size):
            row = rows.get(u)
            if row is None:
                if not rows and u < int(plan.units_on[d]):
                    found.on.add((d, u))
                continue
            if row.status == "down":
                found.down.add((d, u))
            if row.status in ON:
                found.on.add((d, u))
            found.running[d, u] = row.running
            if row.weights:
                found.held[d, u] = {keys[model, variant] for model, variant in row.weights}
                found.stated.add((d, u))
    return found


def _status(unit: UnitState | None) -> str:
    return "off" if unit is None else unit.status


def without_down(instance: Instance, now: Now) -> Instance:
    """Return the instance with as many units of each device as are usable."""
    devices = instance.devices
    size = np.array([len(units) for units in now.usable], dtype=np.int64)
    most = np.where(devices.count_max == NO_MAXIMUM, NO_MAXIMUM, size)
    least = np.where(most == NO_MAXIMUM, devices.count_min, np.minimum(devices.count_min, size))
    if np.array_equal(most, devices.count_max) and np.array_equal(least, devices.count_min):
        return instance
    return replace(instance, devices=replace(devices, count_min=least, count_max=most))


def needs(instance: Instance, plan: SteadyPlan) -> dict[Unit, set[int]]:
    """Return the weights that each unit must hold, by the plan's numbers, where it names units."""
    options = instance.options
    used = np.repeat(plan.rate_per_s > 0, np.diff(plan.ptr)) & (plan.unit >= 0)
    found: dict[Unit, set[int]] = {}
    for option, unit in zip(plan.option[used].tolist(), plan.unit[used].tolist(), strict=True):
        weights = found.setdefault((int(options.device[option]), unit), set())
        if options.weights_key[option] >= 0:
            weights.add(int(options.weights_key[option]))
    return found


def laid_over(
    instance: Instance,
    plan: SteadyPlan,
    now: Now,
    old: bool = False,
    among: set[Unit] | None = None,
) -> dict[Unit, int]:
    """Return which unit that is there each unit of a plan is (by device and the plan's number).

    Parameters
    ----------
    old
        Whether the plan is the one that runs: then its units are those of the same number, unless
        the state says that others hold its weights.
    among
        Units to choose from, where they are enough of a device; None: all that are usable.
    """
    needed = needs(instance, plan)
    bytes_of = _bytes(instance)
    place: dict[Unit, int] = {}
    for d in range(len(instance.devices)):
        count = int(max([plan.units_on[d], *(u + 1 for e, u in needed if e == d)]))
        if old and not any(e == d for e, _ in now.stated):
            place |= {(d, u): u for u in range(count)}
            continue
        there = list(now.usable[d])
        if among is not None:
            some = [u for u in there if (d, u) in among]
            there = some if len(some) >= count else there
        if old:
            there = sorted({*there, *(u for e, u in now.down if e == d)})
        while len(there) < count:
            there.append(max(there, default=-1) + 1)
        # Units that are on come first, the busiest of them first.
        there.sort(key=lambda u: ((d, u) not in now.on, -now.running.get((d, u), 0.0), u))
        named = [u for u in range(count) if (d, u) in needed]
        if not named or len(there) > MANY_UNITS:
            place |= {(d, u): there[u] for u in range(count)}
            continue
        cost = np.zeros((count, len(there)))
        for i in range(count):
            wanted = needed.get((d, i), set())
            for j, u in enumerate(there):
                missing = wanted - now.held.get((d, u), set())
                off = ((d, u) not in now.on) * 2.0
                cost[i, j] = sum(bytes_of[w] for w in missing) + OTHER_PLACE * ((i != u) + off)
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(cost)
        place |= {(d, i): there[j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)}
    return place


def _bytes(instance: Instance) -> dict[int, float]:
    options = instance.options
    return dict(zip(options.weights_key.tolist(), options.weights_b.tolist(), strict=True))


def renumbered(
    instance: Instance, plan: SteadyPlan, place: dict[Unit, int], now: Now
) -> tuple[SteadyPlan, int]:
    """Return the plan that runs in the numbers of a plan of the usable units.

    Those that are on come first, so that no unit in between need be on. Routes over units that are
    down lose their rate; how many is returned beside.
    """
    unit, rate = plan.unit.copy(), plan.rate_per_s.copy()
    device = instance.options.device[plan.option]
    route = np.repeat(np.arange(len(rate)), np.diff(plan.ptr))
    number: dict[Unit, int] = {}
    for d, units in enumerate(now.usable):
        listed = sorted(units, key=lambda u: ((d, u) not in now.on, u))
        number |= {(d, u): i for i, u in enumerate(listed)}
    lost: set[int] = set()
    for m in np.flatnonzero(plan.unit >= 0).tolist():
        d = int(device[m])
        found = number.get((d, place.get((d, int(plan.unit[m])), -1)), -1)
        if found < 0:
            lost.add(int(route[m]))
        unit[m] = max(found, 0)
    rate[list(lost)] = 0.0
    return replace(plan, unit=unit, rate_per_s=rate), len(lost)
