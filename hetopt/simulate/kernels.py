"""The event loop of streams, and the choice of a route, compiled or as plain Python.

Both a policy's ``decide`` and the loop call :func:`choose`, so that a live controller and the
simulator decide alike. Units are numbered over all devices, executions live in a pool, and tasks
of requests are items ``i * P + r``: row r of request i's route. Queues and forming batches are
linked lists of items. Whatever changes the power of a device settles its account first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hetopt.runtime.jit import inner, jit

SHARES, EARLIEST, CHEAPEST = 0, 1, 2
OFF, STARTING, ON, DRAINING, DOWN = 0, 1, 2, 3, 4
END, TIMEOUT, READY, IDLE, ARRIVES, SHARED_END = 0, 1, 2, 3, 4, 5
FAIL, REPAIR, CAP = 0, 1, 2
REACHED, FINISHED, HAPPENED, GROW, STUCK = 0, 1, 2, 3, 4
TINY = 1e-9

NOW, CAP_W, OVER_S, BIN_S, LAST, POWER = 0, 1, 2, 3, 4, 5
NEXT, EXT, HEAP, SEQ, FREE, DONE, LATEST, STARVED, ROOM, BEGUN = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
ENERGY, USED, ACTIVE, WAITING = 0, 1, 2, 3


class Net(NamedTuple):
    """Routes by job, their rows, and what rows are followed by (see ``RouteTable``)."""

    job_ptr: Any
    of_job: Any
    ptr: Any
    row: Any
    out_ptr: Any
    edge: Any
    route: Any


class Rule(NamedTuple):
    """How a route is chosen: the mode, and what is read of each route (``CHOICE``, K).

    ``hold_s`` is how long a unit of each device stays on without work, ``start_s`` what it takes to
    start (D).
    """

    mode: int
    replaces: int
    choice: Any
    hold_s: Any
    start_s: Any


class World(NamedTuple):
    """Everything that the loop reads and writes; records as in :mod:`hetopt.simulate.records`."""

    net: Net
    rule: Rule
    live: Any
    real: Any
    count: Any
    request: Any
    work: Any
    drawn: Any
    item: Any
    form: Any
    unit: Any
    device: Any
    bins: Any
    peak: Any
    run: Any
    heap: Any
    ext: Any
    scratch: Any
    log: Any


@inner
def wait_of(now: float, s: int, share: float, live: Any) -> float:
    """Return how long a task is expected to wait at a station: 0 where a slot is free.

    All that waits, and half of what runs, over the slots of the units that are on.
    """
    servers = live[s]["servers"]
    if servers <= 0.0:
        if live[s]["coming"] <= 0.0:
            return np.inf
        return float(max(0.0, live[s]["ready_s"] - now) + live[s]["waiting_s"] / live[s]["coming"])
    if live[s]["shared"]:
        return 0.0
    if live[s]["waiting_s"] <= 0.0 and live[s]["used"] + share <= servers + TINY:
        return 0.0
    return float((live[s]["waiting_s"] + 0.5 * live[s]["running_s"]) / servers)


@inner
def finish_of(now: float, k: int, net: Net, live: Any, scratch: Any) -> float:
    """Return how long a request is expected to take along a route that it enters now."""
    begin, end = net.ptr[k], net.ptr[k + 1]
    for m in range(begin, end):
        scratch[m - begin] = 0.0
    longest = 0.0
    for m in range(begin, end):
        s = net.row[m]["station"]
        takes = net.row[m]["latency_s"]
        if live[s]["shared"] and live[s]["servers"] > 0.0:
            takes *= max(1.0, (live[s]["used"] + 1.0) / live[s]["servers"])
        done = scratch[m - begin] + wait_of(now, s, net.row[m]["share"], live) + takes
        longest = max(longest, done)
        for e in range(net.out_ptr[m], net.out_ptr[m + 1]):
            r = net.edge[e]["row"]
            scratch[r] = max(scratch[r], done + net.edge[e]["delay_s"])
    return longest


@jit
def choose(now: float, job: int, net: Net, rule: Rule, live: Any, scratch: Any) -> tuple[int, int]:
    """Return the route of the next request of a job, and a station that needs a unit more (-1).

    ``SHARES``: of the routes whose stations are up the one that is furthest behind its share.
    ``EARLIEST``: the one that is expected to end first. ``CHEAPEST``: of those expected to end
    within their limit the one of the least price, else the one that ends first.
    """
    first, last = net.job_ptr[job], net.job_ptr[job + 1]
    if rule.mode == SHARES:
        return _by_share(first, last, net, rule, live), -1
    best, soonest, cheap, least = int(net.of_job[first]), np.inf, -1, np.inf
    for place in range(first, last):
        k = int(net.of_job[place])
        takes = finish_of(now, k, net, live, scratch)
        # Sums of what runs and waits round: what is equal but for that is equal.
        if takes < soonest * (1.0 - TINY):
            best, soonest = k, takes
        if takes <= rule.choice[k]["limit_s"] * (1.0 + TINY):
            price = price_of(k, net, rule, live)
            if price < least:
                cheap, least = k, price
    if rule.mode == EARLIEST:
        return best, -1
    if cheap >= 0:
        return cheap, _short(cheap, net, rule, live)
    for place in range(first, last):
        k = int(net.of_job[place])
        price = price_of(k, net, rule, live)
        if price < least and (soonest == np.inf or _short(k, net, rule, live) >= 0):
            cheap, least = k, price
    if cheap < 0:
        return best, -1
    more = _short(cheap, net, rule, live)
    # What ends soonest takes the request, and that may be the unit that is switched on for it.
    sooner = _after_start(cheap, net, rule) < soonest * (1.0 - TINY)
    return (cheap if sooner else best), more


@inner
def _after_start(k: int, net: Net, rule: Rule) -> float:
    """Return how long a request takes along a route whose units are switched on for it."""
    slowest = 0.0
    for m in range(net.ptr[k], net.ptr[k + 1]):
        slowest = max(slowest, rule.start_s[net.row[m]["device"]])
    return float(slowest + rule.choice[k]["limit_s"] - rule.choice[k]["patience_s"])


@inner
def price_of(k: int, net: Net, rule: Rule, live: Any) -> float:
    """Return what a request is charged for a route; scarce time counts as slots are taken."""
    price = rule.choice[k]["price"]
    scarce = rule.choice[k]["scarcity"]
    if scarce <= 0.0:
        return float(price)
    full = 0.0
    for m in range(net.ptr[k], net.ptr[k + 1]):
        s = net.row[m]["station"]
        if live[s]["servers"] > 0.0:
            full = max(full, min(1.0, live[s]["used"] / live[s]["servers"]))
    return float(price + full * scarce)


@inner
def _short(k: int, net: Net, rule: Rule, live: Any) -> int:
    """Return a station of a route that needs one unit more, -1 where none does.

    It does where a request would wait beyond its patience by the time that a unit is up which is
    switched on now, all those counted that start already.
    """
    for m in range(net.ptr[k], net.ptr[k + 1]):
        s = net.row[m]["station"]
        if live[s]["spare"] <= 0:
            continue
        if live[s]["coming"] <= 0.0:
            return int(s)
        full = live[s]["used"] + net.row[m]["share"] > live[s]["coming"] + TINY
        if not full and live[s]["waiting_s"] <= 0.0:
            continue
        wait = (live[s]["waiting_s"] + 0.5 * live[s]["running_s"]) / live[s]["coming"]
        patience = rule.choice[k]["patience_s"]
        room = max(0.0, patience - rule.start_s[net.row[m]["device"]])
        if wait > room + TINY * (wait + patience):
            return int(s)
    return -1


@inner
def _by_share(first: int, last: int, net: Net, rule: Rule, live: Any) -> int:
    whole = 0.0
    for place in range(first, last):
        k = net.of_job[place]
        if rule.choice[k]["weight"] > 0.0 and _is_up(k, net, live):
            whole += rule.choice[k]["weight"]
    best, most = -1, -np.inf
    for place in range(first, last):
        k = net.of_job[place]
        if rule.choice[k]["weight"] <= 0.0:
            continue
        if whole > 0.0:
            if not _is_up(k, net, live):
                continue
            rule.choice[k]["credit"] += rule.choice[k]["weight"] / whole
        if rule.choice[k]["credit"] > most:
            best, most = k, rule.choice[k]["credit"]
    if best < 0:
        return int(net.of_job[first])
    if whole > 0.0:
        rule.choice[best]["credit"] -= 1.0
    return best


@inner
def _is_up(k: int, net: Net, live: Any) -> bool:
    up = True
    for m in range(net.ptr[k], net.ptr[k + 1]):
        up = up and live[net.row[m]["station"]]["coming"] > 0.0
    return up


@inner
def _push(w: World, t: float, kind: int, a: int, b: int) -> None:
    i = w.count[HEAP]
    w.count[HEAP] += 1
    seq = w.count[SEQ]
    w.count[SEQ] += 1
    while i > 0:
        up = (i - 1) // 2
        if w.heap[up]["t"] < t or (w.heap[up]["t"] == t and w.heap[up]["s"] < seq):
            break
        w.heap[i] = w.heap[up]
        i = up
    w.heap[i]["t"] = t
    w.heap[i]["s"] = seq
    w.heap[i]["kind"] = kind
    w.heap[i]["a"] = a
    w.heap[i]["b"] = b


@inner
def _pop(w: World) -> tuple[int, int, int]:
    kind, a, b = w.heap[0]["kind"], w.heap[0]["a"], w.heap[0]["b"]
    w.count[HEAP] -= 1
    n = w.count[HEAP]
    t, seq = w.heap[n]["t"], w.heap[n]["s"]
    i = 0
    while True:
        low = 2 * i + 1
        if low >= n:
            break
        right = low + 1
        if right < n and _before(w, right, w.heap[low]["t"], w.heap[low]["s"]):
            low = right
        if not _before(w, low, t, seq):
            break
        w.heap[i] = w.heap[low]
        i = low
    w.heap[i] = w.heap[n]
    return kind, a, b


@inner
def _before(w: World, i: int, t: float, seq: int) -> bool:
    at = w.heap[i]["t"]
    return bool(at < t or (at == t and w.heap[i]["s"] < seq))


@inner
def settle(w: World, d: int) -> None:
    """Add to the accounts of a device what it drew and held since they were settled last."""
    now, since = w.real[NOW], w.device[d]["settled"]
    if now <= since:
        return
    w.device[d]["settled"] = now
    draw = w.device[d]["dynamic_w"] + w.device[d]["still_w"]
    active = w.device[d]["active"]
    had = max(active, float(w.device[d]["had"]))
    span = now - since
    w.device[d]["energy_j"] += w.device[d]["dynamic_w"] * span
    w.device[d]["idle_j"] += w.device[d]["still_w"] * span
    w.device[d]["busy_s"] += w.device[d]["used"] * span
    w.device[d]["on_s"] += active * span
    w.device[d]["waiting_s"] += w.device[d]["waiting"] * span
    w.device[d]["had_s"] += had * span
    while now > w.real[BIN_S] * len(w.peak):
        _coarsen(w)
    width = w.real[BIN_S]
    b = int(since / width)
    while since < now and b < len(w.peak):
        until = min(now, (b + 1) * width)
        part = until - since
        w.bins[b, d, ENERGY] += draw * part
        w.bins[b, d, USED] += w.device[d]["used"] * part
        w.bins[b, d, ACTIVE] += active * part
        w.bins[b, d, WAITING] += w.device[d]["waiting"] * part
        since = max(until, since)
        b += 1


@inner
def _coarsen(w: World) -> None:
    """Make bins twice as wide."""
    half = len(w.peak) // 2
    for b in range(half):
        w.peak[b] = max(w.peak[2 * b], w.peak[2 * b + 1])
        for d in range(w.bins.shape[1]):
            for q in range(w.bins.shape[2]):
                w.bins[b, d, q] = w.bins[2 * b, d, q] + w.bins[2 * b + 1, d, q]
    for b in range(half, len(w.peak)):
        w.peak[b] = 0.0
        for d in range(w.bins.shape[1]):
            for q in range(w.bins.shape[2]):
                w.bins[b, d, q] = 0.0
    w.real[BIN_S] *= 2.0


@inner
def _power(w: World) -> None:
    """Note the power of all devices after a change: its peak in this bin."""
    total = 0.0
    for d in range(len(w.device)):
        total += w.device[d]["dynamic_w"] + w.device[d]["still_w"]
    w.real[POWER] = total
    while w.real[NOW] >= w.real[BIN_S] * len(w.peak):
        _coarsen(w)
    b = int(w.real[NOW] / w.real[BIN_S])
    if total > w.peak[b]:
        w.peak[b] = total


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
def _arrive(w: World, item: int, wide: int) -> None:
    """Let an item join its queue, or the batch that forms for it."""
    i = item // wide
    m = w.net.ptr[w.request[i]["route"]] + item % wide
    d = w.net.row[m]["device"]
    settle(w, d)
    w.device[d]["waiting"] += 1.0
    w.item[item]["batch_next"] = -1
    if w.net.row[m]["batch"] <= 1:
        _queue(w, item, m, 1)
        return
    key = w.net.row[m]["key"]
    if w.form[key]["count"] == 0:
        w.form[key]["head"] = item
        _push(w, w.real[NOW] + w.net.row[m]["timeout_s"], TIMEOUT, key, w.form[key]["stamp"])
    else:
        w.item[w.form[key]["tail"]]["batch_next"] = item
    w.form[key]["tail"] = item
    w.form[key]["count"] += 1
    if w.form[key]["count"] >= w.net.row[m]["batch"]:
        _close(w, key, wide)


@inner
def _close(w: World, key: int, wide: int) -> None:
    head, many = w.form[key]["head"], w.form[key]["count"]
    w.form[key]["count"] = 0
    w.form[key]["stamp"] += 1
    m = w.net.ptr[w.request[head // wide]["route"]] + head % wide
    _queue(w, head, m, many)


@inner
def _queue(w: World, item: int, m: int, many: int) -> None:
    s = w.net.row[m]["station"]
    w.item[item]["queue_next"] = -1
    if w.live[s]["head"] < 0:
        w.live[s]["head"] = item
    else:
        w.item[w.live[s]["tail"]]["queue_next"] = item
    w.live[s]["tail"] = item
    w.live[s]["waiting_s"] += w.net.row[m]["share"] * w.net.row[m]["time_s"]
    _wake(w, s)
    _feed(w, s)


@inner
def _feed(w: World, s: int) -> None:
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
        _reckon(w, g)
        w.run[x]["end"] = w.unit[g]["virtual"] + takes
        w.unit[g]["many"] += 1
        w.live[s]["used"] += 1.0
        _share_out(w, g, d)
    else:
        w.unit[g]["many"] += 1
        w.unit[g]["used"] += share
        w.live[s]["used"] += share
        w.device[d]["used"] += share
        w.device[d]["dynamic_w"] += power
        w.run[x]["end"] = w.real[NOW] + takes
        _push(w, w.run[x]["end"], END, x, w.run[x]["stamp"])
    _power(w)
    if len(w.log):
        _note(w, 1, item, g)


@inner
def _reckon(w: World, g: int) -> None:
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
        _push(w, w.real[NOW] + after, SHARED_END, g, w.unit[g]["stamp"])


@inner
def _leave(w: World, x: int) -> None:
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
        w.device[d]["dynamic_w"] -= w.run[x]["power"]
        if w.unit[g]["many"] == 0:
            w.unit[g]["used"] = 0.0
    _power(w)


@inner
def _end(w: World, x: int, wide: int) -> None:
    item, g = w.run[x]["item"], w.run[x]["unit"]
    if w.live[w.unit[g]["station"]]["shared"]:
        _reckon(w, g)
    _leave(w, x)
    if len(w.log):
        _note(w, 2, item, g)
    s = w.unit[g]["station"]
    if w.unit[g]["status"] == DRAINING and w.unit[g]["many"] == 0:
        _go_off(w, g)
    _feed(w, s)
    _went_idle(w, g)
    while item >= 0:
        after = w.item[item]["batch_next"]
        _item_done(w, item, wide)
        item = after


@inner
def _went_idle(w: World, g: int) -> None:
    if w.unit[g]["many"] > 0 or w.unit[g]["status"] != ON:
        return
    d = w.unit[g]["device"]
    w.unit[g]["idle_since"] = w.real[NOW]
    if w.rule.mode == CHEAPEST and not w.device[d]["never_off"]:
        w.unit[g]["stamp"] += 1
        _push(w, w.real[NOW] + w.rule.hold_s[d], IDLE, g, w.unit[g]["stamp"])


@inner
def _item_done(w: World, item: int, wide: int) -> None:
    i = item // wide
    m = w.net.ptr[w.request[i]["route"]] + item % wide
    done = (
        w.real[NOW]
        + w.net.row[m]["after_s"] * w.work[i if len(w.work) > 1 else 0, w.net.row[m]["position"]]
    )
    w.request[i]["finish"] = max(w.request[i]["finish"], done)
    w.request[i]["left"] -= 1
    if w.request[i]["left"] == 0:
        w.count[DONE] += 1
    for e in range(w.net.out_ptr[m], w.net.out_ptr[m + 1]):
        other = i * wide + w.net.edge[e]["row"]
        w.item[other]["ready"] = max(w.item[other]["ready"], done + w.net.edge[e]["delay_s"])
        w.item[other]["before"] -= 1
        if w.item[other]["before"] == 0:
            if w.item[other]["ready"] <= w.real[NOW]:
                _arrive(w, other, wide)
            else:
                _push(w, w.item[other]["ready"], ARRIVES, other, 0)


@inner
def _dispatch(w: World, i: int, wide: int) -> None:
    """Choose the route of a request, and let what waits for nothing join its queue."""
    k, more = choose(w.real[NOW], w.request[i]["job"], w.net, w.rule, w.live, w.scratch)
    w.request[i]["route"] = k
    if len(w.log):
        _note(w, 0, i, k)
    if more >= 0:
        switch_on_at(w, more)
    begin, end = w.net.ptr[k], w.net.ptr[k + 1]
    if w.rule.mode == CHEAPEST:
        for m in range(begin, end):
            _wake(w, w.net.row[m]["station"])
    w.request[i]["left"] = end - begin
    if w.net.route[k]["transfer_j"] > 0.0:
        d = w.net.route[k]["device"]
        settle(w, d)
        w.device[d]["energy_j"] += w.net.route[k]["transfer_j"]
        while w.real[NOW] >= w.real[BIN_S] * len(w.peak):
            _coarsen(w)
        w.bins[int(w.real[NOW] / w.real[BIN_S]), d, ENERGY] += w.net.route[k]["transfer_j"]
    for m in range(begin, end):
        w.item[i * wide + m - begin]["before"] = w.net.row[m]["before"]
        w.item[i * wide + m - begin]["ready"] = w.real[NOW]
    for m in range(begin, end):
        if w.net.row[m]["before"] == 0:
            _arrive(w, i * wide + m - begin, wide)


@inner
def _wake(w: World, s: int) -> None:
    """Switch on a unit where a route leads and none is on."""
    if w.live[s]["coming"] <= 0.0 and w.live[s]["spare"] > 0:
        switch_on_at(w, s)


@inner
def switch_on_at(w: World, s: int) -> None:
    """Switch on a unit of a station that is off."""
    for g in range(len(w.unit)):
        if w.unit[g]["station"] == s and w.unit[g]["status"] in (OFF, DRAINING):
            switch_on(w, g)
            return


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
        _feed(w, s)
        return
    if w.unit[g]["status"] != OFF:
        return
    settle(w, d)
    w.device[d]["active"] += 1.0
    w.live[s]["coming"] += slots
    w.live[s]["spare"] -= 1
    w.unit[g]["stamp"] += 1
    w.device[d]["still_w"] += w.device[d]["idle_w"]
    if w.unit[g]["start_s"] > 0.0:
        w.unit[g]["status"] = STARTING
        w.device[d]["still_w"] += w.unit[g]["start_j"] / w.unit[g]["start_s"]
        ready = w.real[NOW] + w.unit[g]["start_s"]
        w.unit[g]["ready"] = ready
        w.live[s]["ready_s"] = min(w.live[s]["ready_s"], ready)
        _push(w, ready, READY, g, w.unit[g]["stamp"])
        _power(w)
        return
    w.device[d]["idle_j"] += w.unit[g]["start_j"]
    _power(w)
    _go_on(w, g)


@inner
def _go_on(w: World, g: int) -> None:
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    w.unit[g]["status"] = ON
    w.live[s]["servers"] += float(w.device[d]["slots"])
    _next_ready(w, s, d)
    _feed(w, s)
    _went_idle(w, g)


@inner
def _next_ready(w: World, s: int, d: int) -> None:
    if s < 0:
        return
    w.live[s]["ready_s"] = np.inf
    for g in range(w.device[d]["first"], w.device[d]["last"]):
        if w.unit[g]["station"] == s and w.unit[g]["status"] == STARTING:
            w.live[s]["ready_s"] = min(w.live[s]["ready_s"], w.unit[g]["ready"])


@jit
def switch_off(w: World, g: int) -> None:
    """Let a unit go off, once what runs there is done; not the last where work waits."""
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    if s < 0:
        # It is on without a station to serve.
        if w.unit[g]["status"] == ON:
            _go_off(w, g)
        return
    if w.live[s]["head"] >= 0 and w.live[s]["coming"] <= w.device[d]["slots"] + TINY:
        return
    if w.unit[g]["status"] == STARTING:
        settle(w, d)
        w.device[d]["still_w"] -= w.unit[g]["start_j"] / w.unit[g]["start_s"]
        w.live[s]["coming"] -= float(w.device[d]["slots"])
        w.live[s]["spare"] += 1
        _go_off(w, g)
    elif w.unit[g]["status"] == ON:
        w.live[s]["servers"] -= float(w.device[d]["slots"])
        w.live[s]["coming"] -= float(w.device[d]["slots"])
        w.live[s]["spare"] += 1
        if w.unit[g]["many"] == 0:
            _go_off(w, g)
        else:
            w.unit[g]["status"] = DRAINING


@inner
def _go_off(w: World, g: int) -> None:
    d = w.unit[g]["device"]
    settle(w, d)
    w.unit[g]["status"] = OFF
    w.unit[g]["idle_since"] = -1.0
    w.unit[g]["stamp"] += 1
    w.device[d]["active"] -= 1.0
    w.device[d]["still_w"] -= w.device[d]["idle_w"]
    _next_ready(w, w.unit[g]["station"], d)
    _power(w)


@inner
def _fail(w: World, g: int, wide: int) -> None:
    """Lose a unit: what ran there begins anew, first in its queue."""
    if w.unit[g]["status"] == DOWN:
        return
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    was, slots = w.unit[g]["status"], float(w.device[d]["slots"])
    settle(w, d)
    if w.live[s]["shared"] and w.unit[g]["many"] > 0:
        _reckon(w, g)
    while w.unit[g]["head"] >= 0:
        x = w.unit[g]["head"]
        item = w.run[x]["item"]
        _leave(w, x)
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
        w.device[d]["still_w"] -= w.unit[g]["start_j"] / w.unit[g]["start_s"]
        w.live[s]["coming"] -= slots
    else:
        w.live[s]["spare"] -= 1
    if was != OFF:
        w.device[d]["active"] -= 1.0
        w.device[d]["still_w"] -= w.device[d]["idle_w"]
    w.unit[g]["status"] = DOWN
    w.unit[g]["stamp"] += 1
    w.unit[g]["idle_since"] = -1.0
    _next_ready(w, s, d)
    _power(w)
    if w.rule.replaces and was in (ON, STARTING):
        switch_on_at(w, s)
    _feed(w, s)
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
                _dispatch(w, member // wide, wide)
                member = rest
        else:
            _queue(w, item, m, 1)
        item = after


@inner
def _repair(w: World, g: int) -> None:
    if w.unit[g]["status"] != DOWN:
        return
    d, s = w.unit[g]["device"], w.unit[g]["station"]
    w.unit[g]["status"] = OFF
    w.live[s]["spare"] += 1
    if w.device[d]["never_off"] or (
        w.rule.replaces and w.live[s]["coming"] < w.live[s]["planned"] - TINY
    ):
        switch_on(w, g)


@inner
def _note(w: World, kind: int, a: int, b: int) -> None:
    n = int(w.log[0, 0])
    if n + 1 < len(w.log):
        w.log[n + 1, 0], w.log[n + 1, 1] = w.real[NOW], kind
        w.log[n + 1, 2], w.log[n + 1, 3] = a, b
        w.log[0, 0] = n + 1


@inner
def _advance_to(w: World, t: float) -> None:
    if w.real[POWER] > w.real[CAP_W] * (1.0 + TINY):
        w.real[OVER_S] += t - w.real[NOW]
    w.real[NOW] = t


@inner
def _handle(w: World, kind: int, a: int, b: int, wide: int) -> None:
    if kind == END:
        if w.run[a]["stamp"] == b:
            _end(w, a, wide)
    elif kind == SHARED_END:
        if w.unit[a]["stamp"] == b and w.unit[a]["many"] > 0:
            first = w.unit[a]["head"]
            x = first
            while x >= 0:
                if w.run[x]["end"] < w.run[first]["end"]:
                    first = x
                x = w.run[x]["next"]
            _end(w, first, wide)
    elif kind == TIMEOUT:
        if w.form[a]["stamp"] == b:
            _close(w, a, wide)
    elif kind == READY:
        if w.unit[a]["stamp"] == b and w.unit[a]["status"] == STARTING:
            d = w.unit[a]["device"]
            settle(w, d)
            w.device[d]["still_w"] -= w.unit[a]["start_j"] / w.unit[a]["start_s"]
            _power(w)
            _go_on(w, a)
    elif kind == IDLE:
        if w.unit[a]["stamp"] == b and w.unit[a]["status"] == ON and w.unit[a]["many"] == 0:
            switch_off(w, a)
    else:
        _arrive(w, a, wide)


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
            _went_idle(w, g)
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
        if t >= until:
            if until == np.inf:
                return STUCK
            _advance_to(w, until)
            return REACHED
        _advance_to(w, t)
        if what == 0:
            kind, a, b = _pop(w)
            _handle(w, kind, a, b, wide)
        elif what == 2:
            i = w.count[NEXT]
            w.count[NEXT] += 1
            _dispatch(w, i, wide)
        else:
            e = w.count[EXT]
            w.count[EXT] += 1
            w.count[LATEST] = e
            if w.ext[e]["kind"] == FAIL:
                _fail(w, w.ext[e]["unit"], wide)
            elif w.ext[e]["kind"] == REPAIR:
                _repair(w, w.ext[e]["unit"])
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
        _feed(w, s)


@jit
def close_accounts(w: World) -> None:
    """Settle all devices at the end of the run: when the last request is done."""
    last = w.real[NOW]
    for i in range(len(w.request)):
        last = max(last, w.request[i]["finish"])
    _advance_to(w, last)
    for d in range(len(w.device)):
        settle(w, d)
