"""How large a CP-SAT model of an instance is, and how large a one its time allows."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.states.setups import configurations, device_setups
from hetopt.runtime.budget import Budget
from hetopt.schedule.search.entry import SearchEntry

LARGEST_MODEL = 1_000_000
"""Constraints above which a CP-SAT model takes too much memory and time."""
CONSTRAINTS_PER_S = 4_000
"""Constraints per second of the time limit that are built: a quarter of it on this kind of
machine, presolve included."""
CHOICE_CONSTRAINTS, CHAIN_CONSTRAINTS = 3, 4
"""Constraints per choice (task, option, unit) and per transfer chain."""
SMALL_MODEL = 2_000
"""Constraints that are built whatever the time limit is."""


def model_size(instance: Instance) -> int:
    """Constraints of a CP-SAT model, roughly: choices, edges, and chains of transfers."""
    devices, links = instance.devices, instance.links
    classes = instance.classes
    units = int(devices.count_max.sum())
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    each = np.bincount(
        owner, devices.count_max[instance.options.device[classes.option]], len(classes)
    )
    choices = int(each[classes.member].sum())
    contended = (
        bool(np.isfinite(devices.memory_b).any() or np.isfinite(instance.pools.memory_b).any())
        or bool((links.channel_group >= 0).any())
        or not devices.overlap.all()
    )
    chained = len(instance.tensors) if contended else int(instance.tensors.staged.sum())
    chains = chained * len(devices) * units * CHAIN_CONSTRAINTS
    return choices * CHOICE_CONSTRAINTS + len(instance.edges) * units + chains + _arcs(instance)


def affordable(budget: Budget) -> int:
    """Constraints that can be built, and presolved, in a part of the time."""
    return int(min(LARGEST_MODEL, max(SMALL_MODEL, budget.limit_s * CONSTRAINTS_PER_S)))


def affordable_after(entry: SearchEntry, instance: Instance, budget: Budget) -> int:
    """Constraints that can be built in half of the time that a search leaves to CP-SAT."""
    left = budget.limit_s if budget.deterministic else budget.left_s()
    after = max(0.0, left - entry.seconds(instance, left))
    return int(max(SMALL_MODEL, 2 * after * CONSTRAINTS_PER_S))


def _arcs(instance: Instance) -> int:
    """Pairs of tasks that may be next to each other on a unit with set-ups."""
    classes, numbers = instance.classes, configurations(instance)
    size = np.bincount(classes.member, minlength=len(classes))
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    total = 0
    for device in device_setups(instance):
        here = (instance.options.device[classes.option] == device) & (numbers[classes.option] >= 0)
        nodes = int(size[owner[here]].sum())
        total += int(instance.devices.count_max[device]) * nodes * nodes
    return total
