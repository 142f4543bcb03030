"""What a new plan for running work is: the plan, what it changes, and the steps from here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hetopt import units
from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.evaluate.with_units import DIMENSIONS
from hetopt.instance import Instance
from hetopt.simulate.events import Action, to_dict
from hetopt.solution import Plan, Shown, Solution, SteadyPlan

LEAST_GAIN = 0.01
"""Part of the objective that a voluntary change must gain where nothing else is asked for."""


@dataclass(frozen=True)
class Stability:
    """What keeps a plan as it is.

    Attributes
    ----------
    most
        Changes allowed; None: any number.
    price
        What one change must gain, in the objective's unit.
    least
        Part of the objective that all changes together must gain, where the plan could be kept.
    """

    most: int | None = None
    price: float = 0.0
    least: float = LEAST_GAIN

    @staticmethod
    def parse(text: str, instance: Instance) -> Stability:
        """Read ``3`` (changes at most), ``2 %`` (gain of all) or ``5 W`` (gain of each).

        Raises
        ------
        InputError
            Where it is none of these.
        """
        plain = text.strip()
        if plain.isdigit():
            return Stability(most=int(plain))
        name = instance.objective[0]
        dimension = "fraction" if plain.endswith("%") else DIMENSIONS.get(name)
        expected = f"A number of changes, a part such as 2 %, or a price of each in {name}."
        if dimension is None:
            raise InputError([Problem("--stability", text, expected)])
        try:
            value = units.parse(plain, dimension)
        except units.UnitError as error:
            raise InputError([Problem("--stability", text, expected)]) from error
        if not value >= 0:
            raise InputError([Problem("--stability", text, expected)])
        return Stability(least=value) if dimension == "fraction" else Stability(price=value)


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    time_s, ready_s
        When it is done, and when what it asks for is there: seconds on the clock of the state.
    action
        In the words of :mod:`hetopt.simulate.events`.
    """

    time_s: float
    action: Action
    ready_s: float
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        found = {"time_s": self.time_s, "ready_s": self.ready_s, **to_dict(self.action)}
        return found | ({"why": self.why} if self.why else {})


@dataclass(frozen=True)
class Replanned(Shown):
    """The answer of :func:`hetopt.replan.replan`.

    Attributes
    ----------
    instance
        What was planned for: the instance without units that are down, or what is left of a
        schedule. ``plan`` is a plan of it that the checker accepts; None where none was found.
    solution
        The plan made anew without regard to what runs, with its proven bound.
    kept
        Whether nothing changes.
    changes
        What changes, in words; ``repaired`` what no longer held of the plan given.
    value, value_before
        First objective of the plan, and of the one given where it can go on (else NaN).
    charge
        What the changes are charged, in the objective's unit.
    score, score_bound
        Value and charge together, and the proven bound of that over all plans: either nothing
        changes, or at least one change is charged beside the bound of the objective.
    steps
        In order, with times; ``shortfall`` is what is not served meanwhile, in requests by job.
    """

    instance: Instance
    plan: Plan | None
    solution: Solution
    kept: bool
    changes: tuple[str, ...]
    repaired: tuple[str, ...]
    value: float
    value_before: float
    charge: float
    score: float
    score_bound: float
    steps: tuple[Step, ...]
    shortfall: dict[str, float]
    wall_time_s: float
    reason: str = ""
    place: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)
    """Which unit that is there each unit of the plan is, by device and number (streams)."""

    def placed_plan(self) -> SteadyPlan:
        """Return the plan of streams in the numbers of the units that are there.

        Units that are down or off may lie between those that are on: it says what runs where, and
        is what the next :func:`hetopt.replan.replan` is given.

        Raises
        ------
        InputError
            Where there is no plan of streams.
        """
        plan = self.plan
        if not isinstance(plan, SteadyPlan):
            raise InputError("There is no plan of streams.")
        device = self.instance.options.device[plan.option]
        unit = [
            self.place.get((d, u), u) if u >= 0 else -1
            for d, u in zip(device.tolist(), plan.unit.tolist(), strict=True)
        ]
        states = plan.states
        if states is not None:
            of = self.instance.options.device[states.option].tolist()
            there = [
                self.place.get(key, key[1]) for key in zip(of, states.unit.tolist(), strict=True)
            ]
            states = replace(states, unit=np.array(there, dtype=np.int64))
        return replace(plan, unit=np.array(unit, dtype=np.int64), states=states)

    @property
    def gap(self) -> float:
        """Relative gap of ``score``."""
        if np.isnan(self.score) or np.isnan(self.score_bound):
            return np.nan
        gap = abs(self.score - self.score_bound) / max(abs(self.score), np.finfo(float).tiny)
        return 0.0 if gap <= GAP_TOLERANCE else float(gap)
