"""Rows on their way to tables, each remembering the place that it comes from.

Documents and the builder make rows one by one; the checks of :mod:`hetopt.compile` speak of table
positions. This is the way back from a position to a place that the user knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hetopt.instance.column_specs import TABLES

if TYPE_CHECKING:
    import pandas as pd

Place = TypeVar("Place")

DRAW = "draw_w"
"""Attribute of the table of options: see :attr:`Rows.draw_w`."""
UNSTATED = "idle_unstated"
"""Attribute of the table of devices: see :attr:`Rows.idle_unstated`."""


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

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables that have rows; required columns are always there."""
        import pandas as pd

        frames = {}
        for name, rows in self.cells.items():
            if not rows:
                continue
            present = dict.fromkeys(key for row in rows for key in row)
            for column in TABLES[name]:
                if column.default is None:
                    present[column.name] = None
            frames[name] = pd.DataFrame(
                {c: pd.Series([row.get(c) for row in rows], dtype=object) for c in present}
            )
        if self.draw_w:
            frames["options"].attrs[DRAW] = dict(self.draw_w)
        if self.idle_unstated:
            frames["devices"].attrs[UNSTATED] = list(self.idle_unstated)
        return frames
