"""Task graphs with communication on identical processors.

The first line is ``tasks edges processors``; then one line of weights; then a line ``u v c`` an
edge: v, on another processor than u, starts c after u ends at the earliest. Tasks count from 0;
a file that names task ``tasks`` and not task 0 counts from 1.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, grid_options, lines_of
from hetopt.formats.literature.shared.machine_choices import index_base
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, number_lines
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Instance


def read_dag_comm(text: str, name: str) -> Instance:
    """Read a task graph with communication; the objective is the makespan."""
    rows = number_lines(text, name)
    names = ("number of tasks", "number of edges", "number of processors")
    count, edges, processors = rows.header(names, (1, 0, 1))
    weight = rows.table(1, 1, count, "the weights of all tasks")[0]
    edge = rows.table(2, edges, 3, "an edge: task before, task after, communication")
    rows.end(2 + edges)
    faults = [rows.problem(1, w, "A weight of at least 0.") for w in weight[weight < 0]]
    faults += [
        rows.problem(2 + int(e), edge[e, 2], "A communication cost of at least 0.")
        for e in np.flatnonzero(edge[:, 2] < 0)
    ]
    if faults:
        raise InputError(faults[:MOST_PROBLEMS])
    row = 2 + np.repeat(np.arange(edges), 2)
    base = index_base(rows, edge[:, :2].ravel(), row, count, "task", 0) if edges else 0
    ends = edge[:, :2].astype(np.int64) - base
    tasks = np.array([f"T{t + base}" for t in range(count)], dtype=object)
    return assemble(
        name,
        {
            "devices": {
                "name": ["core"],
                "kind": ["cpu"],
                "count_min": [processors],
                "count_max": [processors],
            },
            "links": {"from": ["core"], "to": ["core"], "bandwidth_b_per_s": [1.0]},
            "options": grid_options(list(tasks), ["core"], weight[:, None]),
            "tasks": {"name": tasks},
            "transfers": {
                "from": tasks[ends[:, 0]],
                "to": tasks[ends[:, 1]],
                "bytes": edge[:, 2],
            },
        },
        {"regime": "schedule", "objective": "makespan"},
        {"transfers": lines_of(name, rows.line[2:])},
    )


def is_dag_comm(text: str) -> bool:
    """Whether a text is a task graph with communication on identical processors."""
    rows = rows_of(text)
    if len(rows) < 2 or len(rows[0]) != 3:
        return False
    tasks, edges, _ = rows[0]
    fits = len(rows) == 2 + edges and len(rows[1]) == tasks
    return fits and all(len(row) == 3 for row in rows[2:])


FORMATS = (Format("dag-comm", (".txt",), read_dag_comm, sniff=is_dag_comm, begins=(3,)),)
