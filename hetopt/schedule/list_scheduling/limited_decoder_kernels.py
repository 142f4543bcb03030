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

from typing import Any, NamedTuple

import numpy as np

from hetopt.runtime.jit import inner, jit

ORDER, POSITION, CHOICE, UNIT = range(4)
"""Rows of ``seq`` of :mod:`hetopt.schedule.search.list_annealing_kernels`."""
DEVICE, POOL, OVERLAP = range(3)
KEY, USE, USE_END, SPEND, SPEND_END, PATIENT, SHARES, STATE = range(8)
WORKING, WEIGHTS = range(2)
START, END, READY = range(3)
PENDING, NEXT = range(2)
EARLIEST, HELD, LOADED, SETUP = range(4)
HEAD, TAIL, MARK, BLOCKED, IS = range(5)
TENSOR, AT, HOP = range(3)
TASK_ENDS, HOP_ENDS, REQUESTED = range(3)
HEAP, LEGS, STUCK, SENDS, POWERED, REMEMBERS, MOST_HOPS, RUNNING = range(8)
WHO, LANE = range(2)
LEFT, RATE = range(2)
KINDS = 3
NOISE = 1 + 1e-12
"""Relative size of what counts as rounding."""


class Limits(NamedTuple):
    """What the decoder reads and where it counts.

    T tasks, N tensors, U units, D devices, K choices, R renewable resources (power first, where it
    is capped), B budgets, P pools, G channel groups, M edges with a tensor, W keys of weights.

    ========== ============ =======================================================================
    array      shape        what
    ========== ============ =======================================================================
    unit_i     U × 3 int    device; pool or -1; whether transfers overlap with tasks
    memory     U            bytes (inf: no limit)
    pool_b     P            bytes
    choice_i   K × 8 int    key of the weights or -1; rows of ``use`` and of ``spend`` from, to;
                            whether it waits where it would be slowed; whether anything slows it;
                            configuration, -1: it keeps what is loaded
    choice_f   K × 2        working memory and weights, bytes
    use_i/f    rows         renewable resource; amount
    spend_i/f  rows         budget; amount
    capacity   R            of the renewable resources
    kept       R            of those that slow: part of the speed that two or more keep; else -1
    budget     B
    idle       D × (n + 1)  watts of a device with so many units in use (where power is capped)
    made_ptr   T + 1 int    rows of ``made``: the tensors that a task produces
    out_b      T            their bytes
    read_ptr   N + 1 int    rows of ``reader``: the tasks that read a tensor, one per edge
    free       D × D int    1: no transfer is needed between units of these devices
    hop_ptr    D·D + 1 int  rows of ``hop_i`` (channel group or -1) and ``hop_f`` (latency, ticks
                            per byte, what rounding adds) of the path between two devices
    channels   G int        hops at once
    group_i    T int        group of tasks that share a unit, -1
    group_ptr  int          rows of ``member``
    apart_ptr  T + 1 int    rows of ``apart``: tasks that must be on other units
    ready      U            when a unit has gone on
    first      D int        what a unit has loaded at first; empty where nothing is set up
    change_t/c D × C+1 × C  ticks and cost of a set-up from one configuration to another
    task_s     3 × T        start, end, when the data are there
    task_c     2 × T int    inputs not there yet; next task on the unit
    unit_s     4 × U        earliest start of the next task; bytes held; bytes of weights; ticks of
                            the set-up before the next task
    unit_c     5 × U int    next task, last task, last tensor seen, whether the next task waits,
                            what is loaded
    lane       L            when each slot is free
    pool_s, level, spent    bytes, amounts and amounts in use
    users      R int        tasks that use a resource now
    running    L × 2 int    what runs on resources that slow: task, slot
    left       L × 2        time at full speed that is left of each, and its rate
    since      1            when that was so
    paid       1            what set-ups cost
    busy       G int        hops under way
    waiting    N × U int    readers of a copy that have not ended
    home       N × 2 int    readers of an output, and first hops, that have not ended; producer
    leg_i      M × 3 int    transfers: tensor, unit, next hop
    leg_s      M × H        starts of their hops
    heap_t/c   events       time; id × ``KINDS`` + kind
    stuck      M int        transfers that wait for room, a slot or a channel
    keys       W × U int    tasks on a unit that need these weights
    moved      rows × 3 int tasks of a move with their new and old choices
    count      8 int        lengths of the lists; which parts there are; most hops of a path
    ========== ============ =======================================================================
    """

    unit_i: Any
    memory: Any
    pool_b: Any
    choice_i: Any
    choice_f: Any
    use_i: Any
    use_f: Any
    spend_i: Any
    spend_f: Any
    capacity: Any
    kept: Any
    budget: Any
    idle: Any
    made_ptr: Any
    made: Any
    out_b: Any
    read_ptr: Any
    reader: Any
    free: Any
    hop_ptr: Any
    hop_i: Any
    hop_f: Any
    channels: Any
    group_i: Any
    group_ptr: Any
    member: Any
    apart_ptr: Any
    apart: Any
    ready: Any
    first: Any
    change_t: Any
    change_c: Any
    task_s: Any
    task_c: Any
    unit_s: Any
    unit_c: Any
    lane: Any
    pool_s: Any
    level: Any
    spent: Any
    users: Any
    running: Any
    left: Any
    since: Any
    paid: Any
    busy: Any
    waiting: Any
    home: Any
    leg_i: Any
    leg_s: Any
    heap_t: Any
    heap_c: Any
    stuck: Any
    keys: Any
    moved: Any
    count: Any


def _load(choice: int, unit: int, sign: int, limits: Any) -> None:
    """Count weights and budgets of a choice on a unit, or (``sign`` -1) take them off."""
    key = limits.choice_i[choice, KEY]
    if key >= 0:
        before = limits.keys[key, unit]
        limits.keys[key, unit] = before + sign
        if before == 0 or before + sign == 0:
            limits.unit_s[LOADED, unit] += sign * limits.choice_f[choice, WEIGHTS]
    for k in range(limits.choice_i[choice, SPEND], limits.choice_i[choice, SPEND_END]):
        limits.spent[limits.spend_i[k]] += sign * limits.spend_f[k]


load = inner(_load)


def _excess(limits: Any) -> Any:
    """By how much weights and budgets exceed their limits, relative to those, in sum."""
    total = 0.0
    for p in range(len(limits.pool_b)):
        limits.pool_s[p] = 0.0
    for u in range(len(limits.memory)):
        held = limits.unit_s[LOADED, u]
        if held > limits.memory[u]:
            total += (held - limits.memory[u]) / max(limits.memory[u], 1.0)
        if limits.unit_i[u, POOL] >= 0:
            limits.pool_s[limits.unit_i[u, POOL]] += held
    for p in range(len(limits.pool_b)):
        if limits.pool_s[p] > limits.pool_b[p]:
            total += (limits.pool_s[p] - limits.pool_b[p]) / max(limits.pool_b[p], 1.0)
    for b in range(len(limits.budget)):
        if limits.spent[b] > limits.budget[b]:
            total += (limits.spent[b] - limits.budget[b]) / max(limits.budget[b], 1e-300)
    return total


excess = inner(_excess)


def _split(task: int, seq: Any, limits: Any) -> bool:
    """Whether a task is on the unit of one that it must be apart from."""
    for k in range(limits.apart_ptr[task], limits.apart_ptr[task + 1]):
        if seq[UNIT, limits.apart[k]] == seq[UNIT, task]:
            return True
    return False


split = inner(_split)


def _push(time: float, code: int, limits: Any) -> None:
    """Add an event; of equal times ends come before requests, and lower ids first."""
    heap_t, heap_c = limits.heap_t, limits.heap_c
    i = limits.count[HEAP]
    limits.count[HEAP] = i + 1
    while i > 0:
        up = (i - 1) // 2
        if heap_t[up] < time or (heap_t[up] == time and heap_c[up] % KINDS <= code % KINDS):
            break
        heap_t[i], heap_c[i] = heap_t[up], heap_c[up]
        i = up
    heap_t[i], heap_c[i] = time, code


push = inner(_push)


def _pop(limits: Any) -> int:
    """Take the first event; return its code."""
    heap_t, heap_c = limits.heap_t, limits.heap_c
    code = heap_c[0]
    n = limits.count[HEAP] - 1
    limits.count[HEAP] = n
    time, moved = heap_t[n], heap_c[n]
    i = 0
    while True:
        k = 2 * i + 1
        if k >= n:
            break
        if k + 1 < n and (
            heap_t[k + 1] < heap_t[k]
            or (heap_t[k + 1] == heap_t[k] and heap_c[k + 1] % KINDS < heap_c[k] % KINDS)
        ):
            k += 1
        if heap_t[k] > time or (heap_t[k] == time and heap_c[k] % KINDS >= moved % KINDS):
            break
        heap_t[i], heap_c[i] = heap_t[k], heap_c[k]
        i = k
    heap_t[i], heap_c[i] = time, moved
    return int(code)


pop = inner(_pop)


def _first_lane(unit: int, units: Any, limits: Any) -> int:
    """Return the slot of a unit that is free first."""
    lane = units[unit, 1]
    for other in range(lane + 1, units[unit + 1, 1]):
        if limits.lane[other] < limits.lane[lane]:
            lane = other
    return int(lane)


first_lane = inner(_first_lane)


def _turn(unit: int, now: float, units: Any, limits: Any) -> None:
    """Say when the next task of a unit may start, as far as is known; inf where its data lack."""
    task = limits.unit_c[HEAD, unit]
    limits.unit_s[EARLIEST, unit] = np.inf
    if task < 0 or limits.task_c[PENDING, task] > 0:
        return
    start = max(now, limits.task_s[READY, task])
    # A set-up is right before its task, and may precede the task's data.
    free = limits.lane[first_lane(unit, units, limits)] + limits.unit_s[SETUP, unit]
    limits.unit_s[EARLIEST, unit] = max(start, free)


turn = inner(_turn)


def _prepare(unit: int, seq: Any, limits: Any) -> None:
    """Say how long the set-up before the next task of a unit takes."""
    limits.unit_s[SETUP, unit] = 0.0
    task = limits.unit_c[HEAD, unit]
    if task >= 0 and len(limits.first) > 0:
        wanted = limits.choice_i[seq[CHOICE, task], STATE]
        if wanted >= 0:
            device, loaded = limits.unit_i[unit, DEVICE], limits.unit_c[IS, unit]
            limits.unit_s[SETUP, unit] = limits.change_t[device, loaded, wanted]


prepare = inner(_prepare)


def _set_up(choice: int, unit: int, limits: Any) -> None:
    """Load what a choice needs, and pay for it."""
    wanted = limits.choice_i[choice, STATE]
    if wanted >= 0:
        device, loaded = limits.unit_i[unit, DEVICE], limits.unit_c[IS, unit]
        limits.paid[0] += limits.change_c[device, loaded, wanted]
        limits.unit_c[IS, unit] = wanted


set_up = inner(_set_up)


def _arrive(task: int, time: float, now: float, seq: Any, units: Any, limits: Any) -> None:
    """Note that one input of a task is there from a time on."""
    limits.task_c[PENDING, task] -= 1
    limits.task_s[READY, task] = max(limits.task_s[READY, task], time)
    unit = seq[UNIT, task]
    if limits.task_c[PENDING, task] == 0 and limits.unit_c[HEAD, unit] == task:
        turn(unit, now, units, limits)


arrive = inner(_arrive)


def _hold(unit: int, bytes_b: float, limits: Any) -> None:
    """Take memory of a unit, and of its pool; give it back where ``bytes_b`` is negative."""
    limits.unit_s[HELD, unit] += bytes_b
    pool = limits.unit_i[unit, POOL]
    if pool >= 0:
        limits.pool_s[pool] += bytes_b


hold = inner(_hold)


def _lacking(unit: int, bytes_b: float, limits: Any) -> Any:
    """Bytes that a unit, or its pool, has too few of, relative to its memory; 0: there is room."""
    lack = 0.0
    held = limits.unit_s[HELD, unit] + bytes_b
    if held > limits.memory[unit]:
        lack += (held - limits.memory[unit]) / max(limits.memory[unit], 1.0)
    pool = limits.unit_i[unit, POOL]
    if pool >= 0 and limits.pool_s[pool] + bytes_b > limits.pool_b[pool]:
        lack += (limits.pool_s[pool] + bytes_b - limits.pool_b[pool]) / max(
            limits.pool_b[pool], 1.0
        )
    return lack


lacking = inner(_lacking)


def _reads(tensor: int, task: int, limits: Any) -> bool:
    for k in range(limits.read_ptr[tensor], limits.read_ptr[tensor + 1]):
        if limits.reader[k] == task:
            return True
    return False


reads = inner(_reads)


def _send(
    leg: int, now: float, forced: int, seq: Any, units: Any, bytes_b: Any, limits: Any
) -> Any:
    """Start the next hop of a transfer if it may; return the excess, -1 where it has to wait."""
    n, there, hop = limits.leg_i[leg, TENSOR], limits.leg_i[leg, AT], limits.leg_i[leg, HOP]
    here = seq[UNIT, limits.home[n, 1]]
    pair = limits.unit_i[here, DEVICE] * len(limits.free) + limits.unit_i[there, DEVICE]
    row = limits.hop_ptr[pair] + hop
    last = row + 1 == limits.hop_ptr[pair + 1]
    group, size = limits.hop_i[row], bytes_b[n]
    if group >= 0 and limits.busy[group] >= limits.channels[group]:
        return -1.0
    lane_here, lane_there, over = -1, -1, 0.0
    if hop == 0 and limits.unit_i[here, OVERLAP] == 0:
        lane_here = first_lane(here, units, limits)
        if limits.lane[lane_here] > now:
            return -1.0
    if last and limits.unit_i[there, OVERLAP] == 0:
        lane_there = first_lane(there, units, limits)
        if limits.lane[lane_there] > now:
            return -1.0
    if hop == 0 and limits.count[REMEMBERS]:
        over = lacking(there, size, limits)
        if forced == 0:
            if over > 0:
                return -1.0
            head = limits.unit_c[HEAD, there]
            if head >= 0:
                need = limits.choice_f[seq[CHOICE, head], WORKING] + limits.out_b[head]
                if lacking(there, size + need, limits) > 0 and not reads(n, head, limits):
                    return -1.0
        hold(there, size, limits)
    rounded = limits.hop_f[row, 0] + size * limits.hop_f[row, 1] + limits.hop_f[row, 2]
    end = now + np.floor(rounded)
    limits.leg_s[leg, hop] = now
    limits.leg_i[leg, HOP] = hop + 1
    if group >= 0:
        limits.busy[group] += 1
    for side in range(2):
        lane, unit = (lane_here, here) if side == 0 else (lane_there, there)
        if lane >= 0:
            limits.lane[lane] = end
            if limits.unit_c[BLOCKED, unit] == 0:
                turn(unit, now, units, limits)
    push(end, (leg * limits.count[MOST_HOPS] + hop) * KINDS + HOP_ENDS, limits)
    if not last:
        push(end, leg * KINDS + REQUESTED, limits)
        return over
    for k in range(limits.read_ptr[n], limits.read_ptr[n + 1]):
        task = limits.reader[k]
        if seq[UNIT, task] == there:
            arrive(task, end, now, seq, units, limits)
    return over


send = inner(_send)


def _leave(tensor: int, unit: int, bytes_b: Any, limits: Any) -> None:
    """Note that a reader of an output on its own unit, or a first hop, has ended."""
    limits.home[tensor, 0] -= 1
    if limits.home[tensor, 0] == 0:
        hold(unit, -bytes_b[tensor], limits)


leave = inner(_leave)


def _end_task(
    task: int, seq: Any, task_i: Any, pred: Any, times: Any, bytes_b: Any, limits: Any
) -> None:
    """Give back what a task took, and what was kept for it."""
    choice, unit = seq[CHOICE, task], seq[UNIT, task]
    if times[choice, 0] > 0:
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


end_task = inner(_end_task)


def _produce(task: int, done: float, seq: Any, bytes_b: Any, limits: Any) -> None:
    """Ask for the transfers of a task's outputs when it has ended; count who keeps them."""
    unit = seq[UNIT, task]
    device = limits.unit_i[unit, DEVICE]
    for k in range(limits.made_ptr[task], limits.made_ptr[task + 1]):
        n = limits.made[k]
        limits.home[n, 0] = 0
        for r in range(limits.read_ptr[n], limits.read_ptr[n + 1]):
            there = seq[UNIT, limits.reader[r]]
            if there == unit or limits.free[device, limits.unit_i[there, DEVICE]]:
                limits.home[n, 0] += 1
                continue
            if limits.unit_c[MARK, there] != n:
                limits.unit_c[MARK, there] = n
                leg = limits.count[LEGS]
                limits.count[LEGS] = leg + 1
                limits.leg_i[leg, TENSOR], limits.leg_i[leg, AT], limits.leg_i[leg, HOP] = (
                    n,
                    there,
                    0,
                )
                push(done, leg * KINDS + REQUESTED, limits)
                limits.home[n, 0] += 1
                if limits.count[REMEMBERS]:
                    limits.waiting[n, there] = 0
            if limits.count[REMEMBERS]:
                limits.waiting[n, there] += 1


produce = inner(_produce)


def _begin(used: Any, seq: Any, task_i: Any, task_f: Any, units: Any, limits: Any) -> None:
    """Empty everything, and queue the tasks of each unit in the order of the sequence."""
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


begin = inner(_begin)


def _shortage(task: int, choice: int, unit: int, length: float, limits: Any) -> Any:
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


shortage = inner(_shortage)


def _pass_to(now: float, limits: Any) -> None:
    """Let what runs on resources that slow progress up to a time."""
    for i in range(limits.count[RUNNING]):
        left = limits.left[i, LEFT] - limits.left[i, RATE] * (now - limits.since[0])
        limits.left[i, LEFT] = max(left, 0.0)
    limits.since[0] = now


pass_to = inner(_pass_to)


def _set_rates(seq: Any, limits: Any) -> None:
    """Give what runs on resources that slow the rates that the demands of the moment allow."""
    for i in range(limits.count[RUNNING]):
        choice = seq[CHOICE, limits.running[i, WHO]]
        rate = 1.0
        for k in range(limits.choice_i[choice, USE], limits.choice_i[choice, USE_END]):
            r = limits.use_i[k]
            if limits.kept[r] >= 0:
                share = 1.0
                if limits.level[r] > limits.capacity[r]:
                    share = limits.capacity[r] / limits.level[r]
                if limits.users[r] > 1:
                    share *= limits.kept[r]
                if share < rate:
                    rate = share
        limits.left[i, RATE] = rate


set_rates = inner(_set_rates)


def _first_of_running(limits: Any) -> int:
    """Return which of those that run on resources that slow ends first, -1: none runs."""
    first, soonest = -1, np.inf
    for i in range(limits.count[RUNNING]):
        left = limits.left[i, LEFT] / limits.left[i, RATE]
        if left < soonest:
            first, soonest = i, left
    return first


first_of_running = inner(_first_of_running)


def _stop_running(i: int, limits: Any) -> None:
    """Take one off those that run; what ends with it but for noise ends now, too."""
    last = limits.count[RUNNING] - 1
    limits.count[RUNNING] = last
    for k in range(2):
        limits.running[i, k], limits.left[i, k] = limits.running[last, k], limits.left[last, k]
    for j in range(last):
        if limits.left[j, LEFT] <= limits.since[0] * (NOISE - 1.0):
            limits.left[j, LEFT] = 0.0


stop_running = inner(_stop_running)


def _inform(
    task: int,
    done: float,
    now: float,
    seq: Any,
    task_i: Any,
    succ: Any,
    units: Any,
    pair: Any,
    bytes_b: Any,
    limits: Any,
) -> None:
    """Tell those that wait for a task when it ends, and ask for its transfers."""
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


inform = inner(_inform)


def _decode_limited(
    longest: float,
    used: Any,
    seq: Any,
    task_i: Any,
    task_f: Any,
    pred: Any,
    succ: Any,
    times: Any,
    units: Any,
    pair: Any,
    bytes_b: Any,
    limits: Any,
) -> Any:
    """Time all tasks and transfers; return the makespan (inf where it exceeds ``longest``), excess.

    Starts and ends are in ``task_s``, starts of hops in ``leg_s``.
    """
    n, n_units = seq.shape[1], len(limits.memory)
    task_s, task_c, unit_s, unit_c = limits.task_s, limits.task_c, limits.unit_s, limits.unit_c
    begin(used, seq, task_i, task_f, units, limits)
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
                end_task(what, seq, task_i, pred, times, bytes_b, limits)
                if slowed:
                    set_rates(seq, limits)
                    inform(what, now, now, seq, task_i, succ, units, pair, bytes_b, limits)
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
            inform(task, done, now, seq, task_i, succ, units, pair, bytes_b, limits)
    return makespan, over


decode_limited = jit(_decode_limited)
