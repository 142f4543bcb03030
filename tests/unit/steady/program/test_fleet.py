"""Spare units and shares of kinds: what they cost, how they are checked, where they are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.formats import read_instance
from hetopt.instance import Instance
from hetopt.solution import SteadyPlan
from hetopt.solve import solve
from hetopt.verify import verify

SYNTHETIC = "instances/synthetic"


def fleet(spare: int = 0, **more: Any) -> Instance:
    """One stream that needs 2.5 busy units of `box`, or 5 of `nut`."""
    device: dict[str, Any] = {"count_min": 0, "count_max": -1, "idle_power_w": 1.0, "kind": "gpu"}
    device |= {"price_per_s": 3.0, "spare": spare} | more.pop("box", {})
    other = {"name": "nut", "kind": "npu", "count_min": 0, "count_max": -1, "price_per_s": 1.0}
    frames: dict[str, Any] = {
        "devices": [{"name": "box", **device}, other | more.pop("nut", {})],
        "options": [
            {"profile": "net", "device": "box", "time_s": 0.01, "energy_j": 0.0},
            {"profile": "net", "device": "nut", "time_s": 0.02, "energy_j": 0.0},
        ],
        "tasks": [{"name": "net", **more.pop("task", {"pin": "box"})}],
        "jobs": [{"name": "job", "rate_per_s": 250.0}],
    }
    if "kind_shares" in more:
        frames["kind_shares"] = more.pop("kind_shares")
    settings = {"regime": "steady", "objective": "cost"} | more
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def answer(instance: Instance) -> tuple[SteadyPlan, float]:
    solution = solve(instance, time_limit=20)
    assert solution.status == "optimal", solution.reason
    assert isinstance(solution.plan, SteadyPlan)
    return solution.plan, solution.objective


def test_spares_are_bought_beside_the_units_that_serve_and_stay_off():
    plan, cost = answer(fleet(spare=2))
    assert (plan.units_on.tolist(), plan.units_had.tolist()) == ([3, 0], [5, 0])
    assert cost == pytest.approx(15.0)


def test_spares_of_a_device_that_is_never_off_draw_idle_power():
    instance = fleet(spare=2, box={"off_when_unused": False}, objective="power")
    plan, power = answer(instance)
    assert (plan.units_on[0], plan.units_had[0]) == (5, 5)
    assert power == pytest.approx(5.0)
    assert evaluate(instance, plan)["devices"][0]["utilization"] == pytest.approx(2.5 / 3)


def test_a_device_that_serves_nothing_needs_no_spare():
    plan, cost = answer(fleet(spare=7, task={"pin": ""}))
    assert plan.units_had.tolist() == [0, 5]
    assert cost == pytest.approx(5.0)


def test_the_most_units_include_the_spares():
    settings = {"objective": "throughput", "box": {"count_max": 4}, "nut": {"count_max": 1}}
    plan, throughput = answer(fleet(spare=1, **settings))
    assert plan.units_on[0] == 3
    assert throughput == pytest.approx(300.0)


@pytest.mark.parametrize("memory", [{}, {"memory_b": 10.0}])
def test_the_checker_finds_a_spare_that_is_missing_or_at_work(memory: dict[str, Any]):
    instance = fleet(spare=1, box=memory)
    plan, _ = answer(instance)
    missing = replace(plan, units_had=plan.units_on.copy())
    codes = {v.kind for v in verify(instance, missing).violations}
    assert "spare" in codes
    if memory:
        busy = replace(plan, unit=np.full(len(plan.unit), 3))
        assert "spare" in {v.kind for v in verify(instance, busy).violations}


def test_one_placement_a_job_pays_for_spares_too():
    box = {"count_max": 5, "off_when_unused": False}
    instance = fleet(spare=2, routing="single", task={"pin": "box", "work": 0.4}, box=box)
    plan, cost = answer(instance)
    assert plan.units_had[0] == 3
    assert cost == pytest.approx(9.0)
    assert answer(fleet(spare=0, routing="single", task={"pin": "box", "work": 0.4}))[1] == 3.0


def test_a_share_limit_keeps_the_fleet_mixed():
    shares = [{"kind": "npu", "max": 0.5}]
    instance = fleet(task={"pin": ""}, kind_shares=shares)
    plan, cost = answer(instance)
    # Two boxes and one half idle nut cost less than one box beside three nuts are allowed to.
    assert plan.units_on.tolist() == [2, 1]
    assert cost == pytest.approx(7.0)
    only = replace(plan, units_on=np.array([0, 5]), units_had=np.array([0, 5]))
    assert "kind-share" in {v.kind for v in verify(instance, only).violations}


def test_units_that_only_fill_a_share_need_no_spare():
    shares = [{"kind": "gpu", "max": 0.6}]
    nut = {"count_min": 1, "count_max": 2, "spare": 1}
    box = {"count_min": 3, "count_max": 3, "off_when_unused": False}
    # Three boxes are on; the two nuts that the share asks for serve nothing.
    plan, _ = answer(fleet(kind_shares=shares, box=box, nut=nut, task={"pin": ""}))
    assert plan.units_on.tolist() == [3, 2]


def test_a_share_of_the_price_counts_units_had():
    shares = [{"kind": "npu", "max": 0.25, "of": "price"}]
    instance = fleet(task={"pin": ""}, kind_shares=shares)
    plan, _ = answer(instance)
    assert plan.units_had.tolist() == [2, 1]
    row = evaluate(instance, plan)["kind_shares"][0]
    assert row["share"] == pytest.approx(1 / 7)


def test_spares_and_shares_are_refused_where_they_mean_nothing():
    with pytest.raises(InputError, match="Fewer spare units"):
        fleet(spare=2, box={"count_max": 2})
    with pytest.raises(InputError, match="routing"):
        fleet(kind_shares=[{"kind": "gpu", "max": 0.5}], routing="single")
    with pytest.raises(InputError, match="At least the minimum"):
        fleet(kind_shares=[{"kind": "gpu", "min": 0.6, "max": 0.5}])
    with pytest.raises(InputError, match="A kind that some device has"):
        fleet(kind_shares=[{"kind": "tpu", "max": 0.5}])
    schedule = read_instance(f"{SYNTHETIC}/channels-bus.yaml")
    name = schedule.devices.name[0]
    with pytest.raises(InputError, match="steady"):
        set_values(schedule, [f"devices.{name}.spare=1", f"devices.{name}.count=3"])
    frames = to_frames(schedule) | {"kind_shares": pd.DataFrame([{"kind": "cpu", "max": 0.5}])}
    with pytest.raises(InputError, match="this is a schedule"):
        from_frames(frames, to_settings(schedule))
