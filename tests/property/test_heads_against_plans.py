"""Least times before and after tasks hold in every valid plan of random instances."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objectives
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.schedule.bounds.objective_bounds import makespan_bound, reach_of
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS, plan_problem
from hetopt.schedule.search.best_insertion import BestInsertion, fits
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify
from tests.random_schedules import random_schedule

improve = BestInsertion.improve

CHUNK = 50
CHUNKS = 3
BOUNDED = 10
"""Plans of instances with messages that a chunk must have at least."""


def check(instance: Instance, plan: SchedulePlan) -> bool:
    """Assert that a valid plan starts nothing too early; say whether there was a bound."""
    assert verify(instance, plan).ok
    options = instance.options
    time_s = instance.tasks.work * options.time_s[plan.option]
    last = float((plan.start_s + time_s).max(initial=0.0))
    slack = GAP_TOLERANCE * last
    assert makespan_bound(instance) <= last + slack
    found = reach_of(instance)
    if found is None:
        return False
    at = np.arange(len(plan.option)), options.device[plan.option]
    assert (found.start[at] <= plan.start_s + slack).all()
    assert (found.rest[at] <= last - plan.start_s - time_s + slack).all()
    problem = plan_problem(instance)
    tick = float(problem.grid.tick)
    for task, device in enumerate(at[1].tolist()):
        end = float(plan.start_s[task] + time_s[task])
        assert TimeWindows.of(problem).heads[task][device] * tick <= plan.start_s[task] + slack
        assert TimeWindows.of(problem).latest_ends[task][device] * tick >= end - slack - tick
    return True


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_plans_of_all_features_keep_to_the_bounds(chunk: int) -> None:
    bounded = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        instance, _ = random_schedule(seed)
        if not len(instance.tensors):
            continue
        for constructor in CONSTRUCTORS.values():
            plan = constructor(instance)
            if plan is not None:
                bounded += check(instance, plan)
    assert bounded >= BOUNDED


@pytest.mark.parametrize("seed", range(12))
def test_plans_of_searches_keep_to_the_bounds(seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    instance = generate_schedule(
        int(rng.integers(4, 14)),
        int(rng.integers(1, 4)),
        shape=str(rng.choice(["layered", "random", "fork-join", "chains"])),
        ccr=float(rng.choice([0.3, 1.0, 4.0])),
        deadline_factor=None,
        slots=int(rng.integers(1, 3)),
        count=int(rng.integers(1, 4)),
        seed=seed,
    )
    shortest = replace(instance, objective=("makespan",))
    plan = improve(shortest, None, iterations=3_000, seed=seed).plan
    assert fits(shortest)
    assert plan is not None
    assert check(shortest, plan)


@pytest.mark.parametrize("seed", range(8))
def test_the_bound_with_messages_is_at_most_the_optimum(seed: int) -> None:
    instance = generate_schedule(7, 3, shape="random", ccr=3.0, deadline_factor=None, seed=seed)
    shortest = replace(instance, objective=("makespan",))
    best = solve(shortest, method="cpsat", time_limit=20, workers=1)
    assert best.status == "optimal"
    assert isinstance(best.plan, SchedulePlan)
    found = reach_of(shortest)
    assert found is not None
    assert math.isfinite(found.makespan)
    assert found.makespan <= objectives(shortest, best.plan, ("makespan",))[0] * (1 + GAP_TOLERANCE)
