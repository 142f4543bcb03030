import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from hetopt import Model, solve
from hetopt.solution import relative_gap
from hetopt.solve import (
    RejectedPlanError,
    _check_plan,
    _status,
)
from tests.oracles.campaign import judge


@pytest.mark.parametrize("seed", [101032, 101939])
def test_rounding_noise_in_the_bound_of_a_plan_that_is_never_late_is_no_contradiction(seed):
    assert judge("schedule", seed, 20.0).kind == "agreed"


@pytest.fixture(scope="module")
def solved():
    model = Model("two", objective=["makespan", "energy"])
    cpu = model.device("cpu", kind="cpu")
    for name in "ab":
        model.task(name, options=[cpu.option(time=1, energy=2)])
    instance = model.build()
    return instance, solve(instance, time_limit=20)


def test_a_plan_whose_values_are_not_those_of_the_checker_is_refused(solved):
    instance, answer = solved
    _check_plan(instance, answer.plan, answer.objectives)
    for wrong in ((1.8, 4.0), (2.0, 3.6)):
        with pytest.raises(RejectedPlanError):
            _check_plan(instance, answer.plan, wrong)


@pytest.mark.parametrize(
    ("bounds", "status"),
    [((2.0, 4.0), "optimal"), ((2.0, 3.6), "feasible"), ((1.8, 4.0), "feasible")],
)
def test_a_plan_is_optimal_where_every_bound_reaches_it(solved, bounds, status):
    _, answer = solved
    assert answer.objectives == (2.0, 4.0)
    assert _status(answer.plan, answer.objectives, bounds, infeasible=False) == status


def test_a_start_that_leaves_tasks_out_is_made_whole_and_told(solved):
    instance, answer = solved
    option = answer.plan.option.copy()
    option[1] = -1
    found = solve(instance, start=replace(answer.plan, option=option))
    assert any("1 of 2 tasks left out, placed: b" in note for note in found.notes)


def test_a_gap_beyond_all_floats_is_infinite_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert relative_gap(np.float64(1e-320), np.float64(1e300)) == math.inf
