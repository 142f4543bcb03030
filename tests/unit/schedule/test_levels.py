"""Level after level with CP-SAT: what is asked again to prove an optimum twice."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from hetopt.formats import read_instance
from hetopt.formats.shipped import shipped_path
from hetopt.runtime.budget import Budget
from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.levels import Models, solve_levels
from hetopt.schedule.model.grid import Grid
from hetopt.schedule.model.problem import Problem
from hetopt.solve import solve


def test_an_optimum_is_asked_again_on_the_grid_that_bounded_it() -> None:
    """On a finer one watts round more coarsely, and 20.74 W seemed to be refuted by as much."""
    robot = replace(read_instance(shipped_path("robot")), objective=("peak_power",))
    solution = solve(robot, time_limit=20, workers=1)
    assert (solution.status, solution.proof) == ("optimal", "twice")
    assert not any("contradicted" in note for note in solution.notes)


def test_a_deterministic_limit_holds_for_all_grids_of_an_objective_together() -> None:
    robot = read_instance(shipped_path("robot"))
    best = Incumbent.unbounded(robot, Budget(math.inf, deterministic=True, limit_s=6.0))
    asked: list[float] = []

    def half(solving: Level) -> bool:
        """Seem to be kept from the optimum by the rounding alone, after half of the limit."""
        asked.append(solving.seconds)
        solving.problem = Problem(robot, replace(solving.problem.grid, direction="down"))
        solving.complete, solving.spent = True, 3.0
        return False

    solve_levels(best, Models.of(best), half)
    assert asked == [6.0, 3.0]


def test_a_tick_below_all_floats_is_refined_no_more_than_others() -> None:
    """Fractions go on below 5e-324, where floats are 0: nothing may be divided by them."""
    robot = read_instance(shipped_path("robot"))
    models = Models.of(Incumbent.unbounded(robot, Budget(math.inf)))
    tiny = Problem(robot, Grid(Fraction(1, 10**330), "down"))
    assert models.finer(tiny) is None
