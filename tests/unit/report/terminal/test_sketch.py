"""The chart and the bars that a terminal shows above the tables."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from hetopt import Instance, Model, evaluate, solve
from hetopt.report.terminal.sketch import Sketch
from hetopt.report.terminal.solution import solution_view
from hetopt.solution import Hops, SchedulePlan


@pytest.fixture
def two_tasks() -> tuple[Instance, SchedulePlan]:
    m = Model("two", objective="makespan")
    cpu = m.device("cpu", kind="cpu", count=2)
    job = m.job("job")
    job.task("long", options=[cpu.option(time="30 ms")])
    job.task("short", options=[cpu.option(time="10 ms")])
    plan = SchedulePlan(np.array([0, 1]), np.array([0, 1]), np.array([0.0, 0.02]), Hops.empty())
    return m.build(), plan


def test_cells_show_what_runs_in_their_part_of_the_time(two_tasks) -> None:
    instance, plan = two_tasks
    lines = [t.plain for t in Sketch(instance, plan, evaluate(instance, plan)).lines(36)]
    assert lines[0] == "cpu#0 " + "█" * 30
    assert lines[1] == "cpu#1 " + " " * 20 + "▓" * 10
    assert lines[2].split() == ["0", "30", "ms"]


def test_a_narrow_terminal_gets_no_chart(two_tasks) -> None:
    instance, plan = two_tasks
    assert list(Sketch(instance, plan, evaluate(instance, plan)).lines(20)) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_gets_pictures(terminal: bool) -> None:
    m = Model("stream", objective="power")
    npu = m.device("npu", kind="npu", count=(0, 4), idle_power="1 W")
    stream = m.job("stream", rate="150 Hz")
    stream.task("detect", options=[npu.option(time="10 ms", power="3 W")])
    instance = m.build()
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=80, color_system=None)
    console.print(solution_view(instance, solve(instance, time_limit=10)))
    assert ("█" in shown.getvalue()) == terminal
    # 1.5 of 2 units: three quarters of the bar.
    assert ("█" * 22 + "░" * 8 in shown.getvalue()) == terminal
    assert "75.0 %" in shown.getvalue()
