"""HEFT on plain columns, compiled where an instance is large enough to be worth it.

The generator of random instances needs HEFT's makespan of up to a million tasks to set a deadline;
a list scheduler that respects every limit lives in
:mod:`hetopt.schedule.list_scheduling.constructors`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.paths import message_tables
from hetopt.runtime.jit import jit_allocating

COMPILE_FROM_TRIALS = 200_000
"""Placements tried (tasks × lanes) from which compiling beats interpreting."""


def heft_makespan(instance: Instance) -> float:
    """Makespan of plain HEFT in seconds: no limits, no contention (docs/generate.md).

    Decreasing upward rank, earliest finish with insertion (Topcuoglu, Hariri, Wu, "Performance-
    effective and low-complexity task scheduling for heterogeneous computing", IEEE TPDS 13(3),
    2002). A task's mean time is the mean over units of each device's fastest option; a message's
    mean time is the mean over ordered pairs of different units. Pairs of devices without a path
    count in no mean and are never chosen for the two ends of a message.

    Parameters
    ----------
    instance
        Schedule regime; only options, tasks, edges, counts, slots and links are looked at.

    Returns
    -------
    float
        Makespan in seconds; inf where some task cannot be placed at all.
    """
    tasks, edges, devices = instance.tasks, instance.edges, instance.devices
    time = fastest_times(instance)
    units = devices.count_max.astype(np.float64)
    can = np.isfinite(time)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (np.where(can, time, 0.0) @ units) / (can @ units)
    latency, per_b, mean_latency, mean_per_b = _messages(instance)
    size = np.append(instance.tensors.bytes_b, -1.0)[edges.tensor]
    lanes = devices.count_max * devices.slots
    lane_device = np.repeat(np.arange(len(devices)), lanes)
    lane = np.arange(len(lane_device)) - np.repeat(np.cumsum(lanes) - lanes, lanes)
    lane_unit = lane // devices.slots[lane_device]
    first_unit = np.cumsum(devices.count_max) - devices.count_max
    succ_ptr, succ = instance.successors
    pred_ptr, pred = instance.predecessors
    ready = np.full(len(tasks), -np.inf)
    np.maximum.at(ready, np.arange(len(tasks)), instance.jobs.release_s[tasks.job])
    large = len(tasks) * len(lane_device) >= COMPILE_FROM_TRIALS
    ranks, place = _compiled() if large else (_ranks, _place)
    own = mean[tasks.profile] * tasks.work
    message = np.where(size >= 0, mean_latency + mean_per_b * size, 0.0)
    topological = instance.topological_order
    rank = ranks(topological, succ_ptr, succ, edges.dst, own, message)
    # A stable sort of the topological order keeps parents first where ranks tie.
    order = topological[np.argsort(-rank[topological], kind="stable")]
    least = time.min(axis=0, initial=np.inf)[lane_device] * tasks.work.min(initial=np.inf)
    return float(
        place(
            order,
            pred_ptr,
            pred,
            edges.src,
            size,
            tasks.profile,
            tasks.work,
            ready,
            time,
            latency,
            per_b,
            lane_device,
            first_unit[lane_device] + lane_unit,
            least,
        )
    )


def fastest_times(instance: Instance) -> Floats:
    """Least ``time_s`` of each profile on each device, R × D; inf where it has no option there."""
    time = np.full((len(instance.profiles), len(instance.devices)), np.inf)
    profile = np.repeat(np.arange(len(instance.profiles)), np.diff(instance.profiles.ptr))
    np.minimum.at(time, (profile, instance.options.device), instance.options.time_s)
    return time


def _messages(instance: Instance) -> tuple[Floats, Floats, float, float]:
    """Latency and seconds per byte by pair of devices, and their means over pairs of units."""
    links, wide = instance.links, len(instance.devices)
    latency, per_b = np.full((wide, wide), np.inf), np.full((wide, wide), np.inf)
    latency[links.src, links.dst] = links.latency_s
    per_b[links.src, links.dst] = 1.0 / links.bandwidth_b_per_s
    direct = np.bincount(links.src * wide + links.dst, minlength=wide * wide).reshape(wide, wide)
    needed = ~np.diag(instance.devices.count_max == 1)
    if len(instance.tensors) and ((direct != 1) & needed).any():
        tables = message_tables(instance)
        latency = np.where(tables.uniform, tables.latency_s, np.inf)
        per_b = np.where(tables.uniform, tables.s_per_b, np.inf)
    units = instance.devices.count_max.astype(np.float64)
    pairs = np.outer(units, units) - np.diag(units)
    pairs[~np.isfinite(latency)] = 0.0
    total = pairs.sum()
    if not total:
        return latency, per_b, 0.0, 0.0
    joined = pairs > 0
    return (
        latency,
        per_b,
        float((pairs[joined] * latency[joined]).sum() / total),
        float((pairs[joined] * per_b[joined]).sum() / total),
    )


@cache
def _compiled() -> tuple[Any, Any]:
    # Sorting and whole arrays are left to NumPy: they took most of the time of compiling.
    return jit_allocating(_ranks), jit_allocating(_place)


def _ranks(topological: Any, succ_ptr: Any, succ: Any, dst: Any, own: Any, message: Any) -> Any:
    """Upward rank of each task from its mean time and the mean times of messages, by edge."""
    rank = np.zeros(len(topological))
    for i in range(len(topological) - 1, -1, -1):
        t = topological[i]
        tail = 0.0
        for k in range(succ_ptr[t], succ_ptr[t + 1]):
            e = succ[k]
            tail = max(tail, message[e] + rank[dst[e]])
        rank[t] = own[t] + tail
    return rank


def _place(
    order: Any,
    pred_ptr: Any,
    pred: Any,
    src: Any,
    size: Any,
    profile: Any,
    work: Any,
    release: Any,
    time: Any,
    latency: Any,
    per_b: Any,
    lane_device: Any,
    lane_unit: Any,
    least: Any,
) -> float:
    """Place every task; loops over columns in the subset of Python that Numba compiles.

    A lane is one slot of one unit. Its idle stretches that a later task may still fill, those of at
    least ``least`` seconds, are rows of ``gap_from`` and ``gap_to``, in order of time; what follows
    the last one starts at ``free``.
    """
    n, lanes = len(order), len(lane_device)
    room = 64
    gap_from = np.zeros((lanes, room))
    gap_to = np.zeros((lanes, room))
    gaps = np.zeros(lanes, dtype=np.int64)
    free = np.zeros(lanes)
    end = np.zeros(n)
    at = np.zeros(n, dtype=np.int64)
    makespan = 0.0
    for t in order:
        best_end, best_start, best_lane, best_gap = np.inf, 0.0, -1, -1
        for lane in range(lanes):
            device = lane_device[lane]
            length = time[profile[t], device] * work[t]
            start = max(0.0, release[t])
            if start + length >= best_end:
                continue
            for k in range(pred_ptr[t], pred_ptr[t + 1]):
                e = pred[k]
                arrival = end[src[e]]
                other = at[src[e]]
                if size[e] >= 0 and lane_unit[other] != lane_unit[lane]:
                    arrival += latency[lane_device[other], device]
                    arrival += size[e] * per_b[lane_device[other], device]
                start = max(start, arrival)
            if start + length >= best_end:
                continue
            low, high = 0, gaps[lane]
            while low < high:
                middle = (low + high) // 2
                if gap_to[lane, middle] < start + length:
                    low = middle + 1
                else:
                    high = middle
            found, begin = -1, max(start, free[lane])
            for g in range(low, gaps[lane]):
                if max(start, gap_from[lane, g]) + length <= gap_to[lane, g]:
                    found, begin = g, max(start, gap_from[lane, g])
                    break
            if begin + length < best_end:
                best_end, best_start = begin + length, begin
                best_lane, best_gap = lane, found
        if best_lane < 0:
            return np.inf
        lane = best_lane
        end[t], at[t] = best_end, lane
        makespan = max(makespan, best_end)
        if best_gap < 0:
            before_from, before_to = free[lane], best_start
            after_from, after_to = 0.0, 0.0
            place = gaps[lane]
            free[lane] = best_end
        else:
            place = best_gap
            before_from, before_to = gap_from[lane, place], best_start
            after_from, after_to = best_end, gap_to[lane, place]
            for g in range(place, gaps[lane] - 1):
                gap_from[lane, g] = gap_from[lane, g + 1]
                gap_to[lane, g] = gap_to[lane, g + 1]
            gaps[lane] -= 1
        if gaps[lane] + 2 > room:
            wider_from = np.zeros((lanes, 2 * room))
            wider_to = np.zeros((lanes, 2 * room))
            for row in range(lanes):
                for g in range(gaps[row]):
                    wider_from[row, g], wider_to[row, g] = gap_from[row, g], gap_to[row, g]
            gap_from, gap_to = wider_from, wider_to
            room *= 2
        for side in range(2):
            # The later piece goes in first, so that the earlier one lands before it.
            piece_from = after_from if side == 0 else before_from
            piece_to = after_to if side == 0 else before_to
            if piece_to - piece_from < least[lane] or piece_to <= piece_from:
                continue
            for g in range(gaps[lane], place, -1):
                gap_from[lane, g] = gap_from[lane, g - 1]
                gap_to[lane, g] = gap_to[lane, g - 1]
            gap_from[lane, place], gap_to[lane, place] = piece_from, piece_to
            gaps[lane] += 1
    return float(makespan)
