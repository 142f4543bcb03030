"""What the command line prints of an answer, as plain text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console, RenderableType

from hetopt.analysis.compare import Comparison
from hetopt.analysis.explanation import Explanation
from hetopt.analysis.pareto import Front
from hetopt.analysis.whatif import Study
from hetopt.errors import InputError
from hetopt.replan import Contingency, Replanned
from hetopt.report.front import front_view
from hetopt.report.terminal.comparison import comparison_view
from hetopt.report.terminal.explanation import explanation_view
from hetopt.report.terminal.replan import contingency_view, replanned_view
from hetopt.report.terminal.schedule_simulation import schedule_simulation_view
from hetopt.report.terminal.simulation import simulation_view
from hetopt.report.terminal.solution import solution_view
from hetopt.report.terminal.study import study_view
from hetopt.simulate import ScheduleSimulation, Simulation
from hetopt.solution import Solution

WIDTH = 100
"""Columns of the text."""


def view_text(answer: object) -> str:
    """Return the tables that the command line shows of an answer.

    Raises
    ------
    InputError
        If it is no answer of hetopt, or a solution that does not say what it is of.
    """
    console = Console(width=WIDTH, force_jupyter=False, force_terminal=False, no_color=True)
    with console.capture() as capture:
        console.print(answer_view(answer), highlight=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


VIEWS: tuple[tuple[type, Callable[[Any], RenderableType]], ...] = (
    (Comparison, comparison_view),
    (Front, front_view),
    (Study, study_view),
    (Explanation, explanation_view),
    (Simulation, simulation_view),
    (ScheduleSimulation, schedule_simulation_view),
    (Replanned, replanned_view),
    (Contingency, contingency_view),
)


def answer_view(answer: object) -> RenderableType:
    """Return what is printed of an answer of any kind."""
    if isinstance(answer, Solution):
        if answer.instance is None:
            raise InputError("This solution does not say what instance it is of.")
        return solution_view(answer.instance, answer)
    for kind, view in VIEWS:
        if isinstance(answer, kind):
            return view(answer)
    raise InputError(f"A {type(answer).__name__} is no answer of hetopt.")
