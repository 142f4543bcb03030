"""Mean rates of streams from counts, and whether they have changed (CUSUM of Poisson counts).

With r the rate held and n requests in Δ seconds, the log likelihood ratio of a rate (1 + δ) r
against r is n ln(1 + δ) − δ r Δ. Its sum, never below 0, passes ``ALARM`` by chance on average once
in more than e^ALARM ticks, and after a true change by δ or more soon: at +50 % after
ALARM / (0.085 r Δ) ticks. So constant rates are left alone, and the rate that is held after an
alarm is the mean since the sum was 0 last. Source: E. S. Page, "Continuous inspection schemes",
Biometrika 41, 1954; the bound on false alarms: G. Lorden, Ann. Math. Stat. 42, 1971.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CHANGE = 0.25
"""Relative change δ of a rate that matters."""
ALARM = 14.0
"""e^14 is 1.2 million ticks."""
LEAST = 0.5
"""Requests in a window in which none came: a rate of 0 would never be left again."""


class RateWatch:
    """Rates of some streams.

    Parameters
    ----------
    rates
        Rates to begin with, requests/s.
    alarm
        Log likelihood at which a change is believed.
    """

    def __init__(self, rates: Sequence[float], alarm: float = ALARM) -> None:
        self.rates = [float(rate) for rate in rates]
        self.alarm = alarm
        self._sums = [[0.0, 0.0] for _ in self.rates]
        # Requests and seconds since each sum was 0 last.
        self._seen = [[[0.0, 0.0], [0.0, 0.0]] for _ in self.rates]

    def tick(self, counts: Sequence[int], seconds: float) -> bool:
        """Take the requests of one window; return whether a rate has changed."""
        changed = False
        for j, n in enumerate(counts):
            held = max(self.rates[j], LEAST / max(seconds, 1e-300) / self.alarm)
            for side, change in enumerate((CHANGE, -CHANGE)):
                step = n * math.log1p(change) - change * held * seconds
                value = self._sums[j][side] + step
                if value <= 0:
                    self._sums[j][side] = 0.0
                    self._seen[j][side] = [0.0, 0.0]
                    continue
                self._sums[j][side] = value
                self._seen[j][side][0] += n
                self._seen[j][side][1] += seconds
                if value > self.alarm:
                    seen, span = self._seen[j][side]
                    self.hold(j, max(seen, LEAST) / span)
                    changed = True
                    break
        return changed

    def hold(self, job: int, rate_per_s: float) -> None:
        """Hold another rate from now on."""
        self.rates[job] = rate_per_s
        self._sums[job] = [0.0, 0.0]
        self._seen[job] = [[0.0, 0.0], [0.0, 0.0]]
