"""Second proofs of placements: what rests on CP-SAT alone is asked again in another way.

As for schedules (:mod:`hetopt.schedule.cpsat.second_proof`): a solve without objective, presolve,
probing and symmetry looks for a placement that is better than the best one by more than the gap
that counts as 0, for as long as the first proof took.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import is_maximised
from hetopt.steady.placement.objectives import Counted
from hetopt.steady.placement.variables import PlacementModel


@dataclass(frozen=True, slots=True)
class Claim:
    """What CP-SAT said of a model: that no placement is better.

    Attributes
    ----------
    model
        The model; a second proof uses it up.
    better
        The row that allows only placements better than a value by more than the tolerance.
    seconds
        That the proof took; deterministic ones where the budget counts those.
    """

    model: PlacementModel
    better: Callable[[float], Any]
    seconds: float


def of_throughput(model: PlacementModel, seconds: float) -> Claim:
    """Return the claim that no smaller T, and so no larger throughput, is possible."""
    total = float(model.instance.jobs.rate_per_s.sum())

    def better(value: float) -> Any:
        # Where T is multiplied in a row, its being whole can cost up to one part.
        parts = model.second * total / (value * (1.0 + GAP_TOLERANCE)) + float(model.rounds_up)
        return model.time <= min(model.most, math.ceil(parts) - 1)

    return Claim(model, better, seconds)


def of_objective(model: PlacementModel, name: str, counted: Counted, seconds: float) -> Claim:
    """Return the claim that no placement has a better value of a counted objective."""
    sign = -1.0 if is_maximised(name) else 1.0

    def better(value: float) -> Any:
        least = value - sign * GAP_TOLERANCE * abs(value) - counted.constant
        if sign > 0:
            return counted.expression <= math.ceil(least / counted.part) - 1
        return counted.expression >= math.floor(least / counted.part) + 1

    return Claim(model, better, seconds)
