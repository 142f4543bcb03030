"""A plan as tables for spreadsheets and notebooks: CSV, Excel, one Parquet file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.excel import write_workbook_tables
from hetopt.formats.files import write_whole
from hetopt.formats.parquet import pyarrow
from hetopt.formats.plans.frame import plan_frame
from hetopt.formats.plans.replicas import replica_columns
from hetopt.formats.plans.states import state_columns
from hetopt.formats.plans.writing import (
    assignment_columns,
    route_columns,
    solution_to_dict,
    transfer_columns,
    unit_columns,
)
from hetopt.instance import Instance
from hetopt.solution import SchedulePlan, Solution

Table = dict[str, list[Any]]


def plan_tables(instance: Instance, solution: Solution) -> dict[str, Table]:
    """Return the tables of a plan by name, the one that places the work first.

    Raises
    ------
    InputError
        If there is no plan.
    """
    plan = solution.plan
    if plan is None:
        raise InputError(f"There is no plan to write (status {solution.status}).")
    if isinstance(plan, SchedulePlan):
        tables = {"assignments": assignment_columns(instance, plan)}
        tables["transfers"] = transfer_columns(instance, plan)
    else:
        tables = {"routes": route_columns(instance, plan), "units": unit_columns(instance, plan)}
        tables["replicas"] = replica_columns(instance, plan)
        tables["states"] = state_columns(instance, plan)
    return {name: table for name, table in tables.items() if any(table.values())}


def write_csv(path: Path, instance: Instance, solution: Solution) -> None:
    """Write the first table of a plan as CSV; the others are beside it in an Excel workbook."""
    columns = next(iter(plan_tables(instance, solution).values()))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_whole(path, text.getvalue())


def write_excel(path: Path, instance: Instance, solution: Solution) -> None:
    """Write every table of a plan as a sheet, and what is known of the plan as ``result``."""
    facts = solution_to_dict(instance, solution)
    plain = [
        [name, ", ".join(map(str, value)) if isinstance(value, list) else value]
        for name, value in facts.items()
        if isinstance(value, str | int | float | bool)
        or (name in ("objective_name", "objective", "bound", "gap", "notes") and value)
    ]
    sheets: dict[str, tuple[list[str], list[list[Any]]]] = {"result": (["name", "value"], plain)}
    for name, columns in plan_tables(instance, solution).items():
        sheets[name] = (list(columns), [list(row) for row in zip(*columns.values(), strict=True)])
    write_workbook_tables(path, sheets)


def write_parquet(path: Path, instance: Instance, solution: Solution) -> None:
    """Write the first table of a plan as one Parquet file."""
    pyarrow(path)
    if solution.plan is None:
        raise InputError(f"There is no plan to write (status {solution.status}).")
    frame = plan_frame(instance, solution.plan)
    write_whole(path, lambda place: frame.to_parquet(place, index=False, engine="pyarrow"))


Writer = Callable[[Path, Instance, Solution], None]
WRITERS: dict[str, Writer] = {".csv": write_csv, ".xlsx": write_excel, ".parquet": write_parquet}
"""Writers of tables by the extension of the file."""


def sheet_writer(path: str | Path) -> Writer | None:
    """Return what writes a plan's tables to a file of this name, None where nothing does.

    Raises
    ------
    InputError
        Where the extension asks for tables that cannot be written (``.xls``).
    """
    suffix = Path(path).suffix.lower()
    if suffix in (".xls", ".ods", ".xlsm", ".tsv"):
        expected = f"One of {', '.join(WRITERS)} for tables, or .json, .html."
        raise InputError([Problem("-o", str(path), expected)])
    return WRITERS.get(suffix)
