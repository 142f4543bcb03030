"""Cells of a table file as texts: CSV with any usual separator, Excel, JSON, JSON lines."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.extras import load_extra

SEPARATORS = (",", ";", "\t", "|")
EXCEL = (".xlsx", ".xlsm")
COMMA_NUMBER = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+([eE][+-]?\d+)?")
GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
POINTS = re.compile(r"[+-]?\d{1,3}(\.\d{3}){2,}")
SIGNED = re.compile(r"[+-]?(?:[0-9]+[.,])*[0-9]+(?:[eE][+-]?[0-9]+)?")
TWO_READINGS = re.compile(r"[+-]?([1-9][0-9]{0,2})([.,])([0-9]{3})")
"""A number whose point or comma may part thousands or a fraction: 14.500."""


@dataclass(frozen=True)
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
    typed
        Row and heading of each cell that is a number and no text, which reads in one way.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]
    decimal_comma: bool = False
    others: tuple[str, ...] = ()
    typed: frozenset[tuple[int, str]] = frozenset()

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
        if (row, column) not in self.typed:
            text = self._with_point(row, column, text)
        try:
            value = float(text)
        except ValueError:
            raise self.problem(row, column, "A number.") from None
        if math.isinf(value):
            raise self.problem(row, column, "A finite number.")
        return value

    def _with_point(self, row: int, column: str, text: str) -> str:
        """Return the text of a number with a decimal point and nothing that parts thousands."""
        found = TWO_READINGS.fullmatch(text)
        if found is not None:
            decimal, parting, _ = self.signs
            if found[2] in parting and found[2] not in decimal:
                return text.replace(found[2], "")
            self._refuse_two_readings(row, column, *found.groups())
        alone = self.decimal_comma and "." not in text and text.count(",") == 1
        if GROUPED_NUMBER.fullmatch(text) and not alone:
            return text.replace(",", "")
        if POINTS.fullmatch(text):
            return text.replace(".", "")
        if self.decimal_comma and "," in text and text.rfind(",") > text.rfind("."):
            return text.replace(".", "").replace(",", ".")
        return text

    def _refuse_two_readings(
        self, row: int, column: str, whole: str, sign: str, fraction: str
    ) -> None:
        """Refuse ``14.500`` beside ``2600,5``, and ``14,500`` beside ``4.2``: either may be meant.

        Where no other number tells, the one sign that there is counts as the table's form has it.
        """
        other = "." if sign == "," else ","
        decimal, _, unsure = self.signs
        if other not in decimal and (sign in decimal or other not in unsure):
            return
        ending = f"{other}{fraction}".rstrip("0").rstrip(other)
        word = "comma" if other == "," else "point"
        expected = (
            f"A number that reads in one way beside numbers with a decimal {word}: "
            f"write {whole}{fraction} or {whole}{ending}, whichever is meant."
        )
        raise self.problem(row, column, expected)

    @cached_property
    def signs(self) -> tuple[set[str], set[str], set[str]]:
        """Signs that are decimal for sure, that part thousands for sure, and that may be either.

        Only columns that hold nothing but numbers have a say.
        """
        decimal: set[str] = set()
        parting: set[str] = set()
        unsure: set[str] = set()
        for column in self.columns:
            cells = [(r, row.get(column, "").strip()) for r, row in enumerate(self.rows)]
            texts = [text for r, text in cells if text and (r, column) not in self.typed]
            if not all(SIGNED.fullmatch(text) for text in texts):
                continue
            for text in texts:
                used = re.sub(r"[^.,]", "", re.sub(r"[eE].*", "", text))
                if len(used) == 1 and TWO_READINGS.fullmatch(text):
                    unsure.add(used)
                elif len(used) == 1:
                    decimal.add(used)
                elif used:
                    parting.add(used[0])
                    decimal |= {used[-1]} - {used[0]}
        return decimal, parting, unsure

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
    # Between commas, 14,500 in quotes parts thousands; 4,5 has a decimal comma there too.
    comma = any(
        COMMA_NUMBER.fullmatch(cell.strip())
        and not (separator == "," and GROUPED_NUMBER.fullmatch(cell.strip()))
        for cells in table[1:]
        for cell in cells
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
    table: list[list[str]] = []
    numbers = []
    typed: set[tuple[int, int]] = set()
    for i, cells in enumerate(book.active.iter_rows(values_only=True), start=1):
        texts = ["" if cell is None else str(cell) for cell in cells]
        if any(text.strip() for text in texts):
            of_numbers = [c for c, cell in enumerate(cells) if isinstance(cell, int | float)]
            typed |= {(len(table), c) for c in of_numbers}
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
    return replace(_sheet(path, table, numbers, comma, typed), others=others)


def _sheet(
    path: Path,
    table: list[list[str]],
    numbers: list[int],
    comma: bool,
    typed_at: Set[tuple[int, int]] = frozenset(),
) -> Sheet:
    columns = [cell.strip() for cell in table[0]]
    while columns and not columns[-1]:
        columns.pop()
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice or "" in columns:
        place = f"{path}:{numbers[0]}"
        raise InputError([Problem(place, ", ".join(twice), "A name for each column, each once.")])
    typed = {(r - 1, columns[c]) for r, c in typed_at if r > 0 and c < len(columns)}
    rows = []
    for cells, number in zip(table[1:], numbers[1:], strict=True):
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            text = f"At most {len(columns)} cells, as the heading has."
            raise InputError([Problem(f"{path}:{number}", f"{len(cells)} cells", text)])
        padded = [*cells, *[""] * len(columns)]
        rows.append(dict(zip(columns, padded, strict=False)))
    lines = tuple(numbers[1:])
    return Sheet(str(path), tuple(columns), tuple(rows), lines, comma, typed=frozenset(typed))


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
    rows: list[dict[str, str]] = []
    typed: set[tuple[int, str]] = set()
    for number, entry in zip(numbers, objects, strict=True):
        if not isinstance(entry, dict):
            text = "Objects, each with the same fields."
            raise InputError([Problem(f"{path}:{number}", str(entry)[:60], text)])
        flat = {key: value for key, value in entry.items() if not isinstance(value, dict | list)}
        columns |= dict.fromkeys(flat)
        typed |= {(len(rows), key) for key, v in flat.items() if isinstance(v, int | float)}
        rows.append({key: "" if value is None else str(value) for key, value in flat.items()})
    return Sheet(str(path), tuple(columns), tuple(rows), tuple(numbers), typed=frozenset(typed))
