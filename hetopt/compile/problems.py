"""The collector of problems: every rule reports here, and all of them are raised at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from hetopt import units
from hetopt.compile.strings import Keys, keys_of, positions, repeated
from hetopt.errors import InputError, Problem
from hetopt.instance import Bools, Ints, Strings
from hetopt.instance.column_specs import SETTINGS, TABLES
from hetopt.units.synonyms import field_of

PROBLEMS_PER_RULE = 20
"""Rows reported for one broken rule; a wrong column of a million rows needs no million lines."""

PLACES_NAMED = 4
"""Places named that know a field; more are counted."""

NAMED = {"profile": "options"}
"""Tables whose names are looked up, where the table is not the plural of what it holds."""


Table = dict[str, Any]
"""Columns of a table by their names, as arrays."""


class Checker:
    """Collects problems as table positions.

    First the cells are checked, then what they say together. A row whose cells are wrong is not
    reported again for what follows from that (``settle`` marks the border).
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.twice: set[str] = set()
        """Tables with a name that stands twice: what names its rows may mean either."""
        self.currencies: dict[str, None] = {}
        self._count: dict[tuple[str, str, str], int] = {}
        self._wrong: set[tuple[str, int]] = set()
        self._unsure: set[tuple[str, str]] = set()
        self._settled = False
        self._keys: dict[int, tuple[Strings, Keys]] = {}
        self._written: dict[tuple[str, str], tuple[Any, Any]] = {}

    def read_as(self, table: str, column: str, given: Any, values: Any) -> None:
        """Remember what cells (of ``settings``: a value) say, and what they were read as."""
        self._written[table, column] = (given, values)

    def was_written(self, table: str, column: str) -> bool:
        """Whether some cell of a column (of ``settings``: a value) was given."""
        return (table, column) in self._written

    def as_written(self, table: str, row: int, column: str, value: object) -> object:
        """Return a number as it was written, with its unit and currency.

        A value that no cell was read as (a sum, a default) is returned as it is.
        """
        if isinstance(value, (str, bool, np.bool_)) or (table, column) not in self._written:
            return value
        given, values = self._written[table, column]
        if table != "settings":
            if not 0 <= row < len(given):
                return value
            given, values = given[row], values[row]
        return given if given is not None and given == given and values == value else value

    def told(self, table: str, row: int, column: str, value: float) -> str:
        """Return a value of a row for a sentence: as it was written, else with a unit that fits."""
        found = self.as_written(table, row, column, value)
        if isinstance(found, str) and not units.is_plain(found):
            return shown(found)
        columns = SETTINGS if table == "settings" else TABLES[table]
        dimension = next(c.dimension for c in columns if c.name == column)
        return units.format(value, dimension) if dimension else f"{value:g}"

    def add(
        self,
        table: str,
        row: int,
        column: str,
        value: object,
        expected: str,
        *,
        certain: bool = False,
    ) -> None:
        """Record one problem of a table.

        Parameters
        ----------
        table, row, column
            The place; ``row`` -1 means the whole column or table.
        value, expected
            What stands there, and what was expected: a full sentence.
        certain
            Whether it does not depend on other cells of the row.
        """
        if not self._settled:
            self._wrong |= {(table, row), (table, -1)}
            self._unsure.add((table, column))
        elif not certain and (table, row) in self._wrong:
            return
        rule = (table, column, expected[:24])
        self._count[rule] = self._count.get(rule, 0) + 1
        if self._count[rule] > PROBLEMS_PER_RULE:
            return
        place = f"table {table}" + (f", row {row}" if row >= 0 else "")
        place += f", column {column}" if column else ""
        text = shown(self.as_written(table, row, column, value))
        self.problems.append(Problem(place, text, expected, table, row, column))

    def setting(self, name: str, value: object, expected: str) -> None:
        """Record one problem of a setting."""
        if self._settled and ("settings", name) in self._unsure:
            return
        if not self._settled:
            self._unsure.add(("settings", name))
        text = shown(self.as_written("settings", -1, name, value))
        self.problems.append(Problem(f"setting {name}", text, expected, "settings", -1, name))

    def settle(self) -> None:
        """Say that the cells are done: what follows looks at several cells at once."""
        self._settled = True

    def doubt(self, table: str, column: str) -> None:
        """Say that a column lacks cells which were wrong already where they were read."""
        self._unsure.add((table, column))

    def unsure(self, table: str, column: str) -> bool:
        """Whether a column (of ``settings``: a setting) had a wrong cell, or is not there."""
        return (table, column) in self._unsure or (table, "") in self._unsure

    def rows(
        self,
        table: str,
        column: str,
        cells: Mapping[str, Any],
        wrong: Bools,
        expected: str,
        *,
        certain: bool = False,
    ) -> None:
        """Record a problem for every row where ``wrong`` holds."""
        for row in np.flatnonzero(wrong):
            self.add(table, int(row), column, cells[column][row], expected, certain=certain)

    def unique(self, table: str, column: str, values: Strings) -> None:
        """Record every value that stands twice; empty ones count as missing, not as twice."""
        for row in repeated(self.keys(values)):
            if values[row] != "":
                self.twice.add(table)
                expected = "A name that no other row has."
                self.add(table, int(row), column, values[row], expected, certain=True)

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
        found = positions(self.keys(values), self.keys(names))
        home = NAMED.get(what, f"{what}s")
        if home in self.twice or self.unsure(home, "profile" if what == "profile" else "name"):
            return found  # the name may be one that was written wrongly there
        known: list[str] | None = None
        for row in np.flatnonzero((found < 0) & (values != "")):
            known = [str(n) for n in names[:1000]] if known is None else known
            place = int(row if rows is None else rows[row])
            expected = f"A {what}: {listed(values[row], known)}."
            if not known:
                expected = f"A {what} of those in {home}; there are none, so add it there."
            self.add(table, place, column, values[row], expected, certain=True)
        return found

    def keys(self, values: Strings) -> Keys:
        """Return a column of text in the form that is looked up, made once."""
        if id(values) not in self._keys:
            self.remember(values, keys_of(values))
        return self._keys[id(values)][1]

    def remember(self, values: Strings, keys: Keys) -> None:
        """Keep the form of a column of text that is looked up."""
        self._keys[id(values)] = (values, keys)  # holds the column, so that its id stays its own

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
                expected = (
                    f"{n - PROBLEMS_PER_RULE} more rows of this column have the same problem."
                )
                place = f"table {table}, column {column}"
                problems.append(Problem(place, "", expected, table, -1, column))
        raise InputError(problems)


def listed(value: object, known: Sequence[str]) -> str:
    """Name the close matches of a value, or the known values themselves while they are few."""
    close = difflib.get_close_matches(str(value), known, n=3, cutoff=0.6)
    if not known:
        return "there is none"
    if len(known) <= 12 or not close:
        names = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        return names if not close else f"{names} (did you mean {close[0]}?)"
    return f"did you mean {' or '.join(close)}?"


def unknown_field(
    name: object,
    canonical: Sequence[str],
    known: Iterable[str],
    places: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Say in a sentence what the writer of an unknown field may have meant, or what there is.

    Parameters
    ----------
    name
        What was written.
    canonical, known
        The fields' names, and all names that are understood (aliases too).
    places
        Names that are understood anywhere, each with the places that know it; default: the tables
        and settings of an instance.
    """
    known = list(known)
    places = column_places() if places is None else places
    meant = field_of(str(name), known)
    close = [k for k in known if _letters(k) == _letters(str(name))]
    close = close or difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    near = meant or (f"Did you mean {' or '.join(close)}?" if close else "")
    belongs = places.get(str(name), ())
    if belongs:
        where = f"{name} belongs to {_several(belongs)}."
        return f"{near} {where}" if meant else where
    if near:
        return near
    far = difflib.get_close_matches(str(name), list(places), n=1, cutoff=0.75)
    if far:
        return f"Did you mean {far[0]}, which belongs to {_several(places[far[0]])}?"
    return f"Known are {', '.join(canonical)}."


@lru_cache(maxsize=1)
def column_places() -> Mapping[str, Sequence[str]]:
    """Return every name of a column and of a setting, with what knows it."""
    found: dict[str, dict[str, None]] = {}
    for column in SETTINGS:
        for alias in (column.name, *column.aliases):
            found.setdefault(alias, {})["the settings"] = None
    for table, columns in TABLES.items():
        found.setdefault(table, {})["the tables, as one of its own"] = None
        for column in columns:
            for alias in (column.name, *column.aliases):
                found.setdefault(alias, {})[f"table {table}"] = None
    return {name: tuple(places) for name, places in found.items()}


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _several(places: Sequence[str]) -> str:
    """Name places, the last ones counted where they are many."""
    if len(places) > PLACES_NAMED + 1:
        return f"{', '.join(places[:PLACES_NAMED])} and {len(places) - PLACES_NAMED} more places"
    return " or ".join(filter(None, [", ".join(places[:-1]), places[-1]]))


def shown(value: object) -> str:
    """Return a value as text of at most one line."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    whole = " ".join(str(value).split()) if isinstance(value, str) else str(value)
    return whole if len(whole) <= 80 else whole[:77] + "..."
