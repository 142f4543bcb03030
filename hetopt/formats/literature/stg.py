"""Standard task graphs, ``.stg``: precedence without communication on identical processors.

The first line is the number of tasks, without the source and the sink that follow; then a line a
task, from 0: ``task time predecessors p p …``. Format of T. Tobita, H. Kasahara, Journal of
Scheduling 5(5), 2002. The files name no processors: a platform does.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, lines_of
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, NumberLines, number_lines
from hetopt.formats.literature.shared.platform import find_platform
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Instance, Ints

DEFAULT_PLATFORM = "cores-4"


def read_stg(text: str, name: str, platform: str | None = None) -> Instance:
    """Read a standard task graph; the objective is the makespan.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.
    platform
        The processors: ``cores-16``, or a file (:mod:`hetopt.formats.literature.shared.platform`);
        by default four cores.

    Raises
    ------
    InputError
        With every problem, its line, and what was expected there.
    """
    rows = number_lines(text, name)
    (inner,) = rows.header(("number of tasks",), (1,))
    count = inner + 2
    rows.least(1 + count, f"{count} lines of tasks: {inner}, the source and the sink.")
    rows.end(1 + count)
    before, row = _predecessors(rows)
    time = rows.value[rows.ptr[1:-1] + 1]
    machine = find_platform(platform or DEFAULT_PLATFORM)
    tasks = np.array([f"T{t}" for t in range(count)], dtype=object)
    return assemble(
        name,
        machine.frames
        | {
            "options": machine.options(list(tasks), time),
            "tasks": {"name": tasks},
            "transfers": {"from": tasks[before], "to": tasks[row - 1]},
        },
        machine.settings | {"regime": "schedule", "objective": "makespan"},
        {
            "tasks": lines_of(name, rows.line[1:]),
            "transfers": lines_of(name, rows.line[row]),
        },
    )


def _predecessors(rows: NumberLines) -> tuple[Ints, Ints]:
    """Return the task before and the line of each precedence, all lines checked."""
    size = rows.size[1:]
    faults = [
        rows.problem(1 + int(r), f"{size[r]} numbers", "Task, time, number of predecessors.")
        for r in np.flatnonzero(size < 3)
    ]
    if faults:
        raise InputError(faults[:MOST_PROBLEMS])
    at = rows.ptr[1:-1]
    task, time, count = (rows.value[at + i] for i in range(3))
    for r in range(len(task)):
        if task[r] != r:
            faults.append(rows.problem(1 + r, task[r], f"Task {r}: tasks count from 0, in order."))
        if time[r] < 0:
            faults.append(rows.problem(1 + r, time[r], "A time of at least 0."))
        if count[r] != size[r] - 3:
            text = f"{size[r] - 3} as the number of predecessors, as so many follow."
            faults.append(rows.problem(1 + r, count[r], text))
    row = np.repeat(np.arange(1, len(rows)), size - 3)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(size - 3) - (size - 3), size - 3)
    value = rows.value[rows.ptr[row] + 3 + offset]
    wrong = (value != np.floor(value)) | (value < 0) | (value >= len(task))
    faults += [
        rows.problem(int(row[i]), value[i], f"A task from 0 to {len(task) - 1}.")
        for i in np.flatnonzero(wrong)
    ]
    if faults:
        raise InputError(faults[:MOST_PROBLEMS])
    return value.astype(np.int64), row


def is_stg(text: str) -> bool:
    """Whether a text is a standard task graph."""
    rows = rows_of(text)
    if not rows or len(rows[0]) != 1 or len(rows) != rows[0][0] + 3:
        return False
    return all(
        len(row) >= 3 and row[0] == i and len(row) == 3 + row[2] for i, row in enumerate(rows[1:])
    )


FORMATS = (Format("stg", (".stg", ".txt"), read_stg, sniff=is_stg, begins=(1,), platform=True),)
