"""Settings to values: checked like cells of tables, or lists of what changes over time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.compile.cells import cell_names, clean_column
from hetopt.compile.problems import Checker, unknown_field
from hetopt.compile.rows import column_cells
from hetopt.errors import Problem
from hetopt.instance import Series
from hetopt.instance.column_specs import GROUP_SETTINGS, SETTINGS, Column


def clean_settings(settings: Mapping[str, Any], check: Checker) -> dict[str, Any]:
    """Return every setting with its default, unknown and wrong ones recorded."""
    known = {alias: c.name for c in SETTINGS for alias in c.names}
    given: dict[str, Any] = {}
    for name, value in settings.items():
        if name in GROUP_SETTINGS:
            continue
        if name not in known:
            hint = unknown_field(name, [*(c.name for c in SETTINGS), *GROUP_SETTINGS], known)
            check.setting(name, "", f"No such setting. {hint}")
        elif value is not None:
            given[known[name]] = value
    result: dict[str, Any] = {}
    for column in SETTINGS:
        if column.type == "names":
            result[column.name] = tuple(cell_names(given.get(column.name)))
            continue
        if column.name not in given:
            result[column.name] = column.default
            continue
        if column.pieces and _is_list(given[column.name]):
            result[column.name] = _clean_series(column, given[column.name], check)
            continue
        before = len(check.problems)
        cells = {column.name: column_cells([given[column.name]])}
        clean = clean_column("settings", column, cells, 1, check)[0]
        check.problems[before:] = [
            Problem(f"setting {column.name}", p.value, p.expected, "settings", -1, column.name)
            for p in check.problems[before:]
        ]
        result[column.name] = str(clean) if column.type == "text" else clean.item()
        check.read_as("settings", column.name, given[column.name], result[column.name])
    for name in GROUP_SETTINGS:
        result[name] = _group_lists(name, settings.get(name), check)
    return result


def _is_list(value: object) -> bool:
    """Whether a setting's value is a list, as such or as the text of one in JSON."""
    return isinstance(value, (list, tuple)) or (
        isinstance(value, str) and value.lstrip().startswith("[")
    )


def _clean_series(column: Column, value: Any, check: Checker) -> Series | float:
    """Return a setting that changes over time; a plain number where it never does.

    Parameters
    ----------
    column
        The setting; its ``pieces`` are the fields of one entry.
    value
        A list of mappings, or the text of one in JSON.
    """
    default = float(column.default or 0.0)
    names = ", ".join(piece.aliases[0] for piece in column.pieces)
    expected = f"A number, or a list of pieces, each with the fields {names}."
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not value or not all(isinstance(entry, Mapping) for entry in value):
        check.setting(column.name, value, expected)
        return default
    before = len(check.problems)
    known = {alias: p.name for p in column.pieces for alias in p.names}
    cells: dict[str, list[Any]] = {piece.name: [None] * len(value) for piece in column.pieces}
    for k, entry in enumerate(value):
        for name, cell in entry.items():
            if name not in known:
                hint = unknown_field(str(name), [p.aliases[0] for p in column.pieces], known)
                check.setting(f"{column.name}[{k}]", name, f"No such field. {hint}")
            elif cells[known[name]][k] is not None:
                check.setting(f"{column.name}[{k}]", cell, f"{known[name]} once.")
            else:
                cells[known[name]][k] = cell
    if len(check.problems) > before:
        return default  # what seems to be missing may stand there under a wrong name
    begin, level = (
        clean_column("settings", p, {p.name: column_cells(cells[p.name])}, len(value), check)
        for p in column.pieces
    )
    check.problems[before:] = [_of_piece(column, p) for p in check.problems[before:]]
    if len(check.problems) == before:
        if begin[0] != 0:
            given = cells[column.pieces[0].name]
            check.setting(f"{column.name}[0]", given[0], "A first piece that begins at 0.")
        for k in (np.flatnonzero(np.diff(begin) <= 0) + 1).tolist():
            text = "A piece that begins later than the one before."
            check.setting(f"{column.name}[{k}]", value[k], text)
    if len(check.problems) > before:
        return default
    keep = np.append(True, np.diff(level) != 0)
    if not keep[1:].any():
        return float(level[0])
    return Series(tuple(begin[keep].tolist()), tuple(level[keep].tolist()))


def _of_piece(column: Column, problem: Problem) -> Problem:
    """Put a cell's problem at its piece."""
    if problem.column.startswith(column.name):
        return problem
    name = f"{column.name}[{problem.row}]" if problem.row >= 0 else column.name
    expected = f"{problem.column}: {problem.expected}"
    return Problem(f"setting {name}", problem.value, expected, "settings", -1, name)


def _group_lists(name: str, value: Any, check: Checker) -> list[list[str]]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(g, (list, tuple)) for g in value):
        check.setting(name, value, "A list of lists of task names.")
        return []
    return [[str(task) for task in group] for group in value]
