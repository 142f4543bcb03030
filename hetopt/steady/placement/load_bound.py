"""A load that no placement falls below: the linear relaxation of the assignment.

    min T   Σ_d x_cd = 1,   Σ_c load_cd x_cd ≤ units_d T,   Σ_c weights_cd x_cd ≤ memory of d

without transfers, and with weights that several clusters share left out. By duality, for any prices
λ ≥ 0 with Σ_d units_d λ_d = 1 and any μ ≥ 0,

    Σ_c min_d (λ_d load_cd + μ_d weights_cd) − Σ_d μ_d memory_d ≤ T,

which is what is computed, whatever prices the solver returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats
from hetopt.solvers.share_lp import Entries, solve_shares
from hetopt.steady.placement.search.table import Columns

ROUNDING = 1e-12
"""Relative error that a sum of terms may have: far above that of any number of clusters."""


@dataclass(frozen=True, slots=True)
class LoadBound:
    """The bound, and what the time of each device's units is worth.

    Attributes
    ----------
    load
        No placement's largest load is less; 0 where nothing is known.
    price
        λ, length D.
    work
        Σ λ × load of each cluster where that is least (length C): no set of clusters takes less
        than its sum, in units' time at these prices.
    """

    load: float
    price: Floats
    work: Floats


def load_bound(columns: Columns) -> LoadBound:
    """Return the bound of a table of placements."""
    load, weights = _columns(columns)
    units = columns.units.astype(np.float64)
    price, dear = _prices(load, weights, units)
    total = float(price @ units)
    if total > 0:
        price, dear = price / total, dear / total
    priced = np.where(np.isfinite(load), load, 0.0) * price + weights * dear
    least = np.where(np.isfinite(load), priced, np.inf).min(axis=1)
    plain = np.where(np.isfinite(load), np.where(np.isfinite(load), load, 0.0) * price, np.inf)
    work = plain.min(axis=1)
    held = float(dear @ units)
    rounding = ROUNDING * (float(np.abs(least).sum()) + held)
    bound = max(0.0, float(work.sum()), float(least.sum()) - held - rounding)
    largest = float(np.where(np.isfinite(load), load, np.inf).min(axis=1).max(initial=0.0))
    return LoadBound(max(bound, largest), price, work)


def _columns(columns: Columns) -> tuple[Floats, Floats]:
    """Least load and least weights, as a share of a unit's memory, of each cluster and device.

    Weights that several clusters may share are left out, as they count once a unit.
    """
    stage, wide = columns.stage, len(columns.units)
    count = len(columns.clusters)
    load = np.where(stage.allowed > 0, stage.base, np.inf)
    weights = np.minimum.reduceat(stage.weights, stage.ptr[:-1])
    cell = np.repeat(np.arange(count * wide), np.diff(stage.key_ptr))
    pairs = np.unique(np.stack([stage.key_id, cell // wide], axis=1), axis=0)
    shared = np.bincount(pairs[:, 0].astype(np.int64), minlength=columns.keys) > 1
    size = np.where(shared[stage.key_id], 0.0, stage.key_size)
    weights += np.bincount(cell, size, minlength=count * wide)
    return load, np.where(stage.allowed > 0, weights.reshape(count, wide), 0.0)


def _prices(load: Floats, weights: Floats, units: Floats) -> tuple[Floats, Floats]:
    """Solve the linear program; return λ and μ (0 where it has no solution)."""
    count, wide = load.shape
    c, d = np.nonzero(np.isfinite(load))
    x = np.arange(len(c))
    rows = np.concatenate([d, np.arange(wide), wide + d])
    cols = np.concatenate([x, np.full(wide, len(x)), x])
    values = np.concatenate([load[c, d], -units, weights[c, d]])
    upper = Entries(rows, cols, values, (2 * wide, len(x) + 1))
    goal = np.zeros(len(x) + 1)
    goal[-1] = 1.0
    most = np.concatenate([np.zeros(wide), units])
    dual = solve_shares(c, count, goal, upper, most).prices
    return dual[:wide], dual[wide:]
