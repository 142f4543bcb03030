"""Load of the units of a steady plan, which of them are on, and what they bear."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hetopt.evaluate.states import PlanStates
from hetopt.evaluate.streams.per_request import PerRequest
from hetopt.instance import Bools, Floats, Ints
from hetopt.instance.grouping import sums
from hetopt.instance.states.slow_domains import domain_of_device
from hetopt.instance.states.stream_boards import boards_had, boards_on


class Load(PerRequest):
    """Rates, loads and units of one steady plan, each computed when it is first asked for."""

    @cached_property
    def used(self) -> Bools:
        """Routes with a rate above 0 (K)."""
        return self.plan.rate_per_s > 0

    @cached_property
    def served_per_s(self) -> Floats:
        """Rate of each job, summed over its routes (J)."""
        return sums(self.plan.route_job, self.plan.rate_per_s, len(self.instance.jobs))

    @cached_property
    def row_rate_per_s(self) -> Floats:
        """Rate of each row's route (M)."""
        return self.plan.rate_per_s[self.route]

    @cached_property
    def load(self) -> Floats:
        """Busy slots of each device, on average, for as long as slowed work takes (D)."""
        load = sums(self.device, self.row_rate_per_s * self.row_busy_s, len(self.instance.devices))
        if self.states is None:
            return load
        return np.where(domain_of_device(self.instance) >= 0, self.states.occupied, load)

    @cached_property
    def states(self) -> PlanStates | None:
        """What the plan's states bring, where it has any."""
        known = self.plan.states
        return None if known is None else PlanStates(self.instance, known)

    @cached_property
    def units_on(self) -> Ints:
        """Units on; all that are provisioned where a device is never off (D)."""
        off = self.instance.devices.off_when_unused
        return np.where(off, self.plan.units_on, self.plan.units_had)

    @cached_property
    def boards_had(self) -> Ints:
        """Boards had (B)."""
        return boards_had(self.instance, self.plan.units_had)

    @cached_property
    def boards_on(self) -> Ints:
        """Boards on (B)."""
        return boards_on(self.instance, self.units_on, self.plan.units_had)

    @cached_property
    def serves(self) -> Bools:
        """Whether each device serves requests (D)."""
        found = np.zeros(len(self.instance.devices), dtype=bool)
        found[self.device[self.used[self.route]]] = True
        return found

    @cached_property
    def units_working(self) -> Ints:
        """Units that the work must fit: those on, with spare units set aside (D)."""
        spare = np.where(self.serves, self.instance.devices.spare, 0)
        return np.maximum(0, np.minimum(self.units_on, self.plan.units_had - spare))

    @cached_property
    def unit_capacity(self) -> Floats:
        """Busy slots that one unit may have, on average (D)."""
        devices = self.instance.devices
        return devices.max_utilization * (1.0 - devices.reserved) * devices.slots

    @cached_property
    def unit_least_load(self) -> Floats:
        """Busy slots that one unit on must have at least, on average (D)."""
        devices = self.instance.devices
        return devices.min_load * (1.0 - devices.reserved) * devices.slots
