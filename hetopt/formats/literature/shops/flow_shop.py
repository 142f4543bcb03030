"""Flow shops: ``jobs machines``, then a line a job with its time on each machine.

Each job passes the machines in the order of the columns. The layout is that of unrelated machines
(:mod:`hetopt.formats.literature.rcmax`) too, so that nothing but ``--from`` tells them apart. Jobs
may pass each other between machines; a schedule that keeps one order on all machines is one of
many.
"""

from __future__ import annotations

import numpy as np

from hetopt.formats.format import Format
from hetopt.formats.literature.rcmax import is_rcmax
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.number_lines import machine_times
from hetopt.instance import Instance


def read_flow_shop(text: str, name: str) -> Instance:
    """Read a flow shop; the objective is the makespan."""
    time = machine_times(text, name)
    jobs, machines = time.shape
    tasks = [f"J{j + 1}.{m + 1}" for j in range(jobs) for m in range(machines)]
    devices = [f"M{m + 1}" for m in range(machines)]
    after = [i for i in range(len(tasks)) if i % machines]
    return assemble(
        name,
        {
            "devices": {"name": devices},
            "options": {"profile": tasks, "device": devices * jobs, "time_s": time.reshape(-1)},
            "tasks": {
                "name": tasks,
                "job": np.repeat([f"J{j + 1}" for j in range(jobs)], machines),
            },
            "transfers": {"from": [tasks[i - 1] for i in after], "to": [tasks[i] for i in after]},
            "jobs": {"name": [f"J{j + 1}" for j in range(jobs)]},
        },
        {"regime": "schedule", "objective": "makespan"},
    )


FORMATS = (Format("flow-shop", (".fsp", ".txt"), read_flow_shop, sniff=is_rcmax, begins=(2,)),)
