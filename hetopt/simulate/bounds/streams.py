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

from hetopt.instance import NO_MAXIMUM, Floats, Instance
from hetopt.instance.joule_prices import joule_prices
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
    floors = [(devices.idle_power_w * joule, _always_on_s(instance, setting))]
    if name == "cost":
        last = _last_arrival(setting.requests)
        floors.append((devices.price_per_s, devices.count_min.astype(np.float64) * last))
    most = np.where(devices.count_max == NO_MAXIMUM, np.inf, devices.count_max) * slots * until_s
    scale = [_totals(instance, setting, kind) for kind in kinds]
    theta, limit = _prices(instance, kinds, scale, joule, floors, most)
    second = limit.copy()
    constant, size = 0.0, 0.0
    for (weight, floor), part in zip(floors, theta, strict=True):
        second += part * weight / slots
        terms = (1.0 - part) * weight * floor
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
    floors: Sequence[tuple[Floats, Floats]],
    most: Floats,
) -> tuple[list[Floats], Floats]:
    """Return θ of each weight and λ, from the linear program over kinds of tasks.

    Minimise Σ x_qo c_qo + Σ w_d A_d with Σ_o x_qo = 1, B_d / slots_d ≤ A_d, F_d ≤ A_d and
    B_d ≤ most_d. What it returns decides about how strong the bound is, not about whether it holds.
    """
    from scipy.sparse import csr_matrix

    count = len(instance.devices)
    slots = instance.devices.slots.astype(np.float64)
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
    for n in range(len(floors)):
        first = len(limited) + n * count
        rows += [first + of, first + np.arange(count)]
        columns += [np.arange(whole), whole + n * count + np.arange(count)]
        values += [slot / slots[of], -np.ones(count)]
    shape = (len(limited) + len(floors) * count, whole + len(floors) * count)
    table = (np.concatenate(rows), np.concatenate(columns))
    upper = csr_matrix((np.concatenate(values), table), shape=shape)
    cost = np.concatenate([energy * joule[of], *(weight for weight, _ in floors)])
    least = np.concatenate([np.zeros(whole), *(floor for _, floor in floors)])
    ends = np.column_stack([least, np.full(len(least), np.inf)])
    right = np.concatenate([most[limited], np.zeros(len(floors) * count)])
    found = solve_shares(owner, len(kinds), cost, upper, right, ends)
    limit = np.zeros(count)
    limit[limited] = found.prices[: len(limited)]
    theta = []
    for n, (weight, _) in enumerate(floors):
        first = len(limited) + n * count
        price = found.prices[first : first + count]
        part = np.divide(price, weight, out=np.zeros(count), where=weight > 0)
        theta.append(np.clip(part, 0.0, 1.0))
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
