"""Plans timed anew under the limits that tie units together, by the compiled list decoder.

:mod:`hetopt.schedule.list_scheduling.limited.decoder_kernels` says how.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np

from hetopt.evaluate.slowing import slows
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.runtime.jit import is_compiled, plain
from hetopt.schedule.list_scheduling.limited import records as k
from hetopt.schedule.list_scheduling.limited.records import Limits, ListProblem
from hetopt.schedule.list_scheduling.limited.tables import Choices, ints, limits_of
from hetopt.schedule.model.features import beyond, has_any
from hetopt.schedule.model.packed import pack
from hetopt.schedule.model.problem import Mode, Problem, plan_problem
from hetopt.schedule.model.tick_schedule import ChainKey, TickSchedule, needed_chains
from hetopt.solution import Hops, SchedulePlan

TYING = (
    "memory limits",
    "a power cap",
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "resources",
    "transfers that hold slots (overlap: false)",
    "link channels",
    "units that take time to go on",
    "set-ups",
)
"""Features that make these tables needed."""
SUPPORTED = (
    *TYING,
    *("tasks pinned to a unit", "resources that slow", "prices that change over time", "messages"),
)
"""Features that the decoder knows."""
MOST_TASKS = 20_000
"""Tasks above which plans are not timed anew: the tables are made in Python."""
FEW_TASKS = 500
"""Tasks up to which a schedule in plain Python takes less time than loading the compiler."""
KERNELS = "hetopt.schedule.list_scheduling.limited.decoder_kernels"


def needed(instance: Instance) -> bool:
    """Whether an instance has limits that tie units together."""
    return has_any(instance, TYING)


def fresh(limits: Limits) -> Limits:
    """Return the tables with room of its own to count in."""
    first = limits._fields.index("task_s")
    return type(limits)(*limits[:first], *(array.copy() for array in limits[first:]))


def draft_of_times(
    limits: Limits, problem: Problem, modes: list[Mode], unit: list[int]
) -> TickSchedule | None:
    """Read the times of the last decoding, which are whole ticks; None where a task is late."""
    start = [int(t) for t in limits.task_s[k.START].tolist()]
    ends = zip(start, modes, problem.deadline, strict=True)
    if any(at + mode.duration > deadline for at, mode, deadline in ends):
        return None
    first = np.cumsum(problem.units) - problem.units
    begun: dict[tuple[int, int], list[int]] = {}
    for leg in range(int(limits.count[k.LEGS])):
        tensor, at, hops = limits.leg_i[leg].tolist()
        begun[tensor, at] = [int(t) for t in limits.leg_s[leg, :hops].tolist()]
    hops_of: dict[ChainKey, list[int]] = {}
    for key, chain in (needed_chains(problem, modes, unit) or {}).items():
        tensor, _, to, number = key
        known = begun.get((tensor, int(first[to]) + number))
        if known is None:
            producer = problem.producer[tensor]
            known = [start[producer] + modes[producer].duration]
            for hop in chain.hops[:-1]:
                known.append(known[-1] + hop.duration)
        hops_of[key] = known
    return TickSchedule(problem, modes, unit, start, hops_of)


def plan_of_times(
    limits: Limits, problem: Problem, modes: list[Mode], unit: list[int]
) -> SchedulePlan:
    """Read the times of the last decoding: where things are slowed, they are no whole ticks."""
    starts, ends = limits.task_s[k.START], limits.task_s[k.END]
    first = np.cumsum(problem.units) - problem.units
    begun: dict[tuple[int, int], list[float]] = {}
    for leg in range(int(limits.count[k.LEGS])):
        tensor, at, hops = limits.leg_i[leg].tolist()
        begun[tensor, at] = limits.leg_s[leg, :hops].tolist()
    rows = []
    for key, chain in (needed_chains(problem, modes, unit) or {}).items():
        tensor, _, to, number = key
        known = begun.get((tensor, int(first[to]) + number))
        if known is None:
            known = [float(ends[problem.producer[tensor]])]
            for hop in chain.hops[:-1]:
                known.append(known[-1] + hop.duration)
        rows += [
            (*key, i, hop.link, t) for i, (hop, t) in enumerate(zip(chain.hops, known, strict=True))
        ]
    rows.sort()
    tensor_, leg_, device, number_, ordinal, link = (
        np.array([row[i] for row in rows], dtype=np.int64) for i in range(6)
    )
    return SchedulePlan(
        np.array([mode.option for mode in modes], dtype=np.int64),
        np.array(unit, dtype=np.int64),
        _seconds(problem, starts),
        Hops(
            tensor_,
            leg_,
            device,
            number_,
            ordinal,
            link,
            _seconds(problem, np.array([row[6] for row in rows], dtype=np.float64)),
        ),
    )


def _seconds(problem: Problem, ticks: Floats) -> Floats:
    """Return times as floats; those of whole ticks have the decimals of these."""
    tick = float(problem.grid.tick)
    return np.array(
        [problem.grid.seconds(int(t)) if t == int(t) else t * tick for t in ticks.tolist()],
        dtype=np.float64,
    )


def within_limits(
    instance: Instance, plan: SchedulePlan, *, patient: bool | Ints = False
) -> SchedulePlan | None:
    """Time a plan anew under all limits, with its options, units and order of starts.

    ``patient`` tasks (all, or by task) wait where they would be slowed, or slow others.

    ``plan`` may break limits that tie units together, by what runs when. None where options and
    units alone break one (weights, budgets), where something fits nowhere, and where that takes too
    long to try.
    """
    if len(instance.tasks) > MOST_TASKS or beyond(instance, SUPPORTED):
        return None
    problem, options, devices = plan_problem(instance), instance.options, instance.devices
    n, slots = problem.n_tasks, devices.slots
    durations = problem.grid.durations(instance.tasks.work, options.time_s[plan.option]).tolist()
    on = options.device[plan.option]
    modes = [
        Mode(o, d, t) for o, d, t in zip(plan.option.tolist(), on.tolist(), durations, strict=True)
    ]
    device = np.repeat(np.arange(len(devices)), devices.count_max)
    unit = np.cumsum(devices.count_max)[on] - devices.count_max[on] + plan.unit
    lanes = ptr_of(slots[device])
    waits = np.zeros(n, dtype=np.int64) + np.asarray(patient, dtype=np.int64)
    limits = limits_of(problem, Choices(plan.option, unit, device, waits), int(lanes[-1]))
    place = np.empty(n, dtype=np.int64)
    place[instance.topological_order] = task = np.arange(n)
    seq = np.zeros((4, n), dtype=np.int64)
    seq[k.ORDER] = np.lexsort((place, plan.start_s))
    seq[k.POSITION, seq[k.ORDER]] = seq[k.CHOICE] = task
    seq[k.UNIT] = unit
    (pred_ptr, pred), (succ_ptr, succ) = instance.predecessors, instance.successors
    edges, busy = instance.edges, np.bincount(unit, minlength=len(device))
    latency, per_b, joules, rounding = pack(instance).message[[0, 1, 3, 2]]
    sent = (edges.tensor >= 0) & (unit[edges.src] != unit[edges.dst])
    if np.isinf(latency[on[edges.src[sent]], on[edges.dst[sent]]]).any():
        return None  # the decoder takes for granted that there is a path
    if count(limits, seq[k.CHOICE], unit) > 0:
        return None
    rows = (task, task + 1, pred_ptr[:-1], pred_ptr[1:], succ_ptr[:-1], succ_ptr[1:], task)
    listed = ListProblem(
        task_i=ints(np.stack(rows, axis=1)),
        task_f=np.stack([np.array(problem.release, dtype=np.float64), np.zeros(n)], axis=1),
        pred=ints(np.stack([edges.src[pred], edges.tensor[pred]], axis=1)),
        succ=ints(np.stack([edges.dst[succ], edges.tensor[succ]], axis=1)),
        choice_i=ints(unit),
        choice_f=np.stack([np.array(durations, dtype=np.float64), np.zeros(n)], axis=1),
        units=ints(np.stack([np.append(device, 0), lanes], axis=1)),
        pair=np.stack([latency, per_b, joules, rounding]),
        bytes_b=instance.tensors.bytes_b.astype(np.float64),
        rate=np.zeros((len(devices), 1)),
    )
    used = np.concatenate([busy, np.bincount(device[busy > 0], minlength=len(devices))])
    decode = _kernels(n).decode_limited
    makespan, more = decode(np.inf, ints(used), seq, listed, limits)
    if more > 0 or not np.isfinite(makespan):
        return None
    if slows(instance):
        return plan_of_times(limits, problem, modes, plan.unit.tolist())
    schedule = draft_of_times(limits, problem, modes, plan.unit.tolist())
    return None if schedule is None else schedule.plan()


def _kernels(tasks: int) -> Any:
    """Return the decoder, as plain Python where it is not compiled yet.

    Compiling takes ten seconds, more than a plan of 10,000 tasks takes so.
    """
    if tasks <= FEW_TASKS and KERNELS not in sys.modules:
        return plain(KERNELS)
    module: Any = import_module(KERNELS)
    return module if is_compiled(module.decode_limited) else plain(KERNELS)


def count(limits: Limits, choice: Ints, unit: Ints) -> float:
    """Count weights and budgets of a mapping anew; return by how much they exceed their limits."""
    key = limits.choice_i[choice, k.KEY]
    needs = key >= 0
    limits.keys[:] = 0
    np.add.at(limits.keys, (key[needs], unit[needs]), 1)
    weights = np.zeros(len(limits.keys))
    weights[key[needs]] = limits.choice_f[choice[needs], k.WEIGHTS]
    limits.unit_s[k.LOADED] = loaded = weights @ (limits.keys > 0)
    limits.spent[:] = 0.0
    for c in choice.tolist() if len(limits.spend_i) else ():
        rows = slice(*limits.choice_i[c, k.SPEND : k.SPEND_END + 1].tolist())
        limits.spent[limits.spend_i[rows]] += limits.spend_f[rows]
    pool = limits.unit_i[:, k.POOL]
    pooled = np.bincount(pool[pool >= 0], loaded[pool >= 0], len(limits.pool_b))
    return sum(
        float((np.maximum(used - limit, 0.0) / np.maximum(limit, least)).sum())
        for used, limit, least in (
            (loaded, limits.memory, 1.0),
            (pooled, limits.pool_b, 1.0),
            (limits.spent, limits.budget, 1e-300),
        )
    )
