r"""Tabu search on the disjunctive graph of a flexible job shop: the inner loop of :mod:`improve`.

Method: M. Mastrolilli, L. M. Gambardella, "Effective neighbourhood functions for the flexible job
shop problem", Journal of Scheduling 3, 2000. A state is a machine per task and a sequence per
machine. A move takes a task v of a critical path from its machine and inserts it anywhere, on any
of its machines. In the graph G' without v's machine arcs, with heads r and tails q (time after the
end), let a task x of machine k be in L where r[x] + p[x] > r[v], and in R where q[x] + p[x] > q[v].
Along the machine R is a prefix and L a suffix. Every position after R \ L and before L \ R keeps
the graph acyclic, and some such position is best on that machine. Between x and y the longest path
through v is exactly max(r[v], r[x] + p[x]) + p + max(q[v], q[y] + p[y]), because neither x nor y
depends on v; and no path without v is longer than the longest one of G'. The larger of both is an
upper bound of the new makespan, and misses it only where the arc x -> y was critical. Heads and
tails of G' are exact here: they cost one pass over the topological order per task v, which pays
for itself in moves that are what they seem. So that long paths cost no more than short ones, a
move is the best one of some tasks of the path, drawn at random, and a task is given up as soon as
G' is seen to have a longer path than the best move so far.

After a move, v may not return to the machine that it left for some moves, or, where it moved on
one machine, may not pass back any task that it passed, nor they it, unless that would beat the
best makespan. Ties are broken at random.

The functions are written in the subset of Python that Numba compiles. For n tasks, M machines, K
choices (pairs of task and machine) of all tasks; the task n and the machine M stand for none.
Indices are unsigned, which saves Numba the test for negative ones. Times are in ticks.

All arrays come from the caller: the functions make none (see :mod:`hetopt.runtime.jit`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import draw

MOVES, MAKESPAN, BEST, IMPROVED, TARGET, SAMPLE = range(6)
"""Moves made; makespan of the state and of the best one; move at which that was found; makespan at
which to stop; tasks of the path that a move is chosen from."""
NUMBERS = 6
LONG = 1 << 62
ARCS = 65_536
"""Size of the table of tabu arcs, a power of two."""
TENURE, TENURE_MORE = 10, 7
"""Least number of moves for which something is tabu, and how many numbers follow that one."""


class State(NamedTuple):
    """A machine per task and a sequence per machine, with their times.

    ============ ======= ===========================================================================
    array        size    what
    ============ ======= ===========================================================================
    numbers      6       see above
    order, place n       a topological order, and its inverse
    chosen       n       choice of each task
    machine      n       its machine
    before,after n + 1   its neighbours there
    time         n + 1   time of its choice
    end, rest    n + 1   end; time from the start of the task to the end of all
    upto         n       latest end of the tasks at earlier places of the order
    room         2 × n   the path and what else is being listed; marks
    first        M + 1   first task of each machine
    ============ ======= ===========================================================================
    """

    numbers: Any
    order: Any
    place: Any
    chosen: Any
    machine: Any
    before: Any
    after: Any
    time: Any
    end: Any
    rest: Any
    upto: Any
    room: Any
    first: Any


class Tasks(NamedTuple):
    """What does not change.

    =========== ======= ============================================================================
    array       size    what
    =========== ======= ============================================================================
    task        n × 7   choices from, to; first task before, first after; rows of ``more`` with
                        further tasks before from, to, and those after up to
    release     n       earliest start
    more        -       further tasks before and after each task
    choice      K       machine of each choice
    choice_time K       its time
    =========== ======= ============================================================================
    """

    task: Any
    release: Any
    more: Any
    choice: Any
    choice_time: Any


class Run(NamedTuple):
    """What one run of tabu search remembers.

    =================== ======= ====================================================================
    array               size    what
    =================== ======= ====================================================================
    arcs                ARCS    move until which an order of two tasks on a machine may not be made
    tabu                n × M+1 move until which a task may not be put on a machine
    best                2 × n   rows order and chosen of the best state
    end_less, rest_less n + 1   ``end`` and ``rest`` in G'
    =================== ======= ====================================================================
    """

    arcs: Any
    tabu: Any
    best: Any
    end_less: Any
    rest_less: Any


@inner
def forward(begin: int, state: State, shop: Tasks) -> Any:
    """Compute ends from a place of the order on; return the makespan."""
    order, before, time = state.order, state.before, state.time
    end, upto = state.end, state.upto
    task, release, more = shop.task, shop.release, shop.more
    n = len(order)
    latest = upto[begin]
    for i in range(begin, n):
        t = order[i]
        upto[i] = latest
        at = max(max(release[t], end[task[t, 2]]), end[before[t]])
        for e in range(task[t, 4], task[t, 5]):
            at = max(at, end[more[e]])
        end[t] = at + time[t]
        latest = max(latest, end[t])
    return latest


@inner
def backward(begin: int, rest: Any, state: State, shop: Tasks) -> None:
    """Compute the times that follow from a place of the order down."""
    order, after, time = state.order, state.after, state.time
    task, more = shop.task, shop.more
    for i in range(begin, -1, -1):
        t = order[i]
        behind = max(rest[task[t, 3]], rest[after[t]])
        for e in range(task[t, 5], task[t, 6]):
            behind = max(behind, rest[more[e]])
        rest[t] = behind + time[t]


@inner
def without(v: int, most: int, end_less: Any, state: State, shop: Tasks) -> Any:
    """Compute ends in G' behind v and return its longest path, or one longer than ``most``.

    A task behind v in the order has the same time that follows in G', so each path behind v is
    known as soon as it is met.
    """
    order, place, before, time = state.order, state.place, state.before, state.time
    rest, upto = state.rest, state.upto
    task, release, more = shop.task, shop.release, shop.more
    n = len(order)
    whole = upto[place[v]]
    for i in range(place[v], n):
        t = order[i]
        at = max(max(release[t], end_less[task[t, 2]]), end_less[before[t]])
        for e in range(task[t, 4], task[t, 5]):
            at = max(at, end_less[more[e]])
        end_less[t] = at + time[t]
        if t != v:
            whole = max(whole, at + rest[t])
            if whole > most:
                return whole
    return whole


@inner
def link(v: int, x: int, y: int, m: int, before: Any, after: Any, first: Any) -> None:
    """Put a task between two neighbours on a machine."""
    before[v] = x
    after[v] = y
    after[x] = v
    before[y] = v
    if x == len(before) - 1:
        first[m] = v


@inner
def unlink(v: int, m: int, before: Any, after: Any, first: Any) -> None:
    """Take a task off its machine, whose other tasks close up."""
    none = len(before) - 1
    x = before[v]
    y = after[v]
    after[x] = y
    before[y] = x
    if x == none:
        first[m] = y
    before[v] = none
    after[v] = none


@inner
def reorder(v: int, state: State, shop: Tasks) -> Any:
    """Make the order topological again after v has got new neighbours; return where it changed.

    Only the span between v, the last task before it and the first one after it changes: what
    depends on v goes behind it, the rest before it.
    """
    order, place, before = state.order, state.place, state.before
    after, room = state.after, state.room
    task, more = shop.task, shop.more
    n = len(order)
    at: Any = np.int64(place[v])
    low: Any = -1
    high: Any = n
    if task[v, 2] < n:
        low = max(low, np.int64(place[task[v, 2]]))
    if before[v] < n:
        low = max(low, np.int64(place[before[v]]))
    for e in range(task[v, 4], task[v, 5]):
        low = max(low, np.int64(place[more[e]]))
    if task[v, 3] < n:
        high = min(high, np.int64(place[task[v, 3]]))
    if after[v] < n:
        high = min(high, np.int64(place[after[v]]))
    for e in range(task[v, 5], task[v, 6]):
        high = min(high, np.int64(place[more[e]]))
    if low < at < high:
        return at
    put = begin = min(at, high)
    room[1, v] = 1
    later = 0
    for i in range(begin, max(at, low) + 1):
        t = order[i]
        if t == v:
            continue
        marked = room[1, before[t]] + room[1, task[t, 2]]
        for e in range(task[t, 4], task[t, 5]):
            marked += room[1, more[e]]
        if marked > 0:
            room[1, t] = 1
            room[0, later] = t
            later += 1
        else:
            order[put] = t
            place[t] = put
            put += 1
    order[put] = v
    place[v] = put
    room[1, v] = 0
    for k in range(later):
        t = room[0, k]
        room[1, t] = 0
        put += 1
        order[put] = t
        place[t] = put
    return begin


@inner
def critical_path(seed: Any, makespan: int, state: State, shop: Tasks) -> Any:
    """List a longest path, drawn at random, from its end; return how many tasks it has."""
    before, time, end, room = state.before, state.time, state.end, state.room
    task, more = shop.task, shop.more
    n = len(end) - 1
    found: Any = n
    ties = 0
    for t in range(n):
        if end[t] == makespan:
            ties += 1
            if draw(ties, seed) == 0:
                found = t
    length = 0
    while found < n:
        t = found
        room[0, length] = t
        length += 1
        head = end[t] - time[t]
        found = n
        ties = 0
        b: Any = np.int64(before[t])
        if b < n and end[b] == head:
            found = b
            ties = 1
        b = np.int64(task[t, 2])
        if b < n and end[b] == head:
            ties += 1
            if draw(ties, seed) == 0:
                found = b
        for e in range(task[t, 4], task[t, 5]):
            b = np.int64(more[e])
            if end[b] == head:
                ties += 1
                if draw(ties, seed) == 0:
                    found = b
    return length


@jit
def load(state: State, shop: Tasks) -> None:
    """Build links, ends and what follows from ``order`` and ``chosen``."""
    numbers, order, place, chosen = state.numbers, state.order, state.place, state.chosen
    machine, before, after = state.machine, state.before, state.after
    time, upto, room, first = state.time, state.upto, state.room, state.first
    choice, choice_time = shop.choice, shop.choice_time
    n = len(order)
    none = np.uint32(n)
    for m in range(len(first)):
        first[m] = none
    for i in range(n - 1, -1, -1):
        t = order[i]
        place[t] = i
        room[1, t] = 0
        before[t] = n
        after[t] = n
        m = choice[chosen[t]]
        machine[t] = m
        time[t] = choice_time[chosen[t]]
        if m < len(first) - 1:
            link(t, none, first[m], m, before, after, first)
    upto[0] = 0
    numbers[MAKESPAN] = forward(0, state, shop)
    backward(n - 1, state.rest, state, shop)


@inner
def arc(a: int, b: int) -> Any:
    """Place of an arc in the table of tabu arcs; arcs may share one, which forbids a bit more."""
    mixed = np.uint64(a) * np.uint64(40503) + np.uint64(b) * np.uint64(2654435769)
    return (mixed >> np.uint64(8)) & np.uint64(ARCS - 1)


@inner
def blocked(v: int, x: int, y: int, x0: int, y0: int, now: int, arcs: Any, state: State) -> bool:
    """Whether a move of v on its machine, from (x0, y0) to (x, y), makes an arc that is tabu."""
    place, before, after = state.place, state.before, state.after
    if y < len(place) and place[y] < place[v]:
        w = y
        while w != y0:
            if arcs[arc(v, w)] > now:
                return True
            w = after[w]
        return False
    w = x
    while w != x0:
        if arcs[arc(w, v)] > now:
            return True
        w = before[w]
    return False


@inner
def put(v: int, c: int, left: int, right: int, best: Any, state: State, shop: Tasks) -> None:
    """Give v a choice, between two neighbours on its machine; keep the state if it is the best."""
    numbers, order, place, chosen = state.numbers, state.order, state.place, state.chosen
    machine, before, after, first = state.machine, state.before, state.after, state.first
    n = len(order)
    x0 = before[v]
    y0 = after[v]
    unlink(v, machine[v], before, after, first)
    chosen[v] = c
    machine[v] = shop.choice[c]
    state.time[v] = shop.choice_time[c]
    link(v, left, right, machine[v], before, after, first)
    low = reorder(v, state, shop)
    high = np.int64(place[v])
    if y0 < n:
        low = min(low, np.int64(place[y0]))
    if x0 < n:
        high = max(high, np.int64(place[x0]))
    numbers[MAKESPAN] = forward(low, state, shop)
    backward(high, state.rest, state, shop)
    if numbers[MAKESPAN] < numbers[BEST]:
        numbers[BEST] = numbers[MAKESPAN]
        numbers[IMPROVED] = numbers[MOVES]
        for t in range(n):
            best[0, t] = order[t]
            best[1, t] = chosen[t]


@jit
def search(moves: int, seed: Any, run: Run, state: State, shop: Tasks) -> None:
    """Make some moves, or fewer where the target is met or no move is left."""
    arcs, tabu, best = run.arcs, run.tabu, run.best
    end_less, rest_less = run.end_less, run.rest_less
    numbers, order, place = state.numbers, state.order, state.place
    machine, before, after = state.machine, state.before, state.after
    time, end, rest = state.time, state.end, state.rest
    room, first = state.room, state.first
    task, choice, choice_time = shop.task, shop.choice, shop.choice_time
    n = len(order)
    none = np.uint32(n)
    machines = len(first) - 1
    for _ in range(moves):
        if numbers[BEST] <= numbers[TARGET]:
            return
        length = critical_path(seed, numbers[MAKESPAN], state, shop)
        # The best move (task, choice, neighbours), and one of those that are tabu.
        taken = other = none
        wanted = other_choice = 0
        left = right = other_left = other_right = none
        value = est = LONG
        ties = others = tried = 0
        for k in range(length):
            pick = k + draw(length - k, seed)
            v = room[0, pick]
            room[0, pick] = room[0, k]
            home = machine[v]
            x0 = before[v]
            y0 = after[v]
            alone = task[v, 1] - task[v, 0] == 1 and x0 == n and y0 == n
            if home == machines or alone:
                continue
            duration = time[v]
            time[v] = 0
            unlink(v, home, before, after, first)
            for t in range(n):
                end_less[t] = end[t]
            whole = without(v, value, end_less, state, shop)
            if whole <= value:
                tried += 1
                for t in range(n):
                    rest_less[t] = rest[t]
                backward(np.int64(place[v]), rest_less, state, shop)
                head = end_less[v]
                tail = rest_less[v]
                for c in range(np.int64(task[v, 0]), np.int64(task[v, 1])):
                    m = choice[c]
                    forbidden = m != home and tabu[v, m] > numbers[MOVES]
                    x = none
                    y = first[m]
                    while y < n and end_less[y] <= head:
                        x = y
                        y = after[y]
                    crossing = True
                    while crossing:
                        crossing = rest_less[y] > tail
                        through = choice_time[c] + max(head, end_less[x]) + max(tail, rest_less[y])
                        worth = max(through, whole)
                        moved = m != home or x != x0 or y != y0
                        skip = forbidden
                        if m == home and moved and worth <= value:
                            skip = blocked(v, x, y, x0, y0, numbers[MOVES], arcs, state)
                        if moved and skip and worth >= numbers[BEST]:
                            others += 1
                            if draw(others, seed) == 0:
                                other = v
                                other_choice = c
                                other_left = x
                                other_right = y
                        elif moved and (worth < value or (worth == value and through <= est)):
                            ties = ties + 1 if worth == value and through == est else 1
                            if ties == 1 or draw(ties, seed) == 0:
                                value = worth
                                est = through
                                taken = v
                                wanted = c
                                left = x
                                right = y
                        x = y
                        y = after[y]
            time[v] = duration
            link(v, x0, y0, home, before, after, first)
            if tried >= numbers[SAMPLE] and taken < n:
                break
        numbers[MOVES] += 1
        if taken == n:
            if other == n:
                return
            taken = other
            wanted = other_choice
            left = other_left
            right = other_right
        v = taken
        until = numbers[MOVES] + TENURE + draw(TENURE_MORE, seed)
        if choice[wanted] != machine[v]:
            tabu[v, machine[v]] = until
        elif right < n and place[right] < place[v]:
            w = right
            while w != v:
                arcs[arc(w, v)] = until
                w = after[w]
        else:
            w = left
            while w != v:
                arcs[arc(v, w)] = until
                w = before[w]
        put(v, wanted, left, right, best, state, shop)
