"""Rows on their way to tables, each remembering the place that it comes from.

Documents and the builder make rows one by one; the checks of :mod:`hetopt.compile` speak of table
positions. This is the way back from a position to a place that the user knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from hetopt.instance.column_specs import TABLES

if TYPE_CHECKING:
    import pandas as pd

Place = TypeVar("Place")

DRAW = "draw_w"
"""Attribute of the table of options: see :attr:`Rows.draw_w`."""
UNSURE = "unsure"
"""Attribute of a table: columns with cells that were taken out, as they are wrong."""
UNSTATED = "idle_unstated"
"""Attribute of the table of devices: see :attr:`Rows.idle_unstated`."""


Cells = np.ndarray[Any, Any]
"""A column as it was given: numbers or flags, else objects with None where nothing is said."""


def column_cells(values: Sequence[Any]) -> Cells:
    """Return values of any kind, lists too, as the cells of one column."""
    cells = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        cells[row] = value  # not all at once: NumPy would take lists for more dimensions
    return cells


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table by its columns: what a frame is, for small tables that need no pandas."""

    columns: dict[str, Cells]
    attrs: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()), ()))

    def frame(self) -> pd.DataFrame:
        """Return the table as a frame of pandas."""
        import pandas as pd

        frame = pd.DataFrame({c: pd.Series(v, dtype=object) for c, v in self.columns.items()})
        frame.attrs.update(self.attrs)
        return frame


class Rows(Generic[Place]):
    """Rows of every table, in order, with a place each."""

    def __init__(self) -> None:
        self.cells: dict[str, list[Mapping[str, Any]]] = {name: [] for name in TABLES}
        self.places: dict[str, list[Place]] = {name: [] for name in TABLES}
        self.draw_w: dict[int, float] = {}
        """By row of the options: the whole draw measured, where a row states energy above idle."""
        self.idle_unstated: list[int] = []
        """Rows of devices whose idle power, and whether it is known, only the catalogue says."""

    def add(self, table: str, cells: Mapping[str, Any], place: Place) -> None:
        """Append one row; ``cells`` has canonical column names, absent ones are defaults."""
        self.cells[table].append(cells)
        self.places[table].append(place)

    def place(self, table: str, row: int) -> Place | None:
        """Return the place of a row, None where a whole table or column is meant."""
        places = self.places.get(table, [])
        return places[row] if 0 <= row < len(places) else None

    def sheets(self) -> dict[str, Sheet]:
        """Return the tables that have rows; required columns are always there."""
        sheets = {}
        for name, rows in self.cells.items():
            if not rows:
                continue
            present = dict.fromkeys(key for row in rows for key in row)
            for column in TABLES[name]:
                if column.default is None:
                    present[column.name] = None
            sheets[name] = Sheet({c: column_cells([row.get(c) for row in rows]) for c in present})
        if self.draw_w:
            sheets["options"].attrs[DRAW] = dict(self.draw_w)
        if self.idle_unstated:
            sheets["devices"].attrs[UNSTATED] = list(self.idle_unstated)
        return sheets
