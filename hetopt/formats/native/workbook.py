"""Instances as an Excel workbook: a sheet a table, and ``settings`` for limits and objective."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetopt.compile import from_frames, to_frames, to_settings
from hetopt.errors import InputError, Problem
from hetopt.formats.excel import ExcelTable, read_workbook_tables, write_workbook_tables
from hetopt.formats.native.fields.forgotten_units import ForgottenUnits
from hetopt.instance import Instance
from hetopt.instance.column_specs import SETTINGS, TABLES

if TYPE_CHECKING:
    import pandas as pd

SETTINGS_SHEETS = ("settings", "instance")
"""Names of the sheet with a name and a value a row."""


def read_workbook(path: Path) -> Instance:
    """Read an instance from a workbook.

    Parameters
    ----------
    path
        Has the sheets ``devices``, ``options``, ``tasks`` and what else is needed, and
        ``settings`` with a name and a value a row. Other sheets are left out, and named.

    Raises
    ------
    InputError
        With every problem: sheet, row, column, value and what was expected.
    """
    sheets = read_workbook_tables(path)
    by_name = {name.lower(): table for name, table in sheets.items()}
    settings = next((by_name[n] for n in SETTINGS_SHEETS if n in by_name), None)
    tables = {name: by_name[name] for name in TABLES if name in by_name}
    problems = []
    others = [n for n in sheets if n.lower() not in (*TABLES, *SETTINGS_SHEETS)]
    for name in list(others):
        near = difflib.get_close_matches(name.lower(), list(TABLES), n=1, cutoff=0.75)
        if near and near[0] not in tables:
            text = f"A table's name; did you mean {near[0]}?"
            problems.append(Problem(f"{path}, sheet {name}", "", text))
            others.remove(name)
    if not tables:
        text = (
            f"A workbook with the sheets devices, options, tasks, jobs; known: {', '.join(TABLES)}."
        )
        problems.append(Problem(str(path), ", ".join(sheets), text))
    if problems:
        raise InputError(problems)
    told = [f"Not read, as no tables of an instance: {', '.join(others)}."] if others else []
    if settings is None:
        told.append(
            "The workbook has no sheet settings: there are no limits, and an objective that is not "
            "asked for is the default one."
        )
    given, rows = _settings(settings)
    seen = ForgottenUnits()
    for table, sheet in tables.items():
        for column in TABLES[table]:
            for label in column.names:
                for row, value in zip(sheet.lines, _cells(sheet, label), strict=False):
                    seen.see(column, label, value, f"sheet {table}, row {row}")
    for column in SETTINGS:
        for label in column.names:
            seen.see(column, label, given.get(label), "sheet settings")
    try:
        instance = from_frames({n: _frame(t) for n, t in tables.items()}, given)
    except InputError as error:
        found = [_placed(path, problem, tables, rows) for problem in error.problems]
        raise InputError(found) from None
    return instance.read_from(" ".join([*told, *seen.notes()]))


def write_workbook(instance: Instance, path: Path) -> None:
    """Write an instance as a workbook, whole or not at all."""
    settings = to_settings(instance)
    tables: dict[str, Any] = {
        "settings": (("name", "value"), [[k, _text(v)] for k, v in settings.items()])
    }
    for name, frame in to_frames(instance).items():
        if len(frame):
            tables[name] = (list(frame.columns), frame.to_numpy(dtype=object).tolist())
    write_workbook_tables(path, tables)


def _text(value: Any) -> Any:
    import json

    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ", ".join(value)
    return json.dumps(value) if isinstance(value, list | dict) else value


def _settings(sheet: ExcelTable | None) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the settings, and the row of each; the header may itself be a setting."""
    if sheet is None:
        return {}, {}
    first: list[Any] = list(sheet.header)
    rows = [(0, first)] if [str(cell).lower() for cell in first[:2]] != ["name", "value"] else []
    rows += list(zip(sheet.lines, sheet.rows, strict=True))
    given: dict[str, Any] = {}
    where: dict[str, int] = {}
    for number, row in rows:
        name = str(row[0] or "").strip()
        if name and name != "hetopt":
            given[name] = row[1] if len(row) > 1 else None
            where[name] = number or 1
    return given, where


def _cells(sheet: ExcelTable, label: str) -> list[Any]:
    if label not in sheet.header:
        return []
    at = sheet.header.index(label)
    return [row[at] for row in sheet.rows]


def _frame(sheet: ExcelTable) -> pd.DataFrame:
    import pandas as pd

    columns = {name: [row[i] for row in sheet.rows] for i, name in enumerate(sheet.header)}
    return pd.DataFrame({n: pd.Series(cells, dtype=object) for n, cells in columns.items()})


def _placed(
    path: Path, problem: Problem, tables: dict[str, ExcelTable], settings: dict[str, int]
) -> Problem:
    """Return the problem with the place that its reader sees in a spreadsheet."""
    column = f", column {problem.column}" if problem.column else ""
    if problem.table == "settings":
        aliases = next((c.aliases for c in SETTINGS if c.name == problem.column), ())
        row = next((settings[n] for n in (problem.column, *aliases) if n in settings), None)
        place = f"{path}, sheet settings" + (f", row {row}" if row else "") + column
    elif problem.table in tables:
        lines = tables[problem.table].lines
        row = lines[problem.row] if 0 <= problem.row < len(lines) else None
        place = f"{path}, sheet {problem.table}" + (f", row {row}" if row else "") + column
    else:
        place = f"{path}, {problem.place}"
    return replace(problem, place=place)
