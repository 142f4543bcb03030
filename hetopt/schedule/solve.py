"""Solve a schedule instance: what shape it has, and the strategy of the method that is asked for.

Boards become units, optional jobs are chosen, schedules that repeat, that fall apart, or whose
resources slow what runs have solvers of their own; all of them come down to
:mod:`hetopt.schedule.strategies`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.schedule.cyclic import solve_cyclic
from hetopt.schedule.decomposition import parts_of, solve_apart
from hetopt.schedule.model.boards_apart import apart
from hetopt.schedule.optional.choice import solve_optional
from hetopt.schedule.slowed import solve_slowed
from hetopt.schedule.strategies import EXACT, solve_unslowed
from hetopt.solution import SchedulePlan


def solve_schedule(
    instance: Instance,
    budget: Budget,
    *,
    method: str = "auto",
    start: SchedulePlan | None = None,
) -> RegimeResult:
    """Return the best plan found and a proven bound per level of the objective.

    Parameters
    ----------
    instance
        Of the schedule regime.
    budget
        Time, gap, workers, seed, stop.
    method
        ``auto``, ``cpsat``, ``heuristic`` (all constructors, then an entry), an entry's
        name (the same, with that entry, for as long as there is time), or a constructor's.
    start
        A valid plan to start from; the result is never worse.
    """
    split = apart(instance)
    if split is not None:
        known = None if start is None else split.start(start, instance)
        found = solve_schedule(split.instance, budget, method=method, start=known)
        if isinstance(found.plan, SchedulePlan):
            found = replace(found, plan=split.plan(found.plan, instance))
        return found
    if "value" in instance.objective:
        return solve_optional(instance, budget, method, start, solve_schedule)
    if math.isfinite(instance.limits.cycle_s):
        return solve_cyclic(instance, budget, method, start)
    if method in EXACT:
        parts = parts_of(instance)
        if len(parts) > 1:
            return solve_apart(instance, parts, budget, method, start, _solve_whole)
    return _solve_whole(instance, budget, method, start)


def _solve_whole(
    instance: Instance, budget: Budget, method: str, start: SchedulePlan | None
) -> RegimeResult:
    """Solve an instance that does not fall apart."""
    solve = solve_slowed if slows(instance) else solve_unslowed
    return solve(instance, budget, method, start)
