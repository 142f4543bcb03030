"""Jobs that a schedule leaves out: only optional ones, whole, and only where value is an objective.

Rule: a task that is left out has the option -1. Of its job no task runs, no hop carries anything of
it, and what is left must be a schedule of the other jobs that keeps every rule. The value is that
of the jobs that run.
"""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.instance.tables import Edges, Groups, Jobs, Tasks, Tensors
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify.columns import read_columns
from hetopt.verify.exact import fraction
from hetopt.verify.report import Findings


def without_left_out(
    instance: Instance, plan: SchedulePlan, findings: Findings
) -> tuple[Instance, SchedulePlan, Ints]:
    """Return instance and plan of the jobs that run, and those jobs; what is wrong is recorded.

    A plan that cannot be read, or leaves out what it must not, is returned as it is: the further
    checks find the options that are none.
    """
    everyone = np.arange(len(instance.jobs))
    if "value" not in instance.objective:
        return instance, plan, everyone
    silent = Findings()
    columns: list[tuple[str, Any, bool]] = [
        ("option", plan.option, True),
        ("unit", plan.unit, True),
        ("start_s", plan.start_s, False),
    ]
    read = read_columns(silent, columns, len(instance.tasks))
    if read is None or not isinstance(plan.hops, Hops):
        return instance, plan, everyone
    names = Hops.__dataclass_fields__
    hops = [(name, getattr(plan.hops, name), name != "start_s") for name in names]
    if read_columns(silent, hops, None) is None:
        return instance, plan, everyone
    option = read[0]
    out = option == -1
    job = instance.tasks.job
    absent = np.bincount(job[out], minlength=len(everyone))
    size = np.bincount(job, minlength=len(everyone))
    sound = True
    for j in np.flatnonzero(absent > 0).tolist():
        name = instance.jobs.name[j]
        if not instance.jobs.optional[j]:
            text = f"Job {name} must run, but the plan leaves {absent[j]} of its tasks out."
        elif absent[j] < size[j]:
            text = (
                f"Of job {name}, {absent[j]} of {size[j]} tasks are left out: all or none may be."
            )
        else:
            continue
        sound = False
        findings.add("left-out", text, name)
    if not sound:
        return instance, plan, everyone
    runs = np.setdiff1d(everyone, np.flatnonzero((absent > 0) & (absent == size)))
    if len(runs) == len(everyone):
        return instance, plan, everyone
    tasks = np.flatnonzero(~out)
    kept = np.flatnonzero(~out[instance.tensors.producer])
    alone = _alone(instance, runs, tasks, kept)
    return alone, _part(instance, plan, tasks, kept, findings), runs


def _alone(instance: Instance, jobs: Ints, tasks: Ints, tensors: Ints) -> Instance:
    """Return the instance of some jobs, their tasks and the tensors that these make."""
    job = _numbers(len(instance.jobs), jobs)
    task = _numbers(len(instance.tasks), tasks)
    tensor = np.append(_numbers(len(instance.tensors), tensors), -1)
    old, edges = instance.tasks, instance.edges
    columns = _rows(old, tasks, {"forbid_task", "forbid_device", "site_task", "site_site"})
    for owner, other in (("forbid_task", "forbid_device"), ("site_task", "site_site")):
        mine = task[getattr(old, owner)] >= 0
        columns[owner] = task[getattr(old, owner)[mine]]
        columns[other] = getattr(old, other)[mine]
    inside = (task[edges.src] >= 0) & (task[edges.dst] >= 0)
    return replace(
        instance,
        jobs=Jobs(**_rows(instance.jobs, jobs)),
        tasks=Tasks(**columns | {"job": job[old.job[tasks]]}),
        tensors=Tensors(
            **_rows(instance.tensors, tensors)
            | {"producer": task[instance.tensors.producer[tensors]]}
        ),
        edges=Edges(task[edges.src[inside]], task[edges.dst[inside]], tensor[edges.tensor[inside]]),
        together=_groups(instance.together, task),
        apart=_groups(instance.apart, task),
    )


def _groups(groups: Groups, task: Ints) -> Groups:
    """Return what is left of groups in new numbers; a task alone is no group."""
    left = [task[group][task[group] >= 0] for group in groups]
    left = [group for group in left if len(group) > 1]
    ptr = np.cumsum([0, *(len(group) for group in left)]).astype(np.int64)
    return Groups(ptr, np.concatenate([np.empty(0, dtype=np.int64), *left]))


def _numbers(size: int, kept: Ints) -> Ints:
    """Return the new number of each of some things, -1 where it is not kept."""
    number = np.full(size, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return number


def _rows(table: Any, rows: Ints, whole: set[str] | None = None) -> dict[str, Any]:
    """Return some rows of a table's columns; those of ``whole`` are left out."""
    names = [f.name for f in fields(table) if f.name not in (whole or ())]
    return {name: getattr(table, name)[rows] for name in names}


def _part(
    instance: Instance, plan: SchedulePlan, tasks: Ints, tensors: Ints, findings: Findings
) -> SchedulePlan:
    """Return what the plan says of some tasks and tensors; hops of others are recorded."""
    number = np.append(_numbers(len(instance.tensors), tensors), -1)
    tensor = np.asarray(plan.hops.tensor)
    known = (tensor >= 0) & (tensor < len(instance.tensors))
    new = np.where(known, number[np.where(known, tensor, -1)], tensor)
    stray = known & (new < 0)
    findings.rows(
        "left-out",
        np.flatnonzero(stray),
        lambda i: (
            f"Row {i} of the hops carries the output of a task that the plan leaves out.",
            f"hops[{i}]",
        ),
    )
    columns = {name: np.asarray(getattr(plan.hops, name)) for name in Hops.__dataclass_fields__}
    columns["tensor"] = new
    return SchedulePlan(
        np.asarray(plan.option)[tasks],
        np.asarray(plan.unit)[tasks],
        np.asarray(plan.start_s)[tasks],
        Hops(**{name: column[~stray] for name, column in columns.items()}),
    )


def worth(instance: Instance, jobs: Ints) -> float:
    """Return what some jobs are worth together, summed without rounding."""
    value = instance.jobs.value
    return float(sum((fraction(float(value[j])) for j in jobs.tolist()), Fraction(0)))
