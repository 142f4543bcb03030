"""What the commands do: read, ask, print, and the exit code that follows.

Heavy imports happen inside the functions, so that ``hetopt --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer

from hetopt.errors import HetoptError, InputError, Problem, RefusedError

if TYPE_CHECKING:
    from hetopt.cli.executors import Loops
    from hetopt.instance import Instance
    from hetopt.solution import Plan, Solution
    from hetopt.solve import SolveOptions

OK, INTERNAL, USAGE, INFEASIBLE, NO_PLAN, VIOLATED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

ALONE = (
    "It was solved in this process: neither a schedule in parts that share nothing nor many graph "
    "jobs whose routes are generated."
)

Exit = typer.Exit


@contextlib.contextmanager
def guarded(debug: bool) -> Iterator[None]:
    """Turn errors into exit codes and one line each; tracebacks only with ``debug``."""
    try:
        yield
    except RefusedError as error:
        _fail(str(error), VIOLATED, debug)
    except InputError as error:
        _fail(str(error), USAGE, debug)
    except (HetoptError, MemoryError) as error:
        _fail(f"internal: {error or type(error).__name__}", INTERNAL, debug)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED, debug)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell.
        sys.stderr.close()
        raise Exit(INTERNAL) from None
    except Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        _fail(f"internal: {type(error).__name__}: {error}", INTERNAL, debug)


def _fail(message: str, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    first, *rest = message.splitlines() or [""]
    count = f" (and {len(rest)} more)" if rest else ""
    typer.echo(f"error: {first}{count}", err=True)
    for line in rest:
        typer.echo(f"  {line}", err=True)
    raise Exit(code)


@dataclass(frozen=True, slots=True)
class Question:
    """An instance file and the changes that the command line asks for."""

    file: str | None
    format: str | None
    objective: str | None
    deadline: str | None
    power_cap: str | None
    demand: float | None
    assignments: list[str]
    pins: list[str]
    forbids: list[str]
    platform: str | None = None
    robust: float | None = None

    def instance(self) -> Instance:
        """Read the instance and apply the changes."""
        read = self.read()
        instance = self.changed(read)
        read.forget_written()
        instance.forget_written()
        return instance

    def read(self, entries: Mapping[str, str] | None = None) -> Instance:
        """Read the instance as it stands in the file.

        ``entries`` puts entries of the catalogue in the place of devices, by their names.
        """
        from hetopt.default import default_instance
        from hetopt.formats import read_instance

        if entries:
            from hetopt.formats.native.catalogue_swaps import read_swapped

            if self.file is None:
                text = "A FILE whose devices come from the catalogue."
                raise InputError([Problem("--case", "swap", text)])
            return read_swapped(self.file, entries)
        if self.file is not None:
            return read_instance(self.file, format=self.format, platform=self.platform)
        if self.platform is None:
            return default_instance()
        text = "A FILE with a workload for the platform."
        raise InputError([Problem("--platform", self.platform, text)])

    def changed(self, read: Instance, more: Sequence[str] = ()) -> Instance:
        """Apply the changes to an instance as it was read; ``more`` are assignments of a case.

        A case's assignment has precedence over what the command line asks of all cases.
        """
        from hetopt.compile.set_values import set_values, sets
        from hetopt.instance import overrides
        from hetopt.instance.robust import robust

        instance = set_values(read, [*self.assignments, *more])
        pins = [_pair("--pin", text) for text in self.pins]
        forbids = [_pair("--forbid", text) for text in self.forbids]
        instance = overrides.with_placement(instance, pins, forbids)
        if self.objective is not None and not sets(more, "objective"):
            names = [name.strip() for name in self.objective.split(",") if name.strip()]
            instance = instance.with_objective(*(names or [self.objective]))
        if self.power_cap is not None and not sets(more, "power_cap_w"):
            cap = positive("--power-cap", self.power_cap, "power")
            instance = instance.with_limits(power_cap_w=cap)
        if self.deadline is not None:
            deadline = positive("--deadline", self.deadline, "time")
            _either("--deadline", self.deadline, more, "deadline_s", "release_s")
            instance = overrides.with_deadline(instance, deadline)
        if self.demand is not None:
            _either("--demand", f"{self.demand:g}", more, "rate_per_s", "share", "demand_per_s")
            instance = overrides.scale_demand(instance, self.demand)
        return instance if self.robust is None else robust(instance, self.robust)


def _either(flag: str, value: str, assignments: Sequence[str], *columns: str) -> None:
    """Refuse a flag beside a case that sets what the flag changes, as their order is not told."""
    from hetopt.compile.set_values import sets

    for column in columns:
        if sets(assignments, column):
            text = f"Either {flag}, or a case that sets {column}."
            raise InputError([Problem(flag, value, text)])


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
    from hetopt.formats.plans.stale import read_stale_plan
    from hetopt.formats.plans.stream import is_large, json_pieces
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
    return _code(solution)


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


def _code(solution: Solution) -> int:
    if solution.plan is not None:
        return OK
    if solution.status == "infeasible":
        return INFEASIBLE
    return INTERRUPTED if solution.termination == "interrupted" else NO_PLAN


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

    common = _choice("--basis", basis, get_args(Basis))
    against = _choice("--rival", rival, get_args(RivalType))
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
    return _code(comparison.heterogeneous)


def run_verify(question: Question, plan: str, bound: str | None, as_json: bool) -> int:
    """Check a plan and print every violation; see ``hetopt verify``."""
    from hetopt.formats.plans import read_result, to_json
    from hetopt.verify import verify

    seconds = None if bound is None else positive("--bound", bound, "time")
    instance = question.instance()
    found = read_result(instance, plan)
    report = verify(
        instance, found.plan, found.claimed, bounds=found.bounds, status=found.status or None
    )
    proven = None if seconds is None or not report.ok else _proven(instance, found.plan, seconds)
    if as_json:
        violations = [
            {"kind": v.kind, "message": v.message, "subject": v.subject} for v in report.violations
        ]
        answer = {
            "ok": report.ok,
            "violations": violations,
            "objectives": to_json(report.objectives),
            "arithmetic": report.mode,
        }
        if proven is not None:
            answer |= {"bound": to_json(proven[0]), "gap": to_json(proven[1])}
        print_json(answer)
        return OK if report.ok else VIOLATED
    if report.ok:
        from hetopt.evaluate.with_units import quantity
        from hetopt.report.terminal.solution import small_gap

        values = ", ".join(
            f"{name} {quantity(instance, name, value)}"
            for name, value in report.objectives.items()
            if value == value
        )
        typer.echo(f"The plan holds every limit. {values}")
        if proven is not None:
            name = instance.objective[0]
            least = quantity(instance, name, proven[0])
            typer.echo(
                f"No plan has a better {name} than {least}: a gap of {small_gap(proven[1])}."
            )
        return OK
    typer.echo(f"error: the plan violates {len(report.violations)} rule(s)", err=True)
    for kind in report.kinds:
        alike = [v.message for v in report.violations if v.kind == kind]
        typer.echo(f"{kind} ({len(alike)}):" if len(alike) > 1 else f"{kind}: {alike[0]}")
        if len(alike) > 1:
            for message in alike[:SHOWN_ALIKE]:
                typer.echo(f"  {message}")
            if len(alike) > SHOWN_ALIKE:
                typer.echo(f"  and {len(alike) - SHOWN_ALIKE} more; --json lists them")
    return VIOLATED


SHOWN_ALIKE = 5
"""Violations of one kind that are printed."""


def _proven(instance: Instance, plan: Plan, seconds: float) -> tuple[float, float]:
    """Return the bound that hetopt proves in so many seconds, and the plan's gap to it."""
    from hetopt.evaluate import objectives
    from hetopt.solution import relative_gap
    from hetopt.solve import SolveOptions, solve_with

    found = solve_with(instance, SolveOptions(time_limit_s=seconds), start=plan)
    return found.bound, relative_gap(objectives(instance, plan)[0], found.bound)


def run_devices(
    text: str | None,
    kind: str | None,
    dataset: str | None,
    task: list[str] | None,
    scope: str | None,
    show: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List the catalogue, or show one device of it; see ``hetopt devices``."""
    from hetopt.report.terminal import devices

    if show is not None:
        if as_json:
            print_json(devices.details_to_dict(show))
        else:
            print_view(devices.details_view(show))
        return OK
    filters: dict[str, Any] = {"text": text, "kind": kind, "dataset": dataset, "scope": scope}
    filters["task"] = task or None
    if as_json:
        print_json(devices.devices_to_dict(**filters))
    else:
        print_view(devices.devices_view(limit=limit, **filters))
    return OK


def run_instances(as_json: bool) -> int:
    """List the shipped instances, with a sentence on each; see ``hetopt instances``."""
    from rich.table import Table

    from hetopt.formats.shipped import shipped_about, shipped_names, shipped_path

    about = {name: shipped_about(name) for name in shipped_names()}
    if as_json:
        rows = [
            {"name": name, "about": text, "file": str(shipped_path(name))}
            for name, text in about.items()
        ]
        print_json({"instances": rows})
        return OK
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("what it asks")
    for name, text in about.items():
        table.add_row(name, text)
    print_view(table)
    return OK


def run_schema(output: str | None) -> int:
    """Print or write the JSON Schema; see ``hetopt schema``."""
    from hetopt.formats.native.json_schema import json_schema, schema_text
    from hetopt.formats.plans.tables import write_result

    if output is None:
        typer.echo(schema_text(), nl=False)  # the file in docs/, to the byte
    else:
        write_result(output, json_schema())
    return OK


def run_convert(
    file: str,
    format: str | None,  # noqa: A002 - the flag's name
    output: str,
    to: str | None = None,
    platform: str | None = None,
) -> int:
    """Read an instance and write it in another form; see ``hetopt convert``."""
    from hetopt.formats import read_instance, write_instance

    instance = read_instance(file, format=format, platform=platform)
    tell_warnings(instance)
    write_instance(_models_from(instance, file, output), output, format=to)
    return OK


def _models_from(instance: Instance, file: str, output: str) -> Instance:
    """Name model files of jobs from where the instance will stand."""
    import os
    from dataclasses import replace

    import numpy as np

    from hetopt.formats.files import means_folder

    models = instance.jobs.model.tolist()
    if not any(models) or not Path(file).exists():
        return instance
    before = Path(file) if Path(file).is_dir() else Path(file).parent
    after = Path(output) if means_folder(output) else Path(output).parent
    moved = [
        os.path.relpath(before / m, after) if m and not Path(m).is_absolute() else m for m in models
    ]
    return replace(instance, jobs=replace(instance.jobs, model=np.array(moved, dtype=np.str_)))


def run_export(question: Question, output: str, rounding: str, as_json: bool) -> int:
    """Write the solvers' model of an instance; see ``hetopt export``."""
    from dataclasses import asdict

    from hetopt.formats.files import check_writable
    from hetopt.model_files import Rounding, export_model

    direction = _choice("--rounding", rounding, get_args(Rounding))
    check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    written = export_model(
        instance,
        output,
        rounding=direction,
    )
    if as_json:
        print_json(asdict(written))
        return OK
    typer.echo(f"{written.path}: {written.variables:,} variables, {written.rows:,} rows")
    for note in written.notes:
        typer.echo(note)
    return OK


def run_generate(regime: str, values: Mapping[str, Any], output: str, to: str | None = None) -> int:
    """Make a random instance and write it; see ``hetopt generate``."""
    from hetopt import generate
    from hetopt.formats import write_instance

    make = generate.generate_schedule if regime == "schedule" else generate.generate_steady
    instance = make(**values)
    write_instance(instance, output, format=to)
    typer.echo(
        f"{output}: {len(instance.tasks):,} tasks, {len(instance.devices):,} devices, {regime}",
        err=True,
    )
    return OK


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def print_view(view: Any) -> None:
    """Print a table or text to stdout; piped, lines are as long as they need."""
    from rich.console import Console

    terminal = Console()
    if not terminal.is_terminal:
        terminal = Console(width=200)
    terminal.print(view, highlight=False)


def tell_warnings(instance: Instance) -> None:
    """Say on stderr what results of other commands have among their notes."""
    from hetopt.profiling.caveats import warnings

    for note in warnings(instance):
        typer.echo(f"note: {note}", err=True)


def _pair(flag: str, text: str) -> tuple[str, str]:
    task, mark, device = text.rpartition("=")
    if not mark or not task or not device:
        raise InputError([Problem(flag, text, "TASK=DEVICE.")])
    return task, device


def positive(flag: str, text: str, dimension: str) -> float:
    """Read a quantity of more than 0 from the command line."""
    from hetopt import units

    try:
        value = units.parse(text, dimension)
    except units.UnitError as error:
        raise InputError([Problem(flag, text, f"{error.expected}. {error.hint}".strip())]) from None
    if not value > 0:
        raise InputError([Problem(flag, text, "More than 0.")])
    if units.is_extreme(value):
        raise InputError([Problem(flag, text, units.USUAL)])
    if flag in ("--deadline", "--power-cap") and units.is_plain(text):
        si = {"time": "s", "power": "W"}[dimension]
        typer.echo(f"note: {flag} {text} counts as {value:g} {si}; a unit can follow.", err=True)
    return value


def _choice(flag: str, value: str, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise InputError([Problem(flag, value, f"One of {', '.join(choices)}.")])
    return value
