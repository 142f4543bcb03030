"""Transfers of one request in the steady regime: which legs a message adds, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from hetopt.instance import Floats, Instance
from hetopt.instance.joule_prices import joule_prices, sites_differ
from hetopt.instance.paths import Network

TO_HOST = -1
"""Destination that stands for a staged tensor's one write to host memory."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One transfer per request: its links, bytes, energy, and busy time of (device, seconds)."""

    links: tuple[int, ...]
    bytes_b: float
    time_s: float
    energy_j: float
    busy_s: tuple[tuple[int, float], ...]


def new_legs(
    instance: Instance,
    network: Network,
    tensor: int,
    source: int,
    target: int,
    arrivals: dict[tuple[int, int], float],
    produced_s: float,
) -> list[Leg] | None:
    """Legs that bring a tensor to another unit, on device ``target``; None where there is no path.

    Legs already in ``arrivals`` ((tensor, device) -> time at which it is there) are shared and
    not made again; new ones are entered. A zero-copy pair needs no leg and gets no entry.
    A staged tensor is written to the host once and read once per destination (docs/quantities.md).
    """
    if network.zero_copy(source, target):
        return []
    if (tensor, target) in arrivals:
        return []
    if not instance.tensors.staged[tensor]:
        made = leg(instance, network, tensor, source, target, ends=(source, target))
        if made is None:
            return None
        arrivals[tensor, target] = produced_s + made.time_s
        return [made]
    legs: list[Leg] = []
    host = instance.host
    if (tensor, TO_HOST) not in arrivals:
        arrivals[tensor, TO_HOST] = produced_s
        if source != host:
            written = leg(instance, network, tensor, source, host, ends=(source,))
            if written is None:
                return None
            arrivals[tensor, TO_HOST] += written.time_s
            legs.append(written)
    arrivals[tensor, target] = arrivals[tensor, TO_HOST]
    if target != host:
        read = leg(instance, network, tensor, host, target, ends=(target,))
        if read is None:
            return None
        arrivals[tensor, target] += read.time_s
        legs.append(read)
    return legs


def leg(
    instance: Instance,
    network: Network,
    tensor: int,
    source: int,
    target: int,
    *,
    ends: tuple[int, ...],
) -> Leg | None:
    """Transfer of a tensor along the path between two units' devices, None where there is none.

    ``ends`` are the devices among source and target whose units the transfer occupies where they
    cannot overlap transfers with work: the producer during the first hop, the consumer during
    the last.
    """
    size = float(instance.tensors.bytes_b[tensor])
    path = network.path(source, target, size)
    if path is None:
        return None
    links = instance.links
    times = [float(links.latency_s[i] + size / links.bandwidth_b_per_s[i]) for i in path]
    energy = sum(size * float(links.energy_j_per_b[i]) for i in path)
    busy = [] if not path else [(source, times[0]), (target, times[-1])]
    occupied = tuple((d, t) for d, t in busy if d in ends and not bool(instance.devices.overlap[d]))
    return Leg(tuple(int(i) for i in path), size, sum(times), energy, occupied)


def differing_prices(instance: Instance) -> dict[str, Floats]:
    """Return what a joule of each device costs and emits (D), where sites differ in it.

    Periods have prices of their own, each under its name (:func:`period_price`).
    """
    named, periods = ("cost", "carbon"), range(len(instance.periods))
    at = {period_price(s): instance.in_scenario(s) for s in periods} or {"": instance}
    return {
        f"{name}{suffix}": joule_prices(part, name)
        for suffix, part in at.items()
        for name in named
        if sites_differ(part, name)
    }


def period_price(period: int) -> str:
    """Return what follows the name of a price that holds in one period."""
    return f"@{period}"


def leg_paid(instance: Instance, leg: Leg, price: Floats) -> float:
    """Return what a transfer's energy costs at the prices of the devices that send it (D)."""
    links = instance.links
    each = (float(links.energy_j_per_b[i]) * float(price[links.src[i]]) for i in leg.links)
    return leg.bytes_b * sum(each)
