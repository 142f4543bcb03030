"""One parametric list scheduler: the loops of :mod:`list_scheduling.packed_scheduler`.

Ready tasks enter a window by decreasing priority; the rule picks one of the window, the choice
decides where it goes. A window of one is a list scheduler, a wide one min-min and its kin. The
parameters are those of J. Coleman, R. V. Agrawal, E. Hirani, B. Krishnamachari, "Parameterized
task graph scheduling algorithm for comparing algorithmic components", arXiv:2403.07112, and some.

A *lane* is one slot of one unit. Times are floats that hold whole ticks. Idle stretches of a lane
that a later task may fill are kept in order of time; where there is no room for more, the earliest
one is given up.

The functions are written in the subset of Python that Numba compiles, and are compiled when they
are first called. Compiling takes time with each array, so columns are packed. No function makes
an array.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hetopt.runtime.jit import inner, jit

EFT, EST, QUICKEST, NEXT_FREE, EFT_PLUS, CHEAPEST, LOOKAHEAD, PRICED = range(8)
"""Choices: least end, start, duration, time at which the unit is free, end + table, cost among
those that end by the target, largest end of a child placed next, and end + cost."""
FIRST, LEAST, GREATEST, SUFFERAGE = range(4)
"""Rules: of the window take the first task, that with the least or greatest value of its best
place, or that which loses most where it gets its second best."""
CLASS, PRED, PRED_END, SUCC, SUCC_END, ONLY = range(6)
FACTOR, RELEASE, DEADLINE, TARGET, PRIORITY = range(5)
START, END, LANE, ROW = range(4)
DEVICE, UNIT, IDLE = range(3)
FREE, SHORTEST, WIDEST, LAST = range(4)
HEAP, READY, HELD, WAITING = range(4)
VALUE, AT_ROW, AT_LANE, BEGIN, FINISH, IN_GAP, NEXT_VALUE, NEXT_LANE = range(8)
NONE = 1e300
"""Stands for a second best place where there is none."""


class Given(NamedTuple):
    """What is to be placed and where it may go.

    For n tasks, E edges, K classes, O options of all classes, D devices:

    ======= ============= ==========================================================================
    array   shape         what
    ======= ============= ==========================================================================
    task_i  n × 6 int     class; rows of pred from, to; rows of succ from, to; only device or -1
    task_f  n × 5         work factor; release; deadline; target; priority
    pred    E int         the task before, grouped by the task that waits
    pred_f  E             bytes, -1 for pure precedence
    succ    E int         the task after, grouped by the task before
    cls     (K+1) int     first option of each class
    opt_i   O × 2 int     device; option index. Per class: EFT by length, CHEAPEST by cost,
                          ascending
    opt_f   O × 3         length; cost (in ticks for PRICED); energy (breaks ties)
    dev     D × 4 int     first lane; lanes; slots; units in use (0 at first, then counted)
    msg     4 × D × D     latency, per byte (inf: no path), what rounding adds, cost per byte
    opening D             cost of one more unit in use
    table   n × D, 1 × 1  what EFT_PLUS adds to the end (float32)
    ======= ============= ==========================================================================
    """

    task_i: Any
    task_f: Any
    pred: Any
    pred_f: Any
    succ: Any
    cls: Any
    opt_i: Any
    opt_f: Any
    dev: Any
    msg: Any
    opening: Any
    table: Any


class Placed(NamedTuple):
    """What is placed, and room to look for places, for n tasks and L lanes.

    ====== ============= ===========================================================================
    array  shape         what
    ====== ============= ===========================================================================
    spent  n × 4         out: start; end; lane; option (as row of opt_i)
    lane_i L × 3 int     device; unit; number of idle stretches (0 at first)
    lane_f L × 4         when it is free; length of its shortest task; length of its widest idle
                         stretch, end of the last one (0 where there is none)
    gap    2 × L × room  begins and ends of idle stretches; without room nothing is inserted
    near   4 × degree    room for what a task waits for: end, device, unit, bytes
    queue  4 × n int     room for the queue, for tasks that become ready, the window, open edges
    found  window × 8    room for the best places of the tasks in the window
    ====== ============= ===========================================================================
    """

    spent: Any
    lane_i: Any
    lane_f: Any
    gap: Any
    near: Any
    queue: Any
    found: Any


@inner
def before(task_f: Any, a: int, b: int) -> bool:
    """Whether task a comes before task b in the queue."""
    x, y = task_f[a, PRIORITY], task_f[b, PRIORITY]
    return bool(x > y or (x == y and a < b))


@inner
def push(queue: Any, size: int, task_f: Any, task: int) -> None:
    """Put a task into the queue of ``size`` tasks, a binary heap."""
    at = size
    while at > 0:
        up = (at - 1) // 2
        if not before(task_f, task, queue[HEAP, up]):
            break
        queue[HEAP, at] = queue[HEAP, up]
        at = up
    queue[HEAP, at] = task


@inner
def pop(queue: Any, size: int, task_f: Any) -> int:
    """Take the first task off the queue of ``size`` tasks."""
    first, last = queue[HEAP, 0], queue[HEAP, size - 1]
    at, end = 0, size - 1
    while True:
        down = 2 * at + 1
        if down >= end:
            break
        if down + 1 < end and before(task_f, queue[HEAP, down + 1], queue[HEAP, down]):
            down += 1
        if before(task_f, last, queue[HEAP, down]):
            break
        queue[HEAP, at] = queue[HEAP, down]
        at = down
    queue[HEAP, at] = last
    return int(first)


@inner
def fit(lane: int, start: float, length: float, placed: Placed) -> Any:
    """Earliest start on a lane from ``start`` on, and the idle stretch used (-1: the end)."""
    lane_i, lane_f, gap = placed.lane_i, placed.lane_f, placed.gap
    if length > lane_f[lane, WIDEST] or start + length > lane_f[lane, LAST]:
        return max(start, lane_f[lane, FREE]), -1
    low, high = 0, lane_i[lane, IDLE]
    while low < high:
        middle = (low + high) // 2
        if gap[1, lane, middle] < start + length:
            low = middle + 1
        else:
            high = middle
    for g in range(low, lane_i[lane, IDLE]):
        at = max(start, gap[0, lane, g])
        if at + length <= gap[1, lane, g]:
            return at, g
    return max(start, lane_f[lane, FREE]), -1


@inner
def occupy(lane: int, start: float, end: float, at: int, placed: Placed) -> None:
    """Take an interval of a lane, from the idle stretch ``at`` or behind all (-1)."""
    lane_i, lane_f, gap = placed.lane_i, placed.lane_f, placed.gap
    room = gap.shape[2]
    if at < 0:
        from_a, to_a, from_b, to_b = lane_f[lane, FREE], start, 0.0, 0.0
        place = lane_i[lane, IDLE]
        lane_f[lane, FREE] = end
    else:
        from_a, to_a, from_b, to_b = gap[0, lane, at], start, end, gap[1, lane, at]
        place = at
        lane_i[lane, IDLE] -= 1
        for g in range(at, lane_i[lane, IDLE]):
            gap[0, lane, g] = gap[0, lane, g + 1]
            gap[1, lane, g] = gap[1, lane, g + 1]
    for side in range(2):
        # The later piece goes in first, so that the earlier one lands before it.
        left, right = (from_b, to_b) if side == 0 else (from_a, to_a)
        if right - left < lane_f[lane, SHORTEST] or right <= left:
            continue
        if lane_i[lane, IDLE] == room:
            if place == 0:
                continue
            for g in range(room - 1):
                gap[0, lane, g] = gap[0, lane, g + 1]
                gap[1, lane, g] = gap[1, lane, g + 1]
            lane_i[lane, IDLE] -= 1
            place -= 1
        for g in range(lane_i[lane, IDLE], place, -1):
            gap[0, lane, g] = gap[0, lane, g - 1]
            gap[1, lane, g] = gap[1, lane, g - 1]
        gap[0, lane, place], gap[1, lane, place] = left, right
        lane_i[lane, IDLE] += 1
    widest = 0.0
    for g in range(lane_i[lane, IDLE]):
        widest = max(widest, gap[1, lane, g] - gap[0, lane, g])
    idle = lane_i[lane, IDLE]
    lane_f[lane, WIDEST] = widest
    lane_f[lane, LAST] = gap[1, lane, idle - 1] if idle > 0 else 0.0


@inner
def arrival(unit: int, d: int, near: Any, size: int, msg: Any, floor: float) -> float:
    """When all data of a task are on a unit; inf where some cannot get there.

    ``near`` lists what the task waits for: end, device, unit, bytes.
    """
    at = floor
    for p in range(size):
        end = near[0, p]
        if near[3, p] >= 0.0 and near[2, p] != unit:
            o = int(near[1, p])
            end += np.floor(msg[0, o, d] + near[3, p] * msg[1, o, d] + msg[2, o, d])
        if end > at:
            at = end
    return at


@inner
def gather(task: int, given: Given, placed: Placed) -> Any:
    """List what a task waits for and has been placed; return how many, and its earliest start."""
    task_i, task_f, pred, pred_f = given.task_i, given.task_f, given.pred, given.pred_f
    spent, lane_i, near = placed.spent, placed.lane_i, placed.near
    size, base = 0, max(0.0, task_f[task, RELEASE])
    for k in range(task_i[task, PRED], task_i[task, PRED_END]):
        other = pred[k]
        lane = int(spent[other, LANE])
        if lane < 0:
            continue
        near[0, size] = spent[other, END]
        near[1, size] = lane_i[lane, DEVICE]
        near[2, size] = lane_i[lane, UNIT]
        near[3, size] = pred_f[k]
        base = max(base, spent[other, END])
        size += 1
    return size, base


@inner
def children(task: int, lane: int, end: float, bias: float, given: Given, placed: Placed) -> float:
    """Return the largest of the children's earliest ends, were the task on a lane until ``end``.

    Bittencourt, Sakellariou, Madeira, "DAG scheduling using a lookahead variant of the
    heterogeneous earliest finish time algorithm", PDP 2010.
    """
    task_i, task_f, succ, cls = given.task_i, given.task_f, given.succ, given.cls
    opt_i, opt_f, dev, msg = given.opt_i, given.opt_f, given.dev, given.msg
    spent, lane_i, near = placed.spent, placed.lane_i, placed.near
    spent[task, END], spent[task, LANE] = end, lane
    worst = end
    for k in range(task_i[task, SUCC], task_i[task, SUCC_END]):
        child = succ[k]
        size, base = gather(child, given, placed)
        best = np.inf
        c = task_i[child, CLASS]
        for row in range(cls[c], cls[c + 1]):
            d = opt_i[row, 0]
            length = np.floor(opt_f[row, 0] * task_f[child, FACTOR] + bias)
            if base + length >= best:
                break
            for other in range(dev[d, 0], dev[d, 0] + dev[d, 1]):
                at = arrival(lane_i[other, UNIT], d, near, size, msg, base)
                if other == lane:
                    at = max(at, end)
                if at < np.inf:
                    at, _ = fit(other, at, length, placed)
                best = min(best, at + length)
        worst = max(worst, best)
    spent[task, LANE] = -1.0
    return worst


@inner
def best(
    at: int,
    task: int,
    choice: int,
    second: bool,
    alone: bool,
    bias: float,
    given: Given,
    placed: Placed,
) -> None:
    """Find the best place of a task; write it into row ``at`` of ``found``."""
    task_i, task_f, cls = given.task_i, given.task_f, given.cls
    opt_i, opt_f, dev = given.opt_i, given.opt_f, given.dev
    msg, opening, table = given.msg, given.opening, given.table
    lane_i, lane_f = placed.lane_i, placed.lane_f
    near, found = placed.near, placed.found
    size, base = gather(task, given, placed)
    top, top_lane, top_row, top_tie, top_start, top_end = np.inf, -1, -1, np.inf, 0.0, 0.0
    top_gap, next_best, next_lane, met = -1, NONE, -1, False
    factor, target = task_f[task, FACTOR], task_f[task, TARGET]
    only, c = task_i[task, ONLY], task_i[task, CLASS]
    # Where no second best counts, places that end too late are left out unseen.
    hurried = alone and choice in (EFT, CHEAPEST, PRICED)
    late = target if choice == CHEAPEST else -np.inf
    for row in range(cls[c], cls[c + 1]):
        d = opt_i[row, 0]
        if only >= 0 and d != only:
            continue
        length = np.floor(opt_f[row, 0] * factor + bias)
        if choice == EFT and base + length > (next_best if second else top):
            break
        cost = opt_f[row, 1] * factor
        if choice == CHEAPEST and met and cost > top:
            break
        more = cost if choice == PRICED else 0.0
        if hurried and base + length + more > max(top, late):
            continue
        slots, first = dev[d, 2], dev[d, 0]
        used = first + dev[d, 3] * slots
        for lane in range(first, min(first + dev[d, 1], used + slots)):
            if hurried:
                # Most lanes need no closer look, which would find when its data are there.
                soonest = fit(lane, base, length, placed)[0] + length
                if soonest > target if met else soonest + more > top and soonest > late:
                    continue
            unit = lane_i[lane, UNIT]
            start = arrival(unit, d, near, size, msg, base)
            if start == np.inf:
                continue
            start, place = fit(lane, start, length, placed)
            end = start + length
            value, tie = end, end
            if choice == EFT:
                tie = opt_f[row, 2] * factor
            elif choice == EST:
                value = start
            elif choice == QUICKEST:
                value = length
            elif choice == NEXT_FREE:
                value = lane_f[lane, FREE]
            elif choice == EFT_PLUS:
                value = end + float(table[task, d])
            elif choice == PRICED:
                value = end + cost
                for p in range(size):
                    if near[3, p] > 0.0 and near[2, p] != unit:
                        value += near[3, p] * msg[3, int(near[1, p]), d]
            elif choice == LOOKAHEAD:
                value = children(task, lane, end, bias, given, placed)
                size, base = gather(task, given, placed)
            elif end <= target:
                value = cost
                for p in range(size):
                    if near[3, p] > 0.0 and near[2, p] != unit:
                        value += near[3, p] * msg[3, int(near[1, p]), d]
                if lane >= used:
                    value += opening[d]
                if not met:
                    met, top = True, np.inf
            elif met:
                continue
            other = top_lane >= 0 and lane_i[top_lane, UNIT] != unit
            if value < top or (
                value == top
                and (tie < top_tie or (tie == top_tie and opt_i[row, 1] < opt_i[top_row, 1]))
            ):
                if other:
                    next_best, next_lane = top, top_lane
                top, top_lane, top_row, top_tie = value, lane, row, tie
                top_start, top_end, top_gap = start, end, place
            elif other and value < next_best:
                next_best, next_lane = value, lane
    found[at, VALUE], found[at, AT_LANE], found[at, AT_ROW] = top, top_lane, top_row
    found[at, BEGIN], found[at, FINISH], found[at, IN_GAP] = top_start, top_end, top_gap
    found[at, NEXT_VALUE], found[at, NEXT_LANE] = next_best, next_lane


@jit
def list_schedule(
    rule: int, choice: int, window: int, bias: float, given: Given, placed: Placed
) -> int:
    """Place all tasks; return how many were, fewer where one fits nowhere by its deadline."""
    task_i, task_f, succ, dev = given.task_i, given.task_f, given.succ, given.dev
    spent, lane_i, queue, found = placed.spent, placed.lane_i, placed.queue, placed.found
    n = len(task_i)
    queued, released = 0, 0
    for t in range(n):
        spent[t, LANE] = -1.0
        queue[WAITING, t] = task_i[t, PRED_END] - task_i[t, PRED]
        if queue[WAITING, t] == 0:
            queue[READY, released] = t
            released += 1
    size, count, changed = 0, 0, -1
    # Each function has one place where it is called: LLVM copies it to every such place.
    while True:
        for i in range(released):
            push(queue, queued, task_f, queue[READY, i])
            queued += 1
        released = 0
        fresh = size
        while size < window and queued > 0:
            queue[HELD, size] = pop(queue, queued, task_f)
            queued -= 1
            size += 1
        if size == 0:
            return count
        chosen = 0
        for i in range(size):
            if i >= fresh or found[i, AT_LANE] == changed or found[i, NEXT_LANE] == changed:
                best(i, queue[HELD, i], choice, rule == SUFFERAGE, window == 1, bias, given, placed)
            if rule == LEAST:
                better = found[i, VALUE] < found[chosen, VALUE]
            elif rule == GREATEST:
                better = found[i, VALUE] > found[chosen, VALUE]
            elif rule == SUFFERAGE:
                loss = found[i, NEXT_VALUE] - found[i, VALUE]
                better = loss > found[chosen, NEXT_VALUE] - found[chosen, VALUE]
            else:
                better = before(task_f, queue[HELD, i], queue[HELD, chosen])
            if better:
                chosen = i
        task, lane = queue[HELD, chosen], int(found[chosen, AT_LANE])
        start, end = found[chosen, BEGIN], found[chosen, FINISH]
        if lane < 0 or end > task_f[task, DEADLINE]:
            return count
        if end > start:
            occupy(lane, start, end, int(found[chosen, IN_GAP]), placed)
        spent[task, START], spent[task, END] = start, end
        spent[task, LANE], spent[task, ROW] = lane, found[chosen, AT_ROW]
        d = lane_i[lane, DEVICE]
        dev[d, 3] = max(dev[d, 3], (lane - dev[d, 0]) // dev[d, 2] + 1)
        count += 1
        size -= 1
        queue[HELD, chosen] = queue[HELD, size]
        for i in range(8):
            found[chosen, i] = found[size, i]
        changed = lane
        for k in range(task_i[task, SUCC], task_i[task, SUCC_END]):
            after = succ[k]
            queue[WAITING, after] -= 1
            if queue[WAITING, after] == 0:
                queue[READY, released] = after
                released += 1
