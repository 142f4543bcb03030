"""Memory that a plan takes of units and pools (docs/quantities.md): peaks and what holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.evaluate.over_time.steps import Steps
from hetopt.evaluate.timeline import memory_over_time
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import distinct, sums
from hetopt.solution import Held, SchedulePlan, SteadyPlan


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Most memory that is held at one instant, in bytes.

    ``device`` and ``unit`` name the units that run something (length U), ``unit_b`` is what each
    holds. ``pool_b`` (P) is what the units of each pool hold together.
    """

    device: Ints
    unit: Ints
    unit_b: Floats
    pool_b: Floats

    def most_b(self, device: int) -> float:
        """Return what the fullest unit of a device holds, 0 where none runs anything."""
        return float(self.unit_b[self.device == device].max(initial=0.0))


def memory_use(
    instance: Instance, plan: SchedulePlan | SteadyPlan, held: Held | None = None
) -> MemoryUse:
    """Compute how full the memory of each unit and pool gets, also where it is unlimited.

    Of a schedule the units are those that ever hold anything.

    In the steady regime only units that the plan names are counted; of several scenarios each has
    a plan of its own. ``held`` are weights that units of a period hold beyond what they serve.
    """
    if isinstance(plan, SchedulePlan):
        return _schedule_use(instance, plan)
    return _steady_use(instance, plan, Held.of() if held is None else held)


def _schedule_use(instance: Instance, plan: SchedulePlan) -> MemoryUse:
    held = memory_over_time(instance, plan)
    units = np.array(list(held), dtype=np.int64).reshape(-1, 2)
    pool = instance.devices.pool[units[:, 0]]
    pooled = np.zeros(len(instance.pools))
    for p in range(len(pooled)):
        members = [held[d, u] for d, u in units[pool == p].tolist()]
        pooled[p] = _peak_of_sum(members)
    unit_b = np.array([steps.peak for steps in held.values()], dtype=np.float64)
    return MemoryUse(units[:, 0], units[:, 1], unit_b, pooled)


def _peak_of_sum(members: list[Steps]) -> float:
    if not members:
        return 0.0
    times = np.unique(np.concatenate([steps.time_s for steps in members]))
    total = np.zeros(len(times))
    for steps in members:
        at = np.searchsorted(steps.time_s, times, side="right") - 1
        total += np.where(at >= 0, steps.value[at], 0.0)
    return float(total.max(initial=0.0))


def _weights(instance: Instance, place: Ints, key: Ints, places: int) -> Floats:
    """Weights (B) of all that each unit ever runs or holds, once per key."""
    size = np.zeros(len(instance.model_keys) + 1)
    size[instance.options.weights_key] = instance.options.weights_b
    loaded = np.flatnonzero(key >= 0)
    first, _ = distinct(key[loaded], place[loaded])
    rows = loaded[first]
    return sums(place[rows], size[key[rows]], places)


def _steady_use(instance: Instance, plan: SteadyPlan, more: Held) -> MemoryUse:
    """Weights of all that a unit serves or holds, and slots × the largest working memory."""
    options = instance.options
    rate = np.repeat(plan.rate_per_s, np.diff(plan.ptr))
    used = (rate > 0) | (instance.routing == "single")
    rows = np.flatnonzero(used & (plan.unit >= 0))
    option = plan.option[rows]
    device = np.concatenate([options.device[option], more.device])
    unit = np.concatenate([plan.unit[rows], more.unit])
    first, place = distinct(unit, device)
    working = np.zeros(len(first))
    np.maximum.at(working, place[: len(rows)], options.memory_b[option])
    own = device[first]
    key = np.concatenate([options.weights_key[option], more.key])
    held = _weights(instance, place, key, len(first)) + instance.devices.slots[own] * working
    pool = instance.devices.pool[own]
    pooled = sums(pool[pool >= 0], held[pool >= 0], len(instance.pools))
    return MemoryUse(own, unit[first], held, pooled)
