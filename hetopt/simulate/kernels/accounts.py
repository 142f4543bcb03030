"""What devices drew and held over time; whatever changes the power of one settles it first."""

from __future__ import annotations

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.records import (
    ACTIVE,
    BIN_S,
    CAP_W,
    ENERGY,
    NOW,
    OVER_S,
    POWER,
    TINY,
    USED,
    WAITING,
    World,
)


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
        coarsen(w)
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
def coarsen(w: World) -> None:
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
def note_power(w: World) -> None:
    """Note the power of all devices after a change: its peak in this bin."""
    total = 0.0
    for d in range(len(w.device)):
        total += w.device[d]["dynamic_w"] + w.device[d]["still_w"]
    w.real[POWER] = total
    while w.real[NOW] >= w.real[BIN_S] * len(w.peak):
        coarsen(w)
    b = int(w.real[NOW] / w.real[BIN_S])
    if total > w.peak[b]:
        w.peak[b] = total


@inner
def advance_to(w: World, t: float) -> None:
    """Let time pass, of which that above the cap counts."""
    if w.real[POWER] > w.real[CAP_W] * (1.0 + TINY):
        w.real[OVER_S] += t - w.real[NOW]
    w.real[NOW] = t
