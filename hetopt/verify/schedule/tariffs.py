"""What the energy of a schedule costs where prices change over time, summed by the checker itself.

Energy of a task is spread evenly over its run, of a hop over its time, idle power over the window.
What takes no time pays the price of its instant, at the instant of a change the lower one. The sum
goes over price pieces: in fractions for small plans, else in floats.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Series
from hetopt.verify.exact import Numbers, Scale, fraction

_ROUNDING = 1e-15
"""Relative rounding of the sum of a start and a length."""

_FEW = 20_000
"""Runs × price pieces up to which fractions are used."""


def priced(
    series: Series,
    scale: Scale,
    runs: tuple[Numbers, Numbers],
    energy_j: Floats,
    idle_power_w: float,
    window_s: float,
) -> float:
    """Return Σ over runs of energy × mean price, plus idle power × the integral over the window.

    Parameters
    ----------
    runs
        Start and end of each task and hop, on the scale.
    energy_j
        Energy of each of them.
    """
    begin, end = runs
    drawn = np.flatnonzero(energy_j != 0)
    begin, end, energy_j = begin[drawn], end[drawn], energy_j[drawn]
    if scale.mode != "float" and len(drawn) * len(series.from_s) <= _FEW:
        return _in_fractions(series, scale, begin, end, energy_j, idle_power_w, window_s)
    length = scale.seconds(1) if scale.mode != "float" else 1.0
    first, last = begin.astype(np.float64) * length, end.astype(np.float64) * length
    area = _areas(series, first, last)
    lasting = last - first
    at = np.searchsorted(series.from_s, first, side="right") - 1
    touching = np.searchsorted(series.from_s, first, side="left") - 1
    price = np.array(series.value)
    instant = np.minimum(price[np.maximum(at, 0)], price[np.maximum(touching, 0)])
    share = np.divide(area, lasting, out=instant, where=lasting > 0)
    whole = _areas(series, np.zeros(1), np.array([window_s]))[0]
    return math.fsum(share * energy_j) + idle_power_w * float(whole)


def priced_scale(
    series: Series,
    scale: Scale,
    runs: tuple[Numbers, Numbers],
    energy_j: Floats,
    idle_power_w: float,
    window_s: float,
) -> float:
    """Return the size of what `priced` sums: all energy at the dearest price.

    A time in floats is off by ``_ROUNDING`` of the latest one, and a run that is short beside that
    may draw a part of its energy at another price, if not all.
    """
    begin, end = runs
    unit = 1.0 if scale.mode == "float" else scale.seconds(1)
    lasting = (end - begin).astype(np.float64) * unit
    latest = max(window_s, float(end.max(initial=0)) * unit)
    off = np.full(len(lasting), _ROUNDING * latest)
    moved = np.divide(off, lasting, out=np.ones(len(lasting)), where=lasting > off)
    energy_j = np.abs(energy_j)  # sleep takes away from idle power
    dearest, spread = max(series.value), max(series.value) - min(series.value)
    drawn = math.fsum(energy_j) + idle_power_w * window_s
    return dearest * drawn + spread * math.fsum(energy_j * moved) / LIMIT_TOLERANCE


def _areas(series: Series, first: Floats, last: Floats) -> Floats:
    """Integral of the price over each run: what it overlaps of the pieces.

    Each run sums its own pieces. Differences of sums from 0 on would lose a price of 1 behind an
    earlier one of 1e19.
    """
    knots, price = np.array(series.from_s), np.array(series.value)
    low = np.maximum(np.searchsorted(knots, first, side="right") - 1, 0)
    high = np.maximum(np.searchsorted(knots, last, side="left") - 1, low)
    after = np.minimum(low + 1, len(knots) - 1)
    whole = np.append(np.diff(knots) * price[:-1], 0.0)
    bounds = np.stack([after, high], axis=1).reshape(-1)
    between = np.where(high > after, np.add.reduceat(whole, bounds)[::2], 0.0) if len(low) else 0.0
    across = price[low] * (knots[after] - first) + between + price[high] * (last - knots[high])
    result: Floats = np.where(high > low, across, price[low] * (last - first))
    return result


def _in_fractions(
    series: Series,
    scale: Scale,
    begin: Numbers,
    end: Numbers,
    energy_j: Floats,
    idle_power_w: float,
    window_s: float,
) -> float:
    pieces = [
        (fraction(a), None if b is None else fraction(b), fraction(price))
        for a, b, price in zip(series.from_s, [*series.from_s[1:], None], series.value, strict=True)
    ]

    def area(a: Fraction, b: Fraction) -> Fraction:
        total = Fraction(0)
        for low, high, price in pieces:
            ends = b if high is None else min(b, high)
            total += max(Fraction(0), ends - max(a, low)) * price
        return total

    total = fraction(idle_power_w) * area(Fraction(0), fraction(window_s))
    for a, b, joules in zip(begin.tolist(), end.tolist(), energy_j.tolist(), strict=True):
        first, last = Fraction(a, scale.per_s), Fraction(b, scale.per_s)
        if last > first:
            share = area(first, last) / (last - first)
        else:
            share = min(
                price
                for low, high, price in pieces
                if low <= first and (high is None or first <= high)
            )
        total += share * fraction(joules)
    return float(total)
