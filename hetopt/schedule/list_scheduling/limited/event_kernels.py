"""What comes next under limits: the heap of events, and the task next in turn on each unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner
from hetopt.schedule.list_scheduling.limited.records import (
    CHOICE,
    DEVICE,
    EARLIEST,
    HEAD,
    HEAP,
    IS,
    KINDS,
    PENDING,
    READY,
    SETUP,
    STATE,
    UNIT,
    Limits,
)


@inner
def push(time: float, code: int, limits: Limits) -> None:
    """Add an event; of equal times ends come before requests, and lower ids first."""
    heap_t, heap_c = limits.heap_t, limits.heap_c
    i = limits.count[HEAP]
    limits.count[HEAP] = i + 1
    while i > 0:
        up = (i - 1) // 2
        if heap_t[up] < time or (heap_t[up] == time and heap_c[up] % KINDS <= code % KINDS):
            break
        heap_t[i], heap_c[i] = heap_t[up], heap_c[up]
        i = up
    heap_t[i], heap_c[i] = time, code


@inner
def pop(limits: Limits) -> int:
    """Take the first event; return its code."""
    heap_t, heap_c = limits.heap_t, limits.heap_c
    code = heap_c[0]
    n = limits.count[HEAP] - 1
    limits.count[HEAP] = n
    time, moved = heap_t[n], heap_c[n]
    i = 0
    while True:
        k = 2 * i + 1
        if k >= n:
            break
        if k + 1 < n and (
            heap_t[k + 1] < heap_t[k]
            or (heap_t[k + 1] == heap_t[k] and heap_c[k + 1] % KINDS < heap_c[k] % KINDS)
        ):
            k += 1
        if heap_t[k] > time or (heap_t[k] == time and heap_c[k] % KINDS >= moved % KINDS):
            break
        heap_t[i], heap_c[i] = heap_t[k], heap_c[k]
        i = k
    heap_t[i], heap_c[i] = time, moved
    return int(code)


@inner
def first_lane(unit: int, units: Any, limits: Limits) -> int:
    """Return the slot of a unit that is free first."""
    lane = units[unit, 1]
    for other in range(lane + 1, units[unit + 1, 1]):
        if limits.lane[other] < limits.lane[lane]:
            lane = other
    return int(lane)


@inner
def turn(unit: int, now: float, units: Any, limits: Limits) -> None:
    """Say when the next task of a unit may start, as far as is known; inf where its data lack."""
    task = limits.unit_c[HEAD, unit]
    limits.unit_s[EARLIEST, unit] = np.inf
    if task < 0 or limits.task_c[PENDING, task] > 0:
        return
    start = max(now, limits.task_s[READY, task])
    # A set-up is right before its task, and may precede the task's data.
    free = limits.lane[first_lane(unit, units, limits)] + limits.unit_s[SETUP, unit]
    limits.unit_s[EARLIEST, unit] = max(start, free)


@inner
def prepare(unit: int, seq: Any, limits: Limits) -> None:
    """Say how long the set-up before the next task of a unit takes."""
    limits.unit_s[SETUP, unit] = 0.0
    task = limits.unit_c[HEAD, unit]
    if task >= 0 and len(limits.first) > 0:
        wanted = limits.choice_i[seq[CHOICE, task], STATE]
        if wanted >= 0:
            device, loaded = limits.unit_i[unit, DEVICE], limits.unit_c[IS, unit]
            limits.unit_s[SETUP, unit] = limits.change_t[device, loaded, wanted]


@inner
def set_up(choice: int, unit: int, limits: Limits) -> None:
    """Load what a choice needs, and pay for it."""
    wanted = limits.choice_i[choice, STATE]
    if wanted >= 0:
        device, loaded = limits.unit_i[unit, DEVICE], limits.unit_c[IS, unit]
        limits.paid[0] += limits.change_c[device, loaded, wanted]
        limits.unit_c[IS, unit] = wanted


@inner
def arrive(task: int, time: float, now: float, seq: Any, units: Any, limits: Limits) -> None:
    """Note that one input of a task is there from a time on."""
    limits.task_c[PENDING, task] -= 1
    limits.task_s[READY, task] = max(limits.task_s[READY, task], time)
    unit = seq[UNIT, task]
    if limits.task_c[PENDING, task] == 0 and limits.unit_c[HEAD, unit] == task:
        turn(unit, now, units, limits)
