"""Classic job shop, ``.jsp``: jobs are chains of steps, each on one machine.

The first line is ``jobs machines``. Then either a line a job with ``machine time`` pairs in the
order of its steps (JSPLIB; jobs may have any number of steps and come back to a machine; a line may
end with ``-1 -1``), or two tables of jobs × machines, times and then machines (E. Taillard,
European Journal of Operational Research 64(2), 1993). Machines count from 0 or from 1.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, lines_of
from hetopt.formats.literature.shared.machine_choices import index_base
from hetopt.formats.literature.shared.number_lines import (
    MOST_PROBLEMS,
    NumberLines,
    counted,
    number_lines,
)
from hetopt.formats.literature.shared.shops import shop_tables
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Floats, Instance, Ints

MACHINES_FROM = 0
"""What files count machines from where their numbers do not tell, as most files do."""


def read_job_shop(text: str, name: str) -> Instance:
    """Read a job shop; the objective is the makespan."""
    rows = number_lines(text, name)
    jobs, machines = rows.header(("number of jobs", "number of machines"), (1, 1), more=4)
    two_tables = len(rows) == 1 + 2 * jobs and bool((rows.size[1:] == machines).all())
    step = _two_tables(rows, jobs, machines) if two_tables else _pairs(rows, jobs)
    job, number, time, row = step
    base = index_base(rows, number, row, machines, "machine", MACHINES_FROM)
    wrong = np.flatnonzero(time < 0)[:MOST_PROBLEMS]
    if len(wrong):
        text_ = "A time of at least 0."
        raise InputError([rows.problem(int(row[i]), time[i], text_) for i in wrong])
    machine = number.astype(np.int64) - base
    every = np.arange(len(job))
    return assemble(
        name,
        shop_tables(job, every, machine, time, jobs, machines, base),
        {"regime": "schedule", "objective": "makespan"},
        {"options": lines_of(name, rows.line[row]), "tasks": lines_of(name, rows.line[row])},
    )


_Steps = tuple[Ints, Floats, Floats, Ints]
"""Of each step, in the order of jobs: its job, the machine's number, the time, the line."""


def _pairs(rows: NumberLines, jobs: int) -> _Steps:
    rows.least(1 + jobs, f"{jobs} lines of jobs, as the first line says.")
    rows.end(1 + jobs)
    job: list[int] = []
    values: list[float] = []
    faults = []
    for j in range(jobs):
        row = rows.row(1 + j).tolist()
        if row[-2:] == [-1.0, -1.0]:
            row = row[:-2]
        if not row or len(row) % 2:
            expected = "Pairs of machine and time, one for each step of the job."
            faults.append(rows.problem(1 + j, counted(len(row), "number"), expected))
        values += row
        job += [j] * (len(row) // 2)
    if faults:
        raise InputError(faults[:MOST_PROBLEMS])
    pairs = np.array(values).reshape(-1, 2)
    of = np.array(job, dtype=np.int64)
    return of, pairs[:, 0], pairs[:, 1], 1 + of


def _two_tables(rows: NumberLines, jobs: int, machines: int) -> _Steps:
    time = rows.table(1, jobs, machines, "the times of one job's steps").reshape(-1)
    number = rows.table(1 + jobs, jobs, machines, "the machines of one job's steps").reshape(-1)
    job = np.repeat(np.arange(jobs), machines)
    return job, number, time, 1 + jobs + job


def is_job_shop(text: str) -> bool:
    """Whether a text is a classic job shop: pairs of machine and time, or two tables."""
    rows = rows_of(text)
    if not rows or not 2 <= len(rows[0]) <= 6:
        return False
    jobs, machines = rows[0][:2]
    numbers = range(int(machines) + 1)
    if len(rows) == 1 + jobs and len(rows[0]) == 2:
        steps = [row[:-2] if row[-2:] == [-1.0, -1.0] else row for row in rows[1:]]
        # A line of a flexible job shop may be pairs of machines and times too, by chance; but not
        # with each machine once, as in a classic one.
        return all(
            row
            and len(row) % 2 == 0
            and all(m in numbers for m in row[::2])
            and len(set(row[::2])) == len(row) // 2
            for row in steps
        )
    if len(rows) != 1 + 2 * jobs or any(len(row) != machines for row in rows[1:]):
        return False
    orders = [sorted(row) for row in rows[1 + int(jobs) :]]
    return all(row in ([*map(float, numbers)][:-1], [*map(float, numbers)][1:]) for row in orders)


FORMATS = (
    Format(
        "jsp", (".jsp", ".jss", ".txt"), read_job_shop, sniff=is_job_shop, begins=(2, 3, 4, 5, 6)
    ),
)
