"""What the objectives of the CP-SAT model are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.variables import Build
from hetopt.schedule.model.grid import exact


@dataclass(slots=True)
class Measure:
    """``constant + Σ coefficient × variable``, variables from 0 to their upper bound.

    ``sign`` is -1 where the true objective is the negative of it. ``unit`` is what its integers
    count, where variables were made that count in it; 0: still to be chosen.
    """

    sign: int = 1
    constant: Fraction = Fraction(0)
    terms: list[tuple[Fraction, Any, int]] = field(default_factory=list)
    unit: Fraction = Fraction(0)

    def add(self, coefficient: Fraction, variable: Any, upper: int = 1) -> None:
        """Add a term; zero ones are left out."""
        if coefficient:
            self.terms.append((coefficient, variable, upper))


def add_window(
    build: Build, found: Measure, rate: Fraction, counted: tuple[int, int, Any] | None
) -> None:
    """Add rate × W, for certain or where a unit is counted; W is the horizon or the makespan."""
    if not rate:
        return
    problem, model = build.problem, build.model
    horizon = problem.instance.limits.horizon_s
    tick = problem.grid.tick
    if np.isfinite(horizon):
        whole = rate * exact(float(horizon))
        if counted is None:
            found.constant += whole
        else:
            found.add(whole, counted[2])
        return
    if counted is None:
        found.add(rate * tick, build.makespan, build.span)
        return
    device, k, literal = counted
    on = on_time(build, device, k, literal)
    model.add(on >= 0)
    found.add(rate * tick, on, build.span)


def on_time(build: Build, device: int, k: int, literal: Any) -> Any:
    """Time for which the (k + 1)-th unit of a device is on: the makespan where it is counted.

    Made once per unit. It is at least the least makespan where the unit is counted, and all of a
    device's on-times hold the work that runs there.
    """
    times = build.on_times.setdefault(device, [])
    while len(times) <= k:
        at = len(times)
        each = build.counted[device][at]
        on = build.time(f"w{device},{at}")
        build.model.add(on >= build.makespan).only_enforce_if(each)
        build.model.add(on >= least_makespan(build) * each)
        build.model.add(on <= build.span * each)
        build.model.add(on <= build.makespan)
        times.append(on)
        if len(times) == len(build.counted[device]):
            work = [
                c.mode.duration * c.literal
                for choices in build.choices
                for c in choices
                if c.place[0] == device
            ]
            if work:
                build.model.add(sum(work) <= build.problem.slots[device] * sum(times))
    return times[k]


def least_makespan(build: Build) -> int:
    """Ticks that every plan takes: the longest head, task and tail, or more by design §5."""
    problem = build.problem
    longest = max(
        (
            min(
                TimeWindows.of(problem).heads[t][d]
                + c.mode.duration
                + TimeWindows.of(problem).rests[t][d]
                for c in choices
                for d in (c.mode.device,)
            )
            for t, choices in enumerate(build.choices)
        ),
        default=0,
    )
    return max(longest, TimeWindows.of(problem).least)
