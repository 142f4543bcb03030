"""Executions that slow each other down: what runs on devices joined by resources that slow.

Each progresses at the rate of docs/quantities.md, which changes only as one of its domain starts or
ends. Rates are found anew once all has happened that happens at one instant, right before time
passes: so no power is noted that was never drawn. The first end of a domain is one event; a later
number of the domain's changes makes it void.
"""

from __future__ import annotations

import numpy as np

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.accounts import note_power, settle
from hetopt.simulate.kernels.heap import push
from hetopt.simulate.kernels.records import NOW, RETIME, SLOW_END, World


@inner
def join_slowed(w: World, x: int, g: int, takes: float) -> None:
    """Let an execution begin in a domain; its rate, and so its power, follow in this instant."""
    w.run[x]["left"], w.run[x]["rate"], w.run[x]["since"] = takes, 0.0, w.real[NOW]
    w.run[x]["end"] = np.inf
    head = w.slow.domain[g]["head"]
    w.run[x]["slow_next"], w.run[x]["slow_before"] = head, -1
    if head >= 0:
        w.run[head]["slow_before"] = x
    w.slow.domain[g]["head"] = x
    w.slow.domain[g]["changed"] = 1
    w.count[RETIME] = 1


@inner
def leave_slowed(w: World, x: int, d: int) -> None:
    """Take an execution out of its domain, as it ended or was lost."""
    g = w.run[x]["domain"]
    before, after = w.run[x]["slow_before"], w.run[x]["slow_next"]
    if before >= 0:
        w.run[before]["slow_next"] = after
    else:
        w.slow.domain[g]["head"] = after
    if after >= 0:
        w.run[after]["slow_before"] = before
    w.device[d]["dynamic_w"] -= w.run[x]["power"] * w.run[x]["rate"]
    w.slow.domain[g]["changed"] = 1
    w.count[RETIME] = 1


@inner
def first_slowed(w: World, g: int) -> int:
    """Return the execution of a domain that ends first."""
    first = w.slow.domain[g]["head"]
    x = first
    while x >= 0:
        if w.run[x]["end"] < w.run[first]["end"]:
            first = x
        x = w.run[x]["slow_next"]
    return int(first)


@inner
def retime(w: World) -> None:
    """Find the rates, ends and powers in all domains in which something started or ended."""
    w.count[RETIME] = 0
    for g in range(len(w.slow.domain)):
        if w.slow.domain[g]["changed"]:
            w.slow.domain[g]["changed"] = 0
            w.slow.domain[g]["stamp"] += 1
            _speeds(w, g)
            _rates(w, g)
            first = first_slowed(w, g)
            if first >= 0:
                push(w, w.run[first]["end"], SLOW_END, g, w.slow.domain[g]["stamp"])
    note_power(w)


@inner
def _speeds(w: World, g: int) -> None:
    """Find the speed at which each resource of a domain lets run what asks for it."""
    slow = w.slow
    for k in range(len(slow.resource)):
        if slow.resource[k]["domain"] == g:
            slow.resource[k]["asked"], slow.resource[k]["runs"] = 0.0, 0
    x = slow.domain[g]["head"]
    while x >= 0:
        option = w.run[x]["option"]
        for e in range(slow.ptr[option], slow.ptr[option + 1]):
            k = slow.ask[e]["resource"]
            slow.resource[k]["asked"] += slow.ask[e]["amount"]
            slow.resource[k]["runs"] += 1
        x = w.run[x]["slow_next"]
    for k in range(len(slow.resource)):
        if slow.resource[k]["domain"] == g and slow.resource[k]["runs"] > 0:
            speed = min(1.0, slow.resource[k]["capacity"] / slow.resource[k]["asked"])
            if slow.resource[k]["runs"] > 1:
                speed *= 1.0 - slow.resource[k]["loss"]
            slow.resource[k]["speed"] = speed


@inner
def _rates(w: World, g: int) -> None:
    """Give each execution of a domain its rate, and its end where that has changed."""
    slow, now = w.slow, w.real[NOW]
    x = slow.domain[g]["head"]
    while x >= 0:
        option, old = w.run[x]["option"], w.run[x]["rate"]
        rate = 1.0
        for e in range(slow.ptr[option], slow.ptr[option + 1]):
            rate = min(rate, slow.resource[slow.ask[e]["resource"]]["speed"])
        if rate != old:
            d = w.unit[w.run[x]["unit"]]["device"]
            settle(w, d)
            w.device[d]["dynamic_w"] += w.run[x]["power"] * rate - w.run[x]["power"] * old
            left = max(0.0, w.run[x]["left"] - old * (now - w.run[x]["since"]))
            w.run[x]["left"], w.run[x]["rate"], w.run[x]["since"] = left, rate, now
            w.run[x]["end"] = now + left / rate
        x = w.run[x]["slow_next"]
