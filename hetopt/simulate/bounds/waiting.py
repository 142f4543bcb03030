"""How long requests must wait, and how many must miss their limit, whatever a policy does.

A request takes no less than the longest path through its tasks with each at its fastest option,
without waiting; one for which that exceeds its limit is a miss of every policy. Beyond that
:mod:`hetopt.simulate.bounds.lateness` counts with the slots that there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hetopt.instance import NO_MAXIMUM, Bools, Floats, Instance, Ints
from hetopt.instance.graph import topological_order
from hetopt.simulate.bounds.kinds import Kind, factors, kinds_of
from hetopt.simulate.bounds.lateness import WEAKENED, Pieces, least_latency, least_misses
from hetopt.simulate.world import Setting


def lateness_bound(
    instance: Instance,
    setting: Setting,
    warm_up_s: float,
    misses: float,
    mean_latency_s: float,
) -> tuple[float, float]:
    """Return the least mean latency (s), and the least share of requests that miss their limit.

    Both are over the requests that came after the warm-up.

    Parameters
    ----------
    misses, mean_latency_s
        What some policy reached.
    """
    requests, devices = setting.requests, instance.devices
    counted = requests.time_s >= warm_up_s
    if not counted.any():
        return 0.0, 0.0
    paths = _paths(instance, setting)
    latency = np.zeros(len(requests))
    for path in paths:
        latency[path.kind.requests] = path.whole_s
    limit = instance.jobs.latency_slo_s[requests.job]
    limited = counted & np.isfinite(limit)
    late = limited & (latency > limit * (1.0 + WEAKENED))
    slots = np.where(devices.count_max == NO_MAXIMUM, np.inf, devices.count_max * devices.slots)
    shared = np.asarray(setting.shared, dtype=np.bool_)
    share = 0.0
    if limited.any():
        able = limited & ~late
        pieces = _pieces(instance, setting, paths, able, limit)
        alone = float(late.sum())
        more = least_misses(pieces, slots, shared, misses * float(limited.sum()) - alone)
        # A number of requests is whole.
        share = (alone + math.ceil(more - 1e-6)) / float(limited.sum())
    pieces = _slowest(instance, setting, paths, counted)
    count = float(counted.sum())
    shortest = latency[counted]
    total = least_latency(pieces, slots, shared, shortest, mean_latency_s * count)
    return total / count * (1.0 - WEAKENED), share


@dataclass(frozen=True)
class _Path:
    """Runs of one task on the longest paths of its requests (n requests, o options).

    Attributes
    ----------
    head_s, tail_s
        From the arrival to the begin of the task, and from its end to that of the request (n).
    hold_s, after_s
        Time in the slot; time until the result is there once the slot is free (n × o).
    whole_s
        Latency of each request without waiting (n).
    """

    kind: Kind
    head_s: Floats
    tail_s: Floats
    hold_s: Floats
    after_s: Floats
    whole_s: Floats


def _paths(instance: Instance, setting: Setting) -> list[_Path]:
    """Return all kinds of tasks; those of one job have the same requests."""
    ptr, of_job = instance.job_tasks
    order, _ = topological_order(len(instance.tasks), instance.edges.src, instance.edges.dst)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    kinds = {k.task: k for k in kinds_of(instance, setting)}
    found = []
    for j in range(len(instance.jobs)):
        mine = sorted(of_job[ptr[j] : ptr[j + 1]].tolist(), key=lambda t: rank[t])
        if not mine or mine[0] not in kinds:
            continue
        times = {task: _times(instance, setting, kinds[task]) for task in mine}
        least = {task: (hold + after).min(axis=1) for task, (hold, after) in times.items()}
        none = np.zeros(len(kinds[mine[0]].requests))
        head = _longest(instance, mine, least, none, instance.predecessors, instance.edges.src)
        tail = _longest(instance, mine[::-1], least, none, instance.successors, instance.edges.dst)
        whole = none
        for task in mine:
            whole = np.maximum(whole, head[task] + least[task])
        found += [_Path(kinds[t], head[t], tail[t], *times[t], whole) for t in mine]
    return found


def _longest(
    instance: Instance,
    tasks: list[int],
    least: dict[int, Floats],
    none: Floats,
    rows: tuple[Ints, Ints],
    other: Ints,
) -> dict[int, Floats]:
    """Return the longest path up to each task, itself not included."""
    found: dict[int, Floats] = {}
    for task in tasks:
        longest = none
        for edge in rows[1][rows[0][task] : rows[0][task + 1]].tolist():
            before = int(other[edge])
            longest = np.maximum(longest, found[before] + least[before])
        found[task] = longest
    return found


def _times(instance: Instance, setting: Setting, kind: Kind) -> tuple[Floats, Floats]:
    """Return the time in a slot, and that until the result is there (requests × options)."""
    options = instance.options
    batch, stated = options.batch[kind.option], options.latency_s[kind.option]
    plain = instance.tasks.work[kind.task] * options.time_s[kind.option]
    joined = (batch >= 2) & (stated <= plain * (1.0 + WEAKENED))
    filled = np.where((batch >= 2) & ~joined, 2.0, 1.0) * plain
    after = np.where(np.isnan(stated) | joined, 0.0, np.maximum(0.0, stated - filled))
    work = setting.requests.work[:, kind.position]
    work = work[kind.requests] if len(work) > 1 else np.full(len(kind.requests), work[0])
    hold = factors(instance, setting, kind, kind.requests) * (kind.slot_s * batch)
    return np.asarray(hold), np.asarray(work[:, None] * after)


def _slowest(instance: Instance, setting: Setting, paths: list[_Path], counted: Bools) -> Pieces:
    """Return the ways to run that task of each request that takes most of the slots."""
    heaviest: dict[int, tuple[float, _Path]] = {}
    for path in paths:
        share = 1.0 / instance.options.batch[path.kind.option]
        load = float((path.hold_s * share).min(axis=1).sum())
        job = int(instance.tasks.job[path.kind.task])
        if job not in heaviest or load > heaviest[job][0]:
            heaviest[job] = (load, path)
    return _pieces(instance, setting, [path for _, path in heaviest.values()], counted, None)


def _pieces(
    instance: Instance,
    setting: Setting,
    paths: list[_Path],
    wanted: Bools,
    limit: Floats | None,
) -> Pieces:
    columns: list[tuple[np.ndarray, ...]] = []
    options, time = instance.options, setting.requests.time_s
    for path in paths:
        mine = wanted[path.kind.requests]
        request = path.kind.requests[mine]
        shape = (len(request), len(path.kind.option))
        hold, after = path.hold_s[mine], path.after_s[mine]
        earliest = np.broadcast_to((time[request] + path.head_s[mine])[:, None], shape)
        latest = np.full(shape, np.inf)
        if limit is not None:
            latest = (time[request] + limit[request] - path.tail_s[mine])[:, None] - after
        latency = (path.head_s[mine] + path.tail_s[mine])[:, None] + hold + after
        of = np.broadcast_to(options.device[path.kind.option], shape)
        share = np.broadcast_to(1.0 / options.batch[path.kind.option], shape)
        number = np.broadcast_to(request[:, None], shape)
        task = np.full(shape, path.kind.task)
        made = (number, task, earliest, latest, of, hold, share, latency)
        columns.append(tuple(np.asarray(c).reshape(-1) for c in made))
    if not columns:
        none, zero = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Pieces(none, none, zero, zero, none, zero, zero, zero)
    joined = [np.concatenate(c) for c in zip(*columns, strict=True)]
    # What cannot end in time on an option is not run in time on it.
    fits = joined[2] + joined[5] <= joined[3] * (1.0 + WEAKENED)
    order = np.lexsort((joined[1], joined[0]))
    order = order[fits[order]]
    return Pieces(*joined).only(order)
