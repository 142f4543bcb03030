"""Power of a steady plan: idle, options, transfers, and at the worst instant."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hetopt.evaluate.streams.load import Load
from hetopt.instance.grouping import distinct
from hetopt.instance.states.slow_domains import domain_of_device


class Power(Load):
    """Powers of one steady plan, each computed when it is first asked for; in W."""

    @cached_property
    def idle_power_w(self) -> float:
        """Idle power of all units and boards on."""
        own = float((self.instance.devices.idle_power_w * self.units_on).sum())
        return own + float((self.instance.boards.idle_power_w * self.boards_on).sum())

    @cached_property
    def power_options_w(self) -> float:
        """Average power above idle of all tasks."""
        return float((self.row_rate_per_s * self.row_energy_j).sum())

    @cached_property
    def power_transfers_w(self) -> float:
        """Average power of all transfers."""
        transfers = self.transfers
        return float((self.plan.rate_per_s[transfers.route] * transfers.energy_j).sum())

    @cached_property
    def power_w(self) -> float:
        """Average power: idle, options and transfers."""
        return self.idle_power_w + self.power_options_w + self.power_transfers_w

    @cached_property
    def worst_power_w(self) -> float:
        """Power at the worst instant: every slot of every unit on runs its hungriest option.

        Where the plan names units, a unit runs only what it serves; transfers do not count. Devices
        that slow each other down are in their hungriest state.
        """
        devices, options = self.instance.devices, self.instance.options
        in_states = np.zeros(len(devices), dtype=bool)
        if self.states is not None:
            in_states = domain_of_device(self.instance) >= 0
        rows = np.flatnonzero(self.used[self.route] & ~in_states[self.device])
        chosen, device, unit = self.plan.option[rows], self.device[rows], self.plan.unit[rows]
        time = options.time_s[chosen]
        power = np.divide(options.energy_j[chosen], time, out=np.zeros_like(time), where=time > 0)
        first, group = distinct(unit, device)
        worst = np.zeros(len(first))
        np.maximum.at(worst, group, power)
        units = np.where(unit[first] < 0, self.units_working[device[first]], 1)
        apart = float((worst * units * devices.slots[device[first]]).sum())
        slowed = 0.0 if self.states is None else float(self.states.worst_power_w.sum())
        return self.idle_power_w + apart + slowed
