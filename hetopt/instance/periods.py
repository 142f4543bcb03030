"""Periods: scenarios that follow each other in time, and what ties them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance.dtypes import Floats, Ints

WHEN = ("scenario", "period")
"""Fields that say in which scenario or period a row of a table is."""

NO_MOST = -1
"""``max_changes`` where there is no limit."""


@dataclass(frozen=True, slots=True)
class Periods:
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
    initial_device: Ints
    initial_units: Ints
    initial_ptr: Ints
    initial_key: Ints

    def __len__(self) -> int:
        return len(self.power_cap_w)

    @staticmethod
    def none() -> Periods:
        """Return the periods of an instance that has none."""
        empty, whole = np.empty(0), np.empty(0, dtype=np.int64)
        ptr = np.zeros(1, dtype=np.int64)
        return Periods(empty, empty, empty, True, 0.0, NO_MOST, whole, whole, ptr, whole)

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


def when(row: Mapping[str, Any]) -> str:
    """Return the field that says in which scenario or period a row is; empty where none does."""
    return next((name for name in WHEN if name in row), "")
