"""What the objectives of the CP-SAT model are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.variables import Build
from hetopt.schedule.model.grid import common_divisor, exact


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
    if problem.cycle or np.isfinite(horizon):
        window = tick * problem.cycle if problem.cycle else exact(float(horizon))
        whole = rate * window
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
            work += [s.change.ticks * s.literal for s in build.setups if s.place[0] == device]
            if work:
                build.model.add(sum(work) <= build.problem.slots[device] * sum(times))
    return times[k]


def least_makespan(build: Build) -> int:
    """Ticks that every plan takes: longest head, task and tail, or more by docs/mathematics.md."""
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


OBJECTIVE_SIZE = 1 << 50
"""Largest value of a scaled objective: doubles carry it exactly, and rounding the coefficient of a
literal down loses less than 1e-15 of it. A variable that counts parts of the objective itself needs
the coefficient 1 (``Measure.unit``): with few units a part, rounding loses much of each."""
SUM_SIZE = 1 << 60
"""Largest sum of all terms of a scaled objective, although not all can hold: CP-SAT's limit is near
2^63."""


def unit_of(amounts: Iterable[Fraction], most: Fraction, total: Fraction | None = None) -> Fraction:
    """Return what all amounts are multiples of, or what is fine enough to round them down to.

    Parameters
    ----------
    most
        A value that no solution exceeds.
    total
        Sum of all terms at their largest, where that is more.
    """
    unit = Fraction(0)
    finest = max(most / OBJECTIVE_SIZE, (total or most) / SUM_SIZE)
    for amount in amounts:
        unit = common_divisor(unit, abs(amount))
        if 0 < unit < finest:
            return finest
    return unit or Fraction(1)
