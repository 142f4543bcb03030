"""What one unit of a device can take in the steady regime."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Bools, Floats, Instance


def memory_limited(instance: Instance) -> Bools:
    """Devices (length D) whose units have a finite memory, their own or a pool's.

    A plan names units of these devices: which weights lie where decides what a unit can serve.
    """
    devices, pools = instance.devices, instance.pools
    own = np.isfinite(devices.memory_b)
    pooled = np.zeros(len(devices), dtype=bool)
    if len(pools):
        inside = devices.pool >= 0
        pooled[inside] = np.isfinite(pools.memory_b[devices.pool[inside]])
    return np.asarray(own | pooled)


def unit_capacity(instance: Instance) -> Floats:
    """Busy time per second that one unit of each device can give (length D)."""
    devices = instance.devices
    share = devices.max_utilization * (1.0 - devices.reserved)
    return np.asarray(share * devices.slots)
