"""What a route is, and which options it may have: one for every task of a job."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hetopt.instance import Instance
from hetopt.steady.model.resources import ResourceLimit

LATENCY_SLACK = 1e-12
"""Relative room for the rounding of a sum of latencies (far below ``LIMIT_TOLERANCE``)."""


@dataclass(frozen=True, slots=True)
class Route:
    """One option for every task of a job; all quantities are per request.

    Attributes
    ----------
    options
        Option index per task, in the order of ``Instance.job_tasks``.
    busy_s
        Device -> busy time; every device that the route uses has an entry.
    link_b
        Link -> bytes.
    accuracy
        Least over the tasks that state one; inf where none does.
    keys
        Device -> sorted weights keys that the unit must hold.
    working_b
        Device -> largest working memory of the options there.
    pinned
        Device -> unit that pins name; only devices with a pinned unit have an entry.
    taken
        Limit of a resource -> what a request takes of it.
    paid
        ``cost`` and ``carbon`` -> what the energy costs or emits; only where sites differ in it.
    """

    job: int
    options: tuple[int, ...]
    latency_s: float
    energy_j: float
    accuracy: float
    busy_s: dict[int, float]
    link_b: dict[int, float]
    keys: dict[int, tuple[int, ...]]
    working_b: dict[int, float]
    pinned: dict[int, int]
    taken: dict[ResourceLimit, float] = field(default_factory=dict)
    paid: dict[str, float] = field(default_factory=dict)


def accuracy_counts(instance: Instance, job: int) -> bool:
    """Whether accuracy is an objective or a limit of this job."""
    return "accuracy" in instance.objective or instance.jobs.min_accuracy[job] > 0


def usable_options(instance: Instance, task: int) -> list[int]:
    """Options that a task may use: admissible ones that meet its job's ``min_accuracy``."""
    options = [int(o) for o in instance.task_options(task)]
    least = instance.jobs.min_accuracy[instance.tasks.job[task]]
    return [o for o in options if not instance.options.accuracy[o] < least]


def option_latency_s(instance: Instance, task: int, option: int) -> float:
    """Latency of an option: stated, else twice the batch time for batches, once for one request."""
    stated = float(instance.options.latency_s[option])
    if not np.isnan(stated):
        return stated
    time = float(instance.tasks.work[task] * instance.options.time_s[option])
    return 2.0 * time if instance.options.batch[option] >= 2 else time
