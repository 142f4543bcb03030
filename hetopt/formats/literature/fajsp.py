"""Flexible job shop with arbitrary precedence.

The first line is ``operations arcs machines``; then a line ``u v`` an arc (v waits for u); then a
line an operation, ``k m d m d …``. Format of FJSPLIB; instances of E. G. Birgin, P. Feofiloff,
C. G. Fernandes, E. L. de Melo, M. T. I. Oshiro, D. P. Ronconi, International Journal of Production
Research 52(2), 2014. Indices count from 0 or from 1, told apart as in
:mod:`hetopt.formats.literature.fjsp`, and from 0 where nothing tells.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, lines_of
from hetopt.formats.literature.shared.machine_choices import Choices, index_base
from hetopt.formats.literature.shared.number_lines import number_lines
from hetopt.formats.literature.shared.sniffing import is_operations, rows_of
from hetopt.instance import Instance


def read_fajsp(text: str, name: str) -> Instance:
    """Read a flexible job shop with arbitrary precedence; the objective is the makespan."""
    rows = number_lines(text, name)
    names = ("number of operations", "number of arcs", "number of machines")
    operations, arcs, machines = rows.header(names, (1, 0, 1))
    arc = rows.table(1, arcs, 2, "an arc: the operation before, the operation after")
    if len(rows) < 1 + arcs + operations:
        expected = f"{operations} lines of operations after {arcs} arcs, as the first line says."
        raise InputError([rows.problem(len(rows), f"{len(rows) - 1 - arcs}", expected)])
    rows.end(1 + arcs + operations)
    choices = Choices(rows)
    for row in range(1 + arcs, len(rows)):
        choices.read(row, 0, 1)
    options = choices.options(machines, 0)

    at = 1 + np.repeat(np.arange(arcs), 2)
    base = index_base(rows, arc.ravel(), at, operations, "operation", 0) if arcs else 0
    ends = arc.astype(np.int64) - base
    tasks = np.array([f"O{i + base}" for i in range(operations)], dtype=object)
    devices = np.array([f"M{m + options.base}" for m in range(machines)], dtype=object)
    return assemble(
        name,
        {
            "devices": {"name": devices},
            "options": {
                "profile": tasks[options.operation],
                "device": devices[options.machine],
                "time_s": options.time_s,
            },
            "tasks": {"name": tasks},
            "transfers": {"from": tasks[ends[:, 0]], "to": tasks[ends[:, 1]]},
        },
        {"regime": "schedule", "objective": "makespan"},
        {
            "options": lines_of(name, options.line),
            "tasks": lines_of(name, rows.line[1 + arcs :]),
            "transfers": lines_of(name, rows.line[1 : 1 + arcs]),
        },
    )


def is_fajsp(text: str) -> bool:
    """Whether a text is a flexible job shop with arbitrary precedence."""
    rows = rows_of(text)
    if not rows or len(rows[0]) != 3:
        return False
    operations, arcs, _ = rows[0]
    if len(rows) != 1 + arcs + operations:
        return False
    split = 1 + int(arcs)
    return all(len(row) == 2 for row in rows[1:split]) and all(
        is_operations(row, 1) for row in rows[split:]
    )


FORMATS = (Format("fajsp", (".fajsp", ".txt"), read_fajsp, sniff=is_fajsp, begins=(3,)),)
