"""The order in which a plan lets tasks, set-ups and messages begin where they share something.

Each thing that is shared has a lane: a power cap, a resource, the channels of a link, the memory of
a unit or pool, the slots that transfers take. What stands in lanes begins once all that stands
before it there has begun. That keeps a plan from locking itself up when times differ: of all that
has not begun, the first of the whole order waits for nothing but what has begun, which ends; and
then what is held is at most what was held at that moment of the plan.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hetopt.evaluate.setups import setup_runs
from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.simulate.schedules.shared.messages import Hop
from hetopt.solution import READ, WRITE, SchedulePlan

Item = tuple[int, ...]
"""A task (t,), the set-up before it (t, ``SET_UP``), or a hop."""
Lane = tuple[str, int, int]
SET_UP = -1


@dataclass(frozen=True)
class Order:
    """What begins after what.

    Attributes
    ----------
    lanes
        Items in their order, by what they share.
    tasks
        Tasks in the whole order.
    times
        Before when a hop does not begin.
    """

    lanes: Mapping[Lane, tuple[Item, ...]]
    tasks: tuple[int, ...] = ()
    times: Mapping[Item, float] = field(default_factory=dict)

    @cached_property
    def places(self) -> dict[Item, list[tuple[Lane, int]]]:
        """Where each item stands."""
        found: dict[Item, list[tuple[Lane, int]]] = {}
        for lane, items in self.lanes.items():
            for place, item in enumerate(items):
                found.setdefault(item, []).append((lane, place))
        return found

    def untimed(self) -> Order:
        """Return the order alone."""
        return replace(self, times={})


class Turns:
    """Whose turn it is: follows an order while things begin."""

    def __init__(self) -> None:
        self.begun: set[Item] = set()
        self._order: Order | None = None
        self._next: dict[Lane, int] = {}

    def is_due(self, order: Order | None, item: Item) -> bool:
        """Whether all that stands before an item has begun."""
        if order is None:
            return True
        if order is not self._order:
            self._order, self._next = order, {}
        for lane, place in order.places.get(item, ()):
            items, at = order.lanes[lane], self._next.get(lane, 0)
            while at < len(items) and items[at] in self.begun:
                at += 1
            self._next[lane] = at
            if place > at:
                return False
        return True


def order_of(instance: Instance, plan: SchedulePlan, network: Network, timed: bool) -> Order:
    """Return the order of a plan that gives each task an option.

    Parameters
    ----------
    timed
        Whether hops are to begin no sooner than the plan says.
    """
    lanes: dict[Lane, list[Item]] = {}
    hops = _hops(instance, plan, network)
    pieces = _Lanes(instance, plan)
    whole = _sorted(instance, plan, hops, pieces.setups)
    for item in whole:
        for lane in pieces.of(item, hops):
            lanes.setdefault(lane, []).append(item)
    kept = {lane: tuple(items) for lane, items in lanes.items() if len(items) > 1}
    times: dict[Item, float] = {hop: start for hop, (start, _, _) in hops.items()}
    tasks = tuple(item[0] for item in whole if len(item) == 1)
    return Order(kept, tasks, times if timed else {})


def _hops(
    instance: Instance, plan: SchedulePlan, network: Network
) -> dict[Hop, tuple[float, int, bool]]:
    """Return the start, the link and whether it is the last one, of each hop that there will be."""
    hops, host = plan.hops, instance.host
    found = {}
    columns = (hops.tensor, hops.leg, hops.dst_device, hops.dst_unit, hops.ordinal)
    rows = zip(*(c.tolist() for c in columns), hops.start_s.tolist(), strict=True)
    for n, leg, d, u, k, start in rows:
        producer = int(instance.tensors.producer[n])
        home = int(instance.options.device[plan.option[producer]])
        size = float(instance.tensors.bytes_b[n])
        path = network.path(host if leg == READ else home, d, size) or ()
        if k < len(path):
            found[n, leg, d, u, k] = (start, path[k], k == len(path) - 1)
    return found


def _sorted(
    instance: Instance,
    plan: SchedulePlan,
    hops: Mapping[Hop, tuple[float, int, bool]],
    setups: Mapping[int, float],
) -> list[Item]:
    """Return all items by their starts, none before what it waits for."""
    start: dict[Item, float] = {(t,): s for t, s in enumerate(plan.start_s.tolist())}
    start |= {(t, SET_UP): begin for t, begin in setups.items()}
    start |= {hop: row[0] for hop, row in hops.items()}
    after: dict[Item, list[Item]] = {}
    waits = dict.fromkeys(start, 0)

    def follows(one: Item, other: Item) -> None:
        after.setdefault(one, []).append(other)
        waits[other] += 1

    device = instance.options.device[plan.option].tolist()
    edges = instance.edges
    readers: dict[int, list[int]] = {}
    for s, t, n in zip(edges.src.tolist(), edges.dst.tolist(), edges.tensor.tolist(), strict=True):
        follows((s,), (t,))
        readers.setdefault(n, []).append(t)
    for t in setups:
        follows((t, SET_UP), (t,))
    last = {hop[:4]: hop for hop, row in hops.items() if row[2]}
    for hop in hops:
        n, leg, d, u, k = hop
        if k:
            follows((n, leg, d, u, k - 1), hop)
        else:
            writes = [at for chain, at in last.items() if chain[:2] == (n, WRITE)]
            for at in writes if leg == READ else ():
                follows(at, hop)
            follows((int(instance.tensors.producer[n]),), hop)
        if hops[hop][2] and leg != WRITE:
            for t in readers.get(n, ()):
                if (device[t], int(plan.unit[t])) == (d, u):
                    follows(hop, (t,))
    heap = [(start[item], item) for item, count in waits.items() if not count]
    heapq.heapify(heap)
    found = []
    while heap:
        _, item = heapq.heappop(heap)
        found.append(item)
        for other in after.get(item, ()):
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(heap, (start[other], other))
    return found


class _Lanes:
    """In which lanes an item stands."""

    def __init__(self, instance: Instance, plan: SchedulePlan) -> None:
        self.instance, self.plan = instance, plan
        devices, resources = instance.devices, instance.resources
        self.capped = math.isfinite(instance.limits.power_cap_w)
        forbids = np.isfinite(resources.capacity) & ~resources.slow
        self.limited = (forbids | np.isfinite(resources.budget)).tolist()
        self.small = np.isfinite(devices.memory_b).tolist()
        self.overlap = devices.overlap.tolist()
        pools = np.append(np.isfinite(instance.pools.memory_b), False)
        self.pool = [p if pools[p] else -1 for p in devices.pool.tolist()]
        runs = setup_runs(instance, plan)
        self.setups = dict(zip(runs.task.tolist(), runs.start_s.tolist(), strict=True))

    def of(self, item: Item, hops: Mapping[Hop, tuple[float, int, bool]]) -> Iterable[Lane]:
        if len(item) == 5:
            yield from self._of_hop(item, hops)
            return
        t = item[0]
        option = int(self.plan.option[t])
        d, u = int(self.instance.options.device[option]), int(self.plan.unit[t])
        if self.capped:
            yield ("power", 0, 0)
        if len(item) == 1:
            for k, _ in self.instance.uses.of(option):
                if self.limited[k]:
                    yield ("resource", k, 0)
            yield from self._memory(d, u)
        if not self.overlap[d] and (len(item) == 2 or t not in self.setups):
            yield ("slots", d, u)

    def _of_hop(self, hop: Item, hops: Mapping[Hop, tuple[float, int, bool]]) -> Iterable[Lane]:
        n, leg, d, u, k = hop
        _, link, last = hops[n, leg, d, u, k]
        group = int(self.instance.links.channel_group[link])
        if group >= 0:
            yield ("channels", group, 0)
        producer = int(self.instance.tensors.producer[n])
        home = int(self.instance.options.device[self.plan.option[producer]])
        if not k and leg != READ and not self.overlap[home]:
            yield ("slots", home, int(self.plan.unit[producer]))
        if last and leg != WRITE and not self.overlap[d]:
            yield ("slots", d, u)
        if not k and leg != WRITE:
            yield from self._memory(d, u)

    def _memory(self, d: int, u: int) -> Iterable[Lane]:
        if self.small[d]:
            yield ("memory", d, u)
        if self.pool[d] >= 0:
            yield ("pool", self.pool[d], 0)
