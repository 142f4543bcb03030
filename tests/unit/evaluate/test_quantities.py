"""Quantities of plans, against values computed by hand."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.evaluate import evaluate, objective_value, objectives
from hetopt.instance import Tasks
from hetopt.solution import DIRECT, READ, WRITE, Hops, SchedulePlan, SteadyPlan


def make(settings=None, **tables):
    return from_frames({k: pd.DataFrame(v) for k, v in tables.items()}, settings or {})


def options(profile, *rows, **more):
    """Options (device, time, energy) of a profile."""
    return [
        {"profile": profile, "device": d, "time_s": t, "energy_j": e, **more} for d, t, e in rows
    ]


def hops(*rows):
    """Hops (tensor, leg, device, unit, ordinal, link, start)."""
    columns = list(zip(*rows, strict=True))
    return Hops(*(np.array(c) for c in columns[:6]), np.array(columns[6], dtype=float))


def schedule(option, unit, start, moved=None):
    return SchedulePlan(
        np.array(option), np.array(unit), np.array(start, dtype=float), moved or Hops.empty()
    )


def chain(settings=None, **devices):
    """Two tasks of 2 s, 4 J on cpu and 1 s, 1 J on one of two npu units; the second has work 2."""
    return make(
        settings,
        devices=[
            {"name": "cpu", "idle_power_w": 2.0, "count_min": 1, "count_max": 1},
            {"name": "npu", "idle_power_w": 1.0, "count_min": 2, "count_max": 2, **devices},
        ],
        links=[
            {
                "from": "cpu",
                "to": "npu",
                "latency_s": 0.5,
                "bandwidth_b_per_s": 100.0,
                "energy_j_per_b": 0.1,
            }
        ],
        options=options("p", ("cpu", 2.0, 4.0), ("npu", 1.0, 1.0)),
        tasks=[{"name": "a", "profile": "p"}, {"name": "b", "profile": "p", "work": 2.0}],
        transfers=[{"from": "a", "to": "b", "bytes": 100.0}],
    )


CHAIN_PLAN = schedule([0, 1], [0, 0], [0, 3.5], hops((0, DIRECT, 1, 0, 0, 0, 2.0)))


def test_energy_is_options_transfers_and_idle_of_units_on_over_the_makespan():
    found = evaluate(chain(), CHAIN_PLAN)
    assert found["makespan_s"] == found["window_s"] == 5.5
    assert found["energy_options_j"] == 4 + 2 * 1
    assert found["energy_transfers_j"] == 10.0
    assert found["energy_idle_j"] == (2 + 1) * 5.5
    assert found["energy_j"] == 6 + 10 + 16.5
    cpu, npu = found["devices"]
    assert (npu["had"], npu["on"], npu["busy_s"], npu["tasks"]) == (2, 1, 2.0, 1)
    assert (cpu["on"], cpu["busy_s"], cpu["energy_idle_j"]) == (1, 2.0, 11.0)
    assert found["links"][0] == {
        "link": 0,
        "from": "cpu",
        "to": "npu",
        "hops": 1,
        "bytes_b": 100.0,
        "busy_s": 1.5,
        "energy_j": 10.0,
    }


def test_idle_counts_for_the_horizon_where_there_is_one():
    found = evaluate(chain({"horizon_s": 10.0}), CHAIN_PLAN)
    assert found["window_s"] == 10.0
    assert found["energy_idle_j"] == 30.0
    assert found["makespan_s"] == 5.5


def test_units_that_are_never_off_pay_idle_also_when_they_run_nothing():
    always = chain(off_when_unused=False)
    assert evaluate(always, CHAIN_PLAN)["energy_idle_j"] == (2 + 2 * 1) * 5.5
    on_cpu = schedule([0, 0], [0, 0], [0, 2])
    assert evaluate(always, on_cpu)["energy_idle_j"] == (2 + 2 * 1) * 6
    assert evaluate(chain(), on_cpu)["energy_idle_j"] == 2 * 6


def test_a_range_of_counts_has_the_units_used_and_at_least_the_minimum():
    ranged = chain(count_min=0, count_max=5, price_per_s=3.0)
    spread = schedule([1, 1], [4, 2], [0, 3])
    assert [row["had"] for row in evaluate(ranged, spread)["devices"]] == [1, 2]
    assert evaluate(ranged, schedule([0, 0], [0, 0], [0, 2]))["cost"] == 0.0
    at_least = chain(count_min=3, count_max=5, price_per_s=3.0)
    assert evaluate(at_least, CHAIN_PLAN)["cost"] == pytest.approx(3 * 3.0 * 5.5, rel=1e-15)


def test_pue_multiplies_energy_in_cost_and_carbon_only():
    settings = {
        "pue": 1.5,
        "energy_price_per_j": 2.0,
        "carbon_kg_per_j": 0.25,
        "objective": ["energy", "cost", "carbon"],
    }
    found = objectives(chain(settings, price_per_s=1.0), CHAIN_PLAN)
    assert found == (32.5, 2 * 5.5 + 32.5 * 1.5 * 2, 32.5 * 1.5 * 0.25)


def test_tardiness_weighs_the_time_after_due_of_each_jobs_last_task():
    late = make(
        devices=[{"name": "cpu"}],
        options=options("p", ("cpu", 2.0, 1.0)),
        tasks=[{"name": f"t{i}", "profile": "p", "job": "xyy"[i]} for i in range(3)],
        jobs=[{"name": "x", "due_s": 1.0, "weight": 3.0}, {"name": "y", "weight": 5.0}],
    )
    plan = schedule([0, 0, 0], [0, 0, 0], [0, 2, 4])
    assert objective_value(late, plan, "tardiness") == 3.0
    rows = evaluate(late, plan)["jobs"]
    assert [(row["end_s"], row["tardiness_s"]) for row in rows] == [(2.0, 1.0), (6.0, 0.0)]


def test_a_job_that_ends_when_it_is_due_is_not_late_by_rounding():
    due = make(
        devices=[{"name": "cpu"}],
        options=options("p", ("cpu", 0.2, 1.0)),
        tasks=[{"name": "t", "profile": "p"}],
        jobs=[{"name": "x", "due_s": 0.3}],
    )
    plan = schedule([0], [0], [0.1])
    assert 0.1 + 0.2 > 0.3
    assert objective_value(due, plan, "tardiness") == 0.0


def peaks():
    return make(
        devices=[{"name": "cpu", "idle_power_w": 5.0, "slots": 2}],
        options=options("p", ("cpu", 0.1, 1.0)) + options("null", ("cpu", 0.0, 0.0)),
        tasks=[
            {"name": "a", "profile": "p"},
            {"name": "b", "profile": "p", "work": 2.0},
            {"name": "c", "profile": "null"},
        ],
    )


def test_peak_power_adds_what_runs_at_one_instant_to_the_idle_power():
    # 10 W each, whatever the work.
    assert objective_value(peaks(), schedule([0, 0, 1], [0] * 3, [0, 0, 0]), "peak_power") == 25.0
    assert objective_value(peaks(), schedule([0, 0, 1], [0] * 3, [0, 0.1, 0]), "peak_power") == 15.0


def test_rounding_of_an_end_does_not_make_two_tasks_meet():
    # 0.1 + 2 × 0.1 is 0.30000000000000004 in floats.
    plan = schedule([0, 0, 1], [0] * 3, [0.3, 0.1, 0])
    assert objective_value(peaks(), plan, "peak_power") == 15.0


def test_an_accuracy_is_the_least_of_a_job_and_the_weighted_mean_of_the_jobs():
    judged = make(
        devices=[{"name": "cpu"}],
        options=[
            *options("hi", ("cpu", 1.0, 1.0), accuracy=0.9),
            *options("lo", ("cpu", 1.0, 1.0), accuracy=0.5),
            *options("no", ("cpu", 1.0, 1.0)),
        ],
        tasks=[
            {"name": "a", "profile": "hi", "job": "x"},
            {"name": "b", "profile": "lo", "job": "x"},
            {"name": "c", "profile": "no", "job": "x"},
            {"name": "d", "profile": "hi", "job": "y"},
            {"name": "e", "profile": "no", "job": "z"},
        ],
        jobs=[{"name": "x", "weight": 1.0}, {"name": "y", "weight": 3.0}, {"name": "z"}],
    )
    plan = schedule([0, 1, 2, 0, 2], [0] * 5, range(5))
    assert objective_value(judged, plan, "accuracy") == pytest.approx((0.5 + 3 * 0.9) / 4)
    assert [row["accuracy"] for row in evaluate(judged, plan)["jobs"]] == [0.5, 0.9, None]


def test_where_no_option_states_an_accuracy_there_is_none():
    assert evaluate(chain(), CHAIN_PLAN)["accuracy"] is None
    assert math.isnan(objective_value(chain(), CHAIN_PLAN, "accuracy"))


def test_quantities_are_json_without_nan():
    text = json.dumps(evaluate(chain(), CHAIN_PLAN), allow_nan=False)
    assert json.loads(text)["energy_j"] == 32.5


def test_what_cannot_be_evaluated_is_an_input_error():
    with pytest.raises(InputError, match="leaves 1 tasks out, among them b"):
        evaluate(chain(), schedule([0, -1], [0, 0], [0, 0]))
    with pytest.raises(InputError, match="throughput is not among them"):
        objective_value(chain(), CHAIN_PLAN, "throughput")
    with pytest.raises(InputError, match="of the schedule regime; the plan is a steady plan"):
        evaluate(chain(), steady_plan([0], [1.0], [[(0, 0, 0)]], [1], [1]))


def test_a_million_tasks_take_seconds():
    rng = np.random.default_rng(1)
    tasks, devices = 1_000_000, 64
    names = [f"d{d}" for d in range(devices)]
    base = make(
        devices=[{"name": n, "idle_power_w": 1.0} for n in names],
        options=options("p", *((n, 1.0 + d, 2.0) for d, n in enumerate(names))),
        tasks=[{"name": "t", "profile": "p"}],
    )
    none = np.empty(0, dtype=np.int64)
    zeros, ones = np.zeros(tasks, dtype=np.int64), np.ones(tasks)
    named = np.full(tasks, "t", dtype=base.tasks.name.dtype)
    columns = Tasks(
        named, zeros, ones, zeros, zeros - 1, zeros - 1, none, none, zeros > 0, none, none, named
    )
    base = replace(base, tasks=columns)
    plan = schedule(
        rng.integers(0, devices, tasks), np.zeros(tasks, dtype=int), rng.random(tasks) * 1e6
    )
    begin = time.perf_counter()
    found = evaluate(base, plan)
    assert time.perf_counter() - begin < 5.0
    assert found["energy_options_j"] == 2.0 * tasks
    assert sum(row["busy_s"] for row in found["devices"]) == pytest.approx(
        (1.0 + plan.option).sum()
    )


def steady_plan(jobs, rates, routes, on, had):
    """Routes are lists of (task, option, unit)."""
    flat = np.array([row for route in routes for row in route]).reshape(-1, 3)
    return SteadyPlan(
        route_job=np.array(jobs),
        rate_per_s=np.array(rates, dtype=float),
        ptr=np.cumsum([0, *map(len, routes)]),
        task=flat[:, 0],
        option=flat[:, 1],
        unit=flat[:, 2],
        units_on=np.array(on),
        units_had=np.array(had),
    )


def streams(settings=None, **tables):
    """Jobs x (10/s) and y (30/s) of one task each, on a gpu with batch 4 or an npu."""
    given = {
        "devices": [
            {
                "name": "gpu",
                "count_min": 0,
                "count_max": 8,
                "idle_power_w": 10.0,
                "max_utilization": 0.8,
                "reserved": 0.5,
                "slots": 2,
                "price_per_s": 0.5,
            },
            {
                "name": "npu",
                "count_min": 2,
                "count_max": 2,
                "idle_power_w": 1.0,
                "off_when_unused": False,
            },
        ],
        "options": [
            *options("p", ("gpu", 0.04, 4.0), batch=4, accuracy=0.9),
            *options("p", ("npu", 0.05, 0.25), accuracy=0.7),
        ],
        "tasks": [
            {"name": "a", "profile": "p", "job": "x"},
            {"name": "b", "profile": "p", "job": "y", "work": 2.0},
        ],
        "jobs": [
            {"name": "x", "rate_per_s": 10.0, "weight": 1.0},
            {"name": "y", "rate_per_s": 30.0, "weight": 1.0},
        ],
    }
    return make({"regime": "steady", **(settings or {})}, **(given | tables))


STREAM_PLAN = steady_plan(
    [0, 1, 1],
    [10.0, 20.0, 4.0],
    [[(0, 1, -1)], [(1, 0, -1)], [(1, 1, -1)]],
    on=[3, 1],
    had=[4, 2],
)


def test_steady_power_is_idle_of_units_on_and_rate_times_energy_per_request():
    found = evaluate(streams(), STREAM_PLAN)
    assert found["idle_power_w"] == 3 * 10 + 2 * 1  # the npu is never off
    assert found["power_options_w"] == 10 * 0.25 + 20 * (2 * 4 / 4) + 4 * (2 * 0.25)
    assert found["power_w"] == 32 + 44.5
    assert found["worst_power_w"] == 32 + 3 * 2 * (4 / 0.04) + 2 * (0.25 / 0.05)


def test_steady_load_divides_by_the_batch_and_is_held_against_the_capacity():
    gpu, npu = evaluate(streams(), STREAM_PLAN)["devices"]
    assert gpu["load"] == pytest.approx(20 * 2 * 0.04 / 4)
    assert gpu["capacity"] == pytest.approx(3 * 2 * 0.8 * 0.5)
    assert npu["load"] == pytest.approx(10 * 0.05 + 4 * 2 * 0.05)
    assert npu["utilization"] == pytest.approx(0.45)


def test_throughput_is_the_least_served_share_of_all_demanded_rates():
    found = evaluate(streams(), STREAM_PLAN)
    assert found["scale"] == pytest.approx(24 / 30)
    assert found["throughput_per_s"] == pytest.approx(0.8 * 40)
    assert [row["served_per_s"] for row in found["jobs"]] == [10.0, 24.0]


def test_a_batch_doubles_the_latency_unless_one_was_measured():
    found = evaluate(streams(), STREAM_PLAN)
    assert [row["latency_s"] for row in found["jobs"]] == [0.05, pytest.approx(2 * 2 * 0.04)]
    measured = streams(
        options=[
            *options("p", ("gpu", 0.04, 4.0), batch=4, latency_s=0.033),
            *options("p", ("npu", 0.05, 0.25)),
        ]
    )
    assert evaluate(measured, STREAM_PLAN)["latency_s"] == pytest.approx(0.1)  # b on the npu
    assert evaluate(measured, STREAM_PLAN)["jobs"][0]["latency_s"] == 0.05


def test_steady_cost_and_carbon_are_rates_and_pay_for_units_had():
    settings = {"pue": 2.0, "energy_price_per_j": 0.5, "carbon_kg_per_j": 0.125}
    found = objectives(streams(settings), STREAM_PLAN, ("cost", "carbon", "power"))
    assert found == (4 * 0.5 + 76.5 * 2 * 0.5, 76.5 * 2 * 0.125, 76.5)


def test_steady_accuracy_weighs_routes_by_rate_and_jobs_by_weight():
    y = (20 * 0.9 + 4 * 0.7) / 24
    assert objective_value(streams(), STREAM_PLAN, "accuracy") == pytest.approx((0.7 + y) / 2)


def test_routes_that_are_not_used_do_not_count():
    idle = steady_plan([0, 0], [10.0, 0.0], [[(0, 1, 0)], [(0, 0, 0)]], on=[1, 2], had=[1, 2])
    found = evaluate(streams(), idle)
    assert found["latency_s"] == 0.05
    assert found["worst_power_w"] == 10 + 2 + 1 * 5.0
    assert found["jobs"][0]["accuracy"] == 0.7
    assert [row["unit"] for row in found["units"]] == [0]


def graph(transfers, tasks="abc", settings=None, pool="", overlap=True, units=4, links=None):
    """One job; cpu (host) with links to and from gpu and npu: 1 s + s/100, 2 s + s/50; 0.5 J/B."""
    names = ("cpu", "gpu", "npu")
    ends = [("cpu", "gpu", 1, 100), ("gpu", "cpu", 1, 100), ("cpu", "npu", 2, 50)]
    ends = [*ends, ("npu", "cpu", 2, 50)] if links is None else links
    keys = ("from", "to", "latency_s", "bandwidth_b_per_s")
    tables = {"pools": [{"name": pool, "zero_copy": True}]} if pool else {}
    return make(
        {"regime": "steady", "host": "cpu", "routing": "single", **(settings or {})},
        devices=[
            {
                "name": n,
                "count_min": units,
                "count_max": units,
                "overlap": overlap,
                "memory_pool": pool if n != "npu" else "",
            }
            for n in names
        ],
        links=[
            dict(zip(keys, link, strict=True)) | {"energy_j_per_b": 0.5, "channels": 2}
            for link in ends
        ],
        options=options("p", *((n, 1.0, 1.0) for n in names)),
        tasks=[{"name": t, "profile": "p"} for t in tasks],
        transfers=transfers,
        jobs=[{"name": "job", "rate_per_s": 2.0}],
        **tables,
    )


def route(*places):
    """Plan of one route at 2/s: (device, unit) of each task."""
    rows = [(t, device, unit) for t, (device, unit) in enumerate(places)]
    return steady_plan([0], [2.0], [rows], on=[4, 4, 4], had=[4, 4, 4])


CPU, GPU, NPU = 0, 1, 2


def message(src, dst, size=100.0, tensor="", staged=False):
    return {"from": src, "to": dst, "bytes": size, "tensor": tensor, "staged": staged}


def test_a_message_over_two_links_pays_both_and_delays_the_route():
    found = evaluate(graph([message("a", "b")], "ab"), route((GPU, 0), (NPU, 0)))
    assert found["latency_s"] == 1 + (2 + 4) + 1
    assert found["power_transfers_w"] == 2 * 100 * (0.5 + 0.5)
    used = {(row["from"], row["to"]): row for row in found["links"]}
    assert used["gpu", "cpu"]["bytes_per_s"] == 200.0
    assert used["gpu", "cpu"]["capacity_b_per_s"] == 200.0
    assert used["gpu", "cpu"]["utilization"] == 1.0
    assert used["cpu", "npu"]["utilization"] == 2.0
    assert used["cpu", "gpu"]["bytes_per_s"] == 0.0


def test_a_shared_tensor_travels_once_per_destination_unit():
    shared = [message("a", "b", tensor="w"), message("a", "c", tensor="w")]
    own = [message("a", "b"), message("a", "c")]
    together, apart = route((CPU, 0), (GPU, 1), (GPU, 1)), route((CPU, 0), (GPU, 1), (GPU, 2))
    assert evaluate(graph(shared), together)["power_transfers_w"] == 100.0
    assert evaluate(graph(shared), apart)["power_transfers_w"] == 200.0
    assert evaluate(graph(own), together)["power_transfers_w"] == 200.0


def test_units_of_one_device_without_a_link_to_itself_use_the_cycle():
    found = evaluate(graph([message("a", "b")], "ab"), route((GPU, 0), (GPU, 1)))
    assert found["latency_s"] == 1 + (2 + 2) + 1
    same = evaluate(graph([message("a", "b")], "ab"), route((GPU, 0), (GPU, 0)))
    assert (same["latency_s"], same["power_transfers_w"]) == (2.0, 0.0)


def test_a_zero_copy_pool_moves_nothing():
    found = evaluate(graph([message("a", "b")], "ab", pool="dram"), route((GPU, 0), (CPU, 1)))
    assert (found["latency_s"], found["power_transfers_w"]) == (2.0, 0.0)


def test_a_staged_tensor_is_written_once_and_read_once_per_unit():
    staged = [message("a", t, tensor="w", staged=True) for t in "bcd"]
    plan = route((NPU, 0), (GPU, 0), (GPU, 1), (CPU, 3))
    found = evaluate(graph(staged, "abcd"), plan)
    # One write to the host and two reads, of 2 × 100 B/s at 0.5 J/B each; the cpu reads in place.
    assert found["power_transfers_w"] == 3 * 100.0
    assert found["latency_s"] == 1 + 4 + 2 + 1
    written = {(row["from"], row["to"]): row["bytes_per_s"] for row in found["links"]}
    assert written["npu", "cpu"] == 200.0
    assert written["cpu", "gpu"] == 400.0


def test_a_staged_tensor_from_the_host_is_not_written_and_its_own_unit_does_not_read():
    staged = [message("a", t, tensor="w", staged=True) for t in "bc"]
    found = evaluate(graph(staged), route((CPU, 0), (CPU, 1), (NPU, 0)))
    assert found["power_transfers_w"] == 100.0
    assert evaluate(graph(staged), route((GPU, 0), (GPU, 0), (GPU, 0)))["power_transfers_w"] == 0.0


def test_without_overlap_transfers_take_the_units_time_at_both_ends():
    found = evaluate(graph([message("a", "b")], "ab", overlap=False), route((GPU, 0), (NPU, 1)))
    # 2/s × (1 s task + first hop 2 s), 2/s × (1 s + last hop 4 s); the cpu between is not busy.
    assert [row["load"] for row in found["devices"]] == [0.0, 6.0, 10.0]
    staged = graph([message("a", "b", tensor="w", staged=True)], "ab", overlap=False)
    loads = [row["load"] for row in evaluate(staged, route((GPU, 0), (NPU, 1)))["devices"]]
    assert loads == [0.0, 6.0, 10.0]
    assert [row["load"] for row in evaluate(staged, route((CPU, 0), (NPU, 1)))["devices"]] == [
        *(2.0, 0.0, 10.0)
    ]


def test_pure_precedence_delays_a_route_but_moves_nothing():
    order = graph([{"from": "a", "to": "b"}, {"from": "b", "to": "c"}])
    found = evaluate(order, route((GPU, 0), (NPU, 0), (CPU, 0)))
    assert (found["latency_s"], found["power_transfers_w"]) == (3.0, 0.0)


def test_a_placement_without_a_path_cannot_be_evaluated():
    no_way = graph([message("a", "b")], "ab", links=[("cpu", "gpu", 1, 100)])
    with pytest.raises(InputError, match="from gpu to npu; no links lead there"):
        evaluate(no_way, route((GPU, 0), (NPU, 0)))


def test_links_of_one_bus_share_their_channels():
    frames = to_frames(graph([message("a", "b"), message("b", "c")]))
    frames["links"]["bus"] = "pci"
    bus = from_frames(frames, to_settings(graph([message("a", "b")], "ab")))
    found = evaluate(bus, route((CPU, 0), (GPU, 0), (CPU, 1)))
    # 200 B/s each way, of 2 channels of 100 B/s that both ways share.
    used = {(row["from"], row["to"]): row["utilization"] for row in found["links"]}
    assert used["cpu", "gpu"] == used["gpu", "cpu"] == 2.0


def test_schedule_hops_of_a_staged_tensor_are_paid_each():
    staged = make(
        {"host": "cpu"},
        devices=[{"name": n} for n in ("cpu", "gpu", "npu")],
        links=[
            {"from": "gpu", "to": "cpu", "bandwidth_b_per_s": 10.0, "energy_j_per_b": 1.0},
            {"from": "cpu", "to": "npu", "bandwidth_b_per_s": 10.0, "energy_j_per_b": 2.0},
        ],
        options=options("p", ("cpu", 1.0, 1.0), ("gpu", 1.0, 1.0), ("npu", 1.0, 1.0)),
        tasks=[{"name": "a", "profile": "p"}, {"name": "b", "profile": "p"}],
        transfers=[message("a", "b", 20.0, staged=True)],
    )
    moved = hops((0, WRITE, 0, -1, 0, 0, 1.0), (0, READ, 2, 0, 0, 1, 3.0))
    found = evaluate(staged, schedule([1, 2], [0, 0], [0, 5.0], moved))
    assert found["energy_transfers_j"] == 20 * 1 + 20 * 2
    assert [row["busy_s"] for row in found["links"]] == [2.0, 2.0]
