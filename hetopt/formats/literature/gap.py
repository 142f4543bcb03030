"""Generalised assignment: ``agents jobs``, costs, weights, one capacity an agent; minimise cost.

After the first line an agent's numbers may go over several lines: costs of all jobs on the first
agent, on the second ..., then weights likewise, then the capacities. Format of the OR-Library
(J. E. Beasley, Journal of the Operational Research Society 41(11), 1990).

An agent is a device, and its capacity a budget of its own; a cost of 1 is an energy of 1 J. Jobs
take 1 s side by side, as energy needs a time, so the makespan means nothing.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, NumberLines, number_lines
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Instance


def read_gap(text: str, name: str) -> Instance:
    """Read an assignment of jobs to agents; the objective is the energy, which is the cost."""
    rows = number_lines(text, name)
    agents, jobs = rows.header(("number of agents", "number of jobs"), (1, 1))
    _check(rows, agents, jobs)
    cells = rows.value[2 : 2 + 2 * agents * jobs].reshape(2, agents * jobs)
    capacity = rows.value[2 + 2 * agents * jobs :]
    devices = np.array([f"A{a + 1}" for a in range(agents)], dtype=object)
    tasks = np.array([f"J{j + 1}" for j in range(jobs)], dtype=object)
    options = {
        "profile": np.tile(tasks, agents),
        "device": np.repeat(devices, jobs),
    }
    return assemble(
        name,
        {
            "devices": {"name": devices, "slots": np.full(agents, jobs)},
            "options": options | {"time_s": np.ones(agents * jobs), "energy_j": cells[0]},
            "resources": {"name": devices, "budget": capacity},
            "uses": options | {"resource": options["device"], "amount": cells[1]},
            "tasks": {"name": tasks},
        },
        {"regime": "schedule", "objective": "energy"},
    )


def _check(rows: NumberLines, agents: int, jobs: int) -> None:
    """Refuse another number of numbers, and negative ones."""
    wanted = 2 + 2 * agents * jobs + agents
    if len(rows.value) != wanted:
        expected = (
            f"{wanted} numbers: {agents} × {jobs} costs, as many weights, and {agents} capacities."
        )
        raise InputError([rows.problem(len(rows), f"{len(rows.value)} numbers", expected)])
    below = np.flatnonzero(rows.value < 0)[:MOST_PROBLEMS]
    if len(below):
        line = np.searchsorted(rows.ptr, below, side="right") - 1
        expected = "A cost, weight or capacity of at least 0."
        raise InputError(
            [
                rows.problem(int(r), rows.value[i], expected)
                for r, i in zip(line, below, strict=True)
            ]
        )


def is_gap(text: str) -> bool:
    """Whether a text is a table of costs and weights, and capacities of agents."""
    rows = rows_of(text)
    if not rows or len(rows[0]) != 2:
        return False
    agents, jobs = rows[0]
    return sum(len(row) for row in rows[1:]) == 2 * agents * jobs + agents


FORMATS = (Format("gap", (".gap", ".txt"), read_gap, sniff=is_gap, begins=(2,)),)
