"""Headings to fields: names that people use, units in the heading, columns named by the user."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.profiling.tables.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a table may have.

    Attributes
    ----------
    name
        What it is called here and on the command line.
    names
        Headings that mean it, in lower case, without units.
    dimension
        Of numbers with a unit; empty for texts and plain numbers.
    default_unit
        Of a heading that states none; empty: SI.
    """

    name: str
    names: tuple[str, ...] = ()
    dimension: str = ""
    default_unit: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A column that holds a field: its heading, and what its numbers are multiplied by."""

    column: str
    factor: float = 1.0


SUFFIX = re.compile(
    r"^(?P<name>.*?)(?:\s*[\[(](?P<in>[^\])]+)[\])]|\s*,\s*(?P<comma>[^\s,]+)"
    r"|\s+in\s+(?P<word>\S+)|[_ ](?P<tail>[A-Za-zµμ%/]+))$"
)
SPELLED = {
    "milliseconds": "ms",
    "millisecond": "ms",
    "msec": "ms",
    "msec.": "ms",
    "microseconds": "us",
    "microsecond": "us",
    "usec": "us",
    "µs": "us",
    "μs": "us",
    "nanoseconds": "ns",
    "sec": "s",
    "seconds": "s",
    "joules": "J",
    "joule": "J",
    "watts": "W",
    "watt": "W",
    "mj": "mJ",
    "mw": "mW",
    "uj": "uJ",
    "j": "J",
    "w": "W",
    "kw": "kW",
    "wh": "Wh",
    "kwh": "kWh",
    "mwh": "mWh",
    "mb": "MB",
    "gb": "GB",
    "kb": "kB",
    "b": "B",
    "mib": "MiB",
    "gib": "GiB",
    "kib": "KiB",
    "bytes": "B",
    "%": "%",
}
"""Units as headings spell them, by their lower case: nobody means megajoules by ``mj``."""


def find_fields(
    sheet: Sheet, fields: Sequence[Field], columns: Mapping[str, str] | None = None
) -> dict[str, Found]:
    """Return the column of each field that the table has.

    Parameters
    ----------
    sheet
        The table.
    fields
        What may be there; a heading means the first field that claims it.
    columns
        Fields by heading, as the user named them: they have precedence. A unit may follow the
        field (``time:ms``), else it is that of the heading.

    Raises
    ------
    InputError
        If a named column or field does not exist, or a unit is none of the field.
    """
    by_name = {field.name: field for field in fields}
    found: dict[str, Found] = {}
    taken: set[str] = set()
    for heading, said in (columns or {}).items():
        name, _, unit = said.partition(":")
        if heading not in sheet.columns:
            expected = f"A column of {sheet.name}: {', '.join(sheet.columns)}."
            raise InputError([Problem("--columns", heading, expected)])
        if name not in by_name:
            expected = f"A field: {', '.join(by_name)}."
            raise InputError([Problem("--columns", f"{heading}={said}", expected)])
        found[name] = Found(heading, _factor(by_name[name], unit or _unit(heading)[1], heading))
        taken.add(heading)
    for field in fields:
        for heading in sheet.columns:
            if field.name in found or heading in taken:
                continue
            for plain, unit in (_unit(heading), (_plain(heading), "")):
                if plain in (_plain(field.name), *field.names) and (not unit or field.dimension):
                    factor = _known_factor(field, unit)
                    if factor is not None:
                        found[field.name] = Found(heading, factor)
                        taken.add(heading)
                        break
    return found


def unread(sheet: Sheet, found: Mapping[str, Found], fields: Sequence[Field]) -> list[str]:
    """Return the columns that hold no field, each with what is wrong with its unit, if that is it.

    Parameters
    ----------
    sheet, fields
        As :func:`find_fields` had them.
    found
        What it found.
    """
    taken = {column.column for column in found.values()}
    left = []
    for heading in sheet.columns:
        if heading in taken:
            continue
        name, unit = _unit(heading)
        meant = [f for f in fields if unit and name in (_plain(f.name), *f.names) and f.dimension]
        wrong = [f for f in meant if _known_factor(f, unit) is None]
        left.append(f"{heading} ({unit} is no unit of {wrong[0].name})" if wrong else heading)
    return left


def _plain(heading: str) -> str:
    return re.sub(r"[\s_.-]+", " ", heading).strip().lower()


def _unit(heading: str) -> tuple[str, str]:
    """Split a heading into its name and its unit, empty where it states none."""
    match = SUFFIX.match(heading.strip())
    if match is None:
        return _plain(heading), ""
    unit = next((v for k, v in match.groupdict().items() if k != "name" and v), "")
    return _plain(match["name"]), unit.strip()


def _known_factor(field: Field, unit: str) -> float | None:
    try:
        return _factor(field, unit, "")
    except InputError:
        return None


def _factor(field: Field, unit: str, heading: str) -> float:
    """Return the size of a unit in SI units."""
    if not field.dimension:
        return 1.0
    named = SPELLED.get(unit.lower(), unit) or field.default_unit
    if not named:
        return 1.0
    try:
        return units.parse(f"1 {named}", field.dimension)
    except units.UnitError as error:
        expected = f"{error.expected}. {error.hint}".strip()
        raise InputError([Problem(f"column {heading}", unit, expected)]) from None


def columns_of(texts: Sequence[str]) -> dict[str, str]:
    """Read ``--columns HEADING=field,HEADING=field:unit``.

    Raises
    ------
    InputError
        If a part has no ``=``, or names a heading twice.
    """
    named: dict[str, str] = {}
    for part in (p.strip() for text in texts for p in text.split(",")):
        heading, mark, field = part.rpartition("=")
        if not mark or not heading.strip() or not field.strip() or heading.strip() in named:
            expected = "HEADING=field, each heading once, as in 'Dauer [ms]=time,Gerät=device'."
            raise InputError([Problem("--columns", part, expected)])
        named[heading.strip()] = field.strip()
    return named


def text_of(sheet: Sheet, row: int, found: Found | None) -> str:
    """Return the text of a cell, empty where there is no such column."""
    return "" if found is None else sheet.rows[row].get(found.column, "").strip()
