"""Where and when the tasks of a plan run, as the checker reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Bools, Instance, Ints


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the tasks of a readable plan run.

    ``place`` (T) indexes ``device`` and ``unit`` of the distinct units that run something; it is
    -1 for tasks that are not ``usable``. ``option`` is 0 for those.
    """

    usable: Bools
    option: Ints
    place: Ints
    device: Ints
    unit: Ints

    def name(self, instance: Instance, place: int) -> str:
        """Name a unit as plans write it."""
        return instance.unit_name(int(self.device[place]), int(self.unit[place]))

    def units_on(self, instance: Instance) -> tuple[Ints, Ints]:
        """Return units on and units had, per device."""
        devices = instance.devices
        used = np.bincount(self.device, minlength=len(devices))
        had = np.maximum(devices.count_min, used)
        return np.where(devices.off_when_unused, used, had), had
