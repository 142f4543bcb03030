"""A schedule with all tasks one after the other on one unit: the last resort where others fail.

Where memory is tight and tasks must stay together, list schedulers may find no plan although a
device could run everything by itself. Such a plan has no transfers, and is taken only where the
checker takes it.
"""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify import verify

MOST_TASKS = 100_000
"""Tasks up to which devices are tried in a loop over tasks."""


def on_one_unit(instance: Instance) -> SchedulePlan | None:
    """Return the best plan on one unit by its end, None where the checker takes none."""
    count = len(instance.tasks)
    if count > MOST_TASKS:
        return None
    found: list[tuple[float, int, SchedulePlan]] = []
    for device in np.flatnonzero(instance.devices.count_max != 0).tolist():
        option = np.full(count, -1, dtype=np.int64)
        for task in range(count):
            ways = [o for o in instance.task_options(task) if instance.options.device[o] == device]
            if ways:
                option[task] = min(ways, key=lambda o: float(instance.options.time_s[o]))
        if (option >= 0).all():
            end, plan = _serial(instance, option)
            found.append((end, device, plan))
    for _, _, plan in sorted(found, key=lambda entry: entry[:2]):
        if verify(instance, plan).ok:
            return plan
    return None


def _serial(instance: Instance, option: Ints) -> tuple[float, SchedulePlan]:
    """Return the end and the plan of tasks in topological order, each as soon as it is released."""
    tasks = instance.tasks
    time = tasks.work * instance.options.time_s[option]
    release = instance.jobs.release_s[tasks.job]
    start = np.zeros(len(option))
    now = 0.0
    for task in instance.topological_order.tolist():
        start[task] = max(now, float(release[task]))
        now = float(start[task] + time[task])
    unit = np.zeros(len(option), dtype=np.int64)
    return now, SchedulePlan(option, unit, start, Hops.empty())
