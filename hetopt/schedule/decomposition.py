"""Parts of an instance that share nothing, solved apart and put together again.

Tasks are of one part where an edge, a group, or a resource joins them, where they may run on one
device or on devices of one finite memory pool, where their messages may hold channels, or where
tardiness counts and they are of one job. Parts then restrict each other in nothing, so a best plan
is made of a best plan of each. Energy, cost and carbon add up where the time for which units idle
does not depend on the makespan of all (a horizon, or nothing to pay for idling); tardiness adds up;
the makespan is the greatest. Under a power cap, several objectives, or prices that change over time
an instance stays whole.

Parts are solved one after the other, or side by side where the budget has an executor.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.instance import Instance, Ints
from hetopt.instance.grouping import components, ptr_of
from hetopt.instance.overrides import numbers_of, some_tasks
from hetopt.instance.states.idle_sleep_start_up import as_if_asleep
from hetopt.instance.tariffs import prices_vary
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.runtime.parts import MOST_PARTS, Solve, joined_result, solve_parts
from hetopt.schedule.model.joule_rates import prices_of, rates_of
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.usable_options import usable_classes
from hetopt.solution import Hops, SchedulePlan

MOST_TASKS = 20_000
"""Tasks above which nothing is gained: no exact model could be built of the parts either."""


def parts_of(instance: Instance) -> list[Ints]:
    """Return the tasks (ascending) of each part; one part where it must stay whole."""
    n = len(instance.tasks)
    whole = [np.arange(n)]
    if not 1 < n <= MOST_TASKS or not _adds_up(instance) or _all_meet(instance):
        return whole
    label = components(n, _joints(instance), (instance.edges.src, instance.edges.dst))
    _, first, part = np.unique(label[:n], return_index=True, return_inverse=True)
    if len(first) > MOST_PARTS:
        return whole
    order = np.argsort(first, kind="stable")
    return [np.flatnonzero(part.reshape(-1) == k) for k in order.tolist()]


def plan_part(instance: Instance, plan: SchedulePlan, tasks: Ints) -> SchedulePlan:
    """Return what a plan does with the tasks of a part."""
    mine = numbers_of(len(instance.tasks), tasks)[instance.tensors.producer] >= 0
    kept = mine[plan.hops.tensor]
    number = numbers_of(len(instance.tensors), np.flatnonzero(mine))
    hops = _some_hops(plan.hops, kept, number[plan.hops.tensor[kept]])
    return SchedulePlan(plan.option[tasks], plan.unit[tasks], plan.start_s[tasks], hops)


def join_plans(instance: Instance, parts: list[Ints], plans: list[SchedulePlan]) -> SchedulePlan:
    """Return the plan of the whole instance."""
    order = np.argsort(np.concatenate(parts), kind="stable")
    option = np.concatenate([plan.option for plan in plans])[order]
    unit = np.concatenate([plan.unit for plan in plans])[order]
    start = np.concatenate([plan.start_s for plan in plans])[order]
    hops = []
    for tasks, plan in zip(parts, plans, strict=True):
        mine = numbers_of(len(instance.tasks), tasks)[instance.tensors.producer] >= 0
        tensor = np.flatnonzero(mine)[plan.hops.tensor]
        hops.append(_some_hops(plan.hops, np.ones(len(plan.hops), dtype=bool), tensor))
    columns = [
        np.concatenate([getattr(h, name) for h in hops]) for name in Hops.__dataclass_fields__
    ]
    return SchedulePlan(option, unit, start, Hops(*columns))


def join_bounds(instance: Instance, bounds: list[float]) -> float:
    """Return the bound of the whole instance from those of its parts, NaN where one is missing."""
    if any(math.isnan(bound) for bound in bounds):
        return math.nan
    name = instance.objective[0]
    if name == "makespan":
        return max(bounds)
    shared = 0.0
    if name in ENERGY_LIKE and math.isfinite(instance.limits.horizon_s):
        # What is paid though nothing runs is in each part.
        # A unit that is always on and runs nothing sleeps, where it may.
        plain = as_if_asleep(instance)
        idle = float(rates_of(plain, *prices_of(plain, name))[:, 0].sum())
        shared = idle * float(instance.limits.horizon_s)
    return math.fsum(bounds) - (len(bounds) - 1) * shared


def _adds_up(instance: Instance) -> bool:
    """Whether the objective of parts that share nothing is known from the parts'."""
    name = instance.objective[0]
    if len(instance.objective) > 1 or prices_vary(instance):
        return False
    if len(instance.boards):
        return False  # what is on one board shares its idle power
    if math.isfinite(instance.limits.power_cap_w):
        return False
    if name in ENERGY_LIKE:
        rates = rates_of(instance, *prices_of(instance, name))
        return math.isfinite(instance.limits.horizon_s) or not rates.any()
    return name in ("makespan", "tardiness")


def _all_meet(instance: Instance) -> bool:
    """Whether there is a device on which every task may run: what is most often so."""
    classes = usable_classes(instance)
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    wide = len(instance.devices)
    pairs = np.unique(owner * wide + instance.options.device[classes.option])
    return bool((np.bincount(pairs % wide, minlength=wide) == len(classes)).any())


def _joints(instance: Instance) -> list[tuple[Ints, Ints, int]]:
    """(tasks, what each is joined to, number of such things) for all that joins tasks."""
    devices, tasks, n = instance.devices, instance.tasks, len(instance.tasks)
    pool = devices.pool
    finite = np.append(np.isfinite(instance.pools.memory_b), False)[pool]
    home = np.where(finite, len(devices) + pool, np.arange(len(devices)))
    classes = usable_classes(instance)
    size = np.diff(classes.ptr)
    owner = np.repeat(np.arange(len(classes)), size)
    used = np.unique(
        np.stack([owner, home[instance.options.device[classes.option]]], axis=1), axis=0
    )
    spread = np.bincount(used[:, 0], minlength=len(classes))
    first = ptr_of(spread)
    each = spread[classes.member]
    at = np.arange(each.sum()) + np.repeat(first[classes.member] - np.cumsum(each) + each, each)
    found = [(np.repeat(np.arange(n), each), used[at, 1], len(devices) + len(instance.pools))]
    if (instance.links.channel_group >= 0).any():
        sending = instance.edges.src[instance.edges.tensor >= 0]
        found.append((sending, np.zeros(len(sending), dtype=np.int64), 1))
    if instance.objective[0] == "tardiness":
        found.append((np.arange(n), tasks.job, len(instance.jobs)))
    if len(instance.uses):
        ptr, option = instance.admissible
        task = np.repeat(np.arange(n), np.diff(ptr))
        amount = np.diff(instance.uses.ptr)[option]
        rows = np.arange(amount.sum()) + np.repeat(
            instance.uses.ptr[option] - np.cumsum(amount) + amount, amount
        )
        user = np.repeat(task, amount)
        found.append((user, instance.uses.resource[rows], len(instance.resources)))
    for groups in (instance.together, instance.apart):
        group = np.repeat(np.arange(len(groups)), np.diff(groups.ptr))
        found.append((groups.task, group, len(groups)))
    return found


def _some_hops(hops: Hops, kept: np.ndarray, tensor: Ints) -> Hops:
    """Return some hops, with other numbers of their tensors."""
    return Hops(
        tensor,
        hops.leg[kept],
        hops.dst_device[kept],
        hops.dst_unit[kept],
        hops.ordinal[kept],
        hops.link[kept],
        hops.start_s[kept],
    )


def solve_apart(
    instance: Instance,
    parts: list[Ints],
    budget: Budget,
    method: str,
    start: SchedulePlan | None,
    solve: Solve,
) -> RegimeResult:
    """Solve the parts, each for its share of the time by its number of tasks, and join them."""
    began = time.monotonic()

    def make(k: int) -> tuple[Instance, SchedulePlan | None]:
        known = None if start is None else plan_part(instance, start, parts[k])
        return some_tasks(instance, parts[k]), known

    results = solve_parts([len(tasks) for tasks in parts], make, budget, method, solve)
    for result in results:
        if result.infeasible:
            return replace(result, bounds=(math.nan,), method="parts")
    bound = join_bounds(instance, [result.bounds[0] for result in results])
    plans = [result.plan for result in results]
    plan: SchedulePlan | None = None
    if all(isinstance(one, SchedulePlan) for one in plans):
        plan = join_plans(instance, parts, [p for p in plans if isinstance(p, SchedulePlan)])
    largest = max(range(len(parts)), key=lambda k: (len(parts[k]), -k))
    note = (
        f"The tasks fall into {len(parts)} parts that share nothing; each was solved apart. The "
        f"other notes are of the largest part, with {len(parts[largest]):,} tasks."
    )
    notes = (note, *results[largest].notes)
    value = math.nan if plan is None else objective_value(instance, plan, instance.objective[0])
    return joined_result(plan, value, bound, results, notes, budget, began)
