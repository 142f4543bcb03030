"""Task graphs on heterogeneous machines with communication costs.

Text (``.dag``): section ``#tasks`` with lines ``id: t, t, …`` (a time per machine), section
``#edges`` with lines ``id: u, v, cost``, ended by ``#end``; other sections are not looked at. JSON:
``machines``, ``w`` (a row of times per task) and ``edges`` (``[u, v, cost]``). The cost of an edge
is paid between different machines only. The model is that of H. Topcuoglu, S. Hariri, M.-Y. Wu,
IEEE TPDS 13(3), 2002, with one bandwidth for all pairs and no start-up.
"""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import Place, assemble, grid_options, lines_of, mesh
from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.shared.number_lines import (
    MOST_PROBLEMS,
    NumberLines,
    counted,
    number_lines,
)
from hetopt.formats.literature.shared.sniffing import has_keys
from hetopt.formats.place import place_text
from hetopt.instance import Floats, Instance


def read_dag_hetero(text: str, name: str) -> Instance:
    """Read a heterogeneous task graph, as text or JSON; the objective is the makespan."""
    if text.lstrip().startswith("{"):
        return _read_json(text, name)
    return _read_text(text, name)


def _read_text(text: str, name: str) -> Instance:
    times = _section(text, name, "tasks")
    costs = _section(text, name, "edges")
    if times is None:
        expected = "A section #tasks, with a line id: t, t, ... per task."
        raise InputError([Problem(name, "", expected)])
    machines = int(times.size[0]) - 1
    if machines < 1:
        raise InputError([times.problem(0, "", "id: t, t, ... with a time per machine.")])
    table = times.table(0, len(times), 1 + machines, f"a task and its times on {machines} machines")
    faults = [
        times.problem(int(r), table[r, 0], f"Task {r}: tasks count from 0, in order.")
        for r in np.flatnonzero(table[:, 0] != np.arange(len(table)))
    ]
    faults += [
        times.problem(int(r), table[r, 1 + c], "A time of at least 0.")
        for r, c in np.argwhere(table[:, 1:] < 0)
    ]
    edges = np.empty((0, 3))
    places: dict[str, Place] = {"tasks": lines_of(name, times.line)}
    if costs is not None:
        rows = costs.table(0, len(costs), 4, "an edge: id: task, task, cost")
        edges = rows[:, 1:]
        ends, count = edges[:, :2], len(table)
        bad = ((ends != np.floor(ends)) | (ends < 0) | (ends >= count)).any(axis=1)
        faults += [
            costs.problem(int(r), f"{ends[r, 0]:g}, {ends[r, 1]:g}", f"Tasks 0 to {count - 1}.")
            for r in np.flatnonzero(bad)
        ]
        faults += [
            costs.problem(int(r), edges[r, 2], "A cost of at least 0.")
            for r in np.flatnonzero(edges[:, 2] < 0)
        ]
        places["transfers"] = lines_of(name, costs.line)
    if faults:
        raise InputError(faults[:MOST_PROBLEMS])
    return _instance(name, table[:, 1:], edges, places)


def _section(text: str, name: str, wanted: str) -> NumberLines | None:
    """Return the numbers of one section, None where there is no such section or it is empty."""
    lines = text.split("\n")
    inside = False
    kept: list[str] = []
    for line in lines:
        head = line.strip().lower()
        if head.startswith("#"):
            inside = head[1:].strip() == wanted
            kept.append("")
        else:
            kept.append(line if inside else "")
    if not any(line.strip() for line in kept):
        return None
    return number_lines("\n".join(kept), name, separators=":,")


def _read_json(text: str, name: str) -> Instance:
    fields = JsonFields(text, name)
    machines = fields.whole(fields.data.get("machines"), ("machines",), 1)
    rows = fields.list_(fields.data.get("w"), ("w",), 1)
    for t, row in enumerate(rows):
        if len(fields.list_(row, ("w", t))) != machines and isinstance(row, list):
            text = f"{machines} times, one per machine."
            fields.fault(("w", t), counted(len(row), "number"), text)
    fields.stop()
    times = [[fields.number(v, ("w", t, m)) for m, v in enumerate(r)] for t, r in enumerate(rows)]
    edges = []
    for path, ends, cost in fields.edges(fields.data.get("edges", []), len(rows), "cost"):
        edges.append([*ends, fields.number(cost, (*path, 2))])
    fields.stop()
    places: dict[str, Place] = {
        "tasks": lambda row: place_text(name, ("w", row)),
        "transfers": lambda row: place_text(name, ("edges", row)),
    }
    return _instance(name, np.array(times), np.array(edges).reshape(-1, 3), places)


def _instance(name: str, time: Floats, edges: Floats, places: dict[str, Place]) -> Instance:
    """Return the instance of a matrix of times (tasks × machines) and of edges (E × 3)."""
    tasks = np.array([f"T{t}" for t in range(len(time))], dtype=object)
    devices = [f"P{m}" for m in range(time.shape[1])]
    ends = edges[:, :2].astype(np.int64)
    return assemble(
        name,
        {
            "devices": {"name": devices},
            "links": mesh(devices),
            "options": grid_options(list(tasks), devices, time),
            "tasks": {"name": tasks},
            "transfers": {
                "from": tasks[ends[:, 0]],
                "to": tasks[ends[:, 1]],
                "bytes": edges[:, 2],
            },
        },
        {"regime": "schedule", "objective": "makespan"},
        places,
    )


def is_dag_hetero(text: str) -> bool:
    """Whether a text is a heterogeneous task graph, as text or JSON."""
    if has_keys(text, "machines", "w", "edges"):
        return True
    heads = {line.strip().lower() for line in text.split("\n") if line.lstrip().startswith("#")}
    return {"#tasks", "#edges"} <= heads


FORMATS = (
    Format(
        "dag-hetero",
        (".dag", ".txt", ".json"),
        read_dag_hetero,
        sniff=is_dag_hetero,
        begins=("json", "words"),
    ),
)
