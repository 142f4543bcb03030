import math

import pytest

from hetopt.runtime.budget import RegimeResult
from hetopt.solve import RejectedPlanError, _contradicted, _is_beyond, _tidy_bound
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
