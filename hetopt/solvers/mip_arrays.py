"""A PuLP problem as arrays: what solvers are given, and what their answers are checked against.

The objective is always minimised here (a maximisation has its costs negated):

    minimise  cost · x + offset
    subject to  row_lower ≤ A x ≤ row_upper,  lower ≤ x ≤ upper,  x_j integer where integer_j.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pulp

Floats = NDArray[np.float64]

# The largest cost after scaling: well above solvers' tolerances, well below what they take for
# infinity (1e20).
_LARGEST_COST = 1024.0


@dataclass(frozen=True)
class MipArrays:
    """A mixed-integer problem of n variables, m rows and k coefficients, to be minimised.

    Attributes
    ----------
    names
        n names of variables, all different.
    sign
        1 where the caller minimises, -1 where the caller maximises (costs are then negated).
    cost, offset
        n costs and a constant, in the caller's unit.
    lower, upper, integer
        Bounds (infinite where there are none) and integrality of the n variables.
    row_names, row_lower, row_upper
        m names and bounds of rows (infinite where there are none).
    rows, columns, coefficients
        The k nonzero coefficients, by row and then by column, no position twice.
    """

    names: list[str]
    sign: int
    cost: Floats
    offset: float
    lower: Floats
    upper: Floats
    integer: NDArray[np.bool_]
    row_names: list[str]
    row_lower: Floats
    row_upper: Floats
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    coefficients: Floats

    def objective(self, x: Floats) -> float:
        """Return the objective at x in the caller's own sense."""
        return self.sign * (float(self.cost @ x) + self.offset)

    def violation(self, x: Floats) -> float:
        """Return the largest violation at x, relative to what a limit is about.

        That is the largest of 1, the limit, and the terms of the row: a row without a constant
        limits some of its terms by others. Integrality counts absolutely.
        """
        terms = self.coefficients * x[self.columns]
        activity, size = np.zeros((2, len(self.row_lower)))
        np.add.at(activity, self.rows, terms)
        np.maximum.at(size, self.rows, np.abs(terms))
        fraction = np.abs(x - np.round(x))[self.integer]
        return max(
            _excess(self.row_lower, activity, self.row_lower, size),
            _excess(activity, self.row_upper, self.row_upper, size),
            _excess(self.lower, x, self.lower, np.abs(x)),
            _excess(x, self.upper, self.upper, np.abs(x)),
            float(fraction.max(initial=0.0)),
        )

    def trivial_bound(self) -> float:
        """Return the least that the variables' own bounds allow for cost · x + offset."""
        best = np.where(self.cost > 0, self.lower, self.upper)
        used = self.cost != 0
        return float(self.cost[used] @ best[used]) + self.offset

    def cost_scale(self) -> float:
        """Return the power of two that brings the largest cost near `_LARGEST_COST`.

        Solvers' tolerances on the objective are absolute; scaled, they are small beside it.
        """
        largest = float(np.abs(self.cost).max(initial=0.0))
        return 2.0 ** math.floor(math.log2(_LARGEST_COST / largest)) if largest else 1.0

    def vector(self, values: Mapping[str, float]) -> Floats | None:
        """Return the values as a vector with integers rounded, None unless all are given."""
        if any(name not in values for name in self.names):
            return None
        x = np.array([values[name] for name in self.names], dtype=np.float64)
        return self.rounded(x) if np.isfinite(x).all() else None

    def rounded(self, x: Floats) -> Floats:
        """Return x with integer variables at the nearest integer and all within their bounds."""
        return np.clip(np.where(self.integer, np.round(x), x), self.lower, self.upper)


def mip_arrays(problem: pulp.LpProblem) -> MipArrays:
    """Convert a PuLP problem.

    Raises
    ------
    ValueError
        If two variables share a name, a number is not finite, or the problem has special ordered
        sets, which have no place in rows and columns.
    """
    if problem.sos1 or problem.sos2:
        raise ValueError("Special ordered sets are not supported; write them as rows.")
    variables = problem.variables()
    index = {id(variable): j for j, variable in enumerate(variables)}
    names = [variable.name for variable in variables]
    if len(set(names)) != len(names):
        twice = next(a for a, b in pairwise(names) if a == b)
        raise ValueError(f"Two variables of the problem are both named {twice!r}.")

    sign = -1 if problem.sense == -1 else 1
    cost = np.zeros(len(variables))
    offset = 0.0
    if problem.objective is not None:
        offset = sign * float(problem.objective.constant or 0.0)
        for variable, coefficient in problem.objective.items():
            cost[index[id(variable)]] += sign * coefficient

    constraints = problem.constraints
    # PuLP 3.3.2 makes this both a mapping and, as PuLP 4 does, a method that returns a list.
    rows = list(constraints() if callable(constraints) else constraints.values())
    lower, upper = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
    row_of, column_of, coefficients = [], [], []
    for i, row in enumerate(rows):
        limit = -float(row.constant)
        if row.sense >= 0:
            lower[i] = limit
        if row.sense <= 0:
            upper[i] = limit
        for variable, coefficient in row.items():
            row_of.append(i)
            column_of.append(index[id(variable)])
            coefficients.append(coefficient)
    row_array = np.array(row_of, dtype=np.int64)
    column_array = np.array(column_of, dtype=np.int64)
    coefficient_array = np.array(coefficients, dtype=np.float64)
    order = np.lexsort((column_array, row_array))
    order = order[coefficient_array[order] != 0]

    arrays = MipArrays(
        names=names,
        sign=sign,
        cost=cost,
        offset=offset,
        lower=_bounds([variable.lowBound for variable in variables], -np.inf),
        upper=_bounds([variable.upBound for variable in variables], np.inf),
        integer=np.array([variable.cat == "Integer" for variable in variables], dtype=np.bool_),
        row_names=[str(row.name) for row in rows],
        row_lower=lower,
        row_upper=upper,
        rows=row_array[order],
        columns=column_array[order],
        coefficients=coefficient_array[order],
    )
    _check_finite(arrays)
    return arrays


def _bounds(values: list[float | None], missing: float) -> Floats:
    return np.array([missing if value is None else value for value in values], dtype=np.float64)


def _excess(smaller: Floats, larger: Floats, limit: Floats, size: Floats) -> float:
    """Return by how much `smaller` ≤ `larger` fails at most, relative to limit and size."""
    finite = np.isfinite(limit)
    about = np.maximum(np.maximum(1.0, np.abs(limit[finite])), size[finite])
    over = (smaller[finite] - larger[finite]) / about
    return float(over.max(initial=0.0))


def _check_finite(arrays: MipArrays) -> None:
    """Raise ValueError where a cost, a coefficient or a row's limit is not finite."""
    if not np.isfinite(arrays.cost).all() or not np.isfinite(arrays.offset):
        raise ValueError("The objective of the problem has a coefficient that is not finite.")
    wrong = np.flatnonzero(~np.isfinite(arrays.coefficients))
    if wrong.size:
        row = arrays.row_names[arrays.rows[wrong[0]]]
        name = arrays.names[arrays.columns[wrong[0]]]
        raise ValueError(f"Row {row!r} has a coefficient of {name!r} that is not finite.")
    free = np.isinf(arrays.row_lower) & np.isinf(arrays.row_upper)
    bad = np.flatnonzero(free | np.isnan(arrays.row_lower) | np.isnan(arrays.row_upper))
    if bad.size:
        raise ValueError(f"Row {arrays.row_names[bad[0]]!r} has a limit that is not finite.")
