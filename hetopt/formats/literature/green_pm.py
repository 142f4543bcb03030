"""Identical-speed machines with unit powers under time-of-use prices ("green parallel machines").

``jobs machines slots``, then one line each: times of the jobs, powers of the machines, and the
price of each slot. A job runs without a break on one machine; the energy cost of a plan is the sum
over machines and slots of power × price. The second objective, the makespan, is a limit here
(``--set horizon_s=12``): the front is walked by solving for one makespan after the other.

Instances of the bi-objective problem in A. Anghinolfi, M. Paolucci, R. Ronco, European Journal of
Operational Research 289(2), 2021.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.number_lines import (
    MOST_PROBLEMS,
    NumberLines,
    number_lines,
    plain,
)
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Floats, Instance


def read_green_pm(text: str, name: str) -> Instance:
    """Read jobs on machines of equal speed; the objective is the energy cost.

    A slot is 1 s, and numbers stay as they are. Machines of one power are the units of one device,
    so that solvers see that they are alike. The horizon is the number of slots.
    """
    rows = number_lines(text, name)
    jobs, machines, slots = rows.header(
        ("number of jobs", "number of machines", "number of slots"), (1, 1, 1)
    )
    time = _line(rows, 1, jobs, "times of the jobs")
    power = _line(rows, 2, machines, "powers of the machines")
    price = _line(rows, 3, slots, "prices of the slots")
    rows.end(4)
    tasks = np.array([f"J{j + 1}" for j in range(jobs)], dtype=object)
    lengths, profile = np.unique(time, return_inverse=True)
    powers, count = np.unique(power, return_counts=True)
    devices = np.array([f"power {plain(w)}" for w in powers.tolist()], dtype=object)
    profiles = np.array([f"time {plain(p)}" for p in lengths.tolist()], dtype=object)
    p, d = (i.reshape(-1) for i in np.indices((len(lengths), len(powers))))
    changes = np.flatnonzero(np.append(True, np.diff(price) != 0)).tolist()
    return assemble(
        name,
        {
            "devices": {"name": devices, "count": count},
            "options": {
                "profile": profiles[p],
                "device": devices[d],
                "time_s": lengths[p],
                "energy_j": lengths[p] * powers[d],
            },
            "tasks": {"name": tasks, "profile": profiles[profile]},
        },
        {
            "regime": "schedule",
            "objective": "cost",
            "horizon_s": float(slots),
            "energy_price_per_j": [
                {"from_s": float(k), "price_per_j": float(price[k])} for k in changes
            ],
        },
    )


def _line(rows: NumberLines, at: int, length: int, what: str) -> Floats:
    """Return one line of so many numbers of at least 0."""
    values: Floats = rows.table(at, 1, length, f"the {what}")[0]
    wrong = np.flatnonzero(values < 0)[:MOST_PROBLEMS].tolist()
    if wrong:
        faults = [rows.problem(at, values[k], f"{what.capitalize()} of at least 0.") for k in wrong]
        raise InputError(faults)
    return values


def is_green_pm(text: str) -> bool:
    """Whether a text is jobs on machines with powers under prices per slot."""
    rows = rows_of(text)
    return len(rows) == 4 and len(rows[0]) == 3 and rows[0] == [len(row) for row in rows[1:]]


FORMATS = (Format("green-pm", (".txt",), read_green_pm, sniff=is_green_pm, begins=(3,)),)
