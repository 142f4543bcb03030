"""Resources that slow what runs on them: what is left of each, and its rate.

Ends follow from what else starts, so that they are no events in the heap: what runs is kept in a
list, each with the time at full speed that is left of it and its rate, which change where one of
them starts or ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner
from hetopt.schedule.list_scheduling.limited.records import (
    CHOICE,
    LEFT,
    NOISE,
    RATE,
    RUNNING,
    USE,
    USE_END,
    WHO,
    Limits,
)


@inner
def pass_to(now: float, limits: Limits) -> None:
    """Let what runs on resources that slow progress up to a time."""
    for i in range(limits.count[RUNNING]):
        left = limits.left[i, LEFT] - limits.left[i, RATE] * (now - limits.since[0])
        limits.left[i, LEFT] = max(left, 0.0)
    limits.since[0] = now


@inner
def set_rates(seq: Any, limits: Limits) -> None:
    """Give what runs on resources that slow the rates that the demands of the moment allow."""
    for i in range(limits.count[RUNNING]):
        choice = seq[CHOICE, limits.running[i, WHO]]
        rate = 1.0
        for k in range(limits.choice_i[choice, USE], limits.choice_i[choice, USE_END]):
            r = limits.use_i[k]
            if limits.kept[r] >= 0:
                share = 1.0
                if limits.level[r] > limits.capacity[r]:
                    share = limits.capacity[r] / limits.level[r]
                if limits.users[r] > 1:
                    share *= limits.kept[r]
                if share < rate:
                    rate = share
        limits.left[i, RATE] = rate


@inner
def first_of_running(limits: Limits) -> int:
    """Return which of those that run on resources that slow ends first, -1: none runs."""
    first, soonest = -1, np.inf
    for i in range(limits.count[RUNNING]):
        left = limits.left[i, LEFT] / limits.left[i, RATE]
        if left < soonest:
            first, soonest = i, left
    return first


@inner
def stop_running(i: int, limits: Limits) -> None:
    """Take one off those that run; what ends with it but for noise ends now, too."""
    last = limits.count[RUNNING] - 1
    limits.count[RUNNING] = last
    for k in range(2):
        limits.running[i, k], limits.left[i, k] = limits.running[last, k], limits.left[last, k]
    for j in range(last):
        if limits.left[j, LEFT] <= limits.since[0] * (NOISE - 1.0):
            limits.left[j, LEFT] = 0.0
