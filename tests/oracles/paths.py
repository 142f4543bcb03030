"""Paths between devices by enumeration of all simple paths, in fractions."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from hetopt.instance import Instance


def exact(value: float) -> Fraction:
    return Fraction(repr(float(value)))


class Paths:
    """Which links a message between two different units takes; () in a zero-copy pool."""

    def __init__(self, instance: Instance) -> None:
        links = instance.links
        self.ends = [(int(a), int(b)) for a, b in zip(links.src, links.dst, strict=True)]
        self.latency = [exact(v) for v in links.latency_s]
        self.bandwidth = [None if v == float("inf") else exact(v) for v in links.bandwidth_b_per_s]
        self.energy_j_per_b = [exact(v) for v in links.energy_j_per_b]
        self.pool = [int(p) for p in instance.devices.pool]
        self.zero_copy_pool = [bool(z) for z in instance.pools.zero_copy]
        self.find = lru_cache(maxsize=None)(self._find)

    def zero_copy(self, a: int, b: int) -> bool:
        return (
            self.pool[a] >= 0 and self.pool[a] == self.pool[b] and self.zero_copy_pool[self.pool[a]]
        )

    def time(self, link: int, size: Fraction) -> Fraction:
        bandwidth = self.bandwidth[link]
        return self.latency[link] + (size / bandwidth if bandwidth else 0)

    def energy(self, link: int, size: Fraction) -> Fraction:
        return size * self.energy_j_per_b[link]

    def _find(self, a: int, b: int, size: Fraction) -> tuple[int, ...] | None:
        if self.zero_copy(a, b):
            return ()
        direct = [(k,) for k, ends in enumerate(self.ends) if ends == (a, b)]
        candidates = direct or list(self._walks(a, b, (), {a}))
        return min(candidates, key=lambda path: self._label(path, size), default=None)

    def _walks(self, at: int, goal: int, path: tuple[int, ...], seen: set[int]):
        for k, (src, dst) in enumerate(self.ends):
            if src != at or src == dst:
                continue
            if dst == goal:
                yield (*path, k)
            elif dst not in seen:
                yield from self._walks(dst, goal, (*path, k), seen | {dst})

    def _label(self, path: tuple[int, ...], size: Fraction):
        return (
            sum(self.time(k, size) for k in path),
            sum(self.energy(k, size) for k in path),
            path,
        )
