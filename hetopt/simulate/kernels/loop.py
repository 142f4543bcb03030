"""The event loop of streams, compiled or as plain Python.

Both a policy's ``decide`` and the loop call :func:`choose`, so that a live controller and the
simulator decide alike.
"""

from __future__ import annotations

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.simulate.kernels.accounts import advance_to, note_power, settle
from hetopt.simulate.kernels.boards import board_is_up
from hetopt.simulate.kernels.choice import admits
from hetopt.simulate.kernels.executions import feed
from hetopt.simulate.kernels.failures import fail, repair
from hetopt.simulate.kernels.heap import pop
from hetopt.simulate.kernels.items import (
    arrive,
    close_batch,
    dispatch,
    end_execution,
    turn_away,
)
from hetopt.simulate.kernels.records import (
    BEGUN,
    BOARD_READY,
    CAP_W,
    DONE,
    END,
    EXT,
    FAIL,
    FINISHED,
    GROW,
    HAPPENED,
    HEAP,
    IDLE,
    LATEST,
    NEXT,
    NOW,
    ON,
    REACHED,
    READY,
    REPAIR,
    RETIME,
    ROOM,
    SHARED_END,
    SLOW_END,
    STARTING,
    STARVED,
    STUCK,
    TIMEOUT,
    World,
)
from hetopt.simulate.kernels.slowing import first_slowed, retime
from hetopt.simulate.kernels.units import go_on, went_idle
from hetopt.simulate.kernels.units import switch_off as switch_off
from hetopt.simulate.kernels.units import switch_on as switch_on


@inner
def _handle(w: World, kind: int, a: int, b: int, wide: int) -> None:
    if kind == END:
        if w.run[a]["stamp"] == b:
            end_execution(w, a, wide)
    elif kind == SHARED_END:
        if w.unit[a]["stamp"] == b and w.unit[a]["many"] > 0:
            first = w.unit[a]["head"]
            x = first
            while x >= 0:
                # Of those that end at once the first that began, which is the last of the list.
                if w.run[x]["end"] <= w.run[first]["end"]:
                    first = x
                x = w.run[x]["next"]
            end_execution(w, first, wide)
    elif kind == SLOW_END:
        if w.slow.domain[a]["stamp"] == b:
            x = first_slowed(w, a)
            while x >= 0 and w.run[x]["end"] <= w.real[NOW]:
                end_execution(w, x, wide)
                x = first_slowed(w, a)
    elif kind == TIMEOUT:
        if w.form[a]["stamp"] == b:
            close_batch(w, a, wide)
    elif kind == READY:
        if w.unit[a]["stamp"] == b and w.unit[a]["status"] == STARTING:
            d = w.unit[a]["device"]
            settle(w, d)
            w.device[d]["still_w"] -= w.unit[a]["start_w"]
            note_power(w)
            go_on(w, a)
    elif kind == BOARD_READY:
        if w.board[a]["stamp"] == b:
            board_is_up(w, a)
    elif kind == IDLE:
        if w.unit[a]["stamp"] == b and w.unit[a]["status"] == ON and w.unit[a]["many"] == 0:
            switch_off(w, a)
    else:
        arrive(w, a, wide)


@jit
def advance(w: World, until: float, stops: bool) -> int:
    """Let time pass until all requests are served, a time is reached, or something happens.

    Parameters
    ----------
    until
        Time at which the policy wants to be asked.
    stops
        Whether failures, repairs and caps go to the policy: then it stops after each.

    Returns
    -------
    int
        ``REACHED``, ``FINISHED``, ``HAPPENED``; ``GROW``: the heap or the pool of executions is too
        small; ``STUCK``: requests wait for what never comes.
    """
    wide = len(w.item) // len(w.request)
    total = len(w.request)
    if not w.count[BEGUN]:
        w.count[BEGUN] = 1
        for g in range(len(w.unit)):
            went_idle(w, g)
    while w.count[DONE] < total:
        if w.count[HEAP] > w.count[ROOM] or w.count[STARVED]:
            return GROW
        t, what = np.inf, -1
        if w.count[HEAP] > 0:
            t, what = w.heap[0]["t"], 0
        if w.count[EXT] < len(w.ext) and w.ext[w.count[EXT]]["t"] < t:
            t, what = w.ext[w.count[EXT]]["t"], 1
        if w.count[NEXT] < total and w.request[w.count[NEXT]]["at"] < t:
            t, what = w.request[w.count[NEXT]]["at"], 2
        if w.count[RETIME] and (t > w.real[NOW] or t >= until):
            retime(w)
            continue
        if t >= until:
            if until == np.inf:
                return STUCK
            advance_to(w, until)
            return REACHED
        advance_to(w, t)
        if what == 0:
            kind, a, b = pop(w)
            _handle(w, kind, a, b, wide)
        elif what == 2:
            i = w.count[NEXT]
            w.count[NEXT] += 1
            if admits(w.request[i]["job"], w.rule):
                dispatch(w, i, wide)
            else:
                turn_away(w, i)
        else:
            e = w.count[EXT]
            w.count[EXT] += 1
            w.count[LATEST] = e
            if w.ext[e]["kind"] == FAIL:
                fail(w, w.ext[e]["unit"], wide)
            elif w.ext[e]["kind"] == REPAIR:
                repair(w, w.ext[e]["unit"])
            else:
                w.real[CAP_W] = w.ext[e]["value"]
            if stops:
                return HAPPENED
    return FINISHED


@jit
def feed_all(w: World) -> None:
    """Start what waits, after the pool of executions has grown."""
    w.count[STARVED] = 0
    for s in range(len(w.live)):
        feed(w, s)


@jit
def close_accounts(w: World) -> None:
    """Settle all devices at the end of the run: when the last request is done."""
    last = w.real[NOW]
    for i in range(len(w.request)):
        last = max(last, w.request[i]["finish"])
    advance_to(w, last)
    for d in range(len(w.device)):
        settle(w, d)
