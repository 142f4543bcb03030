"""The gain of one solution over several rivals, by their plans and by their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance import is_maximised
from hetopt.solution import Solution

DIFFERENCES = ("tardiness", "accuracy")
"""Objectives whose zero is no natural unit: a difference is reported instead of a ratio."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better a solution is than the best rival.

    Attributes
    ----------
    value
        Saving for costs, increase for throughput (fractions); the difference for tardiness and
        accuracy. NaN where it does not exist.
    proven
        The same against the rivals' bounds: no rival plan, however found, makes it smaller.
    is_difference
        Whether the values are differences in the objective's unit.
    reason
        Why there is no value, empty where there is one.
    """

    value: float = np.nan
    proven: float = np.nan
    is_difference: bool = False
    reason: str = ""


def gain_over(ours: Solution, rivals: Sequence[tuple[str, Solution]]) -> tuple[str, Gain]:
    """Return the best rival's name and the gain over it (docs/mathematics.md).

    The gain is over the best rival *plan*; the proven gain over the best *bound* among all rivals
    not proven infeasible, also those without a plan. For a list of objectives it is of the first.
    """
    name = ours.objective_names[0]
    sign = -1.0 if is_maximised(name) else 1.0
    served = [(rival, s) for rival, s in rivals if s.plan is not None]
    if ours.plan is None:
        return "", Gain(reason="no heterogeneous plan was found")
    if not served:
        return "", Gain(reason="no homogeneous placement serves the work")
    best, solution = min(
        served,
        key=lambda entry: [
            -v if is_maximised(n) else v
            for n, v in zip(entry[1].objective_names, entry[1].objectives, strict=True)
        ],
    )
    possible = [s.bound for _, s in rivals if s.status != "infeasible"]
    bound = sign * min(sign * b for b in possible) if not np.isnan(possible).any() else np.nan
    return best, Gain(
        value=_gain(name, ours.objective, solution.objective),
        proven=_gain(name, ours.objective, bound),
        is_difference=name in DIFFERENCES,
        reason="" if solution.objective != 0 or name in DIFFERENCES else "the rival's value is 0",
    )


def _gain(name: str, ours: float, theirs: float) -> float:
    if name in DIFFERENCES:
        return ours - theirs if is_maximised(name) else theirs - ours
    if theirs == 0 or not np.isfinite(theirs):
        return np.nan
    return ours / theirs - 1 if is_maximised(name) else 1 - ours / theirs
