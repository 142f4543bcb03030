"""Policies: objects that decide what is to be done when something happens (docs/simulate.md).

The simulator and a live controller call the same :meth:`Policy.decide`. For streams:

``plan``
    The routes, shares and units of a plan. A unit that fails is replaced by one that is had and
    off; requests avoid routes through stations without a unit.
``greedy``
    Each request takes the route that is expected to end first, on the units that the plan has on.
``energy-greedy``
    Of the routes expected to end within the limit on latency the one of least energy. Units go on
    when no route does, and off after a while without work (DELAYEDOFF: as long as idling costs what
    the start does; A. Gandhi, V. Gupta, M. Harchol-Balter, M. Kozuch, "Optimality analysis of
    energy-performance trade-off for server farm management", 2010).
``price``
    The same at the prices of the steady relaxation: energy, and on each device its time at what a
    unit draws (or costs) while on, plus what the relaxation says one more unit is worth.
``rolling``
    :class:`hetopt.simulate.rolling.Rolling`: the library's own plan, made anew as rates change.
``only:DEVICE``
    The plan of a homogeneous rival.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.stream_boards import going_on_j
from hetopt.runtime.jit import kernels as load_kernels
from hetopt.simulate.events import (
    Action,
    Arrived,
    Event,
    Finished,
    Placement,
    Route,
    State,
    SwitchOff,
    SwitchOn,
    Tick,
    TurnAway,
    Wait,
)
from hetopt.simulate.kernels.records import CHEAPEST, EARLIEST, SHARES, Net, Rule
from hetopt.simulate.records import ADMIT, CHOICE, EDGE, ROUTE, ROW, STATION, rows
from hetopt.simulate.routes import (
    Fleet,
    RouteTable,
    every_route,
    fleet_of,
    route_table,
    routes_of_plan,
)
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import unit_capacity

STREAM_POLICIES = ("plan", "greedy", "energy-greedy", "price", "rolling")
ONLY = "only:"
"""What names a homogeneous rival's plan begin with."""

PATIENCE = 3.0
"""Limit on latency of a job that states none, times its shortest service."""
CAUTION = 0.5
"""Part of what a limit leaves beside service that waiting should take: waits vary."""
PLAIN_ROUTES = 64
"""Routes of a job that plain Python compares within a tenth of a millisecond each."""


class Policy(Protocol):
    """What decides.

    Attributes
    ----------
    name
        As the command line spells it.
    delta_s
        Seconds between the ticks that it wants to be asked at; None: none.
    """

    name: str
    delta_s: float | None

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return what is to be done, in order; never empty (at least a :class:`Wait`)."""
        ...


@dataclass(frozen=True)
class StartUp:
    """What it takes to switch a unit of each device on (D): time, and energy above idle."""

    time_s: Floats
    energy_j: Floats

    @staticmethod
    def none(instance: Instance) -> StartUp:
        """No time and no energy."""
        count = len(instance.devices)
        return StartUp(np.zeros(count), np.zeros(count))

    def of_units(self, instance: Instance, fleet: Fleet, table: RouteTable) -> StartUp:
        """Return what a start of each unit takes (G), with loading the weights that it serves."""
        options, devices = instance.options, instance.devices
        keys: list[dict[int, float]] = [{} for _ in fleet.station_device]
        for station, option in zip(table.station.tolist(), table.option.tolist(), strict=True):
            if options.weights_key[option] >= 0 and options.weights_b[option] > 0:
                keys[station][int(options.weights_key[option])] = float(options.weights_b[option])
        # A unit in reserve has no station, and loads nothing.
        number = np.array([*map(len, keys), 0.0])[fleet.unit_station]
        size = np.array([*(sum(k.values()) for k in keys), 0.0])[fleet.unit_station]
        d = fleet.device
        return StartUp(
            self.time_s[d] + devices.load_time_s[d] * number,
            self.energy_j[d] + devices.load_energy_j_per_b[d] * size,
        )

    def with_loading(self, instance: Instance, fleet: Fleet, table: RouteTable) -> StartUp:
        """Return the most that a start of a unit of each device takes (D).

        With loading, and with its board, which draws its own idle power while it starts up.
        """
        units = self.of_units(instance, fleet, table)
        time, energy = self.time_s.copy(), self.energy_j.copy()
        np.maximum.at(time, fleet.device, units.time_s)
        np.maximum.at(energy, fleet.device, units.energy_j)
        boards, of = instance.boards, instance.devices.on_board
        time = np.maximum(time, np.append(boards.start_up_time_s, 0.0)[of])
        return StartUp(time, energy + np.append(going_on_j(instance), 0.0)[of])


class StreamPolicy:
    """A policy of streams: routes, a rule that chooses among them, and units.

    Parameters
    ----------
    name
        As the command line spells it.
    instance, fleet, table
        What it decides about.
    mode
        ``SHARES``, ``EARLIEST`` or ``CHEAPEST``.
    weight, price
        Of each route (K).
    start_up
        Of the devices; units go off after a time without work that follows from it.
    admit
        Part of each job's requests that is served (J); the others are turned away. None: all.

    Attributes
    ----------
    shared
        Devices whose units run all their requests at once (D); none, unless set.
    """

    def __init__(
        self,
        name: str,
        instance: Instance,
        fleet: Fleet,
        table: RouteTable,
        mode: int,
        weight: Floats,
        price: Floats,
        start_up: StartUp,
        admit: Floats | None = None,
    ) -> None:
        self.name = name
        self.delta_s: float | None = None
        self.shared: Bools = np.zeros(len(instance.devices), dtype=np.bool_)
        self.instance, self.fleet, self.table = instance, fleet, table
        start_up = start_up.with_loading(instance, fleet, table)
        self.rule = Rule(
            mode,
            int(mode != CHEAPEST),
            choices(instance, table, weight, price),
            rows(ADMIT, len(instance.jobs), part=1.0 if admit is None else admit, credit=0.5),
            hold_times(instance, start_up),
            start_up.time_s,
        )
        self._prepare()

    def _prepare(self) -> None:
        self.net = net_of(self.instance, self.table)
        self._placed: dict[int, tuple[Placement, ...]] = {}
        self._scratch = np.zeros(int(np.diff(self.table.ptr).max(initial=1)))
        many = int(np.diff(self.net.job_ptr).max(initial=1))
        steps = 0.0 if many <= PLAIN_ROUTES else np.inf
        kernels = load_kernels("hetopt.simulate.kernels.choice", steps)
        self._choose, self._admits = kernels.choose, kernels.admits
        jobs, devices = self.instance.jobs.name, self.instance.devices.name
        self._job = {str(name): j for j, name in enumerate(jobs)}
        self._device = {str(name): d for d, name in enumerate(devices)}
        self._unit = {
            (int(d), int(n)): g
            for g, (d, n) in enumerate(zip(self.fleet.device, self.fleet.number, strict=True))
        }
        # Station of each unit (-1: none), and its slots.
        self._place = {
            (str(devices[d]), n): (
                int(self.fleet.unit_station[g]),
                float(self.instance.devices.slots[d]),
            )
            for (d, n), g in self._unit.items()
        }

    def net_for(self, timeout_s: float | None) -> Net:
        """Return the columns that the loop reads, with batches that wait so long to fill."""
        if timeout_s is None:
            return self.net
        row = self.net.row.copy()
        row["timeout_s"] = timeout_s
        return self.net._replace(row=row)

    def unit(self, device: str, unit: int) -> int:
        """Return the number of a unit among all of the fleet, -1 where there is none."""
        return self._unit.get((self._device.get(device, -1), unit), -1)

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return what is to be done; see :class:`Policy`."""
        if isinstance(event, Arrived):
            return self._route(state, event)
        if isinstance(event, Finished | Tick) and self.rule.mode == CHEAPEST:
            return self._rest(state)
        return (Wait(),)

    def _route(self, state: State, event: Arrived) -> tuple[Action, ...]:
        job = self._job.get(event.job)
        if job is None:
            names = ", ".join(self._job)
            raise InputError([Problem("event.job", event.job, f"A job: {names}.")])
        if not self._admits(job, self.rule):
            return (TurnAway(event.job, event.request),)
        live = self.live(state)
        k, more = self._choose(state.time_s, job, self.net, self.rule, live, self._scratch)
        placed = Route(event.job, self.placements(k), event.request)
        wanted = [more] if more >= 0 else []
        if self.rule.mode == CHEAPEST:
            rows = slice(int(self.table.ptr[k]), int(self.table.ptr[k + 1]))
            asleep = [s for s in self.table.station[rows].tolist() if live["coming"][s] <= 0]
            wanted = list(dict.fromkeys([*wanted, *asleep]))
        units = [self._unit_to_switch_on(state, s) for s in wanted]
        return (*(unit for unit in units if unit is not None), placed)

    def placements(self, route: int) -> tuple[Placement, ...]:
        """Return the placements of a route's tasks, in an order in which they may run."""
        if route in self._placed:
            return self._placed[route]
        table, instance = self.table, self.instance
        found = []
        for m in range(int(table.ptr[route]), int(table.ptr[route + 1])):
            unit = int(self.fleet.station_unit[table.station[m]])
            option = int(table.option[m])
            found.append(
                Placement(
                    str(instance.tasks.name[table.task[m]]),
                    str(instance.devices.name[instance.options.device[option]]),
                    None if unit < 0 else unit,
                    str(instance.options.label[option]),
                )
            )
        self._placed[route] = tuple(found)
        return self._placed[route]

    def live(self, state: State) -> Any:
        """Return what a choice sees of the stations in a state."""
        count = len(self.fleet.station_device)
        live = idle_stations(count)
        live["shared"] = self.shared[self.fleet.station_device]
        # In lists: a controller does this for each request.
        used, running_s, coming, servers = ([0.0] * count for _ in range(4))
        ready_s, spare = [np.inf] * count, [0] * count
        for unit in state.units:
            s, size = self._place.get((unit.device, unit.unit), (-1, 0.0))
            if s < 0:
                continue
            used[s] += unit.running
            running_s[s] += unit.running_s
            if unit.status in ("on", "starting"):
                coming[s] += size
            if unit.status == "on":
                servers[s] += size
            elif unit.status == "starting" and unit.until_s is not None:
                ready_s[s] = min(ready_s[s], unit.until_s)
            elif unit.status in ("off", "draining"):
                spare[s] += 1
        live["used"], live["running_s"], live["coming"] = used, running_s, coming
        live["servers"], live["ready_s"], live["spare"] = servers, ready_s, spare
        for queue in state.queues:
            d = self._device.get(queue.device, -1)
            job = -1 if queue.job is None else self._job.get(queue.job, -1)
            s = self.fleet.station(d, job, -1 if queue.unit is None else queue.unit)
            if s >= 0:
                live["waiting_s"][s] += queue.waiting_s
        return live

    def _unit_to_switch_on(self, state: State, station: int) -> Action | None:
        """Return what switches on the first unit that can be whose board is on, else the first."""
        usable = []
        for unit in state.units:
            g = self.unit(unit.device, unit.unit)
            able = unit.status in ("off", "draining")
            if g >= 0 and self.fleet.unit_station[g] == station and able:
                usable.append(g)
                if len(self.fleet.board_kind) == 0:
                    break
        if not usable:
            return None
        on = {
            self.unit(unit.device, unit.unit)
            for unit in state.units
            if unit.status in ("on", "starting", "draining")
        }
        best = next((g for g in usable if self.fleet.board_is_on(g, on)), usable[0])
        device = self.instance.devices.name[self.fleet.device[best]]
        return SwitchOn(str(device), int(self.fleet.number[best]))

    def _rest(self, state: State) -> tuple[Action, ...]:
        """Switch on where work waits and nothing is on; off what had none for long enough."""
        live = self.live(state)
        waiting = np.flatnonzero((live["waiting_s"] > 0) & (live["coming"] <= 0)).tolist()
        woken = [self._unit_to_switch_on(state, s) for s in waiting]
        found: list[Action] = [unit for unit in woken if unit is not None]
        until = np.inf
        for unit in state.units:
            d = self._device.get(unit.device, -1)
            if unit.status != "on" or unit.idle_since_s is None or d < 0:
                continue
            if not self.instance.devices.off_when_unused[d]:
                continue
            ends = unit.idle_since_s + float(self.rule.hold_s[d])
            if ends <= state.time_s:
                found.append(SwitchOff(unit.device, unit.unit))
            else:
                until = min(until, ends)
        return tuple(found) or (Wait(None if np.isinf(until) else until),)


def choices(instance: Instance, table: RouteTable, weight: Floats, price: Floats | float) -> Any:
    """Return what a rule reads of routes: waiting may take half of what a limit leaves."""
    shortest = np.full(len(instance.jobs), np.inf)
    np.minimum.at(shortest, table.job, table.service_s)
    limit = instance.jobs.latency_slo_s
    limit = np.where(np.isfinite(limit), limit, PATIENCE * shortest)[table.job]
    wait = CAUTION * np.maximum(0.0, limit - table.service_s)
    return rows(
        CHOICE,
        len(table),
        weight=weight,
        price=price,
        limit_s=table.service_s + wait,
        patience_s=wait,
    )


def hold_times(instance: Instance, start_up: StartUp) -> Floats:
    """Return how long units stay on without work (D): while that costs less than a start."""
    own = instance.devices.idle_power_w
    spent = start_up.energy_j + own * start_up.time_s
    # With the last unit its board goes off.
    idle = own + np.append(instance.boards.idle_power_w, 0.0)[instance.devices.on_board]
    return np.asarray(np.divide(spent, idle, out=start_up.time_s.copy(), where=idle > 0))


def net_of(instance: Instance, table: RouteTable) -> Net:
    """Return the columns that the kernels read; a batch waits to fill as long as one takes."""
    of_job = np.argsort(table.job, kind="stable").astype(np.int64)
    begins = np.searchsorted(table.job[of_job], np.arange(len(instance.jobs) + 1))
    low, high = spreads(instance)
    row = rows(
        ROW,
        len(table.task),
        station=table.station,
        device=instance.options.device[table.option],
        position=table.position,
        key=_batch_keys(table),
        time_s=table.time_s,
        latency_s=table.latency_s,
        after_s=table.after_s,
        timeout_s=table.time_s,
        batch=table.batch,
        share=table.share,
        energy_j=table.energy_j,
        low=low[table.option],
        high=high[table.option],
        before=table.before,
        option=table.option,
    )
    edge = rows(EDGE, len(table.out_row), row=table.out_row, delay_s=table.out_delay_s)
    route = rows(ROUTE, len(table), transfer_j=table.transfer_j, device=table.transfer_device)
    return Net(begins.astype(np.int64), of_job, table.ptr, row, table.out_ptr, edge, route)


def _batch_keys(table: RouteTable) -> Ints:
    """Return the first row whose batch each row joins: same station, option and time."""
    first: dict[tuple[int, int, float], int] = {}
    rows = zip(table.station.tolist(), table.option.tolist(), table.time_s.tolist(), strict=True)
    return np.array([first.setdefault(key, m) for m, key in enumerate(rows)], dtype=np.int64)


def spreads(instance: Instance) -> tuple[Floats, Floats]:
    """Return the logarithmic spread of each option's time below and above it (O, O).

    With a standard normal z the time is ``time_s`` × exp(z × spread), that of the side of z: the
    distribution of :mod:`hetopt.instance.robust`, of which an option's interval is a part. 0 where
    none is stated.
    """
    options = instance.options
    known = (options.time_s > 0) & ~np.isnan(options.time_high_s) & (options.time_low_s > 0)
    inside = np.array([NormalDist().inv_cdf((1 + s) / 2) for s in options.interval[known].tolist()])
    low, high = np.zeros(len(options)), np.zeros(len(options))
    time = options.time_s[known]
    low[known] = np.log(time / options.time_low_s[known]) / inside
    high[known] = np.log(options.time_high_s[known] / time) / inside
    return low, high


def idle_stations(count: int) -> Any:
    """Return stations at which nothing is on."""
    return rows(STATION, count, ready_s=np.inf)


def plan_policy(
    instance: Instance,
    plan: SteadyPlan,
    start_up: StartUp,
    name: str = "plan",
    admit: Floats | None = None,
) -> StreamPolicy:
    """Return the policy that keeps to a plan."""
    fleet = fleet_of(instance, plan)
    keys, rates = routes_of_plan(plan)
    table = route_table(instance, fleet, keys)
    rate: dict[Any, float] = {}
    for key, value in zip(keys, rates, strict=True):
        rate[key] = rate.get(key, 0.0) + value
    weight = shares(table, rate)
    return StreamPolicy(
        name, instance, fleet, table, SHARES, weight, np.zeros(len(table)), start_up, admit
    )


def served_parts(instance: Instance, plan: SteadyPlan) -> Floats:
    """Return the part of each job's demand that a plan serves (J); 0 where there is none."""
    served = np.bincount(plan.route_job, plan.rate_per_s, len(instance.jobs))
    asked = instance.jobs.rate_per_s
    part = np.divide(served, asked, out=np.zeros(len(asked)), where=asked > 0)
    # What is served whole but for rounding is served whole.
    return np.asarray(np.where(part >= 1.0 - LIMIT_TOLERANCE, 1.0, part))


def shares(table: RouteTable, rate: Mapping[Any, float]) -> Floats:
    """Return the part of its job's requests that each route takes (K)."""
    weight = np.array([rate.get(key, 0.0) for key in table.keys])
    whole = np.zeros(int(table.job.max(initial=-1)) + 1)
    np.add.at(whole, table.job, weight)
    part = np.divide(weight, whole[table.job], out=np.zeros(len(weight)), where=weight > 0)
    return np.asarray(part)


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
