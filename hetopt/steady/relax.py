"""The linear relaxation of a program, solved in this process to tight tolerances.

The first bound comes from it, rounding starts from it, and with the integers fixed it turns what a
MIP solver found within its tolerance into a plan that respects every limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hetopt.instance import Floats
from hetopt.steady.mip_arrays import MipArrays

TOLERANCE = 1e-10
"""HiGHS' smallest feasibility tolerance, a tenth of ``LIMIT_TOLERANCE``."""

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

    Parameters
    ----------
    arrays
        The program, n variables.
    """

    def __init__(self, arrays: MipArrays) -> None:
        from scipy.sparse import csr_array

        self.arrays = arrays
        shape = (len(arrays.row_lower), len(arrays.names))
        entries = (arrays.coefficients, (arrays.rows, arrays.columns))
        self.matrix: Any = csr_array(entries, shape=shape)
        equal = arrays.row_lower == arrays.row_upper
        above = np.isfinite(arrays.row_upper) & ~equal
        below = np.isfinite(arrays.row_lower) & ~equal
        self._equal, self._above, self._below = equal, above, below

    def solve(
        self,
        lower: Floats | None = None,
        upper: Floats | None = None,
        time_limit_s: float | None = None,
    ) -> Relaxed:
        """Minimise with other bounds of the variables (length n; by default their own)."""
        from scipy.optimize import linprog
        from scipy.sparse import vstack

        arrays = self.arrays
        options: Any = {
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
        }
        if time_limit_s is not None:
            options["time_limit"] = max(time_limit_s, 1e-3)
        limits = np.concatenate([arrays.row_upper[self._above], -arrays.row_lower[self._below]])
        rows: Any = vstack([self.matrix[self._above], -self.matrix[self._below]], format="csr")
        low = arrays.lower if lower is None else lower
        high = arrays.upper if upper is None else upper
        limits_of: Any = np.column_stack([low, high])
        answer: Any = linprog(
            arrays.cost,
            A_ub=rows if len(limits) else None,
            b_ub=limits if len(limits) else None,
            A_eq=self.matrix[self._equal] if self._equal.any() else None,
            b_eq=arrays.row_lower[self._equal] if self._equal.any() else None,
            bounds=limits_of,
            method="highs",
            options=options,
        )
        if answer.status == 0:
            point = np.clip(np.asarray(answer.x, dtype=np.float64), low, high)
            bounds = np.array([answer.lower.marginals, answer.upper.marginals])
            objective = float(answer.fun) + arrays.offset
            return Relaxed("optimal", point, objective, self._row_duals(answer), bounds)
        outcome: Outcome = "unknown"
        if answer.status == 2:
            outcome = "infeasible"
        elif answer.status == 3:
            outcome = "unbounded"
        return Relaxed(outcome, np.empty(0), np.nan)

    def _row_duals(self, answer: Any) -> Floats:
        """Collect the duals of the rows, which were passed on in three parts."""
        duals = np.zeros(len(self.arrays.row_lower))
        limits = np.asarray(answer.ineqlin.marginals, dtype=np.float64)
        above = int(self._above.sum())
        duals[self._above] += limits[:above]
        duals[self._below] -= limits[above:]
        duals[self._equal] = answer.eqlin.marginals
        return duals

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
        return self.solve(lower, upper, time_limit_s)


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
