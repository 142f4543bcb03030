"""What list decoders read and write, as records of arrays.

The decoder of :mod:`hetopt.schedule.search.list_annealing_kernels` reads :class:`ListProblem`; that
under limits (:mod:`hetopt.schedule.list_scheduling.limited.decoder_kernels`) reads it, and
:class:`Limits`. For n tasks, E edges, N tensors, U units, D devices, K choices of all tasks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ORDER, POSITION, CHOICE, UNIT = range(4)
"""Rows of ``seq`` of :mod:`hetopt.schedule.search.list_annealing_kernels`."""
DEVICE, POOL, OVERLAP = range(3)
KEY, USE, USE_END, SPEND, SPEND_END, PATIENT, SHARES, STATE = range(8)
WORKING, WEIGHTS = range(2)
START, END, READY, HOLDS = range(4)
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


class ListProblem(NamedTuple):
    """The problem as list decoders read it: a choice (option and unit) per task.

    ========== ============= =======================================================================
    array      shape         what
    ========== ============= =======================================================================
    task_i     n × 7 int     choices from, to; rows of pred from, to; rows of succ from, to; job
    task_f     n × 2         release; least time from its end to the end of all that follows
    pred, succ E × 2 int     the other task; tensor or -1; by the task that they enter, leave
    choice_i   K int         unit
    choice_f   K × 2         time; cost
    units      (U+1) × 2 int device; first slot
    pair       4 × D × D     of messages: latency (inf: no path), ticks per byte, cost per byte,
                             what rounding to whole ticks adds
    bytes_b    N             size of each tensor
    rate       D × (units+1) cost per tick of the window with so many units of a device in use
    ========== ============= =======================================================================
    """

    task_i: Any
    task_f: Any
    pred: Any
    succ: Any
    choice_i: Any
    choice_f: Any
    units: Any
    pair: Any
    bytes_b: Any
    rate: Any


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
    task_s     4 × T        start, end, when the data are there; begin of its set-up, else start
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
