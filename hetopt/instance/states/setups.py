"""Set-ups of units: what follows from the columns.

An option may need a *configuration* (an FPGA's bitstream, a loaded model) of its unit. Between two
tasks of different configuration a unit is busy with a set-up, right before the later one; options
without a configuration keep what is loaded. What is loaded before the first task is the device's
``initial_configuration``; where that is not stated, the first set-up takes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance.derived import once
from hetopt.instance.dtypes import Bools, Floats, Ints
from hetopt.instance.instance import Instance

NOTHING = "none"
"""Configuration of a unit that has nothing loaded: an ``initial_configuration``."""
KEEPS = -1
"""Number of the configuration of an option that keeps what is loaded."""


@dataclass(frozen=True, slots=True)
class DeviceSetups:
    """Set-ups of one device with C configurations.

    Attributes
    ----------
    names
        Of its configurations, in the order of its options.
    time_s, energy_j
        (C + 1) × C: from each configuration to each, 0 on the diagonal; the last row is from what
        a unit has loaded at first.
    """

    names: tuple[str, ...]
    time_s: Floats
    energy_j: Floats

    @property
    def first(self) -> int:
        """Row of what a unit has loaded at first."""
        return len(self.names)


ROUNDING = 1e-12
"""Relative rounding of a sum of two set-ups."""


def no_detour_pays(setups: DeviceSetups) -> bool:
    """Whether no set-up by way of a third configuration takes less time or energy than directly."""
    for direct in (setups.time_s, setups.energy_j):
        detour = direct[:, :, None] + direct[None, :-1, :]
        if (direct[:, None, :] > detour * (1 + ROUNDING)).any():
            return False
    return True


@once
def device_setups(instance: Instance) -> dict[int, DeviceSetups]:
    """Return the set-ups of each device that has any which take time or energy."""
    devices, setups, options = instance.devices, instance.setups, instance.options
    if not len(setups) and not devices.setup_time_s.any() and not devices.setup_energy_j.any():
        return {}
    found: dict[int, DeviceSetups] = {}
    for device in range(len(devices)):
        own = options.configuration[options.device == device].tolist()
        names = [name for name in dict.fromkeys(own) if name]
        rows = np.flatnonzero(setups.device == device).tolist()
        matrices = []
        initial = str(devices.initial_configuration[device])
        for every, each in (
            (float(devices.setup_time_s[device]), setups.time_s),
            (float(devices.setup_energy_j[device]), setups.energy_j),
        ):
            stated = {(str(setups.source[r]), str(setups.target[r])): float(each[r]) for r in rows}
            matrices.append(
                np.array(
                    [
                        [
                            0.0 if source in ("", target) else stated.get((source, target), every)
                            for target in names
                        ]
                        for source in (*names, initial)
                    ]
                ).reshape(len(names) + 1, len(names))
            )
        if any(matrix.any() for matrix in matrices):
            found[device] = DeviceSetups(tuple(names), *matrices)
    return found


@once
def configurations(instance: Instance) -> Ints:
    """Return the number of each option's configuration among its device's; -1: it keeps any.

    Where a device has no set-ups that take time or energy, all of its options keep what is loaded.
    """
    found = np.full(len(instance.options), KEEPS, dtype=np.int64)
    for device, setups in device_setups(instance).items():
        number = {name: i for i, name in enumerate(setups.names)}
        for option in np.flatnonzero(instance.options.device == device).tolist():
            name = str(instance.options.configuration[option])
            found[option] = number.get(name, KEEPS)
    return found


@once
def without_setups(instance: Instance) -> Instance:
    """Return the instance without set-ups, as what knows none may read it; made once."""
    none, rows = np.zeros(len(instance.devices)), np.zeros(0, dtype=np.int64)
    setups = instance.setups
    empty = replace(
        setups,
        device=rows,
        source=setups.source[rows],
        target=setups.target[rows],
        time_s=np.zeros(0),
        energy_j=np.zeros(0),
    )
    devices = replace(instance.devices, setup_time_s=none, setup_energy_j=none)
    return replace(instance, devices=devices, setups=empty)


@once
def configured_devices(instance: Instance) -> Bools:
    """Devices (length D) whose options need different configurations."""
    found = np.zeros(len(instance.devices), dtype=bool)
    stated = np.flatnonzero(instance.options.configuration != "")
    names: dict[int, set[str]] = {}
    for option in stated.tolist():
        device = int(instance.options.device[option])
        names.setdefault(device, set()).add(str(instance.options.configuration[option]))
    for device, own in names.items():
        found[device] = len(own) > 1
    return found
