"""The command line: arguments in, exit code out (design §9)."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from hetopt import console
from hetopt.console import Exit, guarded
from hetopt.methods import describe
from hetopt.version import __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Decide which AI work runs on which processor, how, and when, with proven bounds.",
)

File = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE]",
        help="Instance: YAML, JSON, a folder of tables, a benchmark file (docs/formats.md), - for "
        "stdin; none: the shipped default.",
        show_default=False,
    ),
]
From = Annotated[str | None, typer.Option("--from", metavar="FORMAT", help="Format of FILE.")]
Platform = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Devices for a trace that names none: cores-16, FILE."),
]
Objective = Annotated[
    str | None, typer.Option(metavar="O", help="Objective, or a comma-separated list by priority.")
]
Deadline = Annotated[str | None, typer.Option(metavar="TIME", help="Hard deadline of every job.")]
PowerCap = Annotated[str | None, typer.Option(metavar="POWER", help="Largest power allowed.")]
Demand = Annotated[float | None, typer.Option(metavar="F", help="Scale the demanded rates.")]
TimeLimit = Annotated[
    str, typer.Option(metavar="TIME", help="For each solve, everything included.")
]
Gap = Annotated[float, typer.Option(metavar="G", help="Stop at this relative gap; 0 proves.")]


def _list_methods(name: str) -> str:
    if name == "list":
        typer.echo(describe())
        raise typer.Exit
    return name


Method = Annotated[
    str,
    typer.Option(
        metavar="M", callback=_list_methods, help="How to solve; without M: lists the methods."
    ),
]
Workers = Annotated[int, typer.Option(metavar="N", help="Threads of a solver.")]
Seed = Annotated[int, typer.Option(metavar="S", help="Seed of everything random.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="One worker, no clock: equal seeds, equal bytes.")
]
MipSolver = Annotated[str, typer.Option(metavar="NAME", help="highs, cbc, or any PuLP knows.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field: devices.npu.count=2."),
]
Pin = Annotated[
    list[str] | None, typer.Option(metavar="TASK=DEVICE", help="Run the task only there.")
]
Forbid = Annotated[
    list[str] | None, typer.Option(metavar="TASK=DEVICE", help="Never run the task there.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write it whole, or not at all."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


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


@app.command()
def solve(
    file: File = None,
    objective: Objective = None,
    deadline: Deadline = None,
    power_cap: PowerCap = None,
    demand: Demand = None,
    time_limit: TimeLimit = "60",
    gap: Gap = 0.0,
    method: Method = "auto",
    workers: Workers = 2,
    seed: Seed = 0,
    deterministic: Deterministic = False,
    mip_solver: MipSolver = "highs",
    set_: Set = None,
    pin: Pin = None,
    forbid: Forbid = None,
    start: Annotated[str | None, typer.Option(metavar="PLAN", help="Start from a plan.")] = None,
    from_: From = None,
    platform: Platform = None,
    output: Output = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Find the best plan for an instance, with a proven bound."""
    question = console.Question(
        file,
        from_,
        objective,
        deadline,
        power_cap,
        demand,
        set_ or [],
        pin or [],
        forbid or [],
        platform,
    )
    with guarded(debug):
        options = console.solve_options(
            time_limit, gap, method, workers, seed, deterministic, mip_solver
        )
        raise Exit(console.run_solve(question, options, start, output, json))


@app.command()
def compare(
    file: File = None,
    objective: Objective = None,
    deadline: Deadline = None,
    power_cap: PowerCap = None,
    demand: Demand = None,
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
    time_limit: TimeLimit = "60",
    gap: Gap = 0.0,
    method: Method = "auto",
    workers: Workers = 2,
    seed: Seed = 0,
    deterministic: Deterministic = False,
    mip_solver: MipSolver = "highs",
    set_: Set = None,
    pin: Pin = None,
    forbid: Forbid = None,
    from_: From = None,
    platform: Platform = None,
    output: Output = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare the heterogeneous placement with the best homogeneous one."""
    question = console.Question(
        file,
        from_,
        objective,
        deadline,
        power_cap,
        demand,
        set_ or [],
        pin or [],
        forbid or [],
        platform,
    )
    with guarded(debug):
        options = console.solve_options(
            time_limit, gap, method, workers, seed, deterministic, mip_solver
        )
        code = console.run_compare(question, options, basis, rival, host, sensitivity, output, json)
        raise Exit(code)


@app.command()
def verify(
    instance: Annotated[str, typer.Argument(help="Instance file.")],
    plan: Annotated[str, typer.Argument(help="Plan or result file, or a folder of tables.")],
    objective: Objective = None,
    deadline: Deadline = None,
    power_cap: PowerCap = None,
    demand: Demand = None,
    set_: Set = None,
    pin: Pin = None,
    forbid: Forbid = None,
    from_: From = None,
    platform: Platform = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Check a plan with the independent checker; exit code 5 if anything is violated."""
    question = console.Question(
        instance,
        from_,
        objective,
        deadline,
        power_cap,
        demand,
        set_ or [],
        pin or [],
        forbid or [],
        platform,
    )
    with guarded(debug):
        raise Exit(console.run_verify(question, plan, json))


@app.command()
def devices(
    text: Annotated[str | None, typer.Argument(help="Show rows that contain this.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="K", help="cpu, gpu, npu, ...")] = None,
    dataset: Annotated[str | None, typer.Option(metavar="D", help="Data set.")] = None,
    task: Annotated[str | None, typer.Option(metavar="T", help="Task measured.")] = None,
    scope: Annotated[str | None, typer.Option(metavar="S", help="What the meter covered.")] = None,
    show: Annotated[str | None, typer.Option(metavar="ID", help="Every option of one.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Rows printed; 0: all.")] = 40,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the measured devices that instances can refer to."""
    with guarded(debug):
        raise Exit(console.run_devices(text, kind, dataset, task, scope, show, limit, json))


@app.command()
def schema(output: Output = None, debug: Debug = False) -> None:
    """Print the JSON Schema of instance files."""
    with guarded(debug):
        raise Exit(console.run_schema(output))


@app.command()
def convert(
    file: Annotated[str, typer.Argument(help="Instance file, folder, or - for stdin.")],
    output: Annotated[
        str,
        typer.Option("-o", "--output", help=".yaml, .json, or a folder of Parquet tables."),
    ],
    from_: From = None,
    platform: Platform = None,
    debug: Debug = False,
) -> None:
    """Write an instance in another form."""
    with guarded(debug):
        raise Exit(console.run_convert(file, from_, output, platform))


@app.command()
def export(
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="MODEL",
            help=".mps or .lp of a steady instance; .pb or .pbtxt: CP-SAT's own.",
        ),
    ],
    file: File = None,
    objective: Objective = None,
    deadline: Deadline = None,
    power_cap: PowerCap = None,
    demand: Demand = None,
    rounding: Annotated[
        str, typer.Option(metavar="R", help="down (bounds) or up (plans), off an exact grid.")
    ] = "down",
    set_: Set = None,
    pin: Pin = None,
    forbid: Forbid = None,
    from_: From = None,
    platform: Platform = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the model that is solved, for other solvers."""
    question = console.Question(
        file,
        from_,
        objective,
        deadline,
        power_cap,
        demand,
        set_ or [],
        pin or [],
        forbid or [],
        platform,
    )
    with guarded(debug):
        raise Exit(console.run_export(question, output, rounding, json))


generate = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make a random instance.")
app.add_typer(generate, name="generate")

OutputFile = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="FILE", help=".yaml, .json; no extension: a folder of tables."
    ),
]


@generate.command("schedule")
def generate_schedule(
    output: OutputFile,
    tasks: Annotated[int, typer.Option(metavar="N", help="Number of tasks.")] = 100,
    devices: Annotated[int, typer.Option(metavar="D", help="Number of devices.")] = 6,
    shape: Annotated[
        str, typer.Option(help="layered, random, fork-join, chains or independent.")
    ] = "layered",
    ccr: Annotated[float, typer.Option(metavar="X", help="Mean transfer over mean task.")] = 0.1,
    deadline_factor: Annotated[
        float, typer.Option(metavar="F", help="Deadline over HEFT's makespan.")
    ] = 1.5,
    profiles: Annotated[
        int | None, typer.Option(metavar="P", help="Profiles; default min(N, 1000).")
    ] = None,
    memory: Annotated[str, typer.Option(help="none or tight.")] = "none",
    slots: Annotated[int, typer.Option(help="Slots of each unit.")] = 1,
    count: Annotated[int, typer.Option(help="Units of each device.")] = 1,
    power_cap_factor: Annotated[
        float | None, typer.Option(help="Power cap over the sum of the devices' largest powers.")
    ] = None,
    seed: Seed = 0,
    debug: Debug = False,
) -> None:
    """Make a random task graph on random devices; docs/generate.md gives the distributions."""
    values: dict[str, Any] = {
        "tasks": tasks,
        "devices": devices,
        "shape": shape,
        "ccr": ccr,
        "deadline_factor": deadline_factor,
        "profiles": profiles,
        "memory": memory,
        "slots": slots,
        "count": count,
        "power_cap_factor": power_cap_factor,
        "seed": seed,
    }
    with guarded(debug):
        raise Exit(console.run_generate("schedule", values, output))


@generate.command("steady")
def generate_steady(
    output: OutputFile,
    workloads: Annotated[int, typer.Option(metavar="N", help="Number of workloads.")] = 20,
    devices: Annotated[int, typer.Option(metavar="D", help="Number of devices.")] = 6,
    options: Annotated[int, typer.Option(metavar="K", help="Options per device.")] = 3,
    seed: Seed = 0,
    debug: Debug = False,
) -> None:
    """Make random request streams on random devices; docs/generate.md gives the distributions."""
    values = {"workloads": workloads, "devices": devices, "options": options, "seed": seed}
    with guarded(debug):
        raise Exit(console.run_generate("steady", values, output))


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    if arguments and arguments[-1] == "--method":
        arguments.append("list")
    app(arguments, prog_name="hetopt")
