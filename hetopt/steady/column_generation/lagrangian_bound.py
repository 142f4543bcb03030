"""Prices of the coupling rows, what they make routes cost, and the bound that follows.

Lagrange: for any prices π ≥ 0 of the coupling rows of
:mod:`hetopt.steady.program.formulation_arrays`,

    L(π) = Σ_j min over routes r of j of c_r(π) + min over side variables v of (c + Sᵀπ) v − π b

is a lower bound on the program, integers or not, whatever solved it: only the least cost of a
stream's routes at these prices must be true. (Where value is asked for, a part of a stream between
``min_share`` and 1 is served: the part that makes its least cost smallest.) This is the bound by
which column generation may stop at any time (Lasdon 1970; Farley, Oper. Res. 38:922, 1990, for the
scaling with θ).
"""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.routes.measure_prices import Prices

ROUNDING = 1e-10
"""Relative error that the sum of a bound may have: far above that of 1e5 terms in doubles."""


def prices(master: Master, rows: Floats) -> Prices:
    """Return what routes cost at prices of the rows, lowered where they allow no bound at all.

    More units than any number are no help only if one costs at least what its room is worth.
    """
    measures, sides, _ = master.row_table()
    rows = _affordable(master, np.maximum(rows, 0.0), sides.toarray())
    energy = master.objective.energy + sum(
        p * row.form.energy for p, row in zip(rows.tolist(), master.rows, strict=True)
    )
    accuracy = master.objective.accuracy + sum(
        p * row.form.accuracy for p, row in zip(rows.tolist(), master.rows, strict=True)
    )
    value = master.objective.value + sum(
        p * row.form.value for p, row in zip(rows.tolist(), master.rows, strict=True)
    )
    return Prices(
        rows=rows,
        factor=master.rate * master.unit,
        energy=float(energy),
        measures=np.asarray(measures.T @ rows, dtype=np.float64),
        accuracy=master.weight * master.rated * accuracy,
        fixed=master.rate * master.worth * value,
    )


def bound(master: Master, at: Prices, least: Floats) -> float:
    """Return L, a lower bound on what is minimised; minus infinity where the prices say nothing.

    Parameters
    ----------
    least
        For each stream (G), no more than the least cost of its routes at these prices.
    """
    _, sides, upper = master.row_table()
    if master.question.value:
        # A stream that costs something is served as little as it may be, one that pays wholly.
        least = np.where(least < 0, least, np.where(master.least > 0, least, 0.0) * master.least)
    cost = master.objective.side + sides.T @ at.rows
    lower, most = np.array(master.side_lower), np.array(master.side_upper)
    terms = [-at.rows * upper]
    if master.theta < 0:
        terms.append(least)
    else:
        cost[master.theta] += float(least.sum())
        if np.isinf(most[master.theta]):
            return _farley(master, at, cost, lower, most, upper, float(least.sum()))
    worth = np.where(cost > 0, lower, most)
    used = cost != 0
    terms.append(cost[used] * worth[used])
    return _summed(terms, master.objective.constant)


def _farley(
    master: Master,
    at: Prices,
    cost: Floats,
    lower: Floats,
    most: Floats,
    upper: Floats,
    least: float,
) -> float:
    """Scale the prices until one more θ costs what it is worth.

    That is possible because nothing but θ has a cost of its own where throughput is maximised.
    """
    gain = -float(master.objective.side[master.theta])
    if least <= 0:
        return -np.inf
    scale = gain / least
    cost = cost.copy()
    cost[master.theta] = 0.0
    used = cost != 0
    terms = [-at.rows * upper, cost[used] * np.where(cost > 0, lower, most)[used]]
    return _summed([scale * part for part in terms], master.objective.constant)


def _affordable(master: Master, rows: Floats, sides: Floats) -> Floats:
    """Lower prices until no side variable without a maximum has a negative cost."""
    rows = rows.copy()
    free = [s for s in range(len(master.side_names)) if np.isinf(master.side_upper[s])]
    units = set(master.on.values())
    # What is only had comes first: its price is part of the cost of a unit on.
    for s in sorted(free, key=lambda s: (s in units, s)):
        if s == master.theta:
            continue
        missing = -float(master.objective.side[s] + sides[:, s] @ rows)
        for i in np.flatnonzero(sides[:, s] < 0).tolist():
            if missing <= 0:
                break
            # A hair more than needed, so that what is left is not negative by rounding.
            lowered = max(0.0, rows[i] - missing * (1 + 1e-15) / -sides[i, s])
            lowered = lowered if lowered > 1e-13 * rows[i] else 0.0
            missing -= (rows[i] - lowered) * -sides[i, s]
            rows[i] = lowered
        while float(master.objective.side[s] + sides[:, s] @ rows) < 0 and rows.any():
            rows[sides[:, s] < 0] *= 1 - 1e-12
    return rows


def _summed(terms: list[Floats], constant: float) -> float:
    """Return the sum, less what rounding may have added."""
    whole = np.concatenate(terms)
    if not np.isfinite(whole).all():
        return -np.inf
    return float(whole.sum() + constant - ROUNDING * (np.abs(whole).sum() + abs(constant)))
