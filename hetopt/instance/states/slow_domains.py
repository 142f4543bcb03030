"""Devices that slow each other down: which do, and how fast each option of a state runs.

A *state* is a set of runs at once, each an option on a slot of a unit. Each run progresses at

    r = min over its slow resources k of min(1, C_k / Σ_k demands of all runs)
        × (1 − loss_k where two or more runs ask for some of k)

of its full speed (docs/quantities.md), 1 where it uses none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance.derived import once
from hetopt.instance.dtypes import Ints
from hetopt.instance.instance import Instance
from hetopt.instance.tables import NO_MAXIMUM

Demand = tuple[tuple[int, float], ...]
"""Slow resources that an option uses, and how much of each at full speed."""


@dataclass(frozen=True, slots=True)
class SlowDomain:
    """Devices joined by slow resources: what one runs may slow what any other runs.

    Attributes
    ----------
    devices, resources
        Indices, ascending.
    """

    devices: tuple[int, ...]
    resources: tuple[int, ...]


def slow_demand(instance: Instance, option: int) -> Demand:
    """Return what an option asks of slow resources; nothing where it takes no time."""
    if not instance.options.time_s[option] > 0:
        return ()
    slow = instance.resources.slow
    return tuple((k, amount) for k, amount in instance.uses.of(option) if slow[k])


def run_rates(instance: Instance, options: Sequence[int]) -> list[float]:
    """Return the rate of each of some options that run at once, one entry for each run."""
    demands = [slow_demand(instance, option) for option in options]
    asked: dict[int, list[float]] = {}
    for demand in demands:
        for k, amount in demand:
            asked.setdefault(k, []).append(amount)
    resources = instance.resources
    speed = {}
    for k, amounts in asked.items():
        share = min(1.0, float(resources.capacity[k]) / math.fsum(amounts))
        speed[k] = share * (1.0 - float(resources.loss[k])) if len(amounts) > 1 else share
    return [min((speed[k] for k, _ in demand), default=1.0) for demand in demands]


@once
def slow_domains(instance: Instance) -> tuple[SlowDomain, ...]:
    """Return the domains, by their first device; devices without demands are in none.

    Only options that some task may run by count. Where there is one slot in all, nothing is slowed.
    """
    if not instance.resources.slow.any():
        return ()
    users: dict[int, set[int]] = {}
    for option in np.unique(instance.admissible[1]).tolist():
        for k, _ in slow_demand(instance, option):
            users.setdefault(k, set()).add(int(instance.options.device[option]))
    parts: list[tuple[set[int], set[int]]] = []
    for k, devices in sorted(users.items()):
        joined, names = set(devices), {k}
        apart = []
        for part in parts:
            if part[0] & joined:
                joined, names = joined | part[0], names | part[1]
            else:
                apart.append(part)
        parts = [*apart, (joined, names)]
    domains = [SlowDomain(tuple(sorted(d)), tuple(sorted(k))) for d, k in parts]
    crowded = [domain for domain in domains if _slots(instance, domain) > 1]
    return tuple(sorted(crowded, key=lambda domain: domain.devices))


def _slots(instance: Instance, domain: SlowDomain) -> float:
    """Return how many options may run at once."""
    devices, mine = instance.devices, list(domain.devices)
    units = np.where(devices.count_max == NO_MAXIMUM, np.inf, devices.count_max)
    return float((units * devices.slots)[mine].sum())


def domain_of_device(instance: Instance) -> Ints:
    """Return the number of each device's domain, -1 where it is in none (D)."""
    domain = np.full(len(instance.devices), -1, dtype=np.int64)
    for g, found in enumerate(slow_domains(instance)):
        domain[list(found.devices)] = g
    return domain
