"""Cells of a table file as texts: CSV with any usual separator, Excel, JSON, JSON lines."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.extras import load_extra

SEPARATORS = (",", ";", "\t", "|")
EXCEL = (".xlsx", ".xlsm")
COMMA_NUMBER = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+([eE][+-]?\d+)?")
POINT_NUMBER = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of texts.

    Attributes
    ----------
    name
        What problems call the file.
    columns
        Headings, in order.
    rows
        Cells by heading; empty where there is none.
    lines
        Line of the file (row of the sheet, number of the object) that each row comes from.
    decimal_comma
        Whether numbers have a comma before their fraction.
    others
        Names of further sheets of the file that hold something, which are not read.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    decimal_comma: bool = False
    others: tuple[str, ...] = ()

    def number(self, row: int, column: str) -> float:
        """Return a cell as a number, NaN where it is empty.

        Raises
        ------
        InputError
            If it is none; names file, line, column and value.
        """
        cell = self.rows[row].get(column, "").strip()
        if cell.lower() in ("", "nan", "none", "null", "n/a", "na", "-", "–"):
            return float("nan")
        text = cell.replace("\u202f", "").replace("\xa0", "").replace(" ", "")
        if self.decimal_comma:
            if POINT_NUMBER.fullmatch(text) and not self.name.lower().endswith(EXCEL):
                whole, fraction = text.split(".")
                comma = f"{whole},{fraction}".rstrip("0").rstrip(",")
                expected = (
                    "A number that reads in one way beside numbers with a decimal comma: "
                    f"write {whole}{fraction} or {comma}, whichever is meant."
                )
                raise self.problem(row, column, expected)
            text = text.replace(".", "").replace(",", ".") if "," in text else text
        elif GROUPED_NUMBER.fullmatch(text):
            text = text.replace(",", "")
        try:
            value = float(text)
        except ValueError:
            raise self.problem(row, column, "A number.") from None
        if math.isinf(value):
            raise self.problem(row, column, "A finite number.")
        return value

    def problem(self, row: int, column: str, expected: str) -> InputError:
        """Return an error about one cell."""
        place = f"{self.name}:{self.lines[row]}, column {column}"
        return InputError([Problem(place, self.rows[row].get(column, "")[:80], expected)])


def read_sheet(path: str | Path) -> Sheet:
    """Read a table file; its form is told by its name and content.

    Raises
    ------
    InputError
        If it cannot be read, is empty, or has a heading twice.
    """
    place = Path(path)
    if place.suffix.lower() in EXCEL:
        return _excel(place)
    text = read_text(place)
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _json(place, text)
    return _csv(place, text)


def read_text(path: Path) -> str:
    """Read a text file, in UTF-8 or else in Latin-1, as instruments write.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        text = f"A file that can be read: {error.strerror or error}."
        raise InputError([Problem(str(path), "", text)]) from None
    if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError([Problem(str(path), "", "A text file: this one is binary.")])
    for encoding in ("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "latin-1"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError([Problem(str(path), "", "A text file.")])


def _csv(path: Path, text: str) -> Sheet:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(
            [Problem(str(path), "", "A table with a heading line; the file is empty.")]
        )
    separator = max(SEPARATORS, key=lambda mark: _fields(lines[0], mark))
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    table = []
    numbers = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                table.append(cells)
                numbers.append(reader.line_num)
    except csv.Error as error:
        where = f"{path}:{reader.line_num}"
        raise InputError([Problem(where, "", f"A line of a table: {error}.")]) from None
    comma = separator != "," and any(
        COMMA_NUMBER.fullmatch(cell.strip()) for cells in table[1:] for cell in cells
    )
    return _sheet(path, table, numbers, comma)


def _fields(line: str, separator: str) -> int:
    return len(next(csv.reader([line], delimiter=separator, skipinitialspace=True)))


def _excel(path: Path) -> Sheet:
    openpyxl = load_extra("openpyxl", "excel", path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001 - zip, XML and key errors of a damaged file
        text = f"An Excel file: {type(error).__name__}: {str(error)[:120]}."
        raise InputError([Problem(str(path), "", text)]) from None
    table = []
    numbers = []
    for i, cells in enumerate(book.active.iter_rows(values_only=True), start=1):
        texts = ["" if cell is None else str(cell) for cell in cells]
        if any(text.strip() for text in texts):
            table.append(texts)
            numbers.append(i)
    active = book.active.title
    others = tuple(
        sheet.title
        for sheet in book.worksheets
        if sheet.title != active and any(any(c is not None for c in row) for row in sheet.values)
    )
    book.close()
    if not table:
        raise InputError([Problem(str(path), "", "A sheet with a heading row; it is empty.")])
    comma = any(COMMA_NUMBER.fullmatch(cell.strip()) for cells in table[1:] for cell in cells)
    return replace(_sheet(path, table, numbers, comma), others=others)


def _sheet(path: Path, table: list[list[str]], numbers: list[int], comma: bool) -> Sheet:
    columns = [cell.strip() for cell in table[0]]
    while columns and not columns[-1]:
        columns.pop()
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice or "" in columns:
        place = f"{path}:{numbers[0]}"
        raise InputError([Problem(place, ", ".join(twice), "A name for each column, each once.")])
    rows = []
    for cells, number in zip(table[1:], numbers[1:], strict=True):
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            text = f"At most {len(columns)} cells, as the heading has."
            raise InputError([Problem(f"{path}:{number}", f"{len(cells)} cells", text)])
        padded = [*cells, *[""] * len(columns)]
        rows.append(dict(zip(columns, padded, strict=False)))
    return Sheet(str(path), tuple(columns), tuple(rows), tuple(numbers[1:]), comma)


def _json(path: Path, text: str) -> Sheet:
    objects: list[Any] = []
    numbers: list[int] = []
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                objects.append(json.loads(line))
            except ValueError:
                place = f"{path}:{number}"
                raise InputError([Problem(place, line[:60], "One JSON object a line.")]) from None
            numbers.append(number)
    else:
        objects = whole if isinstance(whole, list) else [whole]
        numbers = [*range(1, len(objects) + 1)]
    columns: dict[str, None] = {}
    rows = []
    for number, entry in zip(numbers, objects, strict=True):
        if not isinstance(entry, dict):
            text = "Objects, each with the same fields."
            raise InputError([Problem(f"{path}:{number}", str(entry)[:60], text)])
        flat = {key: value for key, value in entry.items() if not isinstance(value, dict | list)}
        columns |= dict.fromkeys(flat)
        rows.append({key: "" if value is None else str(value) for key, value in flat.items()})
    return Sheet(str(path), tuple(columns), tuple(rows), tuple(numbers))
