"""Annealing in windows: better or nothing, valid whatever the windows, reproducible."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.search import windows
from hetopt.schedule.search.windows import Windows
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many windows in few tasks."""
    monkeypatch.setattr(windows, "LEAST_TASKS", 2)
    monkeypatch.setattr(windows, "SHORTEST", 12)
    monkeypatch.setattr(windows, "PER_UNIT", 1)


def started(instance: Instance) -> SchedulePlan:
    plan = CONSTRUCTORS["heft"](instance)
    assert plan is not None
    return plan


def drawn(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 9])
    return {
        "tasks": int(rng.integers(3, 80)),
        "devices": int(rng.integers(1, 7)),
        "shape": str(rng.choice(["layered", "random", "fork-join", "chains", "independent"])),
        "ccr": float(rng.choice([0.0, 0.1, 1.0, 5.0])),
        "deadline_factor": [None, 1.02, 1.3, 3.0][int(rng.integers(4))],
        "count": int(rng.integers(1, 4)),
        "seed": seed,
    }


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("seed", range(15))
def test_the_checker_accepts_every_joined_plan(seed: int, workers: int) -> None:
    instance = generate_schedule(**drawn(seed))
    start = CONSTRUCTORS["heft"](instance)
    if start is None:
        pytest.skip("the list scheduler has no plan to start from within the deadline")
    known = objective_value(instance, start, "energy")
    found: list[SchedulePlan] = []
    best = Windows.improve(
        instance, start, iterations=20_000, workers=workers, seed=seed, found=found.append
    ).plan
    for plan in found:
        report = verify(instance, plan)
        assert report.ok, report.violations
        value = objective_value(instance, plan, "energy")
        assert value < known
        known = value
    assert (best is None) == (not found)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_worker_and_two_save_much(workers: int) -> None:
    instance = generate_schedule(120, 4, seed=2, deadline_factor=1.1, ccr=0.5)
    start = started(instance)
    plan = Windows.improve(instance, start, iterations=100_000, workers=workers).plan
    assert plan is not None
    assert objective_value(instance, plan, "energy") < 0.9 * objective_value(
        instance, start, "energy"
    )


def test_equal_seeds_give_equal_plans() -> None:
    instance = generate_schedule(60, 4, seed=3)
    start = started(instance)
    one, same, other = (
        Windows.improve(instance, start, iterations=20_000, seed=seed).plan for seed in (1, 1, 2)
    )
    assert one is not None
    assert same is not None
    assert other is not None
    assert np.array_equal(one.start_s, same.start_s)
    assert np.array_equal(one.option, same.option)
    assert not np.array_equal(one.start_s, other.start_s)


def test_costs_of_windows_add_up_to_the_plans() -> None:
    instance = generate_schedule(60, 4, seed=3)
    start = started(instance)
    search = Windows(instance, start, windows.Effort(None, 30_000), 1, 1, float("nan"), None)
    [chain] = search.chains()
    search.go([chain])
    assert search.plan is not None
    window = float(instance.jobs.deadline_s.max())
    end = objective_value(instance, search.plan, "makespan")
    idle = chain.table.packed.rate[range(4), chain.used[chain.units :]].sum()
    tick = float(search.problem.grid.tick)
    counted = chain._cost() - idle * (window - end) / tick
    assert counted == pytest.approx(search.objective(search.plan), rel=1e-9)


def test_what_it_does_not_know_is_left_alone() -> None:
    made = generate_schedule(60, 4, seed=3)
    assert Windows.fits(made)
    assert not Windows.fits(generate_schedule(60, 4, seed=3, slots=2))
    assert not Windows.fits(generate_schedule(60, 4, seed=3, memory="tight"))
    assert not Windows.fits(replace(made, objective=("makespan",)))


def test_solve_takes_windows_as_a_method() -> None:
    instance = generate_schedule(100, 4, seed=3)
    one, same = (
        solve(instance, method="windows", time_limit=0.2, deterministic=True) for _ in range(2)
    )
    assert one.verified
    assert one.objective == same.objective
    assert one.objective < solve(instance, method="energy-greedy", time_limit=20).objective
