"""Tables of what is asked of a fleet: shares of kinds, scenarios and periods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance.dtypes import Floats, Ints, Strings
from hetopt.instance.tables.table import Table

SHARES_OF = ("units", "price")
NO_MOST = -1
"""``max_changes`` where there is no limit."""


@dataclass(frozen=True, slots=True)
class KindShares(Table):
    """Limits on the share of one kind of device in the fleet (steady, split), length S.

    ``least`` ≤ share ≤ ``most``. The share is of units on where ``of`` is ``units``, of the price
    of units provisioned where it is ``price``; a fleet of nothing keeps every limit.
    """

    kind: Strings
    least: Floats
    most: Floats
    of: Strings


@dataclass(frozen=True, slots=True)
class Scenarios(Table):
    """Demands that one fleet serves at different times (steady, ``split``), length S; often 0.

    Units *provisioned* are the same in all scenarios; units on and routes are those of each.
    ``weight`` is the scenario's part of the time (weights need not sum to 1); ``rate_per_s`` (S ×
    J) the rate of each job in it, ``demand`` × the job's own where none was given for it. A rate of
    0 asks for nothing of the job.
    """

    name: Strings
    weight: Floats
    demand: Floats
    rate_per_s: Floats

    @property
    def share(self) -> Floats:
        """Weights that sum to 1."""
        share: Floats = self.weight / self.weight.sum()
        return share

    def head(self, count: int) -> Scenarios:
        """Return the first scenarios."""
        kept = slice(0, count)
        return Scenarios(
            self.name[kept], self.weight[kept], self.demand[kept], self.rate_per_s[kept]
        )


@dataclass(frozen=True, slots=True)
class Periods(Table):
    """What makes an instance's scenarios periods, length S; 0 where they are none.

    Period s lasts ``scenarios.weight[s]`` seconds. What a joule costs and emits in it, and its
    power cap, are NaN where it states none and the instance's own figure holds.

    Attributes
    ----------
    cyclic
        Whether the first period follows the last; else what is on and held before the first one is
        that of ``initial_*``.
    min_up_s
        A unit that goes on stays on for so long, at least.
    max_changes
        Most units switched and weights loaded at the begin of a period; ``NO_MOST``: any number.
    invest, discount_rate
        Whether units are bought in a period and had from then on, and what money of later counts
        less, a year (:mod:`hetopt.instance.states.investment`).
    initial_device, initial_units, initial_ptr, initial_key
        Units on before the first period, in groups that hold the same weights: group g is
        ``initial_units[g]`` units of a device, each holding ``initial_key[ptr[g]:ptr[g + 1]]``.
    """

    energy_price_per_j: Floats
    carbon_kg_per_j: Floats
    power_cap_w: Floats
    cyclic: bool
    min_up_s: float
    max_changes: int
    invest: bool
    discount_rate: float
    initial_device: Ints
    initial_units: Ints
    initial_ptr: Ints
    initial_key: Ints

    @staticmethod
    def none() -> Periods:
        """Return the periods of an instance that has none."""
        empty, whole = np.empty(0), np.empty(0, dtype=np.int64)
        ptr = np.zeros(1, dtype=np.int64)
        ties = (True, 0.0, NO_MOST, False, 0.0)
        return Periods(empty, empty, empty, *ties, whole, whole, ptr, whole)

    def initial_on(self, devices: int) -> Ints:
        """Units of each device that are on before the first period (D)."""
        on = np.zeros(devices, dtype=np.int64)
        np.add.at(on, self.initial_device, self.initial_units)
        return on


def follows(periods: Periods, period: int) -> int:
    """Return the period before one; -1 where that is what was there initially."""
    if period:
        return period - 1
    return len(periods) - 1 if periods.cyclic else -1
