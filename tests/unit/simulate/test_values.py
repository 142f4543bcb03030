"""Streams of which the plan serves the most valuable part: the rest is turned away, evenly."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from hetopt import evaluate, read_instance, simulate, solve
from hetopt.instance import Instance
from hetopt.report.simulations.streams import simulation_page
from hetopt.simulate.events import Arrived, State, TurnAway
from hetopt.simulate.policies.plan import plan_policy, served_parts
from hetopt.simulate.policies.start_up import StartUp
from hetopt.solution import SteadyPlan

RACK = """
hetopt: 1
regime: steady
objective: value
power_cap: 95 W
devices:
  - {name: gpu, kind: gpu, count: 2, idle_power: 10 W}
profiles:
  see: [{device: gpu, time: 10 ms, energy: 500 mJ}]
  tag: [{device: gpu, time: 5 ms, energy: 250 mJ}]
jobs:
  - {name: see, profile: see, rate: 100 /s, value: 5, latency_slo: 100 ms}
  - {name: tag, profile: tag, rate: 200 /s, value: 1}
"""
SECONDS = 20.0


@pytest.fixture(scope="module")
def rack() -> Instance:
    return read_instance("rack.yaml", text=RACK)


@pytest.fixture(scope="module")
def plan(rack: Instance) -> SteadyPlan:
    found = solve(rack, time_limit=30).plan
    assert isinstance(found, SteadyPlan)
    # 75 W above idle: 50 for what is worth most, 25 for half of the tags.
    assert served_parts(rack, found) == pytest.approx([1.0, 0.5])
    return found


def in_step() -> pd.DataFrame:
    """Return requests at equal times, as many as the rates ask for."""
    see = (np.arange(100 * SECONDS) + 0.5) / 100
    tag = (np.arange(200 * SECONDS) + 0.3) / 200
    times, jobs = np.append(see, tag), ["see"] * len(see) + ["tag"] * len(tag)
    return pd.DataFrame({"time_s": times, "job": jobs})


def test_what_is_served_and_drawn_is_what_the_plan_says(rack: Instance, plan: SteadyPlan) -> None:
    found = simulate(rack, plan, policies="plan", arrivals=in_step(), plan_for="stated")
    (run,) = found.outcomes
    told = evaluate(rack, plan)
    assert run.totals["turned_away"] == pytest.approx(100 * SECONDS, abs=1)
    assert run.totals["unserved"] == 0
    assert run.totals["value"] / SECONDS == pytest.approx(5 * 100 + 100, abs=1 / SECONDS)
    assert run.totals["mean_power_w"] == pytest.approx(told["power_w"], rel=2e-3)
    assert {row["job"]: row["turned_away"] for row in run.jobs} == {"see": 0, "tag": 2000}
    assert run.totals["misses"] == 0.0
    assert found.bounds == ()
    assert any("turned away" in note for note in found.notes)


def test_all_policies_turn_away_what_their_plan_leaves(rack: Instance) -> None:
    names = ("plan", "greedy", "energy-greedy", "price", "rolling", "homogeneous")
    found = simulate(rack, policies=names, requests=3000, seed=2)
    assert set(found.policies) >= {"plan", "greedy", "energy-greedy", "price", "rolling"}
    for run in found.outcomes:
        totals = run.totals
        assert totals["turned_away"] + totals["served"] == totals["requests"]
        assert 0.3 < totals["turned_away"] / totals["requests"] < 0.45 or run.policy == "rolling"
        assert totals["value"] <= totals["value_asked"]
        assert totals["turned_away"] > 0
    assert "requests were turned away" in str(found)
    assert np.isnan(found.latencies["plan"]).sum() == found.outcomes[0].totals["turned_away"]
    assert "Power over time" in simulation_page(found)


def test_a_policy_says_who_is_turned_away(rack: Instance, plan: SteadyPlan) -> None:
    policy = plan_policy(rack, plan, StartUp.none(rack), admit=served_parts(rack, plan))
    answers = [policy.decide(State(0.0), Arrived(0.0, "tag", str(i))) for i in range(10)]
    away = [isinstance(actions[0], TurnAway) for actions in answers]
    assert sum(away) == 5
    assert not any(a and b for a, b in itertools.pairwise(away))


def test_a_job_of_which_nothing_is_served_needs_no_route(rack: Instance) -> None:
    capped = rack.with_limits(power_cap_w=60.0)
    found = simulate(capped, policies=["plan", "rolling"], requests=600)
    for run in found.outcomes:
        tags = next(row for row in run.jobs if row["job"] == "tag")
        assert tags["turned_away"] == int((found.requests.job == 1).sum())
