"""``hetopt replan`` and ``hetopt contingency``: plans made anew, and plans for losses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hetopt.cli.executors import Loops
from hetopt.cli.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK
from hetopt.cli.options import Json, Loading, Output, StartUp, argument, option
from hetopt.cli.printing import print_answer, tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.simulation import by_device
from hetopt.cli.values import choice

if TYPE_CHECKING:
    from hetopt.simulate.events import State


def replan(
    question: Question,
    options: Any,
    plan: Annotated[str, argument("PLAN", "The plan that runs, or a result.")],
    state: Annotated[
        str | None, option("STATE", "Where everything stands: a JSON file; none: as PLAN.")
    ] = None,
    stability: Annotated[
        str, option("S", "3: changes at most; 2%: gain of all; 5W: gain of each.")
    ] = "1%",
    start_up: StartUp = None,
    loading: Loading = None,
    hold: Annotated[str, option("TIME", "How long the plan will hold, to spread starts.")] = "1h",
    output: Output = None,
    json: Json = False,
) -> int:
    """Plan anew while a plan runs: ordered steps, and the plan they lead to, with its bound."""
    from dataclasses import replace

    from hetopt.formats.files import check_writable
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.replan import replan as replanned
    from hetopt.report.terminal.replan import replanned_to_dict, replanned_view

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
    print_answer(replanned_to_dict(found), lambda: replanned_view(found), json, output)
    if found.plan is not None:
        return OK
    return INFEASIBLE if found.solution.status == "infeasible" else NO_PLAN


def contingency(
    question: Question,
    options: Any,
    loops: Loops,
    plan: Annotated[str | None, argument("PLAN", "Plan in force; else solved.")] = None,
    lose: Annotated[str, option("L", "device: all its units; unit: one of them.")] = "device",
    output: Output = None,
    json: Json = False,
) -> int:
    """For every device lost: the plan that would follow, its cost, and what is not served."""
    from hetopt.formats.files import check_writable
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.replan import contingency as lost
    from hetopt.report.terminal.replan import contingency_to_dict, contingency_view

    what = choice("--lose", lose, ("device", "unit"))
    check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    known = None if plan is None else read_stale_plan(instance, plan)[0]
    with loops.running(options.workers, most=len(instance.devices)) as running:
        found = lost(instance, known, lose=what, options=options, **running)
    print_answer(contingency_to_dict(found), lambda: contingency_view(found), json, output)
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
