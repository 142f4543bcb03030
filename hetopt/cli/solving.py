"""What ``hetopt solve`` and ``hetopt compare`` do: ask, print, and the exit code that follows."""

from __future__ import annotations

import shlex
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import typer

from hetopt.cli.exits import INFEASIBLE, INTERRUPTED, NO_PLAN, OK
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.question import Question
from hetopt.cli.values import choice, positive

if TYPE_CHECKING:
    from hetopt.cli.executors import Loops
    from hetopt.instance import Instance
    from hetopt.solution import Solution
    from hetopt.solve import SolveOptions


ALONE = (
    "It was solved in this process: it has neither parts that share nothing nor many graph "
    "jobs whose routes are generated."
)


def run_solve(
    question: Question,
    options: SolveOptions,
    loops: Loops,
    start: str | None,
    output: str | None,
    as_json: bool,
) -> int:
    """Solve and print; see ``hetopt solve``."""
    from hetopt.formats.files import check_writable
    from hetopt.formats.plans import solution_to_dict
    from hetopt.formats.plans.large_schedules import is_large, json_pieces
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.report.terminal.progress import progress_display
    from hetopt.solve import solve_with

    if output is not None:
        check_writable(output)
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
    if as_json and is_large(solution):
        for piece in json_pieces(instance, solution):
            typer.echo(piece, nl=False)
    elif as_json:
        print_json(solution_to_dict(instance, solution))
    else:
        from hetopt.report.terminal.solution import solution_view

        print_view(solution_view(instance, solution))
    return code_of(solution)


def run_compare(
    question: Question,
    options: SolveOptions,
    loops: Loops,
    basis: str,
    rival: str,
    host: str | None,
    sensitivity: bool,
    output: str | None,
    as_json: bool,
) -> int:
    """Compare and print; see ``hetopt compare``."""
    from hetopt.analysis.compare import Basis, compare
    from hetopt.analysis.rivals import RivalType
    from hetopt.formats.files import check_writable
    from hetopt.formats.plans.tables import write_result
    from hetopt.report.terminal.comparison import comparison_to_dict, comparison_view
    from hetopt.report.terminal.progress import line_display
    from hetopt.runtime.interrupt import interruptible

    common = choice("--basis", basis, get_args(Basis))
    against = choice("--rival", rival, get_args(RivalType))
    if output is not None:
        check_writable(output)
    instance = question.instance()
    stop = threading.Event()
    with (
        interruptible(stop),
        line_display() as report,
        loops.executor(options.workers) as executor,
    ):
        comparison = compare(
            instance,
            basis=common,
            rival=against,
            host=host,
            options=options,
            sensitivity=sensitivity,
            executor=executor,
            stop=stop,
            report=report,
        )
    if output is not None and output.lower().endswith((".html", ".htm")):
        from pathlib import Path

        from hetopt.formats.files import write_whole
        from hetopt.report.comparison_page import comparison_page

        command = shlex.join(["hetopt", *sys.argv[1:]])
        page = comparison_page(instance, comparison_to_dict(comparison), command)
        write_whole(Path(output), page)
    elif output is not None:
        write_result(output, comparison_to_dict(comparison))
    if as_json:
        print_json(comparison_to_dict(comparison))
    else:
        print_view(comparison_view(comparison))
    return code_of(comparison.heterogeneous)


def solve_options(
    time_limit: str,
    gap: float,
    method: str,
    workers: int,
    seed: int,
    deterministic: bool,
    mip_solver: str,
) -> SolveOptions:
    """Return the options of a solve, checked."""
    from hetopt.solve import SolveOptions

    seconds = positive("--time-limit", time_limit, "time")
    return SolveOptions(seconds, gap, method, workers, seed, deterministic, mip_solver)


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
