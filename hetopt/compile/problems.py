"""The collector of problems: every rule reports here, and all of them are raised at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hetopt.compile.strings import Keys, keys_of, positions, repeated
from hetopt.errors import InputError, Problem
from hetopt.instance import Bools, Ints, Strings
from hetopt.units.synonyms import field_of

PROBLEMS_PER_RULE = 20
"""Rows reported for one broken rule; a wrong column of a million rows needs no million lines."""

NAMED = {"profile": "options"}
"""Tables whose names are looked up, where the table is not the plural of what it holds."""


class Checker:
    """Collects problems as table positions.

    First the cells are checked, then what they say together. A row whose cells are wrong is not
    reported again for what follows from that (``settle`` marks the border).
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.currencies: dict[str, None] = {}
        self._count: dict[tuple[str, str, str], int] = {}
        self._wrong: set[tuple[str, int]] = set()
        self._unsure: set[tuple[str, str]] = set()
        self._settled = False
        self._keys: dict[int, tuple[Strings, Keys]] = {}

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
        self.problems.append(Problem(place, shown(value), expected, table, row, column))

    def setting(self, name: str, value: object, expected: str) -> None:
        """Record one problem of a setting."""
        if self._settled and ("settings", name) in self._unsure:
            return
        if not self._settled:
            self._unsure.add(("settings", name))
        self.problems.append(
            Problem(f"setting {name}", shown(value), expected, "settings", -1, name)
        )

    def settle(self) -> None:
        """Say that the cells are done: what follows looks at several cells at once."""
        self._settled = True

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
        if self.unsure(home, "profile" if what == "profile" else "name"):
            return found  # the name may be one that was written wrongly there
        known: list[str] | None = None
        for row in np.flatnonzero((found < 0) & (values != "")):
            known = [str(n) for n in names[:1000]] if known is None else known
            place = int(row if rows is None else rows[row])
            expected = f"A {what}: {listed(values[row], known)}."
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


def unknown_field(name: object, canonical: Sequence[str], known: Iterable[str]) -> str:
    """Say in a sentence what the writer of an unknown field may have meant, or what there is.

    Parameters
    ----------
    name
        What was written.
    canonical, known
        The fields' names, and all names that are understood (aliases too).
    """
    known = list(known)
    meant = field_of(str(name), known)
    if meant:
        return meant
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known are {', '.join(canonical)}."


def shown(value: object) -> str:
    """Return a value as text of at most one line."""
    whole = " ".join(str(value).split()) if isinstance(value, str) else str(value)
    return whole if len(whole) <= 80 else whole[:77] + "..."
