r"""Programs with rows and columns scaled by powers of two, so that absolute tolerances mean little.

HiGHS, CBC and others hold rows and reduced costs to absolute tolerances, and HiGHS drops entries
below 1e-9. Costs, rates and limits of an instance may span ten and more orders of magnitude. So a
program whose numbers do is solved as

    x = s x',   r_i b_i ≤ Σ_j r_i a_ij s_j x'_j ≤ r_i B_i,   c'_j = C s_j c_j

with factors that bring the entries of each row and column, costs included, near 1 (in geometric
mean; Curtis and Reid, J. Inst. Maths Applics 10:118, 1972). Scaling by powers of two is exact.

What is still too small for a solver is left out of its row, and the row's limits are widened by
all that it could be: so the program is a relaxation, whose bounds hold. Where nothing limits what
it could be, the row's limit goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Bools, Floats, Ints
from hetopt.solvers.lp_bound import implied_ranges
from hetopt.solvers.mip_arrays import MipArrays

SMALLEST = 2e-9
"""Entries below this are left out: HiGHS drops what is below 1e-9."""

WIDE = 1e5
"""Ratio of entries, or of costs, from which a program is scaled."""

MANY = 1e8
"""Number from which on a variable need not be whole: one more is far below ``GAP_TOLERANCE``."""

PASSES = 6
"""Times that rows and columns are scaled in turn."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A program with its factors: x = ``column`` x', duals y = ``row`` y' / ``cost``."""

    arrays: MipArrays
    column: Floats
    row: Floats
    cost: float


def is_wide(arrays: MipArrays) -> bool:
    """Whether the numbers of a program span more than a solver's tolerances bear."""
    cost, size = np.abs(arrays.cost[arrays.cost != 0]), np.abs(arrays.coefficients)
    if len(cost) and cost.max() > WIDE * cost.min():
        return True
    return bool(len(size)) and bool(max(1.0, size.max()) > WIDE * min(1.0, size.min()))


def scaled(
    arrays: MipArrays,
    ranges: tuple[Floats, Floats],
    *,
    narrow: bool = False,
    whole: bool = False,
) -> Scaled:
    """Return a program scaled, without entries that are too small for a solver.

    Parameters
    ----------
    ranges
        Lower and upper ends of what variables can be in the points that count.
    narrow
        Whether a variable that can be little only is scaled by what it can be: what costs far more
        than a known point is then seen to cost about as much as that, where it is used at all.
    whole
        Whether integer variables stay as they are.
    """
    column = np.ones(len(arrays.cost))
    fixed = arrays.integer.copy() if whole else np.zeros(len(column), dtype=bool)
    if narrow:
        size = np.maximum(np.abs(ranges[0]), np.abs(ranges[1]))
        small = ~fixed & (size > 0) & (size < 1.0 / 16)
        column[small] = _power_of_two(size[small])
        fixed |= small
    row, price = _factors(arrays, column, fixed)
    values = arrays.coefficients * row[arrays.rows] * column[arrays.columns]
    with np.errstate(over="ignore"):
        made = replace(
            arrays,
            cost=arrays.cost * column * price,
            offset=arrays.offset * price,
            lower=arrays.lower / column,
            upper=arrays.upper / column,
            row_lower=arrays.row_lower * row,
            row_upper=arrays.row_upper * row,
            coefficients=values,
        )
    low, high = ranges[0] / column, ranges[1] / column
    return Scaled(without_small(made, low, high), column, row, price)


def unscaled(arrays: MipArrays) -> Scaled:
    """Return a program as it is, but for entries that are too small for a solver."""
    column, row = np.ones(len(arrays.cost)), np.ones(len(arrays.row_lower))
    return Scaled(without_small(arrays, arrays.lower, arrays.upper), column, row, 1.0)


def for_integers(arrays: MipArrays, cutoff: float) -> Scaled:
    """Return a program scaled for a solver of integer programs.

    What it says of costs holds up to the cutoff: see `lp_bound`. Variables that are so many in all
    points that count that whole numbers do not matter need not be whole in it.

    Parameters
    ----------
    cutoff
        Cost, offset included, of the points that count; inf for all.
    """
    if not is_wide(arrays):
        return unscaled(arrays)
    ranges = implied_ranges(arrays, arrays.lower, arrays.upper, cutoff)
    integer = arrays.integer & (ranges[0] < MANY)
    program = replace(arrays, integer=integer)
    return scaled(program, ranges, narrow=bool(np.isfinite(cutoff)), whole=True)


def without_small(arrays: MipArrays, lower: Floats, upper: Floats) -> MipArrays:
    """Return a program without entries below ``SMALLEST``, limits widened by what they could be."""
    small = np.abs(arrays.coefficients) < SMALLEST
    if not small.any():
        return arrays
    rows, value = arrays.rows[small], arrays.coefficients[small]
    low, high = lower[arrays.columns[small]], upper[arrays.columns[small]]
    least = np.where(value > 0, low, high) * value
    most = np.where(value > 0, high, low) * value
    count = len(arrays.row_lower)
    with np.errstate(invalid="ignore"):
        row_upper = arrays.row_upper - np.bincount(rows, least, count)
        row_lower = arrays.row_lower - np.bincount(rows, most, count)
    return replace(
        arrays,
        row_lower=np.where(np.isnan(row_lower), -np.inf, row_lower),
        row_upper=np.where(np.isnan(row_upper), np.inf, row_upper),
        rows=arrays.rows[~small],
        columns=arrays.columns[~small],
        coefficients=arrays.coefficients[~small],
    )


def _factors(arrays: MipArrays, column: Floats, fixed: Bools) -> tuple[Floats, float]:
    """Find factors of rows and of the columns that are not fixed, in place; costs are a row."""
    used = np.flatnonzero(arrays.cost)
    count = len(arrays.row_lower)
    rows = np.concatenate([arrays.rows, np.full(len(used), count)])
    columns = np.concatenate([arrays.columns, used])
    size = np.log2(np.abs(np.concatenate([arrays.coefficients, arrays.cost[used]])))
    row, exponent = np.zeros(count + 1), np.log2(column)
    for _ in range(PASSES):
        row -= _middle(rows, size + exponent[columns] + row[rows], count + 1)
        step = _middle(columns, size + exponent[columns] + row[rows], len(column))
        exponent = np.where(fixed, exponent, exponent - step)
    column[:] = np.exp2(np.round(exponent))
    row -= _middle(rows, size + np.round(exponent)[columns] + row[rows], count + 1)
    factors = np.exp2(np.round(row))
    return factors[:count], float(factors[count])


def _middle(group: Ints, size: Floats, count: int) -> Floats:
    """Return the middle between least and largest of each group, 0 where it is empty."""
    least, most = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, group, size)
    np.maximum.at(most, group, size)
    with np.errstate(invalid="ignore"):
        middle = np.where(np.isfinite(least), (least + most) / 2, 0.0)
    return np.asarray(middle, dtype=np.float64)


def _power_of_two(size: Floats) -> Floats:
    return np.asarray(np.exp2(np.round(np.log2(size))), dtype=np.float64)
