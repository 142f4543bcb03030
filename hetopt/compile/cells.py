"""Cells to columns: types, units, ranges and names, vectorised, with every problem collected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt import units
from hetopt.compile.problems import Checker, listed, unknown_field
from hetopt.compile.rows import UNSURE, Cells, Sheet
from hetopt.compile.strings import arrow_keys, from_arrow, keys_of, positions, strings
from hetopt.instance import Bools, Floats, Ints, Strings
from hetopt.instance.column_specs import TABLES, Column

if TYPE_CHECKING:
    import pandas as pd

MANY = 1000
"""Cells from which on a column is worth a look at whether all of it is plain numbers."""

REQUIRED = "A value is required."
MONEY = ("money", "price", "energy_price")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


def clean_table(
    name: str, frame: pd.DataFrame | Sheet | None, check: Checker, rows: int = 0
) -> dict[str, Any]:
    """Return every column of a table as an array, defaults filled in.

    Parameters
    ----------
    name
        Name of the table in ``hetopt.instance.column_specs.TABLES``.
    frame
        The cells; None for a table of ``rows`` rows of defaults.
    check
        Takes unknown columns, missing and wrong values.

    Returns
    -------
    dict
        Arrays by column name; a ``names`` column is a dict from row to a list of texts.
    """
    spec = TABLES[name]
    n = rows if frame is None else len(frame)
    known = {alias: c.name for c in spec for alias in c.names}
    for label in () if frame is None else frame.attrs.get(UNSURE, ()):
        check.doubt(name, known.get(label, label))
    if name in ("devices", "boards"):
        known["count"] = "count"
    texts = {c.name for c in spec if c.type == "text"}
    cells: dict[str, Cells] = {}
    labels: dict[str, str] = {}
    for label, column_cells in _columns(name, frame, check):
        if label not in known:
            hint = unknown_field(label, list(dict.fromkeys(known.values())), known)
            check.add(name, -1, label, label, f"No such column. {hint}")
        elif known[label] in labels:
            check.add(name, -1, label, label, f"Only one of {label}, {labels[known[label]]}.")
        else:
            labels[known[label]] = label
            arrow = None
            if known[label] in texts and not isinstance(column_cells, np.ndarray):
                arrow = arrow_keys(column_cells)
            cells[known[label]] = _plain(column_cells) if arrow is None else arrow
    table: dict[str, Any] = {c.name: clean_column(name, c, cells, n, check) for c in spec}
    for column in spec:
        if column.type in ("number", "whole") and column.name in cells:
            check.read_as(name, column.name, cells[column.name], table[column.name])
    if "count" in cells:
        _counts(name, table, cells["count"], check)
    return table


def _columns(
    name: str, frame: pd.DataFrame | Sheet | None, check: Checker
) -> list[tuple[str, Any]]:
    """Return label and cells of each column, those that stand twice once, with a problem."""
    if frame is None:
        return []
    if isinstance(frame, Sheet):
        return list(frame.columns.items())
    twice = frame.columns[frame.columns.duplicated()].astype(str).tolist()
    if twice:
        check.add(name, -1, twice[0], ", ".join(twice), "Each column once.")
        frame = frame.loc[:, ~frame.columns.duplicated()]
    return [(str(label), frame[label]) for label in frame.columns]


def _plain(cells: Cells | pd.Series[Any]) -> Cells:
    """Return cells as numbers or flags where they are such, else as objects, None where missing."""
    if isinstance(cells, np.ndarray):
        return cells
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iufb":
        return cells.to_numpy()
    given: Cells = cells.to_numpy(dtype=object, copy=True)
    given[cells.isna().to_numpy()] = None
    return given


def _missing(cells: Cells) -> Bools:
    """Return where a cell says nothing."""
    if cells.dtype.kind == "f":
        return np.isnan(cells)
    if cells.dtype != object:
        return np.zeros(len(cells), dtype=bool)
    values = cells.tolist()
    if set(map(type, values)) == {str}:
        return np.zeros(len(cells), dtype=bool)
    found = (v is None or (isinstance(v, (float, np.floating)) and v != v) for v in values)
    return np.fromiter(found, dtype=bool, count=len(cells))


def _only(cells: Cells, kept: Bools) -> Cells:
    """Return cells with none but those that are kept."""
    some = cells.astype(object)
    some[~kept] = None
    return some


def _counts(name: str, table: dict[str, Any], cells: Cells, check: Checker) -> None:
    """Spread a fixed count over both ends of the range."""
    given = ~_missing(cells)
    column = Column("count", "", "whole", 1, minimum=1)
    count = _whole_numbers(name, column, cells, check)
    for end in ("count_min", "count_max"):
        table[end] = np.where(given, count, table[end])


def clean_column(
    table: str, column: Column, given: Mapping[str, Cells], n: int, check: Checker
) -> Any:
    """Return one column of ``n`` rows as an array of its type; ``given`` are the table's cells."""
    cells = given.get(column.name)
    if cells is None:
        if column.default is None and n:
            check.add(table, -1, column.name, "", f"The column is required. {column.meaning}")
        return _defaults(column, n)
    if column.name == "price_per_s" and "lifetime_s" in given:
        bought = ~_missing(given["lifetime_s"])
        rent = _numbers(table, column, _only(cells, ~bought), check)
        purchase = Column("price_per_s", "", "number", 0.0, "money", minimum=0.0)
        spent = _numbers(table, purchase, _only(cells, bought), check)
        return np.where(bought, spent, rent)
    if column.type == "number":
        return _numbers(table, column, cells, check)
    if column.type == "whole":
        return _whole_numbers(table, column, cells, check)
    if column.type == "flag":
        return _flags(table, column, cells, check)
    if column.type == "names":
        return _name_lists(cells)
    return _texts(table, column, cells, check)


def _defaults(column: Column, n: int) -> Any:
    if column.type == "names":
        return {}
    if column.type == "text":
        return np.full(n, column.default or "", dtype=np.dtypes.StringDType())
    kind = {"number": np.float64, "whole": np.int64, "flag": np.bool_}[column.type]
    return np.full(n, 0 if column.default is None else column.default, dtype=kind)


def _numbers(table: str, column: Column, cells: Cells, check: Checker) -> Any:
    given = cells
    if cells.dtype.kind in "iuf":
        values = cells.astype(np.float64)
        bad = np.isinf(values) if not column.unlimited else np.isneginf(values)
        for row in np.flatnonzero(bad):
            check.add(table, int(row), column.name, values[row], "A finite number.")
    else:
        given = cells.astype(object)
        values, bad = _from_objects(table, column, given, check)
    blank = np.isnan(values) & ~bad
    if column.default is None:
        for row in np.flatnonzero(blank):
            check.add(table, int(row), column.name, "", f"{REQUIRED} {column.meaning}")
    else:
        values[blank] = column.default
    low = values <= column.minimum if column.positive else values < column.minimum
    wrong = (low | (values > column.maximum)) & ~bad
    for row in np.flatnonzero(wrong):
        check.add(table, int(row), column.name, given[row], _range(column, given[row], values[row]))
    extreme = units.is_extreme(values) & ~bad & ~wrong
    for row in np.flatnonzero(extreme):
        check.add(table, int(row), column.name, given[row], units.USUAL)
    wrong |= extreme
    values[bad | wrong] = 0.0 if column.default is None else column.default
    return values


def _from_objects(table: str, column: Column, given: Cells, check: Checker) -> tuple[Floats, Bools]:
    """Parse cells of any type, and record the wrong ones; NaN where missing or wrong."""
    if column.dimension in MONEY:
        for value in given:
            currency = units.currency(value)
            if currency:
                check.currencies[currency] = None
    bad = np.zeros(len(given), dtype=bool)
    plain = _plain_numbers(given)
    if plain is not None:
        return plain, bad
    values, errors = _parsed(given, column)
    for row, expected in errors:
        bad[row] = True
        check.add(table, row, column.name, given[row], expected)
    return values, bad


def _plain_numbers(given: Any) -> Floats | None:
    """Return cells that are all plain finite numbers or missing at once, else None."""
    kinds = set(map(type, given.tolist()))
    try:
        if all(kind is type(None) or _is_numeric(kind) for kind in kinds):
            values = given.astype(np.float64)
        elif kinds == {str} and len(given) >= MANY:
            values = given.astype(str).astype(np.float64)  # a CSV's column
            return values if np.isfinite(values).all() else None
        else:
            return None
    except (ValueError, OverflowError, TypeError):
        return None  # the loop names the cell
    return None if np.isinf(values).any() else values


def _is_numeric(kind: type) -> bool:
    return issubclass(kind, (int, float, np.integer, np.floating)) and kind is not bool


def _parsed(raw: Any, column: Column) -> tuple[Floats, list[tuple[int, str]]]:
    """Parse cells of any type; NaN where missing or wrong, the wrong rows with what they expect."""
    if column.dimension:
        values, errors = units.parse_column(
            raw, column.dimension, unlimited=column.unlimited, missing=np.nan
        )
        return values, [(int(row), expected_quantity(error)) for row, error in errors]
    values = np.full(len(raw), np.nan)
    wrong: list[tuple[int, str]] = []
    for row, value in enumerate(raw):
        if value is None or value != value or value == "":
            continue
        number = None if isinstance(value, (bool, np.bool_)) else _number(value)
        if number is None and column.unlimited and _is_unlimited(value):
            number = np.inf
        if number is None:
            wrong.append((row, _plain_expected(column, "A number", value)))
        else:
            values[row] = number
    return values, wrong


def expected_quantity(error: units.UnitError) -> str:
    """Return what would have been accepted, as sentences."""
    text = f"{error.expected[0].upper()}{error.expected[1:]}."
    return f"{text} {error.hint}" if error.hint else text


def _plain_expected(column: Column, what: str, value: object) -> str:
    """Say that a number without a unit is expected, and how one with a unit would be written."""
    number = units.number_in(value)
    if number:
        return f"{what} without a unit: write {number}. {column.meaning}".rstrip()
    return f"{what}. {column.meaning}".rstrip()


def _whole_numbers(table: str, column: Column, cells: Cells, check: Checker) -> Ints:
    default = int(column.default or 0)
    given = cells
    if cells.dtype.kind in "iu":
        values: Ints = cells.astype(np.int64)
    else:
        given = cells.astype(object)
        values = np.full(len(given), default, dtype=np.int64)
        missing = _missing(cells)
        for row, value in enumerate(given):
            if missing[row] or value == "":
                continue
            number = _whole(value)
            if number is None:
                expected = _plain_expected(column, "A whole number", value)
                check.add(table, row, column.name, value, expected)
            else:
                values[row] = number
    wrong = (values < column.minimum) | (values > column.maximum)
    for place in np.flatnonzero(wrong):
        check.add(table, int(place), column.name, given[place], _range(column, given[place]))
    values[wrong] = default
    return values


def _number(value: Any) -> float | None:
    """Return a finite number, None where the value is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None


def _is_unlimited(value: object) -> bool:
    words = ("unlimited", "inf", "infinity", ".inf")
    return value == np.inf or (isinstance(value, str) and value.strip().lower() in words)


def _whole(value: object) -> int | None:
    if isinstance(value, (bool, np.bool_)):
        return None
    number = _number(value)
    if number is None or not number.is_integer() or abs(number) >= 2**53:
        return None
    return int(number)


def _flags(table: str, column: Column, cells: Cells, check: Checker) -> Bools:
    if cells.dtype == np.bool_:
        return cells
    values = np.full(len(cells), bool(column.default))
    for row, (value, missing) in enumerate(zip(cells.astype(object), _missing(cells), strict=True)):
        if missing or value == "":
            continue
        flag = _flag(value)
        if flag is None:
            check.add(table, row, column.name, value, f"true or false. {column.meaning}")
        else:
            values[row] = flag
    return values


def _flag(value: object) -> bool | None:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    word = str(value).strip().lower().removesuffix(".0")
    return True if word in TRUE else False if word in FALSE else None


def _texts(table: str, column: Column, cells: Any, check: Checker) -> Strings:
    if isinstance(cells, np.ndarray):
        given = _python_texts(table, column, cells, check)
        values, keys, nul = strings(given), keys_of(given), "\0" in "".join(given.tolist())
    else:  # a large column, in Arrow's form already
        keys = cells.fill_null(str(column.default or ""))
        values, nul = from_arrow(keys), b"\0" in bytes(keys.buffers()[2] or b"")
    check.remember(values, keys)
    if nul:
        for row in [i for i, v in enumerate(values) if "\0" in v]:
            check.add(table, row, column.name, "", "A text without the character NUL.")
    if column.default is None:
        for row in np.flatnonzero(values == "").tolist():
            check.add(table, int(row), column.name, "", f"{REQUIRED} {column.meaning}")
    if column.choices:
        known = positions(
            check.keys(values), np.array([*column.choices, column.default], dtype=object)
        )
        for row in np.flatnonzero(known < 0).tolist():
            expected = f"One of {listed(values[row], list(column.choices))}."
            check.add(table, int(row), column.name, values[row], expected)
            values[row] = column.default
    return values


def _python_texts(table: str, column: Column, cells: Cells, check: Checker) -> Cells:
    """Return cells of any type as Python texts; missing ones are the default."""
    default = str(column.default or "")
    given = cells.astype(object)
    given[_missing(cells)] = default
    if set(map(type, given.tolist())) - {str}:
        for row in [i for i, v in enumerate(given) if not isinstance(v, str)]:
            if isinstance(given[row], (bool, np.bool_, dict, list, tuple, np.ndarray)):
                check.add(table, row, column.name, given[row], f"A text. {column.meaning}")
            given[row] = _number_as_text(given[row])
    try:
        "".join(given.tolist()).encode()
    except UnicodeEncodeError:
        for row, value in enumerate(given):
            if any("\ud800" <= c <= "\udfff" for c in value):
                check.add(table, row, column.name, ascii(value), "A text of Unicode characters.")
                given[row] = default
    return given


def _number_as_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _name_lists(cells: Cells) -> dict[int, list[str]]:
    result: dict[int, list[str]] = {}
    for row in np.flatnonzero(~_missing(cells)):
        names = cell_names(cells[row])
        if names:
            result[int(row)] = names
    return result


def cell_names(value: object) -> list[str]:
    """Return the names in a cell: a list, a list in JSON, or a text with commas."""
    if value is None:
        return []
    if isinstance(value, (list, tuple, np.ndarray)):
        return [str(v) for v in value]
    cell = str(value).strip()
    if cell.startswith("["):  # JSON, in a cell, for names that hold commas
        try:
            return [str(name) for name in json.loads(cell)]
        except ValueError:
            pass
    return [part.strip() for part in cell.split(",") if part.strip()]


def _range(column: Column, given: object, value: float = np.nan) -> str:
    if column.dimension == "fraction" and 1 < value <= 100 and units.is_plain(given):
        return f"A fraction of at most 1: write {value:g} % or {value / 100:g}."
    low = f"{'more than' if column.positive else 'at least'} {column.minimum:g}"
    if column.maximum < np.inf:
        return f"A value of {low} and at most {column.maximum:g}."
    return f"A value of {low}."
