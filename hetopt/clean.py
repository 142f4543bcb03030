"""Cells to columns: types, units, ranges and names, vectorised, with every problem collected."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance import Bools, Floats, Ints, Strings
from hetopt.tables import GROUP_SETTINGS, SETTINGS, TABLES, Column

if TYPE_CHECKING:
    import pandas as pd

PROBLEMS_PER_RULE = 20
"""Rows reported for one broken rule; a wrong column of a million rows needs no million lines."""

MONEY = ("money", "price", "energy_price")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


class Checker:
    """Collects problems as table positions."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.currencies: dict[str, None] = {}
        self._count: dict[tuple[str, str, str], int] = {}

    def add(self, table: str, row: int, column: str, value: object, expected: str) -> None:
        """Record one problem of a table; ``row`` -1 means the whole column or table."""
        rule = (table, column, expected[:24])
        self._count[rule] = self._count.get(rule, 0) + 1
        if self._count[rule] > PROBLEMS_PER_RULE:
            return
        place = f"table {table}" + (f", row {row}" if row >= 0 else "")
        place += f", column {column}" if column else ""
        self.problems.append(Problem(place, _shown(value), expected, table, row, column))

    def setting(self, name: str, value: object, expected: str) -> None:
        """Record one problem of a setting."""
        self.problems.append(
            Problem(f"setting {name}", _shown(value), expected, "settings", -1, name)
        )

    def rows(
        self, table: str, column: str, cells: Mapping[str, Any], wrong: Bools, expected: str
    ) -> None:
        """Record a problem for every row where ``wrong`` holds."""
        for row in np.flatnonzero(wrong):
            self.add(table, int(row), column, cells[column][row], expected)

    def unique(self, table: str, column: str, values: Strings) -> None:
        """Record every value that stands twice."""
        import pandas as pd

        for row in np.flatnonzero(pd.Series(values.astype(object)).duplicated().to_numpy()):
            self.add(table, int(row), column, values[row], "A name that no other row has.")

    def lookup(
        self,
        table: str,
        column: str,
        values: Strings,
        names: Strings,
        what: str,
        rows: Ints | None = None,
    ) -> Ints:
        """Return the index of each value among ``names``; -1 where empty or unknown.

        ``rows`` gives the input row of each value where they were reordered.
        """
        import pandas as pd

        index = pd.Index(names.astype(object))
        if not index.is_unique:
            index = index[~index.duplicated()]
        found = index.get_indexer(pd.Index(values.astype(object))).astype(np.int64)
        known: list[str] | None = None
        for row in np.flatnonzero((found < 0) & (values != "")):
            known = [str(n) for n in names[:1000]] if known is None else known
            place = int(row if rows is None else rows[row])
            self.add(table, place, column, values[row], f"A {what}: {listed(values[row], known)}.")
        return found

    def stop_if_any(self) -> None:
        """Raise what was collected.

        Raises
        ------
        InputError
            If there is any problem.
        """
        if not self.problems:
            return
        problems = list(self.problems)
        for (table, column, _), n in self._count.items():
            if n > PROBLEMS_PER_RULE:
                text = f"{n - PROBLEMS_PER_RULE} more rows of this column have the same problem."
                problems.append(
                    Problem(f"table {table}, column {column}", "", text, table, -1, column)
                )
        raise InputError(problems)


def strings(values: Any) -> Strings:
    """Return a column of text in NumPy's variable-width string type."""
    return np.asarray(values, dtype=np.dtypes.StringDType())


def clean_table(
    name: str, frame: pd.DataFrame | None, check: Checker, rows: int = 0
) -> dict[str, Any]:
    """Return every column of a table as an array, defaults filled in.

    Parameters
    ----------
    name
        Name of the table in ``hetopt.tables.TABLES``.
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
        table[column.name] = _clean_column(name, column, cells, n, check, table, frame, present)
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


def _clean_column(
    table: str,
    column: Column,
    cells: pd.Series[Any] | None,
    n: int,
    check: Checker,
    done: dict[str, Any],
    frame: pd.DataFrame | None,
    present: Mapping[str, str],
) -> Any:
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
    missing = cells.isna().to_numpy()
    if np.issubdtype(cells.dtype, np.number) if isinstance(cells.dtype, np.dtype) else False:
        values = cells.to_numpy(dtype=np.float64, copy=True)
        bad = np.zeros(len(values), dtype=bool)
        if not column.unlimited:
            bad = np.isinf(values)
            for row in np.flatnonzero(bad):
                check.add(table, int(row), column.name, values[row], "A finite number.")
    else:
        raw = cells.to_numpy(dtype=object)
        if column.dimension in MONEY:
            for value in raw:
                currency = units.currency(value)
                if currency:
                    check.currencies[currency] = None
        values, errors = _parsed(raw, column)
        bad = np.zeros(len(values), dtype=bool)
        for row, expected in errors:
            bad[row] = True
            check.add(table, row, column.name, raw[row], expected)
    blank = np.isnan(values) & ~bad
    if column.default is None:
        for row in np.flatnonzero(blank):
            check.add(table, int(row), column.name, "", f"A value is required. {column.meaning}")
    else:
        values = np.where(blank | missing, np.float64(column.default), values)
    low = values <= column.minimum if column.positive else values < column.minimum
    with np.errstate(invalid="ignore"):
        wrong = (low | (values > column.maximum)) & ~bad
    for row in np.flatnonzero(wrong):
        check.add(table, int(row), column.name, cells.iloc[row], _range(column))
    return np.where(bad | wrong, 0.0, values)


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
        try:
            if isinstance(value, (bool, np.bool_)):
                raise TypeError
            values[row] = float(value)
        except (TypeError, ValueError):
            wrong.append((row, "A number."))
    return values, wrong


def expected_quantity(error: units.UnitError) -> str:
    """Return what would have been accepted, as sentences."""
    text = f"{error.expected[0].upper()}{error.expected[1:]}."
    return f"{text} {error.hint}" if error.hint else text


def _whole_numbers(table: str, column: Column, cells: pd.Series[Any], check: Checker) -> Ints:
    raw = cells.to_numpy(dtype=object)
    values = np.zeros(len(raw), dtype=np.int64)
    plain = isinstance(cells.dtype, np.dtype) and np.issubdtype(cells.dtype, np.integer)
    if plain:
        values = cells.to_numpy(dtype=np.int64)
    else:
        missing = cells.isna().to_numpy()
        for row, value in enumerate(raw):
            if missing[row] or value == "":
                if column.default is None:
                    check.add(table, row, column.name, "", f"A value is required. {column.meaning}")
                else:
                    values[row] = column.default
                continue
            number = _whole(value)
            if number is None:
                check.add(table, row, column.name, value, "A whole number.")
                number = max(1, int(column.minimum))
            values[row] = number
    for row in np.flatnonzero((values < column.minimum) | (values > column.maximum)):
        check.add(table, int(row), column.name, raw[row], _range(column))
    return values


def _whole(value: object) -> int | None:
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # anything else raises TypeError
    except (TypeError, ValueError):
        return None
    return int(number) if number == np.floor(number) and abs(number) < 2**53 else None


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
    text = str(value).strip().lower()
    text = text[:-2] if text in ("1.0", "0.0") else text
    return True if text in TRUE else False if text in FALSE else None


def _texts(table: str, column: Column, cells: pd.Series[Any], check: Checker) -> Strings:
    missing = cells.isna().to_numpy()
    raw = cells.to_numpy(dtype=object)
    if missing.any():
        raw = raw.copy()
        raw[missing] = column.default or ""
    if not isinstance(cells.dtype, np.dtype) or cells.dtype == object:
        for row in [i for i, v in enumerate(raw) if not isinstance(v, str)]:
            if isinstance(raw[row], (bool, dict, list, tuple)):
                check.add(table, row, column.name, raw[row], "A text.")
            raw[row] = _number_as_text(raw[row])
    else:
        raw = np.array([_number_as_text(v) for v in raw], dtype=object)
    values = strings(raw)
    if column.default is None:
        for row in np.flatnonzero(values == ""):
            check.add(table, int(row), column.name, "", f"A value is required. {column.meaning}")
    if column.choices:
        known = strings(column.choices)
        for row in np.flatnonzero(~np.isin(values.astype(object), known.astype(object))):
            expected = f"One of {listed(values[row], list(column.choices))}."
            check.add(table, int(row), column.name, values[row], expected)
    return values


def _number_as_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _name_lists(cells: pd.Series[Any]) -> dict[int, list[str]]:
    result: dict[int, list[str]] = {}
    given = [i for i, v in enumerate(cells) if isinstance(v, (list, tuple, np.ndarray)) or v == v]
    for row in given:
        names = _names(cells.iloc[row])
        if names:
            result[row] = names
    return result


def _names(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, (list, tuple, np.ndarray)):
        return [str(v) for v in value]
    text = str(value).strip()
    if text.startswith("["):  # JSON, in a cell, for names that hold commas
        try:
            return [str(name) for name in json.loads(text)]
        except ValueError:
            pass
    return [part.strip() for part in text.split(",") if part.strip()]


def clean_settings(settings: Mapping[str, Any], check: Checker) -> dict[str, Any]:
    """Return every setting with its default, unknown and wrong ones recorded."""
    import pandas as pd

    known = {alias: c.name for c in SETTINGS for alias in (c.name, *c.aliases)}
    given: dict[str, Any] = {}
    for name, value in settings.items():
        if name in GROUP_SETTINGS:
            continue
        if name not in known:
            hint = unknown_field(name, [*(c.name for c in SETTINGS), *GROUP_SETTINGS], known)
            check.setting(name, "", f"No such setting. {hint}")
        elif value is not None:
            given[known[name]] = value
    result: dict[str, Any] = {}
    for column in SETTINGS:
        if column.type == "names":
            result[column.name] = tuple(_names(given.get(column.name)))
            continue
        if column.name not in given:
            result[column.name] = column.default
            continue
        before = len(check.problems)
        cells = pd.Series([given[column.name]], dtype=object)
        clean = _clean_column("settings", column, cells, 1, check, {}, None, {})[0]
        check.problems[before:] = [
            Problem(f"setting {column.name}", p.value, p.expected, "settings", -1, column.name)
            for p in check.problems[before:]
        ]
        result[column.name] = str(clean) if column.type == "text" else clean.item()
    for name in GROUP_SETTINGS:
        result[name] = _group_lists(name, settings.get(name), check)
    return result


def _group_lists(name: str, value: Any, check: Checker) -> list[list[str]]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(g, (list, tuple)) for g in value):
        check.setting(name, value, "A list of lists of task names.")
        return []
    return [[str(task) for task in group] for group in value]


def _range(column: Column) -> str:
    low = f"{'more than' if column.positive else 'at least'} {column.minimum:g}"
    if column.maximum < np.inf:
        return f"A value of {low} and at most {column.maximum:g}."
    return f"A value of {low}."


def listed(value: object, known: Sequence[str]) -> str:
    """Name the close matches of a value, or the known values themselves while they are few."""
    text = str(value)
    close = difflib.get_close_matches(text, known, n=3, cutoff=0.6)
    if len(known) <= 12 or not close:
        shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        return shown if not close else f"{shown} (did you mean {close[0]}?)"
    return f"did you mean {' or '.join(close)}?"


def unknown_field(name: object, canonical: Sequence[str], known: Iterable[str]) -> str:
    """Say in a sentence what the writer of an unknown field may have meant, or what there is.

    Parameters
    ----------
    name
        What was written.
    canonical, known
        The fields' names, and all names that are understood (aliases too).
    """
    close = difflib.get_close_matches(str(name), [*known], n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known are {', '.join(canonical)}."


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
