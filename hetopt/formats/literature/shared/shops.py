"""Tables of shops: jobs are chains of operations, each with a machine or a choice of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.instance import Floats, Ints


def shop_tables(
    job: Ints,
    operation: Ints,
    machine: Ints,
    time_s: Floats,
    jobs: int,
    machines: int,
    base: int,
) -> dict[str, dict[str, Any]]:
    """Return the tables of a shop.

    Parameters
    ----------
    job
        Job of each operation, from 0 and in order (N).
    operation, machine, time_s
        Of each option: its operation and machine from 0, and its time (O).
    jobs, machines
        How many there are.
    base
        What names count machines from.
    """
    place = np.arange(len(job)) - np.searchsorted(job, job)
    names = [f"J{j}.{p}" for j, p in zip((job + 1).tolist(), (place + 1).tolist(), strict=True)]
    tasks = np.array(names, dtype=object)
    devices = np.array([f"M{m + base}" for m in range(machines)], dtype=object)
    after = np.flatnonzero(place > 0)
    return {
        "devices": {"name": devices},
        "options": {
            "profile": tasks[operation],
            "device": devices[machine],
            "time_s": time_s,
        },
        "tasks": {"name": tasks, "job": [f"J{j}" for j in (job + 1).tolist()]},
        "transfers": {"from": tasks[after - 1], "to": tasks[after]},
        "jobs": {"name": [f"J{j + 1}" for j in range(jobs)]},
    }
