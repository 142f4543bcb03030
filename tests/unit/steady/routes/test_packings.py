"""Weights packed per unit, against optima computed by hand."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import SteadyPlan
from hetopt.solve import solve
from hetopt.steady.routes.packings import unit_kinds
from hetopt.steady.routes.routes import enumerate_routes
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify

Rows = list[dict[str, Any]]


def fleet(loads: dict[str, float], weights: dict[str, float], **more: Any) -> Instance:
    """Jobs that keep ``loads`` units busy, with weights; the device has two units of 10 B."""
    device = {"name": "gpu", "count_min": 2, "count_max": 2, "memory_b": 10.0, "idle_power_w": 1.0}
    device |= more.pop("device", {})
    options = [
        {"profile": j, "device": "gpu", "time_s": 0.01, "weights_b": w} | more.get("option", {})
        for j, w in weights.items()
    ]
    more.pop("option", None)
    options += more.pop("options", [])
    frames = {
        "devices": [device, *more.pop("devices", [])],
        "options": options,
        "tasks": [{"name": j, "job": j} | more.get("pins", {}).get(j, {}) for j in loads],
        "jobs": [{"name": j, "rate_per_s": 100.0 * load} for j, load in loads.items()],
        "pools": more.pop("pools", []),
    }
    more.pop("pins", None)
    tables = {k: pd.DataFrame(v) for k, v in frames.items() if v}
    return from_frames(tables, {"regime": "steady", "objective": "power"} | more)


def run(instance: Instance) -> RegimeResult:
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 20))
    if result.plan is not None:
        report = verify(instance, result.plan)
        assert report.ok, report.violations
        value = objective_value(instance, result.plan, instance.objective[0])
        assert gap_closed(value, result.bounds[0], 0.0), (value, result.bounds)
    return result


def units_on(instance: Instance) -> list[int]:
    plan = run(instance).plan
    assert isinstance(plan, SteadyPlan)
    return plan.units_on.tolist()


def test_loads_of_two_models_that_fit_in_sum_only_cannot_be_served() -> None:
    assert run(fleet({"a": 1.5, "b": 0.5}, {"a": 6.0, "b": 6.0})).infeasible


def test_they_can_where_both_models_fit_one_unit() -> None:
    assert units_on(fleet({"a": 1.5, "b": 0.5}, {"a": 6.0, "b": 4.0})) == [2]


def test_three_units_serve_them() -> None:
    device = {"count_max": 3}
    assert units_on(fleet({"a": 1.5, "b": 0.5}, {"a": 6.0, "b": 6.0}, device=device)) == [3]


def test_working_memory_counts_once_per_slot() -> None:
    loads, weights = {"a": 0.5, "b": 0.5}, {"a": 3.0, "b": 3.0}
    two = {"slots": 2}
    assert units_on(fleet(loads, weights, device=two, option={"memory_b": 2.0})) == [1]
    assert units_on(fleet(loads, weights, device=two, option={"memory_b": 2.5})) == [2]


def test_equal_weights_are_resident_once() -> None:
    option = {"model": "shared", "variant": "v"}
    assert units_on(fleet({"a": 0.5, "b": 0.5}, {"a": 8.0, "b": 8.0}, option=option)) == [1]


def test_a_pool_is_shared_by_all_units_of_its_devices() -> None:
    pools = [{"name": "dram", "memory_b": 12.0}]
    device = {"memory_pool": "dram", "memory_b": float("inf"), "count_max": 4}
    # Two units would each hold 7 B; one holds both models but has not the time for load 1.2.
    assert run(
        fleet({"a": 0.7, "b": 0.5}, {"a": 7.0, "b": 7.0}, device=device, pools=pools)
    ).infeasible
    assert units_on(
        fleet({"a": 0.7, "b": 0.5}, {"a": 6.0, "b": 6.0}, device=device, pools=pools)
    ) == [2]
    # a on both units (4 + 4), b on one (4): in all 12 B.
    assert units_on(
        fleet({"a": 1.5, "b": 0.5}, {"a": 4.0, "b": 4.0}, device=device, pools=pools)
    ) == [2]


def test_units_that_are_on_and_serve_nothing_take_no_memory_of_a_pool() -> None:
    # Both units are had and always on; the pool holds the model once, and one unit is enough.
    pools = [{"name": "dram", "memory_b": 12.0}]
    device = {"memory_pool": "dram", "memory_b": float("inf"), "off_when_unused": False}
    assert units_on(fleet({"a": 0.7}, {"a": 7.0}, device=device, pools=pools)) == [2]


def test_exclusive_units_hold_one_jobs_weights() -> None:
    device = {"exclusive": True, "count_max": 4}
    loads, weights = {"a": 1.5, "b": 0.5}, {"a": 2.0, "b": 2.0}
    assert units_on(fleet(loads, weights, device=device)) == [3]


def test_a_model_that_fits_nowhere_is_infeasible() -> None:
    assert run(fleet({"a": 0.1}, {"a": 11.0})).infeasible


def test_a_pin_names_the_unit_that_serves() -> None:
    instance = fleet({"a": 0.5}, {"a": 6.0}, pins={"a": {"pin": "gpu#1"}})
    plan = run(instance).plan
    assert isinstance(plan, SteadyPlan)
    assert plan.unit.tolist() == [1]
    assert plan.units_on.tolist() == [2]


def test_pins_to_two_units_share_each_with_unpinned_work() -> None:
    pins = {"a": {"pin": "gpu#1"}}
    assert units_on(fleet({"a": 0.5, "b": 1.5}, {"a": 6.0, "b": 4.0}, pins=pins)) == [2]
    assert run(fleet({"a": 0.6, "b": 1.5}, {"a": 6.0, "b": 4.0}, pins=pins)).infeasible


def test_only_packings_that_cannot_grow_are_counted() -> None:
    weights = {"a": 6.0, "b": 4.0, "c": 3.0, "d": 2.0}
    instance = fleet(dict.fromkeys(weights, 0.1), weights)
    kinds = unit_kinds(instance, enumerate_routes(instance).routes)
    names = [k[0] for k in instance.model_keys]
    held = sorted("".join(sorted(names[k] for k in kind.keys)) for kind in kinds)
    assert held == ["ab", "ac", "ad", "bcd"]


def test_graph_jobs_join_units_of_several_devices() -> None:
    frames = {
        "devices": [
            {"name": "gpu", "count_min": 2, "count_max": 2, "memory_b": 10.0},
            {"name": "npu", "count_min": 3, "count_max": 3, "memory_b": 5.0},
        ],
        "options": [
            {"profile": "a", "device": "gpu", "time_s": 0.01, "weights_b": 8.0},
            {"profile": "b", "device": "npu", "time_s": 0.015, "weights_b": 5.0},
        ],
        "tasks": [{"name": "a", "job": "job"}, {"name": "b", "job": "job"}],
        "jobs": [{"name": "job", "share": 1.0}],
        "transfers": [{"from": "a", "to": "b"}],
    }
    instance = from_frames(
        {k: pd.DataFrame(v) for k, v in frames.items()}, {"objective": "throughput"}
    )
    result = run(instance)
    assert isinstance(result.plan, SteadyPlan)
    assert objective_value(instance, result.plan, "throughput") == pytest.approx(200.0)
    assert (result.plan.unit >= 0).all()


def test_nothing_served_is_proven_to_be_the_most() -> None:
    device = {"exclusive": True, "count_min": 1, "count_max": 1}
    load = {"a": 0.3, "b": 0.3}
    plan = run(fleet(load, {"a": 1.0, "b": 1.0}, device=device, objective="throughput")).plan
    assert isinstance(plan, SteadyPlan)
    assert not plan.rate_per_s.any()


@pytest.mark.parametrize("objective", ["power", "cost"])
def test_too_many_packings_still_give_a_plan_and_a_bound(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "abcd"
    frames = {
        "devices": pd.DataFrame(
            [{"name": "box", "count_min": 0, "count_max": 4, "memory_b": 5.0,
              "idle_power_w": 1.0, "price_per_s": 1.0}]
        ),
        "options": pd.DataFrame(
            [{"profile": n, "device": "box", "time_s": 0.3, "energy_j": 1.0, "weights_b": w}
             for n, w in zip(names, (2.0, 2.0, 3.0, 1.0), strict=True)]
        ),
        "tasks": pd.DataFrame([{"name": n, "job": n} for n in names]),
        "jobs": pd.DataFrame([{"name": n, "rate_per_s": 1.0} for n in names]),
    }  # fmt: skip
    instance = from_frames(frames, {"regime": "steady", "objective": objective})
    whole = solve(instance, time_limit=5.0)
    monkeypatch.setattr("hetopt.steady.routes.packings.MAX_KINDS", 1)
    some = solve(instance, time_limit=5.0)
    assert some.plan is not None
    assert some.objective == pytest.approx(whole.objective)
    assert some.bound <= whole.objective * (1 + 1e-6)
    assert any("sets of weights" in note for note in some.notes)
