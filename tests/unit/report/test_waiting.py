"""The line about limits of latency that waiting is estimated to break."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hetopt import Instance, Model, solve
from hetopt.report.page import report_page
from hetopt.report.terminal.solution import solution_view
from hetopt.report.waiting import waiting_line
from tests.command_line import hetopt


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


def test_a_page_shows_what_simulation_reached_beside_estimate_and_limit() -> None:
    model = Model("stream", regime="steady", objective="power")
    gpu = model.device("gpu", count=4, idle_power="1 W")
    net = model.job("net", rate="50 /s", latency_slo="90 ms")
    net.task("net", options=[gpu.option(time="10 ms", energy="1 J")])
    made = model.build()
    made = replace(made, jobs=replace(made.jobs, latency_quantile=np.array([0.9])))
    plan = solve(made, time_limit=10, workers=1).plan
    assert plan is not None
    rows = {"net": {"p99_latency_s": 0.0314, "quantile_latency_s": 0.0217}}
    page = report_page(made, plan, {}, simulated=rows)
    jobs = page[page.index("<h2>Jobs</h2>") : page.index("<h2>Routes</h2>")]
    assert jobs.count("simulated") == 2
    assert "31.4 ms" in jobs
    assert "21.7 ms" in jobs
    assert "simulated" not in report_page(made, plan, {})


def test_what_is_no_simulation_of_the_instance_is_refused(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "instances" / "synthetic" / "waiting-limit.yaml"
    solved, other = tmp_path / "plan.json", tmp_path / "other.json"
    assert hetopt("solve", source, "--time-limit", 10, "-o", solved).returncode == 0
    other.write_text('{"instance": "another", "policies": []}')
    page = tmp_path / "page.html"
    for simulation in (solved, other):
        done = hetopt("report", source, solved, "-o", page, "--simulation", simulation)
        assert done.returncode == 2
        assert not page.exists()
