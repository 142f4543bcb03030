"""Waiting times: against exact formulas and a simulation, and what plans say of them."""

from __future__ import annotations

import heapq
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from hetopt import from_frames
from hetopt.evaluate import evaluate
from hetopt.evaluate.queueing.waits import Queues, erlang_c, waits
from hetopt.instance import Floats, Instance
from hetopt.report.terminal.solution import solution_view
from hetopt.solve import solve

CUSTOMERS = 60_000


def queue(servers: int, per_s: list[float], service_s: list[float]) -> Queues:
    """One queue with classes of customers of constant service times."""
    n = len(per_s)
    keys = (np.zeros(n, dtype=np.int64),)
    return waits(keys, np.full(n, float(servers)), np.array(per_s), np.array(service_s))[1]


def simulated(servers: int, per_s: float, service_s: Floats, rng: np.random.Generator) -> Floats:
    """Waits of customers that come as a Poisson stream and are served in their order."""
    arrival = np.cumsum(rng.exponential(1.0 / per_s, len(service_s)))
    free = [0.0] * servers
    found = np.empty(len(service_s))
    for k, (at, takes) in enumerate(zip(arrival.tolist(), service_s.tolist(), strict=True)):
        begin = max(at, free[0])
        heapq.heapreplace(free, begin + takes)
        found[k] = begin - at
    return found[len(found) // 20 :]


@pytest.mark.parametrize(("servers", "load", "delayed"), [(1, 0.7, 0.7), (2, 1.0, 1 / 3)])
def test_erlangs_formula_at_known_values(servers: int, load: float, delayed: float) -> None:
    assert erlang_c(np.array([float(servers)]), np.array([load]))[0] == pytest.approx(delayed)


def test_erlangs_formula_is_the_recursion_at_any_number_of_servers() -> None:
    servers, load = np.array([3, 40, 1000, 20000.0]), np.array([2.4, 36.0, 990.0, 19900.0])
    expected = []
    for c, a in zip(servers.tolist(), load.tolist(), strict=True):
        inverse = 1.0
        for k in range(1, int(c) + 1):
            inverse = 1.0 + inverse * k / a
        expected.append(1.0 / (1.0 + (inverse - 1.0) * (1.0 - a / c)))
    assert erlang_c(servers, load) == pytest.approx(expected, rel=1e-9)


def test_one_server_waits_by_pollaczek_and_khinchine() -> None:
    # M/D/1: half the wait of M/M/1; a mixture adds its variance.
    assert queue(1, [8.0], [0.1]).mean_wait_s[0] == pytest.approx(0.8 * 0.1 / 0.2 / 2)
    mixed = queue(1, [4.0, 1.0], [0.1, 0.3])
    assert mixed.mean_wait_s[0] == pytest.approx((4 * 0.01 + 1 * 0.09) / 2 / (1 - 0.7))


def test_exponential_service_is_met_by_simulation() -> None:
    # Two classes stand for no exponential time, so the formulas are asked with variation 1 here.
    rng = np.random.default_rng(7)
    service = rng.exponential(1.0, 3 * CUSTOMERS)
    found = simulated(3, 2.4, service, rng)
    delayed = float(erlang_c(np.array([3.0]), np.array([2.4]))[0])
    assert np.mean(found > 0) == pytest.approx(delayed, rel=0.05)
    assert found.mean() == pytest.approx(delayed / 0.6, rel=0.1)
    assert np.quantile(found, 0.99) == pytest.approx(math.log(delayed / 0.01) / 0.6, rel=0.1)


@pytest.mark.parametrize(("servers", "rates"), [(1, [4.0, 1.0]), (4, [16.0, 4.0])])
def test_a_mixture_of_constant_times_is_close_to_simulation(
    servers: int, rates: list[float]
) -> None:
    rng = np.random.default_rng(11)
    service = np.where(rng.random(CUSTOMERS) < rates[0] / sum(rates), 0.1, 0.3)
    found = simulated(servers, sum(rates), service, rng)
    estimate = queue(servers, rates, [0.1, 0.3])
    assert estimate.mean_wait_s[0] == pytest.approx(found.mean(), rel=0.12)
    assert estimate.p99_wait_s[0] == pytest.approx(np.quantile(found, 0.99), rel=0.15)


def test_rare_services_that_take_long_lengthen_the_tail() -> None:
    # One server, and one request in 70 that takes eleven times as long: that is the tail.
    rng = np.random.default_rng(5)
    service = np.where(rng.random(5 * CUSTOMERS) < 0.25 / 17.24, 0.132, 0.012)
    found = np.quantile(simulated(1, 17.24, service, rng), 0.99)
    estimate = queue(1, [16.99, 0.25], [0.012, 0.132]).p99_wait_s[0]
    assert found <= estimate <= 1.25 * found


def test_estimates_of_random_queues_err_on_the_long_side_and_not_by_much() -> None:
    rng = np.random.default_rng(23)
    ratios = []
    for servers in (1, 1, 2, 2, 3, 4, 6, 8, 12, 20):
        times = 10 ** rng.uniform(-2.5, -0.5, 3)
        share = rng.dirichlet(np.ones(3))
        rates = share / (share @ times) * float(rng.uniform(0.5, 0.85)) * servers
        service = rng.choice(times, 2 * CUSTOMERS, p=share)
        waited = np.quantile(simulated(servers, float(rates.sum()), service, rng), 0.99)
        estimate = queue(servers, rates.tolist(), times.tolist()).p99_wait_s[0]
        # Latencies of the class that is served soonest, of which waiting is the largest part.
        ratios.append((estimate + times.min()) / (waited + times.min()))
    assert min(ratios) > 0.93
    assert np.median(ratios) < 1.1


def test_requests_that_join_a_running_batch_take_a_part_of_a_server() -> None:
    # Two servers of batches of 8: as 16 servers of one request each.
    keys, one = (np.zeros(1, dtype=np.int64),), np.ones(1)
    _, joined = waits(keys, 2 * one, 140 * one, 0.1 * one, one / 8)
    alone = queue(16, [140.0], [0.1])
    assert joined.servers[0] == pytest.approx(16)
    assert joined.mean_wait_s[0] == pytest.approx(alone.mean_wait_s[0])
    instance = rack(latency=0.04)
    solution = solve(instance, time_limit=20, workers=1)
    (queued,) = solution.quantities["queues"]
    assert queued["utilization"] == pytest.approx(0.75)
    assert queued["servers"] == pytest.approx(2 * (0.75 + 3.0) / 1.5)


def test_a_full_queue_never_ends_and_a_nearly_empty_one_has_no_tail() -> None:
    assert math.isinf(queue(2, [20.0], [0.1]).p99_wait_s[0])
    assert queue(8, [1.0], [0.1]).p99_wait_s[0] == 0.0


def rack(**more: Any) -> Instance:
    """Two jobs of two tasks on boxes of which two are needed."""
    batched: dict[str, Any] = {"time_s": 0.04, "batch": 4, "latency_s": more.pop("latency", np.nan)}
    device = {"name": "box", "count_min": 0, "count_max": 4, "idle_power_w": 50.0}
    frames = {
        "devices": [device | more.pop("device", {})],
        "options": [
            {"profile": "a", "device": "box", "time_s": 0.01, "energy_j": 1.0},
            {"profile": "b", "device": "box", "energy_j": 1.0} | batched,
        ],
        "tasks": [{"name": "a", "job": "j"}, {"name": "b", "job": "j"}],
        "transfers": [{"from": "a", "to": "b"}],
        "jobs": [{"name": "j", "rate_per_s": 75.0, "latency_slo_s": 0.1}],
    }
    settings = {"regime": "steady", "objective": "power"} | more
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def test_a_plan_adds_the_wait_before_each_task_to_the_latency() -> None:
    instance = rack()
    solution = solve(instance, time_limit=20, workers=1)
    (queued,), (job,) = solution.quantities["queues"], solution.quantities["queueing"]
    # 75/s take 10 ms each, 18.75 batches/s 40 ms: a load of 1.5 on two boxes.
    expected = queue(2, [75.0, 18.75], [0.01, 0.04])
    assert (queued["device"], queued["unit"], queued["servers"]) == ("box", None, 2)
    assert queued["utilization"] == pytest.approx(0.75)
    assert queued["mean_wait_s"] == pytest.approx(expected.mean_wait_s[0])
    latency = 0.01 + 2 * 0.04
    assert job["mean_latency_s"] == pytest.approx(latency + 2 * expected.mean_wait_s[0])
    assert job["p99_latency_s"] == pytest.approx(latency + 2 * expected.p99_wait_s[0])
    console = Console(width=120, record=True)
    console.print(solution_view(instance, solution))
    assert "p99 latency is beyond the limit: j" in console.export_text()


def test_reserved_time_slows_servers_and_exclusive_units_queue_per_job() -> None:
    reserved = solve(rack(device={"reserved": 0.2}), time_limit=20, workers=1)
    (slow,) = reserved.quantities["queues"]
    expected = queue(slow["servers"], [75.0, 18.75], [0.01 / 0.8, 0.04 / 0.8])
    assert slow["mean_wait_s"] == pytest.approx(expected.mean_wait_s[0])
    alone = solve(rack(device={"exclusive": True}), time_limit=20, workers=1)
    (own,) = alone.quantities["queues"]
    assert (own["job"], own["servers"]) == ("j", 2)


def test_the_latency_of_a_full_device_is_null() -> None:
    instance = rack(device={"count_min": 1, "count_max": 1}, objective="throughput")
    solution = solve(instance, time_limit=20, workers=1)
    assert solution.plan is not None
    (job,) = evaluate(instance, solution.plan)["queueing"]
    assert (job["mean_latency_s"], job["p99_latency_s"]) == (None, None)
