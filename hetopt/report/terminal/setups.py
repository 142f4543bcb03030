"""The set-ups of a schedule on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from hetopt.evaluate.with_units import shown
from hetopt.instance import Instance


def setup_tables(instance: Instance, rows: Sequence[Mapping[str, Any]], most: int) -> list[Table]:
    """List the set-ups between tasks, ``most`` of them; no table where there are none."""
    if not rows:
        return []
    table = Table(title="Set-ups", title_justify="left", box=None, pad_edge=False)
    for column in ("unit", "from", "to", "before"):
        table.add_column(column)
    for column in ("start", "end", "energy"):
        table.add_column(column, justify="right")
    for row in rows[:most]:
        table.add_row(
            *(row[name] for name in ("unit", "from", "to", "before")),
            shown(instance, row["start_s"], "time"),
            shown(instance, row["end_s"], "time"),
            shown(instance, row["energy_j"], "energy"),
        )
    if len(rows) > most:
        table.caption = f"and {len(rows) - most:,} more; -o FILE writes all"
        table.caption_justify = "left"
    return [table]
