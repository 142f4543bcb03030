"""Numbers whose point or comma could be a decimal or a thousands sign: told, never guessed.

``14.500`` is 14.5 where points are decimal and 14500 where commas are. Which of the two a table
means, its other numbers say: ``2600,5`` has a decimal comma for sure, ``4.2`` a decimal point.
A table without any such number is read as the tables beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from hetopt.errors import Problem
from hetopt.formats.delimited import MOST_PROBLEMS, TextTable

_NUMBER = re.compile(r"\s*[+-]?(?P<number>[0-9]+(?P<sign>[.,])[0-9]+)(?![0-9.,])")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_OTHER = {".": ",", ",": "."}


@dataclass(slots=True)
class DecimalSigns:
    """What the numbers of one table say of its decimal sign.

    Attributes
    ----------
    sure
        Signs that are decimal ones for sure.
    unsure
        Cells that have two readings: sign, place, number and text.
    """

    sure: set[str] = field(default_factory=set)
    unsure: list[tuple[str, str, str, str]] = field(default_factory=list)


def decimal_signs(table: TextTable, name: str, columns: Set[str]) -> DecimalSigns:
    """Look at the numbers in some columns of a table.

    Parameters
    ----------
    table
        The table.
    name
        What problems call it.
    columns
        Names of the columns that hold numbers.
    """
    found = DecimalSigns()
    for c, column in enumerate(table.header):
        if column not in columns:
            continue
        for r, row in enumerate(table.rows):
            match = _NUMBER.match(row[c])
            if match is None:
                continue
            at = match.start("sign")
            sign = "," if (r, c) in table.commas else match["sign"]
            if not _GROUPED.fullmatch(match["number"]):
                found.sure.add(sign)
                continue
            text = row[c][:at] + sign + row[c][at + 1 :]
            place = f"{name}:{table.lines[r]}, column {column}"
            found.unsure.append((sign, place, match["number"], text.strip()))
    return found


def ambiguous(tables: Iterable[DecimalSigns]) -> list[Problem]:
    """Return the numbers of tables that go together which have two readings, as far as needed."""
    tables = list(tables)
    all_sure = set().union(*(table.sure for table in tables))
    all_unsure = {sign for table in tables for sign, *_ in table.unsure}
    problems = []
    for table in tables:
        sure = table.sure or all_sure
        for sign, place, number, text in table.unsure:
            other = _OTHER[sign]
            if other not in sure and (sign in sure or other not in all_unsure):
                continue
            whole, fraction = re.split("[.,]", number)
            short = fraction.rstrip("0")
            expected = (
                f"A number that reads in one way beside numbers with a decimal "
                f"{'comma' if other == ',' else 'point'}: write {whole}{fraction} or "
                f"{whole}{other + short if short else ''}, whichever is meant."
            )
            problems.append(Problem(place, text, expected))
    return problems[:MOST_PROBLEMS]
