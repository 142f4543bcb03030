"""Cost and carbon of a steady plan per second."""

from __future__ import annotations

import math
from functools import cached_property

from hetopt.evaluate.streams.power import Power
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.stream_boards import board_joule_prices


class CostAndCarbon(Power):
    """What one steady plan costs in money and carbon, each computed when it is first asked for."""

    @cached_property
    def cost_units_per_s(self) -> float:
        """Price of the units and boards had."""
        own = float((self.instance.devices.price_per_s * self.plan.units_had).sum())
        return own + float((self.instance.boards.price_per_s * self.boards_had).sum())

    @cached_property
    def cost_energy_per_s(self) -> float:
        """Price of the electricity, PUE included."""
        return self._paid("cost")

    @cached_property
    def cost_per_s(self) -> float:
        """Units and electricity."""
        return self.cost_units_per_s + self.cost_energy_per_s

    @cached_property
    def carbon_kg_per_s(self) -> float:
        """Carbon of the electricity, PUE included."""
        return self._paid("carbon")

    def idle_paid_per_s(self, objective: str) -> float:
        """Return what idle power costs or emits per second."""
        units = joule_prices(self.instance, objective) * self.instance.devices.idle_power_w
        boards = board_joule_prices(self.instance, objective) * self.instance.boards.idle_power_w
        return float((units * self.units_on).sum()) + float((boards * self.boards_on).sum())

    def _paid(self, objective: str) -> float:
        """Return what the average power costs or emits, each joule where it is drawn."""
        price = joule_prices(self.instance, objective)
        if not (price != price[0]).any():
            return self.power_w * float(price[0])
        transfers = self.transfers
        at = self.instance.links.src[transfers.hop_link]
        sent = self.plan.rate_per_s[transfers.route][transfers.hop_transfer]
        work = price[self.device] * self.row_rate_per_s * self.row_energy_j
        moved = price[at] * sent * transfers.hop_energy_j
        still = self.idle_paid_per_s(objective)
        return math.fsum((still, float(work.sum()), float(moved.sum())))
