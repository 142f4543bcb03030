"""The policies that compare routes: ``greedy``, ``energy-greedy`` and ``price``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.joule_prices import joule_prices
from hetopt.simulate.kernels.records import CHEAPEST, EARLIEST
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.routes import RouteTable, every_route, fleet_of, route_table
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import unit_capacity


def dispatcher(
    name: str,
    instance: Instance,
    plan: SteadyPlan,
    start_up: StartUp,
    marginal: Mapping[str, Any] | None = None,
    admit: Floats | None = None,
) -> StreamPolicy:
    """Return ``greedy``, ``energy-greedy`` or ``price`` on the units that a plan has.

    Parameters
    ----------
    marginal
        What ``solve`` says one more of each limit is worth, for ``price``.
    """
    fleet = fleet_of(instance, plan)
    table = route_table(instance, fleet, every_route(instance, fleet, plan))
    mode = EARLIEST if name == "greedy" else CHEAPEST
    price, scarcity = _prices(name, instance, table, marginal)
    kept = _worth_trying(table, mode, price + scarcity)
    table = route_table(instance, fleet, [table.keys[k] for k in kept])
    price, scarcity = _prices(name, instance, table, marginal)
    none = np.zeros(len(table))
    policy = StreamPolicy(name, instance, fleet, table, mode, none, price, start_up, admit)
    policy.rule.choice["scarcity"] = scarcity
    return policy


def _prices(
    name: str, instance: Instance, table: RouteTable, marginal: Mapping[str, Any] | None
) -> tuple[Floats, Floats]:
    """Return the price of each route, and what its scarce device time adds (K, K)."""
    if name == "price":
        return route_prices(instance, table, marginal)
    energy = _per_request(table, table.energy_j) + table.transfer_j
    return energy, np.zeros(len(table))


def _worth_trying(table: RouteTable, mode: int, price: Floats) -> list[int]:
    """Return the routes left when those over the same stations are compared.

    Small batches end sooner while nothing waits, and take all the time of units once something
    does. So of the options at a station those remain that take the least slot time (``greedy``),
    or for which nothing takes less at a lower price.
    """
    slot = _per_request(table, table.share * table.time_s)
    groups: dict[tuple[int, ...], list[int]] = {}
    for k in range(len(table)):
        rows = slice(int(table.ptr[k]), int(table.ptr[k + 1]))
        key = (int(table.job[k]), *table.station[rows].tolist(), *table.task[rows].tolist())
        groups.setdefault(key, []).append(k)
    kept: list[int] = []
    for members in groups.values():
        members.sort(key=lambda k: (slot[k], price[k], k))
        least = np.inf
        for k in members:
            if price[k] < least and (mode == CHEAPEST or k == members[0]):
                kept.append(k)
                least = price[k]
    return sorted(kept)


def route_prices(
    instance: Instance, table: RouteTable, marginal: Mapping[str, Any] | None
) -> tuple[Floats, Floats]:
    """Return what each route is charged: its energy and time of devices, and its scarce time.

    A second of a slot costs what a unit that is on draws (for ``cost``, with its price), over the
    slots that a unit may have busy; and where all slots are taken also what the relaxation gains by
    one more unit: together the reduced cost by which the linear program itself chooses routes.
    """
    objective = instance.objective[0]
    devices = instance.devices
    joule = joule_prices(instance, objective)
    # Each unit bears its part of what its board draws and costs.
    boards, part = instance.boards, 1.0 / np.maximum(1, instance.boards.per_board)
    drawn = np.where(boards.off_when_unused, boards.idle_power_w, 0.0)
    shared = part * np.append(drawn, 0.0)[devices.on_board]
    idle = devices.idle_power_w + shared
    held = (np.where(devices.off_when_unused, devices.idle_power_w, 0.0) + shared) * joule
    if objective == "cost":
        held = held + devices.price_per_s
        held = held + part * np.append(boards.price_per_s, 0.0)[devices.on_board]
    stated: Sequence[Mapping[str, Any]] = marginal["devices"] if marginal else ()
    worth = np.array([abs(float(row["unit"] or 0.0)) for row in stated] or np.zeros(len(devices)))
    busy = np.maximum(unit_capacity(instance), np.finfo(float).tiny)
    of = instance.options.device[table.option]
    slot = table.time_s * table.share
    if objective in ("throughput", "value"):
        # What a watt of the cap is worth in requests (or their value), where the cap limits them.
        joule = np.full(len(devices), abs(float((marginal or {}).get("power_cap_w") or 0.0)))
        held = idle * joule
    spent = table.energy_j * joule[of] + (held / busy)[of] * slot
    sent = table.transfer_j * float(joule.max(initial=0.0))
    return _per_request(table, spent) + sent, _per_request(table, (worth / busy)[of] * slot)


def _per_request(table: RouteTable, of_rows: Floats) -> Floats:
    route = np.repeat(np.arange(len(table)), np.diff(table.ptr))
    return np.bincount(route, of_rows / table.batch, len(table)).astype(np.float64)
