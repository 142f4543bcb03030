"""Excel workbooks, where openpyxl is installed: sheets as tables of cells, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import write_whole
from hetopt.profiling.extras import load_extra

SUFFIXES = (".xlsx", ".xlsm")
EXTRA = "excel"
WIDEST = 40
"""Characters of the widest column that is written."""


class ExcelTable:
    """One sheet: a header, and rows of cells (None where empty) with their numbers in the sheet."""

    def __init__(self, header: list[str], rows: list[list[Any]], lines: list[int]) -> None:
        self.header = header
        self.rows = rows
        self.lines = lines


def read_workbook_tables(path: Path) -> dict[str, ExcelTable]:
    """Return the sheets that have a header, by name; empty rows are left out.

    Raises
    ------
    InputError
        If the file is no workbook, a column stands twice, or a cell holds an error, a date, or a
        formula whose value the file does not have.
    """
    openpyxl = load_extra("openpyxl", EXTRA, path)
    try:
        values = openpyxl.load_workbook(path, data_only=True)
        formulas = openpyxl.load_workbook(path, data_only=False)
    except Exception as error:  # noqa: BLE001 - whatever a broken archive makes openpyxl raise
        text = f"An Excel workbook is expected, but: {' '.join(str(error).split())}."
        raise InputError([Problem(str(path), "", text)]) from None
    tables: dict[str, ExcelTable] = {}
    problems: list[Problem] = []
    for sheet in values.worksheets:
        table = _table(path, sheet, formulas[sheet.title], problems)
        if table is not None:
            tables[str(sheet.title).strip()] = table
    if problems:
        raise InputError(problems[:50])
    return tables


def _table(path: Path, sheet: Any, written: Any, problems: list[Problem]) -> ExcelTable | None:
    header: list[str] = []
    rows, lines = [], []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        formulas = [c.value for c in written[number]]
        lost = [i for i, c in enumerate(cells) if c is None and formulas[i] is not None]
        place = f"{path}, sheet {sheet.title}, row {number}"
        text = "A formula with its value: open the file in a spreadsheet and save it again."
        problems += [Problem(place, str(formulas[i]), text) for i in lost]
        if not any(cell is not None and str(cell).strip() for cell in cells):
            continue
        if not header:
            header = [str(cell).strip() if cell is not None else "" for cell in cells]
            while header and not header[-1]:
                header.pop()
            twice = dict.fromkeys(h for i, h in enumerate(header) if h in header[:i])
            text = "Each column once, by a name."
            problems += [Problem(place, label or "no name", text) for label in twice]
            continue
        beside = [str(cell) for cell in cells[len(header) :] if cell is not None]
        problems += [Problem(place, c, "Nothing beside the named columns.") for c in beside]
        row = [_plain(cell) for cell in cells[: len(header)]]
        for cell in row:
            if isinstance(cell, dt.date | dt.time | dt.timedelta):
                text = "A number or a text: format the cell as such, as spreadsheets make dates."
                problems.append(Problem(place, str(cell), text))
            elif isinstance(cell, str) and cell.startswith("#") and cell.endswith(("!", "?", "A")):
                problems.append(Problem(place, cell, "A value, and no error of a formula."))
        rows.append(row)
        lines.append(number)
    return ExcelTable(header, rows, lines) if header else None


def _plain(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.strip() or None
    return cell


def write_workbook_tables(
    path: Path, tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]
) -> None:
    """Write tables as the sheets of a workbook, whole or not at all.

    Parameters
    ----------
    path
        The ``.xlsx`` file.
    tables
        Header and rows by name of the sheet.

    Raises
    ------
    InputError
        If openpyxl is not installed.
    OSError
        If the place cannot be written to.
    """
    openpyxl = load_extra("openpyxl", EXTRA, path)
    book = openpyxl.Workbook()
    book.remove(book.active)
    # Equal tables are equal files, whenever they are written.
    book.properties.created = book.properties.modified = dt.datetime(2000, 1, 1)
    for name, (header, rows) in tables.items():
        sheet = book.create_sheet(name[:31])
        sheet.append(list(header))
        for row in rows:
            sheet.append([_cell(value) for value in row])
        for column in sheet.columns:
            widest = max(len(str(cell.value)) for cell in column if cell.value is not None)
            sheet.column_dimensions[column[0].column_letter].width = min(widest + 2, WIDEST)
        for cell in sheet[1]:
            cell.font = openpyxl.styles.Font(bold=True)
        sheet.freeze_panes = "A2"
    write_whole(path, book.save)


def _cell(value: Any) -> Any:
    """Return what a cell can hold; infinity and NaN are no numbers of a spreadsheet."""
    if isinstance(value, float) and value != value:
        return None
    if value in (float("inf"), float("-inf")):
        return "unlimited" if value > 0 else "-unlimited"
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if hasattr(value, "item"):
        return _cell(value.item())
    return value
