"""Level after level of a schedule's objective with CP-SAT, on grids as fine as its gap asks for.

On a grid that rounds down, CP-SAT gives the bound, and each plan of its is carried to the plan
grid by keeping its order; where the last one misses a deadline by the rounding, a model that
rounds up looks for plans in the time that was kept back for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hetopt.evaluate import objectives
from hetopt.runtime.budget import RegimeResult
from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.cpsat.second_proof import infeasible_again, prove_again
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import Grid, model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.stages import lower_peak, reclaim_slack

LONGEST_SPAN = 2**15
"""How many times as long as what its grid is made for the span of an exact model may be."""
REFINEMENT = 1000
"""How much finer the next rounding grid is where rounding alone keeps the gap open."""
FINEST_TICKS = 10**11
"""Ticks in the time span of the finest rounding grid."""

SolveLevel = Callable[[Incumbent, Problem, int, float], tuple[Level, bool]]
"""Solve a level on a grid within seconds; return it, and whether infeasibility is proven."""


def by_cpsat(best: Incumbent, problem: Problem, level: int, seconds: float) -> tuple[Level, bool]:
    """Solve the model of a level."""
    solving = Level(best, problem, level, seconds)
    return solving, solving.solve()


def by_repairs(best: Incumbent, problem: Problem, level: int, seconds: float) -> tuple[Level, bool]:
    """Repair parts of the plan; without one, solve the model."""
    if best.plan is None:
        return by_cpsat(best, problem, level, seconds)
    solving = Level(best, problem, level, seconds)
    solving.repair()
    return solving, False


def solve_levels(best: Incumbent, solve_level: SolveLevel, step: str, method: str) -> RegimeResult:
    """Solve level after level, the earlier ones held at their values.

    Parameters
    ----------
    step, method
        Names of the step in the log, and of what looked for a plan where there is none.
    """
    instance, budget = best.instance, best.budget
    longest = span_s(instance)
    if best.plan is not None:
        # Not so short that the whole span makes ticks whose sums do not fit 64 bits.
        makespan = objectives(instance, best.plan, ("makespan",))[0]
        longest = min(longest, max(makespan, longest / LONGEST_SPAN))
    problem = Problem(instance, model_grid(instance, longest))
    for level in range(len(instance.objective)):
        best.level = level
        if level:
            reclaim_slack(best)
            lower_peak(best)
        spent, left, used = 0.0, 0.0, 0.0
        bounded = problem
        while not best.closed(level) and not budget.over():
            began, seconds = time.monotonic(), best.level_seconds()
            if budget.deterministic:
                # What other grids took: no clock says it.
                seconds -= used
                if seconds <= 0:
                    break
            known = best.bounds[level]
            solving, infeasible = solve_level(best, problem, level, seconds)
            spent = solving.spent if budget.deterministic else time.monotonic() - began
            left, used = seconds - spent, used + spent
            if infeasible:
                if infeasible_again(best, problem, level, spent, left):
                    reason = "CP-SAT proved that no schedule meets all limits together."
                    return best.result("cpsat", "proved", infeasible=True, reason=reason)
                if best.plan is not None:
                    continue
            if best.bounds[level] != known:
                bounded = problem
            if best.closed(level):
                break
            finer = problem.grid.tick / REFINEMENT
            if not solving.limited_by_grid or span_s(instance) / finer > FINEST_TICKS:
                break
            problem = Problem(instance, Grid(finer, "down"))
        # Asked again on the grid that gave the bound: what rounds otherwise, as watts do where
        # ticks are finer, may have a point below it, which contradicts nothing.
        prove_again(best, bounded, level, spent, left)
        best.passed(step)
        reclaim_slack(best)
        if best.plan is None:
            break
    best.level = 0
    return best.result(method, best.stopped())
