"""What ``hetopt pareto`` and ``hetopt whatif`` do: many solves, one answer."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hetopt.console import (
    INFEASIBLE,
    INTERRUPTED,
    NO_PLAN,
    OK,
    Question,
    positive,
    print_json,
    print_view,
)
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.analysis.axes import Axis
    from hetopt.analysis.pareto import Front
    from hetopt.instance import Instance
    from hetopt.solve import SolveOptions

PAGES = (".html", ".htm")


def run_pareto(
    question: Question,
    options: SolveOptions,
    points: str,
    between: str | None,
    output: str | None,
    as_json: bool,
) -> int:
    """Walk along the front and print it; see ``hetopt pareto``."""
    from hetopt.analysis.pareto import pareto, two_objectives
    from hetopt.interrupt import interruptible
    from hetopt.report.front import front_to_dict, front_view
    from hetopt.report.progress import line_display

    _check_output(output)
    instance = question.instance()
    names = two_objectives(instance)
    stop = threading.Event()
    with interruptible(stop), line_display() as report:
        front = pareto(
            instance,
            names,
            points=None if points == "all" else _count("--points", points),
            between=None if between is None else _between(between, _held(instance, names)),
            options=options,
            stop=stop,
            report=report,
        )
    if output is not None:
        _write_front(output, front)
    if as_json:
        print_json(front_to_dict(front))
    else:
        print_view(front_view(front))
    return _code(front)


def _held(instance: Instance, names: Sequence[str]) -> Axis | None:
    from hetopt.analysis.axes import axis_of

    return next((a for a in (axis_of(instance, n) for n in reversed(names)) if a), None)


def _code(front: Front) -> int:
    if any(p.solution.plan is not None for p in front.points):
        return OK
    if any(p.solution.status == "infeasible" for p in front.points):
        return INFEASIBLE
    return INTERRUPTED if front.interrupted else NO_PLAN


def _write_front(output: str, front: Front) -> None:
    from hetopt.formats.plan_tables import write_result
    from hetopt.formats.whole import write_whole
    from hetopt.report.front import front_page, front_to_dict

    if output.endswith(PAGES):
        command = shlex.join(["hetopt", *sys.argv[1:]])
        write_whole(Path(output), front_page(front, command))
    else:
        write_result(output, front_to_dict(front))


def _check_output(output: str | None) -> None:
    from hetopt.formats.output import check_writable

    if output is None:
        return
    if not output.endswith((*PAGES, ".json")):
        raise InputError([Problem("-o", output, "A .json file, or .html for a page.")])
    check_writable(output)


def _count(flag: str, text: str) -> int:
    if not text.isdecimal():
        raise InputError([Problem(flag, text, "A whole number, or all.")])
    return int(text)


def _between(text: str, axis: Axis | None) -> tuple[float, float]:
    low, mark, high = text.partition("..")
    if axis is None or not mark:
        raise InputError([Problem("--between", text, "LOW..HIGH, such as 20ms..40ms.")])
    if not axis.dimension:
        one, other = _fraction(low), _fraction(high)
    else:
        one, other = (positive("--between", end, axis.dimension) for end in (low, high))
    return min(one, other), max(one, other)


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError([Problem("--between", text, "A number.")]) from None
