"""Bounds of the peak power, by averages over windows of time and by the most demanding task.

Let a window [a, b] hold every run of a set of tasks, as none can start before a or end after b. The
greatest power of a plan is at least its mean over the window. That holds the idle power of what is
always on; the energy above idle of each task, at least that of its thriftiest option; and the idle
power of the other units that run these tasks. A unit that is used draws idle all the time, and
those n of a device with s slots each have n × s × (b - a) of time for its tasks, so n × idle ×
(b - a) >= Σ idle × time / s: each option may count idle / s × its time beside its energy. Where a
is the earliest start of a task and b the latest end of one, by releases, deadlines and longest
chains, the windows are those that can be the best ones.

Without a deadline or horizon b is infinite, and the mean says nothing. A task alone draws its
power and its unit's idle power while it runs, whatever else runs.

Overlaps up to a tolerance, and no more than half of a run, count for no peak: of each energy the
part is left out that this may hide (``surely_apart``). The tolerance is a part of the latest end,
so where there is no latest end means are not used.
"""

from __future__ import annotations

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance

BLUR = 1e-7
"""Part of the times by which tolerances, along a chain, may move what a window holds."""
MOST_STARTS = 200
"""Beginnings of windows that are tried, of all earliest starts."""
MOST_CELLS = 20_000_000
"""Beginnings × tasks that are tried at the most."""


def window_power(start_s: Floats, end_s: Floats, least_j: Floats) -> float:
    """Return the greatest mean power (W) above what is always drawn that a window asks for.

    Parameters
    ----------
    start_s, end_s
        Earliest start and latest end of each task (T), inf: no end.
    least_j
        Energy that each draws at least, idle of units that are not always on included (T).
    """
    finite = np.isfinite(end_s) & (least_j > 0)
    start, end, joules = start_s[finite], end_s[finite], least_j[finite]
    if not len(start):
        return 0.0
    by_end = np.argsort(end, kind="stable")
    start, end, joules = start[by_end], end[by_end], joules[by_end]
    begins = np.unique(start)
    most = max(1, min(MOST_STARTS, MOST_CELLS // len(start)))
    if len(begins) > most:
        begins = begins[np.linspace(0, len(begins) - 1, most).astype(np.int64)]
    best = 0.0
    for begin in begins.tolist():
        inside = start >= begin
        spent = np.cumsum(np.where(inside, joules, 0.0))
        length = (1 + BLUR) * end - (1 - BLUR) * begin
        mean = np.divide(spent, length, out=np.zeros_like(spent), where=inside & (length > 0))
        best = max(best, float(mean.max(initial=0.0)))
    return best


def surely_apart(shortest_s: Floats, last_s: float) -> Floats:
    """Return the part of each task's energy (T) that counts for a peak whatever overlaps are none.

    ``shortest_s`` is the least time of each (T), ``last_s`` the latest end of a plan (inf: none).
    """
    if not np.isfinite(last_s):
        return np.full(len(shortest_s), 0.5)
    slack = 2 * LIMIT_TOLERANCE * last_s
    hidden = np.divide(slack, shortest_s, out=np.full(len(shortest_s), 0.5), where=shortest_s > 0)
    return np.asarray(1 - np.minimum(hidden, 0.5))


def latest_ends(instance: Instance, latest_s: Floats, shortest_s: Floats) -> Floats:
    """Return the latest end of each task (T) such that all that follows it ends in time (s).

    Parameters
    ----------
    latest_s, shortest_s
        Latest end by itself, and least time, of each task (T).
    """
    ptr, edge = (column.tolist() for column in instance.successors)
    after, least = instance.edges.dst.tolist(), shortest_s.tolist()
    ends = latest_s.tolist()
    for task in reversed(instance.topological_order.tolist()):
        for k in range(ptr[task], ptr[task + 1]):
            other = after[edge[k]]
            ends[task] = min(ends[task], ends[other] - least[other])
    return np.array(ends)
