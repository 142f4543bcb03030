"""One run of streams under one policy: the loop, and the policy's word where it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.runtime.jit import kernels as load_kernels
from hetopt.simulate.events import (
    Action,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    JobState,
    QueueState,
    State,
    SwitchOff,
    SwitchOn,
    Tick,
    UnitState,
    UnitStatus,
)
from hetopt.simulate.kernels.records import (
    BIN_S,
    CAP,
    CAP_W,
    EXT,
    FAIL,
    FINISHED,
    GROW,
    HAPPENED,
    HEAP,
    LATEST,
    NEXT,
    NOW,
    OVER_S,
    STARTING,
    STUCK,
    TURNED_AWAY,
    World,
)
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.world import STATUS_NAMES, Setting, grown, with_routes, world_of

ACCOUNTS = ("energy_j", "idle_j", "busy_s", "on_s", "had_s", "waiting_s")
STEPS_OF_REQUEST = 40
"""Steps of plain Python that a request takes, about."""


@dataclass(frozen=True)
class Run:
    """What one policy made of one run.

    Attributes
    ----------
    finish_s
        When each request was done; inf for one that never was (N).
    turned_away
        Which requests were not served as the plan leaves a part unserved (N).
    route
        Route of each request, in the policy's table (N).
    energy_j, idle_j
        Above idle, and idle with starts, of each device (D).
    busy_s, on_s, had_s, waiting_s
        Integrals over the run of slots taken, units on, units had and tasks waiting (D).
    board_idle_j, board_on_s, board_had_s
        Idle with starts, and integrals over the run of boards on and had, of each kind (B).
    end_s
        When the last request was done.
    bin_s, bins, peak_w
        Width of the N pieces of the run; in each energy, slots, units on and waiting of devices,
        and behind them energy and number on of boards (N × (D + B) × 4),
        and the largest power in each.
    over_cap_s
        Time for which the power was above the cap.
    log
        Decisions, starts and ends: rows of time, kind, item or request, unit or route.
    """

    finish_s: Floats
    turned_away: Bools
    route: Ints
    energy_j: Floats
    idle_j: Floats
    busy_s: Floats
    on_s: Floats
    had_s: Floats
    waiting_s: Floats
    board_idle_j: Floats
    board_on_s: Floats
    board_had_s: Floats
    end_s: float
    bin_s: float
    bins: Floats
    peak_w: Floats
    over_cap_s: float
    log: Floats


def run_streams(instance: Instance, policy: StreamPolicy, setting: Setting) -> Run:
    """Serve all requests of a setting under a policy."""
    loop: Any = load_kernels(
        "hetopt.simulate.kernels.loop", float(len(setting.requests) * STEPS_OF_REQUEST)
    )
    world = world_of(instance, policy, setting)
    delta = policy.delta_s
    tick = np.inf if delta is None else delta
    arrived, asked = np.zeros(len(instance.jobs), dtype=np.int64), 0
    while True:
        reason = loop.advance(world, tick, delta is not None)
        if reason in (FINISHED, STUCK):
            break
        if reason == GROW:
            world = grown(world)
            loop.feed_all(world)
            continue
        new = np.bincount(
            world.request["job"][asked : int(world.count[NEXT])], minlength=len(arrived)
        )
        asked = int(world.count[NEXT])
        arrived = arrived + new
        event: Event = Tick(float(world.real[NOW]))
        if reason == HAPPENED:
            event = _happened(policy, world)
            # Requests are counted from tick to tick.
            asked -= int(new.sum())
            arrived = arrived - new
        else:
            tick += cast(float, delta)
            if _nothing_to_come(world):
                break
        state = state_of(policy, world, new, arrived)
        world = _act(policy, world, policy.decide(state, event), loop, setting)
    loop.close_accounts(world)
    return _result(world, len(instance.devices))


def _nothing_to_come(world: World) -> bool:
    ahead = world.count[HEAP] + len(world.request) - world.count[NEXT]
    return bool(ahead == 0 and world.count[EXT] == len(world.ext))


def _happened(policy: StreamPolicy, world: World) -> Event:
    e = int(world.count[LATEST])
    time, kind_of = float(world.ext["t"][e]), int(world.ext["kind"][e])
    if kind_of == CAP:
        cap = float(world.ext["value"][e])
        return CapChanged(time, None if np.isinf(cap) else cap)
    g = int(world.ext["unit"][e])
    device = str(policy.instance.devices.name[policy.fleet.device[g]])
    kind = DeviceDown if kind_of == FAIL else DeviceUp
    return kind(time, device, int(policy.fleet.number[g]))


def state_of(policy: StreamPolicy, world: World, new: Ints, arrived: Ints) -> State:
    """Return what the policy sees: units, queues, and requests since the last tick."""
    instance, fleet = policy.instance, policy.fleet
    device = instance.devices.name
    running_s = np.zeros(len(fleet.device))
    for g in range(len(running_s)):
        x = int(world.unit["head"][g])
        while x >= 0:
            running_s[g] += world.run["expected"][x]
            x = int(world.run["next"][x])
    unit = world.unit
    units = tuple(
        UnitState(
            str(device[fleet.device[g]]),
            int(fleet.number[g]),
            cast(UnitStatus, STATUS_NAMES[int(unit["status"][g])]),
            float(unit["ready"][g]) if unit["status"][g] == STARTING else None,
            float(unit["used"][g]),
            float(running_s[g]),
            float(unit["idle_since"][g]) if unit["idle_since"][g] >= 0 else None,
        )
        for g in range(len(fleet.device))
        if unit["station"][g] >= 0
    )
    names = instance.jobs.name
    queues = tuple(
        QueueState(
            str(device[fleet.station_device[s]]),
            None if fleet.station_unit[s] < 0 else int(fleet.station_unit[s]),
            None if fleet.station_job[s] < 0 else str(names[fleet.station_job[s]]),
            _length(world, s),
            float(world.live["waiting_s"][s]),
        )
        for s in range(len(fleet.station_device))
        if world.live["waiting_s"][s] > 0
    )
    jobs = tuple(JobState(str(names[j]), int(new[j]), int(arrived[j])) for j in range(len(names)))
    cap = float(world.real[CAP_W])
    return State(float(world.real[NOW]), units, queues, jobs, (), None if np.isinf(cap) else cap)


def _length(world: World, station: int) -> int:
    item, count = int(world.live["head"][station]), 0
    while item >= 0:
        item, count = int(world.item["queue_next"][item]), count + 1
    return count


def _act(
    policy: StreamPolicy, world: World, actions: Sequence[Action], loop: Any, setting: Setting
) -> World:
    """Let the loop do what the policy said; shares of routes it has taken over itself."""
    world = world._replace(rule=policy.rule)
    if len(policy.table) + 1 != len(world.net.ptr):
        world = with_routes(world, policy, setting)
    for action in actions:
        if isinstance(action, SwitchOn):
            loop.switch_on(world, policy.unit(action.device, action.unit))
        elif isinstance(action, SwitchOff):
            loop.switch_off(world, policy.unit(action.device, action.unit))
    return world


def _result(world: World, devices: int) -> Run:
    request, device, board = world.request, world.device[:devices], world.device[devices:]
    finish = np.where(request["left"] == 0, request["finish"], np.inf)
    finish[request["route"] < 0] = np.inf
    used = max(1, int(np.ceil(world.real[NOW] / world.real[BIN_S])))
    log = world.log[1 : 1 + int(world.log[0, 0])] if len(world.log) else world.log
    accounts: dict[str, Floats] = {name: device[name].copy() for name in ACCOUNTS}
    return Run(
        finish_s=finish,
        turned_away=request["route"] == TURNED_AWAY,
        route=request["route"].copy(),
        **accounts,
        board_idle_j=board["idle_j"].copy(),
        board_on_s=board["on_s"].copy(),
        board_had_s=board["had_s"].copy(),
        end_s=float(world.real[NOW]),
        bin_s=float(world.real[BIN_S]),
        bins=world.bins[:used],
        peak_w=world.peak[:used],
        over_cap_s=float(world.real[OVER_S]),
        log=log,
    )
