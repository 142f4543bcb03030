"""The event loop against queues whose mean latency is known exactly."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from hetopt import read_instance
from hetopt.evaluate.queueing.waits import erlang_c
from hetopt.instance import Floats, Instance
from hetopt.simulate.policies.plan import plan_policy
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.requests import Requests, drawn_requests
from hetopt.simulate.streams import run_streams
from hetopt.simulate.world import Setting
from hetopt.solution import SteadyPlan

COUNT = 300_000
BATCHES = 30
SURE = 0.9995
"""Seeds are fixed: what is within the interval once is so always."""


def station(folder: Path, option: str, units: int, rate: float) -> tuple[Instance, SteadyPlan]:
    path = folder / "queue.yaml"
    path.write_text(
        "hetopt: 1\nname: queue\nregime: steady\nobjective: power\n"
        f"devices: [{{name: d, kind: gpu, count: {units}, idle_power: 10 W}}]\n"
        f"profiles: {{p: [{{device: d, {option}, energy: 20 J}}]}}\n"
        f"jobs: [{{name: j, profile: p, rate: {rate}}}]\n",
        encoding="utf-8",
    )
    instance = read_instance(path)
    one, zero = np.array([1]), np.array([0])
    all_ = np.array([units])
    plan = SteadyPlan(zero, np.array([rate]), np.array([0, 1]), zero, zero, -one, all_, all_)
    return instance, plan


def latencies(
    instance: Instance,
    plan: SteadyPlan,
    work: Floats | None = None,
    shared: bool = False,
    timeout_s: float | None = None,
    count: int = COUNT,
) -> Floats:
    policy = plan_policy(instance, plan, StartUp.none(instance))
    drawn = drawn_requests(instance, "poisson", count=count, time_s=None, seed=[11])
    requests = Requests(
        drawn.time_s, drawn.job, drawn.work if work is None else work[:, None], drawn.end_s
    )
    setting = Setting(
        requests,
        np.zeros((0, 1)),
        (),
        StartUp.none(instance),
        np.array([shared]),
        timeout_s,
    )
    found: Floats = run_streams(instance, policy, setting).finish_s - requests.time_s
    return found


def assert_mean(values: Floats, exact: float) -> None:
    """Whether the exact mean lies in the interval of the batch means, warm-up left out."""
    means = np.array([part.mean() for part in np.array_split(values[len(values) // 50 :], BATCHES)])
    half = student.ppf(1 - (1 - SURE) / 2, BATCHES - 1) * means.std(ddof=1) / math.sqrt(BATCHES)
    assert abs(means.mean() - exact) <= half, (means.mean(), exact, half)
    # And the interval is narrow enough to tell one queue from another.
    assert half < 0.1 * exact


def exponential(seed: int = 5) -> Floats:
    return np.random.default_rng(seed).exponential(size=COUNT)


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_one_server_with_exponential_times(tmp_path: Path, load: float) -> None:
    values = latencies(*station(tmp_path, "time: 1 s", 1, load), exponential())
    assert_mean(values, 1.0 / (1.0 - load))


@pytest.mark.parametrize(("servers", "load"), [(3, 2.4), (20, 17.0)])
def test_many_servers_with_exponential_times(tmp_path: Path, servers: int, load: float) -> None:
    values = latencies(*station(tmp_path, "time: 1 s", servers, load), exponential())
    wait = float(erlang_c(np.array([float(servers)]), np.array([load]))[0]) / (servers - load)
    assert_mean(values, 1.0 + wait)


def test_one_server_with_equal_times(tmp_path: Path) -> None:
    values = latencies(*station(tmp_path, "time: 1 s", 1, 0.8))
    assert_mean(values, 1.0 + 0.8 / (2 * (1 - 0.8)))


def hyper() -> Floats:
    rng = np.random.default_rng(8)
    slow = rng.random(COUNT) < 0.1
    return np.where(slow, 5.5, 0.5) * rng.exponential(size=COUNT)


@pytest.mark.parametrize("work", [None, exponential(), hyper()], ids=["equal", "exp", "hyper"])
def test_shared_servers_depend_on_the_mean_time_alone(tmp_path: Path, work: Any) -> None:
    values = latencies(*station(tmp_path, "time: 1 s", 1, 0.7), work, shared=True)
    assert_mean(values, 1.0 / (1.0 - 0.7))


def test_batches_that_fill_wait_for_those_that_come_later(tmp_path: Path) -> None:
    instance, plan = station(tmp_path, "time: 2 s, batch: 4", 40, 10.0)
    values = latencies(instance, plan, timeout_s=1e9)
    done = values[np.isfinite(values)]
    assert_mean(done, (4 - 1) / (2 * 10.0) + 2.0)


def test_batches_that_time_out_wait_no_longer(tmp_path: Path) -> None:
    rate, wait = 10.0, 0.05
    instance, plan = station(tmp_path, "time: 2 s, batch: 2", 60, rate)
    values = latencies(instance, plan, timeout_s=wait)
    alone = math.exp(-rate * wait)
    # The first of a batch waits until the second comes or time is up, the second not at all.
    assert_mean(values, (1 - alone) / rate / (2 - alone) + 2.0)


def test_requests_that_join_a_batch_are_served_by_its_part_of_a_slot(tmp_path: Path) -> None:
    instance, plan = station(tmp_path, "time: 1 s, batch: 4, latency_s: 1", 1, 2.4)
    values = latencies(instance, plan, exponential())
    wait = float(erlang_c(np.array([4.0]), np.array([2.4]))[0]) / (4 - 2.4)
    assert_mean(values, 1.0 + wait)


def test_a_million_requests_take_less_than_five_seconds(tmp_path: Path) -> None:
    instance, plan = station(tmp_path, "time: 1 s", 3, 2.4)
    latencies(instance, plan, count=10_000)
    began = time.process_time()
    values = latencies(instance, plan, count=1_000_000)
    assert time.process_time() - began < 5.0
    assert len(values) == 1_000_000
