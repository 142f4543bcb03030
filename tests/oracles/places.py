"""What a joule costs or emits at a device, and where a task may run, from the definitions."""

from __future__ import annotations

import math
from fractions import Fraction

from hetopt.instance import Instance
from tests.oracles.paths import exact


def joule(instance: Instance, device: int, name: str) -> Fraction:
    """What a joule drawn at a device adds to ``cost`` or ``carbon``, PUE included."""
    limits, sites, site = instance.limits, instance.sites, int(instance.devices.site[device])
    own = sites.energy_price_per_j if name == "cost" else sites.carbon_kg_per_j
    common = limits.energy_price_per_j if name == "cost" else limits.carbon_kg_per_j
    price = common if site < 0 or math.isnan(own[site]) else float(own[site])
    pue = limits.pue if site < 0 or math.isnan(sites.pue[site]) else float(sites.pue[site])
    return exact(price) * exact(pue)


def allowed_at(instance: Instance, task: int, device: int) -> bool:
    """Whether the sites of a task let it run on a device."""
    tasks = instance.tasks
    mine = [int(s) for t, s in zip(tasks.site_task, tasks.site_site, strict=True) if int(t) == task]
    return not mine or int(instance.devices.site[device]) in mine
