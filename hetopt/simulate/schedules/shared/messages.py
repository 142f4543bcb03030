"""Messages of a schedule that runs: hop after hop, each as soon as all that it takes is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.solution import DIRECT, READ, WRITE, Hops

Unit = tuple[int, int]
Chain = tuple[int, int, int, int]
"""A tensor, its leg, and the unit that it is sent to (-1 of the host where it is written there)."""
Hop = tuple[int, int, int, int, int]
"""A chain, and which of its hops."""


@dataclass
class _Sent:
    """A message on its way, or there."""

    source: Unit
    path: tuple[int, ...]
    starts: list[float] = field(default_factory=list)
    ended: int = 0
    arrived: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """What a hop takes beside a channel: slots of units, and memory where it goes."""

    slots: tuple[Unit, ...]
    copy_at: Unit | None


class Gate(Protocol):
    """What lets hops begin beside the channels of their links."""

    def lets(self, hop: Hop, passage: Passage) -> bool:
        """Whether a hop may begin now."""

    def begins(self, hop: Hop, passage: Passage) -> None:
        """Take what it takes."""


class Messages:
    """What was sent where, what waits for a channel, and what is there.

    Parameters
    ----------
    ends
        Called with the time at which a hop ends, and the hop, when it begins.
    """

    def __init__(
        self,
        instance: Instance,
        network: Network,
        ends: Callable[[float, Hop], None],
        gate: Gate,
    ) -> None:
        self.instance, self.network, self.ends, self.gate = instance, network, ends, gate
        self.sent: dict[Chain, _Sent] = {}
        self.waiting: list[Hop] = []
        self.busy = [0] * len(instance.links.group_channels)
        self.staged = instance.tensors.staged.tolist()
        self._reads: dict[Chain, list[Chain]] = {}
        # Those that wait for the write of their tensor.
        self._overlap = instance.devices.overlap.tolist()

    def is_local(self, source: Unit, unit: Unit) -> bool:
        """Whether a unit reads what another holds without a message."""
        return source == unit or self.network.zero_copy(source[0], unit[0])

    def brings(self, tensor: int, source: Unit, unit: Unit) -> Chain | None:
        """Return which chain brings a tensor to a unit that is not local; None: none has to."""
        if not self.staged[tensor]:
            return (tensor, DIRECT, *unit)
        if not self.network.near_host(unit[0]):
            return (tensor, READ, *unit)
        return None if self.network.near_host(source[0]) else self._write(tensor)

    def leaves(self, tensor: int, source: Unit, unit: Unit) -> Chain | None:
        """Return the chain with which a tensor leaves its unit on the way to another."""
        if self.staged[tensor] and not self.network.near_host(source[0]):
            return self._write(tensor)
        return self.brings(tensor, source, unit)

    def _write(self, tensor: int) -> Chain:
        return (tensor, WRITE, self.instance.host, -1)

    def is_there(self, tensor: int, source: Unit, unit: Unit) -> bool:
        """Whether a unit can read what was made on another."""
        if tensor < 0 or self.is_local(source, unit):
            return True
        chain = self.brings(tensor, source, unit)
        if chain is None:
            return True
        sent = self.sent.get(chain)
        return sent is not None and sent.arrived

    def has_left(self, tensor: int, source: Unit, unit: Unit) -> bool:
        """Whether the unit that made a tensor has sent it on the way to another, to the end."""
        chain = self.leaves(tensor, source, unit)
        if chain is None:
            return True
        sent = self.sent.get(chain)
        return sent is not None and (sent.arrived or sent.ended > 0)

    def send(self, tensor: int, source: Unit, unit: Unit) -> None:
        """Send a tensor that is there to a unit, once.

        Raises
        ------
        ValueError
            Where there is no path.
        """
        if tensor < 0 or self.is_local(source, unit):
            return
        if self.staged[tensor] and not self.network.near_host(source[0]):
            self._begin(self._write(tensor), source)
        chain = self.brings(tensor, source, unit)
        if chain is None or chain[1] == WRITE:
            return
        if chain[1] == DIRECT:
            self._begin(chain, source)
            return
        write = self.sent.get(self._write(tensor))
        if write is None or write.arrived:
            self._begin(chain, (self.instance.host, -1))
        else:
            reads = self._reads.setdefault(self._write(tensor), [])
            reads += [] if chain in reads else [chain]

    def _begin(self, chain: Chain, source: Unit) -> None:
        if chain in self.sent:
            return
        size = float(self.instance.tensors.bytes_b[chain[0]])
        path = self.network.path(source[0], chain[2], size)
        if path is None:
            names = self.instance.devices.name
            raise ValueError(f"There is no path from {names[source[0]]} to {names[chain[2]]}.")
        self.sent[chain] = _Sent(source, path)
        if path:
            self.waiting.append((*chain, 0))
        else:
            self._arrives(chain)

    def _arrives(self, chain: Chain) -> None:
        self.sent[chain].arrived = True
        for read in self._reads.pop(chain, ()):
            self._begin(read, (self.instance.host, -1))

    def start(self, now: float) -> bool:
        """Start the hops that can, in the order in which they came; return whether any did."""
        started, waiting = False, self.waiting
        self.waiting = []
        left = []
        for hop in waiting:
            group = self._group(hop)
            full = group >= 0 and self.busy[group] >= self.instance.links.group_channels[group]
            passage = self.passage(hop)
            if full or not self.gate.lets(hop, passage):
                left.append(hop)
                continue
            if group >= 0:
                self.busy[group] += 1
            self.sent[hop[:4]].starts.append(now)
            self.gate.begins(hop, passage)
            self.ends(now + self._takes(hop), hop)
            started = True
        self.waiting = left + self.waiting
        return started

    def passage(self, hop: Hop) -> Passage:
        """Return what a hop takes beside its channel."""
        _, leg, d, u, k = hop
        sent = self.sent[hop[:4]]
        slots = []
        if not k and leg != READ and not self._overlap[sent.source[0]]:
            slots.append(sent.source)
        if k == len(sent.path) - 1 and leg != WRITE and not self._overlap[d]:
            slots.append((d, u))
        return Passage(tuple(slots), (d, u) if not k and leg != WRITE else None)

    def ended(self, hop: Hop) -> bool:
        """Free the channel of a hop, and go on with the next; return whether that was the last."""
        sent, group = self.sent[hop[:4]], self._group(hop)
        if group >= 0:
            self.busy[group] -= 1
        sent.ended += 1
        if hop[4] + 1 < len(sent.path):
            self.waiting.append((*hop[:4], hop[4] + 1))
            return False
        self._arrives(hop[:4])
        return True

    def _group(self, hop: Hop) -> int:
        return int(self.instance.links.channel_group[self.sent[hop[:4]].path[hop[4]]])

    def _takes(self, hop: Hop) -> float:
        links, link = self.instance.links, self.sent[hop[:4]].path[hop[4]]
        size = self.instance.tensors.bytes_b[hop[0]]
        return float(links.latency_s[link] + size / links.bandwidth_b_per_s[link])

    def hops(self, used: Callable[[Chain], bool]) -> Hops:
        """Return the rows of what was sent to some use."""
        rows = [
            (*chain, k, sent.path[k], start)
            for chain, sent in self.sent.items()
            if used(chain)
            for k, start in enumerate(sent.starts)
        ]
        if not rows:
            return Hops.empty()
        tensor, leg, device, unit, ordinal, link, start = zip(*rows, strict=True)
        whole = [np.array(c, dtype=np.int64) for c in (tensor, leg, device, unit, ordinal, link)]
        return Hops(
            whole[0],
            whole[1],
            whole[2],
            whole[3],
            whole[4],
            whole[5],
            np.array(start, dtype=np.float64),
        )

    def wasted(self, used: Callable[[Chain], bool]) -> Iterator[tuple[int, int, float, float]]:
        """Yield hops that were of no use: tensor, link, start and end."""
        for chain, sent in self.sent.items():
            if not used(chain):
                for k, start in enumerate(sent.starts):
                    yield chain[0], sent.path[k], start, start + self._takes((*chain, k))
