"""Two ways to the same objectives: `evaluate` and the checker share no code but must agree."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.evaluate import evaluate, objectives
from hetopt.instance import SCHEDULE_OBJECTIVES, STEADY_OBJECTIVES, Instance
from hetopt.solution import Hops, SchedulePlan, SteadyPlan
from hetopt.verify import verify

NAMES = ("cpu", "gpu", "npu")
COUNT = 3


def random_instance(rng: random.Random, regime: str) -> Instance:
    steady = regime == "steady"
    tasks = [
        {"name": f"t{t}", "profile": "pq"[t % 2], "job": f"j{t // 3}", "work": rng.choice([1, 0.3])}
        for t in range(6)
    ]
    pairs = [(t, u) for t in range(6) for u in range(t + 1, 6) if t // 3 == u // 3]
    staged = {t: rng.random() < 0.3 for t in range(6)}
    transfers = [
        {
            "from": f"t{t}",
            "to": f"t{u}",
            "tensor": f"w{t}" if t % 2 or staged[t] else "",
            "bytes": 10.0 + t,
            "staged": staged[t],
        }
        for t, u in pairs
        if rng.random() < 0.7
    ]
    ends = [("cpu", "gpu"), ("gpu", "cpu"), ("cpu", "npu"), ("npu", "cpu")]
    if rng.random() < 0.5:
        ends += [("gpu", "gpu"), ("cpu", "npu"), ("gpu", "npu")]
    frames = {
        "pools": [{"name": "dram", "zero_copy": rng.random() < 0.5}],
        "devices": [
            {
                "name": n,
                "count_min": rng.choice([1, COUNT]),
                "count_max": COUNT,
                "idle_power_w": rng.random(),
                "price_per_s": rng.random(),
                "off_when_unused": rng.random() < 0.5,
                "overlap": rng.random() < 0.5,
                "memory_pool": "dram" if n != "gpu" and rng.random() < 0.5 else "",
            }
            for n in NAMES
        ],
        "links": [
            {
                "from": a,
                "to": b,
                "latency_s": rng.choice([0, 0.25]),
                "bandwidth_b_per_s": rng.choice([10.0, 30.0]),
                "energy_j_per_b": rng.random(),
            }
            for a, b in ends
        ],
        "options": [
            {
                "profile": p,
                "device": n,
                "time_s": rng.random() + 0.1,
                "energy_j": 3.0,
                "batch": rng.choice([1, 4]) if steady else 1,
                "accuracy": rng.random(),
            }
            for p in "pq"
            for n in NAMES
        ],
        "tasks": tasks,
        "transfers": transfers,
        "jobs": [
            {"name": f"j{j}", "weight": 1.0 + j}
            | ({"rate_per_s": 1.0 + j} if steady else {"due_s": rng.choice([1.0, 9.0])})
            for j in range(2)
        ],
    }
    settings = {"regime": regime, "host": "cpu", "pue": 1.5, "energy_price_per_j": 0.25}
    settings["carbon_kg_per_j"] = 0.125
    if steady:
        settings["routing"] = rng.choice(["split", "single"])
    elif rng.random() < 0.5:
        settings["horizon_s"] = 100.0
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


@pytest.mark.parametrize("seed", range(40))
def test_objectives_of_any_schedule_are_those_of_the_checker(seed):
    rng = random.Random(seed)
    instance = random_instance(rng, "schedule")
    option = np.array([(t % 2) * 3 + rng.randrange(3) for t in range(6)])
    unit = np.array([rng.randrange(COUNT) for _ in range(6)])
    hops = Hops.empty()
    if len(instance.tensors):
        # Any hop of a tensor on any link is paid, needed or not.
        tensor = np.array([rng.randrange(len(instance.tensors)) for _ in range(3)])
        link = np.array([rng.randrange(len(instance.links)) for _ in range(3)])
        zeros = np.zeros(3, dtype=np.int64)
        hops = Hops(tensor, zeros, instance.links.dst[link], zeros, zeros, link, np.ones(3))
    plan = SchedulePlan(option, unit, np.array([rng.randrange(4) / 4 for _ in range(6)]), hops)
    checked = verify(instance, plan).objectives
    found = dict(
        zip(SCHEDULE_OBJECTIVES, objectives(instance, plan, SCHEDULE_OBJECTIVES), strict=True)
    )
    assert found.pop("value") == 0.0, "no job states one"
    assert found == pytest.approx(checked, rel=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_objectives_of_any_steady_plan_are_those_of_the_checker(seed):
    rng = random.Random(seed)
    instance = random_instance(rng, "steady")
    jobs, rows, ptr = [0, 1, 1], [], [0]
    for job in jobs:
        units = {device: rng.randrange(2) for device in range(3)}
        for task in range(3 * job, 3 * job + 3):
            device = rng.randrange(3)
            unit = units[device] if instance.routing == "split" else rng.randrange(2)
            rows.append((task, (task % 2) * 3 + device, unit))
        ptr.append(len(rows))
    task, option, unit = np.array(rows).T
    had = np.array([rng.randint(2, COUNT) for _ in NAMES])
    on = np.where(instance.devices.off_when_unused, 2, had)
    rates = np.array([rng.random() for _ in jobs])
    plan = SteadyPlan(np.array(jobs), rates, np.array(ptr), task, option, unit, on, had)
    checked = verify(instance, plan).objectives
    found = dict(zip(STEADY_OBJECTIVES, objectives(instance, plan, STEADY_OBJECTIVES), strict=True))
    assert found.pop("value") == 0.0, "no job states one"
    assert found == pytest.approx(checked, rel=1e-12)
    whole = evaluate(instance, plan)
    assert whole["power_w"] == pytest.approx(
        whole["idle_power_w"] + whole["power_options_w"] + whole["power_transfers_w"]
    )
