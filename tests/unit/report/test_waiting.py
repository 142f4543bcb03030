"""The line about limits of latency that waiting is estimated to break."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from hetopt import Instance, Model, solve
from hetopt.report.terminal.solution import solution_view
from hetopt.report.waiting import waiting_line


def _stream(rate: str) -> Instance:
    model = Model("stream", regime="steady", objective="power")
    gpu = model.device("gpu", kind="gpu", idle_power="10 W")
    net = model.job("net", rate=rate, latency_slo="20 ms")
    net.task("net", options=[gpu.option(time="10 ms", energy="1 J")])
    return model.build()


def test_a_limit_that_waiting_breaks_is_said_before_the_tables() -> None:
    instance = _stream("99 /s")
    solution = solve(instance, time_limit=10)
    assert solution.status == "optimal"
    out = StringIO()
    Console(file=out, width=400).print(solution_view(instance, solution))
    first = out.getvalue().splitlines()[:5]
    assert any("beyond the limit: net" in line and "limit 20 ms" in line for line in first)


@pytest.mark.parametrize(("rate", "said"), [("1 /s", False), ("99 /s", True)])
def test_only_limits_that_the_estimate_breaks_are_named(rate: str, said: bool) -> None:
    instance = _stream(rate)
    solution = solve(instance, time_limit=10)
    assert bool(waiting_line(solution.quantities)) is said
