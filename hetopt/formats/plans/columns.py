"""Columns of large tables: numbers, and names by number, without a Python object per row.

A column is a NumPy array or one of the classes here; all have ``tolist`` and take a slice of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hetopt.instance import Ints, Strings


@dataclass(frozen=True, slots=True)
class Named:
    """A name per row, by its number among ``names``; None where that is -1."""

    names: list[str]
    code: Ints

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, rows: slice) -> Named:
        return Named(self.names, self.code[rows])

    def tolist(self) -> list[str | None]:
        """Return the names."""
        names = self.names
        return [names[code] if code >= 0 else None for code in self.code.tolist()]


@dataclass(frozen=True, slots=True)
class NameLists:
    """A list of names per row: those numbered ``code[ptr[i]:ptr[i + 1]]`` of row i."""

    names: list[str]
    ptr: Ints
    code: Ints

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __getitem__(self, rows: slice) -> NameLists:
        first, last, _ = rows.indices(len(self))
        ptr = self.ptr[first : max(first, last) + 1]
        return NameLists(self.names, ptr - ptr[0], self.code[ptr[0] : ptr[-1]])

    def tolist(self) -> list[list[str]]:
        """Return the lists of names."""
        ptr = self.ptr.tolist()
        flat = [self.names[code] for code in self.code.tolist()]
        return [flat[a:b] for a, b in pairwise(ptr)]


@dataclass(frozen=True, slots=True)
class Known:
    """A whole number per row; None where it is negative."""

    values: Ints

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Known:
        return Known(self.values[rows])

    def tolist(self) -> list[int | None]:
        """Return the numbers."""
        return [value if value >= 0 else None for value in self.values.tolist()]


Column = np.ndarray[Any, Any] | Named | NameLists | Known | list[Any]


def named(names: Strings, code: Ints) -> Named:
    """Return a column of names by number, with only those that are used where they are many."""
    if len(names) > len(code):
        used, code = np.unique(code, return_inverse=True)
        names = names[used]
    return Named(names.tolist(), np.asarray(code, dtype=np.int64))


def to_lists(columns: Mapping[str, Column]) -> dict[str, list[Any]]:
    """Return a table with its columns as lists."""
    return {
        key: column if isinstance(column, list) else column.tolist()
        for key, column in columns.items()
    }


def slices(columns: Mapping[str, Column], size: int) -> Iterator[dict[str, Column]]:
    """Return a table in pieces of at most so many rows, at least one piece."""
    count = len(next(iter(columns.values())))
    for first in range(0, max(1, count), size):
        yield {key: column[first : first + size] for key, column in columns.items()}


def arrow_tables(pa: Any, columns: Mapping[str, Column], schema: Any, size: int) -> Iterator[Any]:
    """Return a table of columns as tables of pyarrow of at most so many rows, at least one."""
    names = {
        key: pa.array(column.names, pa.string())
        for key, column in columns.items()
        if isinstance(column, Named | NameLists)
    }
    for piece in slices(columns, size):
        arrays = [
            _arrow(pa, column, schema.field(key).type, names.get(key))
            for key, column in piece.items()
        ]
        yield pa.table(arrays, schema=schema)


def _arrow(pa: Any, column: Column, kind: Any, names: Any) -> Any:
    """Return a column as an array of pyarrow; ``names`` are those of its names."""
    if isinstance(column, Named):
        return names.take(pa.array(column.code, mask=column.code < 0))
    if isinstance(column, NameLists):
        flat = names.take(pa.array(column.code))
        return pa.ListArray.from_arrays(pa.array(column.ptr, pa.int32()), flat)
    if isinstance(column, Known):
        return pa.array(column.values, kind, mask=column.values < 0)
    return pa.array(column, kind)
