"""The command line: arguments in, exit code out (docs/cli.md)."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from hetopt.cli import (
    checking,
    compiling,
    converting,
    deploy,
    generating,
    simulation,
    solving,
    studies,
)
from hetopt.cli.executors import Loops
from hetopt.cli.live import control, replanning, run
from hetopt.cli.options import (
    From,
    Json,
    Output,
    Platform,
    To,
    command,
    loops,
    options,
    question,
)
from hetopt.cli.profiling import calibrate, profile
from hetopt.cli.question import Question
from hetopt.errors import InputError, Problem
from hetopt.runtime.interrupt import end_process
from hetopt.runtime.jit import left_out
from hetopt.version import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Decide which AI work runs on which processor, how, and when, with proven bounds.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hetopt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


@command(app, question=question, options=options, loops=loops)
def solve(
    question: Question,
    options: Any,
    loops: Loops,
    start: Annotated[str | None, typer.Option(metavar="PLAN", help="Start from a plan.")] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=".json; .html: a page; .csv, .xlsx, .parquet: tables; no extension: a folder.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Find the best plan for an instance, with a proven bound."""
    return solving.run_solve(question, options, loops, start, output, json)


@command(app, question=question, options=options, loops=loops)
def compare(
    question: Question,
    options: Any,
    loops: Loops,
    basis: Annotated[
        str, typer.Option(metavar="B", help="units, power or price: what both sides may have.")
    ] = "units",
    rival: Annotated[
        str, typer.Option(metavar="R", help="Gain over the best single device, or kind.")
    ] = "device",
    host: Annotated[
        str | None,
        typer.Option(metavar="DEVICE", help="Runs what a rival has no option for."),
    ] = None,
    sensitivity: Annotated[
        bool, typer.Option(help="Solve again under changes, to tell how firm the gain is.")
    ] = True,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help=".json, or .html: a page."),
    ] = None,
    json: Json = False,
) -> int:
    """Compare the heterogeneous placement with the best homogeneous one."""
    return solving.run_compare(
        question, options, loops, basis, rival, host, sensitivity, output, json
    )


@command(app, question=question, options=options, loops=loops)
def pareto(
    question: Question,
    options: Any,
    loops: Loops,
    points: Annotated[
        str, typer.Option(metavar="N", help="Points, evenly spread; all: the whole front.")
    ] = "12",
    between: Annotated[
        str | None,
        typer.Option(metavar="LOW..HIGH", help="Limits of the held objective: 20ms..40ms."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help=".html (a picture) or .json."),
    ] = None,
    json: Json = False,
) -> int:
    """Trade two objectives off (--objective energy,makespan), every point proven."""
    return studies.run_pareto(question, options, loops, points, between, output, json)


@command(app, question=question, options=options, loops=loops)
def whatif(
    question: Question,
    options: Any,
    loops: Loops,
    case: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANGES",
            help="drop D | add D [N] | swap D=D2 | demand F | deadline T | power-cap P | "
            "set PATH=VALUE; with commas: together. Repeat it for more cases.",
        ),
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option(metavar="N", help="Another name of --jobs; default: cores / workers."),
    ] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Solve changed instances beside the one given, with proven differences."""
    return studies.run_whatif(question, options, loops, case or [], parallel, output, json)


simulation.add_to(app)


@command(app, question=question, options=options)
def explain(
    question: Question,
    options: Any,
    plan: Annotated[
        str | None,
        typer.Argument(metavar="PLAN", help="Plan or result to explain.", show_default=False),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Ask what other places of this task would cost."),
    ] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Tell why there is no plan and what would help, or what a plan rests on."""
    return studies.run_explain(question, options, plan, task or [], output, json)


@command(app, required=True, question=question)
def verify(
    question: Question,
    plan: Annotated[
        str,
        typer.Argument(
            metavar="PLAN", help="Plan or result: JSON, CSV with a row a task, or a folder."
        ),
    ],
    bound: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Prove a bound for so long, and tell the plan's gap."),
    ] = None,
    json: Json = False,
) -> int:
    """Check a plan with the independent checker; exit code 5 if anything is violated."""
    return checking.run_verify(question, plan, bound, json)


@command(app, required=True, question=question)
def report(
    question: Question,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="Plan or result file.")],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FILE", help=".html: a page; .json: a trace for Perfetto."
        ),
    ],
    comparison: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What hetopt compare -o wrote, to show beside it."),
    ] = None,
    front: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What hetopt pareto -o wrote (.json), to show too."),
    ] = None,
) -> int:
    """Show a plan as one offline page, or a schedule as a trace for Perfetto."""
    return studies.run_report(question, plan, comparison, front, output)


@command(app)
def devices(
    text: Annotated[str | None, typer.Argument(help="Show rows that contain this.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="K", help="cpu, gpu, npu, ...")] = None,
    dataset: Annotated[str | None, typer.Option(metavar="D", help="Data set.")] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="T", help="Task measured; repeated: devices that ran all of them."),
    ] = None,
    scope: Annotated[str | None, typer.Option(metavar="S", help="What the meter covered.")] = None,
    show: Annotated[str | None, typer.Option(metavar="ID", help="Every option of one.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Rows printed; 0: all.")] = 40,
    capabilities: Annotated[
        bool, typer.Option("--capabilities", help="Data sheets that estimates go by, instead.")
    ] = False,
    from_cluster: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What kubectl get nodes,deviceclasses,resourceslices -o json or ray list nodes "
            "--format json printed, as devices of an instance; - for stdin.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="With --from-cluster: .yaml, .json."),
    ] = None,
    json: Json = False,
) -> int:
    """List the measured devices that instances can refer to, or those of a cluster."""
    filters: dict[str, object] = {
        "--dataset": dataset,
        "--task": task,
        "--scope": scope,
        "--show": show,
    }
    if from_cluster is not None:
        from hetopt.cli.profiling.cluster import run_cluster

        filters |= {"TEXT": text, "--kind": kind, "--capabilities": capabilities}
        return run_cluster(from_cluster, filters, output, json)
    if output is not None:
        raise InputError([Problem("-o", output, "Only with --from-cluster.")])
    if capabilities:
        from hetopt.cli.profiling.capabilities import run_capabilities

        return run_capabilities(
            text,
            kind,
            filters,
            json,
        )
    return converting.run_devices(text, kind, dataset, task, scope, show, limit, json)


@command(app, loops=loops)
def rounds(
    loops: Loops,
    text: Annotated[
        str | None, typer.Argument(help="Part of round/division/suite/scenario: v3.0/closed.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help=".csv, .md, .html, .json.")
    ] = None,
    json: Json = False,
) -> int:
    """Tell the gain of mixed over homogeneous in every public round of the catalogue."""
    from hetopt.cli.rounds import run_rounds

    return run_rounds(loops, text, output, json)


@command(app)
def instances(json: Json = False) -> int:
    """List the instances that ship with hetopt: FILE of every command may be such a name."""
    return converting.run_instances(json)


@command(app)
def schema(output: Output = None) -> int:
    """Print the JSON Schema of instance files."""
    return converting.run_schema(output)


@command(app)
def convert(
    file: Annotated[
        str, typer.Argument(help="Instance: file, folder, shipped name, or - for stdin.")
    ],
    output: Annotated[
        str,
        typer.Option("-o", "--output", help=".yaml, .json, or a folder of Parquet tables."),
    ],
    to: To = None,
    from_: From = None,
    platform: Platform = None,
) -> int:
    """Write an instance in another form."""
    return converting.run_convert(file, from_, output, to, platform)


@command(app, question=question)
def export(
    question: Question,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="MODEL",
            help=".mps or .lp of a steady instance; .pb or .pbtxt: CP-SAT's own.",
        ),
    ],
    rounding: Annotated[
        str, typer.Option(metavar="R", help="down (bounds) or up (plans), off an exact grid.")
    ] = "down",
    json: Json = False,
) -> int:
    """Write the model that is solved, for other solvers."""
    return converting.run_export(question, output, rounding, json)


profile.add_to(app)
calibrate.add_to(app)
deploy.add_to(app)
run.add_to(app)

generating.add_to(app)
compiling.add_to(app)
replanning.register(app)
control.register(app)


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    if arguments and arguments[-1] == "--method":
        arguments.append("list")
    try:
        app(arguments, prog_name="hetopt")
    except SystemExit as ended:
        compiling.compile_beside(left_out)
        end_process(ended.code if isinstance(ended.code, int) else 0)
