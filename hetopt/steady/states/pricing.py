"""The state that is worth most at given prices: branch and bound over slots.

At prices of the rows (:mod:`hetopt.steady.states.rows`) a state is worth

    V(s) = Σ_o n_so ρ_so w_o(ρ_so) − Σ_d (slots of d that it occupies) μ_d − Σ_d Σ_{k ≤ units} ν_dk

with w_o(ρ) the sum of the prices of the work of option o that rate ρ is fast enough for. Slots are
filled one after the other. Whatever more runs only lowers the rates of what runs already, and w_o
does not fall in ρ; so a run is worth no more in any completion than it is now, and each slot that
is still free adds no more than the best option would that were the next to run there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import SlowDomain, slow_demand
from hetopt.steady.states.floors import fast_enough
from hetopt.steady.states.states import counted, slots_of

MOST_NODES = 20_000
"""Nodes after which what is open counts as the bound."""
ROUNDING = 1e-12
"""Relative error of a sum of what runs are worth, far above that of these."""


@dataclass(frozen=True, slots=True)
class StatePrices:
    """Prices of the rows of states, none negative.

    Attributes
    ----------
    work
        Option -> (least rate, price of its work at that rate or faster).
    slot, unit
        Device -> price of an occupied slot, and of its first, second, ... unit.
    """

    work: Mapping[int, Sequence[tuple[float, float]]]
    slot: Mapping[int, float] = field(default_factory=dict)
    unit: Mapping[int, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Worth:
    """What pricing found.

    Attributes
    ----------
    most
        No state is worth more.
    best
        (worth, slots by option) of the best states found, the best first.
    """

    most: float
    best: tuple[tuple[float, dict[int, int]], ...]


def worthiest(
    instance: Instance,
    domain: SlowDomain,
    options: Mapping[int, Sequence[int]],
    prices: StatePrices,
    keep: int = 8,
) -> Worth:
    """Return the states of a domain that are worth most; see the module.

    Parameters
    ----------
    options
        Options of each device that states may run.
    keep
        States to return at most.
    """
    search = _Search(instance, domain, options, prices)
    found = search.run(keep)
    slack = ROUNDING * sum(sum(p for _, p in rows) for rows in prices.work.values())
    return Worth(found.most + slack * search.slots, found.best)


class _Search:
    def __init__(
        self,
        instance: Instance,
        domain: SlowDomain,
        options: Mapping[int, Sequence[int]],
        prices: StatePrices,
    ) -> None:
        self.instance, self.prices = instance, prices
        self.devices = list(domain.devices)
        self.options = [
            [o for o in options[d] if any(p > 0 for _, p in prices.work.get(o, ()))]
            for d in self.devices
        ]
        self.room = [slots_of(instance, d) for d in self.devices]
        self.width = [int(instance.devices.slots[d]) for d in self.devices]
        self.slots = sum(self.room)
        at = {k: i for i, k in enumerate(domain.resources)}
        self.capacity = [float(instance.resources.capacity[k]) for k in domain.resources]
        self.left = [1.0 - float(instance.resources.loss[k]) for k in domain.resources]
        self.demand = {
            o: [(at[k], amount) for k, amount in slow_demand(instance, o)]
            for mine in self.options
            for o in mine
        }

    def run(self, keep: int) -> Worth:
        """Search the best nodes first."""
        best: dict[tuple[int, ...], float] = {}
        ticket = itertools.count()
        start: tuple[int, ...] = ()
        heap = [(-self._bound(start, 0, 0, 0), next(ticket), start, 0, 0, 0)]
        floor, nodes = 0.0, 0
        while heap and nodes < MOST_NODES and -heap[0][0] > floor:
            _, _, runs, at, first, used = heapq.heappop(heap)
            nodes += 1
            for child in self._children(runs, at, first, used):
                worth = self._worth(child[0])
                if worth > 0:
                    best[tuple(sorted(child[0]))] = worth
                    floor = max(floor, worth)
                bound = self._bound(*child)
                if bound > floor:
                    heapq.heappush(heap, (-bound, next(ticket), *child))
        most = max(floor, -heap[0][0]) if heap else floor
        chosen = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:keep]
        return Worth(most, tuple((worth, counted(runs)) for runs, worth in chosen))

    def _children(
        self, runs: tuple[int, ...], at: int, first: int, used: int
    ) -> list[tuple[tuple[int, ...], int, int, int]]:
        """Return the nodes with one more run: on this device, or on a later one."""
        found = []
        for d in range(at, len(self.devices)):
            begin, taken = (first, used) if d == at else (0, 0)
            if taken < self.room[d]:
                found += [
                    ((*runs, self.options[d][i]), d, i, taken + 1)
                    for i in range(begin, len(self.options[d]))
                ]
        return found

    def _speeds(self, runs: tuple[int, ...]) -> tuple[list[float], list[int]]:
        asked, users = [0.0] * len(self.capacity), [0] * len(self.capacity)
        for o in runs:
            for k, amount in self.demand[o]:
                asked[k] += amount
                users[k] += 1
        return asked, users

    def _rate(self, o: int, asked: list[float], users: list[int], more: bool) -> float:
        """Return the rate of an option beside what asks, itself among that or added to it."""
        rate = 1.0
        for k, amount in self.demand[o]:
            total, many = (asked[k] + amount, users[k] + 1) if more else (asked[k], users[k])
            speed = min(1.0, self.capacity[k] / total)
            rate = min(rate, speed * self.left[k] if many > 1 else speed)
        return rate

    def _earned(self, o: int, rate: float) -> float:
        return rate * sum(p for least, p in self.prices.work[o] if fast_enough(rate, least))

    def _worth(self, runs: tuple[int, ...]) -> float:
        asked, users = self._speeds(runs)
        worth = sum(self._earned(o, self._rate(o, asked, users, more=False)) for o in runs)
        return worth - self._paid(runs)

    def _paid(self, runs: tuple[int, ...]) -> float:
        of, taken = self.instance.options.device, dict.fromkeys(self.devices, 0)
        for o in runs:
            taken[int(of[o])] += 1
        paid = 0.0
        for d, width in zip(self.devices, self.width, strict=True):
            units = -(-taken[d] // width)
            paid += taken[d] * self.prices.slot.get(d, 0.0)
            paid += sum(self.prices.unit.get(d, ())[:units])
        return paid

    def _bound(self, runs: tuple[int, ...], at: int, first: int, used: int) -> float:
        """Return what no completion of a node is worth more than."""
        asked, users = self._speeds(runs)
        worth = self._worth(runs)
        for d in range(at, len(self.devices)):
            begin, taken = (first, used) if d == at else (0, 0)
            cost = self.prices.slot.get(self.devices[d], 0.0)
            gain = max(
                (
                    self._earned(o, self._rate(o, asked, users, more=True)) - cost
                    for o in self.options[d][begin:]
                ),
                default=0.0,
            )
            worth += max(0.0, gain) * (self.room[d] - taken)
        return worth
