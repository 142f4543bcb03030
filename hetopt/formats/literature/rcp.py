"""Project scheduling with one mode, ``.rcp``: the Patterson format.

``activities resources``, what there is of each resource, then for each activity its duration, its
requests, how many successors it has, and these, counted from 1; lines may be wrapped. J. H.
Patterson, Management Science 30(7), 1984. The ``.sm`` files of PSPLIB are those of ``mrcpsp``.

Activities are tasks of one device with a slot for each of them.
"""

from __future__ import annotations

from hetopt.errors import InputError, Problem
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, number_lines, plain
from hetopt.formats.literature.shared.sniffing import rows_of
from hetopt.instance import Instance

DEVICE = "project"


def read_rcp(text: str, name: str) -> Instance:
    """Read a project; the objective is the makespan."""
    rows = number_lines(text, name)
    count, kinds = rows.header(("number of activities", "number of resources"), (1, 0))
    values = rows.value.tolist()
    lines = [int(n) for n, size in zip(rows.line, rows.size, strict=True) for _ in range(size)]
    faults: list[Problem] = []
    at = 2

    def take(what: str, most: float = float("inf"), least: float = 0.0) -> tuple[float, int]:
        nonlocal at
        if at >= len(values):
            place = f"{name}:{lines[-1]}"
            raise InputError([*faults, Problem(place, "the end of the file", f"{what}.")])
        value, line = values[at], lines[at]
        at += 1
        if not least <= value <= most or (most < float("inf") and value != int(value)):
            faults.append(Problem(f"{name}:{line}", plain(value), f"{what}."))
            value = least
        return value, line

    names = [f"R{k + 1}" for k in range(kinds)]
    capacity = [take(f"What there is of resource {k + 1}, at least 0")[0] for k in range(kinds)]
    time, place, uses, edges = [], [], [], []
    for a in range(count):
        duration, line = take(f"The duration of activity {a + 1}, at least 0")
        time.append(duration)
        place.append(line)
        for k in range(kinds):
            amount, line = take(f"What activity {a + 1} asks of resource {k + 1}, at least 0")
            uses.append((str(a + 1), names[k], amount, line))
        after, _ = take(f"How many successors activity {a + 1} has, from 0 to {count}", count)
        for _ in range(int(after)):
            other, line = take(f"A successor of activity {a + 1}, from 1 to {count}", count, 1)
            edges.append((str(a + 1), str(int(other)), line))
    if at < len(values):
        text_ = f"The end of the file after {count} activities."
        faults.append(Problem(f"{name}:{lines[at]}", plain(values[at]), text_))
    if faults:
        raise InputError(faults[:MOST_PROBLEMS])
    tasks = [str(a + 1) for a in range(count)]
    return assemble(
        name,
        {
            "devices": {"name": [DEVICE], "slots": [count]},
            "options": {"profile": tasks, "device": [DEVICE] * count, "time_s": time},
            "tasks": {"name": tasks},
            "transfers": {"from": [e[0] for e in edges], "to": [e[1] for e in edges]}
            if edges
            else None,
            "resources": {"name": names, "capacity": capacity} if names else None,
            "uses": {
                "profile": [u[0] for u in uses],
                "device": [DEVICE] * len(uses),
                "resource": [u[1] for u in uses],
                "amount": [u[2] for u in uses],
            }
            if uses
            else None,
        },
        {"regime": "schedule", "objective": "makespan"},
        {
            "options": lambda row: f"{name}:{place[row]}",
            "uses": lambda row: f"{name}:{uses[row][3]}",
            "transfers": lambda row: f"{name}:{edges[row][2]}",
        },
    )


def is_rcp(text: str) -> bool:
    """Whether a text is a project in the Patterson format."""
    rows = rows_of(text)
    if len(rows) < 2 or len(rows[0]) != 2 or len(rows[1]) != rows[0][1]:
        return False
    count, kinds = (int(value) for value in rows[0])
    values = [value for row in rows[2:] for value in row]
    at = 0
    for _ in range(count):
        at += 1 + kinds
        if at >= len(values) or not 0 <= values[at] <= count or values[at] != int(values[at]):
            return False
        at += 1 + int(values[at])
    return at == len(values)


FORMATS = (Format("rcp", (".rcp",), read_rcp, sniff=is_rcp, begins=(2,)),)
