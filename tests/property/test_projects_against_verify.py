"""Plans of random projects are accepted by the checker, and never below what CP-SAT proves."""

from __future__ import annotations

import pytest

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.schedule.search.projects.improve import ProjectAnnealing, fits
from hetopt.verify import verify
from tests.random_projects import random_project
from tests.small_schedules import solved

improve = ProjectAnnealing.improve


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("with_plan", [True, False])
def test_the_checker_accepts_every_plan(seed: int, with_plan: bool) -> None:
    instance = random_project(seed)
    assert fits(instance)
    start = heft(instance) if with_plan else None
    plan = improve(instance, start, iterations=400, seed=seed).plan
    if plan is None:
        return
    report = verify(instance, plan)
    assert report.ok, report.violations
    if start is not None:
        better = objective_value(instance, plan, "makespan")
        assert better < objective_value(instance, start, "makespan")


@pytest.mark.parametrize("seed", range(12))
def test_small_projects_are_solved_to_the_optimum(seed: int) -> None:
    instance = random_project(seed, tasks=7, kind="whole")
    proven = solved(instance, deterministic=True)
    start = heft(instance)
    plan = improve(instance, start, iterations=4_000).plan or start
    if proven.result.infeasible:
        assert plan is None
        return
    assert plan is not None
    optimum = proven.values[0]
    assert proven.result.bounds[0] == pytest.approx(optimum, rel=GAP_TOLERANCE)
    assert objective_value(instance, plan, "makespan") == pytest.approx(optimum)
