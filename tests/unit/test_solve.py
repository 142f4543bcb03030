import math

import pytest

from hetopt import Model, solve
from hetopt.runtime.budget import RegimeResult
from hetopt.solve import (
    RejectedPlanError,
    _check_plan,
    _contradicted,
    _is_beyond,
    _status,
    _tidy_bound,
)
from tests.oracles.campaign import judge


@pytest.mark.parametrize("seed", [101032, 101939])
def test_rounding_noise_in_the_bound_of_a_plan_that_is_never_late_is_no_contradiction(seed):
    assert judge("schedule", seed, 20.0).kind == "agreed"


def test_a_bound_beyond_a_plan_by_rounding_is_brought_back_to_it():
    assert _tidy_bound("tardiness", 0.0, 5.6e-17) == 0.0
    assert _tidy_bound("power", 100.0, 100.00001) == 100.0
    assert _tidy_bound("throughput", 100.0, 99.99999) == 100.0


def test_a_bound_on_the_right_side_stays_as_it_is():
    assert _tidy_bound("power", 100.0, 99.0) == 99.0
    assert _tidy_bound("throughput", 100.0, 101.0) == 101.0
    assert math.isnan(_tidy_bound("power", 100.0, math.nan))


def test_a_bound_beyond_a_plan_by_more_is_refused():
    result = RegimeResult(plan=None, bounds=(100.1,))
    for name, bound in (("power", 100.1), ("throughput", 99.9)):
        assert _is_beyond(name, 100.0, bound, 0.0)
    with pytest.raises(RejectedPlanError):
        _contradicted(result, (100.0,), None)


def test_a_bound_beyond_a_plan_by_rounding_is_no_contradiction():
    for name, bound in (("power", 100.00001), ("throughput", 99.99999)):
        assert not _is_beyond(name, 100.0, bound, 0.0)
    assert not _is_beyond("tardiness", 0.0, 5.6e-17, 1e-9)
    assert _is_beyond("tardiness", 0.0, 5.6e-17, 1e-18)


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
