"""Features of an instance that decoding by list scheduling knows."""

from __future__ import annotations

import math

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import message_tables
from hetopt.instance.prices import prices_vary

OBJECTIVES = ("energy", "makespan", "cost", "carbon", "tardiness")
"""First objectives that the decoder can count."""


MOST_MESSAGES = 20_000_000
"""Tensors × units above which counting the copies of each takes too much memory."""


def fits(instance: Instance) -> bool:
    """Whether the decoder knows every feature that the instance has.

    It knows options, pins and forbids, units, slots, releases, deadlines, the horizon, transfers
    with shared tensors over several links, free ones in pools, idle power and prices of units. It
    does not know finite memory, channels, a power cap, staged tensors, ``overlap: false``, tasks
    together, apart or pinned to a unit, resources that options use, paths that depend on the size
    of a message, and prices that change over time.
    """
    devices = instance.devices
    unlimited = (
        np.isinf(devices.memory_b).all()
        and np.isinf(instance.pools.memory_b).all()
        and math.isinf(instance.limits.power_cap_w)
        and (instance.links.channel_group < 0).all()
    )
    plain = (
        not instance.tensors.staged.any()
        and (devices.overlap.all() or not len(instance.tensors))
        and not len(instance.together)
        and not len(instance.apart)
        and not len(instance.uses)
        and (instance.tasks.pin_unit < 0).all()
    )
    known = len(instance.tasks) > 0 and instance.objective[0] in OBJECTIVES
    size = len(instance.tensors) * int(devices.count_max.sum())
    if prices_vary(instance):
        return False
    if not (known and unlimited and plain and size <= MOST_MESSAGES):
        return False
    return not len(instance.tensors) or bool(message_tables(instance).uniform.all())
