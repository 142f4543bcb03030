"""Energy prices and carbon intensities that change over time: which ones matter, and integrals.

Energy of an option is drawn evenly over its run, so what it costs is its energy times the mean
price over the run. What takes no time pays the price of its instant, at the instant of a change
the lower of both: so a cheapest plan exists, and on a grid that holds all changes one lies on it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np

from hetopt.instance.dtypes import Floats, Ints
from hetopt.instance.instance import Instance
from hetopt.instance.tables import Series

TIME_ROUNDING = 1e-15
"""Relative rounding of a time that is the sum of a start and a length."""

PRICED = ("cost", "carbon")
"""Objectives in which a joule may count differently at different times."""


def series_of(instance: Instance, objective: str) -> Series | None:
    """Return the price per joule of an objective over time, None where it is constant.

    PUE is not in it.
    """
    if objective == "cost":
        return instance.limits.energy_price_over_time
    return instance.limits.carbon_over_time if objective == "carbon" else None


def prices_vary(instance: Instance) -> bool:
    """Whether a price that changes over time counts in some objective of the instance.

    Then waiting may pay: no plan may be moved to the left without a look at what it costs.
    """
    return any(series_of(instance, name) is not None for name in instance.objective)


def change_times(instance: Instance) -> tuple[float, ...]:
    """Return the times (s) at which a price that counts in the objectives changes, ascending."""
    found = [series_of(instance, name) for name in instance.objective]
    return tuple(sorted({t for s in found if s is not None for t in s.from_s[1:]}))


def integral(series: Series, time_s: Floats) -> Floats:
    """Return the integral of the price from 0 to each time: price × s."""
    begin, value = np.array(series.from_s), np.array(series.value)
    before, _ = _areas_before(series)
    piece = _piece(series, time_s)
    result: Floats = before[piece] + value[piece] * (time_s - begin[piece])
    return result


def mean_price(series: Series, start_s: Floats, end_s: Floats) -> Floats:
    """Return the mean price over each run; of a run of time 0 the price of its instant."""
    begin, value = np.array(series.from_s), np.array(series.value)
    first, last = _piece(series, start_s), _piece(series, end_s, "left")
    instant = np.minimum(value[_piece(series, start_s, "left")], value[first])
    time = end_s - start_s
    inside = (time > 0) & (first >= last)
    # Whole pieces between the first and the last are differences of sums: in twice the digits, so
    # that a price of 1 is not lost behind an earlier one of 1e19.
    after = np.minimum(first + 1, len(begin) - 1)
    large, small = _areas_before(series)
    between = (large[last] - large[after]) + (small[last] - small[after])
    head, tail = value[first] * (begin[after] - start_s), value[last] * (end_s - begin[last])
    across = (time > 0) & ~inside
    mean = np.divide(head + between + tail, time, out=instant.copy(), where=across)
    result: Floats = np.where(inside, value[first], mean)
    return result


def mean_prices(series: Series, tick_s: float, starts: Sequence[int], duration: int) -> list[float]:
    """Return the mean price of a run from each of some starts; all times in ticks."""
    begin = np.array(starts, dtype=np.float64) * tick_s
    found: list[float] = mean_price(series, begin, begin + duration * tick_s).tolist()
    return found


def at_changes(series: Series, time_s: Floats) -> Floats:
    """Return times, those that miss a change of the price by no more than rounding put on it.

    What ends at the change to a price from one of 0 costs nothing, and not what rounding adds.
    """
    begin = np.array(series.from_s)
    later = np.minimum(np.searchsorted(begin, time_s), len(begin) - 1)
    result = time_s
    for near in (begin[later], begin[np.maximum(later - 1, 0)]):
        result = np.where(np.abs(time_s - near) <= TIME_ROUNDING * near, near, result)
    return np.asarray(result)


def _piece(series: Series, time_s: Floats, side: Literal["left", "right"] = "right") -> Ints:
    """Return the piece that holds each time: at a change the later one, or the earlier (left)."""
    return np.maximum(np.searchsorted(np.array(series.from_s), time_s, side=side) - 1, 0)


def _areas_before(series: Series) -> tuple[Floats, Floats]:
    """Return the integral from 0 to each change as sums of two floats, of twice the digits."""
    begin, value = np.array(series.from_s), np.array(series.value)
    large, small = [0.0], [0.0]
    for area in (value[:-1] * np.diff(begin)).tolist():
        total = large[-1] + area
        # The rounding of a sum is a float, and these differences tell it exactly (Knuth).
        added = total - large[-1]
        small.append(small[-1] + (large[-1] - (total - added)) + (area - added))
        large.append(total)
    return np.array(large), np.array(small)


def least_price(series: Series, until_s: float) -> float:
    """Return the least price from 0 to a time (inf: for ever)."""
    return min(v for t, v in zip(series.from_s, series.value, strict=True) if t <= until_s)


def least_mean(series: Series, lowest_s: float, highest_s: float) -> float:
    """Return the least mean price over [0, C] for C from ``lowest_s`` to ``highest_s`` (or inf).

    Between changes the mean moves towards the price, so its least value is at an end or a change.
    """
    ends = [t for t in series.from_s if lowest_s < t < highest_s]
    ends += [t for t in (lowest_s, highest_s) if math.isfinite(t)]
    tried = np.array(ends, dtype=np.float64)
    means = mean_price(series, np.zeros(len(tried)), tried)
    forever = np.inf if math.isfinite(highest_s) else series.value[-1]
    return float(min(means.min(initial=np.inf), forever))


def at_mean_prices(instance: Instance) -> Instance:
    """Return the instance with each price constant at its mean up to the horizon or deadline.

    It has the same plans; without such an end the mean runs up to the last change.
    """
    limits = instance.limits
    end = min(limits.horizon_s, float(instance.jobs.deadline_s.max(initial=0.0)))

    def mean(series: Series | None, constant: float) -> float:
        if series is None:
            return constant
        until = np.array([end if math.isfinite(end) else series.from_s[-1]])
        return float(mean_price(series, np.zeros(1), until)[0])

    plain = replace(
        limits,
        energy_price_per_j=mean(limits.energy_price_over_time, limits.energy_price_per_j),
        carbon_kg_per_j=mean(limits.carbon_over_time, limits.carbon_kg_per_j),
        energy_price_over_time=None,
        carbon_over_time=None,
    )
    return replace(instance, limits=plain)


Number = int | Fraction


class ExactSeries:
    """A series without rounding: floats are read as the decimals that ``repr`` prints.

    Whole numbers are held as integers, which are many times faster than fractions.

    Parameters
    ----------
    series
        The prices.
    tick
        Seconds in a unit of the times that the methods take.

    Attributes
    ----------
    unit
        What all values are multiples of: prices and areas are integers of it where times are.
    """

    def __init__(self, series: Series, tick: Fraction = Fraction(1)) -> None:
        values = [Fraction(repr(v)) for v in series.value]
        self.unit = Fraction(1, math.lcm(*(v.denominator for v in values)))
        self.begin = [whole(Fraction(repr(t)) / tick) for t in series.from_s]
        self.value = [int(v / self.unit) for v in values]
        self._before: list[Number] = [0]
        for k in range(len(self.begin) - 1):
            length = self.begin[k + 1] - self.begin[k]
            self._before.append(self._before[-1] + self.value[k] * length)

    def integral(self, time: Number) -> Number:
        """Return the integral of the price from 0 to a time, in units × ticks."""
        k = self.piece(time)
        return self._before[k] + self.value[k] * (time - self.begin[k])

    def area(self, start: Number, length: Number) -> Number:
        """Return the integral over [start, start + length]; for length 0 the price there."""
        if length:
            return self.integral(start + length) - self.integral(start)
        k = self.piece(start)
        at_change = k > 0 and self.begin[k] == start
        return min(self.value[k], self.value[k - 1]) if at_change else self.value[k]

    def piece(self, time: Number) -> int:
        """Return the piece that holds a time (at a change, the later one)."""
        return max(0, bisect.bisect_right(self.begin, time) - 1)


def whole(value: Fraction) -> Number:
    """Return a fraction, as an integer where it is one."""
    return value.numerator if value.denominator == 1 else value
