"""One run of a solver by PuLP, in whatever process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.solvers.mip_arrays import Floats, MipArrays

if TYPE_CHECKING:
    import pulp


def run_solver(arrays: MipArrays, name: str, options: dict[str, Any]) -> tuple[Floats | None, str]:
    """Run a solver by PuLP's name with as many of the options as it takes, in this process.

    Returns
    -------
    tuple
        Its values, None if it gave none, and what went wrong.
    """
    import pulp

    problem, variables = _scaled_problem(arrays)
    dropped: list[str]
    for dropped in ([], ["threads"], ["threads", "gapRel"], ["threads", "gapRel", "timeLimit"]):
        kept = {key: value for key, value in options.items() if key not in dropped}
        try:
            solver = pulp.getSolver(name, msg=False, **kept)
        except TypeError:  # an option that this solver does not have
            continue
        break
    else:
        return None, f"The solver {name} could not be set up."
    try:
        problem.solve(solver)
    except pulp.PulpSolverError as error:
        return None, f"The solver failed: {error}."
    given = [variable.varValue for variable in variables]
    if any(value is None for value in given):
        return None, ""
    return np.array(given, dtype=np.float64), ""


def _scaled_problem(arrays: MipArrays) -> tuple[pulp.LpProblem, list[pulp.LpVariable]]:
    """Return the problem with scaled costs and names that every solver takes."""
    import pulp

    problem = pulp.LpProblem("scaled", pulp.LpMinimize)
    bounds = [
        [bound if math.isfinite(bound) else None for bound in column.tolist()]
        for column in (arrays.lower, arrays.upper)
    ]
    variables = [
        pulp.LpVariable(f"x{j}", bounds[0][j], bounds[1][j], "Integer" if whole else "Continuous")
        for j, whole in enumerate(arrays.integer.tolist())
    ]
    cost = (arrays.cost * arrays.cost_scale()).tolist()
    problem += pulp.LpAffineExpression(dict(zip(variables, cost, strict=True)))
    starts = np.searchsorted(arrays.rows, np.arange(len(arrays.row_lower) + 1))
    for i, (lower, upper) in enumerate(zip(arrays.row_lower, arrays.row_upper, strict=True)):
        cells = slice(starts[i], starts[i + 1])
        expression = pulp.LpAffineExpression(
            {
                variables[j]: coefficient
                for j, coefficient in zip(
                    arrays.columns[cells].tolist(), arrays.coefficients[cells].tolist(), strict=True
                )
            }
        )
        if lower == upper:
            problem.addConstraint(pulp.LpConstraint(expression, 0, f"r{i}", float(lower)))
            continue
        for sense, limit, name in ((1, lower, f"r{i}"), (-1, upper, f"q{i}")):
            if math.isfinite(limit):
                problem.addConstraint(pulp.LpConstraint(expression, sense, name, float(limit)))
    return problem, variables
