"""Other MIP solvers through PuLP: the bundled CBC as a cross-check, and whatever else it knows.

PuLP's status is not used: it says Optimal at a time limit too. CBC's own log says what CBC proved;
of other solvers only the values are taken, which are checked, and no bound is claimed.
"""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.steady.highs import MipResult, found, safe_bound
from hetopt.steady.mip_arrays import Floats, MipArrays

if TYPE_CHECKING:
    import pulp

_NUMBER = r"(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)"
# CBC's cutoff and integer tolerances are absolute, as HiGHS' are.
_CBC_TOLERANCE = 1e-6


def solve_with_pulp(
    arrays: MipArrays,
    solver: str,
    time_limit_s: float | None,
    gap_rel: float,
    threads: int,
    seed: int,
) -> MipResult:
    """Solve with a solver that PuLP runs.

    Parameters
    ----------
    arrays
        The problem.
    solver
        "cbc", or a name that `pulp.getSolver` takes.
    time_limit_s, gap_rel, threads, seed
        As in `solve_mip`. The seed is for CBC only, which runs on one thread; a solver that does
        not take a limit or a gap runs without.

    Raises
    ------
    ValueError
        If PuLP does not know the solver, or it is not installed.
    """
    if solver == "cbc":
        return _solve_cbc(arrays, time_limit_s, gap_rel, seed)
    values, message = _run(arrays, _named_solver(solver, time_limit_s, gap_rel, threads))
    return found(arrays, values, bound=safe_bound(arrays, None), solver=solver, message=message)


def _solve_cbc(
    arrays: MipArrays,
    time_limit_s: float | None,
    gap_rel: float,
    seed: int,
) -> MipResult:
    """Run CBC on one thread: with two it was seen to call 957 the optimum of 956.

    (Generalised assignment gap12-1 of Cattrysse, Salomon and Van Wassenhove 1994, CBC 2.10.3, once
    in a dozen runs.)
    """
    import pulp

    with tempfile.TemporaryDirectory(prefix="hetopt-") as folder:
        log = Path(folder) / "cbc.log"
        solver = pulp.PULP_CBC_CMD(
            msg=False,
            timeLimit=time_limit_s,
            gapRel=max(0.0, gap_rel - GAP_TOLERANCE),
            options=[f"randomCbcSeed {seed}", f"randomSeed {seed}"],
            logPath=str(log),
        )
        values, message = _run(arrays, solver)
        text = log.read_text(errors="replace") if log.exists() else ""
    infeasible = bool(
        re.search(r"^(Result - )?(Problem|Linear relaxation).* infeasible", text, re.M)
    )
    unbounded = bool(re.search(r"^(Result - )?(Problem|Linear relaxation).* unbounded", text, re.M))
    timed_out = "Stopped on time limit" in text
    if infeasible or unbounded:
        values = None
    result = found(arrays, values, solver="cbc", message=message, timed_out=timed_out)
    lower = _cbc_bound(arrays, result.objective, text)
    return MipResult(
        values=result.values,
        objective=result.objective,
        bound=safe_bound(arrays, lower, _CBC_TOLERANCE / arrays.cost_scale()),
        proven_infeasible=infeasible,
        proven_unbounded=unbounded,
        timed_out=timed_out,
        solver="cbc",
        message=message,
    )


def _cbc_bound(arrays: MipArrays, objective: float | None, text: str) -> float | None:
    """Return the lower bound on the minimised objective that CBC's log proves, None if none.

    CBC's own objective is scaled and has no constant, so only its distance from CBC's own bound is
    taken from the log.
    """
    if objective is None:
        return None
    minimised = arrays.sign * objective
    value = re.search(rf"^Objective value: +{_NUMBER}", text, re.M)
    lower = re.search(rf"^Lower bound: +{_NUMBER}", text, re.M)
    upper = re.search(rf"^Upper bound: +{_NUMBER}", text, re.M)
    other = lower or upper
    if other is not None:
        if value is None:
            return None
        return minimised - abs(float(value[1]) - float(other[1])) / arrays.cost_scale()
    if re.search(r"^(Result - )?Optimal solution found|^Optimal - objective value", text, re.M):
        return minimised
    return None


def _named_solver(
    name: str, time_limit_s: float | None, gap_rel: float, threads: int
) -> pulp.LpSolver:
    """Return PuLP's solver of that name (any case), with as many of the options as it takes."""
    import pulp

    known = {each.lower(): each for each in pulp.listSolvers()}
    if name.lower() not in known:
        raise ValueError(
            f"The MIP solver {name!r} is not known; known are highs, cbc and {', '.join(known)}."
        )
    options: dict[str, Any] = {"timeLimit": time_limit_s, "gapRel": gap_rel, "threads": threads}
    for dropped in ([], ["threads"], ["threads", "gapRel"], list(options)):
        kept = {key: value for key, value in options.items() if key not in dropped}
        try:
            solver = pulp.getSolver(known[name.lower()], msg=False, **kept)
        except TypeError:  # an option that this solver does not have
            continue
        if solver.available():
            return solver
        break
    raise ValueError(f"The MIP solver {name!r} is not available on this machine.")


def _run(arrays: MipArrays, solver: pulp.LpSolver) -> tuple[Floats | None, str]:
    """Run a solver; return its values, None if it gave none, and what went wrong."""
    import pulp

    problem, variables = _scaled_problem(arrays)
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
        # A row has one limit, or two that are equal, as in the problem that it was read from.
        sense = 0 if lower == upper else -1 if math.isinf(lower) else 1
        limit = float(upper if sense < 0 else lower)
        problem.addConstraint(pulp.LpConstraint(expression, sense, f"r{i}", limit))
    return problem, variables
