"""Schedules against exhaustive enumeration, on 200 random tiny instances."""

from __future__ import annotations

import pytest

from hetopt.evaluate import objectives
from hetopt.instance import is_maximised
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.verify import verify
from tests.oracles.campaign import known, run_chunk
from tests.oracles.features import schedule_features
from tests.random_schedules import random_schedule

CHUNK = 10
CHUNKS = 21
"""Somewhat more than 200, as the oracle passes over the few that it finds too hard."""
FEATURES = frozenset(
    [
        *("apart", "together", "pin", "unit pin", "forbid", "count", "count range", "slots"),
        *("precedence", "message", "shared tensor", "staged", "several hops", "self link"),
        *("cycle", "channels", "bus", "zero-copy pool", "pool memory", "no overlap", "weights"),
        *("shared weights", "working memory", "release", "deadline", "due", "horizon"),
        *("power cap", "always on", "min accuracy", "price", "energy price", "several options"),
        *("time 0", "work", "several jobs", "list of objectives", "infinite bandwidth"),
        *("energy price over time", "carbon over time"),
        *("renewable", "resource budget"),
        *("energy", "makespan", "cost", "carbon", "tardiness", "peak_power", "accuracy"),
    ]
)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_solve_agrees_with_enumeration(chunk: int) -> None:
    run_chunk("schedule", range(chunk * CHUNK, (chunk + 1) * CHUNK))


@pytest.mark.parametrize("chunk", range(3))
def test_solve_agrees_with_enumeration_of_all_starts_under_prices_over_time(chunk: int) -> None:
    seeds = range(1000 + 150 * chunk, 1000 + 150 * (chunk + 1))
    priced = [seed for seed in seeds if prices_vary(random_schedule(seed)[0])]
    assert len(priced) >= 8
    run_chunk("schedule", priced)


def test_every_feature_is_switched_on_in_some_of_the_instances() -> None:
    seen = set[str]()
    for seed in range(CHUNK * CHUNKS):
        seen |= schedule_features(random_schedule(seed)[0])
    assert seen >= FEATURES


@pytest.mark.parametrize("name", sorted(CONSTRUCTORS))
@pytest.mark.parametrize("chunk", range(4))
def test_constructed_plans_are_valid_and_no_better_than_the_optimum(chunk: int, name: str) -> None:
    built = 0
    for seed in range(chunk * 25, (chunk + 1) * 25):
        instance, optimum = known("schedule", seed)
        plan = CONSTRUCTORS[name](instance)
        if plan is None:
            continue
        built += 1
        report = verify(instance, plan)
        assert report.ok, f"seed {seed}: {report.violations}"
        assert optimum is not None, f"seed {seed}: a plan of an infeasible instance"
        value, first = objectives(instance, plan)[0], instance.objective[0]
        short = optimum[0] - value if not is_maximised(first) else value - optimum[0]
        assert short <= 1e-9 * max(1.0, abs(value)), f"seed {seed}: {first} {value} < {optimum}"
    assert built >= 10
