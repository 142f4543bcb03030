"""A schedule with all tasks one after the other on one unit: the last resort where others fail.

Where memory is tight and tasks must stay together, list schedulers may find no plan although a
device could run everything by itself. Such a plan has no transfers, and is taken only where the
checker takes it.
"""

from __future__ import annotations

import time

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.instance.states.idle_sleep_start_up import ready_s
from hetopt.instance.states.setups import KEEPS, configurations, device_setups
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify import verify

MOST_TASKS = 100_000
"""Tasks up to which devices are tried in a loop over tasks."""


def on_one_unit(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the best plan on one unit by its end, None where the checker takes none.

    ``limit`` is a ``time.monotonic()`` value at which to give up.
    """
    if len(instance.tasks) > MOST_TASKS:
        return None
    found: list[tuple[float, int, SchedulePlan]] = []
    for device in np.flatnonzero(instance.devices.count_max != 0).tolist():
        option = _fastest(instance, device)
        if option is not None:
            end, plan = _serial(instance, option, float(ready_s(instance)[device]))
            found.append((end, device, plan))
    for _, _, plan in sorted(found, key=lambda entry: entry[:2]):
        if limit is not None and time.monotonic() >= limit:
            return None
        if verify(instance, plan).ok:
            return plan
    return None


def _fastest(instance: Instance, device: int) -> Ints | None:
    """Return each task's fastest option on a device, None where a task has none."""
    classes = instance.classes
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    rows = np.flatnonzero(instance.options.device[classes.option] == device)
    option, owner = classes.option[rows], owner[rows]
    order = np.lexsort((option, instance.options.time_s[option], owner))
    served, first = np.unique(owner[order], return_index=True)
    if len(served) < len(classes):
        return None
    return np.asarray(option[order][first][classes.member])


def _serial(instance: Instance, option: Ints, ready: float) -> tuple[float, SchedulePlan]:
    """Return the end and the plan of tasks in topological order, each as soon as it is released.

    ``ready`` is when the unit has gone on.
    """
    tasks = instance.tasks
    length: list[float] = (tasks.work * instance.options.time_s[option]).tolist()
    release: list[float] = instance.jobs.release_s[tasks.job].tolist()
    setups = device_setups(instance).get(int(instance.options.device[option[0]]))
    number: list[int] = configurations(instance)[option].tolist()
    loaded = -1 if setups is None else setups.first
    start = [0.0] * len(option)
    now = ready
    for task in instance.topological_order.tolist():
        own = number[task]
        if setups is not None and own != KEEPS:
            now += float(setups.time_s[loaded, own])
            loaded = own
        start[task] = max(now, release[task])
        now = start[task] + length[task]
    unit = np.zeros(len(option), dtype=np.int64)
    return now, SchedulePlan(option, unit, np.array(start), Hops.empty())
