"""Exhaustive search over integer starts of a few items, compiled.

Items (tasks and hops) come in topological order. An occupation takes an amount of a resource from
the start of one item to the latest end of a set of items.
"""

from __future__ import annotations

import numba
import numpy as np

TOLERANCE = 1e-9


@numba.njit(cache=True)
def less(a, b):
    """Whether vector a is lexicographically below b, beyond the tolerance."""
    for k in range(len(a)):
        slack = TOLERANCE * abs(b[k])
        if a[k] < b[k] - slack:
            return True
        if a[k] > b[k] + slack:
            return False
    return False


@numba.njit(cache=True)
def search(
    length,  # (n) ticks
    low,  # (n) earliest start
    high,  # (n) latest start
    tail,  # (n) least time from an item's end to the last end behind it
    before,  # (n, n) before[i, j]: item i waits for item j
    task_job,  # (n) job of a task, -1 for hops
    due,  # (jobs) ticks, -1 where none
    weight,  # (jobs)
    occ_start,  # (m) item
    occ_members,  # (m, n)
    occ_resource,  # (m)
    occ_amount,  # (m)
    capacity,  # (resources) with the tolerance of limits
    power,  # index of the power resource
    const,  # (levels)
    per_makespan,
    per_tardiness,
    per_peak,
    glued,  # (n) the item at whose end this one starts exactly, -1: none
    priced,  # (levels, n, ticks) what an item costs by its start
    windowed,  # (levels, ticks) what a makespan costs
    best,  # (levels) in and out: the best vector known
    limit,  # nodes
):
    """Improve ``best`` in place; return (nodes visited, -1 beyond the limit; whether improved)."""
    n = len(length)
    horizon = 1
    for i in range(n):
        horizon = max(horizon, high[i] + length[i])
    touches = np.zeros((n, len(capacity)), dtype=np.bool_)
    for o in range(len(occ_start)):
        touches[occ_start[o], occ_resource[o]] = True
        for i in range(n):
            if occ_members[o, i]:
                touches[i, occ_resource[o]] = True
    start = np.zeros(n, dtype=np.int64)
    peaks = np.zeros(n + 1)
    profile = np.zeros(horizon + 1)
    vector = np.zeros(len(const))
    job_end = np.zeros(len(due), dtype=np.int64)
    monotone = True
    levels = len(const)
    rest = np.zeros((levels, n + 1))
    for k in range(levels):
        monotone = monotone and per_peak[k] == 0
        for i in range(n - 1, -1, -1):
            own = priced[k, i, low[i] : high[i] + 1]
            monotone = monotone and own.min() == own.max()
            rest[k, i] = rest[k, i + 1] + own.min()
    paid = np.zeros((levels, n + 1))
    static = 0
    for i in range(n):
        static = max(static, low[i] + length[i] + tail[i])
    improved = False
    nodes = 0
    at = 0
    start[0] = low[0] - 1
    while at >= 0:
        start[at] += 1
        if glued[at] >= 0:
            only = start[glued[at]] + length[glued[at]]
            if start[at] > only:
                at -= 1
                continue
            start[at] = only
        if start[at] > high[at]:
            at -= 1
            continue
        nodes += 1
        if nodes > limit:
            return -1, improved
        makespan = static
        for i in range(at + 1):
            makespan = max(makespan, start[i] + length[i] + tail[i])
        job_end[:] = 0
        for i in range(n):
            if task_job[i] >= 0:
                end = (start[i] if i <= at else low[i]) + length[i]
                job_end[task_job[i]] = max(job_end[task_job[i]], end)
        tardiness = 0.0
        for j in range(len(due)):
            if due[j] >= 0:
                tardiness += weight[j] * max(0, job_end[j] - due[j])
        peak = peaks[at]
        for k in range(len(const)):
            vector[k] = const[k] + per_makespan[k] * makespan + per_tardiness[k] * tardiness
            vector[k] += per_peak[k] * peak + windowed[k, makespan]
            vector[k] += paid[k, at] + priced[k, at, start[at]] + rest[k, at + 1]
        if not less(vector, best):
            if monotone:
                at -= 1
            continue
        fits = True
        for r in range(len(capacity)):
            if not touches[at, r]:
                continue
            profile[:] = 0.0
            for o in range(len(occ_start)):
                if occ_resource[o] != r or occ_start[o] > at:
                    continue
                end = 0
                for i in range(at + 1):
                    if occ_members[o, i]:
                        end = max(end, start[i] + length[i])
                for t in range(start[occ_start[o]], end):
                    profile[t] += occ_amount[o]
            top = profile.max()
            if top > capacity[r]:
                fits = False
                break
            if r == power:
                peak = max(peak, top)
        if not fits:
            continue
        for k in range(len(const)):
            vector[k] = const[k] + per_makespan[k] * makespan + per_tardiness[k] * tardiness
            vector[k] += per_peak[k] * peak + windowed[k, makespan]
            vector[k] += paid[k, at] + priced[k, at, start[at]] + rest[k, at + 1]
        if not less(vector, best):
            continue
        if at == n - 1:
            best[:] = vector
            improved = True
            continue
        for k in range(levels):
            paid[k, at + 1] = paid[k, at] + priced[k, at, start[at]]
        at += 1
        peaks[at] = peak
        first = low[at]
        for j in range(at):
            if before[at, j]:
                first = max(first, start[j] + length[j])
        start[at] = first - 1
    return nodes, improved
