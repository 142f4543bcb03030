"""The linear relaxation of a program, solved in this process to tight tolerances.

The first bound comes from it, rounding starts from it, and with the integers fixed it turns what a
MIP solver found within its tolerance into a plan that respects every limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from hetopt.instance import Bools, Floats
from hetopt.solvers.lp_bound import implied_ranges, proven_bound, refutes
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.result import BROKEN
from hetopt.solvers.scaling import Scaled, is_wide, scaled, unscaled

TOLERANCE = 1e-10
"""HiGHS' smallest feasibility tolerance, a tenth of ``LIMIT_TOLERANCE``."""

CLOSE = 1e-9
"""Relative distance of point and proven bound at which a point is not solved for again."""

AGAIN = 3
"""Times that a point of a program whose numbers span much is solved for again at most."""

NEAR = 1e-3
"""By how much of a point's cost the points may cost more for which a program is scaled."""

NEGLIGIBLE = 1e-9
"""What a variable can be at most where it is left out, so that the others can be told apart."""

Outcome = Literal["optimal", "infeasible", "unbounded", "unknown"]


@dataclass(frozen=True, slots=True)
class Relaxed:
    """Outcome of a linear program of n variables and m rows; all else is empty unless ``optimal``.

    Attributes
    ----------
    x, objective
        The point (n) and the minimised objective.
    row_duals
        What the objective changes by for one more of each row's limit (m).
    bound_duals
        The same for the lower and the upper bounds of the variables (2 × n).
    """

    outcome: Outcome
    x: Floats
    objective: float
    row_duals: Floats = field(default_factory=lambda: np.empty(0))
    bound_duals: Floats = field(default_factory=lambda: np.empty((2, 0)))


class Relaxation:
    """A program without its integrality, solved again and again with other bounds.

    Whatever HiGHS says is judged here: ``infeasible`` is what prices of the rows show, a point is
    solved for again where it is not near what its duals prove, and :meth:`bound` follows from
    those alone.

    Parameters
    ----------
    arrays
        The program, n variables.
    """

    def __init__(self, arrays: MipArrays) -> None:
        self.arrays = arrays
        self._wide = is_wide(arrays)

    def solve(
        self,
        lower: Floats | None = None,
        upper: Floats | None = None,
        time_limit_s: float | None = None,
    ) -> Relaxed:
        """Minimise with other bounds of the variables (length n; by default their own)."""
        low = self.arrays.lower if lower is None else lower
        high = self.arrays.upper if upper is None else upper
        program = replace(self.arrays, lower=low, upper=high)
        if not self._wide:
            found = _minimised(unscaled(program), program, time_limit_s)
        else:
            found = self._scaled(program, time_limit_s)
        if found.outcome == "infeasible" and not _refuted(program, self._wide, time_limit_s):
            return replace(found, outcome="unknown")
        return found

    def bound(self, found: Relaxed) -> float:
        """Return what the duals of an optimum prove: no point costs less; -inf if nothing.

        It is for the variables' own bounds, whatever those were that the optimum is of.
        """
        if found.outcome != "optimal":
            return -np.inf
        arrays = self.arrays
        return proven_bound(arrays, found.row_duals, found.objective, arrays.lower, arrays.upper)

    def _scaled(self, program: MipArrays, time_limit_s: float | None) -> Relaxed:
        """Minimise a program whose numbers span much, until its duals say that it is the least."""
        ranges = all_ranges = implied_ranges(program, program.lower, program.upper)
        best = _minimised(scaled(program, ranges), program, time_limit_s)
        proven = -np.inf
        for _ in range(AGAIN):
            if best.outcome != "optimal":
                break
            ends = program.lower, program.upper
            proven = max(proven, proven_bound(program, best.row_duals, best.objective, *ends))
            if best.objective - proven <= CLOSE * abs(best.objective):
                break
            cutoff = best.objective + NEAR * abs(best.objective)
            ranges = implied_ranges(program, *ends, cutoff)
            found = _minimised(scaled(program, ranges, narrow=True), program, time_limit_s)
            if found.outcome != "optimal":
                break
            value = proven_bound(program, found.row_duals, found.objective, *ends)
            duals = found if value > proven else best
            point = found if found.objective < best.objective else best
            if point is best and duals is best:
                break
            best = replace(point, row_duals=duals.row_duals, bound_duals=duals.bound_duals)
            proven = max(proven, value)
        if best.outcome == "optimal" and not holds(program, best.x):
            best = _without_negligible(program, all_ranges, best, time_limit_s)
        return best

    def fixed(self, integers: Floats, time_limit_s: float | None = None) -> Relaxed:
        """Minimise with the integer variables at ``integers`` (of length n; others ignored)."""
        arrays = self.arrays
        if np.any(integers < arrays.lower - 0.5) or np.any(integers > arrays.upper + 0.5):
            inside = arrays.integer & (
                (integers < arrays.lower - 0.5) | (integers > arrays.upper + 0.5)
            )
            if inside.any():
                return Relaxed("infeasible", np.empty(0), np.nan)
        lower = np.where(arrays.integer, integers, arrays.lower)
        upper = np.where(arrays.integer, integers, arrays.upper)
        program = replace(arrays, lower=lower, upper=upper)
        if not self._wide:
            return _minimised(unscaled(program), program, time_limit_s)
        found = self._scaled(program, time_limit_s)
        if found.outcome == "optimal" and not holds(program, found.x):
            return replace(found, outcome="unknown")
        return found


def holds(program: MipArrays, x: Floats) -> bool:
    """Whether a point, whole or not, breaks no row by more than rounding can mend.

    In a scaled program what is too small for a solver is left out: its optimum need not be a point
    of the program.
    """
    relaxed = replace(program, integer=np.zeros(len(x), dtype=bool))
    return bool(np.isfinite(x).all()) and relaxed.violation(x) <= BROKEN


def _without_negligible(
    program: MipArrays, ranges: tuple[Floats, Floats], best: Relaxed, time_limit_s: float | None
) -> Relaxed:
    """Return a point of the program without the variables that can be next to nothing only.

    Beside the coefficient that keeps such a one small all others of its row are lost. Its duals
    stay those of the whole program: what they prove is of all points.
    """
    size = np.maximum(np.abs(ranges[0]), np.abs(ranges[1]))
    left_out = (size <= NEGLIGIBLE) & (program.lower <= 0) & (program.upper >= 0)
    if not left_out.any():
        return best
    kept = ~left_out[program.columns]
    rest = replace(
        program,
        cost=np.where(left_out, 0.0, program.cost),
        lower=np.where(left_out, 0.0, program.lower),
        upper=np.where(left_out, 0.0, program.upper),
        rows=program.rows[kept],
        columns=program.columns[kept],
        coefficients=program.coefficients[kept],
    )
    found = _minimised(
        scaled(rest, implied_ranges(rest, rest.lower, rest.upper)), rest, time_limit_s
    )
    if found.outcome != "optimal" or not holds(program, found.x):
        return best
    return replace(best, x=found.x, objective=found.objective)


def _minimised(scaling: Scaled, program: MipArrays, time_limit_s: float | None) -> Relaxed:
    """Solve a scaled program, without its integrality, by HiGHS; return it in its own units."""
    answer, above, below, equal = _answer(scaling.arrays, time_limit_s)
    if answer.status == 0:
        with np.errstate(invalid="ignore"):
            point = np.asarray(answer.x, dtype=np.float64) * scaling.column
        point = np.clip(point, program.lower, program.upper)
        duals = np.zeros(len(program.row_lower))
        limits = np.asarray(answer.ineqlin.marginals, dtype=np.float64)
        duals[above] += limits[: int(above.sum())]
        duals[below] -= limits[int(above.sum()) :]
        duals[equal] = answer.eqlin.marginals
        bounds = np.array([answer.lower.marginals, answer.upper.marginals])
        return Relaxed(
            "optimal",
            point,
            float(program.cost @ point) + program.offset,
            duals * scaling.row / scaling.cost,
            bounds / scaling.column / scaling.cost,
        )
    outcome: Outcome = "unknown"
    if answer.status == 2:
        outcome = "infeasible"
    elif answer.status == 3:
        outcome = "unbounded"
    return Relaxed(outcome, np.empty(0), np.nan)


def _answer(program: MipArrays, time_limit_s: float | None) -> tuple[Any, Bools, Bools, Bools]:
    """Return SciPy's answer, and which rows were its upper, lower and equal ones."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    shape = (len(program.row_lower), len(program.cost))
    entries = (program.coefficients, (program.rows, program.columns))
    matrix: Any = csr_array(entries, shape=shape)
    equal = program.row_lower == program.row_upper
    above = np.isfinite(program.row_upper) & ~equal
    below = np.isfinite(program.row_lower) & ~equal
    options: Any = {
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
    }
    if time_limit_s is not None:
        options["time_limit"] = max(time_limit_s, 1e-3)
    limits = np.concatenate([program.row_upper[above], -program.row_lower[below]])
    rows: Any = vstack([matrix[above], -matrix[below]], format="csr")
    bounds: Any = np.column_stack([program.lower, program.upper])
    answer: Any = linprog(
        program.cost,
        A_ub=rows if len(limits) else None,
        b_ub=limits if len(limits) else None,
        A_eq=matrix[equal] if equal.any() else None,
        b_eq=program.row_lower[equal] if equal.any() else None,
        bounds=bounds,
        method="highs",
        options=options,
    )
    return answer, above, below, equal


def _refuted(program: MipArrays, wide: bool, time_limit_s: float | None) -> bool:
    """Whether prices of the rows show that no point meets them (see `lp_bound.refutes`).

    They are the duals of the program of least violation, which has a point in any case.
    """
    if np.any(program.lower > program.upper):
        return True
    if wide:
        ranges = implied_ranges(program, program.lower, program.upper)
        scaling = scaled(replace(program, cost=np.zeros(len(program.cost))), ranges)
    else:
        scaling = unscaled(program)
    softened = softened_program(scaling.arrays)
    answer, above, below, equal = _answer(softened, time_limit_s)
    if answer.status != 0:
        return False
    duals = np.zeros(len(program.row_lower))
    limits = np.asarray(answer.ineqlin.marginals, dtype=np.float64)
    duals[above] += limits[: int(above.sum())]
    duals[below] -= limits[int(above.sum()) :]
    duals[equal] = answer.eqlin.marginals
    return refutes(program, duals * scaling.row, program.lower, program.upper)


def softened_program(program: MipArrays) -> MipArrays:
    """Return the program that costs only what its rows are broken by."""
    size = len(program.cost)
    over = np.flatnonzero(np.isfinite(program.row_upper))
    under = np.flatnonzero(np.isfinite(program.row_lower))
    more = len(over) + len(under)
    rows = np.concatenate([program.rows, over, under])
    columns = np.concatenate([program.columns, size + np.arange(more)])
    values = np.concatenate([program.coefficients, -np.ones(len(over)), np.ones(len(under))])
    order = np.lexsort((columns, rows))
    return replace(
        program,
        names=[*program.names, *(f"broken_{k}" for k in range(more))],
        cost=np.concatenate([np.zeros(size), np.ones(more)]),
        offset=0.0,
        lower=np.concatenate([program.lower, np.zeros(more)]),
        upper=np.concatenate([program.upper, np.full(more, np.inf)]),
        integer=np.zeros(size + more, dtype=bool),
        rows=rows[order],
        columns=columns[order],
        coefficients=values[order],
    )


def round_off(
    relaxation: Relaxation, point: Floats, *, tries: int, time_limit_s: float
) -> Relaxed | None:
    """Find integers near a fractional optimum, and the best point that they allow.

    Nearest, upper and lower integers are tried, then single steps up and down while they improve.

    Parameters
    ----------
    point
        Optimum of the relaxation.
    tries
        Linear programs to solve at most.

    Returns
    -------
    Relaxed or None
        The best point found whose integer variables are whole; None where none was feasible.
    """
    import time

    until = time.monotonic() + time_limit_s
    integer = relaxation.arrays.integer
    columns = np.flatnonzero(integer)
    best: Relaxed | None = None
    left = tries

    def attempt(candidate: Floats) -> bool:
        nonlocal best, left
        left -= 1
        found = relaxation.fixed(candidate)
        if found.outcome != "optimal":
            return False
        if best is not None and found.objective >= best.objective - 1e-9 * abs(best.objective):
            return False
        best = found
        return True

    seen: list[bytes] = []
    for rounding in (np.round, _ceil, _floor):
        candidate = np.where(integer, rounding(point), point)
        mark = candidate[columns].tobytes()
        if mark not in seen:
            seen.append(mark)
            attempt(candidate)
    improved = best is not None
    while improved and left > 0:
        improved = False
        for column in columns:
            for step in (-1.0, 1.0):
                if left <= 0 or time.monotonic() > until or best is None:
                    return best
                candidate = best.x.copy()
                candidate[columns] = np.round(candidate[columns])
                candidate[column] += step
                if abs(candidate[column] - point[column]) < 2 and attempt(candidate):
                    improved = True
    return best


def _ceil(values: Floats) -> Floats:
    """Round up, but not what is whole up to rounding."""
    return np.ceil(values - 1e-7)


def _floor(values: Floats) -> Floats:
    return np.floor(values + 1e-7)
