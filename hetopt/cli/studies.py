"""``hetopt pareto``, ``whatif``, ``report`` and ``explain``."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hetopt.cli.executors import Loops
from hetopt.cli.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK
from hetopt.cli.options import Json, Output, argument, option, to_file
from hetopt.cli.printing import print_answer, tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.values import positive
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.analysis.axes import Axis
    from hetopt.analysis.pareto import Front
    from hetopt.instance import Instance
    from hetopt.solution import Plan

PAGES = (".html", ".htm")


def pareto(
    question: Question,
    options: Any,
    loops: Loops,
    points: Annotated[str, option("N", "Points, evenly spread; all: the whole front.")] = "12",
    between: Annotated[
        str | None, option("LOW..HIGH", "Limits of the held objective: 20ms..40ms.")
    ] = None,
    output: Annotated[str | None, to_file(".html (a picture) or .json.")] = None,
    json: Json = False,
) -> int:
    """Trade two objectives off (--objective energy,makespan), every point proven."""
    from hetopt.analysis import pareto as analysis
    from hetopt.formats.files import check_writable
    from hetopt.report.front import front_to_dict, front_view

    check_writable(output, *PAGES, ".json")
    instance = question.instance()
    tell_warnings(instance)
    names = analysis.two_objectives(instance)
    with loops.running(options.workers) as running:
        front = analysis.pareto(
            instance,
            names,
            points=None if points == "all" else _count("--points", points),
            between=None if between is None else _between(between, _held(instance, names)),
            options=options,
            **running,
        )
    if output is not None:
        _write_front(output, front)
    print_answer(front_to_dict(front), lambda: front_view(front), json)
    return _code(front)


def whatif(
    question: Question,
    options: Any,
    loops: Loops,
    case: Annotated[
        list[str] | None,
        option(
            "CHANGES",
            "drop D | add D [N] | swap D=D2 | demand F | deadline T | power-cap P | "
            "set PATH=VALUE; with commas: together. Repeat it for more cases.",
        ),
    ] = None,
    parallel: Annotated[
        int | None, option("N", "Another name of --jobs; default: cores / workers.")
    ] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Solve changed instances beside the one given, with proven differences."""
    from hetopt.analysis import whatif as analysis
    from hetopt.analysis.changes import catalogue_entries, changed, set_apart, usual_cases
    from hetopt.formats.files import check_json_place
    from hetopt.report.terminal.study import study_to_dict, study_view

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
    for text in case or usual_cases(instance):
        entries, rest = catalogue_entries(instance, text)
        sets, others = set_apart(rest)
        origin = _swapped(question, entries, text) if entries else read
        base = question.changed(origin, sets) if entries or sets else instance
        asked[text] = changed(base, others)
    at_once = max(1, (os.cpu_count() or 1) // options.workers)
    with loops.running(options.workers, most=len(asked), default=at_once) as running:
        study = analysis.whatif(instance, asked, options=options, **running)
    print_answer(study_to_dict(study), lambda: study_view(study), json, output)
    if study.base.plan is not None or any(o.solution.plan is not None for o in study.outcomes):
        return OK
    return INFEASIBLE if study.base.status == "infeasible" else NO_PLAN


def report(
    question: Question,
    plan: Annotated[str, argument("PLAN", "Plan or result file.")],
    output: Annotated[str, to_file(".html: a page; .json: a trace for Perfetto.")],
    comparison: Annotated[
        str | None, option("FILE", "What hetopt compare -o wrote, to show beside it.")
    ] = None,
    front: Annotated[
        str | None, option("FILE", "What hetopt pareto -o wrote (.json), to show too.")
    ] = None,
    simulation: Annotated[
        str | None,
        option(
            "FILE",
            "What hetopt simulate -o wrote (.json): latencies of its policy plan stand beside "
            "their estimates.",
        ),
    ] = None,
) -> int:
    """Show a plan as one offline page, or a schedule as a trace for Perfetto."""
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.formats.plans import read_result
    from hetopt.formats.plans.tables import write_result
    from hetopt.report.page import report_page
    from hetopt.report.trace import trace
    from hetopt.solution import SchedulePlan
    from hetopt.verify import verify

    check_writable(output, *PAGES, ".json")
    instance = question.instance()
    read = read_result(instance, plan)
    found = verify(instance, read.plan, read.claimed, bounds=read.bounds)
    if not found.ok:
        raise InputError([Problem(plan, v.kind, v.message) for v in found.violations[:3]])
    if output.lower().endswith(PAGES):
        gains = _written("compare", comparison, ("heterogeneous", "homogeneous", "gain"))
        trade = _written("pareto", front, ("held", "optimised", "points"))
        command = shlex.join(["hetopt", *sys.argv[1:]])
        page = report_page(
            instance,
            read.plan,
            read.result,
            comparison=gains,
            front=trade,
            simulated=_simulated(instance, read.plan, simulation),
            command=command,
        )
        write_whole(Path(output), page)
    elif isinstance(read.plan, SchedulePlan):
        write_result(output, trace(instance, read.plan))
    else:
        raise InputError([Problem(plan, "", "A schedule: streams have no times to trace.")])
    return OK


def _simulated(instance: Instance, plan: Plan, path: str | None) -> dict[str, Any] | None:
    """Read what a simulation says of each job under the policy that keeps to the plan."""
    from hetopt.solution import SteadyPlan

    found = _written("simulate", path, ("instance", "policies"))
    if found is None or path is None:
        return None
    if not isinstance(plan, SteadyPlan):
        raise InputError([Problem("--simulation", path, "A plan of streams of one demand.")])
    if found["instance"] != instance.name:
        text = f"A simulation of {instance.name!r}."
        raise InputError([Problem(path, f"{found['instance']!r}", text)])
    of_plan = [row for row in found["policies"] if row.get("policy") == "plan"]
    if not of_plan:
        raise InputError([Problem(path, "", "A simulation with the policy plan among others.")])
    return {row["job"]: row for row in of_plan[0]["replications"][0]["jobs"]}


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


def explain(
    question: Question,
    options: Any,
    plan: Annotated[str | None, argument("PLAN", "Plan or result to explain.")] = None,
    task: Annotated[
        list[str] | None, option("NAME", "Ask what other places of this task would cost.")
    ] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Tell why there is no plan and what would help, or what a plan rests on."""
    from hetopt.analysis import explanation as analysis
    from hetopt.formats.files import check_json_place
    from hetopt.formats.plans import read_plan
    from hetopt.report.terminal.explanation import explanation_view
    from hetopt.report.terminal.progress import line_display

    check_json_place(output)
    instance = question.instance()
    tell_warnings(instance)
    known = None if plan is None else read_plan(instance, plan)
    stop = threading.Event()
    with line_display() as report:
        explanation = analysis.explain(
            instance, known, tasks=task or [], options=options, stop=stop, report=report
        )
    print_answer(explanation.to_json(), lambda: explanation_view(explanation), json, output)
    # A success whether it explains a plan or why there is none; else as `solve` without a plan.
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

    if output.lower().endswith(PAGES):
        command = shlex.join(["hetopt", *sys.argv[1:]])
        write_whole(Path(output), front_page(front, command))
    else:
        write_result(output, front_to_dict(front))


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
