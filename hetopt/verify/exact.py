"""Numbers of the checker: floats read as the decimals that ``repr`` prints.

Times become integers of one common tick: 64-bit ones (``ticks``) where they fit, Python's own of
any length (``fractions``, a tick being a fraction of a second) for small plans, else they stay
``float``. All three support the same column arithmetic, so every rule is written once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints
from hetopt.verify.report import Mode

Numbers = NDArray[Any]
"""A column of int64, of Python integers (dtype object), or of float64."""

SMALL = 2_000
"""Tasks up to which long integers are used where 64 bits do not do; hops up to four times that."""

NEVER = 1 << 61
"""Ticks that stand for an infinite limit; every finite time stays below a quarter of it."""

_LONGEST_BITS = 8192
"""Length of a common tick (per second) up to which exact sums are worth their time."""

_MOST_DIGITS = 10**15  # decimals of up to 15 digits are told apart by a double
_MOST_PLACES = 22  # 10**22 is the last power of ten that a double holds exactly
_MOST_RATIOS = 20_000  # distinct transfer times that are worth a fraction each
_PARTS = round(1 / LIMIT_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Scale:
    """How times are held: the form, how many of a column's units make a second, and the tolerance.

    Two times that differ by no more than ``slack`` units count as equal: ``LIMIT_TOLERANCE`` × the
    latest end in the plan, rounded down to whole units where they are integers.
    """

    mode: Mode
    per_s: int = 1
    slack: Any = 0

    @staticmethod
    def of(mode: Mode, per_s: int, *ends: Numbers) -> Scale:
        """Return the scale of a plan in which things end at these times."""
        latest = max((column.max() for column in ends if len(column)), default=0)
        slack = LIMIT_TOLERANCE * float(latest) if mode == "float" else int(latest) // _PARTS
        return Scale(mode, per_s, slack)

    def half(self, length: Numbers) -> Numbers:
        """Return half of each length."""
        return length / 2 if self.mode == "float" else length // 2

    def over(self, value: Numbers, limit: Numbers) -> NDArray[np.bool_]:
        """Tell where a value exceeds its limit by more than the tolerance."""
        return np.asarray(value > limit + self.slack, dtype=bool)

    def under(self, value: Numbers, limit: Numbers) -> NDArray[np.bool_]:
        """Tell where a value falls short of its limit by more than the tolerance."""
        return np.asarray(value < limit - self.slack, dtype=bool)

    def seconds(self, value: Any) -> float:
        """Return one time in seconds."""
        return float(value if self.mode == "float" else Fraction(int(value), self.per_s))

    def zero(self, n: int) -> Numbers:
        """Return a column of n zeros."""
        kind = {"ticks": np.int64, "fractions": object, "float": np.float64}[self.mode]
        return np.zeros(n, dtype=kind)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every time of a schedule on one scale: of tasks (T), hops (H), jobs (J) and the horizon.

    ``setup`` holds the rows of the instance's set-ups, then one of each device.
    """

    scale: Scale
    start: Numbers
    end: Numbers
    hop_start: Numbers
    hop_end: Numbers
    release: Numbers
    deadline: Numbers
    due: Numbers
    horizon: Numbers
    setup: Numbers


@lru_cache(maxsize=1 << 16)
def fraction(value: float) -> Fraction:
    """Return the decimal that ``repr`` prints for a finite float, exactly."""
    return Fraction(repr(float(value)))


def exceeds(value: Any, limit: Any, scale: Any = None) -> bool:
    """Whether an amount is beyond a limit by more than ``LIMIT_TOLERANCE`` × its scale.

    The scale is abs(limit) where it is not given. All are floats or fractions.
    """
    if isinstance(limit, float) and math.isinf(limit):
        return bool(value > limit)
    scale = limit if scale is None else scale
    if isinstance(value, Fraction):
        exact, size = (x if isinstance(x, Fraction) else fraction(x) for x in (limit, scale))
        return value > exact + abs(size) / _PARTS
    return bool(value > limit + LIMIT_TOLERANCE * abs(scale))


def amounts(column: Floats) -> Numbers:
    """Return whole amounts as integers, which sum without rounding; others as they are."""
    whole = np.all(column == np.rint(column)) and float(np.abs(column).sum()) < 2.0**53
    return column.astype(np.int64) if whole else column


def timeline(
    instance: Instance,
    start: Floats,
    work: Floats,
    time_s: Floats,
    hops: tuple[Ints, Ints, Floats],
) -> Timeline:
    """Put all times of a schedule on one scale.

    Parameters
    ----------
    start, work, time_s
        Finite columns of length T: start, work, and time of the chosen option.
    hops
        Tensor, link and (finite) start of each hop.
    """
    hop_tensor, hop_link, hop_start = hops
    bytes_b = instance.tensors.bytes_b[hop_tensor]
    jobs, links = instance.jobs, instance.links
    limits = [
        jobs.release_s,
        jobs.deadline_s,
        jobs.due_s,
        np.array([instance.limits.horizon_s]),
        np.concatenate([instance.setups.time_s, instance.devices.setup_time_s]),
    ]
    flights = _flights(instance, bytes_b, hop_link)
    times = None
    if flights is not None:
        times = _ticks(start, work, time_s, hop_start, flights, limits)
        if times is None and len(start) <= SMALL and len(hop_start) <= 4 * SMALL:
            times = _long_ticks(start, work, time_s, hop_start, flights, limits)
    if times is not None:
        return times
    flight = links.latency_s[hop_link] + bytes_b / links.bandwidth_b_per_s[hop_link]
    end, hop_end = _ended(start, work * time_s), _ended(hop_start, flight)
    scale = Scale.of("float", 1, end, hop_end)
    return Timeline(scale, start, end, hop_start, hop_end, *limits)


def _ended(start: Floats, length: Floats) -> Floats:
    """Return start + length; what takes time ends after its start, also where floats lose it."""
    return np.maximum(start + length, np.where(length > 0, np.nextafter(start, np.inf), start))


def _flight(bytes_b: float, bandwidth: float, latency: float) -> Fraction:
    """Return the exact time of one hop; an infinite bandwidth takes the latency only."""
    sending = Fraction(0) if np.isinf(bandwidth) else fraction(bytes_b) / fraction(bandwidth)
    return fraction(latency) + sending


def _long_ticks(
    start: Floats,
    work: Floats,
    time_s: Floats,
    hop_start: Floats,
    flights: tuple[list[Fraction], Ints],
    limits: list[Floats],
) -> Timeline | None:
    """Return the timeline in integers of any length, None where the common tick is too fine."""
    lasting = [fraction(w) * fraction(t) for w, t in zip(work, time_s, strict=True)]
    exact: list[list[Fraction | None]] = [
        [fraction(x) if np.isfinite(x) else None for x in column]
        for column in (start, hop_start, *limits)
    ]
    ratios, which = flights
    every: list[Sequence[Fraction | None]] = [*exact, lasting, ratios]
    per_s = 1
    for column in every:
        for denominator in sorted({x.denominator for x in column if x is not None}):
            per_s = math.lcm(per_s, denominator)
            if per_s.bit_length() > _LONGEST_BITS:
                return None
    never = 1 << (per_s.bit_length() + 1100)  # beyond the largest double

    def scaled(column: Sequence[Fraction | None]) -> Numbers:
        ticks = np.empty(len(column), dtype=object)
        for i, x in enumerate(column):
            ticks[i] = never if x is None else x.numerator * (per_s // x.denominator)
        return ticks

    starts, leaves, *bounds = (scaled(column) for column in exact)
    ends, arrivals = starts + scaled(lasting), leaves + scaled(ratios)[which]
    scale = Scale.of("fractions", per_s, ends, arrivals)
    return Timeline(scale, starts, ends, leaves, arrivals, *bounds)


def _ticks(
    start: Floats,
    work: Floats,
    time_s: Floats,
    hop_start: Floats,
    flights: tuple[list[Fraction], Ints],
    limits: list[Floats],
) -> Timeline | None:
    """Return the timeline in integer ticks, None where the times do not fit 64 bits."""
    columns: list[tuple[Ints, int]] = []
    for column in (start, work, time_s, hop_start, *limits):
        read = _decimals(np.where(np.isinf(column), 0.0, column))
        if read is None:
            return None
        columns.append(read)
    begin, (work_n, work_k), (time_n, time_k), leave, *bounds = columns
    if _largest(work_n) * _largest(time_n) >= NEVER:
        return None
    lasting = (work_n * time_n, work_k + time_k)
    ratios, which = flights
    per_s = math.lcm(*(10**k for _, k in (begin, lasting, leave, *bounds)))
    for ratio in ratios:
        per_s = math.lcm(per_s, ratio.denominator)
        if per_s >= NEVER:
            return None
    scaled = []
    for n, k in (begin, lasting, leave, *bounds):
        factor = per_s // 10**k
        # A quarter leaves room for start + duration and for tolerances.
        if _largest(n) * factor >= NEVER // 4:
            return None
        scaled.append(n * factor if _largest(n) else n)  # the factor itself may be too long
    flight = [int(ratio * per_s) for ratio in ratios]
    if max(flight, default=0) >= NEVER // 4:
        return None
    hop_time = np.array(flight, dtype=np.int64)[which]
    held = [
        np.where(np.isinf(column), NEVER, n) for column, n in zip(limits, scaled[3:], strict=True)
    ]
    starts, lengths, leaves, *_ = scaled
    ends, arrivals = starts + lengths, leaves + hop_time
    scale = Scale.of("ticks", per_s, ends, arrivals)
    return Timeline(scale, starts, ends, leaves, arrivals, *held)


def _flights(
    instance: Instance, bytes_b: Floats, hop_link: Ints
) -> tuple[list[Fraction], Ints] | None:
    """Return the distinct exact hop times and, per hop, which; None where there are too many."""
    if not len(instance.links):
        return [], np.zeros(0, dtype=np.int64)
    pairs = np.stack([instance.links.latency_s, instance.links.bandwidth_b_per_s])
    kinds, kind = np.unique(pairs, axis=1, return_inverse=True)
    latency, bandwidth = kinds
    wide = len(latency)
    sizes, size = np.unique(bytes_b, return_inverse=True)
    keys, which = np.unique(size * wide + kind.reshape(-1)[hop_link], return_inverse=True)
    if len(keys) > _MOST_RATIOS:
        return None
    ratios = [
        _flight(sizes[key // wide], bandwidth[key % wide], latency[key % wide]) for key in keys
    ]
    return ratios, which


def _largest(column: Ints) -> int:
    return int(np.abs(column).max(initial=0))


def _decimals(column: Floats) -> tuple[Ints, int] | None:
    """Return integers n and one k with column = n / 10**k, as ``repr`` prints it, or None.

    A decimal of at most 15 digits whose nearest double is x is the one that ``repr(x)`` prints;
    n / 10**k is rounded correctly because both are exact doubles, so the test is exact.
    """
    n = np.zeros(len(column), dtype=np.int64)
    places = np.zeros(len(column), dtype=np.int64)
    left = np.arange(len(column))
    for k in range(_MOST_PLACES + 1):
        shifted = np.rint(column[left] * 10.0**k)
        if bool(np.any(np.abs(shifted) >= _MOST_DIGITS)):
            return None
        hit = shifted / 10.0**k == column[left]
        n[left[hit]] = shifted[hit].astype(np.int64)
        places[left[hit]] = k
        left = left[~hit]
        if not len(left):
            break
    if len(left):
        return None
    most = int(places.max(initial=0))
    for k in np.unique(places):
        if _largest(n[places == k]) * 10 ** (most - int(k)) >= NEVER:
            return None
    return n * 10 ** (most - places), most
