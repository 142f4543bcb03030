"""Cost and carbon of a schedule, under prices that change over time too (docs/quantities.md)."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hetopt.evaluate.over_time.energy import Energy
from hetopt.instance import Floats
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.idle_sleep_start_up import idlers
from hetopt.instance.tariffs import TIME_ROUNDING, at_changes, integral, mean_price, series_of


class CostAndCarbon(Energy):
    """What one schedule costs in money and carbon, each computed when it is first asked for."""

    @cached_property
    def cost_units(self) -> float:
        """Price of the units and boards provisioned, over the window."""
        own = float((self.instance.devices.price_per_s * self.units_had).sum())
        boards = float((self.instance.boards.price_per_s * self.boards_had).sum())
        return (own + boards) * self.window_s

    @cached_property
    def cost_energy(self) -> float:
        """Price of the electricity, PUE included."""
        return self._paid("cost")

    @cached_property
    def cost_start_up(self) -> float:
        """Money for each time that something goes on."""
        each = idlers(self.instance).start_up_cost
        paid = np.flatnonzero(each).tolist()
        return math.fsum(float(each[row]) * len(self.numbers_used(row)) for row in paid)

    @cached_property
    def cost(self) -> float:
        """Units, electricity, and going on."""
        return self.cost_units + self.cost_energy + self.cost_start_up

    @cached_property
    def carbon_kg(self) -> float:
        """Carbon of the electricity, PUE included."""
        return self._paid("carbon")

    def _paid(self, objective: str) -> float:
        """Return energy × PUE × what a joule costs at its time, or where it is drawn."""
        pue, series = self.instance.limits.pue, series_of(self.instance, objective)
        if series is None:
            return self._paid_at_sites(joule_prices(self.instance, objective))
        _, begins, stops, _, _ = self.drawing
        tasks = self.drawn_j * mean_price(series, begins, at_changes(series, stops))
        left = self.plan.hops.start_s
        come = at_changes(series, left + self.hop_time_s)
        hops = self.hop_energy_j * mean_price(series, left, come)
        runs = self.setups
        setups = runs.energy_j * mean_price(
            series, at_changes(series, runs.start_s), at_changes(series, runs.end_s)
        )
        window = float(integral(series, at_changes(series, np.array([self.window_s])))[0])
        drawn, more = self.draws, self.draws.energy_j
        if len(more):
            begin, end = at_changes(series, drawn.begin_s), at_changes(series, drawn.end_s)
            more = more * mean_price(series, begin, end)
        spent = tasks.sum() + hops.sum() + setups.sum() + more.sum()
        return pue * float(spent + self.idle_power_w * window)

    def priced_noise(self, objective: str) -> float:
        """Return what rounding of times may change where a joule's price changes over time.

        A run keeps its energy, of which it may draw a part at another price: as much as a rounding
        of the latest end is of the run, if not all.
        """
        series = series_of(self.instance, objective)
        if series is None:
            return 0.0
        latest = max(self.window_s, float(self.end_s.max(initial=0.0)))
        drawn = self.draws
        lasting = drawn.end_s - drawn.begin_s
        time = np.concatenate([self.drawing[3], self.hop_time_s, self.setups.time_s, lasting])
        more = np.abs(drawn.energy_j)
        energy = np.concatenate([self.drawn_j, self.hop_energy_j, self.setups.energy_j, more])
        shift = np.full(len(time), TIME_ROUNDING * latest)
        part = np.divide(shift, time, out=np.ones(len(time)), where=time > shift)
        spread = max(series.value) - min(series.value)
        moved = float((energy * part).sum()) + self.idle_power_w * TIME_ROUNDING * latest
        return self.instance.limits.pue * spread * moved

    def _paid_at_sites(self, price: Floats) -> float:
        """Return energy × price, of each device (D); hops draw where they are sent from."""
        if not (price != price[0]).any():
            return self.energy_j * float(price[0])
        instance = self.instance
        device = instance.options.device[self.plan.option]
        sender = instance.links.src[self.plan.hops.link]
        idle = instance.devices.idle_power_w * self.units_on
        drawn = price[device] * self.task_energy_j
        setups = price[device[self.setups.task]] * self.setups.energy_j
        more = price[idlers(instance).device[self.draws.row]] * self.draws.energy_j
        still = price * idle * self.window_s
        at = idlers(instance).device[len(instance.devices) :]
        boards = price[at] * instance.boards.idle_power_w * self.boards_on * self.window_s
        parts = [drawn, price[sender] * self.hop_energy_j, still, boards, setups, more]
        return math.fsum(float(part.sum()) for part in parts)
