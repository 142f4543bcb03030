"""Split routing against optima computed by hand, one feature at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.evaluate import evaluate, objective_value
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import SteadyPlan
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify

Rows = list[dict[str, Any]]


def make(devices: Rows, options: Rows, jobs: Rows, **more: Any) -> Instance:
    """An instance; by default each job is one task with the job's name and profile."""
    tasks = more.pop("tasks", [{"name": j["name"], "job": j["name"]} for j in jobs])
    frames = {"devices": devices, "options": options, "tasks": tasks, "jobs": jobs}
    for table in ("links", "transfers", "pools"):
        if table in more:
            frames[table] = more.pop(table)
    settings = {"regime": "steady", "objective": "power"} | more
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def solved(instance: Instance, **options: Any) -> tuple[SteadyPlan, RegimeResult]:
    """The plan, checked, with a proven gap of nothing for every level."""
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 20), **options)
    assert result.plan is not None, result.reason
    assert isinstance(result.plan, SteadyPlan)
    report = verify(instance, result.plan)
    assert report.ok, report.violations
    for name, bound in zip(instance.objective, result.bounds, strict=True):
        value = objective_value(instance, result.plan, name)
        assert gap_closed(value, bound, 0.0), (name, value, bound)
    return result.plan, result


def optimum(instance: Instance, **options: Any) -> float:
    plan, _ = solved(instance, **options)
    return objective_value(instance, plan, instance.objective[0])


BOX = {"name": "box", "count_min": 0, "count_max": -1, "idle_power_w": 100.0}
RUN = {"profile": "net", "device": "box", "time_s": 0.01, "energy_j": 2.0}
NET = {"name": "net", "rate_per_s": 250.0}


def test_power_is_idle_of_whole_units_plus_energy_of_requests() -> None:
    plan, _ = solved(make([BOX], [RUN], [NET]))
    assert plan.units_on.tolist() == [3]
    assert optimum(make([BOX], [RUN], [NET])) == pytest.approx(3 * 100 + 250 * 2)


def test_a_load_of_exactly_two_units_needs_two() -> None:
    plan, _ = solved(make([BOX], [RUN], [NET | {"rate_per_s": 200.0}]))
    assert plan.units_on.tolist() == [2]


def test_split_fills_the_cheap_device_and_spills_the_rest() -> None:
    cheap = {"name": "cheap", "count_min": 1, "count_max": 1, "idle_power_w": 10.0}
    options = [RUN, RUN | {"device": "cheap", "energy_j": 1.0}]
    value = optimum(make([BOX, cheap], options, [NET | {"rate_per_s": 150.0}]))
    assert value == pytest.approx(10 + 100 * 1.0 + 100 + 50 * 2.0)


def test_a_batch_divides_time_and_energy_and_doubles_the_latency() -> None:
    options = [RUN, RUN | {"label": "b4", "batch": 4, "time_s": 0.02, "energy_j": 4.0}]
    fast = NET | {"rate_per_s": 200.0}
    assert optimum(make([BOX], options, [fast])) == pytest.approx(100 + 200 * 1.0)
    # 2 × 20 ms is over 39 ms, although one batch takes 20 ms.
    limited = fast | {"latency_slo_s": 0.039}
    assert optimum(make([BOX], options, [limited])) == pytest.approx(200 + 200 * 2.0)
    stated = [RUN, options[1] | {"latency_s": 0.039}]
    assert optimum(make([BOX], stated, [limited])) == pytest.approx(100 + 200 * 1.0)


def test_utilisation_reservation_and_slots_set_the_capacity_of_a_unit() -> None:
    box = BOX | {"max_utilization": 0.8, "reserved": 0.25, "slots": 2}
    # Load 2.5, capacity of a unit 0.8 × 0.75 × 2 = 1.2.
    plan, _ = solved(make([box], [RUN], [NET]))
    assert plan.units_on.tolist() == [3]


def test_exclusive_units_are_not_shared_by_jobs() -> None:
    jobs = [NET | {"name": n, "rate_per_s": 150.0} for n in ("a", "b")]
    options = [RUN | {"profile": n} for n in ("a", "b")]
    shared, _ = solved(make([BOX], options, jobs))
    alone, _ = solved(make([BOX | {"exclusive": True}], options, jobs))
    assert shared.units_on.tolist() == [3]
    assert alone.units_on.tolist() == [4]


def test_units_that_are_never_off_all_draw_idle_power() -> None:
    box = BOX | {"count_min": 4, "count_max": 6, "off_when_unused": False}
    plan, _ = solved(make([box], [RUN], [NET]))
    assert (plan.units_on.tolist(), plan.units_had.tolist()) == ([4], [4])
    other = {"name": "other", "off_when_unused": False, "count_min": 2, "count_max": 2} | {
        "idle_power_w": 7.0
    }
    assert optimum(make([BOX, other], [RUN], [NET])) == pytest.approx(300 + 500 + 14)


def test_throughput_under_a_power_cap() -> None:
    # Two units: 200 + 200/s × 2 J = 600 W; a third unit leaves (650 − 300) / 2 = 175/s.
    instance = make(
        [BOX], [RUN], [{"name": "net", "share": 1.0}], objective="throughput", power_cap_w=650.0
    )
    assert optimum(instance) == pytest.approx(200.0)


def test_throughput_keeps_the_ratio_of_the_rates() -> None:
    jobs = [{"name": "a", "share": 0.75}, {"name": "b", "share": 0.25}]
    options = [RUN | {"profile": "a"}, RUN | {"profile": "b", "time_s": 0.03}]
    instance = make([BOX | {"count_min": 3, "count_max": 3}], options, jobs, objective="throughput")
    # 0.75 × 0.01 + 0.25 × 0.03 = 0.015 busy seconds per request.
    assert optimum(instance) == pytest.approx(200.0)


def test_throughput_under_a_budget() -> None:
    box = BOX | {"price_per_s": 2.0}
    instance = make(
        [box], [RUN], [{"name": "net", "share": 1.0}], objective="throughput", budget_per_s=7.0
    )
    assert optimum(instance) == pytest.approx(300.0)


def test_cost_counts_units_had_and_electricity_with_pue() -> None:
    box = BOX | {"price_per_s": 2.0, "count_min": 5, "count_max": 9}
    instance = make([box], [RUN], [NET], objective="cost", energy_price_per_j=0.001, pue=1.5)
    assert optimum(instance) == pytest.approx(5 * 2.0 + 800 * 1.5 * 0.001)


def test_carbon_is_power_times_pue_times_intensity() -> None:
    instance = make([BOX], [RUN], [NET], objective="carbon", carbon_kg_per_j=1e-7, pue=1.2)
    assert optimum(instance) == pytest.approx(800 * 1.2 * 1e-7)


def test_accuracy_is_the_weighted_mean_that_the_units_allow() -> None:
    options = [
        RUN | {"label": "good", "time_s": 0.02, "accuracy": 0.9},
        RUN | {"label": "fast", "time_s": 0.005, "accuracy": 0.6},
    ]
    box = BOX | {"count_min": 1, "count_max": 1}
    # y × 0.02 + (100 − y) × 0.005 = 1 gives y = 100/3.
    instance = make([box], options, [NET | {"rate_per_s": 100.0}], objective="accuracy")
    assert optimum(instance) == pytest.approx((0.9 + 2 * 0.6) / 3)


def test_min_accuracy_holds_for_every_route() -> None:
    options = [RUN | {"label": "good", "accuracy": 0.9}, RUN | {"label": "bad", "accuracy": 0.6}]
    options[1] |= {"energy_j": 0.0}
    instance = make([BOX], options, [NET | {"min_accuracy": 0.7}])
    assert optimum(instance) == pytest.approx(800.0)


def test_a_list_holds_earlier_objectives() -> None:
    options = [RUN, RUN | {"label": "lean", "time_s": 0.02, "energy_j": 0.5}]
    jobs = [{"name": "net", "rate_per_s": 1.0}]
    box = BOX | {"count_min": 1, "count_max": 1}
    instance = make([box], options, jobs, objective=["throughput", "power"])
    plan, _ = solved(instance)
    assert objective_value(instance, plan, "throughput") == pytest.approx(100.0)
    assert objective_value(instance, plan, "power") == pytest.approx(300.0)
    instance = make([BOX], options, [NET], objective=["power", "throughput"])
    with pytest.raises(InputError, match="unbounded"):
        solve_steady(
            make([BOX], options, [NET], objective=["throughput"]),
            Budget(deadline=time.monotonic() + 10),
        )


def chain(**more: Any) -> Instance:
    """Task a on the host, task b on the accelerator or, slowly, on the host; 1 kB between."""
    devices = [
        {"name": "cpu", "count_min": 1, "count_max": 1},
        {"name": "npu", "count_min": 0, "count_max": 3, "idle_power_w": 1.0},
    ]
    devices[0] |= more.pop("cpu", {})
    devices[1] |= more.pop("npu", {})
    options = [
        {"profile": "a", "device": "cpu", "time_s": 0.001, "energy_j": 0.1},
        {"profile": "b", "device": "cpu", "time_s": 0.009, "energy_j": 1.0},
        {"profile": "b", "device": "npu", "time_s": 0.001, "energy_j": 0.1},
    ]
    pin = "npu" if more.pop("pin_b", False) else ""
    link = {"from": "cpu", "to": "npu", "bandwidth_b_per_s": 1e5, "energy_j_per_b": 1e-5}
    return make(
        devices,
        options,
        [{"name": "job", "rate_per_s": 50.0} | more.pop("job", {})],
        tasks=[{"name": "a", "job": "job"}, {"name": "b", "job": "job", "pin": pin}],
        transfers=[{"from": "a", "to": "b", "bytes": 1000.0}],
        links=[link | more.pop("link", {})],
        **more,
    )


def test_energy_of_transfers_counts() -> None:
    assert optimum(chain()) == pytest.approx(1.0 + 50 * (0.1 + 0.1 + 0.01))


def test_bandwidth_limits_the_rate_over_a_link() -> None:
    # 100 requests/s fit the link; 10 more would run on the host, which has time for them.
    instance = chain(job={"rate_per_s": 101.0})
    assert optimum(instance) == pytest.approx(1 + 101 * 0.1 + 100 * 0.11 + 1 * 1.0)
    result = solve_steady(chain(job={"rate_per_s": 200.0}), Budget(deadline=time.monotonic() + 9))
    assert result.infeasible


def test_channels_multiply_the_bandwidth() -> None:
    instance = chain(job={"rate_per_s": 200.0}, link={"channels": 2})
    assert optimum(instance) == pytest.approx(1 + 200 * 0.21)


def test_a_bus_is_shared_by_its_links() -> None:
    instance = make(
        [{"name": n, "count_min": 1, "count_max": 1} for n in ("cpu", "npu", "dsp")],
        [
            {"profile": "a", "device": "cpu", "time_s": 1e-3},
            {"profile": "b", "device": "npu", "time_s": 1e-3},
            {"profile": "b", "device": "dsp", "time_s": 1e-3},
        ],
        [{"name": "job", "rate_per_s": 1.0}],
        tasks=[{"name": "a", "job": "job"}, {"name": "b", "job": "job"}],
        transfers=[{"from": "a", "to": "b", "bytes": 1000.0}],
        links=[
            {"from": "cpu", "to": n, "bandwidth_b_per_s": 1e5, "bus": "pci", "channels": 1}
            for n in ("npu", "dsp")
        ],
        objective="throughput",
    )
    assert optimum(instance) == pytest.approx(100.0)


def test_per_unit_links_grow_with_the_units_on() -> None:
    instance = chain(
        cpu={"count_max": 5, "idle_power_w": 10.0, "count_min": 0},
        job={"rate_per_s": 250.0},
        link={"per_unit": True},
    )
    plan, _ = solved(instance)
    # 250 kB/s need three hosts on, though their load is only 0.25.
    assert plan.units_on.tolist() == [3, 1]


def test_without_overlap_transfers_take_time_of_both_units() -> None:
    instance = chain(
        cpu={"overlap": False}, link={"bandwidth_b_per_s": 1e6}, objective="throughput"
    )
    # 1 ms of work and 1 ms of sending per request on the host.
    assert optimum(instance) == pytest.approx(500.0)
    instance = chain(
        npu={"overlap": False, "count_min": 1, "count_max": 1},
        cpu={"count_max": 9},
        link={"bandwidth_b_per_s": 1e6, "channels": 9},
        objective="throughput",
        pin_b=True,
    )
    # 1 ms of receiving and 1 ms of work per request on the accelerator.
    assert optimum(instance) == pytest.approx(500.0)


def test_latency_of_a_route_counts_its_transfers() -> None:
    # 1 + 10 + 1 ms by way of the accelerator, 1 + 9 ms on the host.
    inside = chain(job={"latency_slo_s": 0.012})
    assert optimum(inside) == pytest.approx(1 + 50 * 0.21)
    outside = chain(job={"latency_slo_s": 0.0119})
    assert optimum(outside) == pytest.approx(50 * 1.1)


def test_together_and_apart_bind_the_tasks_of_a_route() -> None:
    assert optimum(chain(together=[["a", "b"]])) == pytest.approx(50 * 1.1)
    assert optimum(chain(apart=[["a", "b"]])) == pytest.approx(1 + 50 * 0.21)


def test_infeasible_is_proven_and_explained() -> None:
    result = solve_steady(
        make([BOX | {"count_max": 2}], [RUN], [NET]), Budget(deadline=time.monotonic() + 9)
    )
    assert result.infeasible
    assert "cannot be served" in result.reason
    slow = make([BOX], [RUN], [NET | {"latency_slo_s": 0.001}])
    result = solve_steady(slow, Budget(deadline=time.monotonic() + 9))
    assert result.infeasible
    assert "latency limit" in result.reason


def test_a_power_cap_below_the_idle_power_of_what_is_always_on_is_infeasible() -> None:
    box = BOX | {"count_min": 2, "count_max": 2, "off_when_unused": False}
    result = solve_steady(
        make([box], [RUN], [NET], power_cap_w=150.0), Budget(deadline=time.monotonic() + 9)
    )
    assert result.infeasible


def test_a_known_plan_is_never_made_worse() -> None:
    instance = make([BOX], [RUN], [NET])
    plan, _ = solved(instance)
    again, _ = solved(instance, start=plan)
    assert objective_value(instance, again, "power") <= objective_value(instance, plan, "power")


def test_the_heuristic_gives_a_valid_plan_and_a_bound() -> None:
    instance = make([BOX], [RUN], [NET])
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 9), method="heuristic")
    assert result.plan is not None
    assert verify(instance, result.plan).ok
    assert result.bounds[0] <= objective_value(instance, result.plan, "power")


def test_a_set_stop_returns_at_once_with_what_is_known() -> None:
    stop = threading.Event()
    stop.set()
    instance = make([BOX], [RUN], [NET])
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 9, stop=stop))
    assert result.stopped_by == "interrupted"
    assert result.plan is None or verify(instance, result.plan).ok


def test_huge_rates_and_tiny_times_are_scaled() -> None:
    jobs = [{"name": "net", "rate_per_s": 3.3e6}, {"name": "rare", "rate_per_s": 1e-3}]
    options = [
        RUN | {"time_s": 1e-6, "energy_j": 1e-4},
        RUN | {"profile": "rare", "time_s": 1e-6, "energy_j": 1e-4},
    ]
    instance = make([BOX], options, jobs)
    assert optimum(instance) == pytest.approx(400 + 330)


def test_unit_demand_is_met_to_the_last_digit() -> None:
    instance = make(
        [BOX, BOX | {"name": "two", "count_max": 1}],
        [RUN, RUN | {"device": "two", "energy_j": 1.0}],
        [NET | {"rate_per_s": 333.3}],
    )
    plan, _ = solved(instance)
    assert np.sum(plan.rate_per_s) == pytest.approx(333.3, rel=1e-15)
    assert evaluate(instance, plan)["scale"] >= 1.0 - 1e-15


def test_timeless_work_needs_a_unit_that_is_on() -> None:
    options = [RUN | {"time_s": 0.0, "energy_j": 0.0}]
    plan, _ = solved(make([BOX], options, [NET]))
    assert plan.units_on.tolist() == [1]


def test_throughput_of_timeless_work_is_unbounded() -> None:
    options = [RUN | {"time_s": 0.0, "energy_j": 0.0}]
    box = BOX | {"count_min": 2, "count_max": 2}
    instance = make([box], options, [NET], objective=["throughput", "power"])
    with pytest.raises(InputError, match="unbounded"):
        solve_steady(instance, Budget(deadline=time.monotonic() + 10))


def test_a_bus_with_links_that_grow_with_units_of_one_device_grows() -> None:
    instance = chain(
        cpu={"count_max": 4, "count_min": 0, "idle_power_w": 10.0},
        job={"rate_per_s": 350.0},
        link={"per_unit": True, "bus": "pci", "channels": 2},
    )
    plan, _ = solved(instance)
    # 350 kB/s over two channels of 100 kB/s for each of two hosts.
    assert plan.units_on.tolist() == [2, 1]


def test_equal_seeds_give_equal_plans() -> None:
    instance = chain()
    budget = Budget(deadline=0.0, deterministic=True, limit_s=10.0, workers=1)
    first, second = (solve_steady(instance, budget).plan for _ in range(2))
    assert isinstance(first, SteadyPlan)
    assert isinstance(second, SteadyPlan)
    assert first.rate_per_s.tobytes() == second.rate_per_s.tobytes()
    assert first.option.tobytes() == second.option.tobytes()


def test_a_slice_is_served_by_one_route_whole() -> None:
    # Half a cheap unit's load fits beside the other job only in parts.
    cheap = {"name": "cheap", "count_min": 0, "count_max": 1, "price_per_s": 1.0}
    dear = {"name": "dear", "count_min": 0, "count_max": -1, "price_per_s": 4.0}
    options = [
        {"profile": "net", "device": name, "time_s": 0.01, "energy_j": 0.0}
        for name in ("cheap", "dear")
    ]
    job = NET | {"rate_per_s": 150.0}

    def cost(slices: int) -> float:
        jobs = [job | {"slices": slices}]
        return optimum(make([cheap, dear], options, jobs, objective="cost"))

    assert [cost(n) for n in (0, 1, 2, 3)] == pytest.approx([5.0, 8.0, 5.0, 5.0])


def test_a_rate_that_is_no_whole_number_of_slices_is_a_violation() -> None:
    other = BOX | {"name": "other"}
    jobs = [NET | {"slices": 2}]
    instance = make([BOX, other], [RUN, RUN | {"device": "other"}], jobs)
    plan, _ = solved(instance)
    halves = replace(
        plan,
        route_job=np.array([0, 0]),
        rate_per_s=np.array([125.0, 125.0]),
        ptr=np.array([0, 1, 2]),
        task=np.array([0, 0]),
        option=np.array([0, 1]),
        unit=np.array([-1, -1]),
        units_on=np.array([2, 2]),
        units_had=np.array([2, 2]),
    )
    assert verify(instance, halves).ok
    uneven = replace(halves, rate_per_s=np.array([126.0, 124.0]))
    assert verify(instance, uneven).kinds == ("slices",)


def test_slices_belong_to_split_rates_of_a_given_demand() -> None:
    jobs = [NET | {"slices": 2}]
    with pytest.raises(InputError, match=r"slices.*split"):
        make([BOX], [RUN], jobs, routing="single")
    capped = make([BOX], [RUN], jobs, objective="throughput", power_cap_w=650.0)
    with pytest.raises(InputError, match=r"slices.*throughput"):
        check_question(capped)


def test_a_link_that_grows_with_units_needs_no_unit_beside_the_spare_one() -> None:
    """Two had, one spare: 26.5 W of one unit on, not 27 W of two (a unit on is never spare)."""
    instance = make(
        [
            {"name": "d0", "count_min": 1, "count_max": 20, "idle_power_w": 0.5, "spare": 1},
            {"name": "d1", "count_min": 1, "count_max": 20, "idle_power_w": 1.0},
        ],
        [
            {"profile": "first", "device": "d0", "time_s": 0.005, "energy_j": 0.0},
            {"profile": "last", "device": "d1", "time_s": 0.005, "energy_j": 0.25},
        ],
        [{"name": "j", "rate_per_s": 100.0}],
        tasks=[
            {"name": "first", "job": "j", "profile": "first"},
            {"name": "last", "job": "j", "profile": "last"},
        ],
        links=[{"from": "d0", "to": "d1", "bandwidth_b_per_s": 1e7, "per_unit": True}],
        transfers=[{"from": "first", "to": "last", "bytes": 1000.0}],
    )
    plan, _ = solved(instance)
    assert plan.units_on.tolist() == [1, 1]
    assert plan.units_had.tolist() == [2, 1]
    assert optimum(instance) == pytest.approx(26.5)


def test_accuracy_where_no_weight_counts_is_refused_in_both_regimes() -> None:
    for more in ({}, {"regime": "schedule"}):
        instance = make(
            [BOX | {"count_max": 1}],
            [RUN | {"accuracy": 0.5}],
            [{"name": "net", "weight": 0.0} | ({} if more else {"rate_per_s": 1.0})],
            objective="accuracy",
            **more,
        )
        with pytest.raises(InputError, match=r"objective: got accuracy; A weight above 0"):
            check_question(instance)


def test_what_is_pinned_to_one_unit_has_that_unit_only() -> None:
    box = BOX | {"count_max": 3, "memory_b": 1e9}  # units are named where memory is limited
    tasks = [{"name": "net", "job": "net", "pin": "box#0"}]
    held = make([box], [RUN], [NET], tasks=tasks, objective="throughput")
    assert optimum(held) == pytest.approx(100.0)
    beyond = solve_steady(
        make([box], [RUN], [NET], tasks=tasks), Budget(deadline=time.monotonic() + 20)
    )
    assert beyond.infeasible
