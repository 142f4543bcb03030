"""Flexible job shop, ``.fjs``: jobs are chains of operations, each with a choice of machines.

The first line is ``jobs machines`` (and, in some files, the mean number of machines of an
operation); then a line a job: ``operations``, then per operation ``k m d m d …``. Format of
P. Brandimarte, Annals of Operations Research 41(3), 1993. Machines count from 0 or from 1: a
file that names machine 0 from 0, one that names machine ``machines`` from 1.
"""

from __future__ import annotations

import re

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, lines_of
from hetopt.formats.literature.shared.machine_choices import Choices
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, NumberLines, number_lines
from hetopt.formats.literature.shared.shops import shop_tables
from hetopt.formats.literature.shared.sniffing import is_operations, rows_of
from hetopt.instance import Instance

MACHINES_FROM = 1
"""What files count machines from where their numbers do not tell, as most files do."""


def read_fjsp(text: str, name: str) -> Instance:
    """Read a flexible job shop; the objective is the makespan."""
    rows = number_lines(_decimal_point(text), name, comment=r"#|//")
    jobs, machines = rows.header(("number of jobs", "number of machines"), (1, 1), more=1)
    if len(rows) != 1 + jobs:
        rows = unwrapped(rows, jobs) or rows
    rows.least(1 + jobs, f"{jobs} lines of jobs, as the first line says.")
    rows.end(1 + jobs)
    choices, sizes = read_jobs(rows)
    options = choices.options(machines, MACHINES_FROM)
    job = np.repeat(np.arange(jobs), sizes)
    return assemble(
        name,
        shop_tables(
            job, options.operation, options.machine, options.time_s, jobs, machines, options.base
        ),
        {"regime": "schedule", "objective": "makespan"},
        {"options": lines_of(name, options.line), "tasks": lines_of(name, rows.line[1 + job])},
    )


def _decimal_point(text: str) -> str:
    """Return the text with a point in the mean of the first line, where it has a comma."""
    head, mark, rest = text.partition("\n")
    return re.sub(r"(?<=[0-9]),(?=[0-9])", ".", head) + mark + rest


def unwrapped(rows: NumberLines, jobs: int) -> NumberLines | None:
    """Return the lines with each job on one, where its numbers go over several.

    None where the numbers after the first line are not exactly so many jobs.
    """
    values = rows.value[rows.ptr[1] :].tolist()
    starts: list[int] = []
    at = 0
    for _ in range(jobs):
        starts.append(at)
        if at >= len(values) or values[at] < 1:
            return None
        operations, at = values[at], at + 1
        while operations > 0 and at < len(values) and values[at] >= 1:
            at += 1 + 2 * int(values[at])
            operations -= 1
        if operations:
            return None
    if at != len(values):
        return None
    first = int(rows.ptr[1])
    ptr = np.array([0, *(first + start for start in starts), len(rows.value)], dtype=np.int64)
    line = np.repeat(rows.line, rows.size)[ptr[:-1]]
    return NumberLines(rows.name, rows.value, ptr, line)


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


def is_fjsp(text: str) -> bool:
    """Whether a text is a flexible job shop."""
    rows = rows_of(text)
    if not rows or len(rows[0]) not in (2, 3):
        return False
    if len(rows) - 1 == rows[0][0]:
        return all(is_operations(row[1:], row[0]) for row in rows[1:])
    return _are_jobs([value for row in rows[1:] for value in row], rows[0][0])


def _are_jobs(values: list[float], count: float) -> bool:
    """Whether numbers, however their lines are wrapped, are so many jobs of operations."""
    at = 0
    for _ in range(int(count)):
        if at >= len(values) or values[at] < 1 or values[at] != int(values[at]):
            return False
        operations, at = int(values[at]), at + 1
        for _ in range(operations):
            if at >= len(values) or values[at] < 1 or values[at] != int(values[at]):
                return False
            at += 1 + 2 * int(values[at])
    return at == len(values)


FORMATS = (Format("fjsp", (".fjs", ".fjsp", ".txt"), read_fjsp, sniff=is_fjsp, begins=(2, 3)),)
