"""The checker's own shortest paths: which links a message takes between two devices.

The time of a path is linear in the bytes, latency + bytes × (sum of 1 / bandwidth), so per pair
of devices a few *labels* (paths that are best for some size) answer for every size. They are
found by an exact label-correcting search over fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.instance import Instance
from hetopt.verify.exact import fraction


@dataclass(frozen=True, slots=True)
class Label:
    """One path: total latency (s), slowness (s/B), energy (J/B) and the links in order."""

    latency: Fraction
    slowness: Fraction
    energy: Fraction
    links: tuple[int, ...]

    def key(self, bytes_b: Fraction) -> tuple[Fraction, Fraction, tuple[int, ...]]:
        """Return what is least for the path to take: time, then energy, then file order."""
        return (
            self.latency + bytes_b * self.slowness,
            bytes_b * self.energy,
            self.links,
        )


class Paths:
    """Paths between the devices of an instance, found when they are asked for."""

    def __init__(self, instance: Instance) -> None:
        links = instance.links
        self._pool = instance.devices.pool
        self._zero_copy = instance.pools.zero_copy
        sizes = instance.tensors.bytes_b
        self._least = fraction(sizes.min()) if len(sizes) else Fraction(0)
        self._most = fraction(sizes.max()) if len(sizes) else Fraction(0)
        self._links = links
        self._out: dict[int, list[tuple[int, Label]]] = {}
        self._found: dict[int, dict[int, list[Label]]] = {}
        self._chosen: dict[tuple[int, int, float], Label | None] = {}

    def zero_copy(self, src: int, dst: int) -> bool:
        """Whether two devices (maybe the same one) lie in one zero-copy pool."""
        pool = int(self._pool[src])
        return pool >= 0 and pool == self._pool[dst] and bool(self._zero_copy[pool])

    def labels(self, src: int, dst: int) -> list[Label]:
        """Return the paths that are best for some size, between different units; [] if none."""
        direct: list[Label] = []
        for end, label in self._leaving(src):
            if end == dst:
                self._offer(direct, label)
        if direct:
            return direct
        if src not in self._found:
            self._found[src] = self._search(src)
        return self._found[src].get(dst, [])

    def choose(self, src: int, dst: int, bytes_b: float) -> Label | None:
        """Return the path of a message of this size, None where there is none."""
        key = (src, dst, float(bytes_b))
        if key not in self._chosen:
            size = fraction(bytes_b)
            self._chosen[key] = min(
                self.labels(src, dst), key=lambda label: label.key(size), default=None
            )
        return self._chosen[key]

    def _leaving(self, src: int) -> list[tuple[int, Label]]:
        """Return the links that leave a device, each with where it ends."""
        if src not in self._out:
            links = self._links
            self._out[src] = [
                (
                    int(links.dst[k]),
                    Label(
                        fraction(links.latency_s[k]),
                        Fraction(0)
                        if np.isinf(links.bandwidth_b_per_s[k])
                        else 1 / fraction(links.bandwidth_b_per_s[k]),
                        fraction(links.energy_j_per_b[k]),
                        (k,),
                    ),
                )
                for k in np.flatnonzero(links.src == src).tolist()
            ]
        return self._out[src]

    def _search(self, src: int) -> dict[int, list[Label]]:
        """Return all best labels from one device; back at the device itself: cycles."""
        found: dict[int, list[Label]] = {}
        queue = [(end, label) for end, label in self._leaving(src) if end != src]
        for end, label in queue:
            self._offer(found.setdefault(end, []), label)
        at = 0
        while at < len(queue):
            node, label = queue[at]
            at += 1
            if node == src or label not in found[node]:
                continue
            for end, step in self._leaving(node):
                if end == node:
                    continue
                longer = Label(
                    label.latency + step.latency,
                    label.slowness + step.slowness,
                    label.energy + step.energy,
                    label.links + step.links,
                )
                if self._offer(found.setdefault(end, []), longer):
                    queue.append((end, longer))
        return found

    def _offer(self, kept: list[Label], label: Label) -> bool:
        """Keep a label unless another is at least as good at every size; drop what it beats."""
        if any(self._beats(other, label) for other in kept):
            return False
        kept[:] = [other for other in kept if not self._beats(label, other)]
        kept.append(label)
        return True

    def _beats(self, a: Label, b: Label) -> bool:
        low = a.latency + self._least * a.slowness, b.latency + self._least * b.slowness
        high = a.latency + self._most * a.slowness, b.latency + self._most * b.slowness
        if low[0] < low[1] and high[0] < high[1]:
            return True
        tied = (a.energy, a.links) <= (b.energy, b.links)
        return low[0] <= low[1] and high[0] <= high[1] and tied
