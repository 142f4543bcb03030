"""Memory and transfers under limits: what units hold, and hops that wait for room and channels.

A task takes its working memory, and its outputs until the last of their readers there and of their
first hops has ended; a transfer takes room for the copy from its first hop on. Transfers start as
soon as their data, a channel of each hop, and room for the copy are there (and what the task that
is next on that unit needs besides, unless it waits for this very copy).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner
from hetopt.schedule.list_scheduling.limited.event_kernels import arrive, first_lane, push, turn
from hetopt.schedule.list_scheduling.limited.records import (
    AT,
    BLOCKED,
    CHOICE,
    DEVICE,
    HEAD,
    HELD,
    HOP,
    HOP_ENDS,
    KINDS,
    LEGS,
    MARK,
    MOST_HOPS,
    OVERLAP,
    POOL,
    REMEMBERS,
    REQUESTED,
    TENSOR,
    UNIT,
    WORKING,
    Limits,
)


@inner
def hold(unit: int, bytes_b: float, limits: Limits) -> None:
    """Take memory of a unit, and of its pool; give it back where ``bytes_b`` is negative."""
    limits.unit_s[HELD, unit] += bytes_b
    pool = limits.unit_i[unit, POOL]
    if pool >= 0:
        limits.pool_s[pool] += bytes_b


@inner
def lacking(unit: int, bytes_b: float, limits: Limits) -> Any:
    """Bytes that a unit, or its pool, has too few of, relative to its memory; 0: there is room."""
    lack = 0.0
    held = limits.unit_s[HELD, unit] + bytes_b
    if held > limits.memory[unit]:
        lack += (held - limits.memory[unit]) / max(limits.memory[unit], 1.0)
    pool = limits.unit_i[unit, POOL]
    if pool >= 0 and limits.pool_s[pool] + bytes_b > limits.pool_b[pool]:
        lack += (limits.pool_s[pool] + bytes_b - limits.pool_b[pool]) / max(
            limits.pool_b[pool], 1.0
        )
    return lack


@inner
def reads(tensor: int, task: int, limits: Limits) -> bool:
    """Whether a task reads a tensor."""
    for k in range(limits.read_ptr[tensor], limits.read_ptr[tensor + 1]):
        if limits.reader[k] == task:
            return True
    return False


@inner
def send(
    leg: int, now: float, forced: int, seq: Any, units: Any, bytes_b: Any, limits: Limits
) -> Any:
    """Start the next hop of a transfer if it may; return the excess, -1 where it has to wait."""
    n, there, hop = limits.leg_i[leg, TENSOR], limits.leg_i[leg, AT], limits.leg_i[leg, HOP]
    here = seq[UNIT, limits.home[n, 1]]
    pair = limits.unit_i[here, DEVICE] * len(limits.free) + limits.unit_i[there, DEVICE]
    row = limits.hop_ptr[pair] + hop
    last = row + 1 == limits.hop_ptr[pair + 1]
    group, size = limits.hop_i[row], bytes_b[n]
    if group >= 0 and limits.busy[group] >= limits.channels[group]:
        return -1.0
    lane_here, lane_there, over = -1, -1, 0.0
    if hop == 0 and limits.unit_i[here, OVERLAP] == 0:
        lane_here = first_lane(here, units, limits)
        if limits.lane[lane_here] > now:
            return -1.0
    if last and limits.unit_i[there, OVERLAP] == 0:
        lane_there = first_lane(there, units, limits)
        if limits.lane[lane_there] > now:
            return -1.0
    if hop == 0 and limits.count[REMEMBERS]:
        over = lacking(there, size, limits)
        if forced == 0:
            if over > 0:
                return -1.0
            head = limits.unit_c[HEAD, there]
            if head >= 0:
                need = limits.choice_f[seq[CHOICE, head], WORKING] + limits.out_b[head]
                if lacking(there, size + need, limits) > 0 and not reads(n, head, limits):
                    return -1.0
        hold(there, size, limits)
    rounded = limits.hop_f[row, 0] + size * limits.hop_f[row, 1] + limits.hop_f[row, 2]
    end = now + np.floor(rounded)
    limits.leg_s[leg, hop] = now
    limits.leg_i[leg, HOP] = hop + 1
    if group >= 0:
        limits.busy[group] += 1
    for side in range(2):
        lane, unit = (lane_here, here) if side == 0 else (lane_there, there)
        if lane >= 0:
            limits.lane[lane] = end
            if limits.unit_c[BLOCKED, unit] == 0:
                turn(unit, now, units, limits)
    push(end, (leg * limits.count[MOST_HOPS] + hop) * KINDS + HOP_ENDS, limits)
    if not last:
        push(end, leg * KINDS + REQUESTED, limits)
        return over
    for k in range(limits.read_ptr[n], limits.read_ptr[n + 1]):
        task = limits.reader[k]
        if seq[UNIT, task] == there:
            arrive(task, end, now, seq, units, limits)
    return over


@inner
def leave(tensor: int, unit: int, bytes_b: Any, limits: Limits) -> None:
    """Note that a reader of an output on its own unit, or a first hop, has ended."""
    limits.home[tensor, 0] -= 1
    if limits.home[tensor, 0] == 0:
        hold(unit, -bytes_b[tensor], limits)


@inner
def produce(task: int, done: float, seq: Any, bytes_b: Any, limits: Limits) -> None:
    """Ask for the transfers of a task's outputs when it has ended; count who keeps them."""
    unit = seq[UNIT, task]
    device = limits.unit_i[unit, DEVICE]
    for k in range(limits.made_ptr[task], limits.made_ptr[task + 1]):
        n = limits.made[k]
        limits.home[n, 0] = 0
        for r in range(limits.read_ptr[n], limits.read_ptr[n + 1]):
            there = seq[UNIT, limits.reader[r]]
            if there == unit or limits.free[device, limits.unit_i[there, DEVICE]]:
                limits.home[n, 0] += 1
                continue
            if limits.unit_c[MARK, there] != n:
                limits.unit_c[MARK, there] = n
                leg = limits.count[LEGS]
                limits.count[LEGS] = leg + 1
                limits.leg_i[leg, TENSOR], limits.leg_i[leg, AT], limits.leg_i[leg, HOP] = (
                    n,
                    there,
                    0,
                )
                push(done, leg * KINDS + REQUESTED, limits)
                limits.home[n, 0] += 1
                if limits.count[REMEMBERS]:
                    limits.waiting[n, there] = 0
            if limits.count[REMEMBERS]:
                limits.waiting[n, there] += 1
