"""Use of resources by a plan (docs/quantities.md): peaks of capacities, sums of budgets."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import expand, records, sums


def peak(start_s: Floats, end_s: Floats, time_s: Floats, amount: Floats, slack_s: float) -> float:
    """Return the largest sum of amounts over intervals that hold at one instant, at least 0.

    Parameters
    ----------
    start_s, end_s, time_s, amount
        Of each interval; those of no time hold nothing.
    slack_s
        Overlaps up to this are none.
    """
    holds = (time_s > 0) & (amount != 0)
    start, end, amount = start_s[holds], end_s[holds], amount[holds]
    # Rounding must not turn "one after the other" into "both at once"; a plan may break a limit
    # of time by as much, too.
    end = end - np.minimum(slack_s, 0.5 * time_s[holds])
    # A late and short interval is empty in floats; it is none, and holds what it holds.
    end = np.maximum(end, np.nextafter(start, np.inf))
    change = np.concatenate([-amount, amount])
    # Ends come first, and a stable sort keeps them first at equal times.
    order = np.argsort(np.concatenate([end, start]), kind="stable")
    return float(np.cumsum(change[order]).max(initial=0.0))


def schedule_use(
    instance: Instance,
    option: Ints,
    runs: tuple[Ints, Floats, Floats, Floats],
    slack_s: float,
) -> list[dict[str, Any]]:
    """Return a row for each resource: its limits, the peak of its use, and the use in all.

    Parameters
    ----------
    option
        Of each task (T).
    runs
        Task, start, end and time of each time that something runs.
    slack_s
        Overlaps up to this are none.
    """
    task, entry = expand(instance.uses.ptr, option)
    resource, amount = instance.uses.resource[entry], instance.uses.amount[entry]
    run, start_s, end_s, time_s = runs
    peaks = []
    for k in range(len(instance.resources)):
        used = sums(task[resource == k], amount[resource == k], len(option))
        peaks.append(peak(start_s, end_s, time_s, used[run], slack_s))
    total = sums(resource, amount, len(instance.resources))
    return _rows(instance, "peak", np.array(peaks), total)


def steady_use(
    instance: Instance, task: Ints, option: Ints, rate_per_s: Floats
) -> list[dict[str, Any]]:
    """Return a row for each resource: its limits, its mean use, and the use per second.

    Parameters
    ----------
    task, option, rate_per_s
        Of each row of the plan (M). Transfers use no resources.
    """
    row, entry = expand(instance.uses.ptr, option)
    resource, amount = instance.uses.resource[entry], instance.uses.amount[entry]
    chosen = option[row]
    executions = rate_per_s[row] / instance.options.batch[chosen]
    busy = executions * instance.tasks.work[task[row]] * instance.options.time_s[chosen]
    wide = len(instance.resources)
    mean, total = sums(resource, busy * amount, wide), sums(resource, executions * amount, wide)
    return _rows(instance, "mean", mean, total)


def _rows(instance: Instance, name: str, held: Floats, total: Floats) -> list[dict[str, Any]]:
    resources = instance.resources
    return records(
        {
            "resource": resources.name,
            "capacity": resources.capacity,
            name: held,
            "budget": resources.budget,
            "used": total,
        }
    )
