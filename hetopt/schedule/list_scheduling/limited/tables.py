"""Tables of the limits that tie units together, for the compiled list decoder.

:mod:`hetopt.schedule.list_scheduling.limited.records` says what the arrays hold. They are made
where an instance has such limits only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import list_ptr, ptr_of
from hetopt.instance.states.setups import configurations
from hetopt.schedule.list_scheduling.limited import records as k
from hetopt.schedule.list_scheduling.limited.records import Limits
from hetopt.schedule.model.joule_rates import prices_of
from hetopt.schedule.model.problem import Problem, option_power
from hetopt.schedule.model.setups import SetupTimes

SLACK = 1 + 1e-10
"""Limits may be exceeded by the rounding of sums, a tenth of what the checker allows."""


@dataclass(frozen=True)
class Choices:
    """Choices of all tasks, K rows: option, unit, and whether each waits where it is slowed."""

    option: Ints
    unit: Ints
    device_of_unit: Ints
    patient: Ints


def limits_of(problem: Problem, choices: Choices, lanes: int) -> Limits:
    """Make the tables of an instance, and room to count in."""
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
    return Limits(
        unit_i=ints(
            np.stack([choices.device_of_unit, pool, devices.overlap[choices.device_of_unit]], 1)
        ),
        memory=memory.astype(np.float64),
        pool_b=pool_b.astype(np.float64),
        choice_i=ints(choice_i),
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
        read_ptr=ints(read_ptr),
        reader=ints(instance.edges.dst[read]),
        free=np.array(free, dtype=np.int64).reshape(wide, wide),
        hop_ptr=hop_ptr,
        hop_i=hop_i,
        hop_f=hop_f,
        channels=ints(instance.links.group_channels),
        group_i=group_i,
        group_ptr=group_ptr,
        member=member,
        apart_ptr=apart_ptr,
        apart=apart,
        ready=np.array(problem.ready, dtype=np.float64)[choices.device_of_unit],
        **_changes(problem),
        task_s=np.zeros((4, n)),
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
        home=ints(home),
        leg_i=np.zeros((legs, 3), dtype=np.int64),
        leg_s=np.zeros((legs, hops)),
        heap_t=np.zeros(n + 3 * legs + 1),
        heap_c=np.zeros(n + 3 * legs + 1, dtype=np.int64),
        stuck=np.zeros(legs + 1, dtype=np.int64),
        keys=np.zeros((max(1, keys), units), dtype=np.int32),
        moved=np.zeros((int(np.diff(group_ptr).max(initial=1)), 3), dtype=np.int64),
        count=lengths,
    )


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


def ints(array: Any) -> Any:
    """Return an array of integers as compiled loops take it."""
    return np.ascontiguousarray(array, dtype=np.int64)


def _grouped(group: Ints, count: int) -> tuple[Any, Any]:
    """Rows by the group that each is in (CSR)."""
    ptr = ptr_of(np.bincount(group, minlength=count))
    return ints(ptr), ints(np.argsort(group, kind="stable"))


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
    ptr = list_ptr(rows)
    which = np.array([r for row in rows for r, _ in row], dtype=np.int64)
    amount = np.array([a for row in rows for _, a in row], dtype=np.float64)
    return ints(ptr), which, amount


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
    return ints(size), np.array(group, dtype=np.int64), hop_f


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
    ptr = list_ptr(found.values())
    return group_i, ints(ptr), ints([t for tasks in found.values() for t in tasks])


def _apart(instance: Instance) -> tuple[Any, Any]:
    """Tasks that each task must be apart from (CSR)."""
    n = len(instance.tasks)
    others: list[Iterable[int]] = [()] * n
    for group in instance.apart:
        tasks = group.tolist()
        for task in tasks:
            others[task] = (*others[task], *(t for t in tasks if t != task))
    rows = [sorted(set(more)) for more in others]
    ptr = list_ptr(rows)
    return ints(ptr), np.array([t for row in rows for t in row], dtype=np.int64)
