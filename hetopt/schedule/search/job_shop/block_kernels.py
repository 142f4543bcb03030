r"""Tabu search where each task has one machine: moves within blocks of a critical path.

A block is a run of tasks that follow each other on a critical path and on one machine. Some task of
a block has to go before its first or behind its last one before the makespan can fall, so the moves
put a task behind the last or before the first of its block, and the first or the last into its
inside: E. Balas, A. Vazacopoulos, "Guided local search with shifting bottleneck for job shop
scheduling", Management Science 44, 1998, and C. Zhang, P. Li, Z. Guan, Y. Rao, "A tabu search
algorithm with a new neighborhood structure for the job shop scheduling problem", Computers &
Operations Research 34, 2007. Their worth is an estimate, the longest path through the tasks that
change places, which takes time for these only and not for all tasks as in :mod:`job_shop.kernels`;
the makespan after the move that is made is exact.

With ``rest`` the time from the start of a task to the end of all, u may go behind v, which comes
later on its machine, if rest[s] < rest[v] for each task s that must follow u (or rest[s] = rest[v]
where s takes time): a path from s to v would make rest[s] at least rest[v] plus the time of s. So
the graph stays without a circle; v before u likewise, by the ends.

Arrays and numbers are those of :mod:`job_shop.kernels`, which also holds the steps that both share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import draw
from hetopt.schedule.search.job_shop.kernels import (
    BEST,
    LONG,
    MAKESPAN,
    MOVES,
    TARGET,
    TENURE,
    Run,
    State,
    Tasks,
    arc,
    critical_path,
    put,
)


@inner
def head(t: int, state: State, shop: Tasks) -> Any:
    """Earliest start of a task but for its machine."""
    task, release, more = shop.task, shop.release, shop.more
    end = state.end
    at = max(release[t], end[task[t, 2]])
    for e in range(task[t, 4], task[t, 5]):
        at = max(at, end[more[e]])
    return at


@inner
def tail(t: int, state: State, shop: Tasks) -> Any:
    """Time that must follow the end of a task but for its machine."""
    task, more = shop.task, shop.more
    rest = state.rest
    behind = rest[task[t, 3]]
    for e in range(task[t, 5], task[t, 6]):
        behind = max(behind, rest[more[e]])
    return behind


@inner
def may_follow(u: int, v: int, state: State, shop: Tasks) -> bool:
    """Whether u can go behind v, a later task of its machine, without a circle."""
    time, rest = state.time, state.rest
    task, more = shop.task, shop.more
    s: Any = task[u, 3]
    if rest[s] > rest[v] or (rest[s] == rest[v] and time[s] == 0):
        return False
    for e in range(task[u, 5], task[u, 6]):
        s = more[e]
        if rest[s] > rest[v] or (rest[s] == rest[v] and time[s] == 0):
            return False
    return True


@inner
def may_precede(v: int, u: int, state: State, shop: Tasks) -> bool:
    """Whether v can go before u, an earlier task of its machine, without a circle."""
    time, end = state.time, state.end
    task, more = shop.task, shop.more
    b: Any = task[v, 2]
    if end[b] > end[u] or (end[b] == end[u] and time[b] == 0):
        return False
    for e in range(task[v, 4], task[v, 5]):
        b = more[e]
        if end[b] > end[u] or (end[b] == end[u] and time[b] == 0):
            return False
    return True


@inner
def behind(u: int, v: int, end_new: Any, state: State, shop: Tasks) -> Any:
    """Longest path through u and those that it passes, once it has gone behind v."""
    before, after = state.before, state.after
    time, end, rest = state.time, state.end, state.rest
    last = end[before[u]]
    w: Any = u
    while w != v:
        w = after[w]
        last = max(last, head(w, state, shop)) + time[w]
        end_new[w] = last
    last = max(last, head(u, state, shop)) + time[u]
    behind = max(rest[after[v]], tail(u, state, shop))
    longest = last + behind
    behind += time[u]
    while w != u:
        behind = max(behind, tail(w, state, shop))
        longest = max(longest, end_new[w] + behind)
        behind += time[w]
        w = before[w]
    return longest


@inner
def ahead(v: int, u: int, rest_new: Any, state: State, shop: Tasks) -> Any:
    """Longest path through v and those that it passes, once it has gone before u."""
    before, after = state.before, state.after
    time, end, rest = state.time, state.end, state.rest
    last = rest[after[v]]
    w: Any = v
    while w != u:
        w = before[w]
        last = max(last, tail(w, state, shop)) + time[w]
        rest_new[w] = last
    last = max(last, tail(v, state, shop)) + time[v]
    start = max(end[before[u]], head(v, state, shop))
    longest = start + last
    start += time[v]
    while w != v:
        start = max(start, head(w, state, shop))
        longest = max(longest, start + rest_new[w])
        start += time[w]
        w = after[w]
    return longest


@inner
def barred(v: int, x: int, forth: bool, now: int, arcs: Any, state: State) -> bool:
    """Whether a move of v behind (``forth``) or before x makes an order that is tabu."""
    before, after = state.before, state.after
    w: Any = v
    while w != x:
        if forth:
            w = after[w]
            if arcs[arc(w, v)] > now:
                return True
        else:
            w = before[w]
            if arcs[arc(v, w)] > now:
                return True
    return False


@jit
def search_blocks(moves: int, seed: Any, run: Run, state: State, shop: Tasks) -> None:
    """Make some moves, or fewer where the target is met or no move is left."""
    arcs, best, end_less, rest_less = run.arcs, run.best, run.end_less, run.rest_less
    numbers, chosen, room = state.numbers, state.chosen, state.room
    machine, before, after = state.machine, state.before, state.after
    n = len(state.order)
    none = np.uint32(n)
    machines = len(state.first) - 1
    tenure = TENURE + n // (machines * machines)
    for _ in range(moves):
        if numbers[BEST] <= numbers[TARGET]:
            return
        length = critical_path(seed, numbers[MAKESPAN], state, shop)
        # The best move: the task, the one that it goes behind or before; and one that is tabu.
        taken = past = other = other_past = none
        forth = other_forth = False
        value = LONG
        ties = others = 0
        k = 0
        while k < length:
            # The path is listed from its end: the block is room[0, low], ..., room[0, k].
            low = k
            home = machine[room[0, k]]
            while (
                k + 1 < length
                and home < machines
                and machine[room[0, k + 1]] == home
                and before[room[0, k]] == room[0, k + 1]
            ):
                k += 1
            size = k - low + 1
            # Moves 0 .. size - 2 put a task behind the last, the next ones before the first, the
            # next put the first behind one inside, and the last ones the last before one inside.
            for i in range(4 * size if size > 1 else 0):
                kind = i // size
                inside = room[0, low + i % size]
                here = room[0, low]
                there = room[0, k]
                if inside == (here if kind == 0 or kind == 3 else there):
                    continue
                if kind == 0:
                    v, x, on = inside, here, True
                elif kind == 1:
                    v, x, on = inside, there, False
                elif kind == 2:
                    v, x, on = there, inside, True
                    if inside == here:
                        continue
                else:
                    v, x, on = here, inside, False
                    if inside == there:
                        continue
                if kind == 1 and inside == here and size == 2:
                    # It is the same swap as that of kind 0.
                    continue
                if on:
                    if not may_follow(v, x, state, shop):
                        continue
                    worth = behind(v, x, end_less, state, shop)
                else:
                    if not may_precede(v, x, state, shop):
                        continue
                    worth = ahead(v, x, rest_less, state, shop)
                if worth > value:
                    continue
                if worth >= numbers[BEST] and barred(v, x, on, numbers[MOVES], arcs, state):
                    others += 1
                    if draw(others, seed) == 0:
                        other = v
                        other_past = x
                        other_forth = on
                    continue
                ties = ties + 1 if worth == value else 1
                if ties == 1 or draw(ties, seed) == 0:
                    value = worth
                    taken = v
                    past = x
                    forth = on
            k += 1
        numbers[MOVES] += 1
        if taken == n:
            if other == n:
                return
            taken = other
            past = other_past
            forth = other_forth
        v = taken
        until = numbers[MOVES] + tenure + draw(tenure, seed)
        w = v
        while w != past:
            if forth:
                w = after[w]
                arcs[arc(v, w)] = until
            else:
                w = before[w]
                arcs[arc(w, v)] = until
        left = past
        right = past
        if forth:
            right = after[past]
        else:
            left = before[past]
        put(v, chosen[v], left, right, best, state, shop)
