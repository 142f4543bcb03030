"""What one unit of a device can take in the steady regime."""

from __future__ import annotations

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Bools, Floats, Instance
from hetopt.instance.tables import NO_MOST


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


def weights_matter(instance: Instance) -> Bools:
    """Devices (length D) of whose units it counts which weights they load as a period begins.

    Loading takes energy, or counts as a change.
    """
    if not len(instance.periods):
        return np.zeros(len(instance.devices), dtype=bool)
    counted = instance.periods.max_changes != NO_MOST
    loading = counted | (instance.devices.load_energy_j_per_b > 0)
    return np.asarray(memory_limited(instance) & loading)


def unit_capacity(instance: Instance) -> Floats:
    """Busy time per second that one unit of each device can give (length D)."""
    devices = instance.devices
    share = devices.max_utilization * (1.0 - devices.reserved)
    return np.asarray(share * devices.slots)


def scales_links(instance: Instance, device: int) -> bool:
    """Whether links from a device bring more where more of its units are on."""
    links = instance.links
    return bool(np.any(links.per_unit & (links.src == device)))


def least_load(instance: Instance) -> Floats:
    """Busy time per second that one unit on must have at least, 0 where nothing is asked (D)."""
    devices = instance.devices
    return np.asarray(devices.min_load * (1.0 - devices.reserved) * devices.slots)


def at_standstill(
    instance: Instance, name: str, value: float, bound: float, unit: float = 1.0
) -> float:
    """Return the bound of an objective, 0 for a throughput or value that only rounding keeps above.

    Where nothing can be served, a bound made safe against rounding still allows a θ of some
    1e-12; within ``LIMIT_TOLERANCE`` of the demand, or of the θ that keeps about one unit busy
    (``unit``: shares alone ask for no rate), that is nothing.
    """
    jobs = instance.jobs
    asked = {"throughput": jobs.rate_per_s.sum() * max(1.0, unit)}
    asked["value"] = (jobs.value * jobs.rate_per_s).sum()
    if len(instance.scenarios):
        asked["value"] = (instance.scenarios.rate_per_s @ jobs.value).max()
    nothing = LIMIT_TOLERANCE * float(asked.get(name, 0.0))
    return 0.0 if name in asked and value == 0 and bound <= nothing else bound
