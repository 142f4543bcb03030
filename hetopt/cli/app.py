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
    rounds,
    simulation,
    solving,
    studies,
)
from hetopt.cli.live import control, replanning, run
from hetopt.cli.options import command, loops, options, question
from hetopt.cli.profiling import calibrate, profile
from hetopt.cli.profiling.estimating import estimate_flags
from hetopt.cli.profiling.measuring import measure_flags
from hetopt.cli.profiling.profile_tables import table_flags
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


ASKED: dict[str, Any] = {"question": question, "options": options}

# In the order in which help and docs list them.
command(app, **ASKED, loops=loops)(solving.solve)
command(app, **ASKED, loops=loops)(solving.compare)
command(app, **ASKED, loops=loops)(studies.pareto)
command(app, **ASKED, loops=loops)(studies.whatif)
command(app, **ASKED, loops=loops)(simulation.simulate)
command(app, **ASKED)(studies.explain)
command(app, required=True, question=question)(checking.verify)
command(app, required=True, question=question)(studies.report)
command(app)(converting.devices)
command(app, loops=loops)(rounds.rounds)
command(app)(converting.instances)
command(app)(converting.describe)
command(app)(converting.schema)
command(app)(converting.convert)
command(app, question=question)(converting.export)
command(app, measures=measure_flags, estimates=estimate_flags, tables=table_flags)(profile.profile)
command(app)(calibrate.calibrate)
command(app, required=True, **ASKED)(deploy.deploy)
command(app)(run.run)
app.add_typer(generating.GENERATE, name="generate")
command(app)(compiling.compile)
command(app, required=True, **ASKED)(replanning.replan)
command(app, **ASKED, loops=loops)(replanning.contingency)
command(app, **ASKED)(control.control)


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
