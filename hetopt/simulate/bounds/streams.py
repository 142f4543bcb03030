"""What no policy can do better on a realised run: the clairvoyant bound.

Given are the requests that came, and for each of its tasks how long every option would have taken.
Let task q of a request take slot time b_qo and energy e_qo on option o: full batches (an execution
of fewer requests takes and draws no less), no transfers, no work lost. Whatever a policy does,

1.  each task runs on one of its options, at least once: energy Σ_q e_q,o(q) at least;
2.  a unit has ``slots`` slots, so the units of device d are on for A_d ≥ B_d / slots_d, where B_d
    is the slot time of all tasks there; and where units are never off, for A_d ≥ F_d, the units
    that are always had × the time until the last request came, less what they were down;
3.  a run that ends by time T has at most B_d ≤ slots_d × units_d × T.

With weights w_d for unit time (idle power × the price of a joule) and c_qo for energy, any
0 ≤ θ_d ≤ 1 and λ_d ≥ 0 give, as max(x, y) ≥ θ x + (1 − θ) y,

    value ≥ Σ_q min_o [c_qo + b_qo (θ_d w_d / slots_d + λ_d)]
            + Σ_d (1 − θ_d) w_d F_d − Σ_d λ_d slots_d units_d T,  d the device of o.

So the bound holds for *any* θ and λ, whatever a solver said: they are the duals of the linear
program over tasks of a kind, and the sum is evaluated anew over every single request, and weakened
by a part of all its terms. For ``cost`` unit time has a second weight, the price of a unit that is
had, with the units that must be had as its floor.

A board of kind k is on while any of its p_d units of a device d on it is, so boards of the kind are
on for C_k ≥ A_d / p_d ≥ B_d / (slots_d p_d), whichever d on it; and where they are never off, for
C_k ≥ F_k, those that must be had × the time until the last request came, and C_k ≥ F_d / p_d. What
a board draws is one more weight w_k, and as the largest of numbers is no less than a mean of them,

    C_k ≥ Σ_{d on k} θ_kd B_d / (slots_d p_d) + (1 − Σ_d θ_kd) F_k,   0 ≤ θ_kd,  Σ_d θ_kd ≤ 1,

so that its θ count beside those of units, in the same sum; the price of a board that is had
likewise. What starts draw is left out, of units and boards alike, and so is time that starts take.

Devices that slow each other down (``sharing: slow``) are known here at full speed, which is a
relaxation: whatever a policy does, let every slowed execution run at full speed at the end of the
slot time that it took. It ends when it did, begins no sooner, draws the same energy (which slowing
does not change), and holds a part of what it held, so B_d is no more and A_d need be no more. What
is counted above and in the bounds below of that run is no more than of the true one.

Latencies and misses have bounds of their own (:mod:`hetopt.simulate.bounds.waiting`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance import NO_MAXIMUM, Floats, Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.stream_boards import board_joule_prices
from hetopt.simulate.bounds.kinds import Kind, factors, kinds_of
from hetopt.simulate.bounds.waiting import lateness_bound
from hetopt.simulate.events import DeviceDown, DeviceUp, Event
from hetopt.simulate.requests import Requests
from hetopt.simulate.world import Setting
from hetopt.solvers.share_lp import solve_shares

WEAKENED = 1e-9
"""Part of all terms that a bound is weakened by; sums of a million of them are exact to 1e-12."""
CHUNK = 200_000
VALUES = ("energy", "cost", "carbon")


@dataclass(frozen=True)
class Bound:
    """Lower bounds on what any policy that serves all requests reaches.

    Attributes
    ----------
    energy_j, cost, carbon_kg
        Of the whole run.
    mean_latency_s
        Mean over all requests.
    misses
        Share of the requests with a limit on latency that exceed it.
    until_s
        The bounds on energy, cost and carbon hold for policies that are done by then.
    """

    energy_j: float
    cost: float
    carbon_kg: float
    mean_latency_s: float
    misses: float
    until_s: float


def clairvoyant_bound(
    instance: Instance,
    setting: Setting,
    until_s: float,
    warm_up_s: float = 0.0,
    misses: float = 0.0,
    mean_latency_s: float = 0.0,
) -> Bound:
    """Return the bound of a realised run.

    Parameters
    ----------
    instance
        An instance of the steady regime.
    setting
        Its requests, draws and failures.
    until_s
        When the last of the policies compared was done.
    warm_up_s
        Requests before this time do not count in latencies and misses.
    misses, mean_latency_s
        What the best of the policies reached: what the search for prices aims at.
    """
    kinds = kinds_of(instance, setting)
    energy, cost, carbon = (_value(instance, setting, kinds, until_s, n) for n in VALUES)
    late = lateness_bound(instance, setting, warm_up_s, misses, mean_latency_s)
    return Bound(energy, cost, carbon, late[0], late[1], until_s)


def _value(
    instance: Instance, setting: Setting, kinds: Sequence[Kind], until_s: float, name: str
) -> float:
    devices = instance.devices
    joule = joule_prices(instance, name)
    slots = devices.slots.astype(np.float64)
    floors = _held(instance, setting, name)
    most = np.where(devices.count_max == NO_MAXIMUM, np.inf, devices.count_max) * slots * until_s
    scale = [_totals(instance, setting, kind) for kind in kinds]
    theta, limit = _prices(instance, kinds, scale, joule, floors, most)
    second = limit.copy()
    constant, size = 0.0, 0.0
    for held, part in zip(floors, theta, strict=True):
        np.add.at(second, held.device, part * held.weight[held.owner] / held.slots)
        rest = 1.0 - np.bincount(held.owner, part, len(held.weight))
        terms = np.maximum(0.0, rest) * held.weight * held.floor_s
        constant += math.fsum(terms.tolist())
        size += float(np.abs(terms).sum())
    # A price stands only where there is a limit to pay for.
    paid = np.where(limit > 0, limit * np.where(np.isfinite(most), most, 0.0), 0.0)
    constant -= math.fsum(paid.tolist())
    size += float(paid.sum())
    total = 0.0
    for kind in kinds:
        of = instance.options.device[kind.option]
        each = kind.energy_j * joule[of] + kind.slot_s * second[of]
        parts = []
        for begin in range(0, len(kind.requests), CHUNK):
            rows = kind.requests[begin : begin + CHUNK]
            factor = factors(instance, setting, kind, rows)
            parts.append(float((factor * each).min(axis=1).sum()))
        total += math.fsum(parts)
    return max(0.0, total + constant - WEAKENED * (abs(total) + size))


@dataclass(frozen=True)
class Held:
    """What draws or costs while it is on or had: units of devices, or boards of kinds (N).

    Attributes
    ----------
    weight, floor_s
        Value of a second of one, and for how long they are on or had together at least (N).
    owner, device, slots
        Pairs of one of them and a device of whose slot time so many seconds take one of it (M).
    """

    weight: Floats
    floor_s: Floats
    owner: Ints
    device: Ints
    slots: Floats


def _held(instance: Instance, setting: Setting, name: str) -> list[Held]:
    devices, boards = instance.devices, instance.boards
    last, slots = _last_arrival(setting.requests), devices.slots.astype(np.float64)
    each, always = np.arange(len(devices)), _always_on_s(instance, setting)
    found = [Held(devices.idle_power_w * joule_prices(instance, name), always, each, each, slots)]
    on = np.flatnonzero(devices.on_board >= 0)
    of, per = devices.on_board[on], np.maximum(1, boards.per_board[on])
    carried = slots[on] * per
    if len(on):
        floor = np.where(boards.off_when_unused, 0, boards.count_min) * last
        np.maximum.at(floor, of, always[on] / per)
        drawn = boards.idle_power_w * board_joule_prices(instance, name)
        found.append(Held(drawn, floor, of, on, carried))
    if name == "cost":
        found.append(
            Held(devices.price_per_s, np.asarray(devices.count_min * last), each, each, slots)
        )
        if len(on):
            found.append(
                Held(boards.price_per_s, np.asarray(boards.count_min * last), of, on, carried)
            )
    return found


def _totals(instance: Instance, setting: Setting, kind: Kind) -> Floats:
    """Return the sum of the factors of each option over all requests of a kind."""
    total = np.zeros(len(kind.option))
    for begin in range(0, len(kind.requests), CHUNK):
        rows = kind.requests[begin : begin + CHUNK]
        total += factors(instance, setting, kind, rows).sum(axis=0)
    return total


def _prices(
    instance: Instance,
    kinds: Sequence[Kind],
    scale: Sequence[Floats],
    joule: Floats,
    floors: Sequence[Held],
    most: Floats,
) -> tuple[list[Floats], Floats]:
    """Return θ of each pair and λ, from the linear program over kinds of tasks.

    Minimise Σ x_qo c_qo + Σ w_n A_n with Σ_o x_qo = 1, B_d / slots_nd ≤ A_n, F_n ≤ A_n and
    B_d ≤ most_d. What it returns decides about how strong the bound is, not about whether it holds.
    """
    from scipy.sparse import csr_matrix

    count = len(instance.devices)
    owner = np.concatenate([np.full(len(k.option), q) for q, k in enumerate(kinds)])
    of = np.concatenate([instance.options.device[k.option] for k in kinds])
    slot = np.concatenate([k.slot_s * f for k, f in zip(kinds, scale, strict=True)])
    energy = np.concatenate([k.energy_j * f for k, f in zip(kinds, scale, strict=True)])
    whole = len(of)
    limited = np.flatnonzero(np.isfinite(most))
    row_of = np.full(count, -1)
    row_of[limited] = np.arange(len(limited))
    kept = row_of[of] >= 0
    rows, columns, values = [row_of[of[kept]]], [np.flatnonzero(kept)], [slot[kept]]
    pairs = ptr_of([len(held.owner) for held in floors]) + len(limited)
    size = ptr_of([len(held.weight) for held in floors]) + whole
    for held, first, place in zip(floors, pairs, size, strict=False):
        for m, (n, d) in enumerate(zip(held.owner.tolist(), held.device.tolist(), strict=True)):
            at = np.flatnonzero(of == d)
            rows += [np.full(len(at), first + m), np.array([first + m])]
            columns += [at, np.array([place + n])]
            values += [slot[at] / held.slots[m], -np.ones(1)]
    shape = (int(pairs[-1]), int(size[-1]))
    table = (np.concatenate(rows), np.concatenate(columns))
    upper = csr_matrix((np.concatenate(values), table), shape=shape)
    cost = np.concatenate([energy * joule[of], *(held.weight for held in floors)])
    least = np.concatenate([np.zeros(whole), *(held.floor_s for held in floors)])
    ends = np.column_stack([least, np.full(len(least), np.inf)])
    right = np.concatenate([most[limited], np.zeros(int(pairs[-1]) - len(limited))])
    found = solve_shares(owner, len(kinds), cost, upper, right, ends)
    limit = np.zeros(count)
    limit[limited] = found.prices[: len(limited)]
    theta = []
    for held, first in zip(floors, pairs, strict=False):
        price = found.prices[first : first + len(held.owner)]
        weight = held.weight[held.owner]
        part = np.divide(price, weight, out=np.zeros(len(price)), where=weight > 0)
        part = np.clip(part, 0.0, 1.0)
        # Parts of what one holds are no more than 1 together.
        whole_part = np.bincount(held.owner, part, len(held.weight))[held.owner]
        theta.append(np.where(whole_part > 1.0, part / np.maximum(whole_part, 1.0), part))
    return theta, limit


def _always_on_s(instance: Instance, setting: Setting) -> Floats:
    """Return for how long units of each device must be on: had always, never off, not down (D)."""
    devices = instance.devices
    last = _last_arrival(setting.requests)
    always = np.where(devices.off_when_unused, 0, devices.count_min) * last
    for d in np.flatnonzero(always > 0).tolist():
        always[d] = max(0.0, always[d] - _down_s(instance, d, setting.events, last))
    return np.asarray(always, dtype=np.float64)


def _down_s(instance: Instance, device: int, events: Sequence[Event], until_s: float) -> float:
    """Return how long units of a device are down together, at most."""
    name = str(instance.devices.name[device])
    count = int(instance.devices.count_max[device])
    if count == NO_MAXIMUM and any(isinstance(e, DeviceDown) and e.unit is None for e in events):
        return math.inf
    down: dict[int, float] = {}
    total = 0.0
    for event in events:
        if not isinstance(event, DeviceDown | DeviceUp) or event.device != name:
            continue
        at = min(event.time_s, until_s)
        for unit in range(count) if event.unit is None else (event.unit,):
            if isinstance(event, DeviceDown):
                down.setdefault(unit, at)
            elif unit in down:
                total += at - down.pop(unit)
    return total + sum(until_s - at for at in down.values())


def _last_arrival(requests: Requests) -> float:
    return float(requests.time_s[-1]) if len(requests) else 0.0
