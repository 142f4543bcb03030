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
from hetopt.schedule.model.grid import exact


def prove_again(again: Level) -> None:
    """Look for a plan better than one that CP-SAT says is optimal; note how often it was proved.

    A plan that is found is taken, and what CP-SAT said of the level is dropped.

    Parameters
    ----------
    again
        A new level of the kind that proved the bound, on the grid on which it did.
    """
    best, level = again.search, again.level
    if not best.proved(level) or best.log.bound_by.get(level) not in ("cpsat", "lns"):
        best.proofs.pop(level, None)
        return
    best.proofs[level] = "once"
    value = best.values[level]
    found = _found(again, value)
    if found is False:
        best.proofs[level] = "twice"
    elif found and again.contradicted(value):
        best.distrust(level)
        del best.proofs[level]


def infeasible_again(again: Level) -> bool:
    """Look for any plan where CP-SAT says that there is none; return whether that still stands."""
    best = again.search
    best.proofs = {again.level: "once"}
    found = _found(again, None)
    if found is False:
        best.proofs[again.level] = "twice"
    elif found:
        best.proofs = {}
        best.distrusted.add(again.level)
        best.notes.append("CP-SAT said that there is no plan, and found one when asked again.")
    return not found


def _found(again: Level, value: float | None) -> bool | None:
    """Whether there is a plan (better than a value), offered where it holds; None: not known."""
    if again.budget.over() or again.seconds <= 0:
        return None
    made = again.build(again.problem)
    if made is None:
        # Heads and deadlines alone leave a task no place.
        return None if again.unbuilt else False
    most = None if value is None else below(made.objective, value)
    if most is not None and not made.objective.terms:
        return False
    schedule, known = refute(made, most, again.budget, again.left(1.0))
    if schedule is not None:
        again.take(schedule)
    return schedule is not None if known else None


def below(scaled: Scaled, value: float) -> int:
    """Return the largest integer objective that is better than a value, its tolerance included."""
    least = scaled.sign * exact(value) - exact(GAP_TOLERANCE) * abs(exact(value))
    return math.ceil((least - scaled.constant) / scaled.unit) - 1
