"""What an instance is like, in the figures by which the literature tells benchmarks apart.

Flexibility and duration variety are those of D. Hutter, M. Hellwig and T. Steinberger, "A
Benchmarking Environment for Worker Flexibility in Flexible Job Shop Scheduling Problems"
(arXiv:2501.16159, 2025); machines per operation is the third number of a flexible job shop's file
(FJSPLIB). Machines are devices here, operations are tasks.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.graph import topological_order


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of an instance; those of times are NaN where no task may run anywhere.

    Attributes
    ----------
    jobs, tasks, devices
        Their numbers; ``units`` of devices at most, None without a maximum.
    tasks_per_job, devices_per_task
        Means.
    flexibility
        Mean share of the devices that a task may run on, from 1 / devices to 1.
    duration_variety
        Different times, as a share of the times of all tasks on all devices that they may run on.
    shortest_s, longest_s
        Of these times, s.
    unrelatedness
        Mean over tasks of the longest of its times over the shortest.
    longest_chain
        Tasks in the longest chain that each wait for the one before.
    """

    name: str
    regime: str
    jobs: int
    tasks: int
    devices: int
    units: int | None
    tasks_per_job: float
    devices_per_task: float
    flexibility: float
    duration_variety: float
    shortest_s: float
    longest_s: float
    unrelatedness: float
    longest_chain: int


def metrics_of(instance: Instance) -> Metrics:
    """Return the figures of an instance; pins and forbidden devices count as such."""
    ptr, option = instance.admissible
    task = np.repeat(np.arange(len(instance.tasks)), np.diff(ptr))
    time_s = instance.options.time_s[option] * instance.tasks.work[task]
    pairs = np.unique(task * len(instance.devices) + instance.options.device[option])
    count = len(instance.tasks)
    per_task = len(pairs) / count
    most = instance.devices.count_max
    least = np.full(count, np.inf)
    largest = np.zeros(count)
    np.minimum.at(least, task, time_s)
    np.maximum.at(largest, task, time_s)
    timed = np.isfinite(least) & (least > 0)
    _, level = topological_order(count, instance.edges.src, instance.edges.dst)
    return Metrics(
        name=instance.name,
        regime=instance.regime,
        jobs=len(instance.jobs),
        tasks=count,
        devices=len(instance.devices),
        units=int(most.sum()) if (most >= 0).all() else None,
        tasks_per_job=count / len(instance.jobs),
        devices_per_task=per_task,
        flexibility=per_task / len(instance.devices),
        duration_variety=len(np.unique(time_s)) / len(time_s) if len(time_s) else np.nan,
        shortest_s=float(time_s.min()) if len(time_s) else np.nan,
        longest_s=float(time_s.max()) if len(time_s) else np.nan,
        unrelatedness=float(np.mean(largest[timed] / least[timed])) if timed.any() else np.nan,
        longest_chain=int(level.max(initial=-1)) + 1,
    )


def metrics_csv(rows: Sequence[tuple[str, Metrics]]) -> str:
    """Return a table with a row for each instance; blank where not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *(field.name for field in fields(Metrics))])
    for file, found in rows:
        writer.writerow([file, *(_cell(value) for value in asdict(found).values())])
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return "" if value is None else str(value)
