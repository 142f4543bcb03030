"""Checks of resources: renewable capacities at every instant, budgets over all executions."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.verify.exact import SMALL, Numbers, Timeline, amounts, exceeds, fraction
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.placed import Placed
from hetopt.verify.schedule.sweep import sweep


def check_supplies(instance: Instance, placed: Placed, times: Timeline, findings: Findings) -> None:
    """Check that running tasks keep within every capacity, and all tasks within every budget."""
    if not len(instance.uses):
        return
    task, resource, amount = used(instance, placed.option, np.flatnonzero(placed.usable))
    _check_capacity(instance, times, (task, resource, amount), findings)
    names, budget = instance.resources.name, instance.resources.budget
    for k in np.flatnonzero(np.isfinite(budget)).tolist():
        mine = amount[resource == k]
        # Decimals are added exactly where there are few.
        few = len(mine) <= SMALL
        total = sum(fraction(a) for a in mine.tolist()) if few else float(mine.sum())
        if exceeds(total, float(budget[k])):
            findings.add(
                "resource-budget",
                f"The tasks use {show(float(total))} of resource {names[k]} together; its budget "
                f"is {show(budget[k])}.",
                names[k],
            )


def used(instance: Instance, option: Ints, rows: Ints) -> tuple[Ints, Ints, Floats]:
    """List what rows use: the row, the resource and the amount of each use.

    Parameters
    ----------
    option
        Option of each row; only those listed in ``rows`` are looked at.
    """
    uses = instance.uses
    first = uses.ptr[option[rows]]
    size = uses.ptr[option[rows] + 1] - first
    owner = np.repeat(np.arange(len(rows)), size)
    entry = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size - first, size)
    return rows[owner], uses.resource[entry], uses.amount[entry]


def _check_capacity(
    instance: Instance, times: Timeline, uses: tuple[Ints, Ints, Floats], findings: Findings
) -> None:
    names, capacity = instance.resources.name, instance.resources.capacity
    task, resource, amount = uses
    # What slows may be asked for more than it has.
    some = (np.isfinite(capacity) & ~instance.resources.slow)[resource]
    task, resource = task[some], resource[some]
    demand: Numbers = amounts(amount[some])
    start, end = times.start[task], times.end[task]
    levels = sweep(times.scale, resource, start, end, demand)
    findings.rows(
        "resource-capacity",
        levels.excess(capacity),
        lambda event: (
            (
                f"The running tasks use {show(float(levels.level[event]))} of resource "
                f"{names[levels.group[event]]} from "
                f"{show(times.scale.seconds(start[levels.interval[event]]), 's')} on, when task "
                f"{instance.tasks.name[task[levels.interval[event]]]} starts; its capacity is "
                f"{show(capacity[levels.group[event]])}."
            ),
            names[levels.group[event]],
        ),
    )
