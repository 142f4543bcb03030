"""Messages of a schedule that runs: hop after hop, each as soon as a channel is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.solution import DIRECT, Hops

Unit = tuple[int, int]
Chain = tuple[int, int, int]
"""A tensor, and the unit that it is sent to."""
Hop = tuple[int, int, int, int]
"""A chain, and which of its hops."""


@dataclass
class _Sent:
    """A message on its way, or there."""

    path: tuple[int, ...]
    starts: list[float] = field(default_factory=list)
    arrived: bool = False


class Messages:
    """What was sent where, what waits for a channel, and what is there.

    Parameters
    ----------
    ends
        Called with the time at which a hop ends, and the hop, when it begins.
    """

    def __init__(
        self, instance: Instance, network: Network, ends: Callable[[float, Hop], None]
    ) -> None:
        self.instance, self.network, self.ends = instance, network, ends
        self.sent: dict[Chain, _Sent] = {}
        self.waiting: dict[int, list[Hop]] = {}
        self.busy = [0] * len(instance.links.group_channels)
        self.next_hop: dict[int, int] = {}

    def is_there(self, tensor: int, source: Unit, unit: Unit) -> bool:
        """Whether a unit can read what was made on another."""
        if tensor < 0 or source == unit or self.network.zero_copy(source[0], unit[0]):
            return True
        sent = self.sent.get((tensor, *unit))
        return sent is not None and sent.arrived

    def send(self, tensor: int, source: Unit, unit: Unit) -> None:
        """Send a tensor that is there to a unit, once.

        Raises
        ------
        ValueError
            Where there is no path.
        """
        if tensor < 0 or source == unit or (tensor, *unit) in self.sent:
            return
        size = float(self.instance.tensors.bytes_b[tensor])
        path = self.network.path(source[0], unit[0], size)
        if path is None:
            names = self.instance.devices.name
            raise ValueError(f"There is no path from {names[source[0]]} to {names[unit[0]]}.")
        sent = self.sent[tensor, *unit] = _Sent(path, arrived=not path)
        if not sent.arrived:
            self._wants_to_go((tensor, *unit, 0))

    def start(self, now: float, order: dict[int, list[Hop]] | None) -> bool:
        """Start the hops that can; return whether there are any.

        Parameters
        ----------
        order
            In which hops go, by group of channels; None: first come, first served.
        """
        started = False
        for group, waiting in self.waiting.items():
            while waiting:
                if group >= 0 and self.busy[group] >= self.instance.links.group_channels[group]:
                    break
                at = self._next(group, waiting, (order or {}).get(group))
                if at < 0:
                    break
                self._starts(waiting.pop(at), group, now)
                started = True
        return started

    def _next(self, group: int, waiting: list[Hop], order: list[Hop] | None) -> int:
        """Return which of the hops that wait goes next, -1 for none yet."""
        if order is None:
            return 0
        known = set(order)
        at = self.next_hop.get(group, 0)
        for k, hop in enumerate(waiting):
            if hop not in known:
                return k
            if at < len(order) and hop == order[at]:
                self.next_hop[group] = at + 1
                return k
        return -1

    def _starts(self, hop: Hop, group: int, now: float) -> None:
        if group >= 0:
            self.busy[group] += 1
        self.sent[hop[:3]].starts.append(now)
        self.ends(now + self._takes(hop), hop)

    def ended(self, hop: Hop) -> None:
        """Free the channel of a hop, and go on with the next."""
        sent, group = self.sent[hop[:3]], self._group(hop)
        if group >= 0:
            self.busy[group] -= 1
        if hop[3] + 1 < len(sent.path):
            self._wants_to_go((*hop[:3], hop[3] + 1))
        else:
            sent.arrived = True

    def _wants_to_go(self, hop: Hop) -> None:
        self.waiting.setdefault(self._group(hop), []).append(hop)

    def _group(self, hop: Hop) -> int:
        return int(self.instance.links.channel_group[self.sent[hop[:3]].path[hop[3]]])

    def _takes(self, hop: Hop) -> float:
        links, link = self.instance.links, self.sent[hop[:3]].path[hop[3]]
        size = self.instance.tensors.bytes_b[hop[0]]
        return float(links.latency_s[link] + size / links.bandwidth_b_per_s[link])

    def hops(self, read: Callable[[int, Unit], bool]) -> Hops:
        """Return the rows of what went to units where something read it."""
        rows = [
            (n, DIRECT, d, u, k, sent.path[k], start)
            for (n, d, u), sent in self.sent.items()
            if read(n, (d, u))
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

    def wasted(self, read: Callable[[int, Unit], bool]) -> Iterator[tuple[int, int, float, float]]:
        """Yield hops to units where nothing read them: tensor, link, start and end."""
        for (n, d, u), sent in self.sent.items():
            if not read(n, (d, u)):
                for k, start in enumerate(sent.starts):
                    yield n, sent.path[k], start, start + self._takes((n, d, u, k))
