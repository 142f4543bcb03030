"""What ``hetopt pareto``, ``whatif``, ``report`` and ``explain`` do."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetopt.cli.executors import Loops
from hetopt.cli.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK
from hetopt.cli.printing import print_json, print_view, tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.values import positive
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
    loops: Loops,
    points: str,
    between: str | None,
    output: str | None,
    as_json: bool,
) -> int:
    """Walk along the front and print it; see ``hetopt pareto``."""
    from hetopt.analysis.pareto import pareto, two_objectives
    from hetopt.report.front import front_to_dict, front_view
    from hetopt.report.terminal.progress import line_display
    from hetopt.runtime.interrupt import interruptible

    _check_output(output)
    instance = question.instance()
    tell_warnings(instance)
    names = two_objectives(instance)
    stop = threading.Event()
    with (
        interruptible(stop),
        line_display() as report,
        loops.executor(options.workers) as executor,
    ):
        front = pareto(
            instance,
            names,
            points=None if points == "all" else _count("--points", points),
            between=None if between is None else _between(between, _held(instance, names)),
            options=options,
            executor=executor,
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


def run_whatif(
    question: Question,
    options: SolveOptions,
    loops: Loops,
    cases: list[str],
    parallel: int | None,
    output: str | None,
    as_json: bool,
) -> int:
    """Solve changed instances beside the one given; see ``hetopt whatif``."""
    from hetopt.analysis.changes import catalogue_entries, changed, set_apart, usual_cases
    from hetopt.analysis.whatif import whatif
    from hetopt.formats.files import check_json_place
    from hetopt.formats.plans.tables import write_result
    from hetopt.report.terminal.progress import line_display
    from hetopt.report.terminal.study import study_to_dict, study_view
    from hetopt.runtime.interrupt import interruptible

    if output is not None:
        check_json_place(output)
    if parallel is not None:
        if parallel < 1:
            raise InputError([Problem("--parallel", str(parallel), "At least 1.")])
        if loops.jobs is not None:
            text = "--jobs alone, of which it is another name."
            raise InputError([Problem("--parallel", str(parallel), text)])
        loops = Loops(parallel, loops.ray)
    read = question.read()
    instance = question.changed(read)
    tell_warnings(instance)
    asked = {}
    for case in cases or usual_cases(instance):
        entries, rest = catalogue_entries(instance, case)
        sets, others = set_apart(rest)
        origin = _swapped(question, entries, case) if entries else read
        base = question.changed(origin, sets) if entries or sets else instance
        asked[case] = changed(base, others)
    stop = threading.Event()
    at_once = max(1, (os.cpu_count() or 1) // options.workers)
    with (
        interruptible(stop),
        line_display() as report,
        loops.executor(options.workers, most=len(asked), default=at_once) as executor,
    ):
        study = whatif(
            instance,
            asked,
            options=options,
            executor=executor,
            stop=stop,
            report=report,
        )
    if output is not None:
        write_result(output, study_to_dict(study))
    if as_json:
        print_json(study_to_dict(study))
    else:
        print_view(study_view(study))
    if study.base.plan is not None or any(o.solution.plan is not None for o in study.outcomes):
        return OK
    return INFEASIBLE if study.base.status == "infeasible" else NO_PLAN


def run_report(
    question: Question, plan: str, comparison: str | None, front: str | None, output: str
) -> int:
    """Write the page or the trace of a plan; see ``hetopt report``."""
    from hetopt.formats.files import write_whole
    from hetopt.formats.plans import read_result
    from hetopt.formats.plans.tables import write_result
    from hetopt.report.page import report_page
    from hetopt.report.trace import trace
    from hetopt.solution import SchedulePlan
    from hetopt.verify import verify

    _check_output(output)
    instance = question.instance()
    read = read_result(instance, plan)
    found = verify(instance, read.plan, read.claimed, bounds=read.bounds)
    if not found.ok:
        raise InputError([Problem(plan, v.kind, v.message) for v in found.violations[:3]])
    if output.endswith(PAGES):
        gains = _written("compare", comparison, ("heterogeneous", "homogeneous", "gain"))
        trade = _written("pareto", front, ("held", "optimised", "points"))
        command = shlex.join(["hetopt", *sys.argv[1:]])
        page = report_page(
            instance, read.plan, read.result, comparison=gains, front=trade, command=command
        )
        write_whole(Path(output), page)
    elif isinstance(read.plan, SchedulePlan):
        write_result(output, trace(instance, read.plan))
    else:
        raise InputError([Problem(plan, "", "A schedule: streams have no times to trace.")])
    return OK


def _written(command: str, path: str | None, needed: Sequence[str]) -> Mapping[str, Any] | None:
    """Read what another command wrote with ``-o``."""
    from hetopt.formats.json_text import parse_json, read_text

    if path is None:
        return None
    found = parse_json(read_text(Path(path)), path)
    if not isinstance(found, dict) or any(key not in found for key in needed):
        raise InputError([Problem(path, "", f"A file that hetopt {command} -o wrote.")])
    return found


def _swapped(question: Question, entries: Mapping[str, str], case: str) -> Instance:
    try:
        return question.read(entries)
    except InputError as error:
        what = "A swap that leaves every task an option and the file as sound as it was; it has:"
        raise InputError([Problem("--case", case, what), *error.problems]) from None


def run_explain(
    question: Question,
    options: SolveOptions,
    plan: str | None,
    tasks: list[str],
    output: str | None,
    as_json: bool,
) -> int:
    """Explain and print; see ``hetopt explain``.

    An answer is a success whether it explains a plan or why there is none; where neither a plan
    nor a proof was found in the time, the code is that of ``solve``.
    """
    from hetopt.analysis.explanation import explain
    from hetopt.formats.files import check_json_place
    from hetopt.formats.plans import read_plan
    from hetopt.formats.plans.tables import write_result
    from hetopt.report.terminal.progress import line_display

    if output is not None:
        check_json_place(output)
    instance = question.instance()
    tell_warnings(instance)
    known = None if plan is None else read_plan(instance, plan)
    stop = threading.Event()
    with line_display() as report:
        explanation = explain(
            instance, known, tasks=tasks, options=options, stop=stop, report=report
        )
    if output is not None:
        write_result(output, explanation.to_json())
    if as_json:
        print_json(explanation.to_json())
    else:
        from hetopt.report.terminal.explanation import explanation_view

        print_view(explanation_view(explanation))
    if explanation.status != "unknown":
        return OK
    return INTERRUPTED if explanation.interrupted else NO_PLAN


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
    from hetopt.formats.files import write_whole
    from hetopt.formats.plans.tables import write_result
    from hetopt.report.front import front_page, front_to_dict

    if output.endswith(PAGES):
        command = shlex.join(["hetopt", *sys.argv[1:]])
        write_whole(Path(output), front_page(front, command))
    else:
        write_result(output, front_to_dict(front))


def _check_output(output: str | None) -> None:
    from hetopt.formats.files import check_writable

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
