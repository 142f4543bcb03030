"""What runs: tasks of requests, alone or in batches, on the slots of units.

Executions live in a pool; those of a unit are a linked list.
"""

from __future__ import annotations

import numpy as np

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.accounts import note_power, settle
from hetopt.simulate.kernels.heap import push
from hetopt.simulate.kernels.records import END, FREE, NOW, ON, SHARED_END, STARVED, TINY, World
from hetopt.simulate.kernels.slowing import join_slowed, leave_slowed


@inner
def _work(w: World, i: int, m: int) -> float:
    return float(w.work[i if len(w.work) > 1 else 0, w.net.row[m]["position"]])


@inner
def _time(w: World, m: int, item: int, wide: int) -> float:
    """Return the true time of an item: drawn as the option's interval says, times its work."""
    i = item // wide
    takes: float = w.net.row[m]["time_s"] * _work(w, i, m)
    if len(w.drawn):
        z = w.drawn[i, w.net.row[m]["position"]]
        takes *= np.exp(z * (w.net.row[m]["low"] if z < 0.0 else w.net.row[m]["high"]))
    return takes


@inner
def feed(w: World, s: int) -> None:
    """Start what waits at a station while units have room for the first in its queue."""
    wide = len(w.item) // len(w.request)
    while w.live[s]["head"] >= 0:
        item = w.live[s]["head"]
        m = w.net.ptr[w.request[item // wide]["route"]] + item % wide
        g = _unit_for(w, s, m)
        if g < 0:
            return
        if w.count[FREE] < 0:
            w.count[STARVED] = 1
            return
        w.live[s]["head"] = w.item[item]["queue_next"]
        w.live[s]["waiting_s"] -= w.net.row[m]["share"] * w.net.row[m]["time_s"]
        if w.live[s]["head"] < 0:
            w.live[s]["waiting_s"] = 0.0
        _start(w, item, m, g, s, wide)


@inner
def _unit_for(w: World, s: int, m: int) -> int:
    d, share = w.net.row[m]["device"], w.net.row[m]["share"]
    live = w.live
    if live[s]["servers"] <= 0.0:
        return -1
    if not live[s]["shared"] and live[s]["used"] + share > live[s]["servers"] + TINY:
        return -1
    best, least = -1, np.inf
    for g in range(w.device[d]["first"], w.device[d]["last"]):
        if w.unit[g]["station"] != s or w.unit[g]["status"] != ON:
            continue
        if live[s]["shared"]:
            if w.unit[g]["many"] < least:
                best, least = g, float(w.unit[g]["many"])
        elif w.unit[g]["used"] + share <= w.device[d]["slots"] + TINY:
            return g
    return best


@inner
def _start(w: World, item: int, m: int, g: int, s: int, wide: int) -> None:
    d = w.net.row[m]["device"]
    takes, many, member = 0.0, 0, item
    while member >= 0:
        takes = max(takes, _time(w, m, member, wide))
        many += 1
        member = w.item[member]["batch_next"]
    x = w.count[FREE]
    w.count[FREE] = w.run[x]["next"]
    full = w.net.row[m]["time_s"]
    # Energy grows with the work as time does, so power is that of the option.
    power = w.net.row[m]["energy_j"] / full if full > 0.0 else 0.0
    share = w.net.row[m]["share"]
    w.run[x]["item"], w.run[x]["unit"], w.run[x]["share"], w.run[x]["power"] = item, g, share, power
    w.run[x]["expected"] = share * full
    option = w.net.row[m]["option"]
    w.run[x]["option"] = option
    # What takes no time neither slows nor is slowed.
    domain = w.slow.domain_of[option] if takes > 0.0 else -1
    w.run[x]["domain"] = domain
    w.run[x]["next"], w.run[x]["before"] = w.unit[g]["head"], -1
    if w.unit[g]["head"] >= 0:
        w.run[w.unit[g]["head"]]["before"] = x
    w.unit[g]["head"] = x
    settle(w, d)
    w.device[d]["waiting"] -= many
    w.live[s]["running_s"] += w.run[x]["expected"]
    w.unit[g]["idle_since"] = -1.0
    w.unit[g]["stamp"] += 1
    if w.live[s]["shared"]:
        reckon(w, g)
        w.run[x]["end"] = w.unit[g]["virtual"] + takes
        w.unit[g]["many"] += 1
        w.live[s]["used"] += 1.0
        _share_out(w, g, d)
    else:
        w.unit[g]["many"] += 1
        w.unit[g]["used"] += share
        w.live[s]["used"] += share
        w.device[d]["used"] += share
        if domain >= 0:
            join_slowed(w, x, domain, takes)
        else:
            w.device[d]["dynamic_w"] += power
            w.run[x]["end"] = w.real[NOW] + takes
            push(w, w.run[x]["end"], END, x, w.run[x]["stamp"])
    note_power(w)
    if len(w.log):
        note(w, 1, item, g)


@inner
def reckon(w: World, g: int) -> None:
    """Bring the virtual time of a unit whose requests run at once up to now."""
    now, many = w.real[NOW], w.unit[g]["many"]
    if many > 0:
        rate = min(1.0, w.device[w.unit[g]["device"]]["slots"] / many)
        w.unit[g]["virtual"] += (now - w.unit[g]["settled"]) * rate
    w.unit[g]["settled"] = now


@inner
def _share_out(w: World, g: int, d: int) -> None:
    """Give each request at a unit its part, and say when the first of them ends."""
    many = w.unit[g]["many"]
    rate = min(1.0, w.device[d]["slots"] / many) if many > 0 else 1.0
    first, power = np.inf, 0.0
    x = w.unit[g]["head"]
    while x >= 0:
        first = min(first, w.run[x]["end"])
        power += w.run[x]["power"] * rate
        x = w.run[x]["next"]
    used = min(float(many), float(w.device[d]["slots"]))
    w.device[d]["used"] += used - w.unit[g]["used"]
    w.unit[g]["used"] = used
    w.device[d]["dynamic_w"] += power - w.unit[g]["power"]
    w.unit[g]["power"] = power
    if many > 0:
        after = max(0.0, first - w.unit[g]["virtual"]) / rate
        push(w, w.real[NOW] + after, SHARED_END, g, w.unit[g]["stamp"])


@inner
def leave(w: World, x: int) -> None:
    """Take an execution off its unit, as it ended or was lost."""
    g = w.run[x]["unit"]
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    settle(w, d)
    w.run[x]["stamp"] += 1
    before, after = w.run[x]["before"], w.run[x]["next"]
    if before >= 0:
        w.run[before]["next"] = after
    else:
        w.unit[g]["head"] = after
    if after >= 0:
        w.run[after]["before"] = before
    w.run[x]["next"] = w.count[FREE]
    w.count[FREE] = x
    w.live[s]["running_s"] -= w.run[x]["expected"]
    w.unit[g]["stamp"] += 1
    if w.live[s]["shared"]:
        w.unit[g]["many"] -= 1
        w.live[s]["used"] -= 1.0
        _share_out(w, g, d)
    else:
        w.unit[g]["many"] -= 1
        w.unit[g]["used"] -= w.run[x]["share"]
        w.live[s]["used"] -= w.run[x]["share"]
        w.device[d]["used"] -= w.run[x]["share"]
        if w.run[x]["domain"] >= 0:
            leave_slowed(w, x, d)
        else:
            w.device[d]["dynamic_w"] -= w.run[x]["power"]
        if w.unit[g]["many"] == 0:
            w.unit[g]["used"] = 0.0
    note_power(w)


@inner
def note(w: World, kind: int, a: int, b: int) -> None:
    """Log a decision, a start or an end, while there is room."""
    n = int(w.log[0, 0])
    if n + 1 < len(w.log):
        w.log[n + 1, 0], w.log[n + 1, 1] = w.real[NOW], kind
        w.log[n + 1, 2], w.log[n + 1, 3] = a, b
        w.log[0, 0] = n + 1
