"""States: what the devices of a domain run at once, and how fast.

Units of a device are alike, so a state says how many slots of it run each option; the rest idle. A
plan shares the time among states, so that what a domain can do is the convex hull of its states.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import SlowDomain, run_rates, slow_domains
from hetopt.steady.routes.route import Route

MOST_STATES = 3_000
"""States up to which all are listed."""


@dataclass(frozen=True, slots=True)
class State:
    """Options that run at once.

    Attributes
    ----------
    domain
        Number of its domain.
    runs
        (option, slots that run it, rate of each), ascending by option.
    units
        Device -> units that it needs; only devices that run something.
    """

    domain: int
    runs: tuple[tuple[int, int, float], ...]
    units: tuple[tuple[int, int], ...]

    @property
    def key(self) -> tuple[tuple[int, int], ...]:
        """Options and slots, which tell states apart."""
        return tuple((option, slots) for option, slots, _ in self.runs)


@dataclass(frozen=True, slots=True)
class States:
    """States of all domains, and whether these are all that plans may use."""

    states: tuple[State, ...]
    complete: bool


def options_of_routes(instance: Instance, routes: Sequence[Route]) -> dict[int, list[int]]:
    """Return the options that take time on each device of a domain, ascending."""
    inside = {d for domain in slow_domains(instance) for d in domain.devices}
    found: dict[int, set[int]] = {d: set() for d in inside}
    for route in routes:
        for option in route.options:
            device = int(instance.options.device[option])
            if device in inside and instance.options.time_s[option] > 0:
                found[device].add(option)
    return {device: sorted(options) for device, options in found.items()}


def make_state(instance: Instance, number: int, slots: Mapping[int, int]) -> State:
    """Return the state of domain ``number`` in which some options run on so many slots each."""
    chosen = sorted((option, count) for option, count in slots.items() if count)
    rates = run_rates(instance, [o for o, count in chosen for _ in range(count)])
    first = itertools.accumulate((count for _, count in chosen), initial=0)
    busy: dict[int, int] = {}
    for option, count in chosen:
        device = int(instance.options.device[option])
        busy[device] = busy.get(device, 0) + count
    width = instance.devices.slots
    return State(
        domain=number,
        runs=tuple((o, count, rates[at]) for (o, count), at in zip(chosen, first, strict=False)),
        units=tuple((d, -(-count // int(width[d]))) for d, count in sorted(busy.items())),
    )


def slots_of(instance: Instance, device: int) -> int:
    """Return the slots of all units that may be had of a device of a domain."""
    return int(instance.devices.slots[device] * instance.devices.count_max[device])


def listed_states(instance: Instance, options: Mapping[int, Sequence[int]]) -> States | None:
    """List every state of every domain but the idle one, None where they are too many.

    Parameters
    ----------
    options
        Options of each device that states may run.
    """
    domains = slow_domains(instance)
    if sum(count_states(instance, domain, options) for domain in domains) > MOST_STATES:
        return None
    found = [
        make_state(instance, g, slots)
        for g, domain in enumerate(domains)
        for slots in _combinations(instance, domain, options)
    ]
    return States(tuple(found), complete=True)


def count_states(
    instance: Instance, domain: SlowDomain, options: Mapping[int, Sequence[int]]
) -> int:
    """Return the number of states of a domain: multisets of options on the slots of each device."""
    return math.prod(
        math.comb(len(options[d]) + slots_of(instance, d), slots_of(instance, d))
        for d in domain.devices
    )


def _combinations(
    instance: Instance, domain: SlowDomain, options: Mapping[int, Sequence[int]]
) -> Iterator[dict[int, int]]:
    per_device = [
        [counted(way) for way in _ways(options[d], slots_of(instance, d))] for d in domain.devices
    ]
    for parts in itertools.product(*per_device):
        slots = {o: count for part in parts for o, count in part.items()}
        if slots:
            yield slots


def _ways(options: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    for size in range(most + 1):
        yield from itertools.combinations_with_replacement(options, size)


def counted(runs: Iterable[int]) -> dict[int, int]:
    """Return how often each option is among some runs."""
    slots: dict[int, int] = {}
    for option in runs:
        slots[option] = slots.get(option, 0) + 1
    return slots
