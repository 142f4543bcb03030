"""Flexible job shop, ``.fjs``: jobs are chains of operations, each with a choice of machines.

The first line is ``jobs machines`` (and, in some files, the mean number of machines of an
operation); then a line a job: ``operations``, then per operation ``k m d m d …``. Format of
P. Brandimarte, Annals of Operations Research 41(3), 1993. Machines count from 0 or from 1: a
file that names machine 0 from 0, one that names machine ``machines`` from 1.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.literature.shared.assemble import assemble, lines_of
from hetopt.formats.literature.shared.machine_choices import Choices
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, NumberLines, number_lines
from hetopt.instance import Instance

MACHINES_FROM = 1
"""What files count machines from where their numbers do not tell, as most files do."""


def read_fjsp(text: str, name: str) -> Instance:
    """Read a flexible job shop; the objective is the makespan.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.

    Raises
    ------
    InputError
        With every problem, its line, and what was expected there.
    """
    rows = number_lines(text, name)
    jobs, machines = rows.header(("number of jobs", "number of machines"), (1, 1), more=1)
    if len(rows) < 1 + jobs:
        expected = f"{jobs} lines of jobs, as the first line says."
        raise InputError([rows.problem(len(rows), f"{len(rows) - 1}", expected)])
    rows.end(1 + jobs)
    choices, sizes = read_jobs(rows)
    options = choices.options(machines, MACHINES_FROM)

    job = np.repeat(np.arange(jobs), sizes)
    place = np.arange(len(job)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    names = [f"J{j}.{p}" for j, p in zip((job + 1).tolist(), (place + 1).tolist(), strict=True)]
    tasks = np.array(names, dtype=object)
    devices = np.array([f"M{m + options.base}" for m in range(machines)], dtype=object)
    after = np.flatnonzero(place > 0)
    line = rows.line[1 + job]
    return assemble(
        name,
        {
            "devices": {"name": devices},
            "options": {
                "profile": tasks[options.operation],
                "device": devices[options.machine],
                "time_s": options.time_s,
            },
            "tasks": {"name": tasks, "job": [f"J{j}" for j in (job + 1).tolist()]},
            "transfers": {"from": tasks[after - 1], "to": tasks[after]},
            "jobs": {"name": [f"J{j + 1}" for j in range(jobs)]},
        },
        {"regime": "schedule", "objective": "makespan"},
        {"options": lines_of(name, options.line), "tasks": lines_of(name, line)},
    )


def read_jobs(rows: NumberLines) -> tuple[Choices, list[int]]:
    """Return the operations of all lines after the first, and how many each line has.

    Raises
    ------
    InputError
        If a line does not start with the number of its operations.
    """
    choices = Choices(rows)
    sizes: list[int] = []
    first = rows.value[rows.ptr[1:-1]]
    wrong = np.flatnonzero((first != np.floor(first)) | (first < 1))
    if len(wrong):
        expected = "The number of operations of a job, at least 1."
        faults = [rows.problem(1 + int(r), first[r], expected) for r in wrong[:MOST_PROBLEMS]]
        raise InputError(faults)
    for row, count in enumerate(first.tolist(), start=1):
        choices.read(row, 1, int(count))
        sizes.append(int(count))
    return choices, sizes
