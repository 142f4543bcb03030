"""The choice of a route, which policies and the loop share.

Units are numbered over all devices; a station is the units of a device that serve alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.simulate.kernels.records import EARLIEST, SHARES, TINY, Net, Rule


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


@jit
def admits(job: int, rule: Rule) -> bool:
    """Whether the next request of a job is served: evenly, so many as its part says."""
    part = rule.admit[job]["part"]
    if part >= 1.0:
        return True
    rule.admit[job]["credit"] += part
    if rule.admit[job]["credit"] < 1.0 - TINY:
        return False
    rule.admit[job]["credit"] -= 1.0
    return True


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
