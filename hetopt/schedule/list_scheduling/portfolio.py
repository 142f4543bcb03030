"""The best of many list schedules: by rules, by prices, on each device alone.

:mod:`hetopt.schedule.list_scheduling.price_guided` has the passes at prices, and what all passes
share.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.list_scheduling import priorities as p
from hetopt.schedule.list_scheduling.dispatching_rules import DISPATCHING_RULES, attempts, heft
from hetopt.schedule.list_scheduling.exchange_rate import Trade
from hetopt.schedule.list_scheduling.price_guided import (
    LARGE,
    PricedPasses,
    UnitSet,
    begins_priced,
)
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.packed import PackedProblem
from hetopt.solution import SchedulePlan

PER_LANE = 10.0
"""Tasks per slot for which the search for a rate begins at 1, where many tasks cost energy."""


def cheapest(columns: PackedProblem, limit: float | None = None) -> SchedulePlan | None:
    """Return the best plan by the first objective of many greedy passes, or None.

    ``limit`` is a ``time.monotonic()`` value at which to stop.
    """
    search = _Passes(columns, limit)
    search.traded()
    search.greedy()
    return search.plan()


def best_of(columns: PackedProblem, limit: float | None = None) -> SchedulePlan | None:
    """Return the best plan by the first objective of all list schedulers, or None."""
    search = _Passes(columns, limit)
    name = columns.instance.objective[0]
    if name in ENERGY_LIKE or name in ("accuracy", "peak_power"):
        if begins_priced(columns.instance):
            search.on_fewer(once=True)
            if search.best is None:
                search.attempt(heft(columns))
        if len(columns.member) >= LARGE and name in ENERGY_LIKE:
            search.on_fewer()
        search.traded()
        if search.likely is None:  # else what follows is worse
            search.greedy()
            search.homogeneous()
    else:
        if len(columns.member) < LARGE:
            search.attempt(heft(columns))
        search.traded()
        if search.best is None:
            search.attempt(heft(columns))
        search.named()
        search.homogeneous()
        search.varied()
    return search.plan()


class _Passes(PricedPasses):
    """Passes at prices, and those of rules."""

    def named(self) -> None:
        """Try the named list schedulers, cheap ones first."""
        slow = ("lookahead", "min-min", "max-min", "sufferage")
        names = [name for name in DISPATCHING_RULES if name not in slow]
        if len(self.columns.member) < LARGE:
            names += slow
        for name in names:
            for setting in attempts(self.columns, name):
                if self.over():
                    return
                self.attempt(setting)

    def traded(self) -> None:
        """Try earliest ends plus what places cost beyond the cheapest at prices on device time.

        The exchange rate from cost to time is searched for: the higher, the more tasks wait for
        the device that the relaxation gives them; where a deadline is missed it was too high.
        """
        if self.over():
            return
        if self.name == "makespan":
            prices = objective_bounds.makespan_prices(self.instance)
            sets = [UnitSet(self.instance.devices.count_max, 0.0, prices, math.inf)]
        elif self.name in ENERGY_LIKE:
            sets = self.sets if self.likely is None else [self.likely]
        else:
            return
        rate = None
        if self.name in ENERGY_LIKE and len(self.columns.member) >= LARGE:
            lanes = self.instance.devices.count_max * self.instance.devices.slots
            rate = len(self.columns.member) / float(lanes.sum()) / PER_LANE
        for units in sets if len(self.columns.member) < LARGE else sets[:1]:
            rate = self._trade(units, rate)

    def _trade(self, units: UnitSet, rate: float | None) -> float | None:
        """Search for the best exchange rate of a set of units, from one on; return it."""
        trade = Trade.of(self.columns, self.name, self.rank, units.units, units.prices)
        if trade is None:
            return rate
        return trade.best_rate(rate, lambda at: self.attempt(trade.setting(at)), self.over)

    def varied(self) -> None:
        """Try HEFT with other averages, windows of two, and PEFT's choice at other ranks."""
        plain = heft(self.columns)
        table = DISPATCHING_RULES["peft"].setting(self.columns).table
        averages: tuple[p.Average, ...] = ("least", "greatest", "median")
        ranks = [self.rank]
        ranks += [p.upward_ranks(self.columns, p.typical_times(self.columns, a)) for a in averages]
        for rank in ranks:
            base = replace(plain, priority=rank)
            for setting in (
                base,
                replace(base, choice="eft-plus", table=table),
                replace(base, rule="sufferage", window=2),
                replace(base, rule="greatest", window=2),
                replace(base, choice="est"),
            ):
                if self.over():
                    return
                self.attempt(setting)

    def homogeneous(self) -> None:
        """Try HEFT on each device alone: all of its units, and one."""
        able = np.isfinite(p.fastest(self.columns)).all(axis=0)
        count = self.instance.devices.count_max
        for device in np.flatnonzero(able).tolist():
            for units in sorted({1, int(count[device])}):
                if self.over():
                    return
                only = np.zeros(len(count), dtype=np.int64)
                only[device] = units
                self.attempt(replace(heft(self.columns), units=only))
