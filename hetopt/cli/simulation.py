"""``hetopt simulate``: policies on streams or a schedule, and what none can stay below."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.executors import Loops
from hetopt.cli.exits import OK
from hetopt.cli.options import Json, command, loops, options, question
from hetopt.cli.printing import print_json, print_view, tell_warnings
from hetopt.cli.question import Question
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.solve import SolveOptions

OUTPUTS = (".html", ".htm", ".json", ".csv")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    command(app, question=question, options=options, loops=loops)(simulate)


def simulate(
    question: Question,
    options: Any,
    loops: Loops,
    plan: Annotated[
        str | None,
        typer.Argument(metavar="PLAN", help="Plan or result; else solved.", show_default=False),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="P",
            help="plan, greedy, energy-greedy, price, rolling, only:DEVICE, homogeneous; repeat.",
        ),
    ] = None,
    arrivals: Annotated[
        str, typer.Option(metavar="A", help="poisson, bursty[:CV], or a trace: a CSV file.")
    ] = "poisson",
    requests: Annotated[
        int | None, typer.Option(metavar="N", help="Requests; default 10000, or the trace.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="TIME", help="Simulate this long instead.")
    ] = None,
    replications: Annotated[int, typer.Option(metavar="N", help="Runs with own draws.")] = 1,
    failures: Annotated[
        str | None,
        typer.Option(
            metavar="F", help="Mean time between failures, 100h or 100h/10min; or a file."
        ),
    ] = None,
    events: Annotated[
        str | None, typer.Option(metavar="FILE", help="Failures, caps and rates over time.")
    ] = None,
    delta: Annotated[
        str | None, typer.Option(metavar="TIME", help="Between ticks of rolling; default run / 60.")
    ] = None,
    start_up: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[DEVICE=]TIME",
            help="From off to serving, at idle power; default: the devices' own.",
        ),
    ] = None,
    shared: Annotated[
        list[str] | None,
        typer.Option(metavar="DEVICE", help="Its units run all requests at once, slowed down."),
    ] = None,
    batch_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Batches fill for at most this long.")
    ] = None,
    times: Annotated[
        str,
        typer.Option(metavar="T", help="interval (drawn where stated), fixed, exponential, 20%."),
    ] = "interval",
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FIELD", help="Columns of a trace: time=, job=, work.TASK=."),
    ] = None,
    warm_up: Annotated[
        str, typer.Option(metavar="TIME", help="Latencies of requests before it do not count.")
    ] = "0",
    plan_for: Annotated[
        str | None, typer.Option(metavar="R", help="Rates planned for: peak, mean or stated.")
    ] = None,
    bound: Annotated[bool, typer.Option(help="Prove what no policy can stay below.")] = True,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help=".html (a page), .json or .csv."),
    ] = None,
    json: Json = False,
) -> int:
    """Run policies on streams or a schedule, each beside a proven clairvoyant bound."""
    values = {
        "policy": policy,
        "arrivals": arrivals,
        "requests": requests,
        "time": time,
        "replications": replications,
        "failures": failures,
        "events": events or (),
        "delta": delta,
        "start_up": start_up,
        "shared": shared or (),
        "batch_timeout": batch_timeout,
        "times": times,
        "columns": columns,
        "warm_up": warm_up,
        "plan_for": plan_for,
        "bound": bound,
    }
    return run_simulate(question, options, loops, plan, values, output, json)


def run_simulate(
    question: Question,
    options: SolveOptions,
    loops: Loops,
    plan: str | None,
    values: Mapping[str, Any],
    output: str | None,
    as_json: bool,
) -> int:
    """Simulate policies and print them beside the bound; see ``hetopt simulate``."""
    from pathlib import Path

    from hetopt.formats.files import check_writable
    from hetopt.formats.plans import read_result
    from hetopt.report.simulations.write import write_simulation
    from hetopt.report.terminal.progress import line_display
    from hetopt.report.terminal.schedule_simulation import (
        schedule_simulation_to_dict,
        schedule_simulation_view,
    )
    from hetopt.report.terminal.simulation import simulation_to_dict, simulation_view
    from hetopt.runtime.interrupt import interruptible
    from hetopt.simulate import ScheduleSimulation, simulate

    if output is not None:
        if Path(output).suffix.lower() not in OUTPUTS:
            raise InputError([Problem("-o", output, f"A file that ends in {', '.join(OUTPUTS)}.")])
        check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    stop = threading.Event()
    fields = dict(values)
    fields["columns"] = _pairs("--columns", fields["columns"] or [])
    given = fields["start_up"]
    fields["start_up"] = None if given is None else by_device("--start-up", given)
    fields["policies"] = fields.pop("policy") or None
    if fields["policies"] is None:
        fields.pop("policies")
    runs = int(fields["replications"])
    with (
        interruptible(stop),
        line_display() as tell,
        loops.executor(options.workers, most=runs) as executor,
    ):
        simulation = simulate(
            instance,
            None if plan is None else read_result(instance, plan).plan,
            seed=options.seed,
            time_limit=options.time_limit_s,
            gap=options.gap,
            workers=options.workers,
            tell=tell,
            stop=stop,
            executor=executor,
            **fields,
        )
    if output is not None:
        write_simulation(output, simulation)
    if isinstance(simulation, ScheduleSimulation):
        found, view = schedule_simulation_to_dict(simulation), schedule_simulation_view(simulation)
    else:
        found, view = simulation_to_dict(simulation), simulation_view(simulation)
    if as_json:
        print_json(found)
    else:
        print_view(view)
    return OK


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name or not value:
            raise InputError([Problem(flag, text, "NAME=FIELD.")])
        found[name] = value
    return found


def by_device(flag: str, texts: Sequence[str]) -> str | dict[str, str]:
    """Return one value for all devices, or a value by device."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    return _pairs(flag, texts)
