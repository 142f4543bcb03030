"""Proofs that rest on CP-SAT alone, proved again by a solve of another kind (docs/schedule.md).

The second solve has no objective: it looks for a plan that is better than the best one by more
than the gap that counts as 0 (or for any plan, where the first one says that there is none), with
other parameters than the first. Both are wrong about one instance only where two different parts of
CP-SAT are. It has as long as the first one took, within the time limit.
"""

from __future__ import annotations

import math

from hetopt.constants import GAP_TOLERANCE
from hetopt.schedule.cpsat.model import refute
from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.cpsat.objectives import Scaled
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import Problem

LEAST_S = 1.0
"""Seconds that a second proof may take at least: shorter ones differ by chance."""


def prove_again(
    best: Incumbent, problem: Problem, level: int, spent_s: float, left_s: float
) -> None:
    """Look for a plan better than one that CP-SAT says is optimal; note how often it was proved.

    A plan that is found is taken, and what CP-SAT said of the level is dropped.

    Parameters
    ----------
    problem
        The grid on which the bound was proved.
    spent_s, left_s
        Seconds that the first proof took, and that the level has left (deterministic ones where
        the budget counts those).
    """
    if not best.proved(level) or best.log.bound_by.get(level) not in ("cpsat", "lns"):
        best.proofs.pop(level, None)
        return
    best.proofs[level] = "once"
    value = best.values[level]
    found = _found(best, problem, level, min(left_s, max(spent_s, LEAST_S)), value)
    if found is False:
        best.proofs[level] = "twice"
    elif found and _contradicted(best, level, value):
        best.distrust(level)
        del best.proofs[level]


def infeasible_again(
    best: Incumbent, problem: Problem, level: int, spent_s: float, left_s: float
) -> bool:
    """Look for any plan where CP-SAT says that there is none; return whether that still stands."""
    best.proofs = {level: "once"}
    found = _found(best, problem, level, min(left_s, max(spent_s, LEAST_S)), None)
    if found is False:
        best.proofs[level] = "twice"
    elif found:
        best.proofs = {}
        best.distrusted.add(level)
        best.notes.append("CP-SAT said that there is no plan, and found one when asked again.")
    return not found


def _found(
    best: Incumbent, problem: Problem, level: int, seconds: float, value: float | None
) -> bool | None:
    """Whether there is a plan (better than a value), offered where it holds; None: not known."""
    if best.budget.over() or seconds <= 0:
        return None
    again = Level(best, problem, level, seconds)
    made = again.build(problem)
    if made is None:
        # Heads and deadlines alone leave a task no place.
        return None if again.unbuilt else False
    most = None if value is None else below(made.objective, value)
    if most is not None and not made.objective.terms:
        return False
    schedule, known = refute(made, most, best.budget, again.left(1.0))
    if schedule is not None:
        again.take(schedule)
    return schedule is not None if known else None


def _contradicted(best: Incumbent, level: int, value: float) -> bool:
    """Whether what was found is better by more than rounding, or holds on the coarse grid only."""
    new = best.values[level]
    return new == value or abs(new - value) > GAP_TOLERANCE * abs(value)


def below(scaled: Scaled, value: float) -> int:
    """Return the largest integer objective that is better than a value, its tolerance included."""
    least = scaled.sign * exact(value) - exact(GAP_TOLERANCE) * abs(exact(value))
    return math.ceil((least - scaled.constant) / scaled.unit) - 1
