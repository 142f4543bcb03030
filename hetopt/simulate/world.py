"""The arrays that the event loop of streams works on, made for one policy and one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Floats, Instance
from hetopt.simulate.events import CapChanged, DeviceDown, DeviceUp, Event
from hetopt.simulate.kernels.records import (
    BIN_S,
    CAP,
    CAP_W,
    COUNTS,
    DOWN,
    DRAINING,
    FAIL,
    FREE,
    OFF,
    ON,
    POWER,
    REPAIR,
    ROOM,
    STARTING,
    World,
)
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy, idle_stations
from hetopt.simulate.records import (
    BOARD,
    DEVICE,
    EXTERNAL,
    FORM,
    HEAP,
    ITEM,
    REQUEST,
    RUN,
    UNIT,
    rows,
)
from hetopt.simulate.requests import Requests
from hetopt.simulate.routes import Fleet
from hetopt.simulate.slowing import slow_of

BINS = 960
"""Pieces of the run that power and queues are shown by; longer ones where it lasts longer."""
FIRST_POOL = 64


@dataclass(frozen=True)
class Setting:
    """What is the same for all policies of a run.

    Attributes
    ----------
    drawn
        Standard normal draws that the times of tasks follow, where options state intervals (N × P);
        empty where none does.
    events
        Failures, repairs and caps, in order of time.
    shared
        Devices whose units run all requests at once, each at its part of the speed (D).
    timeout_s
        How long batches wait to fill; None: as long as one takes.
    log
        Whether each decision, start and end is kept.
    """

    requests: Requests
    drawn: Floats
    events: Sequence[Event]
    start_up: StartUp
    shared: np.ndarray
    timeout_s: float | None = None
    log: bool = False


def world_of(instance: Instance, policy: StreamPolicy, setting: Setting) -> World:
    """Return the arrays at time 0: the policy's units on, nothing running.

    Raises
    ------
    InputError
        Where requests come of a job that the policy has no route for.
    """
    _check_routes(instance, policy, setting.requests)
    fleet, table, devices = policy.fleet, policy.table, instance.devices
    requests = setting.requests
    count, wide = len(requests), requests.work.shape[1]
    station = _stations(policy, setting)
    device = _devices(instance, policy)
    starts = setting.start_up.of_units(instance, fleet, table)
    unit = rows(
        UNIT,
        len(fleet.device),
        station=fleet.unit_station,
        device=fleet.device,
        board=fleet.unit_board,
        status=np.where(fleet.on, ON, OFF),
        head=-1,
        ready=np.inf,
        idle_since=np.where(fleet.on, 0.0, -1.0),
        start_s=starts.time_s,
        start_j=starts.energy_j,
    )
    lanes = int((1.0 / table.share.min(initial=1.0)).round())
    pool = int(devices.slots[fleet.device].sum()) * lanes + FIRST_POOL
    real = np.zeros(6)
    real[CAP_W] = instance.limits.power_cap_w
    real[BIN_S] = max(requests.end_s, 1e-12) / BINS * 1.02
    real[POWER] = device["still_w"].sum()
    board = _board_rows(instance, fleet)
    peak = np.zeros(BINS)
    peak[0] = real[POWER]
    events = 2 * wide * count + 4 * count + 8 * len(unit) + 64
    return _with_room(
        World(
            policy.net_for(setting.timeout_s),
            policy.rule,
            slow_of(instance, policy),
            station,
            real,
            np.zeros(COUNTS, dtype=np.int64),
            rows(REQUEST, count, at=requests.time_s, job=requests.job, route=-1),
            requests.work,
            setting.drawn,
            rows(ITEM, count * wide),
            rows(FORM, len(table.task)),
            unit,
            board,
            device,
            np.zeros((BINS, len(device), 4)),
            peak,
            _pool(pool),
            rows(HEAP, _heap_size(pool, wide)),
            _external(instance, policy, setting.events),
            np.zeros(int(np.diff(table.ptr).max(initial=1))),
            np.zeros((events if setting.log else 0, 4)),
        )
    )


def _check_routes(instance: Instance, policy: StreamPolicy, requests: Requests) -> None:
    asked = np.unique(requests.job)
    # Those that are all turned away need none.
    asked = asked[policy.rule.admit["part"][asked] > 0]
    lost = asked[~np.isin(asked, policy.table.job)]
    if len(lost):
        names = ", ".join(instance.jobs.name[lost[:5]].tolist())
        raise InputError(f"It has no route for requests of {names}.")


def _stations(policy: StreamPolicy, setting: Setting) -> Any:
    fleet = policy.fleet
    station = idle_stations(len(fleet.station_device))
    slots = policy.instance.devices.slots.astype(np.float64)
    known = fleet.unit_station >= 0
    on = known & fleet.on
    np.add.at(station["servers"], fleet.unit_station[on], slots[fleet.device[on]])
    np.add.at(station["spare"], fleet.unit_station[known & ~fleet.on], 1)
    station["coming"] = station["planned"] = station["servers"]
    station["shared"] = setting.shared[fleet.station_device]
    station["head"] = station["tail"] = -1
    return station


def _devices(instance: Instance, policy: StreamPolicy) -> Any:
    devices, fleet = instance.devices, policy.fleet
    size = np.bincount(fleet.device, minlength=len(devices))
    on = np.bincount(fleet.device[fleet.on], minlength=len(devices))
    boards = instance.boards
    lit = np.bincount(fleet.board_kind[fleet.board_on], minlength=len(boards))
    idle, active = np.append(devices.idle_power_w, boards.idle_power_w), np.append(on, lit)
    # No unit is numbered by the row of a kind of board.
    none = np.zeros(len(boards), dtype=np.int64)
    return rows(
        DEVICE,
        len(devices) + len(boards),
        slots=np.append(devices.slots, none),
        idle_w=idle,
        still_w=idle * active,
        active=active,
        had=np.append(fleet.had, fleet.boards_had),
        first=np.append(np.cumsum(size) - size, none),
        last=np.append(np.cumsum(size), none),
        never_off=~np.append(devices.off_when_unused, boards.off_when_unused),
    )


def _board_rows(instance: Instance, fleet: Fleet) -> Any:
    boards, kind = instance.boards, fleet.board_kind
    on = fleet.unit_board[fleet.on & (fleet.unit_board >= 0)]
    return rows(
        BOARD,
        len(kind),
        device=len(instance.devices) + kind,
        status=np.where(fleet.board_on, ON, OFF),
        units=np.bincount(on, minlength=len(kind)),
        never_off=fleet.never_off,
        start_s=boards.start_up_time_s[kind],
        start_j=boards.start_up_energy_j[kind],
    )


def with_routes(world: World, policy: StreamPolicy, setting: Setting) -> World:
    """Return the arrays with the routes that a policy has learned; those before keep their rows."""
    net = policy.net_for(setting.timeout_s)
    more = len(net.row) - len(world.form)
    form = np.concatenate([world.form, rows(FORM, more)])
    widest = int(np.diff(policy.table.ptr).max(initial=1))
    # Units that are off load what they serve from now on when they start.
    starts = setting.start_up.of_units(policy.instance, policy.fleet, policy.table)
    off = world.unit["status"] == OFF
    world.unit["start_s"][off] = starts.time_s[off]
    world.unit["start_j"][off] = starts.energy_j[off]
    return world._replace(net=net, form=form, scratch=np.zeros(widest))


def grown(world: World) -> World:
    """Return the arrays with twice the room for executions and for what is to come."""
    old = len(world.run)
    run = _pool(2 * old)
    run[:old] = world.run
    # The new places come first in the list of free ones, and lead on to the old ones.
    run["next"][2 * old - 1] = world.count[FREE]
    world.count[FREE] = old
    more = max(len(world.heap), _heap_size(2 * old, 1))
    heap = np.concatenate([world.heap, rows(HEAP, more)])
    return _with_room(world._replace(run=run, heap=heap))


def _with_room(world: World) -> World:
    wide = len(world.item) // max(1, len(world.request))
    batch = int(world.net.row["batch"].max(initial=1))
    world.count[ROOM] = len(world.heap) - 2 * len(world.run) - 2 * wide * batch - 64
    return world


def _pool(size: int) -> Any:
    run = rows(RUN, size, next=np.arange(1, size + 1))
    run["next"][-1] = -1
    return run


def _heap_size(pool: int, wide: int) -> int:
    return 6 * pool + 64 * wide + 4096


def _external(instance: Instance, policy: StreamPolicy, events: Sequence[Event]) -> Any:
    """Return what happens from outside, one row a unit that fails or is repaired, or a cap."""
    fleet = policy.fleet
    name = instance.devices.name
    found: list[tuple[float, float, int, int]] = []
    for event in events:
        if isinstance(event, CapChanged):
            value = np.inf if event.power_cap_w is None else event.power_cap_w
            found.append((event.time_s, value, CAP, -1))
        elif isinstance(event, DeviceDown | DeviceUp):
            kind = FAIL if isinstance(event, DeviceDown) else REPAIR
            units = np.flatnonzero((name[fleet.device] == event.device) & (fleet.unit_station >= 0))
            if event.unit is not None:
                units = units[fleet.number[units] == event.unit]
            found += [(event.time_s, 0.0, kind, g) for g in units.tolist()]
    found.sort(key=lambda row: row[0])
    return np.array(found, dtype=EXTERNAL)


STATUS_NAMES = {OFF: "off", STARTING: "starting", ON: "on", DRAINING: "draining", DOWN: "down"}
