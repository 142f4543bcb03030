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
from hetopt.schedule.search.job_shop.kernels import (
    BEST,
    IMPROVED,
    LONG,
    MAKESPAN,
    MOVES,
    TARGET,
    TENURE,
    arc,
    backward,
    critical_path,
    draw,
    forward,
    link,
    reorder,
    unlink,
)


def _head(t: int, end: Any, task: Any, release: Any, more: Any) -> Any:
    """Earliest start of a task but for its machine."""
    at = max(release[t], end[task[t, 2]])
    for e in range(task[t, 4], task[t, 5]):
        at = max(at, end[more[e]])
    return at


head = inner(_head)


def _tail(t: int, rest: Any, task: Any, more: Any) -> Any:
    """Time that must follow the end of a task but for its machine."""
    behind = rest[task[t, 3]]
    for e in range(task[t, 5], task[t, 6]):
        behind = max(behind, rest[more[e]])
    return behind


tail = inner(_tail)


def _may_follow(u: int, v: int, time: Any, rest: Any, task: Any, more: Any) -> bool:
    """Whether u can go behind v, a later task of its machine, without a circle."""
    s: Any = task[u, 3]
    if rest[s] > rest[v] or (rest[s] == rest[v] and time[s] == 0):
        return False
    for e in range(task[u, 5], task[u, 6]):
        s = more[e]
        if rest[s] > rest[v] or (rest[s] == rest[v] and time[s] == 0):
            return False
    return True


may_follow = inner(_may_follow)


def _may_precede(v: int, u: int, time: Any, end: Any, task: Any, more: Any) -> bool:
    """Whether v can go before u, an earlier task of its machine, without a circle."""
    b: Any = task[v, 2]
    if end[b] > end[u] or (end[b] == end[u] and time[b] == 0):
        return False
    for e in range(task[v, 4], task[v, 5]):
        b = more[e]
        if end[b] > end[u] or (end[b] == end[u] and time[b] == 0):
            return False
    return True


may_precede = inner(_may_precede)


def _behind(u: int, v: int, before: Any, after: Any, time: Any, end: Any, rest: Any,
            end_new: Any, task: Any, release: Any, more: Any) -> Any:  # fmt: skip
    """Longest path through u and those that it passes, once it has gone behind v."""
    last = end[before[u]]
    w: Any = u
    while w != v:
        w = after[w]
        last = max(last, head(w, end, task, release, more)) + time[w]
        end_new[w] = last
    last = max(last, head(u, end, task, release, more)) + time[u]
    behind = max(rest[after[v]], tail(u, rest, task, more))
    longest = last + behind
    behind += time[u]
    while w != u:
        behind = max(behind, tail(w, rest, task, more))
        longest = max(longest, end_new[w] + behind)
        behind += time[w]
        w = before[w]
    return longest


behind = inner(_behind)


def _ahead(v: int, u: int, before: Any, after: Any, time: Any, end: Any, rest: Any,
           rest_new: Any, task: Any, release: Any, more: Any) -> Any:  # fmt: skip
    """Longest path through v and those that it passes, once it has gone before u."""
    last = rest[after[v]]
    w: Any = v
    while w != u:
        w = before[w]
        last = max(last, tail(w, rest, task, more)) + time[w]
        rest_new[w] = last
    last = max(last, tail(v, rest, task, more)) + time[v]
    start = max(end[before[u]], head(v, end, task, release, more))
    longest = start + last
    start += time[v]
    while w != v:
        start = max(start, head(w, end, task, release, more))
        longest = max(longest, start + rest_new[w])
        start += time[w]
        w = after[w]
    return longest


ahead = inner(_ahead)


def _barred(v: int, x: int, forth: bool, now: int, arcs: Any, before: Any, after: Any) -> bool:
    """Whether a move of v behind (``forth``) or before x makes an order that is tabu."""
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


barred = inner(_barred)


def _search_blocks(
    moves: int, seed: Any, arcs: Any, tabu: Any, best: Any, end_less: Any, rest_less: Any,
    numbers: Any, order: Any, place: Any, chosen: Any, machine: Any, before: Any, after: Any,
    time: Any, end: Any, rest: Any, upto: Any, room: Any, first: Any, task: Any, release: Any,
    more: Any, choice: Any, choice_time: Any,
) -> None:  # fmt: skip
    """Make some moves, or fewer where the target is met or no move is left."""
    n = len(order)
    none = np.uint32(n)
    machines = len(first) - 1
    tenure = TENURE + n // (machines * machines)
    for _ in range(moves):
        if numbers[BEST] <= numbers[TARGET]:
            return
        length = critical_path(seed, numbers[MAKESPAN], before, time, end, room, task, more)
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
                    if not may_follow(v, x, time, rest, task, more):
                        continue
                    worth = behind(v, x, before, after, time, end, rest, end_less, task, release,
                                   more)  # fmt: skip
                else:
                    if not may_precede(v, x, time, end, task, more):
                        continue
                    worth = ahead(v, x, before, after, time, end, rest, rest_less, task, release,
                                  more)  # fmt: skip
                if worth > value:
                    continue
                if worth >= numbers[BEST] and barred(v, x, on, numbers[MOVES], arcs, before, after):
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
        x0 = before[v]
        y0 = after[v]
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
        unlink(v, machine[v], before, after, first)
        link(v, left, right, machine[v], before, after, first)
        low = reorder(v, order, place, before, after, room, task, more)
        high = np.int64(place[v])
        if y0 < n:
            low = min(low, np.int64(place[y0]))
        if x0 < n:
            high = max(high, np.int64(place[x0]))
        numbers[MAKESPAN] = forward(low, order, before, time, end, upto, task, release, more)
        backward(high, order, after, time, rest, task, more)
        if numbers[MAKESPAN] < numbers[BEST]:
            numbers[BEST] = numbers[MAKESPAN]
            numbers[IMPROVED] = numbers[MOVES]
            for t in range(n):
                best[0, t] = order[t]
                best[1, t] = chosen[t]


search_blocks = jit(_search_blocks)
