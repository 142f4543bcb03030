"""``hetopt control``: the live loop as a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import Loading, StartUp, argument, option
from hetopt.cli.printing import tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.simulation import by_device
from hetopt.cli.values import positive
from hetopt.errors import InputError, Problem

PORT = 8765


def control(
    question: Question,
    options: Any,
    plan: Annotated[str | None, argument("PLAN", "Plan to begin with; else solved.")] = None,
    port: Annotated[int, option("N", "Port on 127.0.0.1; 0: any.")] = PORT,
    token_file: Annotated[
        str | None, option("FILE", "Holds the bearer token that clients send.")
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Ask for no token: anybody on this machine may ask.")
    ] = False,
    state: Annotated[
        str, option("FILE", "SQLite file that holds every accepted event.")
    ] = "hetopt-control.db",
    delta: Annotated[str, option("TIME", "Between looks at rates.")] = "10s",
    stability: Annotated[str, option("S", "What a change must gain; see hetopt replan.")] = "1%",
    start_up: StartUp = None,
    loading: Loading = None,
    headroom: Annotated[float, option("F", "Part planned for beyond the rates seen.")] = 0.15,
    max_rate: Annotated[
        float, option("N", "Events taken a second; more are told to wait.")
    ] = 5000.0,
    write_alerts: Annotated[
        str | None, option("FILE", "Write rules for Prometheus, and end.")
    ] = None,
    write_dashboard: Annotated[
        str | None, option("FILE", "Write a dashboard for Grafana, and end.")
    ] = None,
) -> int:
    """Keep a fleet at its plan: events in, decisions out, on 127.0.0.1 (hetopt[control])."""
    if write_alerts is not None or write_dashboard is not None:
        return write_monitoring(write_alerts, write_dashboard)
    from dataclasses import replace

    from hetopt.control.planner import Settings
    from hetopt.control.serve import Setup, read_token, serve
    from hetopt.formats.plans import read_plan
    from hetopt.replan import Stability
    from hetopt.replan.run import costs_of
    from hetopt.solution import SteadyPlan

    token = read_token(token_file, no_auth)
    if not 0 <= headroom <= 10:
        raise InputError([Problem("--headroom", f"{headroom:g}", "From 0 to 10.")])
    if not max_rate > 0:
        raise InputError([Problem("--max-rate", f"{max_rate:g}", "More than 0.")])
    instance = question.instance()
    tell_warnings(instance)
    starting = None if start_up is None else by_device("--start-up", start_up)
    bandwidth = None if loading is None else by_device("--loading", loading)
    if instance.regime == "steady":
        # What is wrong is told now, not when the first plan is made.
        costs_of(instance, starting, bandwidth, 1.0)
        Stability.parse(stability, instance)
    known = None if plan is None else read_plan(instance, plan)
    setup = Setup(
        port=port,
        token=token,
        state=Path(state),
        delta_s=positive("--delta", delta, "time"),
        rate_per_s=max_rate,
        settings=Settings(
            options=replace(options, time_limit_s=min(options.time_limit_s, 5.0)),
            stability=stability,
            start_up=starting,
            loading=bandwidth,
            headroom=headroom,
        ),
    )
    serve(
        instance,
        known if isinstance(known, SteadyPlan) else None,
        setup,
        lambda text: typer.echo(text, err=True),
    )
    return OK


def write_monitoring(alerts: str | None, dashboard: str | None) -> int:
    """Write the rules file and the dashboard."""
    import io
    import json

    from ruamel.yaml import YAML

    from hetopt.control.monitoring import alert_rules
    from hetopt.control.monitoring import dashboard as grafana
    from hetopt.formats.files import check_writable, write_whole

    for path in (alerts, dashboard):
        check_writable(path)
    if alerts is not None:
        text = io.StringIO()
        writer = YAML()
        writer.width = 100
        writer.dump(alert_rules(), text)
        write_whole(Path(alerts), text.getvalue())
    if dashboard is not None:
        write_whole(Path(dashboard), json.dumps(grafana(), indent=2) + "\n")
    return OK
