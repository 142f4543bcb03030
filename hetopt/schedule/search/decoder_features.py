"""Features of an instance that decoding by list scheduling knows."""

from __future__ import annotations

import math
import sys

from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.limited import decoder as limited_decoder
from hetopt.schedule.model.features import beyond

OBJECTIVES = ("energy", "makespan", "cost", "carbon", "tardiness")
"""First objectives that the decoder can count."""

SUPPORTED = tuple(n for n in limited_decoder.SUPPORTED if n != "prices that change over time")

MOST_MESSAGES = 20_000_000
"""Tensors × units above which counting the copies of each takes too much memory."""


def fits(instance: Instance) -> bool:
    """Whether the decoder knows every feature that the instance has.

    It knows options, pins and forbids, units, slots, releases, deadlines, the horizon, transfers
    with shared tensors over several links, free ones in pools, idle power and prices of units; and
    with :mod:`hetopt.schedule.list_scheduling.limited.decoder` finite memory of units and pools,
    channels and buses, ``overlap: false``, a power cap, resources and budgets, and tasks together,
    apart or pinned to a unit. It does not know staged tensors, paths that depend on the size of a
    message, and prices that change over time (of which it is shown the means).
    """
    return _countable(instance) and not beyond(instance, SUPPORTED)


def fits_plain(instance: Instance) -> bool:
    """Whether the instance has no features but those that need no limits: see :func:`fits`."""
    return _countable(instance) and not beyond(instance, ["messages"])


def fits_under_cap(instance: Instance) -> bool:
    """Whether the peak power is wanted, and the decoder knows the instance under a power cap."""
    if instance.objective[0] != "peak_power" or slows(instance):
        return False
    return fits(under_cap(instance, instance.limits.power_cap_w))


def under_cap(instance: Instance, cap_w: float) -> Instance:
    """Return the question for a short schedule under a power cap (inf: one of no effect)."""
    cap = cap_w if math.isfinite(cap_w) else sys.float_info.max
    return instance.with_limits(power_cap_w=cap).with_objective("makespan")


def _countable(instance: Instance) -> bool:
    if not len(instance.tasks) or instance.objective[0] not in OBJECTIVES:
        return False
    return len(instance.tensors) * int(instance.devices.count_max.sum()) <= MOST_MESSAGES


def why_unsupported(instance: Instance) -> str:
    """Return what the decoder does not support of an instance, as the end of a sentence."""
    if instance.objective[0] == "peak_power":
        if slows(instance):
            return "the peak power of what resources slow"
        instance = under_cap(instance, instance.limits.power_cap_w)
    if instance.objective[0] not in OBJECTIVES:
        return f"the objective {instance.objective[0]}"
    found = beyond(instance, SUPPORTED)
    return ", ".join(found) if found else "so large an instance"
