"""Level after level with CP-SAT: what is asked again to prove an optimum twice."""

from __future__ import annotations

from dataclasses import replace

from hetopt.formats import read_instance
from hetopt.formats.shipped import shipped_path
from hetopt.solve import solve


def test_an_optimum_is_asked_again_on_the_grid_that_bounded_it() -> None:
    """On a finer one watts round more coarsely, and 20.74 W seemed to be refuted by as much."""
    robot = replace(read_instance(shipped_path("robot")), objective=("peak_power",))
    solution = solve(robot, time_limit=20, workers=1)
    assert (solution.status, solution.proof) == ("optimal", "twice")
    assert not any("contradicted" in note for note in solution.notes)
