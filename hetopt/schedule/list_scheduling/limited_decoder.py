"""Tables of the limits that tie units together, for the compiled list decoder, and its schedules.

:mod:`hetopt.schedule.list_scheduling.limited_decoder_kernels` says what the arrays hold and how
they are used. They are made where an instance has such limits only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.evaluate.slowing import slows
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.setups import configurations
from hetopt.runtime.jit import is_compiled, plain
from hetopt.schedule.model.features import has_any
from hetopt.schedule.model.joule_rates import prices_of
from hetopt.schedule.model.packed import pack
from hetopt.schedule.model.problem import Mode, Problem, option_power, plan_problem
from hetopt.schedule.model.setups import SetupTimes
from hetopt.schedule.model.tick_schedule import ChainKey, TickSchedule, needed_chains
from hetopt.solution import Hops, SchedulePlan

if TYPE_CHECKING:
    from hetopt.schedule.list_scheduling.limited_decoder_kernels import Limits

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
UNSUPPORTED = (
    *("staged tensors", "paths that depend on the size of a message"),
    *("set-ups that draw power under a cap", "sleep in gaps", "start-ups", "boards"),
)
"""Features that the decoder does not know."""
MOST_TASKS = 20_000
"""Tasks above which plans are not timed anew: the tables are made in Python."""
FEW_TASKS = 500
"""Tasks up to which a schedule in plain Python takes less time than loading the compiler."""
KERNELS = "hetopt.schedule.list_scheduling.limited_decoder_kernels"
SLACK = 1 + 1e-10
"""Limits may be exceeded by the rounding of sums, a tenth of what the checker allows."""


@dataclass(frozen=True)
class Choices:
    """Choices of all tasks, K rows: option, unit, and whether each waits where it is slowed."""

    option: Ints
    unit: Ints
    device_of_unit: Ints
    patient: Ints


def needed(instance: Instance) -> bool:
    """Whether an instance has limits that tie units together."""
    return has_any(instance, TYING)


def limits_of(
    problem: Problem, choices: Choices, lanes: int, module: ModuleType | None = None
) -> Limits:
    """Make the tables of an instance for a decoder of its own: that of the module, if given."""
    k: Any = module or import_module(KERNELS)
    instance = problem.instance
    options, devices = instance.options, instance.devices
    n, units = problem.n_tasks, len(choices.device_of_unit)
    tensors = len(instance.tensors)
    memory = devices.memory_b[choices.device_of_unit] * SLACK
    pool = devices.pool[choices.device_of_unit]
    pool_b = instance.pools.memory_b * SLACK
    remembers = bool(np.isfinite(memory).any() or np.isfinite(pool_b).any())
    channelled = bool((instance.links.channel_group >= 0).any())
    sends = tensors > 0 and (remembers or channelled or not devices.overlap.all())
    powered = bool(np.isfinite(instance.limits.power_cap_w))
    use_ptr, use_i, use_f, capacity, kept = _renewables(instance, powered=powered)
    spend_ptr, spend_i, spend_f, budget = _budgets(instance)
    made_ptr, made = _grouped(instance.tensors.producer, n)
    out_b = np.zeros(n)
    np.add.at(out_b, instance.tensors.producer, instance.tensors.bytes_b)
    read_ptr, read = instance.consumers
    hop_ptr, hop_i, hop_f = _paths(problem) if sends else _no_paths(len(devices))
    group_i, group_ptr, member = _together(instance)
    apart_ptr, apart = _apart(instance)
    wide = len(devices)
    free = [[problem.zero_copy(a, b) for b in range(wide)] for a in range(wide)]
    legs = int((instance.edges.tensor >= 0).sum()) if sends else 0
    hops = int(np.diff(hop_ptr).max(initial=1))
    keys = int(options.weights_key.max(initial=-1)) + 1
    lengths = np.zeros(8, dtype=np.int64)
    lengths[k.SENDS], lengths[k.POWERED], lengths[k.REMEMBERS] = sends, powered, remembers
    lengths[k.MOST_HOPS] = hops
    option = choices.option
    slowing = np.zeros(len(use_i) + 1, dtype=np.int64)
    slowing[1:] = np.cumsum(kept[use_i] >= 0)
    choice_i = np.stack(
        [
            options.weights_key[option] if remembers else np.full(len(option), -1),
            use_ptr[option],
            use_ptr[option + 1],
            spend_ptr[option],
            spend_ptr[option + 1],
            choices.patient,
            slowing[use_ptr[option + 1]] - slowing[use_ptr[option]],
            configurations(instance)[option],
        ],
        axis=1,
    )
    home = np.stack([np.zeros(tensors, dtype=np.int64), instance.tensors.producer], axis=1)
    tables: Limits = k.Limits(
        unit_i=_ints(
            np.stack([choices.device_of_unit, pool, devices.overlap[choices.device_of_unit]], 1)
        ),
        memory=memory.astype(np.float64),
        pool_b=pool_b.astype(np.float64),
        choice_i=_ints(choice_i),
        choice_f=np.ascontiguousarray(
            np.stack([options.memory_b[option], options.weights_b[option]], axis=1)
        ),
        use_i=use_i,
        use_f=use_f,
        spend_i=spend_i,
        spend_f=spend_f,
        capacity=capacity,
        kept=kept,
        budget=budget,
        idle=_idle(instance),
        made_ptr=made_ptr,
        made=made,
        out_b=out_b,
        read_ptr=_ints(read_ptr),
        reader=_ints(instance.edges.dst[read]),
        free=np.array(free, dtype=np.int64).reshape(wide, wide),
        hop_ptr=hop_ptr,
        hop_i=hop_i,
        hop_f=hop_f,
        channels=_ints(instance.links.group_channels),
        group_i=group_i,
        group_ptr=group_ptr,
        member=member,
        apart_ptr=apart_ptr,
        apart=apart,
        ready=np.array(problem.ready, dtype=np.float64)[choices.device_of_unit],
        **_changes(problem),
        task_s=np.zeros((3, n)),
        task_c=np.zeros((2, n), dtype=np.int64),
        unit_s=np.zeros((4, units)),
        unit_c=np.zeros((5, units), dtype=np.int64),
        lane=np.zeros(lanes),
        pool_s=np.zeros(len(pool_b)),
        level=np.zeros(len(capacity)),
        spent=np.zeros(len(budget)),
        users=np.zeros(len(capacity), dtype=np.int64),
        running=np.zeros((lanes, 2), dtype=np.int64),
        left=np.zeros((lanes, 2)),
        since=np.zeros(1),
        paid=np.zeros(1),
        busy=np.zeros(len(instance.links.group_channels), dtype=np.int64),
        waiting=np.zeros((tensors, units) if sends and remembers else (1, 1), dtype=np.int32),
        home=_ints(home),
        leg_i=np.zeros((legs, 3), dtype=np.int64),
        leg_s=np.zeros((legs, hops)),
        heap_t=np.zeros(n + 3 * legs + 1),
        heap_c=np.zeros(n + 3 * legs + 1, dtype=np.int64),
        stuck=np.zeros(legs + 1, dtype=np.int64),
        keys=np.zeros((max(1, keys), units), dtype=np.int32),
        moved=np.zeros((int(np.diff(group_ptr).max(initial=1)), 3), dtype=np.int64),
        count=lengths,
    )
    return tables


def _changes(problem: Problem) -> dict[str, Any]:
    """Return ticks and costs of set-ups by device and configurations, and what is loaded first."""
    setups, instance = SetupTimes.of(problem), problem.instance
    wide = len(instance.devices) if setups.devices else 0
    most = max((len(rows[0]) for rows in setups.devices.values()), default=1)
    ticks, cost = np.zeros((wide, most + 1, most)), np.zeros((wide, most + 1, most))
    first = np.zeros(wide, dtype=np.int64)
    per_joule = prices_of(instance, instance.objective[0])[0]
    for device, rows in setups.devices.items():
        first[device] = setups.first(device)
        for a, row in enumerate(rows):
            for b, change in enumerate(row):
                ticks[device, a, b] = change.ticks
                cost[device, a, b] = float(change.joules) * per_joule[device]
    return {"first": first, "change_t": ticks, "change_c": cost}


def fresh(limits: Limits) -> Limits:
    """Return the tables with room of its own to count in."""
    first = limits._fields.index("task_s")
    return type(limits)(*limits[:first], *(array.copy() for array in limits[first:]))


def draft_of_times(
    limits: Limits, problem: Problem, modes: list[Mode], unit: list[int]
) -> TickSchedule | None:
    """Read the times of the last decoding, which are whole ticks; None where a task is late."""
    k = plain(KERNELS)

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
    k = plain(KERNELS)

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
    if len(instance.tasks) > MOST_TASKS or has_any(instance, UNSUPPORTED):
        return None
    k = _kernels(len(instance.tasks))
    problem, options, devices = plan_problem(instance), instance.options, instance.devices
    n, slots = problem.n_tasks, devices.slots
    durations = problem.grid.durations(instance.tasks.work, options.time_s[plan.option]).tolist()
    on = options.device[plan.option]
    modes = [
        Mode(o, d, t) for o, d, t in zip(plan.option.tolist(), on.tolist(), durations, strict=True)
    ]
    device = np.repeat(np.arange(len(devices)), devices.count_max)
    unit = np.cumsum(devices.count_max)[on] - devices.count_max[on] + plan.unit
    lanes = np.concatenate([[0], np.cumsum(slots[device])])
    waits = np.zeros(n, dtype=np.int64) + np.asarray(patient, dtype=np.int64)
    limits = limits_of(problem, Choices(plan.option, unit, device, waits), int(lanes[-1]), k)
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
    makespan, more = k.decode_limited(
        np.inf,
        _ints(np.concatenate([busy, np.bincount(device[busy > 0], minlength=len(devices))])),
        seq,
        _ints(
            np.stack(
                [task, task + 1, pred_ptr[:-1], pred_ptr[1:], succ_ptr[:-1], succ_ptr[1:], task],
                axis=1,
            )
        ),
        np.stack([np.array(problem.release, dtype=np.float64), np.zeros(n)], axis=1),
        _ints(np.stack([edges.src[pred], edges.tensor[pred]], axis=1)),
        _ints(np.stack([edges.dst[succ], edges.tensor[succ]], axis=1)),
        np.stack([np.array(durations, dtype=np.float64), np.zeros(n)], axis=1),
        _ints(np.stack([np.append(device, 0), lanes], axis=1)),
        np.stack([latency, per_b, joules, rounding]),
        instance.tensors.bytes_b.astype(np.float64),
        limits,
    )
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
    k = plain(KERNELS)

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


def _ints(array: Any) -> Any:
    return np.ascontiguousarray(array, dtype=np.int64)


def _grouped(group: Ints, count: int) -> tuple[Any, Any]:
    """Rows by the group that each is in (CSR)."""
    ptr = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=count))])
    return _ints(ptr), _ints(np.argsort(group, kind="stable"))


def _renewables(instance: Instance, *, powered: bool) -> tuple[Any, Any, Any, Any, Any]:
    """Return uses of renewable resources by option (CSR), power first, capacities, what is kept."""
    resources = instance.resources
    slow = resources.slow
    finite = np.flatnonzero(np.isfinite(resources.capacity) | slow).tolist()
    capacity = [resources.capacity[r] * (1.0 if slow[r] else SLACK) for r in finite]
    kept = [1.0 - resources.loss[r] if slow[r] else -1.0 for r in finite]
    rows = _uses(instance, finite, 1 if powered else 0)
    if powered:
        # Idle power of the units that are on is in use all the time.
        capacity.insert(0, instance.limits.power_cap_w * SLACK)
        kept.insert(0, -1.0)
        watts = {o: float(option_power(instance, o)) for o in range(len(instance.options))}
        rows = [[(0, watts[o]), *more] if watts[o] else more for o, more in enumerate(rows)]
    return *_rows(rows), np.array(capacity, dtype=np.float64), np.array(kept, dtype=np.float64)


def _budgets(instance: Instance) -> tuple[Any, Any, Any, Any]:
    resources = instance.resources
    finite = np.flatnonzero(np.isfinite(resources.budget)).tolist()
    budget = np.array([resources.budget[r] * SLACK for r in finite], dtype=np.float64)
    return *_rows(_uses(instance, finite, 0)), budget


def _uses(instance: Instance, finite: list[int], first: int) -> list[list[tuple[int, float]]]:
    number = {r: first + i for i, r in enumerate(finite)}
    if not number:
        return [[] for _ in range(len(instance.options))]
    return [
        [(number[r], amount) for r, amount in instance.uses.of(o) if r in number]
        for o in range(len(instance.options))
    ]


def _rows(rows: list[list[tuple[int, float]]]) -> tuple[Any, Any, Any]:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    which = np.array([r for row in rows for r, _ in row], dtype=np.int64)
    amount = np.array([a for row in rows for _, a in row], dtype=np.float64)
    return _ints(ptr), which, amount


def _idle(instance: Instance) -> Floats:
    """Watts that are drawn without any task, by units in use of each device."""
    devices = instance.devices
    used = np.arange(int(devices.count_max.max(initial=0)) + 1)[None, :]
    had = np.maximum(used, devices.count_min[:, None])
    on = np.where(devices.off_when_unused[:, None], used, had)
    return np.ascontiguousarray(devices.idle_power_w[:, None] * on, dtype=np.float64)


def _paths(problem: Problem) -> tuple[Any, Any, Any]:
    """Hops of the path between each pair of devices: channel group; latency, ticks per byte."""
    instance, grid = problem.instance, problem.grid
    links, wide = instance.links, len(instance.devices)
    tick, whole = float(grid.tick), grid.direction == "exact"
    several = instance.devices.count_max > 1
    some = float(instance.tensors.bytes_b.max(initial=1.0)) or 1.0
    size, group, rows = [0], [], []
    for a in range(wide):
        for b in range(wide):
            path = problem.network.path(a, b, some) if a != b or several[a] else None
            for link in path or ():
                group.append(int(links.channel_group[link]))
                latency = float(links.latency_s[link]) / tick
                per_b = 1.0 / float(links.bandwidth_b_per_s[link]) / tick
                # On an exact grid each hop takes whole ticks; else it is rounded up.
                rows.append((latency, per_b, 0.5 if whole else 1.0))
            size.append(len(group))
    hop_f = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return _ints(size), np.array(group, dtype=np.int64), hop_f


def _no_paths(wide: int) -> tuple[Any, Any, Any]:
    empty = np.zeros(0, dtype=np.int64)
    return np.zeros(wide * wide + 1, dtype=np.int64), empty, np.zeros((0, 3))


def _together(instance: Instance) -> tuple[Any, Any, Any]:
    """Group of each task (groups that share tasks joined), and the tasks of each group."""
    n = len(instance.tasks)
    root = list(range(n))

    def find(task: int) -> int:
        while root[task] != task:
            root[task] = root[root[task]]
            task = root[task]
        return task

    tied = set()
    for group in instance.together:
        tasks = group.tolist()
        tied.update(tasks)
        for task in tasks[1:]:
            root[find(task)] = find(tasks[0])
    found: dict[int, list[int]] = {}
    for task in sorted(tied):
        found.setdefault(find(task), []).append(task)
    group_i = np.full(n, -1, dtype=np.int64)
    for g, tasks in enumerate(found.values()):
        group_i[tasks] = g
    ptr = np.concatenate([[0], np.cumsum([len(tasks) for tasks in found.values()])])
    return group_i, _ints(ptr), _ints([t for tasks in found.values() for t in tasks])


def _apart(instance: Instance) -> tuple[Any, Any]:
    """Tasks that each task must be apart from (CSR)."""
    n = len(instance.tasks)
    others: list[Iterable[int]] = [()] * n
    for group in instance.apart:
        tasks = group.tolist()
        for task in tasks:
            others[task] = (*others[task], *(t for t in tasks if t != task))
    rows = [sorted(set(more)) for more in others]
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return _ints(ptr), np.array([t for row in rows for t in row], dtype=np.int64)
