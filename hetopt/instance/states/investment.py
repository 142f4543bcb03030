"""Units that are bought in a period and stay (``invest``): what money counts, and when.

With begins t_s of the periods, T the end of the last one and r the discount rate a year, money at t
counts γ(t) = (1 + r)^(-t / year). Money of a period (energy, starts) counts as at its begin. A unit
bought as s begins

    for a purchase price P with a lifetime L: P Σ_k γ(t_s + k L) for each k with t_s + k L < T, as
        what is worn out is replaced, less what the last of them is still worth at T:
        P γ(T) × the part of its lifetime that is left,
    for a rent p per second: p Σ_q≥s γ(t_q) Δ_q.

Without discounting both are price × time had, as in instances that do not invest.
"""

from __future__ import annotations

import numpy as np

from hetopt.instance.dtypes import Floats, Ints
from hetopt.instance.tables import Devices, Periods

YEAR_S = 8760 * 3600.0


def discount_factors(periods: Periods, duration_s: Floats) -> Floats:
    """Return what money of each period counts (S); 1 where units are not bought over time."""
    return _factor(periods, _begins_s(duration_s)[:-1])


def unit_costs(periods: Periods, duration_s: Floats, devices: Devices) -> Floats:
    """Return what a unit counts in all that is bought as a period begins, by device (S × D)."""
    begin = _begins_s(duration_s)
    end = float(begin[-1])
    rent = (_factor(periods, begin[:-1]) * duration_s)[::-1].cumsum()[::-1]
    costs = rent[:, None] * devices.price_per_s[None, :]
    bought = np.isfinite(devices.purchase_price) & (devices.price_per_s > 0)
    for d in np.flatnonzero(bought).tolist():
        price = float(devices.purchase_price[d])
        life = price / float(devices.price_per_s[d])
        left = (end - begin[:-1]) / life
        often = np.ceil(left)
        each = float(_factor(periods, np.array([life]))[0])
        # A geometric series of purchases, each a lifetime after the one before.
        paid = often if each == 1.0 else (1.0 - each**often) / (1.0 - each)
        worth = float(_factor(periods, begin[-1:])[0]) * (often - left)
        costs[:, d] = price * (_factor(periods, begin[:-1]) * paid - worth)
    return costs


def initially_had(periods: Periods, devices: Devices) -> Ints:
    """Units of each device had before the first period (D), which cost nothing to have.

    Of a device left out of a question (no units allowed) none.
    """
    had, most = periods.initial_on(len(devices)), devices.count_max
    return np.where(most >= 0, np.minimum(had, most), had)


def _begins_s(duration_s: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(duration_s)])


def _factor(periods: Periods, time_s: Floats) -> Floats:
    if not periods.invest:
        return np.ones(len(time_s))
    return np.asarray((1.0 + periods.discount_rate) ** (-time_s / YEAR_S))
