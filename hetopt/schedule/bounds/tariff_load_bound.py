"""The load bound under prices that change over time: cheap hours hold only so much work.

As :mod:`hetopt.schedule.bounds.load_bound`, with the work of class c that option o does in price
piece k (of length len[k] up to the latest end) as x[c, o, k], and n[d] units of device d that are
on:

    minimise    Σ energy[o] price[k] x[c, o, k] + Σ_d r[d](n[d])
    subject to  Σ_{o,k} x[c, o, k] = work[c]                            for each class
                Σ_o time[o] x[c, o, k] <= slots[d] n[d] len[k]          for each device and piece

where r[d](n) is what n units cost over the least window. It relaxes every plan: each piece of a run
is paid at its own price. From prices λ[d, k] >= 0 on the device rows the bound is

    Σ_c work[c] min_{o,k} (energy[o] price[k] + λ[d,k] time[o])
    + Σ_d min over n of (r[d](n) - n slots[d] Σ_k λ[d,k] len[k])

whatever prices the LP gave.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Series
from hetopt.instance.tariffs import integral
from hetopt.schedule.bounds.load_bound import Load
from hetopt.schedule.bounds.rounding import surely
from hetopt.solvers.share_lp import solve_shares

LARGEST_LP = 60_000
"""Options of all classes × price pieces up to which the LP is solved: about a second."""


def priced_bound(
    instance: Instance, load: Load, objective: str, series: Series, window: tuple[float, float]
) -> float:
    """Return a lower bound of cost or carbon under a price that changes over time.

    Parameters
    ----------
    window
        Proven least and greatest makespan in seconds (greatest inf: no limit).

    Returns
    -------
    float
        0 where the LP would be too large, or gave no answer.
    """
    lowest, highest = window
    begin = np.array(series.from_s)
    reached = max(1, int((begin < highest).sum()))
    begin, value = begin[:reached], np.array(series.value[:reached]) * instance.limits.pue
    length = np.append(begin[1:], highest) - begin
    if not len(load.work) or len(load.option) * reached > LARGEST_LP:
        return 0.0
    rent, idle = _unit_costs(instance, objective, series, lowest)
    off = instance.devices.off_when_unused
    # Of the units that are had anyway only those that may be off cost something more.
    unit = np.concatenate([np.where(off, idle, 0.0), rent + idle])
    prices = _dual_prices(instance, load, value, length, unit)
    if prices is None:
        return 0.0
    options, devices = instance.options, instance.devices
    reduced = np.min(
        options.energy_j[:, None] * value[None, :]
        + prices[options.device] * options.time_s[:, None],
        axis=1,
    )
    work = load.work * np.minimum.reduceat(reduced[load.option], load.ptr[:-1])
    # A piece without an end has price 0, and its length does not count.
    worth = devices.slots * (prices * np.where(np.isinf(length), 0.0, length)).sum(axis=1)
    had = devices.count_min.astype(np.float64)
    paid, size = [], float(work.sum())
    for n in (np.zeros(len(had)), had, devices.count_max.astype(np.float64)):
        owned = np.maximum(n, had)
        on = np.where(devices.off_when_unused, n, owned)
        paid.append(rent * owned + idle * on - worth * n)
        size += float((rent * owned + idle * on + worth * n).sum())
    terms = len(instance.tasks) + len(load.option) + len(worth) * (reached + 3)
    return surely(float(work.sum() + np.minimum.reduce(paid).sum()), size, terms)


def _unit_costs(
    instance: Instance, objective: str, series: Series, lowest: float
) -> tuple[Floats, Floats]:
    """Cost of a unit had, and of one on, over the least window (length D)."""
    devices, limits = instance.devices, instance.limits
    least = limits.horizon_s if math.isfinite(limits.horizon_s) else lowest
    area = float(integral(series, np.array([least]))[0]) * limits.pue
    rent = devices.price_per_s * least if objective == "cost" else np.zeros(len(devices))
    return rent, devices.idle_power_w * area


def _dual_prices(
    instance: Instance, load: Load, value: Floats, length: Floats, unit: Floats
) -> Floats | None:
    """Prices of device time by device and piece (D × K), None where the LP gave no answer.

    ``unit`` (2 D) is what a unit among those had anyway costs, and what one more does.
    """
    from scipy.sparse import csr_matrix, hstack

    pieces, wide, rows = len(value), len(instance.devices), len(load.work)
    owner = np.repeat(np.repeat(np.arange(rows), np.diff(load.ptr)), pieces)
    option = np.repeat(load.option, pieces)
    piece = np.tile(np.arange(pieces), len(load.option))
    time = instance.options.time_s[option] * load.work[owner]
    cost = instance.options.energy_j[option] * load.work[owner] * value[piece]
    place = instance.options.device[option] * pieces + piece
    size = max(float(time.max(initial=0.0)), 1e-300)
    money = max(float(cost.max(initial=0.0)), float(unit.max(initial=0.0)), 1e-300)
    each = np.arange(len(option))
    room = np.repeat(instance.devices.slots, pieces) * np.tile(length, wide)
    ends = np.isfinite(room)
    use = csr_matrix((time / size, (place, each)), shape=(wide * pieces, len(option)))
    give = csr_matrix(
        (
            -np.where(ends, room, 0.0) / size,
            (np.arange(wide * pieces), np.repeat(np.arange(wide), pieces)),
        ),
        shape=(wide * pieces, wide),
    )
    had, count = instance.devices.count_min, instance.devices.count_max
    most = np.concatenate([np.full(len(option), np.inf), had, count - had])
    upper: Any = hstack([use, give, give]).tocsr()
    found = solve_shares(
        owner,
        rows,
        np.concatenate([cost, unit]) / money,
        upper[ends],
        np.zeros(int(ends.sum())),
        np.stack([np.zeros(len(most)), most], axis=1),
    )
    if not found.solved:
        return None
    prices = np.zeros(wide * pieces)
    prices[ends] = found.prices * money / size
    return prices.reshape(wide, pieces)
