"""Schedules that leave optional jobs out: what is left is a schedule of the other jobs.

A task that a plan leaves out has the option -1. Everything that reads plans is given the instance
of the jobs that run, so that none of it needs to know of any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.instance.overrides import numbers_of, some_jobs
from hetopt.solution import Hops, Plan, SchedulePlan


def left_out(instance: Instance, plan: Plan) -> Ints:
    """Return the jobs all of whose tasks a schedule leaves out, where value lets it (ascending)."""
    if not isinstance(plan, SchedulePlan) or "value" not in instance.objective:
        return np.empty(0, dtype=np.int64)
    runs = np.zeros(len(instance.jobs), dtype=bool)
    runs[instance.tasks.job[plan.option >= 0]] = True
    some = np.zeros(len(instance.jobs), dtype=bool)
    some[instance.tasks.job] = True
    return np.flatnonzero(some & ~runs & instance.jobs.optional)


def executed(instance: Instance, plan: Plan) -> tuple[Instance, Plan]:
    """Return the instance of the jobs that a plan runs, and the plan in its numbers."""
    return runs_of(instance, plan) if isinstance(plan, SchedulePlan) else (instance, plan)


def runs_of(instance: Instance, plan: SchedulePlan) -> tuple[Instance, SchedulePlan]:
    """Return what `executed` does, of a schedule."""
    out = left_out(instance, plan)
    if not len(out):
        return instance, plan
    jobs = np.setdiff1d(np.arange(len(instance.jobs)), out)
    tasks = np.flatnonzero(np.isin(instance.tasks.job, jobs))
    number = numbers_of(len(instance.tasks), tasks)
    tensors = np.flatnonzero(number[instance.tensors.producer] >= 0)
    tensor = numbers_of(len(instance.tensors), tensors)[plan.hops.tensor]
    kept = tensor >= 0
    hops = {name: getattr(plan.hops, name)[kept] for name in Hops.__dataclass_fields__}
    part = SchedulePlan(
        plan.option[tasks],
        plan.unit[tasks],
        plan.start_s[tasks],
        Hops(**hops | {"tensor": tensor[kept]}),
    )
    return some_jobs(instance, jobs), part


def whole_plan(instance: Instance, jobs: Ints, plan: SchedulePlan) -> SchedulePlan:
    """Return a plan of some jobs (ascending) in the numbers of all: the inverse of `executed`."""
    count = len(instance.tasks)
    tasks = np.flatnonzero(np.isin(instance.tasks.job, jobs))
    option, unit = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    start = np.full(count, np.nan)
    option[tasks], unit[tasks], start[tasks] = plan.option, plan.unit, plan.start_s
    mine = numbers_of(count, tasks)[instance.tensors.producer] >= 0
    hops = {name: getattr(plan.hops, name) for name in Hops.__dataclass_fields__}
    hops["tensor"] = np.flatnonzero(mine)[plan.hops.tensor]
    return SchedulePlan(option, unit, start, Hops(**hops))


def worth_rows(instance: Instance, plan: Plan, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to the rows of jobs what each is worth and whether it is served, those left out last."""
    if not instance.jobs.value.any():
        return rows
    names, value = instance.jobs.name.tolist(), instance.jobs.value.tolist()
    worth = dict(zip(names, value, strict=True))
    found = [row | {"served": True, "value": worth[row["job"]]} for row in rows]
    blank = dict.fromkeys(rows[0] if rows else ())
    out = [names[j] for j in left_out(instance, plan).tolist()]
    return found + [{**blank, "job": n, "served": False, "value": worth[n]} for n in out]
