"""Job shops and flexible ones in JSON, as libraries of instances and Python packages write them.

Either matrices, ``machines_matrix`` and ``duration_matrix`` (a line a job; a machine, or a list of
them; a time, or a list with one a machine), or ``jobs``: a list of jobs, each a list of operations
or an object with ``operations``. An operation is an object with ``machine`` and ``duration``, or a
list of such choices, or an object with ``machines`` (numbers) and ``durations``, or with
``alternatives``. Machines are numbers, which count from 0 or from 1, or names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.shared.shops import shop_tables
from hetopt.formats.literature.shared.sniffing import has_keys
from hetopt.formats.place import Path, place_text
from hetopt.instance import Instance

OPERATIONS = ("operations", "tasks", "steps")
CHOICES = ("alternatives", "options", "modes", "choices", "eligible_machines")
MACHINE = ("machine", "machine_id", "resource", "m")
TIME = ("duration", "processing", "processing_time", "time", "p", "processingTime")

Choice = tuple[Any, float, Path]


def read_shop_json(text: str, name: str) -> Instance:
    """Read a job shop; the objective is the makespan."""
    fields = JsonFields(text, name)
    data = fields.data
    shop = list(_matrices(fields) if "machines_matrix" in data else _jobs(fields))
    fields.stop()
    operations = [(j, choices) for j, job in enumerate(shop) for choices in job]
    named = [machine for _, choices in operations for machine, _, _ in choices]
    machines = _machines(fields, named)
    fields.stop()
    count = max(machines.values(), default=-1) + 1
    path_of = [path for _, choices in operations for _, _, path in choices]
    tables = shop_tables(
        np.array([j for j, _ in operations], dtype=np.int64),
        np.repeat(np.arange(len(operations)), [len(choices) for _, choices in operations]),
        np.array([machines[m] for m in named], dtype=np.int64),
        np.array([time for _, choices in operations for _, time, _ in choices]),
        len(shop),
        count,
        0,
    )
    if any(isinstance(m, str) for m in machines):
        names = np.array(list(machines), dtype=object)
        tables["devices"]["name"] = names
        tables["options"]["device"] = names[[machines[m] for m in named]]
    return assemble(
        name,
        tables,
        {"regime": "schedule", "objective": "makespan"},
        {"options": lambda row: place_text(name, path_of[row])},
    )


def _machines(fields: JsonFields, named: list[Any]) -> dict[Any, int]:
    """Return the place of each machine: numbers keep their order, names that of the file."""
    if all(isinstance(m, int) and not isinstance(m, bool) for m in named):
        least = min(named, default=0)
        if least < 0:
            fields.fault((), least, "Machines that count from 0 or from 1.")
            return {}
        base = 1 if least >= 1 else 0
        keys = ("num_machines", "n_machines", "machines")
        stated = next((fields.data[k] for k in keys if k in fields.data), None)
        most = max([*named, (stated or 0) - 1 + base] if isinstance(stated, int) else named)
        return {m: m - base for m in range(base, most + 1)}
    found: dict[Any, int] = {}
    for machine in named:
        found.setdefault(machine, len(found))
    return found


def _matrices(fields: JsonFields) -> Iterator[list[list[Choice]]]:
    machines = fields.list_(fields.data["machines_matrix"], ("machines_matrix",), 1)
    times = fields.list_(fields.data.get("duration_matrix"), ("duration_matrix",), 1)
    if len(machines) != len(times):
        text = f"{len(machines)} jobs, as machines_matrix has."
        fields.fault(("duration_matrix",), f"{len(times)} jobs", text)
    for j, (line, time) in enumerate(zip(machines, times, strict=False)):
        at: Path = ("machines_matrix", j)
        line_, time_ = fields.list_(line, at, 1), fields.list_(time, ("duration_matrix", j), 1)
        if len(line_) != len(time_):
            text = f"{len(line_)} operations, as machines_matrix has."
            fields.fault(("duration_matrix", j), f"{len(time_)} operations", text)
        yield [
            _spread(fields, m, t, (*at, k))
            for k, (m, t) in enumerate(zip(line_, time_, strict=False))
        ]


def _spread(fields: JsonFields, machine: Any, time: Any, path: Path) -> list[Choice]:
    """Return the choices of an operation whose machines and times are numbers or lists."""
    machines = machine if isinstance(machine, list) else [machine]
    times = time if isinstance(time, list) else [time] * len(machines)
    if len(times) != len(machines) or not machines:
        fields.fault(path, f"{len(times)} times", f"A time for each of {len(machines)} machines.")
        return []
    return [
        (_machine(fields, m, path), fields.number(t, path), path)
        for m, t in zip(machines, times, strict=True)
    ]


def _jobs(fields: JsonFields) -> Iterator[list[list[Choice]]]:
    for j, job in enumerate(fields.list_(fields.data.get("jobs"), ("jobs",), 1)):
        path: Path = ("jobs", j)
        steps = job
        if isinstance(job, dict):
            key = next((k for k in OPERATIONS if k in job), OPERATIONS[0])
            path, steps = (*path, key), job.get(key)
        yield [
            _operation(fields, step, (*path, k))
            for k, step in enumerate(fields.list_(steps, path, 1))
        ]


def _operation(fields: JsonFields, step: Any, path: Path) -> list[Choice]:
    if isinstance(step, list):
        if len(step) == 2 and all(isinstance(v, int | float) for v in step):
            return _spread(fields, step[0], step[1], path)  # a pair of machine and time
        return [c for i, one in enumerate(step) for c in _operation(fields, one, (*path, i))]
    step = fields.object_(step, path)
    for key in CHOICES:
        if isinstance(step.get(key), list):
            return _operation(fields, step[key], (*path, key))
    machines = step.get("machines")
    if isinstance(machines, dict):  # time by machine
        return [
            (_machine(fields, int(m) if m.isdecimal() else m, path), fields.number(t, path), path)
            for m, t in machines.items()
        ]
    if machines is not None:
        times = next((step[k] for k in ("durations", *TIME) if k in step), None)
        return _spread(fields, machines, times, path)
    machine = next((step[k] for k in MACHINE if k in step), None)
    time = next((step[k] for k in TIME if k in step), None)
    return _spread(fields, machine, time, path)


def _machine(fields: JsonFields, value: Any, path: Path) -> Any:
    if (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value
    ):
        return value
    fields.fault(path, value, "A machine: a whole number or a name.")
    return 0


def is_shop_json(text: str) -> bool:
    """Whether a text is a job shop in JSON."""
    if has_keys(text, "machines_matrix", "duration_matrix"):
        return True
    if not has_keys(text, "jobs") or has_keys(text, "devices"):
        return False
    machines = has_keys(text, "machine") or has_keys(text, "machines")
    return has_keys(text, "operations") or (machines and not has_keys(text, "schemaVersion"))


FORMATS = (Format("shop-json", (".json",), read_shop_json, sniff=is_shop_json, begins=("json",)),)
