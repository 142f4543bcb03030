"""Streams on devices that slow each other down: plans, bounds, and what is refused."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hetopt
from hetopt import from_frames, read_plan, solve, verify
from hetopt.analysis.compare import compare
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import run_rates, slow_domains
from hetopt.solution import SteadyPlan
from hetopt.solvers.mip_arrays import mip_arrays
from hetopt.solvers.relaxation import Relaxation
from hetopt.steady.solve import steady_program
from tests.oracles.slow_streams import generating, slow_optimum

CPU_FPS, IGPU_FPS, BOTH_FPS = 174.35, 207.72, 234.33
"""Measured on a Core i7-1185GRE, ResNet-50 INT8 (OpenVINO 2024.1)."""


def pair(demand: float = 12.23, **changes: Any) -> Instance:
    """The measured pair: both processors ask for so much of 15 W."""
    options = [
        ("cpu", 1 / CPU_FPS, 1.0),
        ("igpu", 1 / IGPU_FPS, 0.5),
    ]
    frames = {
        "devices": pd.DataFrame({"name": ["cpu", "igpu"], "kind": ["cpu", "gpu"]}),
        "resources": pd.DataFrame({"name": ["watts"], "capacity": [15.0], "sharing": ["slow"]}),
        "options": pd.DataFrame(options, columns=["device", "time_s", "energy_j"]).assign(
            profile="net", label="int8"
        ),
        "uses": pd.DataFrame({"device": ["cpu", "igpu"]}).assign(
            profile="net", label="int8", resource="watts", amount=demand
        ),
        "tasks": pd.DataFrame({"name": ["t"], "profile": ["net"], "job": ["j"]}),
        "jobs": pd.DataFrame({"name": ["j"], "rate_per_s": [100.0]}),
    }
    for table, columns in changes.pop("tables", {}).items():
        frames[table] = frames[table].assign(**columns)
    return from_frames(frames, {"regime": "steady", "objective": "throughput", **changes})


def test_the_measured_pair_is_answered_as_it_was_measured_and_proved() -> None:
    found = solve(pair())
    assert found.status == "optimal"
    assert found.gap <= 1e-6
    assert found.objective == pytest.approx(BOTH_FPS, abs=0.05)
    assert [run["rate"] for state in found.quantities["states"] for run in state["runs"]] == [
        pytest.approx(15 / 24.46)
    ] * 2


def test_the_better_one_alone_is_chosen_where_both_together_are_slower() -> None:
    found = solve(pair(demand=15.0))
    assert found.objective == pytest.approx(IGPU_FPS)
    assert found.status == "optimal"


def test_the_average_row_alone_would_allow_more_than_the_states() -> None:
    # Σ rate × time × demand ≤ 15 with at most one second per second each: 15 / 12.23 busy
    # processors, the faster one whole.
    average = IGPU_FPS + (15 / 12.23 - 1) * CPU_FPS
    assert average > 247
    assert solve(pair()).bound < 235


def test_a_loss_counts_while_two_ask_for_the_resource() -> None:
    lossy = pair(tables={"resources": {"loss": 0.1}})
    assert run_rates(lossy, [0, 1]) == [pytest.approx(0.9 * 15 / 24.46)] * 2
    assert run_rates(lossy, [0]) == [1.0]


def test_a_latency_limit_leaves_out_states_that_are_too_slow() -> None:
    slow = 15 / 24.46
    room = pair(tables={"jobs": {"latency_slo_s": 1.001 / CPU_FPS / slow}})
    assert solve(room).objective == pytest.approx(BOTH_FPS, abs=0.05)
    # The CPU alone is in time; beside the other it is not, nor is there then a rate for it.
    tight = pair(tables={"jobs": {"latency_slo_s": 0.999 / CPU_FPS / slow}})
    assert solve(tight).objective == pytest.approx(IGPU_FPS)


def test_least_power_pays_for_slowed_work_once() -> None:
    found = solve(
        pair(objective="power", tables={"devices": {"idle_power_w": [5.0, 1.0]}}),
    )
    # 100/s fit on the GPU alone: 50 W above idle, and the CPU off.
    assert found.objective == pytest.approx(51.0)
    assert found.status == "optimal"


def test_plans_are_read_as_they_were_written(tmp_path: Any) -> None:
    instance = pair()
    found = solve(instance)
    for name in ("plan.json", "tables"):
        hetopt.write_solution(tmp_path / name, instance, found)
        plan = read_plan(instance, tmp_path / name)
        assert isinstance(plan, SteadyPlan)
        assert plan.states is not None
        assert verify(instance, plan).ok
        assert plan.least_rate is not None
        assert np.all(plan.least_rate == 15 / 24.46)


def test_rivals_run_alone_and_a_gain_is_that_over_the_better_one() -> None:
    found = compare(pair())
    assert found.best == "igpu"
    assert found.gain.value == pytest.approx(BOTH_FPS / IGPU_FPS - 1, abs=1e-3)


@pytest.mark.parametrize("objective", ["throughput", "power"])
def test_a_plan_of_one_device_alone_is_a_start(objective: str) -> None:
    tables = {"jobs": {"rate_per_s": 100.0}}
    rival = solve(pair(objective=objective, tables={**tables, "tasks": {"pin": "cpu"}})).plan
    assert isinstance(rival, SteadyPlan)
    assert rival.states is None
    found = solve(pair(objective=objective, tables=tables), start=rival)
    assert any("share the time" in note for note in found.notes)
    assert found.status == "optimal"


def many_units() -> Instance:
    """Twelve units of two devices: far more states than are listed."""
    options = [("a", 0.01, 0.30), ("a", 0.02, 0.1), ("b", 0.015, 0.25), ("b", 0.03, 0.0)]
    labels = ["fast", "lean"] * 2
    frames = {
        "devices": pd.DataFrame({"name": ["a", "b"], "count": [6, 6]}),
        "resources": pd.DataFrame(
            {"name": ["dram"], "capacity": [1.0], "sharing": ["slow"], "loss": [0.05]}
        ),
        "options": pd.DataFrame(
            [
                (p, d, label, time * factor)
                for p, factor in (("p", 1.0), ("q", 1.7))
                for (d, time, _), label in zip(options, labels, strict=True)
            ],
            columns=["profile", "device", "label", "time_s"],
        ),
        "uses": pd.DataFrame(
            [
                (p, d, label, "dram", asked)
                for p in ("p", "q")
                for (d, _, asked), label in zip(options, labels, strict=True)
            ],
            columns=["profile", "device", "label", "resource", "amount"],
        ),
        "tasks": pd.DataFrame({"name": ["t", "u"], "profile": ["p", "q"], "job": ["j", "k"]}),
        "jobs": pd.DataFrame({"name": ["j", "k"], "rate_per_s": [100.0, 50.0]}),
    }
    return from_frames(frames, {"regime": "steady", "objective": "throughput"})


def test_states_that_are_too_many_to_list_are_generated_and_the_answer_proved() -> None:
    instance = many_units()
    found = solve(instance, time_limit=20, workers=1)
    assert found.status == "optimal"
    assert found.plan is not None
    assert verify(instance, found.plan).ok
    # 3 states at most: a basis has no more than its rows of work and time.
    assert isinstance(found.plan, SteadyPlan)
    assert found.plan.states is not None


@pytest.mark.parametrize("objective", ["throughput", "power"])
def test_generated_states_reach_the_optimum_over_all(objective: str) -> None:
    instance = pair(objective=objective, tables={"devices": {"slots": [2, 1]}})
    with generating(always=True):
        found = solve(instance, workers=1)
    assert found.status == "optimal"
    optimum = slow_optimum(instance)
    assert optimum is not None
    assert found.objective == pytest.approx(optimum[0], rel=1e-6)


def test_more_than_all_states_can_serve_is_infeasible_by_proof() -> None:
    instance = pair(objective="power", tables={"jobs": {"rate_per_s": 235.0}})
    for generated in (False, True):
        with generating(always=generated):
            assert solve(instance, workers=1).status == "infeasible"


def test_each_scenario_has_states_of_its_own() -> None:
    rows = pd.DataFrame({"name": ["day", "night"], "weight": [1.0, 3.0], "demand": [2.3, 0.5]})
    instance = pair(objective="power", tables={"devices": {"idle_power_w": [5.0, 1.0]}})
    frames = hetopt.to_frames(instance) | {"scenarios": rows}
    joint = from_frames(frames, hetopt.to_settings(instance))
    found = solve(joint, workers=1)
    assert found.status == "optimal"
    alone = [solve(joint.in_scenario(s), workers=1).objective for s in (0, 1)]
    assert found.objective == pytest.approx((alone[0] + 3 * alone[1]) / 4, rel=1e-6)
    assert {row["scenario"] for row in found.quantities["states"]} == {"day", "night"}


def test_the_program_that_is_written_has_the_states() -> None:
    model = steady_program(pair(), time.monotonic() + 10)
    scale = model.aim("throughput")
    found = Relaxation(mip_arrays(model.problem)).solve()
    assert found.objective / scale == pytest.approx(BOTH_FPS, abs=0.05)


def test_replanning_knows_that_both_slow_each_other_down() -> None:
    instance = pair()
    plan = solve(instance).plan
    assert isinstance(plan, SteadyPlan)
    again = hetopt.replan(instance, plan, None)
    assert again.plan is not None
    assert verify(instance, again.plan).ok


def test_a_capacity_without_end_slows_nothing_but_by_its_loss() -> None:
    instance = pair(tables={"resources": {"loss": 0.1}})
    endless = replace(instance, resources=replace(instance.resources, capacity=np.array([np.inf])))
    found = solve(endless, workers=1)
    assert found.objective == pytest.approx(0.9 * (CPU_FPS + IGPU_FPS))


def test_a_device_alone_is_slowed_by_nothing() -> None:
    assert len(slow_domains(pair())) == 1
    alone = pair(tables={"tasks": {"pin": "cpu"}})
    assert slow_domains(alone) == ()
    assert solve(alone).objective == pytest.approx(CPU_FPS)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"routing": "single"}, "routing: split"),
        ({"tables": {"devices": {"exclusive": True}}}, "exclusive"),
        ({"tables": {"devices": {"count": 3, "spare": 1}}}, "spare"),
        ({"tables": {"devices": {"count": 2, "memory_b": 10.0}}}, "memory limit"),
    ],
)
def test_what_states_do_not_know_is_refused_by_name(changes: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        solve(pair(**changes))
