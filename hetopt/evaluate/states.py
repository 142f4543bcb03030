"""What the states of a steady plan bring: rates of runs, occupied slots, the worst power."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import sums
from hetopt.instance.states.slow_domains import domain_of_device, run_rates
from hetopt.solution import RunningStates


class PlanStates:
    """Quantities of the states of one plan (S states, X runs, D devices).

    Parameters
    ----------
    states
        Every state runs something, all of it on devices of one domain.
    """

    def __init__(self, instance: Instance, states: RunningStates) -> None:
        self.instance, self.states = instance, states
        self.state: Ints = np.repeat(np.arange(len(states)), np.diff(states.ptr))
        self.device: Ints = instance.options.device[states.option]

    @cached_property
    def rate(self) -> Floats:
        """Part of full speed at which each run progresses (X)."""
        ptr, option = self.states.ptr.tolist(), self.states.option.tolist()
        rates = [
            rate
            for begin, end in itertools.pairwise(ptr)
            for rate in run_rates(self.instance, option[begin:end])
        ]
        return np.array(rates, dtype=np.float64)

    @cached_property
    def occupied(self) -> Floats:
        """Busy slots of each device, on average, slowed or not (D)."""
        part = self.states.share[self.state]
        return sums(self.device, part, len(self.instance.devices))

    @cached_property
    def worst_power_w(self) -> Floats:
        """Power above idle of each domain in its hungriest state."""
        options = self.instance.options
        chosen = self.states.option
        time = options.time_s[chosen]
        full = np.divide(options.energy_j[chosen], time, out=np.zeros_like(time), where=time > 0)
        power = sums(self.state, full * self.rate, len(self.states))
        domain = domain_of_device(self.instance)
        worst = np.zeros(int(domain.max(initial=-1)) + 1)
        np.maximum.at(worst, domain[self.device[self.states.ptr[:-1]]], power)
        return worst

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each state: its part of the time, and its runs with their rates."""
        devices, options, profiles = (
            self.instance.devices,
            self.instance.options,
            self.instance.profiles,
        )
        found = []
        for s in range(len(self.states)):
            runs = []
            for x in range(int(self.states.ptr[s]), int(self.states.ptr[s + 1])):
                option, device = int(self.states.option[x]), int(self.device[x])
                profile = int(np.searchsorted(profiles.ptr, option, side="right")) - 1
                runs.append(
                    {
                        "device": str(devices.name[device]),
                        "unit": self.instance.unit_name(device, int(self.states.unit[x])),
                        "profile": str(profiles.name[profile]),
                        "option": str(options.label[option]),
                        "rate": float(self.rate[x]),
                    }
                )
            found.append({"share": float(self.states.share[s]), "runs": runs})
        return found
