"""The range of a limit in which its shadow price holds.

With duals y of an optimal point, y stays optimal at another limit exactly where some point meets
all rows there and complementary slackness with y: rows with a price are met with equality, and
variables with a reduced cost stay at their bound. So the ends of the range are the least and the
most of the limit over such points, two linear programs. Beyond them the price is another one.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation, Relaxed

PRICED = 1e-9
"""A price below this part of the largest counts as none."""

MOST_COLUMNS = 5000
"""Programs with more columns are not asked: each range costs two solves."""


def holding_range(
    arrays: MipArrays, relaxed: Relaxed, row: int, time_limit_s: float
) -> tuple[float, float]:
    """Return the least and the most limit at which the price holds; NaN where it is not known.

    Parameters
    ----------
    arrays, relaxed
        The relaxation and its optimal point with duals.
    row
        The row whose limit is meant.
    time_limit_s
        For each of the two solves.
    """
    if len(arrays.cost) > MOST_COLUMNS:
        return math.nan, math.nan
    duals = relaxed.row_duals
    priced = np.abs(duals) > PRICED * np.abs(duals).max(initial=0.0)
    row_lower = np.where(priced & (duals < 0), arrays.row_upper, arrays.row_lower)
    row_upper = np.where(priced & (duals > 0), arrays.row_lower, arrays.row_upper)
    at_lower, at_upper = (
        np.abs(d) > PRICED * np.abs(relaxed.bound_duals).max(initial=0.0)
        for d in relaxed.bound_duals
    )
    lower = np.where(at_upper, arrays.upper, arrays.lower)
    upper = np.where(at_lower, arrays.lower, arrays.upper)
    cost = np.zeros(len(arrays.cost))
    row_lower[row], row_upper[row] = -np.inf, np.inf
    mine = arrays.rows == row
    np.add.at(cost, arrays.columns[mine], arrays.coefficients[mine])
    tight = replace(
        arrays,
        row_lower=row_lower,
        row_upper=row_upper,
        lower=lower,
        upper=upper,
        integer=np.zeros(len(cost), dtype=bool),
        offset=0.0,
    )
    ends = []
    for sign in (1.0, -1.0):
        found = Relaxation(replace(tight, cost=sign * cost)).solve(time_limit_s=time_limit_s)
        if found.outcome == "optimal":
            ends.append(float(cost @ found.x))
        else:
            ends.append(sign * -math.inf if found.outcome == "unbounded" else math.nan)
    return ends[0], ends[1]
