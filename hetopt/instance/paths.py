"""Paths between devices: the links a message takes, its time and its energy (docs/quantities.md).

A message between two units takes a direct link where there is one (of several: the least time,
ties by energy, then file order), else the store-and-forward path of least total time (ties by
energy, then the lexicographically smallest sequence of link indices). Inside a zero-copy pool it
takes no link at all. Where there is no path, the pair of placements is forbidden.

The time of a path is linear in the size of the message, so the least time is a concave, piecewise
linear function of the size: a path that is best at two sizes is best at all sizes between them.
Hence a pair of devices is settled for all sizes of an instance by bisection over them. Size 0
stands apart, because at 0 all paths have equal energy.

Floats decide only where they differ clearly; ties are resolved in fractions of the decimals that
``repr`` prints.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.instance.derived import once
from hetopt.instance.dtypes import Bools, Floats, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.instance import Instance

Path = tuple[int, ...]
_NEAR = 1e-9
"""Relative distance within which a link is looked at exactly; far above float rounding."""


class Network:
    """Paths of an instance; knows nothing of a plan.

    All objects made from one instance share what has been computed, so making another costs
    nothing.

    Parameters
    ----------
    instance
        The instance; D devices, L links.
    """

    def __init__(self, instance: Instance) -> None:
        self._state = _state_of(instance)

    def zero_copy(self, src_device: int, dst_device: int) -> bool:
        """Whether a message between any two units of these devices is free (one shared pool)."""
        return bool(self._state.zero_copy[src_device, dst_device])

    def near_host(self, device: int) -> bool:
        """Whether host memory is in reach of a device: the host's own, or in its zero-copy pool."""
        host = self._state.host
        return device == host or (host >= 0 and self.zero_copy(device, host))

    @property
    def any_zero_copy(self) -> bool:
        """Whether there is a pair of devices between which messages are free."""
        return self._state.any_zero_copy

    def free(self, src_device: Ints, dst_device: Ints) -> Bools:
        """Like `zero_copy`, for many pairs of devices."""
        return self._state.zero_copy[src_device, dst_device]

    def one_path(self, src_device: int, dst_device: int) -> bool:
        """Whether messages of every size, 0 included, take the same path (or none)."""
        return self._state.pieces(src_device, dst_device).always

    def path(self, src_device: int, dst_device: int, bytes_b: float) -> Path | None:
        """Return the link indices that a message takes between two *different* units.

        Returns
        -------
        tuple of int or None
            In order of travel; empty inside a zero-copy pool, None where there is no path.
        """
        return self._state.path(src_device, dst_device, float(bytes_b))

    def time_s(self, src_device: int, dst_device: int, bytes_b: float) -> float:
        """Sum of the hop times in seconds, without contention; inf where there is no path."""
        path = self.path(src_device, dst_device, bytes_b)
        return np.inf if path is None else float(self.hop_times_s(path, bytes_b).sum())

    def energy_j(self, src_device: int, dst_device: int, bytes_b: float) -> float:
        """Sum of the hop energies in joules; inf where there is no path."""
        path = self.path(src_device, dst_device, bytes_b)
        if path is None:
            return np.inf
        return float(self._state.links.energy_j_per_b[list(path)].sum() * bytes_b)

    def hop_times_s(self, path: Path, bytes_b: float) -> Floats:
        """Time of each hop of a path in seconds: latency + bytes / bandwidth."""
        links, rows = self._state.links, np.array(path, dtype=np.int64)
        return links.latency_s[rows] + bytes_b / links.bandwidth_b_per_s[rows]

    def paths(self, src_device: Ints, dst_device: Ints, bytes_b: Floats) -> tuple[Ints, Ints]:
        """Return the paths of many messages between different units, as CSR.

        Parameters
        ----------
        src_device, dst_device, bytes_b
            Device indices and sizes, length M.

        Returns
        -------
        ptr, link
            Message m takes ``link[ptr[m]:ptr[m + 1]]``; ``ptr`` has length M + 1. A message
            without a path has the single entry -1.
        """
        return self._state.paths(src_device, dst_device, bytes_b)


@dataclass(frozen=True, slots=True)
class MessageTables:
    """Messages between different units by pair of devices, all D × D (source, destination).

    Where ``uniform``, a message of any (positive) size of the instance takes one and the same
    path: ``latency_s + bytes × s_per_b`` seconds and ``bytes × energy_j_per_b`` joules. Where not,
    the three are NaN and `Network.path` decides by size. Where not ``allowed`` there is no path;
    the three are inf there. From a device of one unit to itself goes no message; all is 0 there.
    """

    latency_s: Floats
    s_per_b: Floats
    energy_j_per_b: Floats
    allowed: Bools
    uniform: Bools


def message_tables(instance: Instance) -> MessageTables:
    """Return the tables of all pairs of devices; computed once per instance."""
    state = Network(instance)._state
    if state.tables is None:
        state.tables = _message_tables(instance, state)
    return state.tables


def _message_tables(instance: Instance, state: _State) -> MessageTables:
    wide, links = len(instance.devices), instance.links
    latency, per_byte, energy = (np.zeros((wide, wide)) for _ in range(3))
    allowed, uniform = (np.ones((wide, wide), dtype=bool) for _ in range(2))
    single = instance.devices.count_max == 1
    for src in range(wide):
        for dst in range(wide):
            if src == dst and single[src]:
                continue
            found = state.pieces(src, dst).paths
            if len(found) > 1:
                uniform[src, dst] = False
                latency[src, dst] = per_byte[src, dst] = energy[src, dst] = np.nan
            elif found[0] is None:
                allowed[src, dst] = False
                latency[src, dst] = per_byte[src, dst] = energy[src, dst] = np.inf
            elif found[0]:
                rows = list(found[0])
                latency[src, dst] = links.latency_s[rows].sum()
                per_byte[src, dst] = (1.0 / links.bandwidth_b_per_s[rows]).sum()
                energy[src, dst] = links.energy_j_per_b[rows].sum()
    return MessageTables(latency, per_byte, energy, allowed, uniform)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Paths of one pair by size: ``paths[i]`` holds for sizes from ``low[i]`` to ``upto[i]``.

    Both ends are sizes of the instance; ``always`` says that the path depends on no size at all.
    """

    low: list[float]
    upto: list[float]
    paths: list[Path | None]
    always: bool


class _State:
    """What all `Network` objects of one instance share."""

    def __init__(self, instance: Instance) -> None:
        devices, pools = instance.devices, instance.pools
        self.links, self.host = instance.links, instance.host
        self.tables: MessageTables | None = None
        free = np.zeros(len(devices), dtype=bool)
        pooled = devices.pool >= 0
        free[pooled] = pools.zero_copy[devices.pool[pooled]]
        same = devices.pool[:, None] == devices.pool[None, :]
        self.zero_copy: Bools = same & free[:, None] & free[None, :]
        self.any_zero_copy = bool(self.zero_copy.any())
        self._bytes_b = instance.tensors.bytes_b
        self._sizes: Floats | None = None
        self._wide = len(devices)
        self._direct: dict[tuple[int, int], list[int]] = {}
        self._leaving: list[list[int]] = [[] for _ in range(len(devices))]
        ends = zip(self.links.src.tolist(), self.links.dst.tolist(), strict=True)
        self._ends = list(ends)
        for link, (src, dst) in enumerate(self._ends):
            self._direct.setdefault((src, dst), []).append(link)
            if src != dst:
                self._leaving[src].append(link)
        self._latency = self.links.latency_s.tolist()
        self._bandwidth = self.links.bandwidth_b_per_s.tolist()
        self._energy = self.links.energy_j_per_b.tolist()
        self._trees: dict[tuple[int, float], dict[int, Path]] = {}
        self._pieces: dict[tuple[int, int], _Pieces] = {}

    def path(self, src: int, dst: int, bytes_b: float) -> Path | None:
        pieces = self.pieces(src, dst)
        if pieces.always:
            return pieces.paths[0]
        piece = bisect_left(pieces.upto, bytes_b)
        if piece < len(pieces.paths) and pieces.low[piece] <= bytes_b:
            return pieces.paths[piece]
        return self._best(src, dst, bytes_b)

    def paths(self, src: Ints, dst: Ints, bytes_b: Floats) -> tuple[Ints, Ints]:
        pair = src * self._wide + dst
        if not len(pair):
            return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
        order = np.argsort(pair, kind="stable")
        first = np.flatnonzero(np.diff(pair[order], prepend=-1))
        last = np.append(first[1:], len(order))
        known: dict[Path | None, int] = {}
        which = np.zeros(len(pair), dtype=np.int64)
        for begin, end in zip(first.tolist(), last.tolist(), strict=True):
            rows = order[begin:end]
            a, b = int(src[rows[0]]), int(dst[rows[0]])
            pieces = self.pieces(a, b)
            if pieces.always:
                which[rows] = known.setdefault(pieces.paths[0], len(known))
                continue
            sizes, inverse = np.unique(bytes_b[rows], return_inverse=True)
            found = [known.setdefault(self.path(a, b, s), len(known)) for s in sizes.tolist()]
            which[rows] = np.array(found, dtype=np.int64)[inverse]
        listed = [(-1,) if path is None else path for path in known]
        length = np.array([len(path) for path in listed], dtype=np.int64)
        start = np.cumsum(length) - length
        flat = np.array([link for path in listed for link in path], dtype=np.int64)
        count = length[which] if len(which) else np.zeros(0, dtype=np.int64)
        ptr = ptr_of(count)
        if not len(flat):
            return ptr, flat
        at = np.arange(ptr[-1]) - np.repeat(ptr[:-1] - start[which], count)
        return ptr, flat[at]

    def pieces(self, src: int, dst: int) -> _Pieces:
        found = self._pieces.get((src, dst))
        if found is None:
            found = self._pieces[src, dst] = self._find_pieces(src, dst)
        return found

    def _find_pieces(self, src: int, dst: int) -> _Pieces:
        if self.zero_copy[src, dst]:
            return _Pieces([0.0], [np.inf], [()], always=True)
        direct = self._direct.get((src, dst), [])
        if len(direct) == 1:
            return _Pieces([0.0], [np.inf], [(direct[0],)], always=True)
        if not direct and self._best(src, dst, 1.0) is None:
            return _Pieces([0.0], [np.inf], [None], always=True)
        sizes = self._positive_sizes()
        if not len(sizes):
            return _Pieces([1.0], [1.0], [self._best(src, dst, 1.0)], always=False)
        lows: list[float] = []
        upto: list[float] = []
        paths: list[Path | None] = []
        # Ranges of sizes, the smallest on top of the stack, with the best paths at both ends.
        top = len(sizes) - 1
        ends = self._best(src, dst, float(sizes[0])), self._best(src, dst, float(sizes[top]))
        stack = [(0, top, *ends)]
        while stack:
            low, high, at_low, at_high = stack.pop()
            if at_low == at_high:
                if paths and paths[-1] == at_low:
                    upto[-1] = float(sizes[high])
                else:
                    lows.append(float(sizes[low]))
                    upto.append(float(sizes[high]))
                    paths.append(at_low)
                continue
            middle = (low + high) // 2
            left = at_low if middle == low else self._best(src, dst, float(sizes[middle]))
            right = (
                at_high if middle + 1 == high else self._best(src, dst, float(sizes[middle + 1]))
            )
            stack.append((middle + 1, high, right, at_high))
            stack.append((low, middle, at_low, left))
        return _Pieces(lows, upto, paths, always=False)

    def _positive_sizes(self) -> Floats:
        if self._sizes is None:
            sizes = np.unique(self._bytes_b)
            self._sizes = sizes[sizes > 0]
        return self._sizes

    def _best(self, src: int, dst: int, bytes_b: float) -> Path | None:
        direct = self._direct.get((src, dst))
        if direct:
            if len(direct) == 1:
                return (direct[0],)
            near = self._near(direct, bytes_b)
            return (min(near, key=lambda k: (*self._exact(k, bytes_b), k)),)
        if src == dst:
            return self._cycle(src, bytes_b)
        return self._tree(src, bytes_b).get(dst)

    def _near(self, links: list[int], bytes_b: float) -> list[int]:
        """Return those of several links whose time is the least up to float rounding."""
        times = [self._float_time(k, bytes_b) for k in links]
        least = min(times) * (1 + _NEAR)
        return [k for k, t in zip(links, times, strict=True) if t <= least]

    def _cycle(self, device: int, bytes_b: float) -> Path | None:
        """Return the best way out of a device and back, through others."""
        tree = self._tree(device, bytes_b)
        best: tuple[Fraction, Fraction, Path] | None = None
        for link, (src, dst) in enumerate(self._ends):
            if dst == device and src in tree:
                path = (*tree[src], link)
                label = (*self._exact_sum(path, bytes_b), path)
                best = label if best is None else min(best, label)
        return None if best is None else best[2]

    def _tree(self, src: int, bytes_b: float) -> dict[int, Path]:
        """Return the best path from a device to each other device that it reaches (Dijkstra)."""
        found = self._trees.get((src, bytes_b))
        if found is not None:
            return found
        near = self._float_distances(src, bytes_b)
        final: dict[int, Path] = {}
        zero = Fraction(0)
        heap: list[tuple[Fraction, Fraction, Path, int]] = [(zero, zero, (), src)]
        while heap:
            time, energy, path, device = heapq.heappop(heap)
            if device in final:
                continue
            final[device] = path
            for link in self._leaving[device]:
                head = self._ends[link][1]
                if head in final:
                    continue
                reach = near[device] + self._float_time(link, bytes_b)
                if reach <= near[head] * (1 + _NEAR):
                    hop = self._exact(link, bytes_b)
                    label = (time + hop[0], energy + hop[1], (*path, link), head)
                    heapq.heappush(heap, label)
        del final[src]
        self._trees[src, bytes_b] = final
        return final

    def _float_distances(self, src: int, bytes_b: float) -> dict[int, float]:
        distance: dict[int, float] = {}
        heap = [(0.0, src)]
        while heap:
            time, device = heapq.heappop(heap)
            if device in distance:
                continue
            distance[device] = time
            for link in self._leaving[device]:
                head = self._ends[link][1]
                if head not in distance:
                    heapq.heappush(heap, (time + self._float_time(link, bytes_b), head))
        return distance

    def _float_time(self, link: int, bytes_b: float) -> float:
        return float(self._latency[link] + bytes_b / self._bandwidth[link])

    def _exact(self, link: int, bytes_b: float) -> tuple[Fraction, Fraction]:
        """Time and energy of a hop as exact fractions of the decimals."""
        size, time = Fraction(repr(bytes_b)), Fraction(repr(self._latency[link]))
        if self._bandwidth[link] != np.inf:
            time += size / Fraction(repr(self._bandwidth[link]))
        return time, size * Fraction(repr(self._energy[link]))

    def _exact_sum(self, path: Path, bytes_b: float) -> tuple[Fraction, Fraction]:
        hops = [self._exact(link, bytes_b) for link in path]
        return sum((h[0] for h in hops), Fraction(0)), sum((h[1] for h in hops), Fraction(0))


@once
def _state_of(instance: Instance) -> _State:
    return _State(instance)
