"""Drift: a cumulative sum over log ratios that says when an option became slower or faster.

Samples are taken in blocks of five, of which the median counts: single outliers, however large, are
one of five. With the robust location m and spread σ of the samples since the last change, the
standard deviation of a block's median is s = 0.56 σ (1.253 σ / √5), and with z = (median - m) / s,
clipped at ±4,

    up = max(0, up + z - k),  down = max(0, down - z - k),  k = ln(1.2) / (2 s) in 0.5 .. 1.75

(Page, Biometrika 41, 1954). An alarm is up or down beyond 5, where three quarters of the last
fifteen samples lie beyond half of ln(1.2) too: blocks in which outliers are the majority do happen.
For normal samples the mean time between false alarms is some (exp(2 k (5 + 1.166)) - 1) / (2 k²)
blocks: 80,000 samples at σ = 0.2, a thousand times as many at 0.1. A change of 30 % is found within
3 or 4 blocks for σ up to 0.1. It is dated to where the sum over single samples is least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.profiling.calibration.location import robust_location

BLOCK = 5
MEDIAN_SD = 1.2533 / math.sqrt(BLOCK)
LEAST_CHANGE = math.log(1.2)
CLIP = 4.0
ALARM = 5.0
WARM_UP = 40
"""Samples since a change from which the location and spread that later ones are held to come."""
KEPT = 1000
"""Latest samples that are kept."""
ALLOWANCE = (0.5, 1.75)
MAJORITY = 0.75
LOOK_BACK = 3 * BLOCK
"""Samples of which a majority must be beyond, for an alarm."""


@dataclass(slots=True)
class Change:
    """A change of an option's figures: when, and by what factor."""

    at_s: float
    factor: float


@dataclass(slots=True)
class Watch:
    """The samples of one option since its last change, and the sums over their blocks.

    Attributes
    ----------
    samples, times
        Log ratios since the last change and when they were, the latest KEPT.
    seen
        How many there were since the last change.
    location, spread, based_on
        What blocks are held to, and how many samples that rests on.
    up, down
        The sums.
    up_since, down_since
        Number (from 0 since the last change) of the first sample of the block where each sum left
        0; -1 where it is 0.
    changes
        Every change found.
    """

    samples: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    seen: int = 0
    location: float = 0.0
    spread: float = 0.0
    based_on: int = 0
    up: float = 0.0
    down: float = 0.0
    up_since: int = -1
    down_since: int = -1
    changes: list[Change] = field(default_factory=list)

    def add(self, sample: float, at_s: float) -> None:
        """Take one sample, in order of time."""
        self.samples.append(sample)
        self.times.append(at_s)
        self.seen += 1
        if len(self.samples) > KEPT:
            del self.samples[0], self.times[0]
        if self.seen >= WARM_UP and self.based_on < WARM_UP:
            self._rest_on(self.samples)
            return
        if not self.based_on or (self.seen - WARM_UP) % BLOCK:
            return
        self._block()
        # What is held to grows better with what did not alarm, and stands still while a sum grows.
        quiet = self.up == 0 and self.down == 0
        if quiet and self.seen >= 2 * self.based_on and self.based_on < KEPT:
            self._rest_on(self.samples)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy as JSON has it."""
        found = {name: getattr(self, name) for name in self.__slots__}
        changes = [{"at_s": change.at_s, "factor": change.factor} for change in self.changes]
        copied = {"samples": self.samples[:], "times": self.times[:], "changes": changes}
        return {**found, **copied}

    def _rest_on(self, samples: list[float]) -> None:
        found = robust_location(np.array(samples))
        self.location, self.spread = found.location, found.spread
        self.based_on = self.seen

    def _block(self) -> None:
        deviation = MEDIAN_SD * self.spread
        allowance = min(max(LEAST_CHANGE / (2 * deviation), ALLOWANCE[0]), ALLOWANCE[1])
        middle = float(np.median(self.samples[-BLOCK:]))
        z = min(max((middle - self.location) / deviation, -CLIP), CLIP)
        first = self.seen - BLOCK
        self.up, self.up_since = _moved(self.up + z - allowance, self.up_since, first)
        self.down, self.down_since = _moved(self.down - z - allowance, self.down_since, first)
        for sign, total, since in ((1, self.up, self.up_since), (-1, self.down, self.down_since)):
            if total > ALARM:
                last = sign * (np.array(self.samples[-LOOK_BACK:]) - self.location)
                if float((last > LEAST_CHANGE / 2).mean()) >= MAJORITY:
                    self._change(sign, since)
                    return

    def _change(self, sign: int, since: int) -> None:
        """Forget what was before the change; what came after it is what holds now."""
        keep = min(self.seen - since, len(self.samples))
        beyond = sign * (np.array(self.samples[-keep:]) - self.location) / LEAST_CHANGE
        sums = np.cumsum(np.clip(beyond, -1, 2) - 0.5)
        # The sum of what speaks for a change is least where it begins.
        keep -= int(np.argmin(np.append(0.0, sums[:-1])))
        after = self.samples[-keep:]
        factor = math.exp(robust_location(np.array(after)).location - self.location)
        self.changes.append(Change(self.times[-keep], factor))
        self.samples, self.times = after, self.times[-keep:]
        self.seen = len(after)
        self.location = self.spread = self.up = self.down = 0.0
        self.based_on = 0
        self.up_since = self.down_since = -1


def _moved(total: float, since: int, first: int) -> tuple[float, int]:
    if total <= 0:
        return 0.0, -1
    return total, first if since < 0 else since
