"""Plans of schedules that others wrote: their names of fields, CSV, and units that they leave out.

A row needs a task (or a job and an operation, numbered), a device (or machine, by name or number),
and a start. Where no unit is named, each task gets one that is free from its start on, in the order
of the starts; where none is, the first, so that the checker says what overlaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.evaluate.slowing import task_ends
from hetopt.formats.delimited import read_delimited
from hetopt.formats.json_text import read_text
from hetopt.instance import Floats, Instance, Ints

NAMES = {
    "task": ("operation_name", "activity", "task_name", "name", "id"),
    "device": ("machine", "resource", "processor", "machine_id", "device_name", "node"),
    "option": ("mode", "label", "option_label"),
    "start_s": ("start", "start_time", "begin", "start_at", "s"),
    "end_s": ("end", "end_time", "finish", "completion", "stop"),
    "job": ("job_id", "job_index"),
    "operation": ("op", "step", "operation_id", "operation_index", "task_id"),
}
"""Fields of an assignment, and what others call them."""
LISTS = ("assignments", "schedule", "tasks", "operations", "plan")
LEFT_OUT = ("end_s", "job", "operation", "duration", "processing_time", "job_name")
"""What is known without the plan."""


def is_csv(path: Path) -> bool:
    """Whether a plan's file is a table of texts."""
    return path.name.lower().endswith((".csv", ".csv.gz", ".tsv"))


def read_csv_plan(instance: Instance, path: Path) -> tuple[dict[str, Any], list[int]]:
    """Return a plan's object that a table with a row a task describes, and the lines of rows.

    Raises
    ------
    InputError
        If it is no such table, or the instance has no schedules.
    """
    if instance.regime != "schedule":
        text = "A JSON plan: a table says nothing of the units that serve streams."
        raise InputError([Problem(str(path), "", text)])
    table = read_delimited(read_text(path), str(path))
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    found = [{k: v for k, v in row.items() if v != ""} for row in rows]
    return {"assignments": found}, table.lines


def in_our_words(instance: Instance, obj: Any) -> Any:
    """Return a plan's object with the fields that are known here; what is right stays as it is."""
    if instance.regime != "schedule":
        return obj
    if isinstance(obj, list) and any(isinstance(row, Mapping) for row in obj):
        obj = {"assignments": obj}
    if not isinstance(obj, Mapping):
        return obj
    if "assignments" not in obj:
        found = next((obj[k] for k in LISTS if isinstance(obj.get(k), list)), None)
        if found is None:
            return obj
        obj = {"assignments": found}
    rows = obj["assignments"]
    if not isinstance(rows, list):
        return obj
    spelt = _Spelling(instance, [row for row in rows if isinstance(row, Mapping)])
    changed = [spelt.row(row) if isinstance(row, Mapping) else row for row in rows]
    return {**obj, "assignments": changed}


class _Spelling:
    """Rows of another's plan, read with what all of them say together."""

    def __init__(self, instance: Instance, rows: list[Mapping[str, Any]]) -> None:
        self.devices = frozenset(instance.devices.name.tolist())
        self.tasks = frozenset(instance.tasks.name.tolist())
        numbers = [whole(value) for row in rows for key, value in row.items() if key in ("job",)]
        self.from_0 = 0 in numbers or any(
            whole(row.get(key)) == 0 for row in rows for key in ("operation", "op", "step")
        )

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in row.items():
            name = str(key).strip().lower().replace(" ", "_")
            known = next((c for c, others in NAMES.items() if name in (c, *others)), name)
            found.setdefault(known if known not in row or known == key else name, value)
        if "task" not in found and {"job", "operation"} <= found.keys():
            job, step = whole(found["job"]), whole(found["operation"])
            if job is not None and step is not None:
                shift = 1 if self.from_0 else 0
                found["task"] = f"J{job + shift}.{step + shift}"
        device = found.get("device")
        if device is not None and str(device) not in self.devices:
            number = whole(device)
            if number is not None and f"M{number}" in self.devices:
                found["device"] = f"M{number}"
        for key in ("task", "device", "option"):
            if isinstance(found.get(key), int | float):
                found[key] = f"{found[key]:g}"
        if isinstance(found.get("start_s"), str):
            with suppress(units.UnitError):  # the reader says what is wrong with it
                found["start_s"] = units.parse(found["start_s"], "time")
        for key in LEFT_OUT:
            if key != "end_s" or "end_s" not in row:
                found.pop(key, None)
        return found


def whole(value: Any) -> int | None:
    """Return a whole number, None where the value is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def fill_units(instance: Instance, option: Ints, unit: Ints, start_s: Floats) -> Ints:
    """Return the units with one for each task that has an option and names none."""
    open_ = np.flatnonzero((option >= 0) & (unit < 0))
    if not len(open_):
        return unit
    unit = unit.copy()
    options, devices = instance.options, instance.devices
    ends = task_ends(instance, option, unit, start_s)
    free: dict[int, list[list[float]]] = {}
    for d in np.unique(options.device[option[open_]]).tolist():
        count = max(1, int(devices.count_max[d]))
        free[d] = [[0.0] * int(devices.slots[d]) for _ in range(count)]
    named = np.flatnonzero((option >= 0) & (unit >= 0))
    order = np.concatenate([named, open_])
    for t in order[np.argsort(start_s[order], kind="stable")].tolist():
        device = int(options.device[option[t]])
        if device not in free:
            continue
        begin, end = float(start_s[t]), float(ends[t])
        slack = 1e-9 * max(abs(begin), abs(end))
        if unit[t] < 0:
            unit[t] = next(
                (u for u, slots in enumerate(free[device]) if min(slots) <= begin + slack), 0
            )
        if unit[t] < len(free[device]):
            slots = free[device][unit[t]]
            at = min(range(len(slots)), key=slots.__getitem__)
            slots[at] = max(slots[at], end)
    return unit
