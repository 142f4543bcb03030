"""The list decoder under limits that tie units together, against enumeration and the checker."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.runtime.effort import Effort
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.list_scheduling.limited import decoder as limited_decoder
from hetopt.schedule.search.decoder_features import fits
from hetopt.schedule.search.list_annealing import LimitedAnnealing, timed_within_limits
from hetopt.solution import SchedulePlan
from hetopt.verify import verify
from tests.oracles.campaign import known
from tests.oracles.features import schedule_features

MOVES = 3_000
CHUNK = 30
TYING = frozenset(
    [
        *("pool memory", "weights", "shared weights", "working memory", "power cap", "channels"),
        *("bus", "no overlap", "renewable", "resource budget", "together", "apart", "unit pin"),
        *("zero-copy pool", "several hops", "slots", "shared tensor", "deadline", "horizon"),
    ]
)


def started(instance: Instance) -> SchedulePlan | None:
    plans = (CONSTRUCTORS[name](instance) for name in ("mct", "heft", "portfolio"))
    return next((plan for plan in plans if plan is not None), None)


def annealed(
    instance: Instance, start: SchedulePlan, seed: int
) -> tuple[SchedulePlan | None, float]:
    """Anneal; return the plan without the check that the search makes of it, and its value."""
    effort = Effort(None, MOVES)
    search = LimitedAnnealing(instance, start, effort, seed, 1, math.nan, None)
    [chain] = search.chains()
    chain.run(effort)
    value, state = chain.shown
    limits = search.table.limits
    if not math.isfinite(value):
        return None, value
    if limits is None:
        return search.plan_of(state), value
    return timed_within_limits(search.table, limits, state), value


@pytest.mark.parametrize("chunk", range(6))
def test_small_instances_reach_the_optimum_of_enumeration(chunk: int) -> None:
    tried = reached = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        instance, optimum = known("schedule", seed)
        if not fits(instance) or not limited_decoder.needed(instance):
            continue
        start = started(instance)
        if start is None:
            continue
        plan, shown = annealed(instance, start, seed)
        tried += 1
        if plan is None:
            continue
        report = verify(instance, plan)
        assert report.ok, f"seed {seed}: {report.violations}"
        value = objective_value(instance, plan, instance.objective[0])
        assert value == pytest.approx(shown, rel=1e-6, abs=1e-12), f"seed {seed}"
        assert optimum is not None
        assert value >= optimum[0] - 1e-9 * max(1.0, abs(value)), f"seed {seed}"
        reached += value <= optimum[0] + 1e-6 * max(1e-9, abs(value))
    assert tried >= 4
    assert reached >= 0.9 * tried


def test_every_limit_is_met_in_some_of_those_instances() -> None:
    seen = set[str]()
    for seed in range(6 * CHUNK):
        instance, _ = known("schedule", seed)
        if fits(instance) and limited_decoder.needed(instance):
            seen |= schedule_features(instance)
    assert seen >= TYING


def drawn(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 8])
    return {
        "tasks": int(rng.integers(5, 40)),
        "devices": int(rng.integers(2, 7)),
        "shape": str(rng.choice(["layered", "random", "fork-join", "chains", "independent"])),
        "ccr": float(rng.choice([0.0, 0.1, 1.0, 5.0])),
        "deadline_factor": [None, 1.3, 3.0][int(rng.integers(3))],
        "slots": int(rng.integers(1, 4)),
        "count": int(rng.integers(1, 4)),
        "memory": str(rng.choice(["none", "tight", "tight"])),
        "power_cap_factor": [None, 0.1, 0.3, 0.7][int(rng.integers(4))],
        "seed": seed,
    }


@pytest.mark.parametrize("seed", range(20))
def test_the_checker_accepts_plans_under_memory_and_power(seed: int) -> None:
    instance = generate_schedule(**drawn(seed))
    start = started(instance)
    if start is None:
        pytest.skip("the list schedulers have no plan to start from")
    plan, shown = annealed(instance, start, seed)
    if plan is None:
        return
    report = verify(instance, plan)
    assert report.ok, report.violations
    assert objective_value(instance, plan, "energy") == pytest.approx(shown, rel=1e-6)


@pytest.mark.parametrize("limit", [{"memory": "tight"}, {"power_cap_factor": 0.3}], ids=str)
def test_plans_under_limits_are_better_and_the_same_for_equal_seeds(limit: dict[str, Any]) -> None:
    instance = generate_schedule(50, 5, seed=3, **limit)
    start = started(instance)
    assert start is not None
    one, same = (
        LimitedAnnealing.improve(instance, start, iterations=20_000, seed=1) for _ in range(2)
    )
    assert one.plan is not None
    assert same.plan is not None
    assert verify(instance, one.plan).ok
    first, before = (objective_value(instance, p, "energy") for p in (one.plan, start))
    assert first < 0.9 * before
    assert np.array_equal(one.plan.start_s, same.plan.start_s)
    assert np.array_equal(one.plan.option, same.plan.option)
