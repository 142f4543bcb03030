"""Results on disk: one JSON file, or a folder of Parquet tables for large plans.

Files are written beside their place and then renamed, so that each is there whole or not at all.
In a folder, ``result.json`` (the result without its plan) is written last.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import means_folder, write_whole
from hetopt.formats.json_text import parse_json, read_text
from hetopt.formats.parquet import pyarrow
from hetopt.formats.plans.columns import Column, arrow_tables
from hetopt.formats.plans.large_schedules import (
    LARGE_ROWS,
    is_large,
    json_pieces,
)
from hetopt.formats.plans.nesting import group_routes, without_plan
from hetopt.formats.plans.sheets import sheet_writer
from hetopt.formats.plans.states import group_states, state_columns
from hetopt.formats.plans.writing import (
    assignment_table,
    held_columns,
    plan_to_dict,
    route_columns,
    rows,
    solution_to_dict,
    transfer_table,
    unit_columns,
)
from hetopt.instance import Instance
from hetopt.solution import PeriodPlan, Plan, SchedulePlan, Solution

RESULT = "result.json"
GROUP_ROWS = 250_000
"""Rows of Parquet that are made at a time."""
TABLE_NAMES = ("assignments", "transfers", "units", "routes", "held", "states")


def write_solution(path: str | Path, instance: Instance, solution: Solution) -> None:
    """Write a solution to a JSON file, as tables by extension, or to a folder of tables.

    ``.csv`` and ``.parquet`` hold the table that places the work, ``.xlsx`` all tables as sheets.
    :func:`hetopt.formats.files.means_folder` tells whether a path means a folder.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    target = Path(path)
    as_tables = sheet_writer(path)
    if means_folder(path):
        write_tables(target, instance, solution)
    elif as_tables is not None:
        with _named_errors(target):
            as_tables(target, instance, solution)
    elif target.suffix.lower() in (".html", ".htm"):
        text = "A page is made by write_report, Solution.report, or `hetopt solve -o FILE.html`."
        raise InputError([Problem(str(path), "", text)])
    elif is_large(solution):
        _write_whole(target, partial(_write_pieces, json_pieces(instance, solution)))
    else:
        write_result(target, solution_to_dict(instance, solution))


def write_plan(path: str | Path, instance: Instance, plan: Plan) -> None:
    """Write a bare plan as a JSON file, without a result around it.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    write_result(path, {"plan": plan_to_dict(instance, plan)})


def _write_pieces(pieces: Iterator[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(pieces)


def write_result(path: str | Path, result: Mapping[str, Any]) -> None:
    """Write an object as a JSON file, whole or not at all.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    plan = result.get("plan") or {}
    # Larger ones stand on one line: indentation costs several times the time and size.
    large = sum(len(part) for part in plan.values()) > LARGE_ROWS
    indent = None if large else 1
    text = json.dumps(result, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    _write_whole(Path(path), text)


def write_tables(folder: str | Path, instance: Instance, solution: Solution) -> None:
    """Write a solution as a folder: the plan's tables in Parquet, the rest in ``result.json``.

    Tables of an earlier result in the same folder are replaced.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    target, plan = Path(folder), solution.plan
    pyarrow(target)
    tables: dict[str, Mapping[str, Column]] = {}
    if isinstance(plan, SchedulePlan):
        tables["assignments"] = assignment_table(instance, plan)
        tables["transfers"] = transfer_table(instance, plan)
    elif plan is not None:
        tables["units"] = unit_columns(instance, plan)
        tables["routes"] = route_columns(instance, plan)
        if isinstance(plan, PeriodPlan) and len(plan.held):
            tables["held"] = held_columns(instance, plan)
        states = state_columns(instance, plan)
        if states:
            tables["states"] = states
    with _named_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        for name in (RESULT, *(f"{table}.parquet" for table in TABLE_NAMES)):
            (target / name).unlink(missing_ok=True)
    for name, columns in tables.items():
        _write_whole(target / f"{name}.parquet", partial(_write_parquet, columns))
    result = without_plan(solution_to_dict(instance, replace(solution, plan=None)))
    write_result(target / RESULT, result)


def _write_parquet(columns: Mapping[str, Column], path: Path) -> None:
    """Write a table of columns, a group of rows at a time."""
    pa = pyarrow(path)
    types = {"to": pa.list_(pa.string()), **dict.fromkeys(_WHOLE, pa.int64())}
    types |= dict.fromkeys(_NUMBERS, pa.float64()) | {"estimated": pa.bool_()}
    schema = pa.schema([(column, types.get(column, pa.string())) for column in columns])
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for table in arrow_tables(pa, columns, schema, GROUP_ROWS):
            writer.write_table(table)


def read_tables(folder: Path) -> dict[str, Any]:
    """Return the result object that a folder of tables holds, plan included.

    Raises
    ------
    InputError
        If there is no table, or one cannot be read.
    """
    result: dict[str, Any] = {}
    if (folder / RESULT).exists():
        found = parse_json(read_text(folder / RESULT), str(folder / RESULT))
        result = found if isinstance(found, dict) else {}
    plan: dict[str, Any] = {}
    for name in TABLE_NAMES:
        path = folder / f"{name}.parquet"
        if path.exists():
            plan[name] = _read_table(path)
    if "routes" in plan:
        plan["routes"] = group_routes(plan["routes"])
    if "states" in plan:
        plan["states"] = group_states(plan["states"])
    if not plan and not result:
        wanted = " or ".join(f"{name}.parquet" for name in ("assignments", "routes"))
        raise InputError([Problem(str(folder), "", f"A folder with {wanted} is expected.")])
    result["plan"] = plan or None
    return result


_WHOLE = ("edge", "hop", "link_index", "had", "on", "route", "state")
_NUMBERS = ("start_s", "end_s", "rate_per_s", "least_rate", "share")


def _read_table(path: Path) -> list[dict[str, Any]]:
    pa = pyarrow(path)
    try:
        columns: dict[str, list[Any]] = pa.parquet.read_table(path).to_pydict()
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(
            [Problem(str(path), "", f"A Parquet table is expected: {first}.")]
        ) from None
    return rows(columns)


def _write_whole(path: Path, content: str | Callable[[Path], object]) -> None:
    with _named_errors(path):
        write_whole(path, content)


@contextlib.contextmanager
def _named_errors(path: Path) -> Any:
    """Report a failure of the file system as an input error that names the path."""
    try:
        yield
    except OSError as error:
        reason = f"The place cannot be written to: {error.strerror or error}."
        raise InputError([Problem(str(path), "", reason)]) from None
