"""What the platform does on a terminal: set-ups of units, and boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from hetopt import units
from hetopt.evaluate.with_units import shown
from hetopt.instance import Instance
from hetopt.instance.tables import WHEN


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


def board_tables(instance: Instance, quantities: Mapping[str, Any]) -> list[Table]:
    """Return a table of the boards, none where there are none."""
    rows = quantities.get("boards", [])
    if not rows:
        return []
    table = Table(title="Boards", title_justify="left", box=None, pad_edge=False)
    table.add_column("board")
    for column in ("had", "on", "idle energy", "asleep", "start-ups"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            str(row["board"]),
            f"{row['had']}",
            f"{row['on']}",
            shown(instance, row["energy_idle_j"], "energy"),
            shown(instance, row["sleep_s"], "time"),
            shown(instance, row["energy_start_up_j"], "energy"),
        )
    return [table]


def stream_boards(quantities: Mapping[str, Any], most: int) -> list[Table]:
    """Return a table of the boards of streams, none where there are none; ``most`` rows."""
    rows = quantities.get("boards", [])
    if not rows:
        return []
    table = Table(title="Boards", title_justify="left", box=None, pad_edge=False)
    when = [name for name in WHEN if name in rows[0]]
    for column in (*when, "board"):
        table.add_column(column)
    for column in ("had", "on", "idle power"):
        table.add_column(column, justify="right")
    for row in rows[:most]:
        table.add_row(
            *(str(row[name]) for name in (*when, "board")),
            f"{row['had']}",
            f"{row['on']}",
            units.format(row["idle_power_w"], "power"),
        )
    if len(rows) > most:
        table.caption = f"and {len(rows) - most:,} more; -o FILE writes all"
        table.caption_justify = "left"
    return [table]
