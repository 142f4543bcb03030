"""The compiled parametric list scheduler: from packed columns and a setting to a plan.

What a setting can say stands in :mod:`hetopt.schedule.list_scheduling.packed_kernels`; the named
ones are in :mod:`hetopt.schedule.list_scheduling.constructors`.
"""

from __future__ import annotations

import importlib
import math
import sys
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.paths import Network
from hetopt.runtime.jit import is_compiled, kernels, plain
from hetopt.schedule.model.packed import NUDGE, PackedProblem
from hetopt.solution import DIRECT, Hops, SchedulePlan

Choice = Literal[
    "eft", "est", "quickest", "next-free", "eft-plus", "cheapest", "lookahead", "priced"
]
Rule = Literal["first", "least", "greatest", "sufferage"]
CHOICES: tuple[Choice, ...] = (
    "eft", "est", "quickest", "next-free", "eft-plus", "cheapest", "lookahead", "priced",
)  # fmt: skip
RULES: tuple[Rule, ...] = ("first", "least", "greatest", "sufferage")

ALL_IDLE = 20_000
"""Tasks up to which a lane remembers every idle stretch."""
SOME_IDLE = 128
"""Idle stretches that a lane remembers beyond: the latest ones, which is where ready tasks go."""
ALL_READY = 4_096
"""Tasks up to which rules see all that are ready."""
KERNELS = "hetopt.schedule.list_scheduling.packed_kernels"
TRIALS = f"{KERNELS}: trials"
"""Where an instance keeps the trials of its schedules."""
PLACING, TELLING = f"{KERNELS}: seconds", f"{KERNELS}: seconds of a plan"
"""Where it keeps what its last schedule took, and making a plan of one: the next will as well."""
PLAIN_TRIALS = 3_000
"""Tasks × lanes up to which a schedule is made by plain Python: in up to 0.2 s."""
PLAIN_TOTAL = 20_000
"""Tasks × lanes of all schedules of an instance from which loading the compiler takes less."""
PLAIN_FIRST = 100_000
"""Tasks × lanes up to which an instance's first schedule is, where the compiled loop is not in
memory yet: half a second. A first plan waits for no compiler."""
PLAIN_UPTO = 20_000
"""Places tried (tasks × slots) that plain Python tries in about a second."""
COMPILE_S = 60.0
"""Time left from which the first call of an installation compiles in any case."""
SOME_READY = 512
"""Ready tasks that rules see beyond, so that time stays linear."""


@dataclass(frozen=True)
class Setting:
    """How to place tasks; ``None`` stands for what a setting does not use.

    Attributes
    ----------
    priority
        Per task; ready tasks enter the window by decreasing priority, ties by index.
    rule, choice
        What is taken from the window next, and where it goes.
    window
        Ready tasks that the rule sees; 0 for all (up to ``SOME_READY`` for many tasks).
    insertion
        Whether idle stretches before the last task of a slot are filled.
    cost
        Per option of each class, at factor 1: what ``cheapest`` compares, and what ``priced`` adds
        to the end, in ticks.
    target
        Per task, in ticks: the end by which the cheapest place is looked for.
    per_byte, opening
        J to cost, for messages; cost of one more unit in use per device.
    only
        Per task: the only device, -1 where it is free.
    units
        Per device: how many of its units may be used.
    table
        T × D: what ``eft-plus`` adds to the end, in ticks (float32).
    """

    priority: Floats
    rule: Rule = "first"
    choice: Choice = "eft"
    window: int = 1
    insertion: bool = True
    cost: Floats | None = None
    target: Floats | None = None
    per_byte: float = 0.0
    opening: Floats | None = None
    only: Ints | None = None
    units: Ints | None = None
    table: Any | None = None


@dataclass(frozen=True)
class Placement:
    """A complete schedule: per task an option, a unit of its device, start and end in ticks."""

    option: Ints
    unit: Ints
    start: Floats
    end: Floats


def place(
    columns: PackedProblem, setting: Setting, *, limit: float | None = None
) -> Placement | None:
    """Place all tasks; None where one fits nowhere by its deadline.

    The result respects every limit of an instance that :func:`hetopt.schedule.model.packed.fits`.
    ``limit`` is a ``time.monotonic()`` value: where the scheduler would have to be compiled first
    and that takes too long, a small instance is scheduled by plain Python, with the same result.
    """
    k = _kernels(columns, limit)
    graph = _graph(columns)
    began = time.monotonic()
    option, opt_i, opt_f, cls = _options(columns, setting)
    n, wide = len(columns.member), len(columns.instance.devices)
    task_i = graph.task_i
    task_i[:, k.CLASS] = columns.member
    task_i[:, k.ONLY] = -1 if setting.only is None else setting.only
    task_f = np.empty((n, 5))
    task_f[:, k.FACTOR] = columns.factor
    task_f[:, k.RELEASE] = columns.release
    task_f[:, k.DEADLINE] = columns.deadline
    task_f[:, k.TARGET] = np.inf if setting.target is None else setting.target
    task_f[:, k.PRIORITY] = setting.priority
    message = columns.message
    if setting.per_byte != 1.0:
        message = message.copy()
        message[3] *= setting.per_byte
    opening = np.zeros(wide) if setting.opening is None else setting.opening
    table = np.zeros((1, 1), dtype=np.float32) if setting.table is None else setting.table
    spent = np.empty((n, 4))
    idle = 0
    if setting.insertion:
        idle = min(n + 1, max(SOME_IDLE, graph.most_idle)) if n <= ALL_IDLE else SOME_IDLE
    window = min(n, setting.window or (ALL_READY if n <= ALL_READY else SOME_READY))
    dev, lane_i = graph.dev.copy(), graph.lane_i.copy()
    if setting.units is not None:
        dev[:, 1] = np.minimum(dev[:, 1], setting.units * dev[:, 2])
    lane_f = np.zeros((len(lane_i), 4))
    lane_f[:, k.SHORTEST] = _shortest(columns, opt_i, opt_f)[lane_i[:, k.DEVICE]]
    given = k.Given(
        task_i, task_f, graph.pred, graph.pred_f, graph.succ, cls, opt_i, opt_f, dev, message,
        opening, table,
    )  # fmt: skip
    room = k.Placed(
        spent, lane_i, lane_f, np.empty((2, len(lane_i), idle)), np.empty((4, graph.most_waits)),
        np.empty((4, n), dtype=np.int64), np.empty((window, 8)),
    )  # fmt: skip
    rule, choice = RULES.index(setting.rule), CHOICES.index(setting.choice)
    compiling = hasattr(k.list_schedule, "signatures") and not is_compiled(k.list_schedule)
    placed = k.list_schedule(rule, choice, window, columns.bias, given, room)
    if placed < n:
        return None
    if not compiling:
        columns.instance.derived[PLACING] = time.monotonic() - began
    row = spent[:, k.ROW].astype(np.int64)
    chosen = option[row]
    lane = spent[:, k.LANE].astype(np.int64)
    device = columns.instance.options.device[chosen]
    unit = (lane - graph.dev[device, 0]) // graph.dev[device, 2]
    return Placement(chosen, unit, spent[:, k.START].copy(), spent[:, k.END].copy())


def _kernels(columns: PackedProblem, limit: float | None) -> Any:
    devices = columns.instance.devices
    trials = len(columns.member) * int((devices.count_max * devices.slots).sum())
    left = math.inf if limit is None else limit - time.monotonic()
    made: list[int] = columns.instance.derived.setdefault(TRIALS, [])
    made.append(trials)
    if trials <= PLAIN_TRIALS and sum(made) <= PLAIN_TOTAL:
        return plain(KERNELS)
    first = GRAPH not in columns.instance.derived
    if first and trials <= PLAIN_FIRST and not _ready():
        return plain(KERNELS)
    found = importlib.import_module(KERNELS)
    if trials > PLAIN_UPTO or is_compiled(found.list_schedule):
        return found
    return found if left > COMPILE_S else plain(KERNELS)


def _ready() -> bool:
    """Whether the compiled loop is in memory: loading the compiler takes a second."""
    module = sys.modules.get(KERNELS)
    return module is not None and bool(module.list_schedule.signatures)


def plan_of(columns: PackedProblem, placement: Placement) -> SchedulePlan:
    """Return the plan columns of a placement; transfers start as soon as their data are there."""
    began = time.monotonic()
    plan = SchedulePlan(
        placement.option,
        placement.unit,
        columns.seconds(placement.start),
        _hops(columns, placement),
    )
    columns.instance.derived[TELLING] = time.monotonic() - began
    return plan


def messages_of(instance: Instance, option: Ints, unit: Ints) -> tuple[Ints, Ints, Ints]:
    """Transfers of a placement: tensor, destination device and unit, each once, in that order.

    Those on one unit or inside a zero-copy pool need none.
    """
    edges, wide = instance.edges, len(instance.devices)
    most = int(instance.devices.count_max.max(initial=1))
    place = instance.options.device[option] * most + unit
    sent = np.flatnonzero(edges.tensor >= 0)
    here, there = place[edges.src[sent]], place[edges.dst[sent]]
    sent = sent[here != there]
    if len(instance.pools):
        free = Network(instance).free(
            place[edges.src[sent]] // most, place[edges.dst[sent]] // most
        )
        sent = sent[~free]
    key = edges.tensor[sent] * (wide * most) + place[edges.dst[sent]]
    if not (np.diff(key) > 0).all():
        key = np.unique(key)
    there = key % (wide * most)
    return key // (wide * most), there // most, there % most


@dataclass(frozen=True)
class _Graph:
    """What no setting changes: packed once per instance."""

    task_i: Ints
    pred: Ints
    pred_f: Floats
    succ: Ints
    dev: Ints
    lane_i: Ints
    most_idle: int
    most_waits: int


GRAPH = "list_graph"
"""Name by which an instance keeps its graph for the kernels."""


def _graph(columns: PackedProblem) -> _Graph:
    k = kernels("hetopt.schedule.list_scheduling.packed_kernels", 0)
    made = columns.instance.derived.get(GRAPH)
    if isinstance(made, _Graph):
        return made
    instance = columns.instance
    edges, devices = instance.edges, instance.devices
    (pred_ptr, pred), (succ_ptr, succ) = instance.predecessors, instance.successors
    task_i = np.empty((len(instance.tasks), 6), dtype=np.int64)
    task_i[:, k.PRED], task_i[:, k.PRED_END] = pred_ptr[:-1], pred_ptr[1:]
    task_i[:, k.SUCC], task_i[:, k.SUCC_END] = succ_ptr[:-1], succ_ptr[1:]
    size = np.append(instance.tensors.bytes_b, -1.0)
    lanes = devices.count_max * devices.slots
    dev = np.stack([np.cumsum(lanes) - lanes, lanes, devices.slots, 0 * lanes], axis=1)
    device = np.repeat(np.arange(len(lanes)), lanes)
    number = np.arange(len(device)) - dev[device, 0]
    first_unit = np.cumsum(devices.count_max) - devices.count_max
    unit = first_unit[device] + number // devices.slots[device]
    made = _Graph(
        task_i=task_i,
        pred=edges.src[pred],
        pred_f=size[edges.tensor[pred]],
        succ=edges.dst[succ],
        dev=np.ascontiguousarray(dev, dtype=np.int64),
        lane_i=np.stack([device, unit, 0 * unit], axis=1).astype(np.int64),
        most_waits=int(np.diff(pred_ptr).max(initial=0)),
        most_idle=_MOST_CELLS // max(1, int(lanes.sum())),
    )
    instance.derived[GRAPH] = made
    return made


_MOST_CELLS = 4_000_000
"""Idle stretches of all lanes that are worth their memory."""


def _options(columns: PackedProblem, setting: Setting) -> tuple[Ints, Ints, Floats, Ints]:
    """Options of each class in the order in which the choice can stop early."""
    options = columns.instance.options
    owner, device = columns.owner, columns.device
    cost = np.zeros(len(owner)) if setting.cost is None else setting.cost
    keep = np.arange(len(owner))
    if setting.units is not None:
        keep = np.flatnonzero(setting.units[device] > 0)
    by = cost if setting.choice == "cheapest" else columns.length
    energy = options.energy_j[columns.option] * columns.scale[owner]
    order = keep[np.lexsort((columns.option[keep], by[keep], owner[keep]))]
    size = np.bincount(owner[order], minlength=len(columns.scale))
    ptr = ptr_of(size)
    opt_i = np.stack([device[order], columns.option[order]], axis=1).astype(np.int64)
    opt_f = np.stack([columns.length[order], cost[order], energy[order]], axis=1)
    return columns.option[order], opt_i, np.ascontiguousarray(opt_f), ptr


def _shortest(columns: PackedProblem, opt_i: Ints, opt_f: Floats) -> Floats:
    """Ticks of the shortest task that each device may run, at most: no idle time below is kept."""
    found = np.full(len(columns.instance.devices), np.inf)
    least = np.floor(opt_f[:, 0] * float(columns.factor.min(initial=np.inf)) + columns.bias)
    np.minimum.at(found, opt_i[:, 0], least)
    return found


def _hops(columns: PackedProblem, placement: Placement) -> Hops:
    instance = columns.instance
    tensor, device, unit = messages_of(instance, placement.option, placement.unit)
    if not len(tensor):
        return Hops.empty()
    producer = instance.tensors.producer[tensor]
    source = instance.options.device[placement.option[producer]]
    size = instance.tensors.bytes_b[tensor]
    ptr, link = Network(instance).paths(source, device, size)
    count = np.diff(ptr)
    ordinal = np.arange(len(link)) - np.repeat(ptr[:-1], count)
    start = np.repeat(placement.end[producer], count)
    if len(link) > len(tensor):
        links = instance.links
        took = links.latency_s[link] + np.repeat(size, count) / links.bandwidth_b_per_s[link]
        took = took / float(columns.grid.tick)
        whole = columns.grid.direction == "exact"
        took = np.rint(took) if whole else np.ceil(took * NUDGE)
        before = np.cumsum(took) - took
        start = start + before - np.repeat(before[ptr[:-1]], count)
    return Hops(
        np.repeat(tensor, count),
        np.full(len(link), DIRECT, dtype=np.int64),
        np.repeat(device, count),
        np.repeat(unit, count),
        ordinal,
        link,
        columns.seconds(start),
    )
