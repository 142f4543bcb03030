"""Texts of numbers, line by line: what most published benchmark files are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Floats, Ints
from hetopt.instance.grouping import ptr_of

MOST_COUNTED = 10_000_000
"""More machines (tasks, slots ...) than this, each with a name, come from a mistake."""
MOST_PROBLEMS = 20
"""Problems reported of one file; more of them would bury the first."""


@dataclass(frozen=True, slots=True)
class NumberLines:
    """The lines of a file that hold numbers; R lines with V numbers in all.

    Attributes
    ----------
    name
        What problems call the file.
    value
        All numbers (V), finite.
    ptr
        Line r holds ``value[ptr[r]:ptr[r + 1]]`` (R + 1).
    line
        Numbers of the lines in the file, from 1 (R).
    """

    name: str
    value: Floats
    ptr: Ints
    line: Ints

    def __len__(self) -> int:
        return len(self.line)

    @property
    def size(self) -> Ints:
        """How many numbers each line holds (R)."""
        return np.diff(self.ptr)

    def row(self, r: int) -> Floats:
        """Return the numbers of line r."""
        return self.value[self.ptr[r] : self.ptr[r + 1]]

    def place(self, r: int) -> str:
        """Return what problems call line r; past the end, the last line."""
        return f"{self.name}:{self.line[min(r, len(self) - 1)]}"

    def problem(self, r: int, value: object, expected: str) -> Problem:
        """Return a problem in line r."""
        return Problem(self.place(r), plain(value), expected)

    def table(self, first: int, rows: int, columns: int, what: str) -> Floats:
        """Return lines ``first`` to ``first + rows`` as a matrix of rows × columns.

        Parameters
        ----------
        what
            The lines for messages: "the times of one job on each machine".

        Raises
        ------
        InputError
            If there are fewer lines, or a line has another number of numbers: with the lines.
        """
        size = self.size
        faults = [
            self.problem(r, counted(int(size[r]), "number"), f"{columns} numbers: {what}.")
            for r in range(first, min(first + rows, len(self)))
            if size[r] != columns
        ]
        if len(self) < first + rows:
            there = counted(max(len(self) - first, 0), "line")
            faults.append(self.problem(len(self), there, f"{rows} lines, each {what}."))
        if faults:
            raise InputError(faults[:MOST_PROBLEMS])
        return self.value[self.ptr[first] : self.ptr[first + rows]].reshape(rows, columns)

    def least(self, rows: int, expected: str) -> None:
        """Refuse a text of fewer rows than its first line says."""
        if len(self) < rows:
            raise InputError([self.problem(len(self), f"{len(self) - 1}", expected)])

    def end(self, rows: int) -> None:
        """Refuse lines after the first ``rows``.

        Raises
        ------
        InputError
            If there are any.
        """
        if len(self) > rows:
            text = f"The end of the file after {rows} lines of numbers, as its first line says."
            raise InputError([self.problem(rows, counted(len(self) - rows, "more line"), text)])

    def header(self, names: Sequence[str], least: Sequence[int], more: int = 0) -> list[int]:
        """Return the whole numbers of the first line.

        Parameters
        ----------
        names
            What they count.
        least
            The smallest value of each.
        more
            How many numbers may follow that are not looked at.

        Raises
        ------
        InputError
            If the line has another number of numbers, or one is not whole, too small or absurd.
        """
        values = self.row(0).tolist()
        if not len(names) <= len(values) <= len(names) + more:
            text = f"{len(names)} numbers: {', '.join(names)}."
            raise InputError([self.problem(0, counted(len(values), "number"), text)])
        faults = [
            self.problem(0, value, f"The {name}, a whole number from {low} to {MOST_COUNTED:,}.")
            for name, low, value in zip(names, least, values, strict=False)
            if value != int(value) or not low <= value <= MOST_COUNTED
        ]
        if faults:
            raise InputError(faults)
        return [int(value) for value in values[: len(names)]]


def machine_times(text: str, name: str) -> Floats:
    """Read ``jobs machines`` and a line for each job: its time on each machine (jobs × machines).

    Raises
    ------
    InputError
        With every problem, its line, and what was expected there.
    """
    rows = number_lines(text, name)
    jobs, machines = rows.header(("number of jobs", "number of machines"), (1, 1))
    time = rows.table(1, jobs, machines, "the times of one job on each machine")
    rows.end(1 + jobs)
    wrong = np.argwhere(time < 0)[:MOST_PROBLEMS].tolist()
    if wrong:
        faults = [rows.problem(1 + j, time[j, m], "A time of at least 0.") for j, m in wrong]
        raise InputError(faults)
    return time


def number_lines(text: str, name: str, *, separators: str = "", comment: str = "#") -> NumberLines:
    """Read all numbers of a text; lines without any are left out.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.
    separators
        Characters that separate numbers, beside blanks.
    comment
        A pattern; what follows it on a line is left out.

    Raises
    ------
    InputError
        If a word is no finite number, or there is none at all: with its line.
    """
    words: list[str] = []
    sizes: list[int] = []
    lines: list[int] = []
    marks = re.compile(comment)
    blanks = str.maketrans(dict.fromkeys(separators, " "))
    for number, line in enumerate(text.split("\n"), start=1):
        found = marks.split(line, maxsplit=1)[0].translate(blanks).split()
        if found:
            words += found
            sizes.append(len(found))
            lines.append(number)
    if not words:
        raise InputError([Problem(name, "", "A file of numbers is expected, but it has none.")])
    value = _numbers(words)
    size = np.array(sizes, dtype=np.int64)
    if value is None or not np.isfinite(value).all():
        at = np.repeat(np.array(lines), size).tolist()
        wrong = [i for i, word in enumerate(words) if not _is_number(word)]
        raise InputError(
            [
                Problem(f"{name}:{at[i]}", words[i], "A number is expected.")
                for i in wrong[:MOST_PROBLEMS]
            ]
        )
    ptr = ptr_of(size)
    return NumberLines(name, value, ptr, np.array(lines, dtype=np.int64))


def plain(value: object) -> str:
    """Write a value for a message: whole numbers without a fraction."""
    if isinstance(value, (float, np.floating)) and value == int(value):
        return str(int(value))
    return str(value)


def _numbers(words: list[str]) -> Floats | None:
    try:
        return np.array(words, dtype=np.float64)
    except ValueError:
        return None


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def counted(number: int, what: str) -> str:
    """Write how many there are: ``1 line``, ``2 lines``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
