"""Unrelated machines and one shared resource: ``jobs machines units``, times, then uses.

After the first line, a line a job with its times on each machine, then a line a job with the units
of the resource that it holds while it runs there; no more than ``units`` are held at once.
Instances of L. Fanjul-Peyro, F. Perea, R. Ruiz, European Journal of Operational Research 260(2),
2017.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, grid_options
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, number_lines
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Instance

RESOURCE = "units"


def read_upmr(text: str, name: str) -> Instance:
    """Read jobs on unrelated machines with a shared resource; the objective is the makespan."""
    rows = number_lines(text, name)
    header = ("number of jobs", "number of machines", "number of units of the resource")
    jobs, machines, units = rows.header(header, (1, 1, 0))
    time = rows.table(1, jobs, machines, "the times of one job on each machine")
    use = rows.table(1 + jobs, jobs, machines, "the units that one job holds on each machine")
    rows.end(1 + 2 * jobs)
    below = np.argwhere(np.vstack([time, use]) < 0)[:MOST_PROBLEMS].tolist()
    if below:
        expected = "A time or a use of at least 0."
        both = np.vstack([time, use])
        raise InputError([rows.problem(1 + r, both[r, m], expected) for r, m in below])
    tasks = [f"J{j + 1}" for j in range(jobs)]
    devices = [f"M{m + 1}" for m in range(machines)]
    options = grid_options(tasks, devices, time)
    uses = {"profile": options["profile"], "device": options["device"]}
    return assemble(
        name,
        {
            "devices": {"name": devices},
            "options": options,
            "resources": {"name": [RESOURCE], "capacity": [float(units)]},
            "uses": uses
            | {"resource": np.full(use.size, RESOURCE, dtype=object), "amount": use.ravel()},
            "tasks": {"name": tasks},
        },
        {"regime": "schedule", "objective": "makespan"},
    )


def is_upmr(text: str) -> bool:
    """Whether a text is two tables, times and uses of a resource, on unrelated machines."""
    rows = rows_of(text)
    if not rows or len(rows[0]) != 3:
        return False
    jobs, machines, _ = rows[0]
    return len(rows) == 1 + 2 * jobs and all(len(row) == machines for row in rows[1:])


FORMATS = (Format("upmr", (".upmr", ".txt"), read_upmr, sniff=is_upmr, begins=(3,)),)
