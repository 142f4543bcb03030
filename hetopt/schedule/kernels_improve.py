"""Simulated annealing over a compiled list decoder: the inner loop of :mod:`improve`.

A state is a choice (option and unit) per task and a sequence of the tasks in topological order;
:func:`decode` starts each task of the sequence as early as its data and the first free slot of its
unit allow. Every schedule that starts nothing later than needed is such a sequence. Costs are

    assigned + window × rate + w_makespan × makespan + w_tardiness × tardiness + penalty × lateness,

where ``assigned`` (options and transfers) follows a move by its difference, and a move whose
``assigned`` alone is too dear is refused before anything is decoded. Decoding starts at the last
checkpoint before the first change and ends as soon as the makespan must exceed what the threshold
allows. Method: Kirkpatrick, Gelatt, Vecchi, "Optimization by simulated annealing", Science 220,
1983, with the random number of the acceptance drawn first, so that the threshold is known.

Functions take plain arrays: n tasks, E edges, N tensors, U units (of all devices), L slots (lanes)
of all units, D devices, J jobs, K choices of all tasks. Times in s, costs in units of the
objective. They are written in the subset of Python that Numba compiles, and are compiled when
this module is imported.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

CHECKPOINT = 8
"""Positions of the sequence between two stored states of the slots."""
ASSIGNED, MAKESPAN, LATE, COST, BEST, TRIED, TAKEN, CLEAN = range(8)
"""Places in the vector of running numbers; ``CLEAN`` counts moves after which nothing was late."""
ROUNDING = 1e-9
"""Lateness relative to the deadline that is float noise; the exact times decide afterwards."""


def _jit(function: Any) -> Any:
    """Compile lazily; cached on disk where some folder can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


def _random(seed: Any) -> float:
    """Next number of [0, 1) of an xorshift generator (Marsaglia, 2003); ``seed`` is its state."""
    x = seed[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    seed[0] = x
    return float(x >> np.uint64(11)) * (1.0 / 9007199254740992.0)


random = _jit(_random)


def _choose(
    task: int,
    new: int,
    choice: Any,
    unit: Any,
    copies: Any,
    on_unit: Any,
    on_device: Any,
    c_cost: Any,
    c_unit: Any,
    unit_device: Any,
    pred_ptr: Any,
    pred_task: Any,
    pred_tensor: Any,
    made_ptr: Any,
    made: Any,
    read_ptr: Any,
    reader: Any,
    bytes_b: Any,
    per_byte: Any,
) -> float:
    """Give a task another choice; return the difference in cost of options and transfers.

    ``copies`` (N × U) counts the consumers of a tensor on a unit: one transfer serves them all.
    """
    old, here, there = choice[task], unit[task], c_unit[new]
    delta = c_cost[new] - c_cost[old]
    choice[task] = new
    if here == there:
        return float(delta)
    d_here, d_there = unit_device[here], unit_device[there]
    for k in range(pred_ptr[task], pred_ptr[task + 1]):
        n = pred_tensor[k]
        if n < 0:
            continue
        source = unit[pred_task[k]]
        d_source = unit_device[source]
        copies[n, here] -= 1
        if copies[n, here] == 0 and source != here:
            delta -= bytes_b[n] * per_byte[d_source, d_here]
        if copies[n, there] == 0 and source != there:
            delta += bytes_b[n] * per_byte[d_source, d_there]
        copies[n, there] += 1
    for k in range(made_ptr[task], made_ptr[task + 1]):
        n = made[k]
        for r in range(read_ptr[n], read_ptr[n + 1]):
            at = unit[reader[r]]
            # Each consumer on a unit bears its part of the transfer that they share.
            part = bytes_b[n] / copies[n, at]
            if at != here:
                delta -= part * per_byte[d_here, unit_device[at]]
            if at != there:
                delta += part * per_byte[d_there, unit_device[at]]
    unit[task] = there
    on_unit[here] -= 1
    if on_unit[here] == 0:
        on_device[d_here] -= 1
    if on_unit[there] == 0:
        on_device[d_there] += 1
    on_unit[there] += 1
    return float(delta)


choose = _jit(_choose)


def _move(order: Any, position: Any, source: int, target: int) -> None:
    """Take the task at one position of the sequence to another, shifting those between."""
    task = order[source]
    step = 1 if target > source else -1
    for p in range(source, target, step):
        other = order[p + step]
        order[p] = other
        position[other] = p
    order[target] = task
    position[task] = target


move = _jit(_move)


def _decode(
    first: int,
    longest: float,
    order: Any,
    choice: Any,
    unit: Any,
    end: Any,
    states: Any,
    c_time: Any,
    unit_device: Any,
    lane_ptr: Any,
    pred_ptr: Any,
    pred_task: Any,
    pred_tensor: Any,
    bytes_b: Any,
    latency: Any,
    per_b: Any,
    release: Any,
    tail: Any,
) -> float:
    """Time the tasks from a position on; return the makespan, inf where it exceeds ``longest``.

    ``states[c]`` (length L + 1) says, at position c × CHECKPOINT, when each slot is free, and the
    latest end so far. The sequence before ``first`` must be as it was when they were stored.
    """
    n, lanes = len(order), states.shape[1] - 1
    c = first // CHECKPOINT
    # The row after the last one is where the present state is held.
    now = states[states.shape[0] - 1]
    now[:] = states[c]
    makespan = now[lanes]
    for p in range(c * CHECKPOINT, n):
        if p % CHECKPOINT == 0:
            now[lanes] = makespan
            states[p // CHECKPOINT] = now
        task = order[p]
        u = unit[task]
        d = unit_device[u]
        start = release[task]
        for k in range(pred_ptr[task], pred_ptr[task + 1]):
            before = pred_task[k]
            at = end[before]
            m = pred_tensor[k]
            if m >= 0 and unit[before] != u:
                o = unit_device[unit[before]]
                at += latency[o, d] + bytes_b[m] * per_b[o, d]
            if at > start:
                start = at
        lane = lane_ptr[u]
        for other in range(lane_ptr[u] + 1, lane_ptr[u + 1]):
            if now[other] < now[lane]:
                lane = other
        if now[lane] > start:
            start = now[lane]
        done = start + c_time[choice[task]]
        end[task] = done
        now[lane] = done
        if done > makespan:
            makespan = done
        if done + tail[task] > longest:
            return np.inf
    return float(makespan)


decode = _jit(_decode)


def _lateness(end: Any, job: Any, job_end: Any, limit: Any, weight: Any) -> float:
    """Weighted sum over jobs of the time by which their last task ends after ``limit``."""
    job_end[:] = 0.0
    for t in range(len(end)):
        if end[t] > job_end[job[t]]:
            job_end[job[t]] = end[t]
    total = 0.0
    for j in range(len(limit)):
        late = job_end[j] - limit[j]
        if late > ROUNDING * max(1e-300, abs(limit[j])):
            total += weight[j] * late
    return float(total)


lateness = _jit(_lateness)


def _anneal(
    moves: int,
    hot: float,
    cold: float,
    seed: Any,
    numbers: Any,
    weights: Any,
    order: Any,
    position: Any,
    choice: Any,
    unit: Any,
    end: Any,
    states: Any,
    copies: Any,
    on_unit: Any,
    on_device: Any,
    best_order: Any,
    best_choice: Any,
    choice_ptr: Any,
    c_time: Any,
    c_cost: Any,
    c_unit: Any,
    unit_device: Any,
    lane_ptr: Any,
    rate: Any,
    pred_ptr: Any,
    pred_task: Any,
    pred_tensor: Any,
    succ_ptr: Any,
    succ_task: Any,
    made_ptr: Any,
    made: Any,
    read_ptr: Any,
    reader: Any,
    bytes_b: Any,
    latency: Any,
    per_b: Any,
    per_byte: Any,
    release: Any,
    tail: Any,
    job: Any,
    deadline: Any,
    due: Any,
    job_weight: Any,
) -> None:
    """Try ``moves`` moves while the temperature falls from ``hot`` to ``cold`` (geometrically).

    Parameters
    ----------
    weights
        (horizon or 0 where the window is the makespan, w_makespan, w_tardiness, penalty per
        second late, least makespan, share of moves on the critical path).
    rate
        D × (units + 1): cost per second of the window with so many units of a device in use.
    """
    n, J = len(order), len(deadline)
    horizon, w_makespan, w_tardiness = weights[0], weights[1], weights[2]
    penalty, least, critical_share = weights[3], weights[4], weights[5]
    new_end, new_states = end.copy(), states.copy()
    job_end, ones = np.zeros(J), np.ones(J)
    path = np.zeros(n, dtype=np.int64)
    on_path = 0
    stale = True
    last = deadline.max()
    limited = deadline.min() < np.inf
    cooling = (cold / hot) ** (1.0 / max(1, moves))
    heat = hot
    for _ in range(moves):
        heat *= cooling
        threshold = numbers[COST] - heat * np.log(1.0 - random(seed))
        if random(seed) < critical_share:
            if stale:
                on_path = critical(
                    path, order, choice, unit, end, c_time, unit_device, pred_ptr, pred_task,
                    pred_tensor, bytes_b, latency, per_b, position,
                )  # fmt: skip
                stale = False
            task = path[int(random(seed) * on_path)]
        else:
            task = int(random(seed) * n)
        other = -1
        first = position[task]
        old, old_other = choice[task], 0
        delta = 0.0
        source, target = first, first
        kind = random(seed)
        if kind < 0.65:
            room = choice_ptr[task + 1] - choice_ptr[task]
            if room > 1:
                new = choice_ptr[task] + int(random(seed) * (room - 1))
                if new >= old:
                    new += 1
                delta = choose(
                    task, new, choice, unit, copies, on_unit, on_device, c_cost, c_unit,
                    unit_device, pred_ptr, pred_task, pred_tensor, made_ptr, made, read_ptr,
                    reader, bytes_b, per_byte,
                )  # fmt: skip
                if kind < 0.2:
                    # Another task goes the other way, so that the load stays about the same.
                    swap = -1
                    begin = int(random(seed) * n)
                    for q in range(begin, begin + n):
                        other = order[q if q < n else q - n]
                        if other != task and unit[other] == unit[task]:
                            break
                    if unit[other] == unit[task] and other != task:
                        for k in range(choice_ptr[other], choice_ptr[other + 1]):
                            if c_unit[k] == c_unit[old]:
                                swap = k
                                break
                    old_other = choice[other]
                    if swap < 0:
                        other = -1
                    else:
                        first = min(first, position[other])
                        delta += choose(
                            other, swap, choice, unit, copies, on_unit, on_device, c_cost,
                            c_unit, unit_device, pred_ptr, pred_task, pred_tensor, made_ptr,
                            made, read_ptr, reader, bytes_b, per_byte,
                        )  # fmt: skip
        if kind >= 0.4:
            low, high = 0, n - 1
            for k in range(pred_ptr[task], pred_ptr[task + 1]):
                low = max(low, position[pred_task[k]] + 1)
            for k in range(succ_ptr[task], succ_ptr[task + 1]):
                high = min(high, position[succ_task[k]] - 1)
            if high > low:
                target = low + int(random(seed) * (high - low + 1))
                # Only the order on one unit matters: go on to the next task there.
                step = 1 if target > source else -1
                while low < target < high and unit[order[target]] != unit[task]:
                    target += step
                if target != source:
                    move(order, position, source, target)
                    first = min(first, target)
        numbers[TRIED] += 1
        if choice[task] == old and target == source:
            continue
        per_s = 0.0
        for d in range(len(on_device)):
            per_s += rate[d, on_device[d]]
        assigned = numbers[ASSIGNED] + delta
        slope = w_makespan + (0.0 if horizon > 0 else per_s)
        base = assigned + horizon * per_s
        makespan = np.inf
        if base + slope * least <= threshold:
            longest = np.inf
            if slope > 0 or penalty > 0:
                free = base + slope * last
                if free > threshold and slope > 0:
                    longest = (threshold - base) / slope
                elif slope + penalty > 0 and last < np.inf:
                    longest = last + (threshold - free) / (slope + penalty)
            makespan = decode(
                first, longest * (1 + ROUNDING), order, choice, unit, new_end, new_states, c_time,
                unit_device, lane_ptr, pred_ptr, pred_task, pred_tensor, bytes_b, latency, per_b,
                release, tail,
            )  # fmt: skip
        cost, late = np.inf, 0.0
        if makespan < np.inf:
            cost = base + slope * makespan
            if limited and (J > 1 or makespan > last):
                late = lateness(new_end, job, job_end, deadline, ones)
                cost += penalty * late
            if w_tardiness > 0:
                cost += w_tardiness * lateness(new_end, job, job_end, due, job_weight)
        if cost <= threshold:
            numbers[ASSIGNED], numbers[MAKESPAN] = assigned, makespan
            numbers[LATE], numbers[COST] = late, cost
            numbers[TAKEN] += 1
            stale = True
            end[:] = new_end
            states[first // CHECKPOINT :] = new_states[first // CHECKPOINT :]
            if late == 0.0 and cost < numbers[BEST]:
                numbers[BEST] = cost
                best_order[:] = order
                best_choice[:] = choice
        else:
            if target != source:
                move(order, position, target, source)
            if other >= 0:
                choose(
                    other, old_other, choice, unit, copies, on_unit, on_device, c_cost, c_unit,
                    unit_device, pred_ptr, pred_task, pred_tensor, made_ptr, made, read_ptr,
                    reader, bytes_b, per_byte,
                )  # fmt: skip
            if choice[task] != old:
                choose(
                    task, old, choice, unit, copies, on_unit, on_device, c_cost, c_unit,
                    unit_device, pred_ptr, pred_task, pred_tensor, made_ptr, made, read_ptr,
                    reader, bytes_b, per_byte,
                )  # fmt: skip
            new_end[:] = end
            new_states[first // CHECKPOINT :] = states[first // CHECKPOINT :]
        numbers[CLEAN] += numbers[LATE] == 0.0


def _critical(
    path: Any,
    order: Any,
    choice: Any,
    unit: Any,
    end: Any,
    c_time: Any,
    unit_device: Any,
    pred_ptr: Any,
    pred_task: Any,
    pred_tensor: Any,
    bytes_b: Any,
    latency: Any,
    per_b: Any,
    position: Any,
) -> int:
    """List one chain of tasks that determines the makespan, last first; return its length.

    What held a task back is a message that arrives as it starts, else the latest task of its unit
    before it that ends then.
    """
    task = order[0]
    for t in range(len(end)):
        if end[t] > end[task]:
            task = t
    found = 0
    while True:
        path[found] = task
        found += 1
        start = end[task] - c_time[choice[task]]
        near = 1e-9 * max(1e-300, end[task])
        u, d = unit[task], unit_device[unit[task]]
        before = -1
        for k in range(pred_ptr[task], pred_ptr[task + 1]):
            at = end[pred_task[k]]
            o = unit_device[unit[pred_task[k]]]
            if pred_tensor[k] >= 0 and unit[pred_task[k]] != u:
                at += latency[o, d] + bytes_b[pred_tensor[k]] * per_b[o, d]
            if at >= start - near:
                before = pred_task[k]
        if before < 0 and start > near:
            for p in range(position[task] - 1, -1, -1):
                if unit[order[p]] == u and abs(end[order[p]] - start) <= near:
                    before = order[p]
                    break
        if before < 0:
            return found
        task = before


critical = _jit(_critical)
anneal = _jit(_anneal)
