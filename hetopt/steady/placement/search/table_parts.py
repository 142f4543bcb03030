"""Rows, ways and moves of the table that the search over placements reads."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import list_ptr, ptr_of
from hetopt.instance.paths import Network
from hetopt.steady.model.capacity import memory_limited
from hetopt.steady.model.resources import resource_limits, taken_per_request
from hetopt.steady.placement.clusters import Clusters
from hetopt.steady.routes.route import usable_options

UNLIMITED = 1e-30
"""What stands for one over a limit that there is not: a share too small to be seen."""


class Rows:
    """Numbers of the rows beyond units: channel groups, single links, resources."""

    def __init__(self, instance: Instance, units: int) -> None:
        self.resources = resource_limits(instance)
        self.of_resource = {s: units + i for i, s in enumerate(self.resources)}
        self.of_link: dict[int, int] = {}
        at = units + len(self.resources)
        groups: dict[int, int] = {}
        for link in range(len(instance.links)):
            group = int(instance.links.channel_group[link])
            if instance.links.per_unit[link] or np.isinf(instance.links.bandwidth_b_per_s[link]):
                continue
            if group >= 0 and group in groups:
                self.of_link[link] = groups[group]
                continue
            self.of_link[link] = at
            if group >= 0:
                groups[group] = at
            at += 1
        self.count = at


class Ways:
    """Ways of every cluster on every device.

    Attributes
    ----------
    ptr
        Ways of a cluster on a device, row by row (C × D + 1).
    load, keys, options
        Of each way: share of a unit's time; weights keys with sizes; an option for each task.
    working
        Largest working memory of an option of each device (length D).
    whole
        Whether every cluster has a way.
    """

    def __init__(self, instance: Instance, clusters: Clusters, capacity: Floats) -> None:
        self.instance = instance
        self.load: list[float] = []
        self.keys: list[list[tuple[int, float]]] = []
        self.options: list[list[int]] = []
        self.working = np.zeros(len(capacity))
        self.members: list[list[int]] = []
        self.whole = True
        sizes = []
        limited = memory_limited(instance)
        usable = [usable_options(instance, t) for t in range(len(instance.tasks))]
        for members in clusters.members:
            found = 0
            for d in range(len(capacity)):
                ways = self._ways(members, usable, d, bool(limited[d])) if capacity[d] > 0 else []
                for way in ways:
                    self._enter(members, way, d, float(capacity[d]))
                sizes.append(len(ways))
                found += len(ways)
            self.whole = self.whole and found > 0
        self.ptr = ptr_of(sizes)

    def more(self, rows: Rows) -> list[list[tuple[int, float]]]:
        """Return the rows of resources that each way takes, with shares."""
        result: list[list[tuple[int, float]]] = []
        jobs = self.instance.tasks.job
        for members, options in zip(self.members, self.options, strict=True):
            total: dict[int, float] = {}
            for t, o in zip(members, options, strict=True):
                rate = float(self.instance.jobs.rate_per_s[jobs[t]])
                taken = taken_per_request(self.instance, rows.resources, t, o)
                for resource, amount in taken.items():
                    row, limit = rows.of_resource[resource], rows.resources[resource]
                    share = rate * amount / limit if limit > 0 else 1.0 / UNLIMITED
                    total[row] = total.get(row, 0.0) + share
            result.append(sorted(total.items()))
        return result

    def _ways(
        self, members: list[int], usable: list[list[int]], device: int, limited: bool
    ) -> list[list[int]]:
        """Options of the members on a device: fastest, and others that need smaller weights."""
        here = [
            [
                o
                for _, _, o in sorted(
                    (self._busy(t, o), self._weights(o), o)
                    for o in usable[t]
                    if self.instance.options.device[o] == device
                )
            ]
            for t in members
        ]
        if not all(here):
            return []
        fastest = [options[0] for options in here]
        if not limited and not len(self.instance.uses):
            return [fastest]
        if len(members) == 1:
            kept: list[list[int]] = []
            least = np.inf
            for o in here[0]:
                if self._weights(o) < least or len(self.instance.uses):
                    kept.append([o])
                    least = min(least, self._weights(o))
            return kept
        leanest = [min(options, key=self._weights) for options in here]
        return [fastest] if leanest == fastest else [fastest, leanest]

    def _enter(self, members: list[int], way: list[int], device: int, capacity: float) -> None:
        options, jobs = self.instance.options, self.instance.jobs
        total = 0.0
        keys: dict[int, float] = {}
        for t, o in zip(members, way, strict=True):
            total += float(jobs.rate_per_s[self.instance.tasks.job[t]]) * self._busy(t, o)
            if options.weights_key[o] >= 0:
                keys[int(options.weights_key[o])] = float(options.weights_b[o])
            self.working[device] = max(self.working[device], float(options.memory_b[o]))
        self.load.append(total / capacity)
        self.keys.append(sorted(keys.items()))
        self.options.append(way)
        self.members.append(members)

    def _busy(self, task: int, option: int) -> float:
        options = self.instance.options
        time = float(self.instance.tasks.work[task]) * float(options.time_s[option])
        return time / float(options.batch[option])

    def _weights(self, option: int) -> float:
        return float(self.instance.options.weights_b[option])


class Moves:
    """Tensors that several clusters share, and what their transfers take."""

    def __init__(
        self, instance: Instance, clusters: Clusters, capacity: Floats, rows: Rows
    ) -> None:
        ptr, edges = instance.consumers
        tensors, maker, readers = [], [], []
        of = clusters.of_task
        for n in range(len(instance.tensors)):
            producer = int(of[instance.tensors.producer[n]])
            inside = sorted(
                {int(of[t]) for t in instance.edges.dst[edges[ptr[n] : ptr[n + 1]]]} - {producer}
            )
            if inside:
                tensors.append(n)
                maker.append(producer)
                readers.append(inside)
        self.maker = np.array(maker, dtype=np.int64)
        self.read_ptr, self.reader = list_ptr(readers), flat_of(readers)
        at = np.array(tensors, dtype=np.int64)
        rate = instance.jobs.rate_per_s[instance.tasks.job[instance.tensors.producer[at]]]
        self.volume = rate * instance.tensors.bytes_b[at]
        self.staged = instance.tensors.staged[at]
        self._transfers(instance, capacity, rows, at, rate)
        mine: list[list[int]] = [[] for _ in range(len(clusters))]
        for i, (c, read) in enumerate(zip(maker, readers, strict=True)):
            for other in (c, *read):
                mine[other].append(i)
        self.of_cluster_ptr, self.of_cluster = list_ptr(mine), flat_of(mine)

    def _transfers(
        self, instance: Instance, capacity: Floats, rows: Rows, at: Ints, rate: Floats
    ) -> None:
        network, wide = Network(instance), len(instance.devices)
        overlap = instance.devices.overlap
        self.out = np.zeros((len(at), wide, wide))
        self.inn = np.zeros((len(at), wide, wide))
        self.route = np.zeros((len(at), wide, wide), dtype=np.int64)
        links = instance.links
        numbers: dict[tuple[int, ...], int] = {(): 0}
        hops: list[list[tuple[int, float]]] = [[]]
        known: dict[tuple[float, int, int], tuple[int, float, float]] = {}
        for i, n in enumerate(at.tolist()):
            size = float(instance.tensors.bytes_b[n])
            for src in range(wide):
                for dst in range(wide):
                    if (size, src, dst) not in known:
                        path = network.path(src, dst, size)
                        first = last = 0.0
                        number = -1
                        if path is not None:
                            if path not in numbers:
                                numbers[path] = len(hops)
                                hops.append(hops_of(instance, rows, path))
                            number = numbers[path]
                        if path:
                            first, last = (
                                float(links.latency_s[k] + size / links.bandwidth_b_per_s[k])
                                for k in (path[0], path[-1])
                            )
                        known[size, src, dst] = number, first, last
                    number, first, last = known[size, src, dst]
                    self.route[i, src, dst] = number
                    if not overlap[src] and capacity[src] > 0:
                        self.out[i, src, dst] = rate[i] * first / capacity[src]
                    if not overlap[dst] and capacity[dst] > 0:
                        self.inn[i, src, dst] = rate[i] * last / capacity[dst]
        self.hop_ptr = list_ptr(hops)
        self.hop_row = flat_of([[r for r, _ in h] for h in hops])
        self.hop_share = np.array([s for h in hops for _, s in h], dtype=np.float64)


def hops_of(instance: Instance, rows: Rows, path: tuple[int, ...]) -> list[tuple[int, float]]:
    """Rows of the links of a path with their shares per byte and second."""
    links = instance.links
    found = []
    for link in path:
        if link in rows.of_link:
            group = int(links.channel_group[link])
            channels = int(links.group_channels[group]) if group >= 0 else 1
            share = 1.0 / (float(links.bandwidth_b_per_s[link]) * channels)
            found.append((rows.of_link[link], share))
    return found


def flat_of(lists: list[list[int]]) -> Ints:
    """Return the lists one after another."""
    return np.array([x for members in lists for x in members], dtype=np.int64)
