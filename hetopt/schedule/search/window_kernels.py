"""Annealing inside a window of a schedule: the inner loop of :mod:`search.windows`.

A state is a choice per task and a sequence, as in :mod:`search.list_annealing_kernels`, whose
records these functions share. Only tasks at the positions ``first`` to ``last`` of the sequence
(which is in order of starts) may change; all others keep unit and order. Those before keep their
times. Those after may start later than they do, up to the latest start with which everything after
still ends in time (:func:`latest`): a window that ends each task by what that allows leaves a
schedule that meets every deadline, whatever it did. So a move costs as much as the window is long.

Units have one slot. Beside the arrays of list annealing, for windows of m positions, K of them:

========== ============== =========================================================================
array      shape          what
========== ============== =========================================================================
states     2 × m/8+2 × U  when each unit is free, each ``CHECKPOINT`` positions of the window; the
                          last row is where a decoder counts
entry      U              when each unit is free before the window
exit_      U              when each unit must be free after it
after      U              when each unit goes on after it as things stand, inf: never
task_w     3 × n          latest end of each task whatever follows; latest start; present start
kept       n int          1: the task keeps its choice
best       2 × m int      rows ORDER and CHOICE of the window's best state
========== ============== =========================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import random
from hetopt.schedule.list_scheduling.gap_kernels import Gaps, in_gap
from hetopt.schedule.list_scheduling.limited.records import ListProblem
from hetopt.schedule.search.list_annealing_kernels import ASSIGNED as ASSIGNED
from hetopt.schedule.search.list_annealing_kernels import BEST as BEST
from hetopt.schedule.search.list_annealing_kernels import CHECKPOINT as CHECKPOINT
from hetopt.schedule.search.list_annealing_kernels import CHOICE as CHOICE
from hetopt.schedule.search.list_annealing_kernels import CLEAN as CLEAN
from hetopt.schedule.search.list_annealing_kernels import COST as COST
from hetopt.schedule.search.list_annealing_kernels import LATE as LATE
from hetopt.schedule.search.list_annealing_kernels import ORDER as ORDER
from hetopt.schedule.search.list_annealing_kernels import PENALTY as PENALTY
from hetopt.schedule.search.list_annealing_kernels import POSITION as POSITION
from hetopt.schedule.search.list_annealing_kernels import ROUNDING, State, choose, move
from hetopt.schedule.search.list_annealing_kernels import UNIT as UNIT

ENDS_BY, STARTS_BY, STARTS = range(3)
WINDOW = 19
"""Number of ``numbers`` that holds the end of the window of time: what idle power is paid for."""
NUMBERS = 20
CHANGE, REORDER, SWAP = 0.7, 0.3, 0.35
"""Kinds of move, as in list annealing."""


@inner
def ready(which: int, task: int, state: State, problem: ListProblem) -> Any:
    """Return when the data of a task are on its unit."""
    seq, ends = state.seq, state.ends
    task_i, pred, units = problem.task_i, problem.pred, problem.units
    pair, bytes_b = problem.pair, problem.bytes_b
    u = seq[UNIT, task]
    d = units[u, 0]
    start = problem.task_f[task, 0]
    for k in range(task_i[task, 2], task_i[task, 3]):
        before, m = pred[k, 0], pred[k, 1]
        at = ends[which, before]
        o = seq[UNIT, before]
        if m >= 0 and o != u:
            o = units[o, 0]
            at += pair[0, o, d] + bytes_b[m] * pair[1, o, d]
        if at > start:
            start = at
    return start


@jit
def forward(
    first: int, last: int, free: Any, task_w: Any, state: State, problem: ListProblem
) -> None:
    """Time positions of the sequence from ``free`` units on, which are left as they are then."""
    seq, ends = state.seq, state.ends
    choice_f = problem.choice_f
    for p in range(first, last):
        task = seq[ORDER, p]
        u = seq[UNIT, task]
        start = ready(0, task, state, problem)
        start = max(start, free[u])
        task_w[STARTS, task] = start
        done = start + choice_f[seq[CHOICE, task], 0]
        ends[0, task] = ends[1, task] = free[u] = done


@jit
def latest(
    first: int,
    last: int,
    cuts: Any,
    exits: Any,
    free: Any,
    task_w: Any,
    state: State,
    problem: ListProblem,
) -> None:
    """Latest starts of a part of the sequence, and when units must be free after each window.

    ``free`` says by when each unit must be free after the part. Tasks after it have their latest
    starts already. ``cuts`` are the ends of windows, ascending, and ``exits`` gets a row for each.
    """
    seq = state.seq
    task_i, succ, choice_f = problem.task_i, problem.succ, problem.choice_f
    units, pair, bytes_b = problem.units, problem.pair, problem.bytes_b
    c = len(cuts) - 1
    for p in range(last, first - 1, -1):
        while c >= 0 and cuts[c] == p:
            for u in range(len(free)):
                exits[c, u] = free[u]
            c -= 1
        if p == first:
            break
        task = seq[ORDER, p - 1]
        u = seq[UNIT, task]
        d = units[u, 0]
        by = min(task_w[ENDS_BY, task], free[u])
        for k in range(task_i[task, 4], task_i[task, 5]):
            after, m = succ[k, 0], succ[k, 1]
            at = task_w[STARTS_BY, after]
            o = seq[UNIT, after]
            if m >= 0 and o != u:
                o = units[o, 0]
                at -= pair[0, d, o] + bytes_b[m] * pair[1, d, o]
            by = min(by, at)
        by -= choice_f[seq[CHOICE, task], 0]
        task_w[STARTS_BY, task] = free[u] = by


@inner
def decode(
    which: int,
    begin: int,
    first: int,
    last: int,
    longest: float,
    state: State,
    problem: ListProblem,
) -> bool:
    """Time a window from position ``begin`` on; False where an end must be after ``longest``."""
    seq, ends, states = state.seq, state.ends, state.states
    task_f, choice_f = problem.task_f, problem.choice_f
    now, wide = states.shape[1] - 1, states.shape[2]
    c = (begin - first) // CHECKPOINT
    for i in range(wide):
        states[which, now, i] = states[which, c, i]
    for p in range(first + c * CHECKPOINT, last):
        if (p - first) % CHECKPOINT == 0:
            for i in range(wide):
                states[which, (p - first) // CHECKPOINT, i] = states[which, now, i]
        task = seq[ORDER, p]
        u = seq[UNIT, task]
        start = ready(which, task, state, problem)
        start = max(start, states[which, now, u])
        done = start + choice_f[seq[CHOICE, task], 0]
        ends[which, task] = states[which, now, u] = done
        if done + task_f[task, 1] > longest:
            return False
    return True


@inner
def lateness(
    which: int,
    first: int,
    last: int,
    allowed: float,
    exit_: Any,
    task_w: Any,
    state: State,
    problem: ListProblem,
) -> Any:
    """Sum of the times by which a window's ends are later than what follows allows."""
    seq, ends, states = state.seq, state.ends, state.states
    task_i, succ = problem.task_i, problem.succ
    units, pair, bytes_b = problem.units, problem.pair, problem.bytes_b
    total, now = 0.0, states.shape[1] - 1
    for u in range(len(exit_)):
        late = states[which, now, u] - exit_[u]
        if late > allowed:
            total += late
    for p in range(first, last):
        task = seq[ORDER, p]
        done = ends[which, task]
        late = done - task_w[ENDS_BY, task]
        u = seq[UNIT, task]
        d = units[u, 0]
        for k in range(task_i[task, 4], task_i[task, 5]):
            after, m = succ[k, 0], succ[k, 1]
            if seq[POSITION, after] < last:
                continue
            at = done
            o = seq[UNIT, after]
            if m >= 0 and o != u:
                o = units[o, 0]
                at += pair[0, d, o] + bytes_b[m] * pair[1, d, o]
            late = max(late, at - task_w[STARTS_BY, after])
        if late > allowed:
            total += late
    return total


@jit
def awake_in_window(
    which: int, first: int, last: int, after: Any, state: State, problem: ListProblem, gaps: Gaps
) -> float:
    """Cost of going on, and of a window's gaps up to when each unit goes on after it.

    Of what runs the options have it already, as units have one slot; boards are left out.
    """
    seq, ends, states, used = state.seq, state.ends, state.states, state.used
    choice_f, reached, total = problem.choice_f, gaps.reached, 0.0
    for u in range(len(after)):
        reached[u] = max(states[which, 0, u], gaps.low[u])
        if used[u] > 0:
            total += gaps.on[u] + gaps.more[u] * gaps.low[u]
    for p in range(first, last):
        task = seq[ORDER, p]
        u, end = seq[UNIT, task], ends[which, task]
        length = choice_f[seq[CHOICE, task], 0]
        if length > 0:
            if end - length > reached[u]:
                total += in_gap(end - length - reached[u], u, gaps)
            reached[u] = max(reached[u], end)
    for u in range(len(after)):
        if reached[u] < after[u] < np.inf:
            total += in_gap(after[u] - reached[u], u, gaps)
    return total


@jit
def anneal_window(
    moves: int,
    hot: float,
    cold: float,
    first: int,
    last: int,
    exit_: Any,
    after: Any,
    task_w: Any,
    kept: Any,
    state: State,
    problem: ListProblem,
    gaps: Gaps,
) -> None:
    """Try ``moves`` moves in a window while the temperature falls from ``hot`` to ``cold``."""
    seq, ends, states, used = state.seq, state.ends, state.states, state.used
    best, numbers, seed = state.best, state.numbers, state.seed
    task_i, pred, succ = problem.task_i, problem.pred, problem.succ
    choice_i, rate = problem.choice_i, problem.rate
    size, rows, wide = last - first, states.shape[1] - 1, states.shape[2]
    first_device, window = len(problem.units) - 1, numbers[WINDOW]
    allowed = ROUNDING * window
    cooling = (cold / hot) ** (1.0 / moves)
    heat = hot
    for _ in range(moves):
        heat *= cooling
        threshold = numbers[COST] - heat * np.log(1.0 - random(seed))
        source = first + int(random(seed) * size)
        task = seq[ORDER, source]
        target, begin = source, source
        kind = random(seed)
        old = seq[CHOICE, task]
        new = old
        room = task_i[task, 1] - task_i[task, 0]
        if kind < CHANGE and room > 1 and kept[task] == 0:
            new = task_i[task, 0] + int(random(seed) * (room - 1))
            if new >= old:
                new += 1
        other, old_other, new_other = -1, 0, 0
        if kind < SWAP and new != old:
            at = int(random(seed) * size)
            for q in range(size):
                t = seq[ORDER, first + (at + q if at + q < size else at + q - size)]
                if t != task and kept[t] == 0 and seq[UNIT, t] == choice_i[new]:
                    for k in range(task_i[t, 0], task_i[t, 1]):
                        if choice_i[k] == choice_i[old]:
                            other, old_other, new_other = t, seq[CHOICE, t], k
                    break
        delta = 0.0
        for side in range(2):
            changed, to = (task, new) if side == 0 else (other, new_other)
            if changed >= 0 and (side == 1 or new != old):
                begin = min(begin, seq[POSITION, changed])
                delta += choose(changed, to, state, problem, None)
        if kind >= REORDER:
            low, high = first, last - 1
            for k in range(task_i[task, 2], task_i[task, 3]):
                if seq[POSITION, pred[k, 0]] >= low:
                    low = seq[POSITION, pred[k, 0]] + 1
            for k in range(task_i[task, 4], task_i[task, 5]):
                if seq[POSITION, succ[k, 0]] <= high:
                    high = seq[POSITION, succ[k, 0]] - 1
            if high > low:
                target = low + int(random(seed) * (high - low + 1))
                step = 1 if target > source else -1
                while low < target < high and seq[UNIT, seq[ORDER, target]] != seq[UNIT, task]:
                    target += step
                begin = min(begin, target)
        if new == old and target == source:
            numbers[CLEAN] += numbers[LATE] == 0.0
            continue
        per_s = 0.0
        for d in range(len(rate)):
            per_s += rate[d, used[first_device + d]]
        base = numbers[ASSIGNED] + delta + window * per_s
        cost, late = np.inf, 0.0
        decoded = base <= threshold
        if decoded:
            if target != source:
                move(seq, source, target)
            longest = (window + (threshold - base) / numbers[PENALTY]) * (1 + ROUNDING)
            if decode(1, begin, first, last, longest, state, problem):
                late = lateness(1, first, last, allowed, exit_, task_w, state, problem)
                cost = base + numbers[PENALTY] * late
                if len(gaps.order) > 0 and cost <= threshold:
                    cost += awake_in_window(1, first, last, after, state, problem, gaps)
        taken = cost <= threshold
        if taken:
            numbers[ASSIGNED] += delta
            numbers[LATE], numbers[COST] = late, cost
            if late == 0.0 and cost < numbers[BEST]:
                numbers[BEST] = cost
                for p in range(first, last):
                    best[0, p - first] = seq[ORDER, p]
                    best[1, p - first] = seq[CHOICE, seq[ORDER, p]]
        else:
            if decoded and target != source:
                move(seq, target, source)
            for side in range(2):
                changed, to = (other, old_other) if side == 0 else (task, old)
                if changed >= 0 and (side == 0 or new != old):
                    choose(changed, to, state, problem, None)
        numbers[CLEAN] += numbers[LATE] == 0.0
        if decoded:
            to, of = (0, 1) if taken else (1, 0)
            for p in range(begin, last):
                t = seq[ORDER, p]
                ends[to, t] = ends[of, t]
            for c in range((begin - first) // CHECKPOINT, rows):
                for i in range(wide):
                    states[to, c, i] = states[of, c, i]


@jit
def restore(first: int, last: int, state: State, problem: ListProblem) -> None:
    """Go back to the best state of a window; its times have to be counted anew."""
    seq, best, numbers = state.seq, state.best, state.numbers
    for p in range(first, last):
        task = best[0, p - first]
        seq[ORDER, p] = task
        seq[POSITION, task] = p
        if seq[CHOICE, task] != best[1, p - first]:
            numbers[ASSIGNED] += choose(task, best[1, p - first], state, problem, None)


@jit
def enter(first: int, last: int, entry: Any, state: State, problem: ListProblem) -> None:
    """Time a window as it stands."""
    states = state.states
    for which in range(2):
        for u in range(len(entry)):
            states[which, 0, u] = entry[u]
        decode(which, first, first, last, np.inf, state, problem)
