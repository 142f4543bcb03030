"""``routing: single`` against optima computed by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, read_instance, solve
from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import SteadyPlan
from hetopt.solvers.cpsat_range import TOO_LARGE, within_range
from hetopt.steady.placement import solve as placement
from hetopt.steady.placement.model import build_placement
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify


def jobs_of(loads: dict[str, float], **more: Any) -> Instance:
    """Single-task jobs at 1 request/s that keep a unit busy for ``loads`` seconds."""
    box = {"name": "box", "count_min": 2, "count_max": 2, "idle_power_w": 10.0}
    options = [
        {"profile": j, "device": "box", "time_s": load, "energy_j": load} | more.get("option", {})
        for j, load in loads.items()
    ]
    frames = {
        "devices": [box | more.pop("box", {}), *more.pop("devices", [])],
        "options": options + more.pop("options", []),
        "tasks": [{"name": j, "job": j} | more.get("pins", {}).get(j, {}) for j in loads],
        "jobs": [{"name": j, "rate_per_s": 1.0} for j in loads],
    }
    more.pop("option", None)
    more.pop("pins", None)
    settings = {"regime": "steady", "routing": "single", "objective": "throughput"} | more
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def run(instance: Instance, **options: Any) -> RegimeResult:
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 20), **options)
    if result.plan is not None:
        report = verify(instance, result.plan)
        assert report.ok, report.violations
        for name, bound in zip(instance.objective, result.bounds, strict=True):
            value = objective_value(instance, result.plan, name)
            assert gap_closed(value, bound, 0.0), (name, value, bound)
    return result


def optimum(instance: Instance, **options: Any) -> float:
    result = run(instance, **options)
    assert result.plan is not None, result.reason
    return objective_value(instance, result.plan, instance.objective[0])


def test_throughput_balances_jobs_over_units() -> None:
    # 3 + 3 against 2 + 2 + 2: θ = 1/6, five requests in all.
    loads = {"a": 3.0, "b": 3.0, "c": 2.0, "d": 2.0, "e": 2.0}
    assert optimum(jobs_of(loads)) == pytest.approx(5 / 6)


def test_a_job_is_not_split() -> None:
    assert optimum(jobs_of({"a": 3.0, "b": 1.0, "c": 1.0})) == pytest.approx(3 / 3)


def test_power_uses_the_fewest_units_that_fit() -> None:
    loads = {"a": 0.3, "b": 0.3, "c": 0.4}
    assert optimum(jobs_of(loads, objective="power")) == pytest.approx(10 + 1.0)
    loads = {"a": 0.6, "b": 0.6, "c": 0.3}
    assert optimum(jobs_of(loads, objective="power")) == pytest.approx(20 + 1.5)


def test_what_does_not_fit_is_infeasible() -> None:
    assert run(jobs_of({"a": 0.6, "b": 0.6, "c": 0.6}, objective="power")).infeasible


def test_throughput_under_a_power_cap_gives_up_units_or_rate() -> None:
    # Both units: (30 − 20) / 2 J = 5, capacity 1; one unit: θ = 1/2.
    assert optimum(jobs_of({"a": 1.0, "b": 1.0}, power_cap_w=30.0)) == pytest.approx(2.0)
    # One unit alone fits: 10 W idle, θ = min(1/2, 3/2).
    assert optimum(jobs_of({"a": 1.0, "b": 1.0}, power_cap_w=13.0)) == pytest.approx(1.0)
    assert optimum(jobs_of({"a": 1.0, "b": 1.0}, power_cap_w=10.5)) == pytest.approx(0.5)


def test_throughput_under_a_budget() -> None:
    box = {"price_per_s": 1.0, "count_min": 0}
    instance = jobs_of({"a": 1.0, "b": 1.0}, box=box, budget_per_s=1.5)
    assert optimum(instance) == pytest.approx(1.0)


def test_utilisation_and_slots_count() -> None:
    box = {"slots": 2, "max_utilization": 0.5}
    assert optimum(jobs_of({"a": 3.0, "b": 1.0, "c": 1.0}, box=box)) == pytest.approx(1.0)


def test_cost_counts_units_had() -> None:
    box = {"price_per_s": 5.0, "count_min": 1}
    loads = {"a": 0.6, "b": 0.6}
    instance = jobs_of(loads, box=box, objective="cost", energy_price_per_j=0.1)
    assert optimum(instance) == pytest.approx(10.0 + 0.1 * (20 + 1.2))


def test_accuracy_takes_the_best_that_fits() -> None:
    options = [
        {
            "profile": j,
            "device": "box",
            "label": "good",
            "time_s": 0.9,
            "energy_j": 1.0,
            "accuracy": 0.9,
        }
        for j in "ab"
    ]
    instance = jobs_of(
        {"a": 0.3, "b": 0.3},
        option={"accuracy": 0.5},
        options=options,
        objective="accuracy",
        box={"count_min": 1, "count_max": 1},
    )
    assert optimum(instance) == pytest.approx(0.5)
    instance = jobs_of(
        {"a": 0.1, "b": 0.1},
        option={"accuracy": 0.5},
        options=options,
        objective="accuracy",
        box={"count_min": 1, "count_max": 1},
    )
    assert optimum(instance) == pytest.approx(0.7)


def test_exclusive_units_serve_one_job() -> None:
    loads = {"a": 0.1, "b": 0.1}
    assert optimum(jobs_of(loads, objective="power", box={"exclusive": True})) == pytest.approx(
        20.2
    )


def test_memory_holds_weights_per_unit() -> None:
    loads = {"a": 0.2, "b": 0.2}
    option = {"weights_b": 6.0}
    assert optimum(
        jobs_of(loads, objective="power", box={"memory_b": 10.0}, option=option)
    ) == pytest.approx(20.4)
    option = {"weights_b": 4.0, "memory_b": 2.0}
    assert optimum(
        jobs_of(loads, objective="power", box={"memory_b": 10.0}, option=option)
    ) == pytest.approx(10.4)


def test_pins_together_and_apart_hold_for_units_of_several_jobs() -> None:
    loads = {"a": 0.2, "b": 0.2}
    assert optimum(jobs_of(loads, objective="power", apart=[["a", "b"]])) == pytest.approx(20.4)
    result = run(jobs_of(loads, objective="power", pins={"a": {"pin": "box#1"}}))
    assert isinstance(result.plan, SteadyPlan)
    assert result.plan.unit[0] == 1
    assert result.plan.units_on.tolist() == [2]
    loads = {"a": 0.6, "b": 0.6}
    assert run(jobs_of(loads, objective="power", together=[["a", "b"]])).infeasible


def test_units_that_are_never_off_draw_idle_power() -> None:
    box = {"off_when_unused": False, "count_min": 4, "count_max": 4}
    assert optimum(jobs_of({"a": 0.2}, objective="power", box=box)) == pytest.approx(40.2)


def pipeline(**more: Any) -> Instance:
    """Two tasks of 10 ms each and a message of 1 kB over a link of 1 MB/s between two boxes."""
    devices = [{"name": n, "overlap": more.pop(f"overlap_{n}", True)} for n in ("left", "right")]
    frames = {
        "devices": devices,
        "options": [
            {"profile": t, "device": d, "time_s": 0.01, "energy_j": 1.0}
            for t, d in (("a", "left"), ("b", "left"), ("b", "right"))
        ],
        "tasks": [{"name": t, "job": "job"} for t in "ab"],
        "jobs": [{"name": "job", "rate_per_s": 1.0} | more.pop("job", {})],
        "transfers": [{"from": "a", "to": "b", "bytes": 1000.0} | more.pop("transfer", {})],
        "links": [
            {"from": "left", "to": "right", "bandwidth_b_per_s": 1e6, "energy_j_per_b": 1e-3}
            | more.pop("link", {})
        ],
    }
    settings = {"regime": "steady", "routing": "single", "objective": "throughput"} | more
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def test_links_overlap_and_latency_bound_a_pipeline() -> None:
    assert optimum(pipeline()) == pytest.approx(100.0)
    assert optimum(pipeline(link={"bandwidth_b_per_s": 8e4})) == pytest.approx(80.0)
    assert optimum(pipeline(overlap_left=False)) == pytest.approx(1 / 0.011)
    assert optimum(pipeline(job={"latency_slo_s": 0.0205})) == pytest.approx(50.0)
    assert optimum(pipeline(job={"latency_slo_s": 0.021})) == pytest.approx(100.0)
    assert optimum(pipeline(objective="power")) == pytest.approx(2.0)
    assert optimum(pipeline(objective="power", apart=[["a", "b"]])) == pytest.approx(3.0)


def test_a_list_holds_throughput() -> None:
    instance = pipeline(objective=["throughput", "power"])
    result = run(instance)
    assert result.plan is not None
    assert objective_value(instance, result.plan, "throughput") == pytest.approx(100.0)
    with pytest.raises(InputError, match="first"):
        run(pipeline(objective=["power", "throughput"]))


def test_a_known_plan_is_never_made_worse() -> None:
    instance = jobs_of({"a": 3.0, "b": 2.0, "c": 2.0})
    plan = run(instance).plan
    assert isinstance(plan, SteadyPlan)
    assert optimum(instance, start=plan) >= objective_value(instance, plan, "throughput")


def test_a_link_that_grows_with_units_carries_nothing_while_its_source_is_off() -> None:
    instance = pipeline(
        link={"per_unit": True, "bandwidth_b_per_s": 4e4},
        objective="throughput",
        apart=[["a", "b"]],
    )
    assert optimum(instance) == pytest.approx(40.0)


def test_a_cap_that_idle_power_takes_up_leaves_no_throughput() -> None:
    box = {"off_when_unused": False, "idle_power_w": 10.0}
    assert optimum(jobs_of({"a": 1.0}, box=box, power_cap_w=20.0)) == 0.0
    assert run(jobs_of({"a": 1.0}, box=box, power_cap_w=19.0)).infeasible


@pytest.mark.parametrize("idle_w", [20.5, 1e3, 1e6, 1e12])
def test_idle_power_however_far_beyond_a_cap_is_infeasible(idle_w: float) -> None:
    box = {"off_when_unused": False, "idle_power_w": idle_w / 3, "count_min": 3, "count_max": 3}
    assert run(jobs_of({"a": 1.0}, box=box, power_cap_w=20.0)).infeasible


def test_many_units_of_which_few_fit_under_a_cap_stay_within_64_bits() -> None:
    box = {"idle_power_w": 333.3333333, "count_min": 0, "count_max": 60}
    instance = jobs_of({f"j{k}": 1.0 + k / 7 for k in range(60)}, box=box, power_cap_w=400.0)
    model = build_placement(instance, None).model
    assert "overflow" in model.validate()
    assert within_range(model)


def test_a_model_that_cpsat_refuses_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "within_range", lambda model: False)
    for objective in ("power", "accuracy", "throughput"):
        rated = {"option": {"accuracy": 0.5}, "power_cap_w": 100.0, "objective": objective}
        found = solve(jobs_of({"a": 0.5, "b": 0.7}, **rated), time_limit=3, workers=1)
        assert found.status != "infeasible"
        assert TOO_LARGE in found.notes or found.status == "optimal"
    nothing = jobs_of({"a": 1.5}, objective="power")
    assert solve(nothing, time_limit=3, workers=1).status == "unknown"


def test_little_headroom_is_counted_finely() -> None:
    box = {"off_when_unused": False, "idle_power_w": 10.0}
    instance = jobs_of({"a": 1.0}, box=box, power_cap_w=20.001)
    assert optimum(instance) == pytest.approx(0.001)


def test_a_choice_that_costs_a_million_times_more_leaves_no_gap() -> None:
    frames = {
        "devices": pd.DataFrame({"name": ["a"], "count_min": [2], "count_max": [2]}),
        "links": pd.DataFrame({"from": ["a"], "to": ["a"], "energy_j_per_b": [1.0]}),
        "options": pd.DataFrame(
            {"profile": ["p"], "device": ["a"], "time_s": [0.1], "energy_j": [0.03]}
        ),
        "tasks": pd.DataFrame({"name": ["t", "u"], "profile": ["p", "p"], "work": [1.0, 0.3]}),
        "transfers": pd.DataFrame({"from": ["t"], "to": ["u"], "bytes": [1e6]}),
        "jobs": pd.DataFrame({"name": ["j"], "rate_per_s": [1.0]}),
    }
    settings = {"regime": "steady", "routing": "single", "objective": "power"}
    # Both on one unit; sending the message would take 1 MW. `optimum` checks the gap.
    assert optimum(from_frames(frames, settings)) == pytest.approx(0.039)


@pytest.mark.parametrize("objective", ["power", "throughput"])
def test_without_any_unit_nothing_can_be_placed(objective: str) -> None:
    text = """
hetopt: 1
regime: steady
routing: single
devices: [{name: d, count: {min: 0, max: 1}, idle_power: 1}]
jobs: [{name: j, rate: 1, options: [{device: d, time: 0.1, energy: 1}]}]
"""
    one = read_instance("x.yaml", text=text, format="yaml")
    nothing = replace(one, devices=replace(one.devices, count_max=np.array([0])))
    found = solve(nothing, objective=objective, time_limit=10)
    assert (found.status, found.plan) == ("infeasible", None)
