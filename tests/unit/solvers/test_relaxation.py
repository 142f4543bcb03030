"""Points of linear programs, whatever their numbers span."""

import numpy as np
import pytest

from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation, holds


def program(*coefficients: float, limit: float) -> MipArrays:
    """Return: as much as possible of shares of 1 each, under one limit."""
    count = len(coefficients)
    return MipArrays(
        names=[f"x{j}" for j in range(count)],
        sign=1,
        cost=-np.ones(count),
        offset=0.0,
        lower=np.zeros(count),
        upper=np.ones(count),
        integer=np.zeros(count, dtype=bool),
        row_names=["cap"],
        row_lower=np.array([-np.inf]),
        row_upper=np.array([limit]),
        rows=np.zeros(count, dtype=np.int64),
        columns=np.arange(count),
        coefficients=np.array(coefficients),
    )


@pytest.mark.parametrize("huge", [1e7, 1e10, 1e13, 1e16, 1e19])
def test_beside_a_coefficient_that_hides_all_others_a_point_still_keeps_the_limit(huge):
    arrays = program(huge, 3.0, 2.0, 1.0, limit=4.0)
    relaxation = Relaxation(arrays)
    for found in (relaxation.solve(), relaxation.fixed(np.zeros(4))):
        assert found.outcome == "optimal"
        assert holds(arrays, found.x)
        # Two of the light ones whole and a third of the heavy one.
        assert found.objective == pytest.approx(-(2 + 1 / 3), rel=1e-6)
    assert relaxation.bound(relaxation.solve()) <= -(2 + 1 / 3)
