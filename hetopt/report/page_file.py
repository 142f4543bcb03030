"""The page of a plan or a solution as a file."""

from __future__ import annotations

from pathlib import Path

from hetopt.errors import InputError, Problem
from hetopt.formats.files import write_whole
from hetopt.formats.plans import solution_to_dict
from hetopt.instance import Instance
from hetopt.report.page import report_page
from hetopt.solution import Plan, Solution


def write_report(path: str | Path, instance: Instance, answer: Solution | Plan) -> None:
    """Write one page about an answer that reads offline, whole or not at all.

    Parameters
    ----------
    path
        The ``.html`` file.
    instance
        What the answer is for.
    answer
        A solution with a plan, or a plan alone: then the page knows no bound.

    Raises
    ------
    InputError
        If there is no plan, or the place cannot be written to.
    """
    result = {}
    plan: Plan | None
    if isinstance(answer, Solution):
        result, plan = solution_to_dict(instance, answer), answer.plan
    else:
        plan = answer
    if plan is None:
        raise InputError("The solution holds no plan to report.")
    page = report_page(instance, plan, result)
    try:
        write_whole(Path(path), page)
    except OSError as error:
        raise InputError([Problem(str(path), "", f"A place to write to ({error}).")]) from None
