"""Demands on what devices share, from executions that ran beside others of another device.

An execution that runs the part p of its time beside another one, and the rest alone, takes its time
alone divided by (1 − p) + p r, with r the rate at which both progress together. So each gives an r;
the median over all executions of an option beside another option says how fast they run together,
and demands follow from these (:mod:`hetopt.profiling.slowdown`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance.instance import Instance
from hetopt.profiling.calibration.overlap import ALONE, LEAST, TOGETHER
from hetopt.profiling.calibration.telemetry import Observation
from hetopt.profiling.slowdown import Together, fit_demands, shared_rate

FASTER = 1.05
"""A rate above this is no rate: what was taken for the time alone was not."""

UNSLOWED = 0.95
"""Rates from here on are within the scatter of times alone: not slowed, of any demands up to C."""

Option = tuple[str, str, str]
"""Task or profile, device, label."""


@dataclass(frozen=True, slots=True)
class FittedDemands:
    """What overlapping executions say of a shared resource.

    Attributes
    ----------
    resource
        Name of the instance's only resource that slows; empty where it has none, or several.
    capacity
        Its capacity, else 1: what demands are parts of.
    demand
        Of each option, by profile, device and label.
    loss
        Part of the speed that is lost besides while two or more use it.
    pairs
        Pairs of options from which they follow.
    error
        Median relative error of the pairs' rates, as fitted.
    """

    resource: str
    capacity: float
    demand: dict[Option, float]
    loss: float
    pairs: int
    error: float


def demands_of_telemetry(
    instance: Instance, observed: Sequence[Observation], stated: Mapping[Option, float]
) -> FittedDemands | None:
    """Fit demands of options that ran beside others; None where they say nothing.

    They say nothing where no pair ran together often enough, or none was slowed and the instance
    says so too: options that do not slow each other may have any demands that sum to the capacity
    or less.

    Parameters
    ----------
    observed
        Executions; those without a start are left out.
    stated
        Time alone by task, device and label. Where an option ran alone ``LEAST`` times or more, the
        median of these counts instead.
    """
    profile = _profiles(instance)
    beside, alone = _beside(observed, stated, profile)
    found = []
    for (mine, other), runs in sorted(beside.items()):
        if len(runs) < LEAST:
            continue
        reference = math.exp(float(np.median(alone[mine]))) if len(alone[mine]) >= LEAST else 1.0
        rates = [_rate(ratio / reference, part) for ratio, part in runs]
        rate = float(np.median(rates))
        if 0 < rate <= FASTER:
            found.append(Together((_text(mine), _text(other)), min(1.0, rate)))
    if not found:
        return None
    slow = np.flatnonzero(instance.resources.slow)
    only = len(slow) == 1
    if all(m.rate >= UNSLOWED for m in found) and (
        not only or _says_unslowed(instance, int(slow[0]), found)
    ):
        return None
    capacity = float(instance.resources.capacity[slow[0]]) if only else 1.0
    fitted = fit_demands(found, capacity)
    names = {_text(option): option for pair in beside for option in pair}
    return FittedDemands(
        resource=str(instance.resources.name[slow[0]]) if only else "",
        capacity=capacity,
        demand={names[text]: demand for text, demand in fitted.demand.items()},
        loss=fitted.loss,
        pairs=len({frozenset(m.options) for m in found}),
        error=fitted.error,
    )


def _says_unslowed(instance: Instance, resource: int, found: Sequence[Together]) -> bool:
    """Whether the demands that the instance states slow none of these either."""
    profiles, options, uses = instance.profiles, instance.options, instance.uses
    stated: dict[str, float] = {}
    for r, profile in enumerate(profiles.name.tolist()):
        for o in range(int(profiles.ptr[r]), int(profiles.ptr[r + 1])):
            device = str(instance.devices.name[options.device[o]])
            key = _text((profile, device, str(options.label[o])))
            stated[key] = dict(uses.of(o)).get(resource, 0.0)
    capacity = float(instance.resources.capacity[resource])
    loss = float(instance.resources.loss[resource])
    return all(
        shared_rate([stated.get(o, 0.0) for o in m.options], capacity, loss) >= UNSLOWED
        for m in found
    )


def _text(option: Option) -> str:
    return "\t".join(option)


def _profiles(instance: Instance) -> dict[str, str]:
    names = instance.profiles.name
    tasks = zip(instance.tasks.name.tolist(), names[instance.tasks.profile].tolist(), strict=True)
    return {name: name for name in names.tolist()} | dict(tasks)


def _rate(longer: float, part: float) -> float:
    """Return the rate beside another: ``longer`` is the time over that alone, ``part`` of it so."""
    return (1.0 / longer - (1.0 - part)) / part


def _beside(
    observed: Sequence[Observation],
    stated: Mapping[Option, float],
    profile: Mapping[str, str],
) -> tuple[dict[tuple[Option, Option], list[tuple[float, float]]], dict[Option, list[float]]]:
    """Return executions beside one option each, and the log ratios of those that ran alone.

    An execution is one of a pair where an option of another device ran for ``TOGETHER`` of its time
    or more, and whatever else ran on other devices for ``ALONE`` at most. Of such a pair: times as
    long as stated, and the part of the time.
    """
    rows = sorted((r for r in observed if not math.isnan(r.start_s)), key=lambda r: r.start_s)
    longest = max((r.time_s for r in rows), default=0.0)
    starts = [r.start_s for r in rows]
    beside: dict[tuple[Option, Option], list[tuple[float, float]]] = {}
    alone: dict[Option, list[float]] = {}
    for i, row in enumerate(rows):
        known = stated.get((row.task, row.device, row.label), math.nan)
        if math.isnan(known) or not row.time_s > 0:
            continue
        mine = (profile.get(row.task, row.task), row.device, row.label)
        alone.setdefault(mine, [])
        end = row.start_s + row.time_s
        shared: dict[Option, float] = {}
        for j in range(bisect_left(starts, row.start_s - longest), len(rows)):
            other = rows[j]
            if other.start_s >= end:
                break
            both = min(end, other.start_s + other.time_s) - max(row.start_s, other.start_s)
            if j != i and other.device != row.device and both > 0:
                key = (profile.get(other.task, other.task), other.device, other.label)
                shared[key] = shared.get(key, 0.0) + both / row.time_s
        most = max(shared, key=lambda option: shared[option], default=None)
        rest = sum(part for option, part in shared.items() if option != most)
        if most is None or shared[most] + rest <= ALONE:
            alone[mine].append(math.log(row.time_s / known))
        elif TOGETHER <= shared[most] <= 1.0 + 1e-9 and rest <= ALONE:
            part = min(1.0, shared[most])
            beside.setdefault((mine, most), []).append((row.time_s / known, part))
    return beside, alone
