"""Sums of what is held over intervals, as step functions of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats
from hetopt.instance.grouping import sums

Hold = tuple[float, float, float]
"""Begin and end (s) of an interval, half-open, and the amount that it holds."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A step function: ``value[k]`` from ``time_s[k]`` on; 0 before the first."""

    time_s: Floats
    value: Floats

    @property
    def peak(self) -> float:
        """Largest value."""
        return float(self.value.max(initial=0.0))


def steps_of(holds: Iterable[Hold], slack_s: float) -> Steps:
    """Add up what is held; where an end passes the next begin by the slack or less, it is there.

    What is less than nothing (sleep) begins with the first begin before it by no more than that,
    as the end that it follows may be moved there.
    """
    begin, end, amount = np.array([hold for hold in holds if hold[1] > hold[0]]).reshape(-1, 3).T
    starts = np.unique(begin)
    if len(starts):
        first = starts[np.searchsorted(starts, begin - np.minimum(slack_s, 0.5 * (end - begin)))]
        begin = np.where(amount < 0, first, begin)
        at = np.clip(
            np.searchsorted(starts, end - np.minimum(slack_s, 0.5 * (end - begin))),
            0,
            len(starts) - 1,
        )
        near = (starts[at] > begin) & (np.abs(starts[at] - end) <= slack_s)
        end = np.where(near, starts[at], end)
    time, place = np.unique(np.concatenate([begin, end]), return_inverse=True)
    change = np.concatenate([amount, -amount])
    level: Floats = np.cumsum(sums(place.reshape(-1), change, len(time)))
    # What sums of floats leave over where nothing is held.
    level[np.abs(level) <= LIMIT_TOLERANCE * np.abs(level).max(initial=0.0)] = 0.0
    return Steps(time, level)
