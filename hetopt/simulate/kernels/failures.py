"""Units that are lost, and come back."""

from __future__ import annotations

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.accounts import note_power, settle
from hetopt.simulate.kernels.boards import leave_board
from hetopt.simulate.kernels.executions import feed, leave, reckon
from hetopt.simulate.kernels.items import dispatch, enqueue
from hetopt.simulate.kernels.records import DOWN, OFF, ON, STARTING, TINY, World
from hetopt.simulate.kernels.units import next_ready, switch_on, switch_on_at


@inner
def fail(w: World, g: int, wide: int) -> None:
    """Lose a unit: what ran there begins anew, first in its queue."""
    if w.unit[g]["status"] == DOWN:
        return
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    was, slots = w.unit[g]["status"], float(w.device[d]["slots"])
    settle(w, d)
    if w.live[s]["shared"] and w.unit[g]["many"] > 0:
        reckon(w, g)
    while w.unit[g]["head"] >= 0:
        x = w.unit[g]["head"]
        item = w.run[x]["item"]
        leave(w, x)
        m = w.net.ptr[w.request[item // wide]["route"]] + item % wide
        member = item
        while member >= 0:
            w.device[d]["waiting"] += 1.0
            member = w.item[member]["batch_next"]
        w.item[item]["queue_next"] = w.live[s]["head"]
        if w.live[s]["head"] < 0:
            w.live[s]["tail"] = item
        w.live[s]["head"] = item
        w.live[s]["waiting_s"] += w.net.row[m]["share"] * w.net.row[m]["time_s"]
    if was == ON:
        w.live[s]["servers"] -= slots
        w.live[s]["coming"] -= slots
    elif was == STARTING:
        w.device[d]["still_w"] -= w.unit[g]["start_w"]
        w.live[s]["coming"] -= slots
    else:
        w.live[s]["spare"] -= 1
    if was != OFF:
        w.device[d]["active"] -= 1.0
        w.device[d]["still_w"] -= w.device[d]["idle_w"]
    w.unit[g]["status"] = DOWN
    w.unit[g]["stamp"] += 1
    w.unit[g]["idle_since"] = -1.0
    next_ready(w, s, d)
    note_power(w)
    if w.rule.replaces and was in (ON, STARTING):
        switch_on_at(w, s)
    if was != OFF:
        # After its replacement, which may stand on the same board.
        leave_board(w, g)
        note_power(w)
    feed(w, s)
    if w.live[s]["coming"] <= 0.0:
        _send_elsewhere(w, s, wide)


@inner
def _send_elsewhere(w: World, s: int, wide: int) -> None:
    """Choose anew for requests of one task that wait where no unit is left."""
    item = w.live[s]["head"]
    w.live[s]["head"] = -1
    w.live[s]["waiting_s"] = 0.0
    while item >= 0:
        after = w.item[item]["queue_next"]
        member = item
        m = w.net.ptr[w.request[item // wide]["route"]] + item % wide
        alone = (
            w.net.ptr[w.request[item // wide]["route"] + 1]
            - w.net.ptr[w.request[item // wide]["route"]]
            == 1
        )
        if alone:
            while member >= 0:
                rest = w.item[member]["batch_next"]
                d = w.net.row[m]["device"]
                settle(w, d)
                w.device[d]["waiting"] -= 1.0
                dispatch(w, member // wide, wide)
                member = rest
        else:
            enqueue(w, item, m, 1)
        item = after


@inner
def repair(w: World, g: int) -> None:
    """Let a unit that was down be there again, on where it is never off or is needed."""
    if w.unit[g]["status"] != DOWN:
        return
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    w.unit[g]["status"] = OFF
    w.live[s]["spare"] += 1
    short = w.rule.replaces and w.live[s]["coming"] < w.live[s]["planned"] - TINY
    # Whoever waits where no unit was left has waited for this one.
    awaited = w.live[s]["head"] >= 0 and w.live[s]["coming"] <= 0.0
    if w.device[d]["never_off"] or short or awaited:
        switch_on(w, g)
