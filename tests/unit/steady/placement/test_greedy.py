"""Simple placements that hold, and a bound that no plan exceeds."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, solve, to_frames, verify
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.steady.placement.extract_plan import served_most
from hetopt.steady.placement.greedy import greedy_placement, throughput_bound
from tests.random_streams import random_stream

CHAIN = 12


def chain(objective: str = "throughput", **device: float) -> Instance:
    """A chain of equal tasks on three units, each message a quarter of a task."""
    frames = {
        "devices": [{"name": "d", "count": 3, "idle_power_w": 1.0, "overlap": False, **device}],
        "links": [{"from": "d", "to": "d", "bandwidth_b_per_s": 100.0}],
        "options": [{"profile": "p", "device": "d", "time_s": 0.1, "energy_j": 1.0}],
        "tasks": [{"name": f"t{k}", "profile": "p"} for k in range(CHAIN)],
        "transfers": [{"from": f"t{k}", "to": f"t{k + 1}", "bytes": 2.5} for k in range(CHAIN - 1)],
        "jobs": [{"name": "job", "rate_per_s": 0.5}],
    }
    return from_frames(
        {name: pd.DataFrame(rows) for name, rows in frames.items()},
        {"regime": "steady", "objective": objective, "routing": "single"},
    )


def greedy(instance: Instance):
    return greedy_placement(instance, lambda plan: served_most(instance, plan), lambda: False)


def test_a_chain_is_cut_into_pieces_along_its_order() -> None:
    instance = chain()
    plan = greedy(instance)
    assert plan is not None
    assert plan.unit.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    report = verify(instance, plan)
    assert report.ok, report.violations
    # The middle piece works 0.4 s, reads and writes 0.025 s each.
    assert report.objectives["throughput"] == pytest.approx(1 / 0.45)


def test_where_power_counts_one_unit_that_suffices_is_best() -> None:
    instance = chain("power")
    plan = greedy(instance)
    assert plan is not None
    assert plan.units_on.tolist() == [1]
    assert verify(instance, plan).objectives["power"] == pytest.approx(1 + 0.5 * CHAIN)


def test_no_plan_is_given_where_none_of_the_simple_ones_holds() -> None:
    assert greedy(chain("power", max_utilization=0.1)) is None


@pytest.mark.parametrize("seed", range(300, 340))
def test_random_placements_hold_and_stay_below_the_bound(seed: int) -> None:
    instance = random_stream(seed)
    if instance.routing != "single":
        return
    plan = greedy(instance)
    if plan is None:
        return
    report = verify(instance, plan)
    assert report.ok, report.violations
    most = throughput_bound(instance)
    if not math.isnan(most):
        assert report.objectives["throughput"] <= most * (1 + 1e-9)


def test_a_search_whose_time_ends_while_its_model_is_built_has_plan_and_bound() -> None:
    instance = chain()
    big = 400
    frames = to_frames(instance)
    frames["tasks"] = pd.DataFrame([{"name": f"t{k}", "profile": "p"} for k in range(big)])
    frames["transfers"] = pd.DataFrame(
        [
            {"from": f"t{k}", "to": f"t{j}", "bytes": 2.5}
            for k in range(big)
            for j in range(k + 1, min(big, k + 9))
        ]
    )
    settings = {"regime": "steady", "objective": "throughput", "routing": "single"}
    made = from_frames(frames, settings)
    began = time.monotonic()
    solution = solve(made, time_limit=1.0)
    assert solution.plan is not None
    assert solution.objective <= solution.bound
    assert solution.bound <= 3 / (0.1 * big) * (1 + 1e-6)
    assert time.monotonic() - began < 10


def test_the_bound_is_units_over_the_least_work_of_a_request() -> None:
    assert throughput_bound(chain()) == pytest.approx(3 / (0.1 * CHAIN))
    free = chain()
    free = replace(free, devices=replace(free.devices, count_max=np.array([NO_MAXIMUM])))
    assert math.isnan(throughput_bound(free))
