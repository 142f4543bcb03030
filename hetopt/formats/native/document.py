"""Instances as YAML or JSON documents, for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hetopt.compile import from_frames
from hetopt.compile.cells import REQUIRED
from hetopt.compile.rows import UNSURE, Rows
from hetopt.errors import InputError, Problem
from hetopt.formats.json_text import JsonDocument, parse_json
from hetopt.formats.native.fields.forgotten_units import ForgottenUnits
from hetopt.formats.native.yaml_source import parse_yaml
from hetopt.formats.place import Fault, Parsed, Path, document_order, path_text
from hetopt.instance import Instance
from hetopt.instance.column_specs import SETTINGS, TABLES

PROBLEMS_ALIKE = 20
"""Problems reported of one kind at one field; more of them are only counted."""

TABLE_KEYS = {"options": "profiles"}
"""Where a document has a table's rows, if not under its name."""


def read_yaml(text: str, name: str) -> Instance:
    """Read an instance from a YAML document."""
    return read_parsed(parse_yaml(text, name))


def read_json(text: str, name: str) -> Instance:
    """Read an instance from a JSON document; like :func:`read_yaml`, with paths for lines."""
    return read_parsed(JsonDocument(name, parse_json(text, name)))


def write_yaml(instance: Instance) -> str:
    """Return the YAML document of an instance."""
    from hetopt.formats.native import document_text

    return document_text.write_yaml(instance)


def write_json(instance: Instance) -> str:
    """Return the JSON document of an instance."""
    from hetopt.formats.native import document_text

    return document_text.write_json(instance)


def read_parsed(parsed: Parsed, faults: Sequence[Fault] = ()) -> Instance:
    """Read an instance from a document's data.

    Parameters
    ----------
    parsed
        The data, and what to call places in it.
    faults
        What is known to be wrong already.

    Raises
    ------
    InputError
        With every problem: place, value and what was expected.
    """
    from hetopt.formats.native.expand import expand
    from hetopt.formats.native.fields.field_places import column_at
    from hetopt.formats.native.shape import NO_FIELD, check_shape

    try:
        data, wrong = check_shape(parsed.data)
    except RecursionError:
        expected = "A document with fewer levels of nesting is expected."
        raise InputError([Problem(parsed.name, "", expected)]) from None
    faults = [*faults, *wrong]
    if not data:
        raise InputError([_problem(parsed, fault) for fault in faults])
    dropped = [fault.path for fault in wrong]
    misnamed = {fault.path[:-1] for fault in wrong if fault.expected.startswith(NO_FIELD)}
    units_seen = ForgottenUnits()
    rows, settings, more = expand(data, units_seen)
    faults += more
    sheets = rows.sheets()
    for fault in wrong:
        table, column = column_at(fault.path)
        if table in sheets and not fault.expected.startswith(NO_FIELD):
            sheets[table].attrs.setdefault(UNSURE, []).append(column)
    try:
        instance = from_frames(sheets, settings)
    except InputError as error:
        for problem in error.problems:
            path, column = _path(problem, rows, parsed.data)
            # A part whose entries are wrong is not also called empty.
            empty = problem.table in TABLES and not (problem.column or problem.value)
            spoilt = empty and any(fault.path[:1] == path for fault in faults)
            # What is missing may stand there under the name that is not known.
            spoilt |= problem.expected.startswith(REQUIRED) and path[:-1] in misnamed
            # Options that are none have been taken out: the task names no profile for that.
            options = (*path[:-1], "options")
            spoilt |= path[-1:] == ("profile",) and any(
                fault.path[: len(options)] == options for fault in wrong
            )
            # A number of units is both ends of its range.
            spoilt |= path[-1:] == ("count",) and any(fault.path == path for fault in faults)
            if not spoilt and not _within(path, dropped):
                expected = problem.expected
                if column and (not path or path[-1] != column):
                    expected = f"{column}: {expected}"
                faults.append(Fault(path, problem.value, expected))
    else:
        if not faults:
            notes = units_seen.notes()
            return instance.read_from(" ".join(notes)) if notes else instance
    faults.sort(key=lambda fault: document_order(parsed.data, fault.path))
    raise InputError(_thinned(parsed, faults))


def _problem(parsed: Parsed, fault: Fault) -> Problem:
    return Problem(parsed.place(fault.path), fault.value, fault.expected)


def _thinned(parsed: Parsed, faults: Sequence[Fault]) -> list[Problem]:
    """Return the problems, each once, and of very many alike only the first and their number."""
    problems: dict[tuple[Path, str, str], Problem] = {}
    alike: dict[tuple[str, str], int] = {}
    for fault in faults:
        if (fault.path, fault.value, fault.expected) in problems:
            continue
        kind = (re.sub(r"\[\d+\]", "[]", path_text(fault.path)), fault.expected[:24])
        alike[kind] = alike.get(kind, 0) + 1
        if alike[kind] <= PROBLEMS_ALIKE:
            problems[fault.path, fault.value, fault.expected] = _problem(parsed, fault)
    rest = [
        Problem(f"{parsed.name}, {place}", "", f"{n - PROBLEMS_ALIKE} more have the same problem.")
        for (place, _), n in alike.items()
        if n > PROBLEMS_ALIKE
    ]
    return [*problems.values(), *rest]


def _within(path: Path, dropped: list[Path]) -> bool:
    return any(path[: len(part)] == part for part in dropped)


def _path(problem: Problem, rows: Rows[Path], data: Any) -> tuple[Path, str]:
    """Translate a table position; also return the column where the path does not hold it."""
    if problem.table == "settings":
        return _setting_path(problem.column, data), ""
    if problem.table not in TABLES:
        return (), ""
    base = rows.place(problem.table, problem.row)
    if base is None:
        return (TABLE_KEYS.get(problem.table, problem.table),), problem.column
    if not problem.column:
        return base, ""
    entry = data
    for part in base:
        entry = entry[part]
    if not isinstance(entry, dict):  # an amount or a rate: its path names what it is of
        return base, ""
    if problem.column in ("count_min", "count_max") and problem.column not in entry:
        if not isinstance(entry.get("count"), dict):
            return (*base, "count"), ""
        return (*base, "count", problem.column.removeprefix("count_")), ""
    if isinstance(entry.get("latency_slo"), dict) and problem.table == "jobs":
        names = {"latency_slo_s": "limit", "latency_quantile": "quantile"}
        if problem.column in names:
            return (*base, "latency_slo", names[problem.column]), ""
    if problem.table == "options" and base[0] == "profiles" and len(base) == 2:
        return base, problem.column
    column = next(c for c in TABLES[problem.table] if c.name == problem.column)
    for name in column.names:
        if name in entry:
            return (*base, name), ""
    held = entry.get(column.within) if column.within else None
    if isinstance(held, dict):
        name = next((n for n in column.inner_names if n in held), column.inner_names[0])
        return (*base, column.within, name), ""
    return (*base, (*column.aliases, column.name)[0]), ""


def _setting_path(name: str, data: Any) -> Path:
    group = re.fullmatch(r"(\w+)\[(\d+)\]", name)
    if group:
        return (*_setting_path(group[1], data), int(group[2]))
    for column in SETTINGS:
        if name == column.name:
            held = data.get(column.within) if column.within else None
            if isinstance(held, dict):
                inner = [n for n in column.inner_names if n in held]
                if inner:
                    return (column.within, inner[0])
            return (next((a for a in column.aliases if a in data), name),)
    return (name,)
