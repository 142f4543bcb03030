"""Annealing over activity lists and modes: the inner loop of :mod:`projects.improve`.

A state is a mode per task and a sequence of the tasks in topological order. :func:`decode` is the
serial schedule generation scheme (Kolisch, EJOR 90(2), 1996): each task of the sequence starts as
early as its predecessors and all renewable resources allow. Some sequence gives a best schedule
for the modes (Sprecher, Kolisch, Drexl, EJOR 80(1), 1995).

What is left of the resources over time is a linked list of nodes, a node for each time at which it
changes. A task starts at a node: the end of a predecessor or of a task that held a resource; so
no node is ever searched for. What is left of all resources at a node is packed into few words, a
field with a guard bit for each resource; one subtraction says whether a mode fits all fields of a
word (Lamport, "Multiple byte processing with full-word instructions", CACM 18(8), 1975).

The functions are written in the subset of Python that Numba compiles, loops written out, columns
in few arrays, which keeps the compilation short. For n tasks, M modes of all tasks, W words, B
budgets, E edges, V nodes:

========= ================ ========================================================================
array     shape            what
========= ================ ========================================================================
seq       6 × n int        rows ORDER, POSITION, MODE of the present state; LIST (the sequence that
                           is tried), PATH (tasks on a critical path), SORT (room)
times     6 × n int        rows START, END, NODE (of the end) of the present state, then of the one
                           that is tried
states    2 × (C+1) ×      profiles stored at C positions, evenly spread; row 0 of each holds
          (V+1) ×          (nodes, end so far), the others time, next node (-1: none), words.
          (2+W) int        The last is the profile that the decoder works on
slot      C int            which of the two stored profiles belongs to the present state
task_i    n × 9 int        modes from, to; rows of pred from, to; rows of succ from, to; release;
                           latest end; least time from its end to the end of all that follows
links     2 × E int        rows: predecessors by task, successors by task
mode_i    M × (1+W+B) int  duration; words of what it holds; amounts of budgets
guards    2 × W int        rows: guard bits; words of the whole capacities
price     M                a share of the makespan that the resources that a mode holds stand for
spare     B int            what the present modes leave of each budget
best      2 × n int        rows ORDER and MODE of the best state
numbers   see below        running numbers and settings
========= ================ ========================================================================

All arrays come from the caller: the functions make none (see :mod:`hetopt.runtime.jit`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import random

ORDER, POSITION, MODE, LIST, PATH, SORT = range(6)
START, END, NODE, TRIAL = range(4)
LEFT, RIGHT, PRED, PRED_END, SUCC, SUCC_END, RELEASE, LATEST, TAIL = range(9)
MAKESPAN, MEAN, PRICED, COST, BEST, ON_PATH, TRIED, TAKEN = range(8)
"""Running numbers; ``MEAN`` is the mean end, ``PRICED`` the prices of the present modes."""
SMOOTH, CRITICAL, CHANGE, JUSTIFY = range(8, 12)
"""Settings: weight of the mean end; shares of moves on a critical path, of changes of mode among
the others, of justifications."""
NUMBERS = 12
STEADY = 0.9
"""Part of the mean end that one move never takes away, or else it is refused."""
TRIES = 12
"""Draws of a second change of mode that keeps within the budgets."""
NEVER = 1 << 60


def _decode(
    first: int,
    until: int,
    back: int,
    limit: int,
    seq: Any,
    times: Any,
    states: Any,
    slot: Any,
    task_i: Any,
    links: Any,
    mode_i: Any,
    guards: Any,
) -> Any:
    """Start the tasks of LIST, in the state that is tried; return the latest end.

    Parameters
    ----------
    first
        Position from which on the sequence, or modes in it, differ from the present state. Stored
        profiles from there on go to the slots that the present state does not use.
    until
        Position up to which the sequence differs; -2 is returned where no task up to there starts
        at another time than in the present state, as then none does (the number of tasks: go on).
    back
        1: time runs backwards, from the ends of the project, and the whole LIST is decoded;
        releases, latest ends and the limit are left out, and no profile is stored.
    limit
        -1 is returned as soon as the end must exceed it.
    """
    n = seq.shape[1]
    words = guards.shape[1]
    work = states.shape[1] - 1
    every = (n + work - 1) // work
    now = states[0, work]
    c = first // every if back == 0 else 0
    if c == 0:
        now[0, 0], now[0, 1] = 1, 0
        now[1, 0], now[1, 1] = 0, -1
        for w in range(words):
            now[1, 2 + w] = guards[1, w]
    else:
        stored = states[slot[c], c]
        for v in range(stored[0, 0] + 1):
            for w in range(2 + words):
                now[v, w] = stored[v, w]
    nodes, latest = now[0, 0], now[0, 1]
    same = True
    col, col_end = (SUCC, SUCC_END) if back == 1 else (PRED, PRED_END)
    for p in range(c * every, n):
        if back == 0 and p % every == 0 and p > first:
            k = p // every
            stored = states[1 - slot[k], k]
            now[0, 0], now[0, 1] = nodes, latest
            for v in range(nodes + 1):
                for w in range(2 + words):
                    stored[v, w] = now[v, w]
        t = seq[LIST, p]
        ready, node = 0, 1
        for e in range(task_i[t, col], task_i[t, col_end]):
            u = links[back, e]
            if times[TRIAL + END, u] > ready:
                ready, node = times[TRIAL + END, u], times[TRIAL + NODE, u]
        if back == 0 and task_i[t, RELEASE] > ready:
            ready = task_i[t, RELEASE]
            after = now[node, 1]
            while after > 0 and now[after, 0] <= ready:
                node = after
                after = now[node, 1]
            if now[node, 0] < ready:
                nodes += 1
                now[nodes, 0], now[nodes, 1] = ready, after
                for w in range(words):
                    now[nodes, 2 + w] = now[node, 2 + w]
                now[node, 1] = nodes
                node = nodes
        m = seq[MODE, t]
        length = mode_i[m, 0]
        begin, last = node, node
        if length > 0:
            finish = now[begin, 0] + length
            k = begin
            while True:
                free = True
                for w in range(words):
                    if (now[k, 2 + w] - mode_i[m, 1 + w]) & guards[0, w] != guards[0, w]:
                        free = False
                last = now[k, 1]
                if not free:
                    begin = last
                    finish = now[begin, 0] + length
                elif last < 0 or now[last, 0] >= finish:
                    break
                k = last
            if last < 0 or now[last, 0] > finish:
                nodes += 1
                now[nodes, 0], now[nodes, 1] = finish, last
                for w in range(words):
                    now[nodes, 2 + w] = now[k, 2 + w]
                now[k, 1] = nodes
                last = nodes
            k = begin
            while k != last:
                for w in range(words):
                    now[k, 2 + w] -= mode_i[m, 1 + w]
                k = now[k, 1]
        finish = now[begin, 0] + length
        if back == 0 and (finish + task_i[t, TAIL] > limit or finish > task_i[t, LATEST]):
            return -1
        same = same and times[START, t] == now[begin, 0]
        if same and p == until:
            return -2
        times[TRIAL + START, t] = now[begin, 0]
        times[TRIAL + END, t] = finish
        times[TRIAL + NODE, t] = last
        if finish > latest:
            latest = finish
    return latest


decode = inner(_decode)


def _find_path(seed: Any, seq: Any, times: Any, task_i: Any, mode_i: Any, makespan: int) -> Any:
    """Write tasks that keep each other waiting up to the last end to row PATH; count them.

    From a task that ends last on: some task that ends when this one starts, its predecessor or
    one earlier in the sequence that held a resource.
    """
    n = seq.shape[1]
    wanted, found, p = makespan, 0, n - 1
    while wanted > 0:
        chosen, seen = -1, 0.0
        for q in range(p, -1, -1):
            t = seq[ORDER, q]
            if times[END, t] == wanted and mode_i[seq[MODE, t], 0] > 0:
                seen += 1.0
                if random(seed) * seen < 1.0:
                    chosen = q
        if chosen < 0:
            break
        t = seq[ORDER, chosen]
        seq[PATH, found] = t
        found += 1
        wanted = times[START, t]
        p = chosen - 1
    return found


find_path = inner(_find_path)


def _sort_by_end(seq: Any, times: Any, stage: int) -> None:
    """Order tasks by decreasing end into LIST, later ones first among equals.

    Stage 0: of the present state. Stage 1: of the state that is tried, whose sequence LIST is.
    """
    n = seq.shape[1]
    row, of = stage * TRIAL + END, stage * LIST
    for p in range(n):
        seq[SORT, p] = seq[of, n - 1 - p]
    for p in range(n):
        t = seq[SORT, p]
        q = p
        while q > 0 and times[row, seq[LIST, q - 1]] < times[row, t]:
            seq[LIST, q] = seq[LIST, q - 1]
            q -= 1
        seq[LIST, q] = t


sort_by_end = inner(_sort_by_end)


def _anneal(
    moves: int,
    hot: float,
    cold: float,
    seed: Any,
    numbers: Any,
    seq: Any,
    times: Any,
    states: Any,
    slot: Any,
    spare: Any,
    best: Any,
    task_i: Any,
    links: Any,
    mode_i: Any,
    guards: Any,
    price: Any,
) -> None:
    """Make some moves while the temperature falls from ``hot`` to ``cold``.

    Parameters
    ----------
    moves
        0 decodes the present state from scratch, and takes it.

    Notes
    -----
    A move changes a mode (and, where a budget is then exceeded, another task's mode too), or
    moves a task in the sequence, or justifies: the schedule is moved right, then left again,
    after which it is no longer than before (Valls, Ballestin, Quintanilla, EJOR 165(2), 2005).
    """
    n = seq.shape[1]
    words, budgets = guards.shape[1], len(spare)
    rows = states.shape[1] - 1
    every = (n + rows - 1) // rows
    cool = (cold / hot) ** (1.0 / moves) if moves > 0 else 1.0
    temperature = hot
    for _ in range(max(1, moves)):
        temperature *= cool
        first = 0
        task, other, old, old_other = 0, -1, seq[MODE, 0], 0
        source, target = 0, 0
        right = False
        threshold = np.inf
        if moves > 0:
            threshold = numbers[COST] - temperature * np.log(1.0 - random(seed))
            if random(seed) < numbers[CRITICAL]:
                if numbers[ON_PATH] <= 0:
                    numbers[ON_PATH] = find_path(
                        seed, seq, times, task_i, mode_i, int(numbers[MAKESPAN])
                    )
                task = seq[PATH, int(random(seed) * numbers[ON_PATH])]
            else:
                task = int(random(seed) * n)
            source = seq[POSITION, task]
            target = source
            first = n
            old = seq[MODE, task]
            room = task_i[task, RIGHT] - task_i[task, LEFT]
            kind = random(seed)
            right = random(seed) < numbers[JUSTIFY]
            if right:
                first = 0
            elif kind < numbers[CHANGE] and room > 1:
                new = task_i[task, LEFT] + int(random(seed) * (room - 1))
                if new >= old:
                    new += 1
                fits = True
                for b in range(budgets):
                    spare[b] += mode_i[old, 1 + words + b] - mode_i[new, 1 + words + b]
                    if spare[b] < 0:
                        fits = False
                seq[MODE, task] = new
                first = source
                tries = 0
                while not fits and tries < TRIES:
                    tries += 1
                    u = int(random(seed) * n)
                    left = task_i[u, LEFT]
                    room = task_i[u, RIGHT] - left
                    if u == task or room < 2:
                        continue
                    was = seq[MODE, u]
                    to = left + int(random(seed) * (room - 1))
                    if to >= was:
                        to += 1
                    fits = True
                    for b in range(budgets):
                        if spare[b] + mode_i[was, 1 + words + b] < mode_i[to, 1 + words + b]:
                            fits = False
                    if fits:
                        other, old_other = u, was
                        seq[MODE, u] = to
                        for b in range(budgets):
                            spare[b] += mode_i[was, 1 + words + b] - mode_i[to, 1 + words + b]
                        if seq[POSITION, u] < first:
                            first = seq[POSITION, u]
                if not fits:
                    seq[MODE, task] = old
                    for b in range(budgets):
                        spare[b] -= mode_i[old, 1 + words + b] - mode_i[new, 1 + words + b]
                    continue
            else:
                low, high = 0, n - 1
                for e in range(task_i[task, PRED], task_i[task, PRED_END]):
                    if seq[POSITION, links[0, e]] >= low:
                        low = seq[POSITION, links[0, e]] + 1
                for e in range(task_i[task, SUCC], task_i[task, SUCC_END]):
                    if seq[POSITION, links[1, e]] <= high:
                        high = seq[POSITION, links[1, e]] - 1
                if high <= low:
                    continue
                target = low + int(random(seed) * (high - low))
                if target >= source:
                    target += 1
                first = min(source, target)
        # The sequence that is tried.
        until = n if source == target else max(source, target)
        priced = numbers[PRICED]
        if moves == 0:
            priced = 0.0
            for t in range(n):
                priced += price[seq[MODE, t]]
        elif seq[MODE, task] != old:
            priced += price[seq[MODE, task]] - price[old]
            if other >= 0:
                priced += price[seq[MODE, other]] - price[old_other]
        begin = first // every * every
        for p in range(begin, n):
            seq[LIST, p] = seq[ORDER, p]
        if target > source:
            for p in range(source, target):
                seq[LIST, p] = seq[ORDER, p + 1]
            seq[LIST, target] = task
        elif target < source:
            for p in range(target + 1, source + 1):
                seq[LIST, p] = seq[ORDER, p - 1]
            seq[LIST, target] = task
        limit = NEVER
        if threshold < NEVER:
            limit = int(threshold - priced - numbers[SMOOTH] * STEADY * numbers[MEAN])
        makespan = 0
        for stage in range(2 if right else 1):
            back = 1 if right and stage == 0 else 0
            if right:
                sort_by_end(seq, times, stage)
            makespan = decode(
                first, until, back, limit, seq, times, states, slot, task_i, links, mode_i, guards
            )
        numbers[TRIED] += 1
        cost, mean = np.inf, 0.0
        if makespan >= 0:
            for t in range(n):
                mean += times[TRIAL + END, t]
            mean /= n
            cost = makespan + numbers[SMOOTH] * mean + priced
        taken = makespan >= 0 and cost <= threshold
        if taken:
            numbers[TAKEN] += 1
            numbers[MAKESPAN], numbers[MEAN], numbers[COST] = makespan, mean, cost
            numbers[PRICED] = priced
            numbers[ON_PATH] = 0
            for p in range(begin, n):
                t = seq[LIST, p]
                seq[ORDER, p] = t
                seq[POSITION, t] = p
            for k in range(first // every + 1, rows):
                slot[k] = 1 - slot[k]
            if makespan < numbers[BEST]:
                numbers[BEST] = makespan
                for t in range(n):
                    best[0, t], best[1, t] = seq[ORDER, t], seq[MODE, t]
        elif moves > 0:
            if other >= 0:
                for b in range(budgets):
                    spare[b] -= mode_i[old_other, 1 + words + b]
                    spare[b] += mode_i[seq[MODE, other], 1 + words + b]
                seq[MODE, other] = old_other
            if seq[MODE, task] != old:
                for b in range(budgets):
                    spare[b] -= mode_i[old, 1 + words + b]
                    spare[b] += mode_i[seq[MODE, task], 1 + words + b]
                seq[MODE, task] = old
        to, of = (0, TRIAL) if taken else (TRIAL, 0)
        for r in range(TRIAL):
            for t in range(n):
                times[to + r, t] = times[of + r, t]


anneal = jit(_anneal)
