"""Units that are on and must be busy for a least fraction of their time (``min_load``).

Rule: every unit that is on, spare ones aside, is busy for at least ``min_load`` of the time that
``reserved`` leaves it. Work of which the plan names no unit may go to any of them (on an exclusive
device each unit has one job). Requests that nobody sends keep no unit busy: no job is served more
than it demands, and where throughput is asked for all are served in the proportions of the demand.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.verify.exact import exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.routes import Number, Unit
from hetopt.verify.steady.streams import Arithmetic, Stream


def check_least_loads(
    instance: Instance,
    streams: list[Stream],
    load: dict[tuple[Unit, int], Number],
    working: Ints,
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check every device that states a least load.

    Parameters
    ----------
    load
        Busy seconds per second, per unit and job.
    working
        Units on without spare ones, per device.
    """
    devices = instance.devices
    asked = np.flatnonzero(devices.min_load > 0).tolist()
    if not asked:
        return
    _check_served(instance, streams, arithmetic, findings)
    for device in asked:
        own = {(unit, job): busy for ((d, unit), job), busy in load.items() if d == device}
        if devices.exclusive[device]:
            _check_exclusive(instance, device, own, int(working[device]), arithmetic, findings)
        else:
            _check_any(instance, device, own, int(working[device]), arithmetic, findings)


def _check_any(
    instance: Instance,
    device: int,
    load: dict[tuple[int, int], Number],
    working: int,
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that work of no named unit fills up what the named ones leave below the least."""
    least, most = _range(instance, device, arithmetic)
    free, busy = arithmetic.number(0.0), [arithmetic.number(0.0)] * working
    for (unit, _), part in load.items():
        if 0 <= unit < working:
            busy[unit] += part
        elif unit < 0:
            free += part
    missing = sum((max(least - part, least * 0) for part in busy), least * 0)
    if not exceeds(missing, free, most * max(1, working)):
        return
    lowest = min(range(working), key=lambda u: busy[u])
    name = instance.devices.name[device]
    if free:
        told = (
            f"The {working} units of {name} that are on are busy {show(free + sum(busy))} seconds"
        )
        told += f" per second; each must be for at least {show(least)}."
    else:
        told = f"Unit {instance.unit_name(device, lowest)} is on and busy {show(busy[lowest])} "
        told += f"seconds per second; its least is {show(least)}."
    findings.add("min-load", told, name)


def _check_exclusive(
    instance: Instance,
    device: int,
    load: dict[tuple[int, int], Number],
    working: int,
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that the units on can be given to jobs such that each is busy enough.

    A job's work of no named unit fills its named units up, and then some whole number of others:
    at least as many as can hold it, at most as many as it keeps busy.
    """
    least, most = _range(instance, device, arithmetic)
    name = instance.devices.name[device]
    named: dict[int, dict[int, Number]] = {}
    free: dict[int, Number] = {}
    for (unit, job), part in load.items():
        if unit < 0:
            free[job] = free.get(job, 0) + part
        else:
            named.setdefault(job, {})[unit] = part
    held = {unit for units in named.values() for unit in units}
    fewest, largest = len(held), len(held)
    for job in sorted({*named, *free}):
        own, rest = named.get(job, {}), free.get(job, least * 0)
        missing = sum((max(least - part, least * 0) for part in own.values()), least * 0)
        room = sum((most - part for part in own.values()), least * 0)
        high = _floor((rest - missing) / least)
        low = max(0, -_floor((room - rest) / most))
        if exceeds(missing, rest, most) or low > high:
            findings.add(
                "min-load",
                f"The work of job {instance.jobs.name[job]} on {name} keeps no whole number of "
                f"units busy between {show(least)} and {show(most)} seconds per second each.",
                name,
            )
            return
        fewest, largest = fewest + low, largest + high
    if not fewest <= working <= largest:
        findings.add(
            "min-load",
            f"Of {name}, {working} units are on; its jobs keep {fewest} to {largest} units busy "
            f"for at least {show(least)} seconds per second, each for one job only.",
            name,
        )


def _range(instance: Instance, device: int, arithmetic: Arithmetic) -> tuple[Number, Number]:
    """Return the least and the most that one unit may be busy."""
    devices, number = instance.devices, arithmetic.number
    time = (1 - number(devices.reserved[device])) * int(devices.slots[device])
    return number(devices.min_load[device]) * time, number(devices.max_utilization[device]) * time


def _floor(units: Number) -> int:
    """Round down, forgiving what is within the tolerance of limits."""
    above: int = math.ceil(units)
    number = type(units)
    return above if not exceeds(number(above), units, number(max(1, abs(above)))) else above - 1


def check_same_part(instance: Instance, values: list[dict[str, float]], findings: Findings) -> None:
    """Check that all scenarios serve the same part of their demand, where throughput is asked for.

    One that serves more than the others would keep units busy with what is not asked for.
    """
    demand = instance.scenarios.rate_per_s.sum(axis=1)
    parts = [v["throughput"] / float(d) for v, d in zip(values, demand, strict=True)]
    for name, part in zip(instance.scenarios.name, parts, strict=True):
        if exceeds(part, min(parts)):
            findings.add(
                "min-load",
                f"Scenario {name} serves {show(part)} of its demand, another one "
                f"{show(min(parts))}: where units have a least load, all must serve the same part.",
                str(name),
            )


def _check_served(
    instance: Instance, streams: list[Stream], arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check that nothing is served that is not asked for."""
    jobs = instance.jobs
    served: list[Any] = [arithmetic.number(0.0)] * len(jobs)
    for stream in streams:
        served[stream.job] += stream.rate
    demand = [arithmetic.number(float(rate)) for rate in jobs.rate_per_s]
    scale = arithmetic.number(1.0)
    if "throughput" in instance.objective:
        scale = min((s / d for s, d in zip(served, demand, strict=True) if d > 0), default=scale)
    for j in range(len(jobs)):
        most = demand[j] * scale
        if exceeds(served[j], most):
            findings.add(
                "min-load",
                f"Job {jobs.name[j]} is served {show(served[j], 'requests/s')}, but only "
                f"{show(most, 'requests/s')} are asked for: where units have a least load, no more "
                "may be served.",
                jobs.name[j],
            )
