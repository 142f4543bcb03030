"""Least peak power by caps that fall: what it reaches, what it leaves alone, that it repeats."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hetopt import solve
from hetopt.evaluate import objective_value
from hetopt.generate import generate_schedule
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget
from hetopt.schedule.bounds.objective_bounds import bound
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.search.decoder_features import why_unsupported
from hetopt.schedule.search.peak.falling_caps import FallingCaps
from hetopt.schedule.search.registry import local_search_of
from hetopt.schedule.stages import lower_peak
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

MOVES = 60_000


def layered(ccr: float = 0.1) -> Instance:
    made = generate_schedule(
        tasks=25, devices=3, shape="layered", ccr=ccr, deadline_factor=1.5, seed=0
    )
    return made.with_objective("peak_power")


def started(instance: Instance) -> SchedulePlan:
    plan = CONSTRUCTORS["portfolio"](instance)
    assert isinstance(plan, SchedulePlan)
    return plan


@pytest.mark.parametrize("ccr", [0.0, 0.1])
def test_the_peak_falls_far_below_that_of_list_schedules_and_not_below_the_bound(
    ccr: float,
) -> None:
    instance = layered(ccr)
    start = started(instance)
    found = FallingCaps.improve(instance, start, iterations=MOVES).plan
    assert found is not None
    assert verify(instance, found).ok
    peak = objective_value(instance, found, "peak_power")
    assert peak < 0.8 * objective_value(instance, start, "peak_power")
    assert peak >= bound(instance, "peak_power")


def test_so_many_moves_from_one_seed_lead_to_one_plan() -> None:
    instance = layered()
    one, other = (
        FallingCaps.improve(instance, started(instance), iterations=5_000, seed=3).plan
        for _ in range(2)
    )
    assert one is not None
    assert other is not None
    assert np.array_equal(one.start_s, other.start_s)
    assert np.array_equal(one.option, other.option)


def test_a_plan_under_a_cap_of_its_own_stays_under_it() -> None:
    instance = layered()
    first = FallingCaps.improve(instance, started(instance), iterations=MOVES).plan
    assert first is not None
    peak = objective_value(instance, first, "peak_power")
    capped = instance.with_limits(power_cap_w=1.2 * peak)
    solution = solve(capped, method="peak", time_limit=2.0, deterministic=True)
    assert isinstance(solution.plan, SchedulePlan)
    assert verify(capped, solution.plan).ok
    assert solution.objective <= 1.2 * peak


def test_only_the_peak_power_of_what_the_decoder_knows_is_searched_for() -> None:
    instance = layered()
    entry = local_search_of(instance)
    assert entry is not None
    assert entry.name == "peak"
    assert not FallingCaps.fits(instance.with_objective("energy", "peak_power"))
    staged = replace(instance.tensors, staged=np.ones(len(instance.tensors), dtype=np.bool_))
    unknown = replace(instance, tensors=staged, host=0)
    assert not FallingCaps.fits(unknown)
    assert why_unsupported(unknown) == "staged tensors"


def test_as_a_later_objective_the_peak_falls_and_the_makespan_is_held() -> None:
    instance = layered().with_objective("makespan", "peak_power")
    best = Incumbent.unbounded(instance, Budget(math.inf, deterministic=True, limit_s=3.0))
    plan = CONSTRUCTORS["heft"](instance)
    assert plan is not None
    best.offer(plan, "heft")
    best.bounds, (makespan, peak) = [0.0, 0.0], best.values
    lower_peak(best)
    assert best.values == (makespan, peak)
    best.level = 1
    lower_peak(best)
    assert best.values[0] <= makespan * (1 + 1e-9)
    assert best.values[1] < peak
