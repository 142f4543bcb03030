"""What holds for a whole instance: limits, and series of prices over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity that is constant between changes: ``value[k]`` from ``from_s[k]`` on.

    ``from_s`` begins at 0 and increases; the last value holds for ever. There are at least two
    pieces, and neighbours differ (a constant is a plain number).
    """

    from_s: tuple[float, ...]
    value: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits and prices of the whole instance.

    ``horizon_s``, ``power_cap_w`` and ``budget_per_s`` (a cap on ``cost``, steady) are inf where
    there is none; so is ``cycle_s``, after which all of a cyclic schedule begins anew, for ever.
    ``energy_price_per_j`` and ``carbon_kg_per_j`` are 0 where not given; where they change over
    time (schedule regime) ``energy_price_over_time`` and ``carbon_over_time`` hold them, and the
    plain number is the least of them. ``demand_known`` is False where only shares were given, so
    that rates mean nothing but their ratios and only throughput can be asked for.
    """

    horizon_s: float = np.inf
    power_cap_w: float = np.inf
    budget_per_s: float = np.inf
    energy_price_per_j: float = 0.0
    carbon_kg_per_j: float = 0.0
    energy_price_over_time: Series | None = None
    carbon_over_time: Series | None = None
    pue: float = 1.0
    demand_known: bool = True
    cycle_s: float = np.inf
