"""Operations with a choice of machines, as flexible job-shop files write them.

An operation is ``k m d m d …``: how many machines can run it, then each with its time. Files count
machines from 0 or from 1 and do not say which.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, NumberLines, counted, plain
from hetopt.instance import Floats, Ints


@dataclass(slots=True)
class Choices:
    """Operations read so far: where each starts among the numbers, and in which line it stands.

    ``faults`` are what is wrong with them.
    """

    rows: NumberLines
    start: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    faults: list[Problem] = field(default_factory=list)

    def read(self, row: int, first: int, count: int) -> None:
        """Read ``count`` operations of a line, from its number ``first`` on, to the line's end."""
        values = self.rows.row(row).tolist()
        base = int(self.rows.ptr[row])
        at = first
        for operation in range(1, count + 1):
            if at >= len(values):
                text = f"{count} operations, but the line ends after {operation - 1}."
                self.faults.append(self.rows.problem(row, "", text))
                return
            size = values[at]
            if size != int(size) or size < 1:
                text = f"How many machines can run operation {operation}: at least 1."
                self.faults.append(self.rows.problem(row, size, text))
                return
            end = at + 1 + 2 * int(size)
            if end > len(values):
                text = f"{int(size)} pairs of machine and time, as operation {operation} says."
                there = counted(len(values) - at - 1, "number")
                self.faults.append(self.rows.problem(row, there, text))
                return
            self.start.append(base + at)
            self.size.append(int(size))
            self.row.append(row)
            at = end
        if at < len(values):
            text = f"The end of the line after {count} operations."
            self.faults.append(
                self.rows.problem(row, counted(len(values) - at, "more number"), text)
            )

    def options(self, machines: int, default: int) -> Options:
        """Return the options of all operations.

        Parameters
        ----------
        machines
            How many there are.
        default
            What machines count from where the numbers do not tell. Machines differ in nothing but
            the times of operations, so it only settles which of them is never used.

        Raises
        ------
        InputError
            With every fault so far, machines that are none of ``machines``, named twice in an
            operation, or counted both from 0 and from 1, and negative times.
        """
        if self.faults:
            raise InputError(self.faults[:MOST_PROBLEMS])
        size = np.array(self.size, dtype=np.int64)
        operation = np.repeat(np.arange(len(size)), size)
        offset = np.arange(len(operation)) - np.repeat(np.cumsum(size) - size, size)
        at = np.repeat(np.array(self.start, dtype=np.int64) + 1, size) + 2 * offset
        number, time = self.rows.value[at], self.rows.value[at + 1]
        row = np.repeat(np.array(self.row, dtype=np.int64), size)
        base = index_base(self.rows, number, row, machines, "machine", default)
        machine = number.astype(np.int64) - base
        faults = [
            self.rows.problem(int(row[i]), time[i], "A time of at least 0.")
            for i in np.flatnonzero(time < 0)
        ]
        order = np.lexsort((machine, operation))
        same = (np.diff(operation[order]) == 0) & (np.diff(machine[order]) == 0)
        faults += [
            self.rows.problem(int(row[i]), number[i], "Each machine once in an operation.")
            for i in order[1:][same]
        ]
        if faults:
            raise InputError(faults[:MOST_PROBLEMS])
        return Options(operation, machine, time, self.rows.line[row], base)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of operations, O rows: times, machines from 0, and lines in the file.

    ``base`` is what the file counts machines from.
    """

    operation: Ints
    machine: Ints
    time_s: Floats
    line: Ints
    base: int


def index_base(
    rows: NumberLines, number: Floats, row: Ints, count: int, what: str, default: int
) -> int:
    """Return what the file counts ``count`` things from: 0 or 1.

    A file that names 0 counts from 0, one that names ``count`` from 1.

    Parameters
    ----------
    number, row
        All numbers of things in the file, and the line of each.
    default
        What files of the format count from where neither is named.

    Raises
    ------
    InputError
        If a number is not whole or none of ``count`` things, or both 0 and ``count`` are named.
    """
    wrong = np.flatnonzero((number != np.floor(number)) | (number < 0) | (number > count))
    if len(wrong):
        text = f"One of {count} {what}s, counted from 0 or from 1."
        raise InputError(
            [rows.problem(int(row[i]), number[i], text) for i in wrong[:MOST_PROBLEMS]]
        )
    zero, last = np.flatnonzero(number == 0), np.flatnonzero(number == count)
    if len(zero) and len(last):
        text = (
            f"At most {count - 1}: line {rows.line[row[zero[0]]]} names {what} 0, so the file "
            f"counts its {count} {what}s from 0."
        )
        raise InputError([rows.problem(int(row[last[0]]), plain(number[last[0]]), text)])
    if len(zero) or len(last):
        return 0 if len(zero) else 1
    return default
