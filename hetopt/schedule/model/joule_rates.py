"""What a joule of a task counts in an objective, as rates per task and device."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.joule_prices import joule_prices


def prices_of(instance: Instance, name: str) -> tuple[Floats, float]:
    """Cost of a joule at each device (D), and whether the price of units counts (1 or 0)."""
    if name not in ("energy", "cost", "carbon"):
        return np.zeros(len(instance.devices)), 0.0
    return joule_prices(instance, name), float(name == "cost")


def rates_of(instance: Instance, energy: Floats, price: float) -> Floats:
    """Cost per second of the window by units in use, D × (units + 1)."""
    devices = instance.devices
    used = np.arange(int(devices.count_max.max(initial=0)) + 1)[None, :]
    had = np.maximum(used, devices.count_min[:, None])
    on = np.where(devices.off_when_unused[:, None], used, had)
    idle = (devices.idle_power_w * energy)[:, None]
    paid = idle * on + devices.price_per_s[:, None] * had * price
    return np.ascontiguousarray(paid, dtype=np.float64)
