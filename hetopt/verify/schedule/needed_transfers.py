"""Which transfers a placement of tasks asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Bools, Instance, Ints
from hetopt.solution import DIRECT, READ, WRITE, Hops
from hetopt.verify.paths import Paths
from hetopt.verify.schedule.placed import Placed

LEGS = 3


@dataclass(frozen=True, slots=True)
class Needs:
    """The transfers that a placement asks for (length M), in order of ``key``.

    ``place`` is the destination unit (-1 for a write), ``src`` and ``dst`` the devices at the
    ends of the path. Per edge: ``edge_need`` is the transfer that its consumer waits for (-1:
    none), ``local`` whether the consumer reads the producer's own output (same unit or zero-copy
    pool). Per tensor: ``at_host`` whether a staged output is in reach of the host without a
    write.
    """

    key: Ints
    tensor: Ints
    leg: Ints
    place: Ints
    src: Ints
    dst: Ints
    edge_need: Ints
    local: Bools
    at_host: Bools


def needed(instance: Instance, placed: Placed) -> Needs:
    """Return the transfers that the usable tasks of a plan ask for."""
    tensors, edges, host = instance.tensors, instance.edges, instance.host
    device = (
        np.where(placed.place >= 0, placed.device[placed.place], -1)
        if len(placed.device)
        else np.full(len(placed.place), -1, dtype=np.int64)
    )
    shared = _zero_copy_pool(instance)
    carried = edges.tensor >= 0
    tensor = np.where(carried, edges.tensor, 0)
    staged = carried & tensors.staged[tensor] if len(tensors) else carried
    ready = carried & placed.usable[edges.src] & placed.usable[edges.dst]
    here, there = placed.place[edges.src], placed.place[edges.dst]
    pool = shared[device]
    local = ready & (
        (here == there) | ((pool[edges.src] >= 0) & (pool[edges.src] == pool[edges.dst]))
    )
    near_host = np.zeros(len(device), dtype=bool)
    if host >= 0:
        near_host = (device == host) | ((pool >= 0) & (pool == shared[host]))
    remote = ready & ~local
    wide = len(placed.device) + 2

    direct = remote & ~staged
    read = remote & staged & ~near_host[edges.dst]
    write = remote & staged & ~near_host[edges.src]
    waits = np.full(len(edges), -1, dtype=np.int64)
    waits[direct] = key_of(tensor[direct], DIRECT, there[direct], wide)
    waits[read] = key_of(tensor[read], READ, there[read], wide)
    fetched = write & near_host[edges.dst]
    writes = key_of(tensor, WRITE, wide - 2, wide)
    waits[fetched] = writes[fetched]

    rows = np.flatnonzero(direct | read)
    out = np.flatnonzero(write)
    keys = np.concatenate([waits[rows], writes[out]])
    edge = np.concatenate([rows, out])
    key = keys
    if not (keys[1:] > keys[:-1]).all():
        key, sample = np.unique(keys, return_index=True)
        edge = edge[sample]
    leg = key // wide % LEGS
    return Needs(
        key=key,
        tensor=tensor[edge],
        leg=leg,
        place=np.where(leg == WRITE, -1, there[edge]),
        src=np.where(leg == READ, host, device[edges.src[edge]]),
        dst=np.where(leg == WRITE, host, device[edges.dst[edge]]),
        edge_need=find(key, waits),
        local=local,
        at_host=near_host[tensors.producer],
    )


def hop_keys(instance: Instance, placed: Placed, hops: Hops) -> Ints:
    """Return the key of the transfer that each (readable) hop belongs to."""
    wide = len(placed.device) + 2
    most = int(max(placed.unit.max(initial=0), hops.dst_unit.max(initial=0))) + 1
    place = find(placed.device * most + placed.unit, hops.dst_device * most + hops.dst_unit)
    nowhere = wide - 1
    to_host = np.where(hops.dst_device == instance.host, wide - 2, nowhere)
    slot = np.where(hops.leg == WRITE, to_host, np.where(place >= 0, place, nowhere))
    return key_of(hops.tensor, hops.leg, slot, wide)


def key_of(tensor: Ints, leg: Ints | int, place: Ints | int, wide: int) -> Ints:
    """Return the number of a transfer by tensor, leg and destination unit."""
    return (tensor * LEGS + leg) * wide + place


def find(ranked: Ints, wanted: Ints) -> Ints:
    """Return where each wanted value is in a sorted column without repeats, -1 if it is not."""
    if not len(ranked):
        return np.full(len(wanted), -1, dtype=np.int64)
    if np.array_equal(ranked, wanted):
        return np.arange(len(ranked))
    at = np.minimum(np.searchsorted(ranked, wanted), len(ranked) - 1)
    return np.where(ranked[at] == wanted, at, -1)


def without_path(needs: Needs, instance: Instance, paths: Paths) -> Bools:
    """Tell which transfers no path can carry."""
    wide = len(instance.devices) + 1
    wanted = (needs.src + 1) * wide + needs.dst + 1
    joined = np.unique((instance.links.src + 1) * wide + instance.links.dst + 1)
    blocked = find(joined, wanted) < 0
    for pair in np.unique(wanted[blocked]).tolist():
        if paths.labels(pair // wide - 1, pair % wide - 1):
            blocked[wanted == pair] = False
    return blocked


def _zero_copy_pool(instance: Instance) -> Ints:
    """Return, per device, its zero-copy pool or -1; one more entry (index -1) for no device."""
    pool = instance.devices.pool
    if len(instance.pools):
        pool = np.where((pool >= 0) & instance.pools.zero_copy[pool], pool, -1)
    return np.append(pool, -1)
