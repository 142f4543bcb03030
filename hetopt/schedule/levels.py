"""Level after level of a schedule's objective with CP-SAT, on grids as fine as its gap asks for.

On a grid that rounds down, CP-SAT gives the bound, and each plan of its is carried to the plan
grid by keeping its order; where the last one misses a deadline by the rounding, a model that
rounds up looks for plans in the time that was kept back for it. Schedules on a circle and those
that resources slow differ in their :class:`Models` alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hetopt.evaluate import objectives
from hetopt.runtime.budget import RegimeResult
from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.cpsat.second_proof import infeasible_again, prove_again
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import Grid, model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.stages import lower_peak, reclaim_slack
from hetopt.solvers.second_proof import seconds_again

LONGEST_SPAN = 2**15
"""How many times as long as what its grid is made for the span of an exact model may be."""
REFINEMENT = 1000
"""How much finer the next rounding grid is where rounding alone keeps the gap open."""
FINEST_TICKS = 10**11
"""Ticks in the time span of the finest rounding grid."""

SolveLevel = Callable[[Level], bool]
"""Solve a level within its seconds; return whether infeasibility is proven."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models that CP-SAT is asked about, one per level and grid.

    Attributes
    ----------
    first
        The instance that they are of (one that relaxes the incumbent's, or itself), on the grid to
        begin with.
    level
        What solves them, and carries their plans to the incumbent's instance.
    none
        What it means that they have no plan.
    refinement
        How much finer the next rounding grid is where rounding alone keeps the gap open; 0: none
        is.
    finest_ticks
        Ticks in the time span of the finest rounding grid.
    polished
        Whether what chooses options anew and lowers the peak knows such plans.
    """

    first: Problem
    level: type[Level] = Level
    none: str = "CP-SAT proved that no schedule meets all limits together."
    refinement: int = REFINEMENT
    finest_ticks: int = FINEST_TICKS
    polished: bool = True

    @classmethod
    def of(cls, best: Incumbent) -> Models:
        """Return those of the incumbent's instance itself, which has an end and is not slowed."""
        instance = best.instance
        longest = span_s(instance)
        if best.plan is not None:
            # Not so short that the whole span makes ticks whose sums do not fit 64 bits.
            makespan = objectives(instance, best.plan, ("makespan",))[0]
            longest = min(longest, max(makespan, longest / LONGEST_SPAN))
        return cls(Problem(instance, model_grid(instance, longest)))

    def finer(self, problem: Problem) -> Problem | None:
        """Return the problem on the next finer grid, which rounds down; None: there is none."""
        if not self.refinement:
            return None
        tick = problem.grid.tick / self.refinement
        # Of no length there is nothing to round; and a tick may be less than any float.
        if not 0 < span_s(problem.instance) <= self.finest_ticks * tick:
            return None
        return Problem(problem.instance, Grid(tick, "down"))


def by_repairs(solving: Level) -> bool:
    """Repair parts of the plan; without one, solve the model."""
    if solving.search.plan is None:
        return solving.solve()
    solving.repair()
    return False


def solve_levels(
    best: Incumbent,
    models: Models,
    solve_level: SolveLevel = Level.solve,
    step: str = "cpsat",
    method: str = "cpsat",
) -> RegimeResult:
    """Solve level after level, the earlier ones held at their values.

    Parameters
    ----------
    step, method
        Names of the step in the log, and of what looked for a plan where there is none.
    """
    instance, budget = best.instance, best.budget
    problem = models.first
    for level in range(len(instance.objective)):
        best.level = level
        if level and models.polished:
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
            solving = models.level(best, problem, level, seconds)
            infeasible = solve_level(solving)
            spent = solving.spent if budget.deterministic else time.monotonic() - began
            left, used = seconds - spent, used + spent
            if infeasible:
                again = models.level(best, problem, level, seconds_again(spent, left))
                if infeasible_again(again):
                    return best.result("cpsat", "proved", infeasible=True, reason=models.none)
                if best.plan is not None:
                    continue
            if best.bounds[level] != known:
                bounded = problem
            if best.closed(level):
                break
            finer = models.finer(problem) if solving.limited_by_grid else None
            if finer is None:
                break
            problem = finer
        # Asked again on the grid that gave the bound: what rounds otherwise, as watts do where
        # ticks are finer, may have a point below it, which contradicts nothing.
        prove_again(models.level(best, bounded, level, seconds_again(spent, left)))
        best.passed(step)
        if models.polished:
            reclaim_slack(best)
        if best.plan is None:
            break
    best.level = 0
    return best.result(method, best.stopped())
