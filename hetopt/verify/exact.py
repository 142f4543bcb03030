"""Numbers of the checker: floats read as the decimals that ``repr`` prints.

Times are held in one of three forms, tried in this order: ``ticks`` (64-bit integers of one common
tick), ``fractions`` (columns of ``fractions.Fraction``, small plans only), ``float``. All three
support the same column arithmetic, so every rule is written once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints
from hetopt.verify.report import Mode

Numbers = NDArray[Any]
"""A column of int64, of float64, or of Fractions (dtype object)."""

SMALL = 2_000
"""Tasks up to which fractions are used where integers do not fit; hops up to four times that."""

NEVER = 1 << 61
"""Ticks that stand for an infinite limit; every finite time stays below half of it."""

_MOST_DIGITS = 10**15  # decimals of up to 15 digits are told apart by a double
_MOST_PLACES = 22  # 10**22 is the last power of ten that a double holds exactly
_MOST_RATIOS = 20_000  # distinct transfer times that are worth a fraction each
_PARTS = round(1 / LIMIT_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Scale:
    """How times are held: the form, and how many of a column's units make a second."""

    mode: Mode
    per_s: int = 1

    def slack(self, limit: Numbers) -> Numbers:
        """Return the tolerance of each limit, ``LIMIT_TOLERANCE`` × max(1 s, |limit|)."""
        if self.mode == "ticks":
            return np.maximum(np.abs(limit), self.per_s) // _PARTS
        if self.mode == "fractions":
            return np.array([_slack(x) for x in limit], dtype=object)
        return np.where(np.isinf(limit), 0.0, LIMIT_TOLERANCE * np.maximum(1.0, np.abs(limit)))

    def over(self, value: Numbers, limit: Numbers) -> NDArray[np.bool_]:
        """Tell where a value exceeds its limit by more than the tolerance."""
        return np.asarray(value > limit + self.slack(limit), dtype=bool)

    def under(self, value: Numbers, limit: Numbers) -> NDArray[np.bool_]:
        """Tell where a value falls short of its limit by more than the tolerance."""
        return np.asarray(value < limit - self.slack(limit), dtype=bool)

    def seconds(self, value: Any) -> float:
        """Return one time in seconds."""
        return float(Fraction(int(value), self.per_s)) if self.mode == "ticks" else float(value)

    def zero(self, n: int) -> Numbers:
        """Return a column of n zeros."""
        kind = {"ticks": np.int64, "fractions": object, "float": np.float64}[self.mode]
        return np.zeros(n, dtype=kind)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every time of a schedule on one scale: of tasks (T), hops (H), jobs (J) and the horizon."""

    scale: Scale
    start: Numbers
    end: Numbers
    hop_start: Numbers
    hop_end: Numbers
    release: Numbers
    deadline: Numbers
    due: Numbers
    horizon: Numbers


def fraction(value: float) -> Fraction:
    """Return the decimal that ``repr`` prints for a finite float, exactly."""
    return Fraction(repr(float(value)))


def exceeds(value: Any, limit: Any) -> bool:
    """Whether an amount is beyond a limit by more than ``LIMIT_TOLERANCE`` × max(1, abs(limit)).

    Both are floats or fractions.
    """
    if isinstance(limit, float) and math.isinf(limit):
        return bool(value > limit)
    if isinstance(value, Fraction):
        exact = limit if isinstance(limit, Fraction) else fraction(limit)
        return value > exact + max(Fraction(1), abs(exact)) / _PARTS
    return bool(value > limit + LIMIT_TOLERANCE * max(1.0, abs(limit)))


def amounts(column: Floats, *, small: bool) -> Numbers:
    """Return a column that sums without rounding: integers, else fractions where it is small."""
    whole = column.size == 0 or (
        bool(np.all(column == np.rint(column))) and float(np.abs(column).sum()) < 2.0**53
    )
    if whole:
        return column.astype(np.int64)
    return fractions(column) if small else column


def fractions(column: Floats) -> Numbers:
    """Return a column of exact fractions; infinite entries stay floats."""
    values, where = np.unique(column, return_inverse=True)
    exact = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        exact[i] = fraction(value) if np.isfinite(value) else float(value)
    return exact[where]


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
    horizon = np.array([instance.limits.horizon_s])
    jobs = instance.jobs
    limits = [jobs.release_s, jobs.deadline_s, jobs.due_s, horizon]
    ticks = _ticks(instance, start, work, time_s, bytes_b, hop_link, hop_start, limits)
    if ticks is not None:
        return ticks
    links = instance.links
    if len(start) <= SMALL and len(hop_start) <= 4 * SMALL:
        begin, leave = fractions(start), fractions(hop_start)
        flight = np.array(
            [
                _flight(b, links.bandwidth_b_per_s[k], links.latency_s[k])
                for b, k in zip(bytes_b, hop_link, strict=True)
            ],
            dtype=object,
        )
        end = begin + fractions(work) * fractions(time_s)
        held = [fractions(x) for x in limits]
        return Timeline(Scale("fractions"), begin, end, leave, leave + flight, *held)
    times = links.latency_s[hop_link] + bytes_b / links.bandwidth_b_per_s[hop_link]
    end = start + work * time_s
    return Timeline(Scale("float"), start, end, hop_start, hop_start + times, *limits)


def _slack(limit: Any) -> Any:
    return 0 if isinstance(limit, float) else max(Fraction(1), abs(limit)) / _PARTS


def _flight(bytes_b: float, bandwidth: float, latency: float) -> Fraction:
    """Return the exact time of one hop; an infinite bandwidth takes the latency only."""
    sending = Fraction(0) if np.isinf(bandwidth) else fraction(bytes_b) / fraction(bandwidth)
    return fraction(latency) + sending


def _ticks(
    instance: Instance,
    start: Floats,
    work: Floats,
    time_s: Floats,
    bytes_b: Floats,
    hop_link: Ints,
    hop_start: Floats,
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
    flights = _flights(instance, bytes_b, hop_link)
    if flights is None:
        return None
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
        scaled.append(n * factor)
    flight = [int(ratio * per_s) for ratio in ratios]
    if max(flight, default=0) >= NEVER // 4:
        return None
    hop_time = np.array(flight, dtype=np.int64)[which]
    held = [
        np.where(np.isinf(column), NEVER, n) for column, n in zip(limits, scaled[3:], strict=True)
    ]
    return Timeline(
        Scale("ticks", per_s),
        scaled[0],
        scaled[0] + scaled[1],
        scaled[2],
        scaled[2] + hop_time,
        *held,
    )


def _flights(
    instance: Instance, bytes_b: Floats, hop_link: Ints
) -> tuple[list[Fraction], Ints] | None:
    """Return the distinct exact hop times and, per hop, which; None where there are too many."""
    sizes, size = np.unique(bytes_b, return_inverse=True)
    links = len(instance.links) or 1
    keys, which = np.unique(size * links + hop_link, return_inverse=True)
    if len(keys) > _MOST_RATIOS:
        return None
    latency, bandwidth = instance.links.latency_s, instance.links.bandwidth_b_per_s
    ratios = [
        _flight(sizes[key // links], bandwidth[key % links], latency[key % links]) for key in keys
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
