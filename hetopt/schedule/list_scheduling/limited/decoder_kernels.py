"""List decoding under limits that tie units together: memory, power, resources, channels, groups.

The parts of list decoding that only some instances need. Without such limits ``decode`` of
:mod:`hetopt.schedule.search.list_annealing_kernels` starts tasks as early as their data and their
unit allow, whatever else runs. Here time goes forward (parallel schedule generation; Kolisch,
"Serial and parallel resource-constrained project scheduling methods revisited", EJOR 90, 1996):
each unit runs its tasks in the order of the sequence, of the tasks next in turn the one that can
start first does, and what finds no room waits until something ends. Starts never go back in time,
so that what is in use *now* is all that has to be known: ends are events in a heap.

Where nothing runs any more and nothing fits, the next in turn starts all the same, and by how much
it exceeds its limit is counted (relative to the limit), so that a search may pass through states
that break limits, at a price. A schedule without excess keeps every limit:

- a task takes its working memory, and its outputs until the last of their readers there and of
  their first hops has ended; a transfer takes room for the copy from its first hop on;
- transfers start as soon as their data, a channel of each hop, and room for the copy are there
  (and what the task that is next on that unit needs besides, unless it waits for this very copy);
- options take power and resources while they run; the power of idle units follows from the mapping.

Where a resource slows what runs instead of forbidding it, ends follow from what else starts, so
that they are no events in the heap: what runs on it is kept in a list, each with the time at full
speed that is left of it and its rate, which change where one of them starts or ends. Its data, its
slot and its transfers are there when it ends. A *patient* choice waits where it would be slowed or
slow another; a search has each such choice in both kinds. Power is counted as at full speed, which
is never too little.

Weights, budgets and groups do not depend on times: :func:`excess` counts them for a mapping.

Times are whole ticks in floats, so that they are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.schedule.list_scheduling.limited.event_kernels import (
    arrive,
    first_lane,
    pop,
    prepare,
    push,
    set_up,
    turn,
)
from hetopt.schedule.list_scheduling.limited.memory_kernels import (
    hold,
    lacking,
    leave,
    produce,
    send,
)
from hetopt.schedule.list_scheduling.limited.records import (
    AT,
    BLOCKED,
    CHOICE,
    DEVICE,
    EARLIEST,
    END,
    HEAD,
    HEAP,
    HELD,
    HOLDS,
    IS,
    KINDS,
    LANE,
    LEFT,
    LEGS,
    LOADED,
    MARK,
    MOST_HOPS,
    NEXT,
    NOISE,
    ORDER,
    PATIENT,
    PENDING,
    POSITION,
    POWERED,
    RATE,
    READY,
    REMEMBERS,
    REQUESTED,
    RUNNING,
    SENDS,
    SETUP,
    SHARES,
    START,
    STUCK,
    TAIL,
    TASK_ENDS,
    TENSOR,
    UNIT,
    USE,
    USE_END,
    WHO,
    WORKING,
    Limits,
    ListProblem,
)
from hetopt.schedule.list_scheduling.limited.slowing_kernels import (
    first_of_running,
    pass_to,
    set_rates,
    stop_running,
)


@inner
def end_task(task: int, seq: Any, problem: ListProblem, limits: Limits) -> None:
    """Give back what a task took, and what was kept for it."""
    task_i, pred, bytes_b = problem.task_i, problem.pred, problem.bytes_b
    choice, unit = seq[CHOICE, task], seq[UNIT, task]
    if problem.choice_f[choice, 0] > 0:
        for k in range(limits.choice_i[choice, USE], limits.choice_i[choice, USE_END]):
            limits.level[limits.use_i[k]] -= limits.use_f[k]
            limits.users[limits.use_i[k]] -= 1
        hold(unit, -limits.choice_f[choice, WORKING], limits)
    if limits.count[REMEMBERS] == 0:
        return
    for k in range(task_i[task, 2], task_i[task, 3]):
        n = pred[k, 1]
        if n < 0:
            continue
        source = seq[UNIT, pred[k, 0]]
        if (
            source == unit
            or limits.free[limits.unit_i[source, DEVICE], limits.unit_i[unit, DEVICE]]
        ):
            leave(n, source, bytes_b, limits)
        else:
            limits.waiting[n, unit] -= 1
            if limits.waiting[n, unit] == 0:
                hold(unit, -bytes_b[n], limits)
    for k in range(limits.made_ptr[task], limits.made_ptr[task + 1]):
        n = limits.made[k]
        if limits.home[n, 0] == 0:
            hold(unit, -bytes_b[n], limits)


@inner
def begin(used: Any, seq: Any, problem: ListProblem, limits: Limits) -> None:
    """Empty everything, and queue the tasks of each unit in the order of the sequence."""
    task_i, task_f, units = problem.task_i, problem.task_f, problem.units
    n_units, unit_s, unit_c = len(limits.memory), limits.unit_s, limits.unit_c
    limits.count[HEAP] = limits.count[LEGS] = limits.count[STUCK] = 0
    for i in range(len(limits.pool_b)):
        limits.pool_s[i] = 0.0
    limits.count[RUNNING] = 0
    limits.since[0] = 0.0
    for i in range(len(limits.level)):
        limits.level[i] = 0.0
        limits.users[i] = 0
    for i in range(len(limits.busy)):
        limits.busy[i] = 0
    for u in range(n_units):
        for i in range(units[u, 1], units[u + 1, 1]):
            limits.lane[i] = limits.ready[u]
    if limits.count[POWERED]:
        for d in range(len(limits.idle)):
            limits.level[0] += limits.idle[d, used[n_units + d]]
    for u in range(n_units):
        unit_s[HELD, u] = 0.0
        unit_c[HEAD, u] = unit_c[TAIL, u] = unit_c[MARK, u] = -1
        unit_c[BLOCKED, u] = 0
        if len(limits.first) > 0:
            unit_c[IS, u] = limits.first[limits.unit_i[u, DEVICE]]
        hold(u, unit_s[LOADED, u], limits)
    for p in range(seq.shape[1]):
        task = seq[ORDER, p]
        u = seq[UNIT, task]
        if unit_c[HEAD, u] < 0:
            unit_c[HEAD, u] = task
        else:
            limits.task_c[NEXT, unit_c[TAIL, u]] = task
        unit_c[TAIL, u] = task
        limits.task_c[NEXT, task] = -1
        limits.task_c[PENDING, task] = task_i[task, 3] - task_i[task, 2]
        limits.task_s[READY, task] = task_f[task, 0]
    limits.paid[0] = 0.0
    for u in range(n_units):
        prepare(u, seq, limits)
        turn(u, 0.0, units, limits)


@inner
def shortage(task: int, choice: int, unit: int, length: float, limits: Limits) -> Any:
    """Excess over limits if a task starts now; 0: it may."""
    over = 0.0
    need = limits.out_b[task]
    if length > 0:
        need += limits.choice_f[choice, WORKING]
        for k in range(limits.choice_i[choice, USE], limits.choice_i[choice, USE_END]):
            r = limits.use_i[k]
            after = limits.level[r] + limits.use_f[k]
            if limits.kept[r] >= 0:
                # What slows may be asked for more than it has, but not by who is patient.
                slower = after > limits.capacity[r] * NOISE
                slower = slower or (limits.users[r] > 0 and limits.kept[r] < 1.0)
                if slower and limits.choice_i[choice, PATIENT]:
                    over += after / limits.capacity[r]
            elif after > limits.capacity[r]:
                over += (after - limits.capacity[r]) / max(limits.capacity[r], 1e-300)
    if need > 0:
        over += lacking(unit, need, limits)
    return over


@inner
def inform(
    task: int, done: float, now: float, seq: Any, problem: ListProblem, limits: Limits
) -> None:
    """Tell those that wait for a task when it ends, and ask for its transfers."""
    task_i, succ, units = problem.task_i, problem.succ, problem.units
    pair, bytes_b = problem.pair, problem.bytes_b
    unit = seq[UNIT, task]
    device = limits.unit_i[unit, DEVICE]
    for k in range(task_i[task, 4], task_i[task, 5]):
        after, m = succ[k, 0], succ[k, 1]
        other = seq[UNIT, after]
        to = limits.unit_i[other, DEVICE]
        if m < 0 or other == unit or limits.free[device, to]:
            arrive(after, done, now, seq, units, limits)
        elif limits.count[SENDS] == 0:
            took = pair[0, device, to] + bytes_b[m] * pair[1, device, to] + pair[3, device, to]
            arrive(after, done + np.floor(took), now, seq, units, limits)
    if limits.count[SENDS]:
        produce(task, done, seq, bytes_b, limits)


@jit
def decode_limited(
    longest: float, used: Any, seq: Any, problem: ListProblem, limits: Limits
) -> Any:
    """Time all tasks and transfers; return the makespan (inf where it exceeds ``longest``), excess.

    Starts and ends are in ``task_s``, starts of hops in ``leg_s``.
    """
    n, n_units = seq.shape[1], len(limits.memory)
    task_f, times = problem.task_f, problem.choice_f
    units, bytes_b = problem.units, problem.bytes_b
    task_s, task_c, unit_s, unit_c = limits.task_s, limits.task_c, limits.unit_s, limits.unit_c
    begin(used, seq, problem, limits)
    placed, makespan, over, now = 0, 0.0, 0.0, 0.0
    blocked = 0
    while placed < n or limits.count[RUNNING] > 0:
        unit, start, forced = -1, np.inf, 0
        for u in range(n_units):
            if unit_s[EARLIEST, u] < start:
                unit, start = u, unit_s[EARLIEST, u]
        waiting = limits.count[HEAP] > 0 and limits.heap_t[0] <= start
        slowed, slowest, ends = False, -1, 0.0
        if limits.count[RUNNING] > 0:
            slowest = first_of_running(limits)
            ends = limits.since[0] + limits.left[slowest, LEFT] / limits.left[slowest, RATE]
            slowed = ends <= start and (limits.count[HEAP] == 0 or ends <= limits.heap_t[0])
        if waiting or slowed:
            if slowed:
                now, kind, what = ends, TASK_ENDS, limits.running[slowest, WHO]
                lane = limits.running[slowest, LANE]
                pass_to(now, limits)
                stop_running(slowest, limits)
                limits.lane[lane], task_s[END, what] = now, now
                makespan = max(makespan, now)
                if now + task_f[what, 1] > longest:
                    return np.inf, over
            else:
                now = limits.heap_t[0]
                code = pop(limits)
                kind, what = code % KINDS, code // KINDS
            if kind == REQUESTED:
                if send(what, now, 0, seq, units, bytes_b, limits) < 0:
                    limits.stuck[limits.count[STUCK]] = what
                    limits.count[STUCK] += 1
                continue
            if kind == TASK_ENDS:
                end_task(what, seq, problem, limits)
                if slowed:
                    set_rates(seq, limits)
                    inform(what, now, now, seq, problem, limits)
                    unit = seq[UNIT, what]
                    if unit_c[BLOCKED, unit] == 0:
                        turn(unit, now, units, limits)
            else:
                leg, hop = what // limits.count[MOST_HOPS], what % limits.count[MOST_HOPS]
                tensor = limits.leg_i[leg, TENSOR]
                here = seq[UNIT, limits.home[tensor, 1]]
                there = limits.leg_i[leg, AT]
                path = limits.unit_i[here, DEVICE] * len(limits.free)
                path += limits.unit_i[there, DEVICE]
                group = limits.hop_i[limits.hop_ptr[path] + hop]
                if group >= 0:
                    limits.busy[group] -= 1
                if hop == 0 and limits.count[REMEMBERS]:
                    leave(tensor, here, bytes_b, limits)
            # What has ended may have made room.
            kept = 0
            for i in range(limits.count[STUCK]):
                leg = limits.stuck[i]
                if send(leg, now, 0, seq, units, bytes_b, limits) < 0:
                    limits.stuck[kept] = leg
                    kept += 1
            limits.count[STUCK] = kept
            if blocked:
                blocked = 0
                for u in range(n_units):
                    if unit_c[BLOCKED, u]:
                        unit_c[BLOCKED, u] = 0
                        turn(u, now, units, limits)
            continue
        if unit < 0:
            # Nothing runs and nothing fits: the first in turn starts all the same.
            for u in range(n_units):
                if unit_c[BLOCKED, u] and (
                    unit < 0 or seq[POSITION, unit_c[HEAD, u]] < seq[POSITION, unit_c[HEAD, unit]]
                ):
                    unit = u
            if unit < 0:
                if limits.count[STUCK] == 0:
                    return np.inf, over
                limits.count[STUCK] -= 1
                leg = limits.stuck[0]
                for i in range(limits.count[STUCK]):
                    limits.stuck[i] = limits.stuck[i + 1]
                over += max(0.0, send(leg, now, 1, seq, units, bytes_b, limits))
                continue
            unit_c[BLOCKED, unit] = 0
            blocked -= 1
            turn(unit, now, units, limits)
            start, forced = unit_s[EARLIEST, unit], 1
        now = start
        task = unit_c[HEAD, unit]
        lane = first_lane(unit, units, limits)
        choice = seq[CHOICE, task]
        length = times[choice, 0]
        lack = shortage(task, choice, unit, length, limits)
        if lack > 0:
            if forced == 0:
                unit_c[BLOCKED, unit] = 1
                unit_s[EARLIEST, unit] = np.inf
                blocked += 1
                continue
            over += lack
        done = start + length
        shares = length > 0 and limits.choice_i[choice, SHARES] > 0
        task_s[START, task], task_s[END, task] = start, done
        task_s[HOLDS, task] = start - unit_s[SETUP, unit]
        limits.lane[lane] = np.inf if shares else done
        makespan = max(makespan, done)
        placed += 1
        if done + task_f[task, 1] > longest:
            return np.inf, over
        need = limits.out_b[task]
        if length > 0:
            need += limits.choice_f[choice, WORKING]
            for k in range(limits.choice_i[choice, USE], limits.choice_i[choice, USE_END]):
                limits.level[limits.use_i[k]] += limits.use_f[k]
                limits.users[limits.use_i[k]] += 1
        if need > 0:
            hold(unit, need, limits)
        unit_c[HEAD, unit] = task_c[NEXT, task]
        if len(limits.first) > 0:
            set_up(choice, unit, limits)
            prepare(unit, seq, limits)
        if shares:
            pass_to(now, limits)
            i = limits.count[RUNNING]
            limits.count[RUNNING] = i + 1
            limits.running[i, WHO], limits.running[i, LANE] = task, lane
            limits.left[i, LEFT] = length
            set_rates(seq, limits)
            turn(unit, now, units, limits)
        else:
            push(done, task * KINDS + TASK_ENDS, limits)
            turn(unit, now, units, limits)
            inform(task, done, now, seq, problem, limits)
    return makespan, over
