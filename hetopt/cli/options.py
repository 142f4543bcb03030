"""Options that several commands of the command line share, and how a command takes them.

Typer reads a command's options from its signature, and signatures cannot be shared: a command is a
function whose parameters are its own options, and :func:`command` adds the parameters of the
functions that make its question and its solver options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from hetopt.cli.executors import Loops
from hetopt.cli.exits import Exit, guarded
from hetopt.cli.question import Question
from hetopt.cli.values import positive

KEYWORD = inspect.Parameter.KEYWORD_ONLY


def option(metavar: str, about: str, *flags: str) -> Any:
    """Declare an option with a value; its flag is the parameter's name where none is given."""
    return typer.Option(*flags, metavar=metavar, help=about)


def argument(metavar: str, about: str) -> Any:
    """Declare an argument; what it is without one stands in the text."""
    return typer.Argument(metavar=metavar, help=about, show_default=False)


def to_file(about: str, metavar: str = "FILE") -> Any:
    """Return the option ``--output`` of a command that says what it writes."""
    return option(metavar, about, "-o", "--output")


Named = Annotated[str, argument("INSTANCE", "Instance: file, folder, or shipped name.")]
File = Annotated[
    str | None,
    argument(
        "[FILE]",
        "Instance: YAML, JSON, a folder of tables, a benchmark file (docs/formats.md), a name "
        "that hetopt instances lists, - for stdin; none: the shipped default.",
    ),
]
From = Annotated[str | None, option("FORMAT", "Format of FILE.", "--from")]
To = Annotated[
    str | None, option("FORMAT", "yaml, json, parquet, csv; else told by the name.", "--to")
]
Platform = Annotated[
    str | None, option("NAME|FILE", "Devices for a trace that names none: cores-16, FILE.")
]
Objective = Annotated[str | None, option("O", "Objective, or a comma-separated list by priority.")]
Deadline = Annotated[str | None, option("TIME", "Hard deadline of every job.")]
PowerCap = Annotated[str | None, option("POWER", "Largest power allowed.")]
Demand = Annotated[float | None, option("F", "Scale the demanded rates.")]
TimeLimit = Annotated[str, option("TIME", "For each solve; of explain: for all.")]
Gap = Annotated[float, option("G", "Stop at this relative gap; 0 proves.")]


def _list_methods(name: str) -> str:
    if name == "list":
        from hetopt.methods import describe

        typer.echo(describe())
        raise typer.Exit
    return name


Method = Annotated[
    str,
    typer.Option(
        metavar="M", callback=_list_methods, help="How to solve; without M: lists the methods."
    ),
]
Workers = Annotated[int, option("N", "Threads of a solver.")]
Seed = Annotated[int, option("S", "Seed of everything random.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="One worker, no clock: equal seeds, equal bytes.")
]
MipSolver = Annotated[str, option("NAME", "highs, cbc, or any PuLP knows.")]
Set = Annotated[
    list[str] | None,
    option(
        "PATH=VALUE",
        "Change a field by name: devices.npu.count=2, options.PROFILE/DEVICE.time=3ms.",
        "--set",
    ),
]
Pin = Annotated[list[str] | None, option("TASK=DEVICE", "Run the task only there.")]
Forbid = Annotated[list[str] | None, option("TASK=DEVICE", "Never run the task there.")]
Robust = Annotated[
    float | None, option("Q", "Plan with this quantile of each option's interval: 0.95.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]

Output = Annotated[str | None, to_file("Write it whole, or not at all.")]
StartUp = Annotated[
    list[str] | None, option("[DEVICE=]TIME", "From off to serving, at idle power.")
]
Loading = Annotated[list[str] | None, option("[DEVICE=]RATE", "Bandwidth at which weights load.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def question(
    file: File = None,
    objective: Objective = None,
    deadline: Deadline = None,
    power_cap: PowerCap = None,
    demand: Demand = None,
    set_: Set = None,
    pin: Pin = None,
    forbid: Forbid = None,
    from_: From = None,
    platform: Platform = None,
    robust: Robust = None,
) -> Question:
    """Return what is asked: an instance file and changes of it."""
    return Question(
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
        robust,
    )


def options(
    time_limit: TimeLimit = "60",
    gap: Gap = 0.0,
    method: Method = "auto",
    workers: Workers = 2,
    seed: Seed = 0,
    deterministic: Deterministic = False,
    mip_solver: MipSolver = "highs",
) -> Any:
    """Return the :class:`hetopt.SolveOptions`, checked."""
    from hetopt.solve import SolveOptions

    seconds = positive("--time-limit", time_limit, "time")
    return SolveOptions(seconds, gap, method, workers, seed, deterministic, mip_solver)


def loops(
    jobs: Annotated[
        int | None, option("N", "Solves at a time, each in a process of its own.")
    ] = None,
    ray: Annotated[
        str | None,
        option(
            "ADDRESS",
            "Solve on a Ray cluster: HOST:PORT of its head, auto (one that runs here), local.",
        ),
    ] = None,
) -> Loops:
    """Return where loops over solves run, checked."""
    made = Loops(jobs, ray)
    made.check()
    return made


def command(
    app: typer.Typer, *, required: bool = False, **shared: Callable[..., Any]
) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Add a command whose function returns the exit code.

    Parameters
    ----------
    app
        What it is added to.
    required
        Whether the instance must be named: there is no default to fall back to.
    shared
        Functions whose results the command takes under these names, and whose parameters become
        options of the command: those of :func:`question` before its own, others after them.
    """

    def add(run: Callable[..., int]) -> Callable[..., None]:
        makers = {name: _parameters(make) for name, make in shared.items()}
        own = {name: p for name, p in _parameters(run).items() if name not in shared}
        taken = dict(makers.get("question", {}))
        if required:
            taken["file"] = inspect.Parameter("file", KEYWORD, annotation=Named)
        taken.update(own)
        for parameters in makers.values():
            taken.update({name: p for name, p in parameters.items() if name not in taken})
        taken["debug"] = inspect.Parameter("debug", KEYWORD, default=False, annotation=Debug)

        def called(**values: Any) -> None:
            with guarded(values["debug"]):
                made = {
                    name: shared[name](**{p: values[p] for p in parameters})
                    for name, parameters in makers.items()
                }
                raise Exit(run(**made, **{name: values[name] for name in own}))

        called.__name__, called.__doc__ = run.__name__, run.__doc__
        called.__annotations__ = {name: p.annotation for name, p in taken.items()}
        vars(called)["__signature__"] = inspect.Signature(
            [p.replace(kind=KEYWORD) for p in taken.values()]
        )
        return app.command(name=run.__name__)(called)

    return add


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)
