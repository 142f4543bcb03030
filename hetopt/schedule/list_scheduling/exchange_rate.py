"""Earliest ends at prices: what places cost beyond the cheapest, changed into time at one rate.

A task goes where its end plus rate × (what the place costs there at prices on device time, less
what its cheapest place costs) is least. At rate 0 that is HEFT; the higher the rate, the more tasks
wait for the device that the load relaxation gives them, until in a graph without chains all do.
Where the makespan is wanted, and where a deadline ends the window, the best rate lies between, and
it is the one number that is searched for. The relaxation's prices are those of the least cost of
unrelated machines (J. Lenstra, D. Shmoys, É. Tardos, "Approximation algorithms for scheduling
unrelated parallel machines", Mathematical Programming 46, 1990, round the same program).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.instance.joule_prices import joule_prices
from hetopt.schedule.list_scheduling.packed_scheduler import Setting
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.packed import PackedProblem

LEAST, FIRST, GREATEST = 0.3, 50.0, 3000.0
"""Least rate, greatest one that a search begins with by itself, greatest one for few tasks."""
PER_LANE = 60.0
"""Tasks per slot for which a search begins at 1."""
STEP, LEAST_STEP = 4.0, 1.05
"""Factors between rates that are tried, at first and in the end."""
LARGEST = 1e12
"""Ticks that stand for a place that is out of question."""


@dataclass(frozen=True)
class Trade:
    """What a rate is applied to.

    Attributes
    ----------
    beyond, per_byte
        Per option of each class, and per joule of a message: cost beyond the cheapest place, in
        ticks on a device whose time has the mean price.
    """

    rank: Floats
    beyond: Floats
    per_byte: float
    units: Ints
    lanes: float

    @classmethod
    def of(
        cls, columns: PackedProblem, objective: str, rank: Floats, units: Ints, prices: Floats
    ) -> Trade | None:
        """Count costs at prices (D) on the time of so many units (D); None: time costs nothing."""
        instance, option, device = columns.instance, columns.option, columns.device
        spent = instance.options.time_s[option]
        with np.errstate(invalid="ignore"):
            cost = np.where(spent > 0, prices[device] * spent, 0.0)
        per_j = np.zeros(len(instance.devices))
        if objective in ENERGY_LIKE:
            per_j = joule_prices(instance, objective)
            cost = cost + instance.options.energy_j[option] * per_j[device]
        cost = np.where(units[device] > 0, cost, np.inf)
        least = np.full(len(columns.scale), np.inf)
        np.minimum.at(least, columns.owner, cost)
        worth = prices[(units > 0) & np.isfinite(prices)]
        mean = float(worth.mean()) if len(worth) else 0.0
        if not mean > 0 or not np.isfinite(least).all():
            return None
        beyond = np.where(np.isfinite(cost), cost - least[columns.owner], np.inf)
        unit = 1.0 / (mean * float(columns.grid.tick))
        return cls(
            rank=rank,
            beyond=beyond * columns.scale[columns.owner] * unit,
            per_byte=unit * float(per_j.mean()),
            units=units,
            lanes=float((units * instance.devices.slots).sum()),
        )

    def setting(self, rate: float) -> Setting:
        """Return the list scheduler at a rate."""
        return Setting(
            self.rank,
            choice="priced",
            cost=np.minimum(rate * self.beyond, LARGEST),
            per_byte=rate * self.per_byte,
            units=self.units,
        )

    def best_rate(
        self, rate: float | None, attempt: Callable[[float], float], over: Callable[[], bool]
    ) -> float:
        """Search for the rate of least value (inf: no plan), by steps that become smaller.

        Parameters
        ----------
        rate
            To begin with; without one it follows from the number of tasks per slot.
        """
        if rate is None:
            rate = min(max(len(self.rank) / self.lanes / PER_LANE, LEAST), FIRST)
        best, step, greatest = math.inf, STEP, max(GREATEST, STEP * rate)
        seen: dict[float, float] = {}
        while step > LEAST_STEP and not over():
            better = False
            for at in (rate, rate * step, rate / step):
                if at in seen or over() or not LEAST / 2 <= at <= greatest:
                    continue
                seen[at] = attempt(at)
                if seen[at] < best:
                    best, rate, better = seen[at], at, True
                    break
            if math.isinf(best) and rate > LEAST:
                rate = max(LEAST, rate / step**2)
            elif not better:
                step = math.sqrt(step)
        return rate
