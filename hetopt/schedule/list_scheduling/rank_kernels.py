"""Priorities over the task graph: the loops of :mod:`hetopt.schedule.list_scheduling.priorities`.

The functions are written in the subset of Python that Numba compiles, and make no arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import jit


def _tails(order: Any, ptr: Any, other: Any, message: Any, length: Any, tails: Any) -> None:
    """Greatest sum of lengths and messages along a path from each task, itself not included.

    ``order`` holds every task after all those that ``other`` lists for it.
    """
    for i in range(len(order)):
        t = order[i]
        found = 0.0
        for k in range(ptr[t], ptr[t + 1]):
            found = max(found, message[k] + length[other[k]] + tails[other[k]])
        tails[t] = found


tails = jit(_tails)


def _latest(order: Any, ptr: Any, other: Any, message: Any, length: Any, latest: Any) -> None:
    """Lower each task's latest end to what all that follow it allow, in place."""
    for i in range(len(order)):
        t = order[i]
        for k in range(ptr[t], ptr[t + 1]):
            latest[t] = min(latest[t], latest[other[k]] - length[other[k]] - message[k])


latest = jit(_latest)


def _optimistic_costs(
    order: Any, ptr: Any, other: Any, message: Any, member: Any, factor: Any, time: Any, table: Any
) -> None:
    """PEFT's optimistic cost table (n × D): the least time left from the task's end there.

    ``time`` (K × D) holds the shortest option of each class on each device, inf where none.
    """
    wide = time.shape[1]
    for i in range(len(order)):
        t = order[i]
        for d in range(wide):
            table[t, d] = 0.0
        for k in range(ptr[t], ptr[t + 1]):
            c = other[k]
            anywhere = np.inf
            for d in range(wide):
                anywhere = min(anywhere, table[c, d] + time[member[c], d] * factor[c])
            anywhere += message[k]
            for d in range(wide):
                least = min(anywhere, table[c, d] + time[member[c], d] * factor[c])
                table[t, d] = max(table[t, d], least)


optimistic_costs = jit(_optimistic_costs)
