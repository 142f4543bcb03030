"""What ``simulate`` is asked, in SI units, and what of it cannot be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.instance.questions import several_demands
from hetopt.instance.states.slow_domains import domain_of_device, slow_demand
from hetopt.simulate.events import Event
from hetopt.simulate.policies import ONLY, STREAM_POLICIES
from hetopt.solution import Solution
from hetopt.solve import SolveOptions

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_POLICIES = ("plan", "greedy", "energy-greedy", "price", "rolling")
HOMOGENEOUS = "homogeneous"
"""Stands for the plan of each device alone."""
FIXED, INTERVAL, EXPONENTIAL = "fixed", "interval", "exponential"
TIMES = (INTERVAL, FIXED, EXPONENTIAL)
PLAN_FOR = ("peak", "mean", "stated")
Quantity = float | str


@dataclass(frozen=True)
class Question:
    """What is simulated, in SI units."""

    policies: tuple[str, ...]
    arrivals: str
    trace: pd.DataFrame | None
    count: int | None
    time_s: float | None
    replications: int
    seed: int
    failures: str | None
    events: tuple[Event, ...]
    delta_s: float | None
    start_up: Mapping[str, float]
    shared: tuple[str, ...]
    timeout_s: float | None
    times: str
    columns: Mapping[str, str]
    warm_up_s: float
    plan_for: str | None
    bound: bool
    options: SolveOptions


def spread_of(times: str) -> float | None:
    """Return the logarithmic spread that ``times`` states as a part or in percent; None: none."""
    try:
        found = float(units.parse(times, "fraction"))
    except units.UnitError:
        return None
    return found if 0 < found < math.inf else None


def named(instance: Instance, policies: tuple[str, ...]) -> tuple[str, ...]:
    """Return the policies, each once, with those that ``homogeneous`` stands for."""
    devices = instance.devices
    found: list[str] = []
    for name in policies:
        if name == HOMOGENEOUS:
            present = np.flatnonzero(devices.count_max != 0)
            found += [f"{ONLY}{devices.name[d]}" for d in present]
        else:
            found.append(name)
    return tuple(dict.fromkeys(found))


def why(solution: Solution) -> str:
    """Return why a solve has no plan."""
    return solution.reason or f"No plan was found ({solution.status})."


def check(instance: Instance, question: Question) -> None:
    """Refuse what cannot be asked of either regime.

    Raises
    ------
    InputError
        With all that is wrong, each with its place.
    """
    problems = []
    streams = instance.regime == "steady"
    if streams:
        problems += _beside_slow(instance, question)
    if len(instance.scenarios):
        problems.append(several_demands(instance))
    devices = instance.devices.name.tolist()
    for name in question.policies:
        if name in (*STREAM_POLICIES, HOMOGENEOUS):
            continue
        if not (name.startswith(ONLY) and name.removeprefix(ONLY) in devices):
            known = ", ".join((*STREAM_POLICIES, HOMOGENEOUS, *(f"{ONLY}{d}" for d in devices)))
            problems.append(Problem("policy", name, f"One of {known}."))
    problems += [
        Problem("shared", n, f"A device: {', '.join(devices)}.")
        for n in question.shared
        if n not in devices
    ]
    if question.times not in TIMES and spread_of(question.times) is None:
        text = f"One of {', '.join(TIMES)}, or a spread such as 20 %."
        problems.append(Problem("times", question.times, text))
    if question.plan_for not in (None, *PLAN_FOR):
        text = f"One of {', '.join(PLAN_FOR)}."
        problems.append(Problem("plan_for", str(question.plan_for), text))
    if question.replications < 1:
        problems.append(Problem("replications", str(question.replications), "At least 1."))
    if question.count is not None and question.count < 1:
        problems.append(Problem("requests", str(question.count), "At least 1."))
    if not 0 <= question.seed < 2**31:
        text = "A whole number from 0 to 2^31 - 1."
        problems.append(Problem("seed", str(question.seed), text))
    if not question.policies:
        problems.append(Problem("policies", "", "At least one policy."))
    if problems:
        raise InputError(problems)


def _beside_slow(instance: Instance, question: Question) -> list[Problem]:
    """Return what is not known of devices that slow each other down (streams)."""
    devices, problems = instance.devices, []
    for d in np.flatnonzero((domain_of_device(instance) >= 0) & (devices.reserved > 0)).tolist():
        text = (
            "None in a simulation: others slow what runs there (`sharing: slow`), and what "
            "reserved work asks for is unknown."
        )
        place = f"device {devices.name[d]}, reserved"
        problems.append(Problem(place, f"{devices.reserved[d]:g}", text))
    # Requests that run at once would slow each other even on a unit that nothing else slows.
    asks = {
        str(devices.name[instance.options.device[o]])
        for o in np.unique(instance.admissible[1]).tolist()
        if slow_demand(instance, o)
    }
    text = "A device whose options use no resource that slows (`sharing: slow`)."
    problems += [Problem("shared", name, text) for name in question.shared if name in asks]
    return problems


def seconds(name: str, value: Quantity | None, zero: bool = False) -> float | None:
    """Return a time in seconds, None where none is stated.

    Raises
    ------
    InputError
        For what is no time of more than 0 (or, with ``zero``, of at least 0).
    """
    if value is None:
        return None
    try:
        found = float(units.parse(value, "time"))
    except units.UnitError as error:
        text = f"{error.expected}. {error.hint}".strip()
        raise InputError([Problem(name, str(error.value), text)]) from None
    if not (found > 0 or (zero and found == 0)) or not np.isfinite(found):
        least = "at least" if zero else "more than"
        raise InputError([Problem(name, str(value), f"A time of {least} 0 s.")])
    return found


def start_up_times(
    instance: Instance, value: Quantity | Mapping[str, Quantity] | None
) -> dict[str, float]:
    """Return the start-up time of each device that one is stated for, by default in the instance.

    Raises
    ------
    InputError
        For an unknown device, and what is no time.
    """
    names = instance.devices.name.tolist()
    # Of schedules a start-up is part of the plan.
    streams = instance.regime == "steady"
    times = zip(names, instance.devices.start_up_time_s.tolist(), strict=True)
    own = {name: time for name, time in times if streams and time > 0}
    if value is None:
        return own
    each = value if isinstance(value, Mapping) else dict.fromkeys(names, value)
    unknown = [n for n in each if n not in names]
    if unknown:
        text = f"A device: {', '.join(names)}."
        raise InputError([Problem("start_up", n, text) for n in unknown])
    return own | {n: seconds("start_up", v, zero=True) or 0.0 for n, v in each.items()}
