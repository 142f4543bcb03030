"""The policy of streams: routes of a table, by a rule, on a fleet that goes on and off."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Bools, Floats, Instance
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
from hetopt.simulate.kernels.records import CHEAPEST, Net, Rule
from hetopt.simulate.policies.net import choices, net_of
from hetopt.simulate.policies.start_up import StartUp, hold_times
from hetopt.simulate.records import ADMIT, STATION, rows
from hetopt.simulate.routes import Fleet, RouteTable

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


def idle_stations(count: int) -> Any:
    """Return stations at which nothing is on."""
    return rows(STATION, count, ready_s=np.inf)
