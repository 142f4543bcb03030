"""Features that an instance of the schedule regime may have and that not every method supports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance
from hetopt.instance.paths import message_tables
from hetopt.instance.states.idle_sleep_start_up import going_on_counts, may_sleep, ready_s
from hetopt.instance.states.setups import device_setups
from hetopt.instance.tariffs import prices_vary

FEATURES: dict[str, Callable[[Instance], bool]] = {
    "memory limits": lambda i: bool(
        np.isfinite(i.devices.memory_b).any() or np.isfinite(i.pools.memory_b).any()
    ),
    "a power cap": lambda i: math.isfinite(i.limits.power_cap_w),
    "co-located tasks (together)": lambda i: len(i.together) > 0,
    "anti-affinity (apart)": lambda i: len(i.apart) > 0,
    "tasks pinned to a unit": lambda i: bool((i.tasks.pin_unit >= 0).any()),
    "set-ups": lambda i: bool(device_setups(i)),
    "set-ups that draw power under a cap": lambda i: (
        math.isfinite(i.limits.power_cap_w)
        and any(setups.energy_j.any() for setups in device_setups(i).values())
    ),
    "resources": lambda i: len(i.uses) > 0,
    "resources that slow": slows,
    "prices that change over time": prices_vary,
    "units that take time to go on": lambda i: bool(ready_s(i).any()),
    "sleep in gaps": may_sleep,
    "start-ups": going_on_counts,
    "boards": lambda i: len(i.boards) > 0,
    "messages": lambda i: len(i.tensors) > 0,
    "staged tensors": lambda i: bool(i.tensors.staged.any()),
    "transfers that hold slots (overlap: false)": lambda i: bool(
        len(i.tensors) and not i.devices.overlap.all()
    ),
    "link channels": lambda i: bool((i.links.channel_group >= 0).any()),
    "paths that depend on the size of a message": lambda i: bool(
        len(i.tensors) and not message_tables(i).uniform.all()
    ),
}
"""Whether an instance has a feature, by the feature's name in messages; cheap ones first."""

ON_MESSAGES = (
    "messages",
    "staged tensors",
    "transfers that hold slots (overlap: false)",
    "link channels",
    "paths that depend on the size of a message",
)
"""Features that say something of instances with messages only."""


def beyond(instance: Instance, known: Iterable[str]) -> list[str]:
    """Return the features that an instance has and a method that knows these does not.

    Methods list what they know, so that none takes a feature for none that comes after it.
    """
    return features(instance, [name for name in FEATURES if name not in known])


def features(instance: Instance, of: Iterable[str] = FEATURES) -> list[str]:
    """Return those of the named features that an instance has, in their order."""
    return [name for name in of if FEATURES[name](instance)]


def has_any(instance: Instance, of: Iterable[str]) -> bool:
    """Whether an instance has one of the named features at least."""
    return any(FEATURES[name](instance) for name in of)
