"""How much of something is in use at once: a vectorised sweep over half-open intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Bools, Floats, Ints
from hetopt.verify.exact import Numbers, Scale


@dataclass(frozen=True, slots=True)
class Levels:
    """What is in use after each event, in order of group and time.

    ``interval`` is the interval that starts or ends there, ``level`` what its group then uses.
    """

    interval: Ints
    is_start: Bools
    group: Ints
    level: Numbers

    def excess(self, capacity: Floats) -> Ints:
        """Return the events at which a group comes to use more than ``capacity[group]``."""
        limit = capacity[self.group]
        tolerance = np.where(np.isinf(limit), 0.0, LIMIT_TOLERANCE * np.abs(limit))
        over = np.asarray(self.level > limit + tolerance, dtype=bool)
        before = np.zeros(len(over), dtype=bool)
        before[1:] = over[:-1] & (self.group[1:] == self.group[:-1])
        return np.flatnonzero(over & ~before & self.is_start)

    def peak(self) -> float:
        """Return the highest level of all, 0 where nothing is ever in use."""
        return float(max(self.level.max(), 0)) if len(self.level) else 0.0


def sweep(scale: Scale, group: Ints, start: Numbers, end: Numbers, demand: Numbers) -> Levels:
    """Add up the demands of the intervals of each group.

    An interval ends before another starts at the same time. Ends are moved forward by the
    tolerance of times (by half of the interval at most, so that short ones still count): two
    intervals that overlap by less do not meet. Empty intervals use nothing.

    Parameters
    ----------
    group, start, end, demand
        One entry per interval; groups are any integers.
    """
    rows = np.flatnonzero(np.asarray(end > start, dtype=bool))
    first, last = start[rows], end[rows]
    early = np.minimum(scale.slack, scale.half(last - first))
    until = last - early
    if scale.mode == "float":
        # Half of a short interval is lost in a late time.
        until = np.maximum(until, np.nextafter(first, np.inf))
    times = np.concatenate([until, first])
    if times.dtype == object:
        times = np.unique(times, return_inverse=True)[1]
    amount = demand[rows]
    where = np.concatenate([group[rows], group[rows]])
    n = len(rows)
    is_start = np.repeat([False, True], n)
    # Both sorts are stable, so at one time the ends, which come first, stay first.
    order = np.argsort(times, kind="stable")
    order = order[np.argsort(_short(where)[order], kind="stable")]
    level = np.cumsum(np.concatenate([-amount, amount])[order])
    return Levels(rows[order % n] if n else rows, is_start[order], where[order], level)


def group_max(keys: Ints, values: Numbers, into: Numbers) -> Numbers:
    """Return ``into`` with each entry raised to the largest of the values with its key."""
    result = into.copy()
    if len(keys):
        ranked, sorted_ = keys, values
        if (keys[1:] < keys[:-1]).any():
            order = np.argsort(keys, kind="stable")
            ranked, sorted_ = keys[order], values[order]
        first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        best = np.maximum.reduceat(sorted_, first)
        result[ranked[first]] = np.maximum(result[ranked[first]], best)
    return result


def _short(group: Ints) -> NDArray[np.integer[Any]]:
    """Return groups as 16-bit integers where they fit: those are sorted several times faster."""
    small = len(group) and group.min() >= 0 and group.max() < 2**16
    return group.astype(np.uint16) if small else group
