"""Large neighbourhood search, and the neighbourhoods on their own."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.schedule import strategies
from hetopt.schedule.cpsat import lns
from hetopt.schedule.cpsat.neighbourhoods import PICKERS, View
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS, plan_problem
from hetopt.schedule.model.tick_schedule import tick_schedule_of
from hetopt.solution import SchedulePlan
from hetopt.solve import solve


@pytest.fixture(scope="module")
def instance() -> Instance:
    made = generate_schedule(30, 4, seed=2, count=2, memory="tight")
    return replace(made, objective=("energy",))


@pytest.fixture(scope="module")
def start(instance: Instance) -> SchedulePlan:
    plan = CONSTRUCTORS["heft"](instance)
    assert plan is not None
    return plan


@pytest.mark.parametrize("name", sorted(PICKERS))
@pytest.mark.parametrize("size", [1, 7, 30, 100])
def test_a_neighbourhood_has_distinct_tasks_and_no_more_than_asked(
    instance: Instance, start: SchedulePlan, name: str, size: int
) -> None:
    schedule = tick_schedule_of(plan_problem(instance), start)
    assert schedule is not None
    for seed in range(5):
        freed = PICKERS[name](View(schedule), size, random.Random(seed))
        assert len(set(freed)) == len(freed)
        assert 1 <= len(freed) <= size
        assert set(freed) <= set(range(len(instance.tasks)))


@pytest.fixture(scope="module")
def small() -> Instance:
    """So small that a deterministic second has room for repairs."""
    made = generate_schedule(10, 4, seed=2, count=2, memory="tight")
    return replace(made, objective=("energy",))


def test_repairs_better_a_plan_under_memory_limits(
    small: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without list schedulers nothing but repairs betters what HEFT began with.
    begun = CONSTRUCTORS["heft"](small)
    assert begun is not None
    monkeypatch.setattr(strategies, "construct", lambda *rest: None)
    monkeypatch.setattr(lns, "SIZE", 4.0)
    answer = solve(small, method="lns", time_limit=1, start=begun, deterministic=True)
    assert answer.method == "lns"
    assert answer.objective < 0.9 * objective_value(small, begun, "energy")
    assert answer.bound <= answer.objective * (1 + 1e-6)


def test_equal_seeds_give_equal_repairs_when_deterministic(
    small: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lns, "SIZE", 4.0)
    plans = [solve(small, method="lns", time_limit=1, deterministic=True).plan for _ in "ab"]
    first, second = plans
    assert isinstance(first, SchedulePlan)
    assert isinstance(second, SchedulePlan)
    assert np.array_equal(first.start_s, second.start_s)
    assert np.array_equal(first.option, second.option)
