"""What ``hetopt replan`` and ``hetopt contingency`` do, and how they are asked."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.executors import Loops
from hetopt.cli.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK
from hetopt.cli.options import Json, Loading, Output, StartUp, command, loops, options, question
from hetopt.cli.printing import print_json, print_view, tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.simulation import by_device
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.simulate.events import State
    from hetopt.solve import SolveOptions


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    command(app, required=True, question=question, options=options)(replan)
    command(app, question=question, options=options, loops=loops)(contingency)


def replan(
    question: Question,
    options: Any,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan that runs, or a result.")],
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Where everything stands: a JSON file; none: as PLAN."),
    ] = None,
    stability: Annotated[
        str,
        typer.Option(metavar="S", help="3: changes at most; 2%: gain of all; 5W: gain of each."),
    ] = "1%",
    start_up: StartUp = None,
    loading: Loading = None,
    hold: Annotated[
        str, typer.Option(metavar="TIME", help="How long the plan will hold, to spread starts.")
    ] = "1h",
    output: Output = None,
    json: Json = False,
) -> int:
    """Plan anew while a plan runs: ordered steps, and the plan they lead to, with its bound."""
    return run_replan(
        question, options, plan, state, stability, start_up, loading, hold, output, json
    )


def contingency(
    question: Question,
    options: Any,
    loops: Loops,
    plan: Annotated[
        str | None,
        typer.Argument(metavar="PLAN", help="Plan in force; else solved.", show_default=False),
    ] = None,
    lose: Annotated[
        str, typer.Option(metavar="L", help="device: all its units; unit: one of them.")
    ] = "device",
    output: Output = None,
    json: Json = False,
) -> int:
    """For every device lost: the plan that would follow, its cost, and what is not served."""
    return run_contingency(question, options, loops, plan, lose, output, json)


def run_replan(
    question: Question,
    options: SolveOptions,
    plan: str,
    state: str | None,
    stability: str,
    start_up: list[str] | None,
    loading: list[str] | None,
    hold: str,
    output: str | None,
    as_json: bool,
) -> int:
    """Re-plan and print; see ``hetopt replan``."""
    from dataclasses import replace

    from hetopt.formats.files import check_writable
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.formats.plans.tables import write_result
    from hetopt.replan import replan as replanned
    from hetopt.report.terminal.replan import replanned_to_dict, replanned_view

    if output is not None:
        check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    known, left_out = read_stale_plan(instance, plan)
    found = replanned(
        instance,
        known,
        None if state is None else read_state(state),
        stability=stability,
        start_up=None if start_up is None else by_device("--start-up", start_up),
        loading=None if loading is None else by_device("--loading", loading),
        hold=hold,
        options=options,
    )
    found = replace(found, repaired=(*left_out, *found.repaired))
    if output is not None:
        write_result(output, replanned_to_dict(found))
    if as_json:
        print_json(replanned_to_dict(found))
    else:
        print_view(replanned_view(found))
    if found.plan is not None:
        return OK
    return INFEASIBLE if found.solution.status == "infeasible" else NO_PLAN


def run_contingency(
    question: Question,
    options: SolveOptions,
    loops: Loops,
    plan: str | None,
    lose: str,
    output: str | None,
    as_json: bool,
) -> int:
    """Solve each loss and print; see ``hetopt contingency``."""
    from hetopt.formats.files import check_writable
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.formats.plans.tables import write_result
    from hetopt.replan import contingency as lost
    from hetopt.report.terminal.progress import line_display
    from hetopt.report.terminal.replan import contingency_to_dict, contingency_view
    from hetopt.runtime.interrupt import interruptible

    if lose not in ("device", "unit"):
        raise InputError([Problem("--lose", lose, "device or unit.")])
    if output is not None:
        check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    known = None if plan is None else read_stale_plan(instance, plan)[0]
    stop = threading.Event()
    with (
        interruptible(stop),
        line_display() as report,
        loops.executor(options.workers, most=len(instance.devices)) as executor,
    ):
        found = lost(
            instance,
            known,
            lose="unit" if lose == "unit" else "device",
            options=options,
            executor=executor,
            stop=stop,
            report=report,
        )
    if output is not None:
        write_result(output, contingency_to_dict(found))
    if as_json:
        print_json(contingency_to_dict(found))
    else:
        print_view(contingency_view(found))
    return INTERRUPTED if found.interrupted else OK


def read_state(path: str) -> State:
    """Read a state from a JSON file.

    Raises
    ------
    InputError
        With every field that is wrong.
    """
    from hetopt.formats.json_text import parse_json, read_text
    from hetopt.simulate.events import state_from_dict

    return state_from_dict(parse_json(read_text(Path(path)), path), path)
