"""New figures of options and devices into a folder of tables, all other cells as they were."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import means_folder
from hetopt.formats.native.tables_folder import (
    SUFFIXES,
    beside_folder,
    read_folder,
    read_table,
    table_files,
)
from hetopt.formats.native.write_back import Fields, spelt, spelt_option
from hetopt.instance.column_specs import TABLES

if TYPE_CHECKING:
    import pandas as pd

Spell = Callable[[Mapping[str, Any], Fields], dict[str, Any]]


def write_back_tables(
    folder: Path,
    target: Path,
    options: Mapping[tuple[str, str, str], Fields],
    devices: Mapping[str, Fields] | None = None,
) -> None:
    """Write a folder of tables anew with fields of some options and devices changed.

    A field keeps the column and the unit that its row has for it; a column that is new is empty in
    all other rows. Files of other tables are copied as they are.

    Parameters
    ----------
    folder
        The tables, Parquet or CSV.
    target
        Where the new ones go: the same folder, or another.
    options, devices
        New fields; see :func:`hetopt.formats.native.write_back.write_back`.

    Raises
    ------
    InputError
        Where an option stands in no table (it comes from the catalogue), the target is a file, or
        what would be written is no instance.
    """
    if not (target.is_dir() or (means_folder(target) and not target.exists())):
        text = "A folder, as tables are written back as tables."
        raise InputError([Problem(str(target), "", text)])
    files = table_files(folder, [])
    of_options: dict[tuple[str, ...], Fields] = {}
    of_options.update(options.items())
    of_devices: dict[tuple[str, ...], Fields] = {(d,): f for d, f in (devices or {}).items()}
    keyed: tuple[tuple[str, tuple[str, ...], dict[tuple[str, ...], Fields], Spell], ...] = (
        ("options", ("profile", "device", "label"), of_options, spelt_option),
        ("devices", ("name",), of_devices, spelt),
    )
    beside = beside_folder(target)
    try:
        for path in folder.iterdir():
            if path.is_file():
                shutil.copyfile(path, beside / path.name)
        for table, key, fields, spell in keyed:
            if fields:
                path = files[table]
                _write(_changed(path, key, fields, spell), beside / path.name)
        _check(beside, target)
        target.mkdir(exist_ok=True)
        made = {path.name for path in beside.iterdir()}
        for stale in (target / f"{table}{suffix}" for table in TABLES for suffix in SUFFIXES):
            if stale.name not in made:
                stale.unlink(missing_ok=True)
        for path in sorted(beside.iterdir()):
            path.replace(target / path.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _check(beside: Path, target: Path) -> None:
    """Read what would be written."""
    try:
        read_folder(beside)
    except InputError as error:
        name = f"{target} (as it would be written)"
        raise InputError(
            [
                Problem(p.place.replace(str(beside), name), p.value, p.expected)
                for p in error.problems
            ]
        ) from None


def _changed(
    path: Path, key: tuple[str, ...], fields: Mapping[tuple[str, ...], Fields], spell: Spell
) -> pd.DataFrame:
    """Return the table of a file with the fields of some rows changed."""
    frame = read_table(path)
    names = zip(*(_texts(frame, column) for column in key), strict=True)
    at = {name: row for row, name in enumerate(names)}
    cells: dict[str, dict[int, Any]] = {}
    for name, new in fields.items():
        if name not in at:
            expected = "A row of the table; options of the catalogue stand in none."
            raise InputError([Problem(f"{path}, {'/'.join(name)}", "", expected)])
        row = at[name]
        for column, value in spell(_entry(frame, row), new).items():
            cells.setdefault(column, {})[row] = value
    for column, values in cells.items():
        old = frame[column].tolist() if column in frame else [None] * len(frame)
        frame[column] = [values.get(row, value) for row, value in enumerate(old)]
    return frame


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame:
        return [""] * len(frame)
    return ["" if _missing(cell) else str(cell) for cell in frame[column].tolist()]


def _entry(frame: pd.DataFrame, row: int) -> dict[str, Any]:
    """Return the cells of a row that hold anything."""
    cells = {str(name): frame[name].iloc[row] for name in frame.columns}
    return {name: cell for name, cell in cells.items() if not _missing(cell)}


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False, engine="pyarrow")
    else:
        frame.to_csv(path, index=False, lineterminator="\n")
