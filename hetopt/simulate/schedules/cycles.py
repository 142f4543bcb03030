"""Schedules that repeat for ever, for so many cycles: written out as one that runs once.

Each cycle releases all jobs anew; units have been on for ever. What is drawn and paid for counts
for as long as cycles last, so that what still runs after the last of them stands for what did not
run yet in the first: energy, cost and carbon are those of one cycle in the mean, as plans have
them, and the makespan is the longest latency of a job.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Floats, Groups, Instance, Ints
from hetopt.instance.grouping import list_ptr
from hetopt.solution import Hops, SchedulePlan

CYCLES = 20
"""Cycles of a run whose time is not stated."""
MOST_TASKS = 20_000
SIMPLE = 100_000
"""Denominator up to which a cycle may be a fraction of a second (1/30 s)."""


@dataclass(frozen=True)
class Cycles:
    """How often a schedule repeats, and each of how many seconds."""

    count: int
    shift_s: Floats
    span_s: float


def cycles_of(instance: Instance, time_s: float | None) -> Cycles | None:
    """Return the cycles that begin within a time; None where the schedule runs once.

    Raises
    ------
    InputError
        Where these are too many.
    """
    cycle_s = instance.limits.cycle_s
    if not math.isfinite(cycle_s):
        return None
    # What is a little more than whole cycles is whole cycles.
    count = CYCLES if time_s is None else max(1, math.ceil(time_s / cycle_s * (1 - 1e-12)))
    if count * len(instance.tasks) > MOST_TASKS:
        most = max(1, MOST_TASKS // max(1, len(instance.tasks)))
        text = f"At most {MOST_TASKS:,} tasks in all, so {most * cycle_s:g} s."
        raise InputError([Problem("time", f"{count * cycle_s:g} s", text)])
    exact = Fraction(repr(cycle_s))
    simple = exact.limit_denominator(SIMPLE)
    exact = simple if float(simple) == cycle_s else exact
    shift = np.array([float(k * exact) for k in range(count)])
    return Cycles(count, shift, float(count * exact))


def written_out(instance: Instance, cycles: Cycles) -> Instance:
    """Return the instance of all cycles one after the other."""
    tasks, tensors, edges, jobs = instance.tasks, instance.tensors, instance.edges, instance.jobs
    count, devices, boards = cycles.count, instance.devices, instance.boards

    def names(column: np.ndarray) -> np.ndarray:
        later = [f"{name} (cycle {k + 1})" for k in range(1, count) for name in column.tolist()]
        return np.array([*column.tolist(), *later], dtype=column.dtype)

    def moved(column: Ints, by: int) -> Ints:
        return _moved(column, by, count)

    def groups(of: Groups) -> Groups:
        members = [g + k * len(tasks) for k in range(count) for g in of]
        ptr = list_ptr(members)
        return Groups(ptr, np.concatenate([*members, np.zeros(0, dtype=np.int64)]).astype(np.int64))

    late = {n: _later(getattr(jobs, n), cycles) for n in ("release_s", "deadline_s", "due_s")}
    return replace(
        instance,
        tasks=replace(
            tasks,
            **_tiled(tasks, count)
            | {
                "name": names(tasks.name),
                "job": moved(tasks.job, len(jobs)),
                "forbid_task": moved(tasks.forbid_task, len(tasks)),
                "site_task": moved(tasks.site_task, len(tasks)),
            },
        ),
        jobs=replace(jobs, **_tiled(jobs, count) | {"name": names(jobs.name)} | late),
        tensors=replace(
            tensors, **_tiled(tensors, count) | {"producer": moved(tensors.producer, len(tasks))}
        ),
        edges=replace(
            edges,
            src=moved(edges.src, len(tasks)),
            dst=moved(edges.dst, len(tasks)),
            tensor=moved(edges.tensor, len(tensors)),
        ),
        scenarios=replace(
            instance.scenarios, rate_per_s=np.tile(instance.scenarios.rate_per_s, (1, count))
        ),
        together=groups(instance.together),
        apart=groups(instance.apart),
        resources=replace(instance.resources, budget=instance.resources.budget * count),
        limits=replace(instance.limits, cycle_s=math.inf),
        # What repeats for ever has gone on long ago.
        devices=replace(devices, **_nothing(devices)),
        boards=replace(boards, **_nothing(boards)),
    )


def plan_written_out(instance: Instance, plan: SchedulePlan, cycles: Cycles) -> SchedulePlan:
    """Return a plan of a cycle as one of all cycles."""
    count, hops = cycles.count, plan.hops
    return SchedulePlan(
        np.tile(plan.option, count),
        np.tile(plan.unit, count),
        _later(plan.start_s, cycles),
        Hops(
            **_tiled(hops, count)
            | {
                "tensor": _moved(hops.tensor, len(instance.tensors), count),
                "start_s": _later(hops.start_s, cycles),
            }
        ),
    )


def _tiled(part: Any, count: int) -> dict[str, Any]:
    return {name: np.tile(getattr(part, name), count) for name in part.__dataclass_fields__}


def _moved(column: Ints, by: int, count: int) -> Ints:
    """Repeat indices, each copy into its own rows; -1 stays."""
    tiled = np.tile(column, count)
    step = np.repeat(np.arange(count) * by, len(column))
    return np.where(tiled >= 0, tiled + step, tiled).astype(np.int64)


def _later(column: Floats, cycles: Cycles) -> Floats:
    return np.asarray((column[None, :] + cycles.shift_s[:, None]).reshape(-1))


def _nothing(part: Any) -> dict[str, Any]:
    names = ("start_up_time_s", "start_up_energy_j", "start_up_cost")
    return {name: np.zeros(len(part)) for name in names}
