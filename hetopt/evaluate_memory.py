"""Memory that a plan takes of units and pools (design §3.2, §3.3): peaks and what holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.columns import distinct, sums
from hetopt.evaluate_resources import peak
from hetopt.evaluate_schedule import ScheduleQuantities
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.network import Network
from hetopt.solution import READ, WRITE, SchedulePlan, SteadyPlan


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


def memory_use(instance: Instance, plan: SchedulePlan | SteadyPlan) -> MemoryUse:
    """Compute how full the memory of each unit and pool gets, also where it is unlimited.

    In the steady regime only units that the plan names are counted; of several scenarios each has
    a plan of its own.
    """
    if isinstance(plan, SchedulePlan):
        return _schedule_use(instance, plan)
    return _steady_use(instance, plan)


def _schedule_use(instance: Instance, plan: SchedulePlan) -> MemoryUse:
    """Weights all the time, working memory, outputs and copies over their intervals."""
    q = ScheduleQuantities(instance, plan)
    first, place = distinct(plan.unit, q.device)
    device, unit = q.device[first], plan.unit[first]
    held = _outputs(instance, q, place), _copies(instance, q, place, device, unit)
    working = instance.options.memory_b[plan.option]
    where = np.concatenate([place, *(rows[0] for rows in held)])
    start = np.concatenate([plan.start_s, *(rows[1] for rows in held)])
    end = np.concatenate([q.end_s, *(rows[2] for rows in held)])
    size = np.concatenate([working, *(rows[3] for rows in held)])
    weights = _weights(instance, place, plan.option, len(first))

    def most(group: Ints, base: Floats) -> Floats:
        peaks = np.zeros(len(base))
        for g in range(len(base)):
            own = group[where] == g
            time = end[own] - start[own]
            peaks[g] = peak(start[own], end[own], time, size[own])
        return base + peaks

    pool = instance.devices.pool[device]
    pooled = sums(pool[pool >= 0], weights[pool >= 0], len(instance.pools))
    units = np.arange(len(first))
    return MemoryUse(device, unit, most(units, weights), most(pool, pooled))


Rows = tuple[Ints, Floats, Floats, Floats]


def _outputs(instance: Instance, q: ScheduleQuantities, place: Ints) -> Rows:
    """Each output on its producer's unit: place, from, until, bytes."""
    tensors, edges, hops = instance.tensors, instance.edges, q.plan.hops
    until = q.end_s[tensors.producer].copy()
    rows = np.flatnonzero(edges.tensor >= 0)
    local = rows[_local(instance, q, place, rows)]
    np.maximum.at(until, edges.tensor[local], q.end_s[edges.dst[local]])
    # A read leaves from the producer only where the host itself made the output.
    at_host = _near_host(instance, q.device[tensors.producer])
    leaves = (hops.ordinal == 0) & ((hops.leg != READ) | at_host[hops.tensor])
    np.maximum.at(until, hops.tensor[leaves], (hops.start_s + q.hop_time_s)[leaves])
    begin = q.plan.start_s[tensors.producer]
    return place[tensors.producer], begin, until, tensors.bytes_b


def _copies(
    instance: Instance, q: ScheduleQuantities, place: Ints, device: Ints, unit: Ints
) -> Rows:
    """Each copy on its consumers' unit, from its first hop to the end of its last reader."""
    hops, edges = q.plan.hops, instance.edges
    first = np.flatnonzero((hops.ordinal == 0) & (hops.leg != WRITE))
    wide = int(max(unit.max(initial=0), hops.dst_unit.max(initial=0))) + 1
    number = {key: i for i, key in enumerate((device * wide + unit).tolist())}
    where = np.array(
        [number[k] for k in (hops.dst_device[first] * wide + hops.dst_unit[first]).tolist()],
        dtype=np.int64,
    )
    until: dict[tuple[int, int], float] = {}
    for e in np.flatnonzero(edges.tensor >= 0).tolist():
        key = (int(edges.tensor[e]), int(place[edges.dst[e]]))
        until[key] = max(until.get(key, 0.0), float(q.end_s[edges.dst[e]]))
    pairs = zip(hops.tensor[first].tolist(), where.tolist(), strict=True)
    end = np.array([until[pair] for pair in pairs], dtype=np.float64)
    return where, hops.start_s[first], end, instance.tensors.bytes_b[hops.tensor[first]]


def _local(instance: Instance, q: ScheduleQuantities, place: Ints, rows: Ints) -> Bools:
    """Whether consumers of these edges read the producer's own output."""
    src, dst = instance.edges.src[rows], instance.edges.dst[rows]
    free = Network(instance).free(q.device[src], q.device[dst])
    return np.asarray((place[src] == place[dst]) | free)


def _near_host(instance: Instance, device: Ints) -> Bools:
    if instance.host < 0:
        return np.zeros(len(device), dtype=bool)
    host = np.full(len(device), instance.host, dtype=np.int64)
    return np.asarray((device == host) | Network(instance).free(device, host))


def _weights(instance: Instance, place: Ints, option: Ints, places: int) -> Floats:
    """Weights (B) of all that each unit ever runs, once per key."""
    key = instance.options.weights_key[option]
    loaded = np.flatnonzero(key >= 0)
    first, _ = distinct(key[loaded], place[loaded])
    rows = loaded[first]
    return sums(place[rows], instance.options.weights_b[option[rows]], places)


def _steady_use(instance: Instance, plan: SteadyPlan) -> MemoryUse:
    """Weights of all that a unit serves, and slots × the largest working memory."""
    options = instance.options
    rate = np.repeat(plan.rate_per_s, np.diff(plan.ptr))
    used = (rate > 0) | (instance.routing == "single")
    rows = np.flatnonzero(used & (plan.unit >= 0))
    device, unit, option = options.device[plan.option[rows]], plan.unit[rows], plan.option[rows]
    first, place = distinct(unit, device)
    working = np.zeros(len(first))
    np.maximum.at(working, place, options.memory_b[option])
    own = device[first]
    held = _weights(instance, place, option, len(first)) + instance.devices.slots[own] * working
    pool = instance.devices.pool[own]
    pooled = sums(pool[pool >= 0], held[pool >= 0], len(instance.pools))
    return MemoryUse(own, unit[first], held, pooled)
