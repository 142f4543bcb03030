"""Programs with some variables at 0: what else is 0 is left out, and points come back whole."""

from __future__ import annotations

import numpy as np
import pulp

from hetopt.solvers.mip_arrays import mip_arrays
from hetopt.solvers.relaxation import Relaxation
from hetopt.solvers.smaller import without


def test_what_only_serves_a_variable_that_is_gone_is_left_out() -> None:
    problem = pulp.LpProblem("units", pulp.LpMinimize)
    units = [problem.add_variable(f"n{k}", 0, 5, "Integer") for k in range(3)]
    flow = [problem.add_variable(f"f{k}", 0) for k in range(3)]
    for n, f in zip(units, flow, strict=True):
        problem.addConstraint(f - 2 * n <= 0)
    problem.addConstraint(pulp.lpSum(flow) == 3)
    problem.setObjective(units[0] + 3 * units[1] + 2 * units[2])
    arrays = mip_arrays(problem)
    gone = np.array([name == "n0" for name in arrays.names])
    small = without(arrays, gone)
    assert sorted(small.arrays.names) == ["f1", "f2", "n1", "n2"]
    assert len(small.arrays.row_lower) == 3
    found = Relaxation(small.arrays).solve()
    whole = small.whole(found.x)
    assert dict(zip(arrays.names, whole.tolist(), strict=True))["f2"] == 3
    assert arrays.violation(arrays.rounded(whole)) >= 0.0
    assert float(arrays.cost @ whole) == found.objective == 3.0


def test_a_row_that_cannot_hold_stays() -> None:
    problem = pulp.LpProblem("none", pulp.LpMinimize)
    n, f = problem.add_variable("n", 0, 5, "Integer"), problem.add_variable("f", 0)
    problem.addConstraint(f - n <= 0)
    problem.addConstraint(f >= 1)
    problem.addConstraint(problem.add_variable("other", 0, 1) <= 1)
    arrays = mip_arrays(problem)
    small = without(arrays, np.array([name == "n" for name in arrays.names]))
    assert Relaxation(small.arrays).solve().outcome == "infeasible"
