"""Annealing by best insertion on the graph of a schedule: the inner loop of :mod:`best_insertion`.

A state puts each task on a *lane* (one slot of one unit) and orders the tasks of each lane. Its
graph has an arc per edge, as long as the message takes between the two units, and one between
neighbours on a lane; each task starts as early as its arcs allow. A move takes one task v out and
puts it back. With heads h (starts) and tails q (time from an end to the last end of all) of the
graph without v, putting v between a and b of a lane, where its data are there at r and its results
still need t, gives exactly

    makespan = max(makespan without v, max(r, h[a] + p[a]) + p[v] + max(t, p[b] + q[b])),

so one pass over the graph prices all places of v. On a lane only the places between the last task
whose p + q exceeds t and the first whose end exceeds r matter (one of them is best, and none makes
a cycle): M. Mastrolilli, L. M. Gambardella, "Effective neighbourhood functions for the flexible
job shop problem", Journal of Scheduling 3, 2000, here with messages. v then goes to a place drawn
with probability exp(-makespan / heat) (the heat bath of S. Geman, D. Geman, IEEE PAMI 6, 1984, as
the heat of Kirkpatrick et al. falls), so no move is refused.

All arrays come from the caller: the functions make none (see :mod:`hetopt.runtime.jit`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import random

ORDER, PLACE, LANE, NEXT, BEFORE, PATH, MARK, SPARE = range(8)
FIRST, LAST, UNIT, DEVICE, TWIN = range(5)
HEAD, TAIL, LENGTH, BARE_HEAD, BARE_TAIL, LATEST, RELEASE, OFFSET = range(8)
COST, BEST, TRIED, TAKEN, ON_PATH, STAMP = range(6)
"""Makespan, least so far, moves tried, moves that changed something, tasks on the critical path,
last mark used."""
CRITICAL, GROUPS, BOUND = range(6, 9)
"""Shares of moves of critical tasks and of groups; a proven least makespan."""
NUMBERS = 9
GROUP = 3.0
"""Mean size of the groups of tasks that move together."""
HOPELESS = 12.0
"""Heats above the best place at which a place is not looked at."""


class State(NamedTuple):
    """Where tasks are and when, for n tasks and L lanes.

    ===== ========== ===============================================================================
    array shape      what
    ===== ========== ===============================================================================
    seq   8 × n int  rows ORDER (tasks in topological order), PLACE (its inverse), LANE, NEXT and
                     BEFORE (neighbours on the lane, -1: none), PATH, MARK, SPARE
    lanes 5 × L int  rows FIRST and LAST (task, -1: none), UNIT, DEVICE, TWIN (an equal lane; where
                     both are empty one of them will do)
    times 8 × n      rows HEAD, TAIL, LENGTH, the same without v (BARE_HEAD, BARE_TAIL), LATEST
                     (greatest end of the tasks so far in ORDER), RELEASE, OFFSET (added to an end
                     where it counts for the makespan)
    ===== ========== ===============================================================================
    """

    seq: Any
    lanes: Any
    times: Any


class Graph(NamedTuple):
    """What does not change, for n tasks, E edges and D devices.

    ====== ========== ==============================================================================
    array  shape      what
    ====== ========== ==============================================================================
    task_i n × 4 int  rows of pred from, to; rows of succ from, to
    pred   E int      the other task, grouped by the task that they enter; ``succ``: that they leave
    pred_b E          bytes of the message, negative where there is none; ``succ_b`` as well
    length n × D      shortest time on each device, inf where there is none
    pair   2 × D × D  latency (inf: no path) and seconds per byte between different units
    ====== ========== ==============================================================================
    """

    task_i: Any
    pred: Any
    pred_b: Any
    succ: Any
    succ_b: Any
    length: Any
    pair: Any


@inner
def delay(bytes_b: float, here: int, there: int, lanes: Any, pair: Any) -> Any:
    """Seconds that a message takes between two lanes; 0 within one unit or without message."""
    if bytes_b < 0.0 or lanes[UNIT, here] == lanes[UNIT, there]:
        return 0.0
    a, b = lanes[DEVICE, here], lanes[DEVICE, there]
    return pair[0, a, b] + bytes_b * pair[1, a, b]


@jit
def heads(row: int, since: int, without: int, state: State, graph: Graph) -> Any:
    """Time the tasks from a place of ORDER on; return the makespan.

    Before it ``HEAD`` holds. ``without`` is left out (-1: none); ``row`` is written.
    """
    seq, lanes, times = state.seq, state.lanes, state.times
    task_i, pred, pred_b, pair = graph.task_i, graph.pred, graph.pred_b, graph.pair
    n = seq.shape[1]
    latest = times[LATEST, since - 1] if since > 0 else 0.0
    for i in range(since, n):
        task = seq[ORDER, i]
        if task == without:
            continue
        here = seq[LANE, task]
        start = times[RELEASE, task]
        for k in range(task_i[task, 0], task_i[task, 1]):
            other = pred[k]
            if other == without:
                continue
            head = times[row, other] if seq[PLACE, other] >= since else times[HEAD, other]
            end = head + times[LENGTH, other]
            end += delay(pred_b[k], seq[LANE, other], here, lanes, pair)
            if end > start:
                start = end
        other = seq[BEFORE, task]
        if other >= 0:
            head = times[row, other] if seq[PLACE, other] >= since else times[HEAD, other]
            if head + times[LENGTH, other] > start:
                start = head + times[LENGTH, other]
        times[row, task] = start
        end = start + times[LENGTH, task] + times[OFFSET, task]
        if end > latest:
            latest = end
        if without < 0:
            times[LATEST, i] = latest
    return latest


@jit
def tails(row: int, upto: int, without: int, state: State, graph: Graph) -> None:
    """Count the tails of the tasks up to a place of ORDER; behind it ``TAIL`` holds."""
    seq, lanes, times = state.seq, state.lanes, state.times
    task_i, succ, succ_b, pair = graph.task_i, graph.succ, graph.succ_b, graph.pair
    for i in range(upto, -1, -1):
        task = seq[ORDER, i]
        if task == without:
            continue
        here = seq[LANE, task]
        longest = times[OFFSET, task]
        for k in range(task_i[task, 2], task_i[task, 3]):
            other = succ[k]
            if other == without:
                continue
            tail = times[row, other] if seq[PLACE, other] <= upto else times[TAIL, other]
            tail += times[LENGTH, other]
            tail += delay(succ_b[k], here, seq[LANE, other], lanes, pair)
            if tail > longest:
                longest = tail
        other = seq[NEXT, task]
        if other >= 0:
            tail = times[row, other] if seq[PLACE, other] <= upto else times[TAIL, other]
            if tail + times[LENGTH, other] > longest:
                longest = tail + times[LENGTH, other]
        times[row, task] = longest


@inner
def unlink(task: int, seq: Any, lanes: Any) -> None:
    """Take a task out of its lane."""
    before, after, here = seq[BEFORE, task], seq[NEXT, task], seq[LANE, task]
    if before >= 0:
        seq[NEXT, before] = after
    else:
        lanes[FIRST, here] = after
    if after >= 0:
        seq[BEFORE, after] = before
    else:
        lanes[LAST, here] = before


@inner
def link(task: int, here: int, before: int, seq: Any, lanes: Any) -> None:
    """Put a task onto a lane, behind another one (-1: in front of all)."""
    after = seq[NEXT, before] if before >= 0 else lanes[FIRST, here]
    seq[LANE, task], seq[BEFORE, task], seq[NEXT, task] = here, before, after
    if before >= 0:
        seq[NEXT, before] = task
    else:
        lanes[FIRST, here] = task
    if after >= 0:
        seq[BEFORE, after] = task
    else:
        lanes[LAST, here] = task


@inner
def reorder(task: int, seq: Any, numbers: Any, graph: Graph) -> Any:
    """Make ORDER topological again after one task was linked; return the first and last change.

    Tasks that must follow it and stand before one that it follows move behind it. Returns
    (n, -1), and leaves ORDER alone, where the graph has a cycle.
    """
    task_i, pred, succ = graph.task_i, graph.pred, graph.succ
    n = seq.shape[1]
    old = seq[PLACE, task]
    low, high = -1, n
    for k in range(task_i[task, 0], task_i[task, 1]):
        low = max(low, seq[PLACE, pred[k]])
    if seq[BEFORE, task] >= 0:
        low = max(low, seq[PLACE, seq[BEFORE, task]])
    for k in range(task_i[task, 2], task_i[task, 3]):
        high = min(high, seq[PLACE, succ[k]])
    if seq[NEXT, task] >= 0:
        high = min(high, seq[PLACE, seq[NEXT, task]])
    if low < old < high:
        return old, old
    first, last = min(old, high), max(old, low)
    if low < high:
        first, last = (old, low) if old < low else (high, old)
    numbers[STAMP] += 1.0
    stamp = int(numbers[STAMP])
    seq[MARK, task] = stamp
    kept, moved = first, 0
    spare = last
    for i in range(first, last + 1):
        other = seq[ORDER, i]
        if other == task:
            continue
        behind = i > low or i >= high > low
        if not behind and i >= high:
            before = seq[BEFORE, other]
            behind = before >= 0 and seq[MARK, before] == stamp
            for k in range(task_i[other, 0], task_i[other, 1]):
                behind = behind or seq[MARK, pred[k]] == stamp
            if behind:
                seq[MARK, other] = stamp
        if behind:
            seq[SPARE, spare] = other
            spare -= 1
            moved += 1
        else:
            seq[PATH, kept] = other
            kept += 1
    cycle = seq[BEFORE, task] >= 0 and seq[MARK, seq[BEFORE, task]] == stamp
    for k in range(task_i[task, 0], task_i[task, 1]):
        cycle = cycle or seq[MARK, pred[k]] == stamp
    if cycle:
        return n, -1
    for i in range(first, kept):
        seq[ORDER, i] = seq[PATH, i]
    seq[ORDER, kept] = task
    for i in range(moved):
        seq[ORDER, kept + 1 + i] = seq[SPARE, last - i]
    for i in range(first, last + 1):
        seq[PLACE, seq[ORDER, i]] = i
    return first, last


@inner
def trace(state: State, graph: Graph, seed: Any) -> int:
    """List one chain of tasks that determines the makespan in PATH; return its length."""
    seq, lanes, times = state.seq, state.lanes, state.times
    task_i, pred, pred_b, pair = graph.task_i, graph.pred, graph.pred_b, graph.pair
    n = seq.shape[1]
    task, latest = 0, -1.0
    for t in range(n):
        end = times[HEAD, t] + times[LENGTH, t] + times[OFFSET, t]
        if end > latest:
            task, latest = t, end
    found = 0
    while task >= 0:
        seq[PATH, found] = task
        found += 1
        start, here = times[HEAD, task], seq[LANE, task]
        chosen, ways = -1, 0
        for k in range(task_i[task, 0], task_i[task, 1]):
            other = pred[k]
            end = times[HEAD, other] + times[LENGTH, other]
            if end + delay(pred_b[k], seq[LANE, other], here, lanes, pair) >= start:
                ways += 1
                if ways == 1 or random(seed) * ways < 1.0:
                    chosen = other
        other = seq[BEFORE, task]
        if other >= 0 and times[HEAD, other] + times[LENGTH, other] >= start:
            ways += 1
            if ways == 1 or random(seed) * ways < 1.0:
                chosen = other
        task = chosen
    return found


@inner
def insert(
    task: int, only: int, heat: float, seed: Any, numbers: Any, state: State, graph: Graph
) -> bool:
    """Take a task out and put it back, drawn by the heat bath; say whether anything changed.

    With ``only`` at least 0 it goes onto that lane.
    """
    seq, lanes, times = state.seq, state.lanes, state.times
    task_i, pred, pred_b = graph.task_i, graph.pred, graph.pred_b
    succ, succ_b, length, pair = graph.succ, graph.succ_b, graph.length, graph.pair
    old_lane, old_before, place = seq[LANE, task], seq[BEFORE, task], seq[PLACE, task]
    unlink(task, seq, lanes)
    rest = heads(BARE_HEAD, place, task, state, graph)
    tails(BARE_TAIL, place, task, state, graph)
    total, least = 0.0, np.inf
    lane_to, before_to = old_lane, old_before
    ready, rests, unit = 0.0, 0.0, -1
    begin = only if only >= 0 else 0
    end = only + 1 if only >= 0 else lanes.shape[1]
    for here in range(begin, end):
        p = length[task, lanes[DEVICE, here]]
        if p == np.inf:
            continue
        twin = lanes[TWIN, here]
        if only < 0 and twin >= 0 and lanes[FIRST, here] < 0 and lanes[FIRST, twin] < 0:
            continue
        if lanes[UNIT, here] != unit:
            unit = lanes[UNIT, here]
            ready, rests = times[RELEASE, task], times[OFFSET, task]
            for k in range(task_i[task, 0], task_i[task, 1]):
                other = pred[k]
                row = BARE_HEAD if seq[PLACE, other] > place else HEAD
                at = times[row, other] + times[LENGTH, other]
                at += delay(pred_b[k], seq[LANE, other], here, lanes, pair)
                if at > ready:
                    ready = at
            for k in range(task_i[task, 2], task_i[task, 3]):
                other = succ[k]
                row = BARE_TAIL if seq[PLACE, other] < place else TAIL
                at = times[row, other] + times[LENGTH, other]
                at += delay(succ_b[k], here, seq[LANE, other], lanes, pair)
                if at > rests:
                    rests = at
        value = max(rest, ready + p + rests)
        if value == np.inf or value > least + HOPELESS * heat:
            continue
        # Places between the last task with much behind it and the first that ends late.
        after = lanes[LAST, here]
        while after >= 0:
            row = BARE_TAIL if seq[PLACE, after] < place else TAIL
            if times[row, after] + times[LENGTH, after] > rests:
                break
            after = seq[BEFORE, after]
        before = after
        while before >= 0:
            row = BARE_HEAD if seq[PLACE, before] > place else HEAD
            if times[row, before] + times[LENGTH, before] <= ready:
                break
            before = seq[BEFORE, before]
        stop = after
        if before == after:
            # All before ends early enough: any place up to the first that ends late is best.
            while True:
                other = seq[NEXT, stop] if stop >= 0 else lanes[FIRST, here]
                if other < 0:
                    break
                row = BARE_HEAD if seq[PLACE, other] > place else HEAD
                if times[row, other] + times[LENGTH, other] > ready:
                    break
                stop = other
        while True:
            start, follow = ready, rests
            if before >= 0:
                row = BARE_HEAD if seq[PLACE, before] > place else HEAD
                start = max(start, times[row, before] + times[LENGTH, before])
            other = seq[NEXT, before] if before >= 0 else lanes[FIRST, here]
            if other >= 0:
                row = BARE_TAIL if seq[PLACE, other] < place else TAIL
                follow = max(follow, times[row, other] + times[LENGTH, other])
            value = max(rest, start + p + follow)
            if value < least:
                total *= np.exp((value - least) / heat) if least < np.inf else 0.0
                least = value
            if value <= least + HOPELESS * heat:
                weight = np.exp((least - value) / heat)
                total += weight
                if random(seed) * total < weight:
                    lane_to, before_to = here, before
            if before == stop:
                break
            before = other
    link(task, lane_to, before_to, seq, lanes)
    if lane_to == old_lane and before_to == old_before:
        return False
    numbers[ON_PATH] = 0.0
    first, last = reorder(task, seq, numbers, graph)
    if last < 0:
        unlink(task, seq, lanes)
        link(task, old_lane, old_before, seq, lanes)
        return False
    times[LENGTH, task] = length[task, lanes[DEVICE, lane_to]]
    numbers[COST] = heads(HEAD, first, -1, state, graph)
    tails(TAIL, last, -1, state, graph)
    return True


@inner
def restore(to: State, of: State) -> None:
    """Copy a state."""
    for t in range(to.seq.shape[1]):
        for row in range(PATH):
            to.seq[row, t] = of.seq[row, t]
        for row in range(BARE_HEAD):
            to.times[row, t] = of.times[row, t]
        to.times[LATEST, t] = of.times[LATEST, t]
    for i in range(to.lanes.shape[1]):
        to.lanes[FIRST, i] = of.lanes[FIRST, i]
        to.lanes[LAST, i] = of.lanes[LAST, i]


@inner
def neighbour(task: int, lane: int, seq: Any, graph: Graph, seed: Any) -> int:
    """Draw a task that waits for another one, or the other way, on a lane; -1: none there."""
    task_i, pred, succ = graph.task_i, graph.pred, graph.succ
    ways, found = 0, -1
    for k in range(task_i[task, 0], task_i[task, 1]):
        if seq[LANE, pred[k]] == lane:
            ways += 1
            if random(seed) * ways < 1.0:
                found = pred[k]
    for k in range(task_i[task, 2], task_i[task, 3]):
        if seq[LANE, succ[k]] == lane:
            ways += 1
            if random(seed) * ways < 1.0:
                found = succ[k]
    return found


@jit
def search(
    moves: int,
    hot: float,
    cold: float,
    seed: Any,
    numbers: Any,
    state: State,
    old: State,
    best: Any,
    graph: Graph,
) -> None:
    """Make ``moves`` moves while the heat falls from ``hot`` to ``cold`` (geometrically).

    ``best`` (2 × n) has ORDER and LANE of the best state, ``old`` is room for one.
    """
    seq, lanes, times = state.seq, state.lanes, state.times
    length = graph.length
    n = seq.shape[1]
    cooling = (cold / hot) ** (1.0 / moves)
    heat = hot
    for _ in range(moves):
        if numbers[BEST] <= numbers[BOUND]:
            return
        heat *= cooling
        numbers[TRIED] += 1.0
        if random(seed) < numbers[CRITICAL]:
            if numbers[ON_PATH] == 0.0:
                numbers[ON_PATH] = trace(state, graph, seed)
            task = seq[PATH, int(random(seed) * numbers[ON_PATH])]
        else:
            task = int(random(seed) * n)
        grouped = random(seed) < numbers[GROUPS]
        former, lane, to = numbers[COST], seq[LANE, task], -1
        if grouped:
            restore(old, state)
            to = int(random(seed) * lanes.shape[1])
        taken = False
        while task >= 0:
            if grouped and (length[task, lanes[DEVICE, to]] == np.inf or lane == to):
                break
            changed = insert(task, to, heat, seed, numbers, state, graph)
            if not changed:
                break
            taken = True
            if not grouped or random(seed) * GROUP < 1.0:
                break
            task = neighbour(task, lane, seq, graph, seed)
        if grouped and taken and numbers[COST] > former - heat * np.log(1.0 - random(seed)):
            restore(state, old)
            numbers[COST] = former
            taken = False
        if taken:
            numbers[TAKEN] += 1.0
            if numbers[COST] < numbers[BEST]:
                # Without what deadlines add, which such a state meets.
                numbers[BEST] = 0.0
                for t in range(n):
                    best[0, t], best[1, t] = seq[ORDER, t], seq[LANE, t]
                    numbers[BEST] = max(numbers[BEST], times[HEAD, t] + times[LENGTH, t])
