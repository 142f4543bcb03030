"""Cells to columns: types, units, ranges and names, vectorised, with every problem collected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hetopt import units
from hetopt.compile import strings as text
from hetopt.compile.problems import Checker, listed, unknown_field
from hetopt.compile.strings import strings
from hetopt.instance import Bools, Floats, Ints, Strings
from hetopt.instance.column_specs import TABLES, Column

MANY = 1000
"""Cells from which on a column is worth a look at whether all of it is plain numbers."""

MONEY = ("money", "price", "energy_price")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


def clean_table(
    name: str, frame: pd.DataFrame | None, check: Checker, rows: int = 0
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
    if frame is not None and not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].astype(str).tolist()
        check.add(name, -1, twice[0], ", ".join(twice), "Each column once.")
        frame = frame.loc[:, ~frame.columns.duplicated()]
    present: dict[str, str] = {}
    if frame is not None:
        known = {alias: c.name for c in spec for alias in (c.name, *c.aliases)}
        if name == "devices":
            known["count"] = "count"
        for label in map(str, frame.columns):
            if label not in known:
                hint = unknown_field(label, list(dict.fromkeys(known.values())), known)
                check.add(name, -1, label, label, f"No such column. {hint}")
            elif known[label] in present:
                check.add(name, -1, label, label, f"Only one of {label}, {present[known[label]]}.")
            else:
                present[known[label]] = label
    table: dict[str, Any] = {}
    for column in spec:
        source = present.get(column.name)
        cells = None if frame is None or source is None else frame[source]
        table[column.name] = clean_column(name, column, cells, n, check, frame, present)
    if frame is not None and "count" in present:
        _counts(table, frame[present["count"]], check)
    return table


def _counts(table: dict[str, Any], cells: pd.Series[Any], check: Checker) -> None:
    """Spread a fixed count over both ends of the range."""
    given = ~cells.isna().to_numpy()
    column = Column("count", "", "whole", 1, minimum=1)
    count = _whole_numbers("devices", column, cells, check)
    for end in ("count_min", "count_max"):
        table[end] = np.where(given, count, table[end])


def clean_column(
    table: str,
    column: Column,
    cells: pd.Series[Any] | None,
    n: int,
    check: Checker,
    frame: pd.DataFrame | None,
    present: Mapping[str, str],
) -> Any:
    """Return one column as an array of its type; ``cells`` is None where it is absent."""
    if cells is None:
        if column.default is None and n:
            check.add(table, -1, column.name, "", f"The column is required. {column.meaning}")
        return _defaults(column, n)
    if column.name == "price_per_s" and frame is not None and "lifetime_s" in present:
        bought = ~frame[present["lifetime_s"]].isna().to_numpy()
        rent = _numbers(table, column, cells.where(~bought), check)
        purchase = Column("price_per_s", "", "number", 0.0, "money", minimum=0.0)
        return np.where(bought, _numbers(table, purchase, cells.where(bought), check), rent)
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


def _numbers(table: str, column: Column, cells: pd.Series[Any], check: Checker) -> Any:
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iuf":
        given = cells.to_numpy()
        values = given.astype(np.float64)
        bad = np.isinf(values) if not column.unlimited else np.isneginf(values)
        for row in np.flatnonzero(bad):
            check.add(table, int(row), column.name, values[row], "A finite number.")
    else:
        given = cells.to_numpy(dtype=object)
        values, bad = _from_objects(table, column, cells, given, check)
    blank = np.isnan(values) & ~bad
    if column.default is None:
        for row in np.flatnonzero(blank):
            check.add(table, int(row), column.name, "", f"A value is required. {column.meaning}")
    else:
        values[blank] = column.default
    low = values <= column.minimum if column.positive else values < column.minimum
    wrong = (low | (values > column.maximum)) & ~bad
    for row in np.flatnonzero(wrong):
        check.add(table, int(row), column.name, given[row], _range(column))
    extreme = units.is_extreme(values) & ~bad & ~wrong
    for row in np.flatnonzero(extreme):
        check.add(table, int(row), column.name, given[row], units.USUAL)
    wrong |= extreme
    values[bad | wrong] = 0.0 if column.default is None else column.default
    return values


def _from_objects(
    table: str, column: Column, cells: pd.Series[Any], given: Any, check: Checker
) -> tuple[Floats, Bools]:
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
    missing = cells.isna().to_numpy()
    if missing.any():
        given = given.copy()
        given[missing] = None
    values, errors = _parsed(given, column)
    for row, expected in errors:
        bad[row] = True
        check.add(table, row, column.name, given[row], expected)
    return values, bad


def _plain_numbers(given: Any) -> Floats | None:
    """Return cells that are all plain finite numbers or missing at once, else None."""
    kind = pd.api.types.infer_dtype(given, skipna=True)
    try:
        if kind in ("floating", "integer", "mixed-integer-float"):
            values = given.astype(np.float64)
        elif kind == "string" and len(given) >= MANY and all(type(v) is str for v in given):
            values = given.astype(str).astype(np.float64)  # a CSV's column
            return values if np.isfinite(values).all() else None
        else:
            return None
    except (ValueError, OverflowError, TypeError):
        return None  # the loop names the cell
    return None if np.isinf(values).any() else values


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
            wrong.append((row, "A number."))
        else:
            values[row] = number
    return values, wrong


def expected_quantity(error: units.UnitError) -> str:
    """Return what would have been accepted, as sentences."""
    text = f"{error.expected[0].upper()}{error.expected[1:]}."
    return f"{text} {error.hint}" if error.hint else text


def _whole_numbers(table: str, column: Column, cells: pd.Series[Any], check: Checker) -> Ints:
    default = int(column.default or 0)
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iu":
        given = cells.to_numpy()
        values: Ints = given.astype(np.int64)
    else:
        given = cells.to_numpy(dtype=object)
        values = np.full(len(given), default, dtype=np.int64)
        missing = cells.isna().to_numpy()
        for row, value in enumerate(given):
            if missing[row] or value == "":
                continue
            number = _whole(value)
            if number is None:
                check.add(table, row, column.name, value, "A whole number.")
            else:
                values[row] = number
    wrong = (values < column.minimum) | (values > column.maximum)
    for place in np.flatnonzero(wrong):
        check.add(table, int(place), column.name, given[place], _range(column))
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


def _flags(table: str, column: Column, cells: pd.Series[Any], check: Checker) -> Bools:
    if isinstance(cells.dtype, np.dtype) and cells.dtype == np.bool_:
        return cells.to_numpy(dtype=np.bool_)
    values = np.full(len(cells), bool(column.default))
    for row, (value, missing) in enumerate(zip(cells, cells.isna(), strict=True)):
        if missing or value == "":
            continue
        flag = _flag(value)
        if flag is None:
            check.add(table, row, column.name, value, "true or false.")
        else:
            values[row] = flag
    return values


def _flag(value: object) -> bool | None:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    word = str(value).strip().lower().removesuffix(".0")
    return True if word in TRUE else False if word in FALSE else None


def _texts(table: str, column: Column, cells: pd.Series[Any], check: Checker) -> Strings:
    arrow = _arrow_texts(table, column, cells, check)
    if pc.any(pc.match_substring(arrow, "\0")).as_py():
        for row in np.flatnonzero(pc.match_substring(arrow, "\0").to_numpy(zero_copy_only=False)):
            check.add(table, int(row), column.name, "", "A text without the character NUL.")
    values = text.from_arrow(arrow)
    check.remember(values, arrow)
    if column.default is None:
        for row in np.flatnonzero(values == ""):
            check.add(table, int(row), column.name, "", f"A value is required. {column.meaning}")
    if column.choices:
        known = text.positions(arrow, text.to_arrow(strings([*column.choices, column.default])))
        for row in np.flatnonzero(known < 0):
            expected = f"One of {listed(values[row], list(column.choices))}."
            check.add(table, int(row), column.name, values[row], expected)
            values[row] = column.default
    return values


def _arrow_texts(
    table: str, column: Column, cells: pd.Series[Any], check: Checker
) -> pa.LargeStringArray:
    """Return cells of any type as texts in Arrow's form; missing ones are the default."""
    default = str(column.default or "")
    if isinstance(cells.dtype, pd.StringDtype):
        arrow = pa.array(cells, type=pa.large_string(), from_pandas=True)
        if isinstance(arrow, pa.ChunkedArray):
            arrow = arrow.combine_chunks()
        return arrow.fill_null(default) if arrow.null_count else arrow
    given = cells.to_numpy(dtype=object, copy=True)
    given[cells.isna().to_numpy()] = default
    if pd.api.types.infer_dtype(given, skipna=False) != "string":
        for row in [i for i, v in enumerate(given) if not isinstance(v, str)]:
            if isinstance(given[row], (bool, np.bool_, dict, list, tuple, np.ndarray)):
                check.add(table, row, column.name, given[row], "A text.")
            given[row] = _number_as_text(given[row])
    try:
        return pa.array(given, type=pa.large_string())
    except UnicodeEncodeError:
        for row, value in enumerate(given):
            if any("\ud800" <= c <= "\udfff" for c in value):
                check.add(table, row, column.name, ascii(value), "A text of Unicode characters.")
                given[row] = default
        return pa.array(given, type=pa.large_string())


def _number_as_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _name_lists(cells: pd.Series[Any]) -> dict[int, list[str]]:
    result: dict[int, list[str]] = {}
    for row in np.flatnonzero(~cells.isna().to_numpy()):
        names = cell_names(cells.iloc[row])
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


def _range(column: Column) -> str:
    low = f"{'more than' if column.positive else 'at least'} {column.minimum:g}"
    if column.maximum < np.inf:
        return f"A value of {low} and at most {column.maximum:g}."
    return f"A value of {low}."
