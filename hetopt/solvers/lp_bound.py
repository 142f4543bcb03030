r"""What the duals of a linear program prove, whatever solver they are from.

For any prices y of the rows, of which those with a wrong sign are set to 0,

    L(y) = Σ_r y_r b_r + Σ_j min over l_j ≤ x_j ≤ u_j of (c_j − Σ_r y_r a_rj) x_j

is no more than the least cost, with b_r the row's lower limit where y_r > 0, else its upper one. It
is computed here with everything that rounding may have added taken off: an error for each reduced
cost by the sizes of its terms, and one for the whole by the sizes of its own.

A basic variable has a reduced cost of 0 up to rounding, so that one without a bound would leave no
bound at all. Ranges are implied by the rows, and by a cutoff: for *any* number U, each solution
costs more than U, or obeys what cost ≤ U implies. So min(U, L) holds, L with those ranges.

With costs of 0, L(y) > 0 shows that the rows cannot be met (Farkas).
"""

from __future__ import annotations

import math

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Ints
from hetopt.solvers.mip_arrays import MipArrays

PASSES = 8
"""Times that the rows tighten the ranges."""

ROUNDING = 1e-12
"""Relative error that a sum over a row may have, far above that of any number of terms here."""

ABOVE = 0.01
"""By how much of itself the cutoff lies above the cost that a solver says."""

Range = tuple[Floats, Floats]


def implied_ranges(
    arrays: MipArrays, lower: Floats, upper: Floats, cutoff: float = math.inf
) -> Range:
    """Return ranges of the variables that hold for every point of the program of no more cost.

    Parameters
    ----------
    lower, upper
        Bounds of the variables to begin with.
    cutoff
        Cost, offset included, up to which points count.
    """
    low, high, _ = _narrowed(arrays, lower, upper, cutoff, ROUNDING)
    return low, high


def _narrowed(
    arrays: MipArrays, lower: Floats, upper: Floats, cutoff: float, room: float
) -> tuple[Floats, Floats, bool]:
    """Return ranges for all points that break no row by more than ``room``, and if none is left.

    ``room`` is relative to the sizes of a row's terms and of its limit.
    """
    crossed = False
    rows, columns, value = arrays.rows, arrays.columns, arrays.coefficients
    least, most = arrays.row_lower, arrays.row_upper
    if math.isfinite(cutoff):
        used = np.flatnonzero(arrays.cost)
        rows = np.concatenate([rows, np.full(len(used), len(least))])
        columns = np.concatenate([columns, used])
        value = np.concatenate([value, arrays.cost[used]])
        least, most = np.append(least, -np.inf), np.append(most, cutoff - arrays.offset)
    lower, upper = lower.copy(), upper.copy()
    rising = value > 0
    for _ in range(PASSES):
        before = lower.copy(), upper.copy()
        ends = np.where(rising, lower[columns], upper[columns]) * value
        above = _beyond(rows, ends, most, room) / value
        ends = np.where(rising, upper[columns], lower[columns]) * value
        below = _beyond(rows, -ends, -least, room) / -value
        highest = np.full(len(upper), np.inf)
        lowest = np.full(len(lower), -np.inf)
        np.minimum.at(highest, columns[rising], above[rising])
        np.minimum.at(highest, columns[~rising], below[~rising])
        np.maximum.at(lowest, columns[rising], below[rising])
        np.maximum.at(lowest, columns[~rising], above[~rising])
        # Ends that cross say that nothing is left. One of them alone holds as well, and without it
        # a variable may have no end at all.
        higher, low = np.minimum(upper, highest), np.maximum(lower, lowest)
        kept = low <= higher
        crossed = crossed or bool((low > higher).any())
        upper = np.where(kept | (higher >= lower), higher, upper)
        lower = np.where(kept, low, lower)
        with np.errstate(invalid="ignore"):
            moved = np.abs(before[1] - upper) + np.abs(before[0] - lower)
            settled = ~(moved > 0.1 * (np.abs(upper) + np.abs(lower)))
        if settled.all():
            break
    return lower, upper, crossed


def _beyond(rows: Ints, ends: Floats, limit: Floats, part: float) -> Floats:
    """Return what each term may be at most where all others of its row are at their least."""
    count = len(limit)
    free = np.isinf(ends)
    held = np.where(free, 0.0, ends)
    total = np.bincount(rows, held, count)
    size = np.bincount(rows, np.abs(held), count)
    missing = np.bincount(rows, free, count)
    with np.errstate(invalid="ignore"):
        room = limit[rows] - (total[rows] - held)
        room += part * (size[rows] + np.abs(limit[rows]))
    known = (missing[rows] - free == 0) & np.isfinite(limit[rows])
    return np.asarray(np.where(known, room, np.inf), dtype=np.float64)


def dual_value(
    arrays: MipArrays, duals: Floats, lower: Floats, upper: Floats, cost: Floats
) -> tuple[float, float]:
    """Return L at prices of the rows, without the offset, and the sizes of its terms added up."""
    price = np.where((duals > 0) & np.isinf(arrays.row_lower), 0.0, duals)
    price = np.where((price < 0) & np.isinf(arrays.row_upper), 0.0, price)
    price = np.where(np.isfinite(price), price, 0.0)
    limit = np.where(price > 0, arrays.row_lower, np.where(price < 0, arrays.row_upper, 0.0))
    paid = price[arrays.rows] * arrays.coefficients
    count = np.bincount(arrays.columns, minlength=len(cost))
    reduced = cost - np.bincount(arrays.columns, paid, len(cost))
    size = np.abs(cost) + np.bincount(arrays.columns, np.abs(paid), len(cost))
    error = np.finfo(np.float64).eps * (count + 4) * size
    least, most = reduced - error, reduced + error
    if (np.isinf(upper) & (least < 0)).any() or (np.isinf(lower) & (most > 0)).any():
        return -math.inf, math.inf
    corners = [
        np.where(np.isfinite(bound), factor * np.where(np.isfinite(bound), bound, 0.0), np.inf)
        for bound in (lower, upper)
        for factor in (least, most)
    ]
    # Without a bound at all the reduced cost is 0 exactly.
    terms = np.minimum.reduce(corners)
    terms = np.where(np.isinf(terms), 0.0, terms)
    whole = np.concatenate([price * limit, terms])
    sizes = float(np.abs(whole).sum())
    if not math.isfinite(sizes):
        return -math.inf, math.inf
    return math.fsum(whole.tolist()) - 1e-15 * sizes, sizes


def proven_bound(
    arrays: MipArrays, duals: Floats, guess: float, lower: Floats, upper: Floats
) -> float:
    """Return a lower bound on the cost, offset included, of every point; -inf if there is none.

    Parameters
    ----------
    duals
        Prices of the rows, of any solver.
    guess
        The cost that the solver says; it decides about the cutoff only.
    lower, upper
        Bounds of the variables.
    """
    if not math.isfinite(guess):
        return -math.inf
    cutoff = guess + ABOVE * abs(guess)
    low, high = implied_ranges(arrays, lower, upper, cutoff)
    value, size = dual_value(arrays, duals, low, high, arrays.cost)
    return min(cutoff, value + arrays.offset - 1e-15 * (size + abs(arrays.offset)))


def refutes(arrays: MipArrays, duals: Floats, lower: Floats, upper: Floats) -> bool:
    """Whether prices of the rows show that no point meets them, not even by their tolerance.

    Where the ranges that rows imply by that tolerance cross, none does whatever the prices are: a
    solver's own may leave a rounded reduced cost on a variable that no row bounds from above.
    """
    low, high, crossed = _narrowed(arrays, lower, upper, math.inf, 2 * LIMIT_TOLERANCE)
    if crossed:
        return True
    value, size = dual_value(arrays, duals, low, high, np.zeros(len(arrays.cost)))
    return value > 2 * LIMIT_TOLERANCE * size
