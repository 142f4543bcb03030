"""``hetopt simulate``: policies on streams or a schedule, and what none can stay below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hetopt.cli.executors import Loops
from hetopt.cli.exits import OK
from hetopt.cli.options import Json, argument, option, to_file
from hetopt.cli.printing import print_answer, tell_warnings
from hetopt.cli.question import Question
from hetopt.errors import InputError, Problem

OUTPUTS = (".html", ".htm", ".json", ".csv")


def simulate(
    question: Question,
    options: Any,
    loops: Loops,
    plan: Annotated[str | None, argument("PLAN", "Plan or result; else solved.")] = None,
    policy: Annotated[
        list[str] | None,
        option(
            "P", "plan, greedy, energy-greedy, price, rolling, only:DEVICE, homogeneous; repeat."
        ),
    ] = None,
    arrivals: Annotated[
        str, option("A", "poisson, bursty[:CV], or a trace: a CSV file.")
    ] = "poisson",
    requests: Annotated[int | None, option("N", "Requests; default 10000, or the trace.")] = None,
    time: Annotated[str | None, option("TIME", "Simulate this long instead.")] = None,
    replications: Annotated[int, option("N", "Runs with own draws.")] = 1,
    failures: Annotated[
        str | None, option("F", "Mean time between failures, 100h or 100h/10min; or a file.")
    ] = None,
    events: Annotated[str | None, option("FILE", "Failures, caps and rates over time.")] = None,
    delta: Annotated[
        str | None, option("TIME", "Between ticks of rolling; default run / 60.")
    ] = None,
    start_up: Annotated[
        list[str] | None,
        option("[DEVICE=]TIME", "From off to serving, at idle power; default: the devices' own."),
    ] = None,
    shared: Annotated[
        list[str] | None, option("DEVICE", "Its units run all requests at once, slowed down.")
    ] = None,
    batch_timeout: Annotated[
        str | None, option("TIME", "Batches fill for at most this long.")
    ] = None,
    times: Annotated[
        str, option("T", "interval (drawn where stated), fixed, exponential, 20%.")
    ] = "interval",
    columns: Annotated[
        list[str] | None, option("NAME=FIELD", "Columns of a trace: time=, job=, work.TASK=.")
    ] = None,
    warm_up: Annotated[str, option("TIME", "Latencies of requests before it do not count.")] = "0",
    plan_for: Annotated[str | None, option("R", "Rates planned for: peak, mean or stated.")] = None,
    bound: Annotated[bool, typer.Option(help="Prove what no policy can stay below.")] = True,
    output: Annotated[str | None, to_file(".html (a page), .json or .csv.")] = None,
    json: Json = False,
) -> int:
    """Run policies on streams or a schedule, each beside a proven clairvoyant bound."""
    from hetopt.formats.files import check_writable
    from hetopt.formats.plans import read_result
    from hetopt.report.simulations.write import simulation_json, write_simulation
    from hetopt.report.terminal.text import answer_view
    from hetopt.simulate import simulate as simulated

    check_writable(output, *OUTPUTS)
    instance = question.instance()
    tell_warnings(instance)
    with loops.running(options.workers, most=replications) as running:
        simulation = simulated(
            instance,
            None if plan is None else read_result(instance, plan).plan,
            seed=options.seed,
            time_limit=options.time_limit_s,
            gap=options.gap,
            workers=options.workers,
            tell=running["report"],
            stop=running["stop"],
            executor=running["executor"],
            arrivals=arrivals,
            requests=requests,
            time=time,
            replications=replications,
            failures=failures,
            events=events or (),
            delta=delta,
            start_up=None if start_up is None else by_device("--start-up", start_up),
            shared=shared or (),
            batch_timeout=batch_timeout,
            times=times,
            columns=_pairs("--columns", columns or []),
            warm_up=warm_up,
            plan_for=plan_for,
            bound=bound,
            **({"policies": policy} if policy else {}),
        )
    if output is not None:
        write_simulation(output, simulation)
    print_answer(simulation_json(simulation), lambda: answer_view(simulation), json)
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
