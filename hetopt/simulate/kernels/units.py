"""Units that start up, go on, go idle and go off."""

from __future__ import annotations

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.simulate.kernels.accounts import note_power, settle
from hetopt.simulate.kernels.boards import board_is_on, join_board, leave_board
from hetopt.simulate.kernels.executions import feed
from hetopt.simulate.kernels.heap import push
from hetopt.simulate.kernels.records import (
    CHEAPEST,
    DRAINING,
    IDLE,
    NOW,
    OFF,
    ON,
    READY,
    STARTING,
    TINY,
    World,
)


@inner
def switch_on_at(w: World, s: int) -> None:
    """Switch on a unit of a station that is off: the first whose board is on, else the first."""
    first = -1
    for g in range(len(w.unit)):
        if w.unit[g]["station"] == s and w.unit[g]["status"] in (OFF, DRAINING):
            if board_is_on(w, g):
                switch_on(w, g)
                return
            first = g if first < 0 else first
    if first >= 0:
        switch_on(w, first)


@inner
def wake(w: World, s: int) -> None:
    """Switch on a unit where a route leads and none is on."""
    if w.live[s]["coming"] <= 0.0 and w.live[s]["spare"] > 0:
        switch_on_at(w, s)


@jit
def switch_on(w: World, g: int) -> None:
    """Let a unit start up, or go on where it was to go off."""
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    slots = float(w.device[d]["slots"])
    if w.unit[g]["status"] == DRAINING:
        w.unit[g]["status"] = ON
        w.live[s]["servers"] += slots
        w.live[s]["coming"] += slots
        w.live[s]["spare"] -= 1
        feed(w, s)
        return
    if w.unit[g]["status"] != OFF:
        return
    settle(w, d)
    w.device[d]["active"] += 1.0
    w.live[s]["coming"] += slots
    w.live[s]["spare"] -= 1
    w.unit[g]["stamp"] += 1
    w.device[d]["still_w"] += w.device[d]["idle_w"]
    # Nothing runs before both board and unit have gone on.
    ready = max(w.real[NOW] + w.unit[g]["start_s"], join_board(w, g))
    if ready > w.real[NOW]:
        w.unit[g]["status"] = STARTING
        w.unit[g]["start_w"] = w.unit[g]["start_j"] / (ready - w.real[NOW])
        w.device[d]["still_w"] += w.unit[g]["start_w"]
        w.unit[g]["ready"] = ready
        w.live[s]["ready_s"] = min(w.live[s]["ready_s"], ready)
        push(w, ready, READY, g, w.unit[g]["stamp"])
        note_power(w)
        return
    w.device[d]["idle_j"] += w.unit[g]["start_j"]
    note_power(w)
    go_on(w, g)


@inner
def go_on(w: World, g: int) -> None:
    """Let a unit that has started up serve."""
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    w.unit[g]["status"] = ON
    w.live[s]["servers"] += float(w.device[d]["slots"])
    next_ready(w, s, d)
    feed(w, s)
    went_idle(w, g)


@inner
def next_ready(w: World, s: int, d: int) -> None:
    """Note when the first of a station's units that start up will be ready."""
    if s < 0:
        return
    w.live[s]["ready_s"] = np.inf
    for g in range(w.device[d]["first"], w.device[d]["last"]):
        if w.unit[g]["station"] == s and w.unit[g]["status"] == STARTING:
            w.live[s]["ready_s"] = min(w.live[s]["ready_s"], w.unit[g]["ready"])


@inner
def went_idle(w: World, g: int) -> None:
    """Note since when a unit has nothing to do, and when it goes off for that."""
    if w.unit[g]["many"] > 0 or w.unit[g]["status"] != ON:
        return
    d = w.unit[g]["device"]
    w.unit[g]["idle_since"] = w.real[NOW]
    if w.rule.mode == CHEAPEST and not w.device[d]["never_off"]:
        w.unit[g]["stamp"] += 1
        push(w, w.real[NOW] + w.rule.hold_s[d], IDLE, g, w.unit[g]["stamp"])


@jit
def switch_off(w: World, g: int) -> None:
    """Let a unit go off, once what runs there is done; not the last where work waits."""
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    if s < 0:
        # It is on without a station to serve.
        if w.unit[g]["status"] == ON:
            go_off(w, g)
        return
    if w.live[s]["head"] >= 0 and w.live[s]["coming"] <= w.device[d]["slots"] + TINY:
        return
    if w.unit[g]["status"] == STARTING:
        settle(w, d)
        w.device[d]["still_w"] -= w.unit[g]["start_w"]
        w.live[s]["coming"] -= float(w.device[d]["slots"])
        w.live[s]["spare"] += 1
        go_off(w, g)
    elif w.unit[g]["status"] == ON:
        w.live[s]["servers"] -= float(w.device[d]["slots"])
        w.live[s]["coming"] -= float(w.device[d]["slots"])
        w.live[s]["spare"] += 1
        if w.unit[g]["many"] == 0:
            go_off(w, g)
        else:
            w.unit[g]["status"] = DRAINING


@inner
def go_off(w: World, g: int) -> None:
    """Switch a unit off that runs nothing."""
    d = w.unit[g]["device"]
    settle(w, d)
    w.unit[g]["status"] = OFF
    w.unit[g]["idle_since"] = -1.0
    w.unit[g]["stamp"] += 1
    w.device[d]["active"] -= 1.0
    w.device[d]["still_w"] -= w.device[d]["idle_w"]
    leave_board(w, g)
    next_ready(w, w.unit[g]["station"], d)
    note_power(w)
