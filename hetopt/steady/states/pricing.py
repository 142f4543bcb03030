"""The state that is worth most at given prices: branch and bound over slots.

At prices of the rows (:mod:`hetopt.steady.states.rows`) a state is worth

    V(s) = Σ_o n_so ρ_so w_o(ρ_so) − Σ_d (slots of d that it occupies) μ_d − Σ_d Σ_{k ≤ units} ν_dk

with w_o(ρ) the sum of the prices of the work of option o that rate ρ is fast enough for. Slots are
filled one after the other. Whatever more runs only lowers the rates of what runs already, and w_o
does not fall in ρ; so a run is worth no more in any completion than it is now, and each slot that
is still free adds no more than the best option would that were the next to run there.

A second bound prices the capacities: Σ ρ × demand ≤ C_k in any state (less the loss where two use
it), so that for any λ ≥ 0

    V(s) ≤ Σ_k λ_k C_k + Σ runs ρ (w_o − λ · demand_o)⁺ − costs

λ is from the linear program of the whole state, Σ_o x_o w_o with x_o = Σ ρ_o. At the root this is
that program's optimum, and it is what is left where the search is cut short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.slow_domains import SlowDomain, slow_demand
from hetopt.runtime.jit import kernels
from hetopt.steady.states.states import count_states, counted, slots_of

MOST_NODES = 1_000_000
"""Nodes after which the root's bound counts: a second or so."""
MOST_CLIMBS = 24
"""Single runs from which states are climbed to where the search was cut short."""
ENDLESS = 1e300
"""Capacity of what has no end, as a number that a price of 0 can be multiplied by."""
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
        No state is worth more than this and the time price.
    best
        (worth, slots by option) of states worth more than the time price, the best first.
    """

    most: float
    best: tuple[tuple[float, dict[int, int]], ...]


def worthiest(
    instance: Instance,
    domain: SlowDomain,
    options: Mapping[int, Sequence[int]],
    prices: StatePrices,
    time_price: float = 0.0,
    keep: int = 16,
) -> Worth:
    """Return the states of a domain that are worth most; see the module.

    Parameters
    ----------
    options
        Options of each device that states may run.
    time_price
        What a state must be worth to be of interest.
    keep
        States to return at most.
    """
    listed = [
        o
        for d in domain.devices
        for o in options[d]
        if any(price > 0 for _, price in prices.work.get(o, ()))
    ]
    if not listed:
        return Worth(time_price, ())
    table = _table(instance, domain, listed, prices)
    slots = int(table[6].sum())
    value, root = _capacity_prices(table)
    table = (*table[:10], value)
    work = (
        np.zeros((slots + 1, len(domain.resources))),
        np.zeros((slots + 1, len(domain.resources)), dtype=np.int64),
        np.zeros(len(domain.devices), dtype=np.int64),
        np.zeros(2),
        np.zeros(slots + 1, dtype=np.int64),
    )
    kept = np.full((keep, slots), -1, dtype=np.int64)
    worth = np.full(keep, time_price)
    steps = min(MOST_NODES, count_states(instance, domain, options)) * len(listed)
    module = kernels("hetopt.steady.states.pricing_kernels", steps)
    found = _Kept(kept, worth)
    owner = np.repeat(np.arange(len(domain.devices)), table[6])
    found.add(*_climbed(module, table, np.full(slots, -1, dtype=np.int64), owner, work))
    runs = np.zeros(slots, dtype=np.int64)
    left = module.search(table, time_price, MOST_NODES, work, runs, kept, worth)
    most = float(worth.max())
    if left < 0:
        # What was not looked at may be better: climb from single runs, the best alone first.
        most = max(most, root)
        work[0][:], work[1][:], work[2][:] = 0.0, 0, 0
        for n in np.argsort(-table[3].sum(axis=1), kind="stable")[:MOST_CLIMBS].tolist():
            begin = np.full(slots, -1, dtype=np.int64)
            begin[int(np.flatnonzero(owner == table[1][n])[0])] = n
            found.add(*_climbed(module, table, begin, owner, work))
    slack = ROUNDING * (abs(most) + float(np.abs(table[3]).sum()) * slots)
    order = sorted(range(keep), key=lambda i: (-worth[i], kept[i].tolist()))
    best = tuple(
        (float(worth[i]), counted(listed[n] for n in kept[i].tolist() if n >= 0))
        for i in order
        if kept[i, 0] >= 0
    )
    return Worth(most + slack, best)


@dataclass(slots=True)
class _Kept:
    """The states worth most so far: options of each (ascending, -1 behind), and their worth."""

    runs: Ints
    worth: Floats

    def add(self, slots: Ints, worth: float) -> None:
        """Keep a state where it is worth more than the least, and is not there."""
        row = np.full(self.runs.shape[1], -1, dtype=np.int64)
        chosen = np.sort(slots[slots >= 0])
        row[: len(chosen)] = chosen
        least = int(np.argmin(self.worth))
        if worth > self.worth[least] and not (self.runs == row).all(axis=1).any():
            self.runs[least], self.worth[least] = row, worth


def _climbed(
    module: Any, table: tuple[Any, ...], slots: Ints, owner: Ints, work: tuple[Any, ...]
) -> tuple[Ints, float]:
    worth = float(module.climb(table, slots, owner, work))
    return slots, worth


def _table(
    instance: Instance, domain: SlowDomain, listed: Sequence[int], prices: StatePrices
) -> tuple[Any, ...]:
    """Return the arrays that the kernel goes over, without prices of capacities."""
    place = {d: i for i, d in enumerate(domain.devices)}
    at = {k: i for i, k in enumerate(domain.resources)}
    demand = np.zeros((len(listed), len(domain.resources)))
    deep = max(len(prices.work[o]) for o in listed)
    floor, worth = np.full((len(listed), deep), 2.0), np.zeros((len(listed), deep))
    for i, o in enumerate(listed):
        for k, amount in slow_demand(instance, o):
            demand[i, at[k]] = amount
        for f, (least, price) in enumerate(prices.work[o]):
            floor[i, f], worth[i, f] = least, price
    devices, mine = instance.devices, list(domain.devices)
    room = np.array([slots_of(instance, d) for d in mine], dtype=np.int64)
    unit = np.zeros((len(mine), int(room.max()) + 1))
    for i, d in enumerate(mine):
        each = list(prices.unit.get(d, ()))
        unit[i, : len(each)] = each
    resources = list(domain.resources)
    return (
        demand,
        np.array([place[int(instance.options.device[o])] for o in listed], dtype=np.int64),
        floor,
        worth,
        np.minimum(instance.resources.capacity[resources], ENDLESS),
        1.0 - instance.resources.loss[resources],
        room,
        devices.slots[mine].astype(np.int64),
        np.array([prices.slot.get(d, 0.0) for d in mine]),
        unit,
    )


def _capacity_prices(table: tuple[Any, ...]) -> tuple[Floats, float]:
    """Return prices of the capacities, and the bound at the root that they give."""
    from scipy.optimize import linprog

    demand, device, _, worth, capacity, _, room, _, slot, _ = table
    earned = worth.sum(axis=1) - slot[device]
    devices = (device[None, :] == np.arange(len(room))[:, None]).astype(np.float64)
    size = max(float(np.abs(earned).max()), 1e-300)
    answer = linprog(
        -earned / size, np.vstack([demand.T, devices]), np.concatenate([capacity, room])
    )
    value = np.zeros(len(capacity))
    if answer.status == 0:
        value = np.maximum(0.0, -np.asarray(answer.ineqlin.marginals)[: len(capacity)]) * size
    # Whatever the solver returned: at these prices, or any, this bounds every state.
    each = np.maximum(0.0, np.maximum(0.0, worth.sum(axis=1) - demand @ value) - slot[device])
    most = np.zeros(len(room))
    np.maximum.at(most, device, each)
    return value, float(value @ capacity + (most * room).sum())
