"""How much of each resource a plan uses: computed by hand, and printed."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hetopt import evaluate, read_instance, solve
from hetopt.instance import Instance
from hetopt.report.terminal.solution import solution_view
from tests.unit.test_resources import machine, plan, stream

BARE = """devices: [{name: cpu}]
profiles: {p: [{device: cpu, time: 3}]}
tasks: [{name: a, profile: p}]
"""
USES = [("a", "slow", 2.0), ("b", "fast", 3.0), ("c", "fast", 4.0), ("d", "none", 9.0)]


def printed(instance: Instance) -> str:
    page = Console(width=150, file=io.StringIO())
    page.print(solution_view(instance, solve(instance, time_limit=20)))
    return str(page.file.getvalue())  # type: ignore[attr-defined]  # a StringIO


def use(instance: Instance, start: list[float]) -> dict[str, Any]:
    (row,) = evaluate(instance, plan(instance, [0, 1, 2, 3], start))["resources"]
    return dict(row)


def test_the_peak_of_a_capacity_counts_what_runs_at_one_instant_and_takes_time() -> None:
    instance = machine(USES, capacity=7.0)
    assert use(instance, [0.0, 0.0, 1.0, 0.5]) == {
        "resource": "r", "capacity": 7.0, "peak": 6.0, "budget": None, "used": 18.0
    }  # fmt: skip
    assert use(instance, [0.0, 0.0, 0.0, 0.5])["peak"] == 9.0
    assert use(instance, [0.0, 2.0, 3.0, 9.0])["peak"] == 4.0


def test_a_budget_counts_every_execution_also_of_no_time() -> None:
    row = use(machine(USES, budget=20.0), [0.0, 5.0, 6.0, 9.0])
    assert (row["used"], row["budget"], row["capacity"]) == (18.0, 20.0, None)


@pytest.mark.parametrize("routing", ["split", "single"])
def test_streams_use_capacities_on_average_and_budgets_per_second(routing: str) -> None:
    instance = stream("power", routing, budget=20.0, capacity=5.0)
    solution = solve(instance, time_limit=20)
    (row,) = solution.quantities["resources"]
    # 10 requests/s of 0.1 s each on the device that uses 2.
    assert (row["mean"], row["capacity"]) == (pytest.approx(2.0), 5.0)
    assert (row["used"], row["budget"]) == (pytest.approx(20.0), 20.0)


def test_the_answer_shows_use_beside_limits() -> None:
    text = printed(machine(USES[:3], capacity=7.0, budget=12.5))
    head, row = text.split("Resources")[1].splitlines()[1:3]
    assert head.split() == ["resource", "peak", "use", "capacity", "used", "budget"]
    # A makespan of 2 needs two of the tasks at once, which two is open.
    name, held, *limits = row.split()
    assert (name, limits) == ("r", ["7", "9", "12.5"])
    assert held in ("5", "6", "7")
    text = printed(stream("power", budget=20.0))
    head, row = text.split("Resources")[1].splitlines()[1:3]
    assert head.split() == ["resource", "mean", "use", "capacity", "used/s", "budget/s"]
    assert row.split() == ["r", "2", "–", "20", "20"]


def test_an_instance_without_resources_shows_no_table_of_them() -> None:
    instance = read_instance("x.yaml", text="hetopt: 1\nobjective: makespan\n" + BARE)
    assert evaluate(instance, plan(instance, [0], [0.0]))["resources"] == []
    assert "Resources" not in printed(instance)


def test_use_is_plain_json() -> None:
    instance = machine(USES, capacity=7.0)
    found = evaluate(instance, plan(instance, [0, 1, 2, 3], [0.0, 0.0, 1.0, 2.0]))
    assert json.loads(json.dumps(found, allow_nan=False))["resources"][0]["used"] == 18.0
    assert isinstance(found["resources"][0]["peak"], float)
    assert not isinstance(found["resources"][0]["peak"], np.floating)
