"""Simulated annealing over a compiled list decoder: the inner loop of :mod:`search.list_annealing`.

A state is a choice (option and unit) per task and a sequence of the tasks in topological order;
:func:`decode` starts each task of the sequence as early as its data and the first free slot of its
unit allow. Every schedule that starts nothing later than needed is such a sequence. Costs are

    assigned + window × rate + w_makespan × makespan + w_tardiness × tardiness + penalty × lateness,

where ``assigned`` (options and transfers) follows a move by its difference, and a move whose
``assigned`` alone is too dear is refused before anything is decoded. Decoding starts at the last
checkpoint before the first change and ends as soon as the makespan must exceed what the threshold
allows. Where there are limits that tie units together, a state that is cheap enough without them
is decoded once more under them (``list_scheduling/limited/decoder_kernels.py``), and what exceeds
them has a price as lateness has; ``limits`` is None where there are none, and what it asks
for is not even compiled. ``gaps`` is empty where no gap of a unit costs anything of its own
(``list_scheduling/gap_kernels.py``); what it adds is never negative. Method: Kirkpatrick, Gelatt,
Vecchi, "Optimization by simulated annealing", Science 220, 1983, with the random number of the
acceptance drawn first, so that the threshold is known.

The functions are written in the subset of Python that Numba compiles, and are compiled when they
are first called. Compiling takes time with each operation on slices, so columns are packed into few
arrays, and loops are written out; each function takes the arrays that it needs out of the records
:class:`State` and :class:`ListProblem` once, as each look into a record is work for the compiler.

All arrays come from the caller: the functions make none (see :mod:`hetopt.runtime.jit`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import random
from hetopt.schedule.list_scheduling.gap_kernels import Gaps, awake
from hetopt.schedule.list_scheduling.limited.decoder_kernels import decode_limited
from hetopt.schedule.list_scheduling.limited.mapping_kernels import excess, load, split
from hetopt.schedule.list_scheduling.limited.records import END, HOLDS, Limits, ListProblem

CHECKPOINT = 8
"""Positions of the sequence between two stored states of the slots."""
ORDER, POSITION, CHOICE, UNIT, PATH = range(5)
ASSIGNED, MAKESPAN, LATE, COST, BEST, TRIED, TAKEN, CLEAN = range(8)
"""Running numbers; ``CLEAN`` counts moves after which nothing was late."""
HORIZON, W_MAKESPAN, W_TARDINESS, PENALTY, LEAST, CRITICAL, LAST, LIMITED = range(8, 16)
"""Settings: the window where it is fixed, else 0; weights; cost per tick late; a proven least
makespan; share of moves on the critical path; latest deadline; whether there is any."""
OVER, PENALTY_OVER, KEPT = range(16, 19)
"""Excess over limits of the present state; its cost; moves after which there was none."""
NUMBERS = 19
ROUNDING = 1e-9
"""Relative lateness that is float noise; the exact times decide afterwards."""
CHANGE, REORDER, SWAP = 0.65, 0.25, 0.3
"""Kinds of move: a draw below CHANGE gives the task another choice, below SWAP another task its
place in turn, and one above REORDER moves the task in the sequence."""


class State(NamedTuple):
    """One run of annealing: its present state, the one that is tried, and the best.

    For n tasks, N tensors, U units and L slots of all devices, D devices, J jobs:

    ======= ============= ==========================================================================
    array   shape         what
    ======= ============= ==========================================================================
    seq     5 × n int     rows ORDER (the sequence), POSITION (its inverse), CHOICE, UNIT, PATH
    ends    2 × n         ends of tasks in ticks: of the present state, of the one that is tried
    states  2 × C × (L+1) of both: when each slot is free and the latest end so far, each
                          ``CHECKPOINT`` positions; the last row is where a decoder counts
    copies  N × U int     consumers of a tensor on a unit: one transfer serves them all
    used    U + D int     tasks on each unit, units in use of each device
    best    2 × n int     rows ORDER and CHOICE of the best state
    jobs    4 × J         deadline, due date, weight, room for a latest end
    numbers see above     running numbers and settings
    seed    1 uint        state of the random generator
    ======= ============= ==========================================================================
    """

    seq: Any
    ends: Any
    states: Any
    copies: Any
    used: Any
    best: Any
    jobs: Any
    numbers: Any
    seed: Any


@inner
def choose(task: int, new: int, state: State, problem: ListProblem, limits: Any) -> Any:
    """Give a task another choice; return the difference in cost of options and transfers."""
    seq, copies, used = state.seq, state.copies, state.used
    task_i, pred, succ = problem.task_i, problem.pred, problem.succ
    choice_i, choice_f, units = problem.choice_i, problem.choice_f, problem.units
    pair, bytes_b = problem.pair, problem.bytes_b
    old, here, there = seq[CHOICE, task], seq[UNIT, task], choice_i[new]
    if limits is not None:
        load(old, here, -1, limits)
        load(new, there, 1, limits)
    delta = choice_f[new, 1] - choice_f[old, 1]
    seq[CHOICE, task] = new
    if here == there:
        return delta
    d_here, d_there = units[here, 0], units[there, 0]
    for k in range(task_i[task, 2], task_i[task, 3]):
        n = pred[k, 1]
        if n < 0:
            continue
        source = seq[UNIT, pred[k, 0]]
        d_source = units[source, 0]
        copies[n, here] -= 1
        if copies[n, here] == 0 and source != here:
            delta -= bytes_b[n] * pair[2, d_source, d_here]
        if copies[n, there] == 0 and source != there:
            delta += bytes_b[n] * pair[2, d_source, d_there]
        copies[n, there] += 1
    for k in range(task_i[task, 4], task_i[task, 5]):
        n = succ[k, 1]
        if n < 0:
            continue
        at = seq[UNIT, succ[k, 0]]
        # Each consumer on a unit bears its part of the transfer that they share.
        part = bytes_b[n] / copies[n, at]
        if at != here:
            delta -= part * pair[2, d_here, units[at, 0]]
        if at != there:
            delta += part * pair[2, d_there, units[at, 0]]
    seq[UNIT, task] = there
    first = len(units) - 1
    used[here] -= 1
    if used[here] == 0:
        used[first + d_here] -= 1
    if used[there] == 0:
        used[first + d_there] += 1
    used[there] += 1
    return delta


@inner
def move(seq: Any, source: int, target: int) -> None:
    """Take the task at one position of the sequence to another, shifting those between."""
    task = seq[ORDER, source]
    step = 1 if target > source else -1
    p = source
    while p != target:
        other = seq[ORDER, p + step]
        seq[ORDER, p] = other
        seq[POSITION, other] = p
        p += step
    seq[ORDER, target] = task
    seq[POSITION, task] = target


@jit
def decode(which: int, first: int, longest: float, state: State, problem: ListProblem) -> Any:
    """Time the tasks from a position on; return the makespan, inf where it exceeds ``longest``.

    ``which`` is the row of ``ends`` and ``states`` that is read and written. The sequence before
    ``first`` must be as it was when they were stored.
    """
    seq, ends, states = state.seq, state.ends, state.states
    task_i, task_f, pred = problem.task_i, problem.task_f, problem.pred
    choice_f, units, pair, bytes_b = problem.choice_f, problem.units, problem.pair, problem.bytes_b
    n, lanes, now = seq.shape[1], states.shape[2] - 1, states.shape[1] - 1
    c = first // CHECKPOINT
    for i in range(lanes + 1):
        states[which, now, i] = states[which, c, i]
    makespan = states[which, now, lanes]
    for p in range(c * CHECKPOINT, n):
        if p % CHECKPOINT == 0:
            states[which, now, lanes] = makespan
            for i in range(lanes + 1):
                states[which, p // CHECKPOINT, i] = states[which, now, i]
        task = seq[ORDER, p]
        u = seq[UNIT, task]
        d = units[u, 0]
        start = task_f[task, 0]
        for k in range(task_i[task, 2], task_i[task, 3]):
            before, m = pred[k, 0], pred[k, 1]
            at = ends[which, before]
            o = seq[UNIT, before]
            if m >= 0 and o != u:
                o = units[o, 0]
                at += pair[0, o, d] + bytes_b[m] * pair[1, o, d]
            if at > start:
                start = at
        lane = units[u, 1]
        for other in range(lane + 1, units[u + 1, 1]):
            if states[which, now, other] < states[which, now, lane]:
                lane = other
        if states[which, now, lane] > start:
            start = states[which, now, lane]
        done = start + choice_f[seq[CHOICE, task], 0]
        ends[which, task] = done
        states[which, now, lane] = done
        if done > makespan:
            makespan = done
        if done + task_f[task, 1] > longest:
            return np.inf
    return makespan


@jit
def lateness(which: int, weighted: int, ends: Any, task_i: Any, jobs: Any) -> Any:
    """Sum over jobs of the time by which their last task ends after the deadline.

    With ``weighted`` 1: after the due date, weighted.
    """
    for j in range(jobs.shape[1]):
        jobs[3, j] = 0.0
    for t in range(ends.shape[1]):
        j = task_i[t, 6]
        if ends[which, t] > jobs[3, j]:
            jobs[3, j] = ends[which, t]
    total = 0.0
    for j in range(jobs.shape[1]):
        late = jobs[3, j] - jobs[weighted, j]
        if late > ROUNDING * abs(jobs[weighted, j]):
            total += late * (jobs[2, j] if weighted else 1.0)
    return total


@jit
def hold_slots(which: int, state: State, problem: ListProblem, limits: Any, gaps: Gaps) -> None:
    """Note from when to when each task of a decoded state takes a slot."""
    seq, ends, time, choice_f = state.seq, state.ends, gaps.time, problem.choice_f
    for t in range(ends.shape[1]):
        if limits is None:
            time[0, t] = ends[which, t] - choice_f[seq[CHOICE, t], 0]
            time[1, t] = ends[which, t]
        else:
            time[0, t] = limits.task_s[HOLDS, t]
            time[1, t] = limits.task_s[END, t]


@inner
def critical(state: State, problem: ListProblem) -> int:
    """List one chain of tasks that determines the makespan, last first; return its length.

    What held a task back is a message that arrives as it starts, else the task that left its unit
    then.
    """
    seq, ends = state.seq, state.ends
    task_i, pred, choice_f = problem.task_i, problem.pred, problem.choice_f
    units, pair, bytes_b = problem.units, problem.pair, problem.bytes_b
    task = 0
    for t in range(ends.shape[1]):
        if ends[0, t] > ends[0, task]:
            task = t
    near = ROUNDING * ends[0, task]
    found = 0
    while task >= 0:
        seq[PATH, found] = task
        found += 1
        start = ends[0, task] - choice_f[seq[CHOICE, task], 0]
        u = seq[UNIT, task]
        d = units[u, 0]
        before = -1
        for k in range(task_i[task, 2], task_i[task, 3]):
            other, m = pred[k, 0], pred[k, 1]
            at = ends[0, other]
            o = seq[UNIT, other]
            if m >= 0 and o != u:
                o = units[o, 0]
                at += pair[0, o, d] + bytes_b[m] * pair[1, o, d]
            if at >= start - near:
                before = other
        p = seq[POSITION, task] - 1
        while before < 0 and p >= 0 and start > near:
            other = seq[ORDER, p]
            if seq[UNIT, other] == u and abs(ends[0, other] - start) <= near:
                before = other
            p -= 1
        task = before
    return found


@inner
def follow(task: int, unit: int, state: State, problem: ListProblem, limits: Limits) -> int:
    """List the others of a task's group with choices on a unit; return how many, -1: one cannot."""
    seq, seed, task_i, choice_i = state.seq, state.seed, problem.task_i, problem.choice_i
    group, found = limits.group_i[task], 0
    for i in range(limits.group_ptr[group], limits.group_ptr[group + 1]):
        other = limits.member[i]
        if other == task:
            continue
        old, new, seen = seq[CHOICE, other], -1, 0
        for k in range(task_i[other, 0], task_i[other, 1]):
            if choice_i[k] == unit:
                seen += 1
                # Each of those on the unit with equal chances; the present one where it is there.
                if new != old and (k == old or random(seed) * seen < 1.0):
                    new = k
        if new < 0:
            return -1
        limits.moved[found, 0], limits.moved[found, 1], limits.moved[found, 2] = other, new, old
        found += 1
    return found


@jit
def anneal(
    moves: int,
    hot: float,
    cold: float,
    state: State,
    problem: ListProblem,
    limits: Any,
    gaps: Gaps,
) -> None:
    """Try ``moves`` moves while the temperature falls from ``hot`` to ``cold`` (geometrically)."""
    seq, ends, states, used = state.seq, state.ends, state.states, state.used
    best, jobs, numbers, seed = state.best, state.jobs, state.numbers, state.seed
    task_i, pred, succ = problem.task_i, problem.pred, problem.succ
    choice_i, rate = problem.choice_i, problem.rate
    n, rows, wide = seq.shape[1], states.shape[1] - 1, states.shape[2]
    first_device = len(problem.units) - 1
    on_path = 0
    cooling = (cold / hot) ** (1.0 / moves)
    heat = hot
    for _ in range(moves):
        numbers[TRIED] += 1
        heat *= cooling
        threshold = numbers[COST] - heat * np.log(1.0 - random(seed))
        if random(seed) < numbers[CRITICAL]:
            if on_path == 0:
                on_path = critical(state, problem)
            task = seq[PATH, int(random(seed) * on_path)]
        else:
            task = int(random(seed) * n)
        source = seq[POSITION, task]
        target, first = source, source
        kind = random(seed)
        old = seq[CHOICE, task]
        new = old
        room = task_i[task, 1] - task_i[task, 0]
        if kind < CHANGE and room > 1:
            new = task_i[task, 0] + int(random(seed) * (room - 1))
            if new >= old:
                new += 1
        other, old_other, new_other = -1, 0, 0
        if kind < SWAP and new != old:
            begin = int(random(seed) * n)
            for q in range(n):
                t = begin + q if begin + q < n else begin + q - n
                if t != task and seq[UNIT, t] == choice_i[new]:
                    for k in range(task_i[t, 0], task_i[t, 1]):
                        if choice_i[k] == choice_i[old]:
                            other, old_other, new_other = t, seq[CHOICE, t], k
                    break
        members = 0
        if limits is not None:
            if other >= 0 and limits.group_i[other] >= 0:
                other = -1
            if new != old and limits.group_i[task] >= 0:
                other = -1
                members = follow(task, choice_i[new], state, problem, limits)
                if members < 0:
                    members, new = 0, old
        delta = 0.0
        for side in range(2):
            changed, to = (task, new) if side == 0 else (other, new_other)
            if changed >= 0 and (side == 1 or new != old):
                if seq[POSITION, changed] < first:
                    first = seq[POSITION, changed]
                delta += choose(changed, to, state, problem, limits)
        over, allowed = 0.0, True
        if limits is not None:
            for i in range(members):
                changed = limits.moved[i, 0]
                if seq[POSITION, changed] < first:
                    first = seq[POSITION, changed]
                delta += choose(changed, limits.moved[i, 1], state, problem, limits)
                allowed = allowed and not split(changed, seq, limits)
            allowed = allowed and not split(task, seq, limits)
            allowed = allowed and not (other >= 0 and split(other, seq, limits))
            over = excess(limits)
        if kind >= REORDER:
            low, high = 0, n - 1
            for k in range(task_i[task, 2], task_i[task, 3]):
                if seq[POSITION, pred[k, 0]] >= low:
                    low = seq[POSITION, pred[k, 0]] + 1
            for k in range(task_i[task, 4], task_i[task, 5]):
                if seq[POSITION, succ[k, 0]] <= high:
                    high = seq[POSITION, succ[k, 0]] - 1
            if high > low:
                target = low + int(random(seed) * (high - low + 1))
                # Only the order on one unit matters: go on to the next task there.
                step = 1 if target > source else -1
                while low < target < high and seq[UNIT, seq[ORDER, target]] != seq[UNIT, task]:
                    target += step
                if target < first:
                    first = target
        if new == old and target == source:
            numbers[CLEAN] += numbers[LATE] == 0.0
            numbers[KEPT] += numbers[OVER] == 0.0
            continue
        per_s = 0.0
        for d in range(len(rate)):
            per_s += rate[d, used[first_device + d]]
        slope = numbers[W_MAKESPAN]
        base = numbers[ASSIGNED] + delta + numbers[HORIZON] * per_s + numbers[PENALTY_OVER] * over
        if numbers[HORIZON] == 0.0:
            slope += per_s
        cost, makespan, late = np.inf, np.inf, 0.0
        decoded = allowed and base + slope * numbers[LEAST] <= threshold
        if decoded:
            if target != source:
                move(seq, source, target)
            longest = np.inf
            punctual = base + slope * numbers[LAST]
            if punctual > threshold and slope > 0:
                longest = (threshold - base) / slope
            elif numbers[LAST] < np.inf and slope + numbers[PENALTY] > 0:
                spare = (threshold - punctual) / (slope + numbers[PENALTY])
                longest = numbers[LAST] + spare
            makespan = decode(1, first, longest * (1 + ROUNDING), state, problem)
            if makespan < np.inf:
                cost = base + slope * makespan
                if numbers[LIMITED] > 0 and (jobs.shape[1] > 1 or makespan > numbers[LAST]):
                    late = lateness(1, 0, ends, task_i, jobs)
                    cost += numbers[PENALTY] * late
                if numbers[W_TARDINESS] > 0:
                    cost += numbers[W_TARDINESS] * lateness(1, 1, ends, task_i, jobs)
            if limits is not None and cost <= threshold:
                # Without the limits nothing is later than with them, or hardly ever.
                makespan, more = decode_limited(
                    longest * (1 + ROUNDING), used, seq, problem, limits
                )
                over += more
                cost = base + numbers[PENALTY_OVER] * more + slope * makespan + limits.paid[0]
                if makespan < np.inf:
                    late = 0.0
                    if numbers[LIMITED] > 0 and (jobs.shape[1] > 1 or makespan > numbers[LAST]):
                        late = lateness(1, 0, limits.task_s, task_i, jobs)
                        cost += numbers[PENALTY] * late
                    if numbers[W_TARDINESS] > 0:
                        due = lateness(1, 1, limits.task_s, task_i, jobs)
                        cost += numbers[W_TARDINESS] * due
            if len(gaps.order) > 0 and cost <= threshold:
                window = numbers[HORIZON] if numbers[HORIZON] > 0 else makespan
                hold_slots(1, state, problem, limits, gaps)
                cost += awake(window, seq, problem, gaps)
        taken = cost <= threshold
        if taken:
            numbers[ASSIGNED] += delta
            numbers[MAKESPAN], numbers[LATE], numbers[COST] = makespan, late, cost
            numbers[OVER] = over
            numbers[TAKEN] += 1
            on_path = 0
            if late == 0.0 and over == 0.0 and cost < numbers[BEST]:
                numbers[BEST] = cost
                for t in range(n):
                    best[0, t], best[1, t] = seq[ORDER, t], seq[CHOICE, t]
        else:
            if decoded and target != source:
                move(seq, target, source)
            for side in range(2):
                changed, to = (other, old_other) if side == 0 else (task, old)
                if changed >= 0 and (side == 0 or new != old):
                    choose(changed, to, state, problem, limits)
            if limits is not None:
                for i in range(members):
                    choose(limits.moved[i, 0], limits.moved[i, 2], state, problem, limits)
        numbers[CLEAN] += numbers[LATE] == 0.0
        numbers[KEPT] += numbers[OVER] == 0.0
        if decoded:
            # Both rows agree again: the tried state becomes the present one, or the other way.
            to, of = (0, 1) if taken else (1, 0)
            for t in range(n):
                ends[to, t] = ends[of, t]
            for c in range(first // CHECKPOINT, rows):
                for i in range(wide):
                    states[to, c, i] = states[of, c, i]
