"""Telemetry: what was observed of executions, one row each (docs/telemetry.md).

``device`` may name a unit (``npu#0``). One of ``timestamp`` and ``start_s`` is needed, in seconds
or as a date. A row of no time at all says nothing and is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hetopt.errors import InputError, Problem
from hetopt.profiling.tables.fields import Field, Found, find_fields, text_of
from hetopt.profiling.tables.sheet import Sheet, read_sheet

FIELDS = (
    Field("device", ("processor", "unit")),
    Field("task", ("segment", "name")),
    Field("label", ("option",)),
    Field("start", ("start time",), "time"),
    Field("time", ("duration", "elapsed"), "time"),
    Field("energy", (), "energy"),
    Field("timestamp", ("at", "end"), "time"),
)
COLUMNS = ("device", "task", "label", "start_s", "time_s", "energy_j", "timestamp")
"""Headings of the form as it is written."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed execution.

    Attributes
    ----------
    device, unit, task, label
        Where what ran how; ``unit`` is -1 where the row names none.
    time_s, energy_j
        Time, and energy above idle (NaN where not measured).
    at_s
        When: the timestamp, or the start where there is none, s.
    start_s
        Start, NaN where the row has none.
    place
        File and line, for errors.
    """

    device: str
    unit: int
    task: str
    label: str
    time_s: float
    energy_j: float
    at_s: float
    start_s: float
    place: str


def read_telemetry(
    paths: Sequence[str | Path], columns: Mapping[str, str] | None = None
) -> list[Observation]:
    """Read telemetry files, ordered by when things happened; equal times by file and line.

    Parameters
    ----------
    paths
        CSV or JSON lines.
    columns
        Fields by heading, where they are called otherwise: ``{"cpu_s": "time"}`` takes processor
        time for the time of an execution.

    Raises
    ------
    InputError
        If a column is missing or a cell is wrong.
    """
    rows: list[Observation] = []
    for path in paths:
        rows += _rows(read_sheet(path), columns or {})
    return sorted(rows, key=lambda row: row.at_s)


def _rows(sheet: Sheet, columns: Mapping[str, str]) -> list[Observation]:
    found = find_fields(sheet, FIELDS, columns)
    missing = [name for name in ("device", "task", "time") if name not in found]
    if "timestamp" not in found and "start" not in found:
        missing.append("timestamp (or start), to know what was counted already")
    if missing:
        text = f"Telemetry with columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}."
        raise InputError([Problem(sheet.name, ", ".join(sheet.columns)[:80], text)])
    rows = []
    for i in range(len(sheet.rows)):
        name = text_of(sheet, i, found["device"])
        match = re.fullmatch(r"(.+)#(\d+)", name)
        time = sheet.number(i, found["time"].column) * found["time"].factor
        if not time >= 0:
            raise sheet.problem(i, found["time"].column, "A time of at least 0.")
        if time == 0:
            continue
        energy = _optional(sheet, i, found.get("energy"))
        if energy < 0:
            raise sheet.problem(i, found["energy"].column, "An energy of at least 0.")
        start = _when(sheet, i, found.get("start"))
        at = _when(sheet, i, found.get("timestamp"))
        at = start if math.isnan(at) else at
        if math.isnan(at):
            column = found["timestamp" if "timestamp" in found else "start"].column
            raise sheet.problem(i, column, "A time, in seconds or as a date.")
        rows.append(
            Observation(
                device=match[1] if match else name,
                unit=int(match[2]) if match else -1,
                task=text_of(sheet, i, found["task"]),
                label=text_of(sheet, i, found.get("label")),
                time_s=time,
                energy_j=energy,
                at_s=at,
                start_s=start,
                place=f"{sheet.name}:{sheet.lines[i]}",
            )
        )
    return rows


def _optional(sheet: Sheet, row: int, found: Found | None) -> float:
    return math.nan if found is None else sheet.number(row, found.column) * found.factor


def _when(sheet: Sheet, row: int, found: Found | None) -> float:
    """Return a time in seconds: a number, or a date (without a zone: of UTC)."""
    if found is None:
        return math.nan
    text = text_of(sheet, row, found)
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        try:
            return sheet.number(row, found.column) * found.factor
        except InputError:
            expected = "A time in seconds, or a date such as 2026-11-30T12:00:00.5."
            raise sheet.problem(row, found.column, expected) from None
    try:
        date = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        raise sheet.problem(row, found.column, "A date such as 2026-11-30T12:00:00.5.") from None
    if date.tzinfo is None:
        date = datetime.fromisoformat(f"{date.isoformat()}+00:00")
    return date.timestamp()
