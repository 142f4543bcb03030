"""An instance at the mean work of the requests that come: what policies may expect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.simulate.requests import Requests
from hetopt.simulate.routes import WHOLE


def with_mean_work(instance: Instance, requests: Requests) -> tuple[Instance, Floats]:
    """Return the instance at the mean work of its requests, and that work over its own (J × P)."""
    wide = requests.work.shape[1]
    mean = np.ones((len(instance.jobs), wide))
    if len(requests.work) == 1:
        return instance, mean
    work = instance.tasks.work.copy()
    ptr, tasks = instance.job_tasks
    for j in range(len(instance.jobs)):
        mine = requests.job == j
        count = int(ptr[j + 1] - ptr[j])
        if mine.any():
            mean[j, :count] = requests.work[mine, :count].mean(axis=0)
        mean[j][mean[j] <= 0] = 1.0
        work[tasks[ptr[j] : ptr[j + 1]]] *= mean[j, :count]
    options = replace(instance.options, latency_s=_still_joined(instance, work))
    return replace(instance, tasks=replace(instance.tasks, work=work), options=options), mean


def _still_joined(instance: Instance, work: Floats) -> Floats:
    """Return stated latencies such that batches that requests may join stay such at other work."""
    options = instance.options
    latency = options.latency_s.copy()
    for task in range(len(instance.tasks)):
        mine = instance.task_options(task)
        before = instance.tasks.work[task] * options.time_s[mine]
        joined = (options.batch[mine] >= 2) & (options.latency_s[mine] <= before * (1 + WHOLE))
        at = mine[joined]
        latency[at] = np.minimum(latency[at], work[task] * options.time_s[at])
    return latency
