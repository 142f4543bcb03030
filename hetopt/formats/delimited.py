"""Tables as texts: CSV as programs and spreadsheets of any country write it.

The separator is told by the header: comma, semicolon or tab. Where it is none of the comma, a comma
in a number is a decimal one. Blank lines, and lines whose cells are all empty, are left out.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from hetopt.errors import InputError, Problem

SEPARATORS = ",;\t"
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts.

    Attributes
    ----------
    header
        Names of the columns, each once, without blanks around them.
    rows
        Cells, as many in each row as the header has.
    lines
        Line of each row in the file, from 1.
    commas
        Row and column, from 0, of each cell whose decimal comma has become a point.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    commas: frozenset[tuple[int, int]] = frozenset()


def read_delimited(text: str, name: str) -> TextTable:
    """Read a table with a header.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.

    Raises
    ------
    InputError
        If it is no such table: with every line that is wrong, as far as MOST_PROBLEMS.
    """
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    rows: list[list[str]] = []
    lines, problems = [], []
    commas: set[tuple[int, int]] = set()
    last = 0
    try:
        for cells in reader:
            line, last = last + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                first = line
                continue
            if len(cells) != len(header):
                expected = (
                    f"{len(header)} cells, as the header has.{_other_separator(cells, header)}"
                )
                problems.append(Problem(f"{name}:{line}", f"{len(cells)} cells", expected))
            written = cells
            if separator != ",":
                cells = [_decimal(cell) for cell in written]
                pairs = enumerate(zip(written, cells, strict=True))
                commas |= {(len(rows), c) for c, (old, new) in pairs if old != new}
            rows.append(cells)
            lines.append(line)
    except csv.Error as error:
        place = f"{name}:{reader.line_num}"
        raise InputError([Problem(place, "", f"CSV is expected, but: {error}.")]) from None
    if not header:
        problems.append(Problem(name, "", "A header with the names of the columns."))
    twice = dict.fromkeys(label for i, label in enumerate(header) if label in header[:i])
    problems += [Problem(f"{name}:{first}", label, "Each column once.") for label in twice]
    if problems:
        raise InputError(problems[:MOST_PROBLEMS])
    return TextTable(header, rows, lines, frozenset(commas))


def _separator(text: str) -> str:
    """Return the separator that the first line with anything on it has the most of."""
    head = next((line for line in text.splitlines() if line.strip(SEPARATORS + " ")), "")
    bare = re.sub(r'"[^"]*"', "", head)
    return max(SEPARATORS, key=bare.count)


def _other_separator(cells: list[str], header: list[str]) -> str:
    """Say what may be wrong with separators where a line has another number of cells."""
    for name in header:
        if any(mark in name for mark in SEPARATORS):
            return f" {name!r} of the header is one cell: use one separator in all lines."
    numbers = sum(bool(re.fullmatch(r"\s*[+-]?[0-9]+\s*", cell)) for cell in cells)
    if len(cells) <= len(header) or numbers < 1:
        return ""
    return " Decimal commas need another separator than the comma: semicolons, say."


def _decimal(cell: str) -> str:
    """Return a cell whose number has a decimal comma with a point; other cells as they are."""
    return re.sub(r"^(\s*[+-]?[0-9]+),([0-9]+)(?![0-9.,])", r"\1.\2", cell)
