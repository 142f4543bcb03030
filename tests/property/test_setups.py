"""Schedules whose units are set up between configurations, against enumeration of orders."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hetopt.evaluate import objectives
from hetopt.evaluate.setups import setup_runs
from hetopt.instance import is_maximised
from hetopt.instance.states.setups import device_setups
from hetopt.runtime.effort import Effort
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.model.features import features
from hetopt.schedule.search.list_annealing import LimitedAnnealing
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify
from tests.oracles.campaign import IDLING_SETUPS, SETUPS, known, run_chunk
from tests.setup_schedules import setup_schedule

CHUNK = 8


@pytest.mark.parametrize("chunk", range(3))
def test_solve_agrees_with_enumeration_of_orders(chunk: int) -> None:
    run_chunk(SETUPS, range(chunk * CHUNK, (chunk + 1) * CHUNK))


def test_set_ups_meet_other_features() -> None:
    seen: dict[str, int] = {}
    for seed in range(150):
        instance, _ = setup_schedule(seed)
        if not device_setups(instance):
            continue
        for name in (
            *features(instance),
            *(["a deadline"] if np.isfinite(instance.jobs.deadline_s).any() else []),
            *instance.objective,
        ):
            seen[name] = seen.get(name, 0) + 1
    for name in (
        *("a power cap", "prices that change over time", "messages", "memory limits"),
        *("transfers that hold slots (overlap: false)", "link channels", "staged tensors"),
        *("a deadline", "resources", "energy", "makespan", "cost", "peak_power", "tardiness"),
    ):
        assert seen.get(name, 0) >= 3, (name, seen)


def test_best_plans_of_some_instances_need_set_ups() -> None:
    needed = 0
    for seed in range(12):
        instance, _ = setup_schedule(seed)
        plan = solve(instance, time_limit=10, workers=1, seed=seed).plan
        needed += isinstance(plan, SchedulePlan) and len(setup_runs(instance, plan)) > 0
    assert needed >= 2


@pytest.mark.parametrize("name", ["heft", "energy-greedy"])
def test_list_schedules_are_valid_and_no_better_than_the_optimum(name: str) -> None:
    built = 0
    for seed in range(30):
        instance, optimum = known(SETUPS, seed)
        plan = CONSTRUCTORS[name](instance)
        if plan is None:
            continue
        built += 1
        report = verify(instance, plan)
        assert report.ok, f"seed {seed}: {report.violations}"
        assert optimum is not None
        value, first = objectives(instance, plan)[0], instance.objective[0]
        short = optimum[0] - value if not is_maximised(first) else value - optimum[0]
        assert short <= 1e-9 * max(1.0, abs(value)), f"seed {seed}: {first} {value} < {optimum}"
    assert built >= 10


def test_annealing_counts_set_ups_as_plans_do_and_is_no_better_than_the_optimum() -> None:
    tried = 0
    for seed in range(60):
        instance, _ = setup_schedule(seed)
        plan = CONSTRUCTORS["heft"](instance)
        if plan is None or not LimitedAnnealing.fits(instance):
            continue
        tried += 1
        effort = Effort.of(None, 200, 200, None)
        search = LimitedAnnealing(instance, plan, effort, seed, 1, math.nan, None)
        chains = search.chains()
        search.go(chains)
        value, state = chains[0].shown
        found = search.plan_of(state)
        if found is None:
            assert math.isinf(value)
            continue
        assert verify(instance, found).ok
        got = objectives(instance, found)[0]
        # A first objective that counts prices of units had beyond those used is a constant off.
        if instance.objective[0] != "cost":
            assert value == pytest.approx(got, rel=1e-9, abs=1e-9), f"seed {seed}"
        optimum = known(SETUPS, seed)[1]
        assert optimum is not None
        assert got >= optimum[0] - 1e-9 * abs(got), f"seed {seed}"
    assert tried >= 8


def test_set_ups_beside_sleep_and_start_ups_agree_with_enumeration() -> None:
    run_chunk(IDLING_SETUPS, range(12))
