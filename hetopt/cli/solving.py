"""``hetopt solve`` and ``hetopt compare``: ask, print, and the exit code that follows."""

from __future__ import annotations

import shlex
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from hetopt.cli.executors import Loops
from hetopt.cli.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK
from hetopt.cli.options import Json, option, to_file
from hetopt.cli.printing import print_answer, print_json, print_view
from hetopt.cli.question import Question
from hetopt.cli.values import choice

if TYPE_CHECKING:
    from hetopt.instance import Instance
    from hetopt.solution import Solution
    from hetopt.solve import SolveOptions


ALONE = (
    "It was solved in this process: it has neither parts that share nothing nor many graph "
    "jobs whose routes are generated."
)


def solve(
    question: Question,
    options: Any,
    loops: Loops,
    start: Annotated[str | None, option("PLAN", "Start from a plan.")] = None,
    output: Annotated[
        str | None,
        to_file(".json; .html: a page; .csv, .xlsx, .parquet: tables; no extension: a folder."),
    ] = None,
    json: Json = False,
) -> int:
    """Find the best plan for an instance, with a proven bound."""
    from hetopt.formats.files import check_writable
    from hetopt.formats.plans import solution_to_dict
    from hetopt.formats.plans.large_schedules import is_large, json_pieces
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.report.terminal.progress import progress_display
    from hetopt.solve import solve_with

    check_writable(output)
    if output is not None:
        check_plan_output(output)
    instance = question.instance()
    known, left_out = (None, []) if start is None else read_stale_plan(instance, start)
    stop = threading.Event()
    with (
        progress_display(instance, options.time_limit_s) as progress,
        loops.executor(options.workers) as executor,
    ):
        solution = solve_with(
            instance, options, start=known, stop=stop, progress=progress, executor=executor
        )
    if executor is not None and not executor.used:
        typer.echo(f"note: {ALONE}", err=True)
    if solution.status == "infeasible":
        solution = why_infeasible(instance, options, solution, question)
    if left_out:
        note = "Of the start plan: " + "; ".join(left_out) + "."
        solution = replace(solution, notes=(note, *solution.notes))
    if output is not None:
        write_answer(output, instance, solution)
    if json and is_large(solution):
        for piece in json_pieces(instance, solution):
            typer.echo(piece, nl=False)
    elif json:
        print_json(solution_to_dict(instance, solution))
    else:
        from hetopt.report.terminal.solution import solution_view

        print_view(solution_view(instance, solution))
    return code_of(solution)


def compare(
    question: Question,
    options: Any,
    loops: Loops,
    basis: Annotated[
        str, option("B", "units, power or price: what both sides may have.")
    ] = "units",
    rival: Annotated[str, option("R", "Gain over the best single device, or kind.")] = "device",
    host: Annotated[str | None, option("DEVICE", "Runs what a rival has no option for.")] = None,
    sensitivity: Annotated[
        bool, typer.Option(help="Solve again under changes, to tell how firm the gain is.")
    ] = True,
    output: Annotated[str | None, to_file(".json, or .html: a page.")] = None,
    json: Json = False,
) -> int:
    """Compare the heterogeneous placement with the best homogeneous one."""
    from hetopt.analysis import compare as analysis
    from hetopt.analysis.rivals import RivalType
    from hetopt.formats.files import check_writable
    from hetopt.report.terminal.comparison import comparison_to_dict, comparison_view

    common = choice("--basis", basis, get_args(analysis.Basis))
    against = choice("--rival", rival, get_args(RivalType))
    check_writable(output)
    instance = question.instance()
    with loops.running(options.workers) as running:
        comparison = analysis.compare(
            instance,
            basis=common,
            rival=against,
            host=host,
            options=options,
            sensitivity=sensitivity,
            **running,
        )
    told = comparison_to_dict(comparison)
    page = output is not None and output.lower().endswith((".html", ".htm"))
    if output is not None and page:
        from pathlib import Path

        from hetopt.formats.files import write_whole
        from hetopt.report.comparison_page import comparison_page

        command = shlex.join(["hetopt", *sys.argv[1:]])
        write_whole(Path(output), comparison_page(instance, told, command))
    print_answer(told, lambda: comparison_view(comparison), json, None if page else output)
    return code_of(comparison.heterogeneous)


def check_plan_output(output: str) -> None:
    """Refuse a place for a plan that cannot be written, before the search."""
    from hetopt.formats.excel import EXTRA
    from hetopt.formats.files import means_folder
    from hetopt.formats.parquet import pyarrow
    from hetopt.formats.plans.sheets import sheet_writer
    from hetopt.profiling.extras import load_extra

    sheet_writer(output)
    if means_folder(output) or output.lower().endswith(".parquet"):
        pyarrow(output)
    elif output.lower().endswith(".xlsx"):
        load_extra("openpyxl", EXTRA, output)


def write_answer(output: str, instance: Instance, solution: Solution) -> None:
    """Write an answer as the extension asks: a page, tables, JSON, or a folder of tables."""
    from hetopt.formats.plans.sheets import sheet_writer
    from hetopt.formats.plans.tables import write_solution

    page = output.lower().endswith((".html", ".htm"))
    if solution.plan is None and (page or sheet_writer(output) is not None):
        typer.echo(f"note: there is no plan, so {output} is not written.", err=True)
    elif page:
        from hetopt.report.page_file import write_report

        write_report(output, instance, solution)
    else:
        write_solution(output, instance, solution)


def why_infeasible(
    instance: Instance, options: SolveOptions, solution: Solution, question: Question
) -> Solution:
    """Put what is plainly impossible before the solver's own words, and say what asks further."""
    from dataclasses import replace

    from hetopt.analysis.explanation.shortfall import shortfalls

    texts = shortfalls(instance, options) or [solution.reason]
    file = shlex.quote(question.file) if question.file else "mlperf-v3.0-server"
    hint = f"`hetopt explain {file}` (with the same options) says what least changes would help."
    return replace(solution, reason=" ".join([*texts, hint]))


def code_of(solution: Solution) -> int:
    """Return the exit code that says what an answer is."""
    if solution.plan is not None:
        return OK
    if solution.status == "infeasible":
        return INFEASIBLE
    return INTERRUPTED if solution.termination == "interrupted" else NO_PLAN
