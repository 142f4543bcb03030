"""What all tables of an instance are: frozen columns of one length each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from hetopt.instance.dtypes import Ints

WHEN = ("scenario", "period")
"""Fields that say in which scenario or period a row of a table is."""


class Table:
    """Columns of one length; the first one tells it."""

    __slots__: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(getattr(self, self.__slots__[0]))

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any], **other: Any) -> Self:
        """Return the table with other columns, and for the rest those of its names among cells."""
        make: Any = cls
        found: Self = make(**{n: cells[n] for n in cls.__slots__ if n not in other}, **other)
        return found


def when(row: Mapping[str, Any]) -> str:
    """Return the field that says in which scenario or period a row is; empty where none does."""
    return next((name for name in WHEN if name in row), "")


@dataclass(frozen=True, slots=True)
class Groups:
    """Placement groups: group g holds tasks ``task[ptr[g]:ptr[g + 1]]``."""

    ptr: Ints
    task: Ints

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __iter__(self) -> Any:
        for g in range(len(self)):
            yield self.task[self.ptr[g] : self.ptr[g + 1]]
