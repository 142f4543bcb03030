"""Unrelated parallel machines, R || Cmax: ``jobs machines``, then a line a job with its times.

Instances of L. Fanjul-Peyro, R. Ruiz, European Journal of Operational Research 207(1), 2010.
"""

from __future__ import annotations

from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, grid_options
from hetopt.formats.literature.shared.number_lines import machine_times
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Instance


def read_rcmax(text: str, name: str) -> Instance:
    """Read jobs on unrelated machines; the objective is the makespan."""
    time = machine_times(text, name)
    jobs, machines = time.shape
    tasks = [f"J{j + 1}" for j in range(jobs)]
    devices = [f"M{m + 1}" for m in range(machines)]
    return assemble(
        name,
        {
            "devices": {"name": devices},
            "options": grid_options(tasks, devices, time),
            "tasks": {"name": tasks},
        },
        {"regime": "schedule", "objective": "makespan"},
    )


def is_rcmax(text: str) -> bool:
    """Whether a text is a table of times on unrelated machines."""
    rows = rows_of(text)
    if not rows or len(rows[0]) != 2 or len(rows) - 1 != rows[0][0]:
        return False
    return all(len(row) == rows[0][1] for row in rows[1:])


FORMATS = (Format("rcmax", (".rcmax", ".txt"), read_rcmax, sniff=is_rcmax, begins=(2,)),)
