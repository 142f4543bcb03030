"""Tasks of realised requests, by kind: what each run would take on each of its options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.simulate.policies.net import spreads
from hetopt.simulate.world import Setting


@dataclass(frozen=True)
class Kind:
    """The runs of one task: its options, and per unit of work the slot time and energy of each."""

    task: int
    requests: Ints
    position: int
    option: Ints
    slot_s: Floats
    energy_j: Floats


def kinds_of(instance: Instance, setting: Setting) -> list[Kind]:
    """Return the tasks of all requests, those of one job side by side."""
    options, devices, tasks = instance.options, instance.devices, instance.tasks
    ptr, of_job = instance.job_tasks
    found = []
    for j in range(len(instance.jobs)):
        rows = np.flatnonzero(setting.requests.job == j)
        if not len(rows):
            continue
        for p, task in enumerate(of_job[ptr[j] : ptr[j + 1]].tolist()):
            option = instance.task_options(task)
            batch = options.batch[option]
            free = 1.0 - devices.reserved[options.device[option]]
            slot = tasks.work[task] * options.time_s[option] / batch
            slot = slot / np.where(free > 0, free, 1.0)
            energy = tasks.work[task] * options.energy_j[option] / batch
            found.append(Kind(task, rows, p, option, slot, energy))
    return found


def factors(instance: Instance, setting: Setting, kind: Kind, rows: Ints) -> Floats:
    """Return what the time of each option is multiplied by in some requests (rows × options)."""
    requests = setting.requests
    own = requests.work[rows if len(requests.work) > 1 else np.zeros(len(rows), int), kind.position]
    if not len(setting.drawn):
        return np.broadcast_to(own[:, None], (len(rows), len(kind.option)))
    low, high = spreads(instance)
    z = setting.drawn[rows, kind.position][:, None]
    spread = np.where(z < 0, low[kind.option], high[kind.option])
    return np.asarray(own[:, None] * np.exp(z * spread))
