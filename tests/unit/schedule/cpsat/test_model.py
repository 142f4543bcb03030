"""Every feature of the schedule regime against an optimum computed by hand."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from ortools.sat.python import cp_model

from hetopt.instance import Instance
from hetopt.runtime.budget import Budget
from hetopt.schedule.solve import solve_schedule
from hetopt.solve import solve
from tests.small_schedules import device, edge, instance, link, option, solved, task

CPU, GPU = device("cpu"), device("gpu")


def assert_optimal(question: Instance, *values: float) -> Any:
    found = solved(question)
    assert found.values == pytest.approx(values, rel=1e-9)
    assert found.result.bounds == pytest.approx(values, rel=1e-6)
    assert found.result.stopped_by == "proved"
    return found.result.plan


def assert_infeasible(question: Instance) -> None:
    result = solved(question).result
    assert result.infeasible
    assert result.plan is None
    assert result.reason


def one(time_s: float, energy_j: float = 0.0, on: str = "cpu", **fields: Any) -> dict[str, Any]:
    """Option of the profile p."""
    return option("p", on, time_s, energy_j, **fields)


def two(count: int = 2, **fields: Any) -> list[dict[str, Any]]:
    """Tasks t0, t1, ... of the profile p."""
    return [task(f"t{k}", "p", **fields) for k in range(count)]


def test_the_cheapest_options_that_meet_the_deadline_are_taken() -> None:
    # Both slow: 6 s. One fast: 4 s and 7 J. Both fast: 2 s and 12 J.
    options = [one(3, 1, label="slow"), one(1, 6, label="fast")]
    job = [{"name": "j", "deadline_s": 4}]
    tasks = two(job="j")
    assert_optimal(instance([CPU], options, tasks, jobs=job, objective="energy"), 7)


def test_a_deadline_that_no_option_meets_is_infeasible() -> None:
    job = [{"name": "j", "deadline_s": 1.5}]
    assert_infeasible(instance([CPU], [one(1)], two(job="j"), jobs=job, objective="energy"))


def test_two_devices_share_the_makespan() -> None:
    # 3 tasks on a unit of speed 2 and one of speed 1: 2 × 1 s beside 1 × 2 s.
    options = [one(2), one(1, on="gpu")]
    assert_optimal(instance([CPU, GPU], options, two(3), objective="makespan"), 2)


def test_slots_run_tasks_at_once() -> None:
    question = instance([device("cpu", slots=2)], [one(2)], two(3), objective="makespan")
    assert_optimal(question, 4)


def test_identical_units_without_messages_share_the_work() -> None:
    plan = assert_optimal(
        instance([device("cpu", count=3)], [one(2)], two(5), objective="makespan"), 4
    )
    assert set(plan.unit.tolist()) == {0, 1, 2}


def test_one_unit_idles_rather_than_two_for_half_the_time() -> None:
    # On one unit: 4 s × 1 W; on two: 2 s × 2 W; the same idle, but the second costs a price.
    question = instance(
        [device("cpu", count_min=0, count_max=2, idle_power_w=1, price_per_s=1)],
        [one(2)],
        two(),
        objective=["energy", "makespan"],
    )
    assert_optimal(question, 4, 2)


def test_an_always_on_device_idles_for_the_makespan_of_others() -> None:
    # cpu: 3 s, 1 J, and the gpu idles 3 s × 2 W; gpu: 1 s, 4 J, 2 J idle.
    gpu = device("gpu", idle_power_w=2, off_when_unused=False)
    options = [one(3, 1), one(1, 4, on="gpu")]
    assert_optimal(instance([CPU, gpu], options, two(1), objective="energy"), 6)


def test_a_device_that_is_off_when_unused_idles_only_where_used() -> None:
    gpu = device("gpu", idle_power_w=2)
    options = [one(3, 1), one(1, 4, on="gpu")]
    assert_optimal(instance([CPU, gpu], options, two(1), objective="energy"), 1)


def test_the_horizon_is_the_window_of_idle_power() -> None:
    cpu = device("cpu", idle_power_w=2)
    question = instance([cpu], [one(1, 3)], two(1), objective="energy", horizon_s=10)
    assert_optimal(question, 23)


def test_precedence_takes_no_time_and_needs_no_link() -> None:
    options = [option("a", "cpu", 1), option("b", "gpu", 2)]
    question = instance(
        [CPU, GPU],
        options,
        [task("a"), task("b")],
        transfers=[edge("a", "b")],
        objective="makespan",
    )
    assert_optimal(question, 3)


def test_a_message_takes_latency_and_bytes_over_bandwidth() -> None:
    question = instance(
        [CPU, GPU],
        [option("a", "cpu", 1), option("b", "gpu", 2)],
        [task("a"), task("b")],
        links=[link("cpu", "gpu", 2, latency_s=0.5, energy_j_per_b=3)],
        transfers=[edge("a", "b", 4)],
        objective=["makespan", "energy"],
    )
    assert_optimal(question, 5.5, 12)


def test_a_message_over_two_links_waits_for_both() -> None:
    question = instance(
        [CPU, GPU, device("npu")],
        [option("a", "cpu", 1), option("b", "npu", 2)],
        [task("a"), task("b")],
        links=[link("cpu", "gpu", 1), link("gpu", "npu", 2, latency_s=1)],
        transfers=[edge("a", "b", 4)],
        objective="makespan",
    )
    assert_optimal(question, 1 + 4 + 3 + 2)


def test_a_pair_of_devices_without_a_path_is_forbidden() -> None:
    question = instance(
        [CPU, GPU],
        [option("a", "cpu", 1), option("b", "gpu", 1), option("b", "cpu", 5)],
        [task("a"), task("b")],
        links=[link("gpu", "cpu")],
        transfers=[edge("a", "b", 1)],
        objective="makespan",
    )
    assert_optimal(question, 6)


def _fan_out(**fields: Any) -> Instance:
    """One producer on the cpu, two consumers on the gpu that read 2 B."""
    return instance(
        [CPU, device("gpu", slots=2)],
        [option("a", "cpu", 1), option("b", "gpu", 1)],
        [task("a"), task("b"), task("c", "b")],
        links=[link("cpu", "gpu", 1, energy_j_per_b=5, **fields.pop("link", {}))],
        transfers=[edge("a", "b", 2, **fields), edge("a", "c", 2, **fields)],
        objective=["makespan", "energy"],
    )


def test_messages_of_their_own_are_sent_twice() -> None:
    assert_optimal(_fan_out(), 4, 20)


def test_a_shared_tensor_is_sent_once_per_unit() -> None:
    assert_optimal(_fan_out(tensor="x"), 4, 10)


def test_one_channel_carries_one_hop_at_a_time() -> None:
    assert_optimal(_fan_out(link={"channels": 1}), 6, 20)


def test_two_channels_carry_both_hops() -> None:
    assert_optimal(_fan_out(link={"channels": 2}), 4, 20)


def test_a_shared_tensor_holds_its_channel_once() -> None:
    assert_optimal(_fan_out(tensor="x", link={"channels": 1}), 4, 10)


def test_a_staged_tensor_is_written_once_and_read_once_per_unit() -> None:
    # Write 1 → 3, both reads 3 → 5 (other links), consumers until 6; 3 × 2 B × 1 J/B.
    question = instance(
        [CPU, GPU, device("npu"), device("dsp")],
        [option("a", "gpu", 1), option("b", "npu", 1), option("c", "dsp", 1)],
        [task("a"), task("b"), task("c")],
        links=[
            link("gpu", "cpu", 1, energy_j_per_b=1),
            link("cpu", "npu", 1, energy_j_per_b=1),
            link("cpu", "dsp", 1, energy_j_per_b=1),
        ],
        transfers=[edge("a", t, 2, tensor="x", staged=True) for t in "bc"],
        host="cpu",
        objective=["makespan", "energy"],
    )
    assert_optimal(question, 6, 6)


def test_a_consumer_on_the_host_reads_a_staged_tensor_when_it_is_written() -> None:
    question = instance(
        [CPU, GPU],
        [option("a", "gpu", 1), option("b", "cpu", 1)],
        [task("a"), task("b")],
        links=[link("gpu", "cpu", 1)],
        transfers=[edge("a", "b", 2, tensor="x", staged=True)],
        host="cpu",
        objective="makespan",
    )
    assert_optimal(question, 4)


def test_messages_inside_a_zero_copy_pool_are_free() -> None:
    soc = [device("cpu", memory_pool="soc"), device("gpu", memory_pool="soc")]
    question = instance(
        soc,
        [option("a", "cpu", 1), option("b", "gpu", 2)],
        [task("a"), task("b")],
        pools=[{"name": "soc", "memory_b": 10, "zero_copy": True}],
        transfers=[edge("a", "b", 10)],
        objective="makespan",
    )
    assert_optimal(question, 3)


def test_without_overlap_a_transfer_takes_a_slot_of_both_units() -> None:
    # a runs 0 → 1, its message 1 → 3; c cannot run on the cpu meanwhile: 3 → 4.
    devices = [device("cpu", overlap=False), GPU]
    options = [option("a", "cpu", 1), option("b", "gpu", 1), option("c", "cpu", 3)]
    question = instance(
        devices,
        options,
        [task("a"), task("b"), task("c")],
        links=[link("cpu", "gpu", 1)],
        transfers=[edge("a", "b", 2)],
        objective="makespan",
    )
    assert_optimal(question, 6)


def test_weights_of_two_models_do_not_fit_one_unit() -> None:
    gpu = device("gpu", memory_b=10)
    options = [option(m, "gpu", 1, 1, weights_b=6, model=m) for m in ("m", "n")] + [
        option(m, "cpu", 5, 9) for m in ("m", "n")
    ]
    question = instance([CPU, gpu], options, [task("m"), task("n")], objective="energy")
    assert_optimal(question, 10)


def test_weights_of_one_model_are_resident_once() -> None:
    gpu = device("gpu", memory_b=10)
    options = [one(1, 1, on="gpu", weights_b=6, model="m")]
    assert_optimal(instance([gpu], options, two(), objective="energy"), 2)


def test_working_memory_keeps_tasks_apart_in_time() -> None:
    gpu = device("gpu", slots=2, memory_b=10)
    assert_optimal(instance([gpu], [one(2, on="gpu", memory_b=6)], two(), objective="makespan"), 4)


def test_a_pool_limits_the_memory_of_all_its_devices() -> None:
    soc = [device("cpu", memory_pool="soc"), device("gpu", memory_pool="soc")]
    options = [option("a", "cpu", 2, memory_b=6), option("b", "gpu", 2, memory_b=6)]
    question = instance(
        soc,
        options,
        [task("a"), task("b")],
        pools=[{"name": "soc", "memory_b": 10}],
        objective="makespan",
    )
    assert_optimal(question, 4)


def test_an_output_is_held_until_its_consumers_end() -> None:
    # While a's 6 B wait for b (until 3), c with 6 B of working memory cannot run beside.
    gpu = device("gpu", slots=2, memory_b=10)
    options = [
        option("a", "gpu", 1),
        option("b", "gpu", 2),
        option("c", "gpu", 2, memory_b=6),
    ]
    question = instance(
        [gpu],
        options,
        [task("a"), task("b"), task("c")],
        transfers=[edge("a", "b", 6)],
        objective="makespan",
    )
    assert_optimal(question, 5)


def test_a_copy_is_held_from_the_first_hop_on() -> None:
    # The copy for b needs 6 of 10 B on the gpu from its hop on; c uses 6 B there from 0 to 2.
    gpu = device("gpu", slots=2, memory_b=10)
    options = [
        option("a", "cpu", 1),
        option("b", "gpu", 1),
        option("c", "gpu", 2, memory_b=6),
    ]
    question = instance(
        [CPU, gpu],
        options,
        [task("a"), task("b"), task("c")],
        links=[link("cpu", "gpu", 6)],
        transfers=[edge("a", "b", 6)],
        objective="makespan",
    )
    assert_optimal(question, 4)


def test_a_release_delays_the_start() -> None:
    question = instance(
        [CPU], [one(1)], two(1, job="j"), jobs=[{"name": "j", "release_s": 2}], objective="makespan"
    )
    assert_optimal(question, 3)


def test_the_horizon_is_a_hard_end() -> None:
    assert_infeasible(instance([CPU], [one(2)], two(), objective="energy", horizon_s=3))


def test_the_power_cap_keeps_tasks_apart() -> None:
    # 5 W each and 1 W idle of both: two at once draw 12 W.
    devices = [device(name, idle_power_w=1) for name in ("cpu", "gpu")]
    options = [option("a", "cpu", 1, 5), option("b", "gpu", 1, 5)]
    tasks = [task("a"), task("b")]
    assert_optimal(instance(devices, options, tasks, objective="makespan", power_cap_w=11), 2)
    assert_optimal(instance(devices, options, tasks, objective="makespan", power_cap_w=12), 1)
    assert_infeasible(instance(devices, options, tasks, objective="makespan", power_cap_w=6))


def test_peak_power_is_traded_for_time() -> None:
    devices = [device(name, idle_power_w=1) for name in ("cpu", "gpu")]
    options = [option("a", "cpu", 1, 5), option("b", "gpu", 1, 4)]
    question = instance(
        devices, options, [task("a"), task("b")], objective=["peak_power", "makespan"]
    )
    assert_optimal(question, 7, 2)


def test_cost_counts_price_of_units_had_and_energy() -> None:
    # 2 s × 3 money/s for the unit had, 4 J × 2 × 0.5 money/J for energy.
    cpu = device("cpu", price_per_s=3)
    question = instance(
        [cpu], [one(2, 4)], two(1), objective="cost", energy_price_per_j=0.5, pue=2.0
    )
    assert_optimal(question, 10)


def test_carbon_counts_energy_with_pue() -> None:
    question = instance(
        [CPU], [one(2, 4)], two(1), objective="carbon", carbon_kg_per_j=0.25, pue=2.0
    )
    assert_optimal(question, 2)


def test_tardiness_weighs_jobs() -> None:
    # The heavy job goes first: 0 × 5 + (3 - 1) × 1; the other way round 1 × 5.
    jobs = [
        {"name": "light", "due_s": 1, "weight": 1},
        {"name": "heavy", "due_s": 2, "weight": 5},
    ]
    options = [option("a", "cpu", 1), option("b", "cpu", 2)]
    tasks = [task("a", job="light"), task("b", job="heavy")]
    assert_optimal(instance([CPU], options, tasks, jobs=jobs, objective="tardiness"), 2)


def test_accuracy_is_the_weighted_mean_of_the_jobs_least() -> None:
    options = [
        one(1, 0, label="int8", accuracy=0.5),
        one(3, 0, label="fp16", accuracy=0.75),
    ]
    jobs = [
        {"name": "a", "weight": 1, "deadline_s": 4},
        {"name": "b", "weight": 3, "deadline_s": 4},
    ]
    tasks = [task("t0", "p", job="a"), task("t1", "p", job="b")]
    question = instance([CPU], options, tasks, jobs=jobs, objective="accuracy")
    assert_optimal(question, (0.5 + 3 * 0.75) / 4)


def test_the_least_accuracy_is_a_hard_limit() -> None:
    options = [one(1, 1, label="int8", accuracy=0.5), one(3, 5, label="fp16", accuracy=0.75)]
    jobs = [{"name": "j", "min_accuracy": 0.6}]
    question = instance([CPU], options, two(1, job="j"), jobs=jobs, objective="energy")
    assert_optimal(question, 5)


def test_pins_and_forbids_hold() -> None:
    options = [one(1), one(1, on="gpu")]
    tasks = [task("a", "p", pin="cpu"), task("b", "p", forbid="gpu")]
    assert_optimal(instance([CPU, GPU], options, tasks, objective="makespan"), 2)


def test_a_task_pinned_to_a_unit_runs_there() -> None:
    tasks = [task("a", "p", pin="cpu#1"), task("b", "p", pin="cpu#1"), task("c", "p")]
    plan = assert_optimal(
        instance([device("cpu", count=2)], [one(1)], tasks, objective="makespan"), 2
    )
    assert plan.unit.tolist() == [1, 1, 0]


def test_tasks_together_share_a_unit() -> None:
    question = instance(
        [device("cpu", count=2)], [one(1)], two(), objective="makespan", together=[["t0", "t1"]]
    )
    assert_optimal(question, 2)


def test_tasks_apart_use_different_units() -> None:
    question = instance(
        [device("cpu", count=2, idle_power_w=1)],
        [one(1)],
        two(),
        objective="energy",
        apart=[["t0", "t1"]],
        horizon_s=5,
    )
    assert_optimal(question, 10)


def test_more_tasks_apart_than_units_is_infeasible() -> None:
    question = instance(
        [device("cpu", count=2)],
        [one(1)],
        two(3),
        objective="energy",
        apart=[["t0", "t1", "t2"]],
    )
    assert_infeasible(question)


def test_units_of_one_device_send_over_the_link_to_itself() -> None:
    question = instance(
        [device("cpu", count=2)],
        [option("a", "cpu", 1), option("b", "cpu", 3)],
        [task("a"), task("b"), task("c", "b")],
        links=[link("cpu", "cpu", 2)],
        transfers=[edge("a", "b", 2), edge("a", "c", 2)],
        objective="makespan",
    )
    assert_optimal(question, 5)


def test_count_range_prices_only_units_that_are_had() -> None:
    # One unit: 4 s × 1; two: 2 s × 2 of price, and the deadline asks for two.
    cpu = device("cpu", count_min=0, count_max=2, price_per_s=1)
    tasks = two(job="j")
    slow = instance([cpu], [one(2)], tasks, jobs=[{"name": "j"}], objective=["cost", "makespan"])
    assert_optimal(slow, 4, 2)
    had = device("cpu", count_min=2, count_max=2, price_per_s=1)
    assert_optimal(instance([had], [one(2)], tasks, jobs=[{"name": "j"}], objective="cost"), 4)


def test_levels_hold_the_earlier_ones() -> None:
    # Least makespan 1 needs the gpu for one of the two; the cheaper of the two goes there.
    options = [
        option("a", "cpu", 1, 2),
        option("a", "gpu", 1, 9),
        option("b", "cpu", 1, 3),
        option("b", "gpu", 1, 4),
    ]
    question = instance(
        [CPU, GPU], options, [task("a"), task("b")], objective=["makespan", "energy"]
    )
    assert_optimal(question, 1, 6)


def test_a_time_of_a_third_is_solved_to_the_tolerance() -> None:
    question = instance(
        [CPU, GPU],
        [option("a", "cpu", 1), option("b", "gpu", 1)],
        [task("a"), task("b")],
        links=[link("cpu", "gpu", 3)],
        transfers=[edge("a", "b", 1)],
        objective="makespan",
    )
    assert_optimal(question, 2 + 1 / 3)


def test_times_without_a_coarse_grid_are_solved_to_the_tolerance() -> None:
    options = [
        option("a", "cpu", 0.1234567890123, 1.0000001),
        option("b", "cpu", 0.3456789012345, 2.0000003),
        option("b", "gpu", 0.2718281828459, 3.0000007),
    ]
    question = instance(
        [CPU, GPU], options, [task("a"), task("b")], objective=["makespan", "energy"]
    )
    assert_optimal(question, 0.2718281828459, 4.0000008)


def test_work_of_zero_time_needs_no_slot() -> None:
    options = [one(2), option("z", "cpu", 0)]
    tasks = [task("t", "p"), task("y", "z"), task("z")]
    assert_optimal(instance([CPU], options, tasks, objective="makespan"), 2)


def _large() -> Instance:
    options = [
        option(f"p{k}", name, 1 + (7 * k + 3 * d) % 11, 1 + (5 * k + 2 * d) % 13)
        for k in range(40)
        for d, name in enumerate(("cpu", "gpu", "npu"))
    ]
    devices = [device(name, idle_power_w=1) for name in ("cpu", "gpu", "npu")]
    tasks = [task(f"t{k}", f"p{k}") for k in range(40)]
    edges = [edge(f"t{k}", f"t{(3 * k + 5) % 40}") for k in range(11)]
    edges = [e for e in edges if int(e["from"][1:]) < int(e["to"][1:])]
    return instance(devices, options, tasks, transfers=edges, objective=["makespan", "energy"])


def test_stop_returns_the_best_plan_and_the_bound_soon() -> None:
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    began = time.monotonic()
    result = solve_schedule(_large(), Budget(deadline=began + 60, limit_s=60, stop=stop))
    assert time.monotonic() - began < 5
    assert result.plan is not None
    assert result.stopped_by in ("interrupted", "proved")
    assert result.bounds[0] > 0


def test_the_same_seed_gives_the_same_plan_in_deterministic_mode() -> None:
    plans = [
        solve_schedule(
            _large(), Budget(deadline=time.monotonic() + 60, limit_s=0.5, deterministic=True)
        ).plan
        for _ in range(2)
    ]
    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].option.tolist() == plans[1].option.tolist()
    assert plans[0].start_s.tolist() == plans[1].start_s.tolist()


def test_a_start_plan_is_never_lost() -> None:
    question = _large()
    first = solved(question, seconds=2)
    budget = Budget(deadline=time.monotonic() + 0.3, limit_s=0.3)
    again = solve_schedule(question, budget, start=first.result.plan)
    assert again.plan is not None
    from hetopt.evaluate import objectives

    assert objectives(question, again.plan)[0] <= first.values[0] + 1e-9


def test_a_heuristic_alone_still_comes_with_a_bound() -> None:
    question = _large()
    budget = Budget(deadline=time.monotonic() + 10, limit_s=10)
    result = solve_schedule(question, budget, method="heft")
    assert result.plan is not None
    assert result.method == "heft"
    assert result.stopped_by in ("iteration_limit", "proved")
    assert 0 < result.bounds[0] < 1e9


def test_a_model_that_cpsat_refuses_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cp_model.CpModel, "validate", lambda model: "Possible integer overflow")
    question = instance([CPU, GPU], [one(2, 3), one(1, 5, "gpu")], two(3), objective="energy")
    for method in ("auto", "cpsat", "lns"):
        answer = solve(question, time_limit=2, workers=2, method=method)
        assert answer.plan is not None
        assert answer.termination != "time_limit"
    hopeless = [{"name": "j", "deadline_s": 2.5}]
    late = instance([CPU], [one(1)], two(3, job="j"), jobs=hopeless, objective="energy")
    assert solve(late, time_limit=2, workers=1).status in ("infeasible", "unknown")
