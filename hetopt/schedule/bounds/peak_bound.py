"""Bounds of the peak power, by averages over windows of time and by the most demanding task.

Let a window [a, b] hold every run of a set of tasks, as none can start before a or end after b. The
greatest power of a plan is at least its mean over the window. That holds the idle power of what is
always on; the energy above idle of each task, at least that of its thriftiest option; and the idle
power of the other units that run these tasks. A unit that is used draws idle all the time, and
those n of a device with s slots each have n × s × (b - a) of time for its tasks, so n × idle ×
(b - a) >= Σ idle × time / s: each option may count idle / s × its time beside its energy. Where a
is the earliest start of a task and b the latest end of one, by releases, deadlines and longest
chains, the windows are those that can be the best ones. Of the window that holds all tasks the load
relaxation, which knows how much time devices have, gives a mean too (``load_power``).

Without a deadline or horizon b is infinite, and the mean says nothing. A task alone draws its
power and its unit's idle power while it runs, whatever else runs.

Overlaps up to a tolerance, and no more than half of a run, count for no peak: of each energy the
part is left out that this may hide (``surely_apart``). The tolerance is a part of the latest end,
so where there is no latest end means are not used.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance
from hetopt.schedule.bounds.load_bound import Load, load_bound

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


def load_power(instance: Instance, load: Load, first_s: float, last_s: float, part: float) -> float:
    """Return the mean power (W) that any plan exceeds somewhere, by the load relaxation; 0: none.

    All runs of a plan lie in the window from ``first_s`` to ``last_s``, of length L. What is drawn
    in it at the powers that ``peak_power`` counts is L × idle power of units on, which are on for
    the whole of a plan's own window, and the energy of the options that take time: transfers, what
    going on takes and options of no time have no power there, set-ups and waking only add to it,
    and none of these is counted here. (The instance is one without sleep whose power is no more
    than the true one's at every instant.) A plan that ends before ``last_s``, or whose own window
    is shorter, draws the same energy in less time, beside the same idle power: its mean is no less.

    The relaxation with its makespan fixed at L asks for no more of that plan: the tasks of the n
    units of a device with s slots take n × s × L of time at the most, and idle power is paid for
    these n units, or for those that are always on. So its least energy over L is no more than the
    mean, nor than the greatest power. Where resources slow what runs, it takes the longer and draws
    the same energy, so both still hold.

    Of each run at least the part ``part`` lies apart from others, as the checker sees it: so L is
    taken longer by that, which makes room for all, and the idle power of units that are always on
    is all that is not taken down by it.

    Parameters
    ----------
    part
        The least part of :func:`surely_apart` of all options that take time.
    """
    long = ((1 + BLUR) * last_s - (1 - BLUR) * first_s) / part
    if not 0 < long < math.inf:
        return 0.0
    options = instance.options
    energy = np.where(options.time_s > 0, options.energy_j, 0.0)
    seen = replace(
        instance,
        options=replace(options, energy_j=energy),
        limits=replace(instance.limits, horizon_s=math.inf),
    )
    found = load_bound(seen, load, "energy", long, long).value
    return found / long if math.isfinite(found) else 0.0


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
