"""What the platform does on a terminal: set-ups of units, boards, states of a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from hetopt import units
from hetopt.evaluate.with_units import shown
from hetopt.instance import Instance
from hetopt.instance.tables import WHEN
from hetopt.report.terminal.listing import listing, with_rest

NOTE = (
    "States: what runs at once, for which part of the time, and at which part of its full speed; "
    "latencies count at the least rate that a route's option runs at."
)


def setup_tables(instance: Instance, rows: Sequence[Mapping[str, Any]], most: int) -> list[Table]:
    """List the set-ups between tasks, ``most`` of them; no table where there are none."""
    if not rows:
        return []
    heads = ("unit", "from", "to", "before")
    table = listing(heads, ("start", "end", "energy"), title="Set-ups")
    for row in rows[:most]:
        table.add_row(
            *(row[name] for name in heads),
            shown(instance, row["start_s"], "time"),
            shown(instance, row["end_s"], "time"),
            shown(instance, row["energy_j"], "energy"),
        )
    return [with_rest(table, len(rows), most)]


def board_tables(instance: Instance, quantities: Mapping[str, Any]) -> list[Table]:
    """Return a table of the boards, none where there are none."""
    rows = quantities.get("boards", [])
    if not rows:
        return []
    heads = ("had", "on", "idle energy", "asleep", "start-ups")
    table = listing(("board",), heads, title="Boards")
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
    when = [name for name in WHEN if name in rows[0]]
    table = listing((*when, "board"), ("had", "on", "idle power"), title="Boards")
    for row in rows[:most]:
        table.add_row(
            *(str(row[name]) for name in (*when, "board")),
            f"{row['had']}",
            f"{row['on']}",
            units.format(row["idle_power_w"], "power"),
        )
    return [with_rest(table, len(rows), most)]


def state_rows(quantities: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return when (a scenario, or empty), share and runs of each state, the longest first."""
    rows = quantities.get("states") or []
    ordered = sorted(
        enumerate(rows), key=lambda item: (item[1].get("scenario", ""), -item[1]["share"], item[0])
    )
    return [
        (
            str(row.get("scenario", "")),
            f"{100 * row['share']:.1f} %",
            ", ".join(_run(run) for run in row["runs"]),
        )
        for _, row in ordered
    ]


def _run(run: Mapping[str, Any]) -> str:
    label = f" ({run['option']})" if run["option"] else ""
    speed = "full speed" if run["rate"] >= 1 - 1e-12 else f"{100 * run['rate']:.1f} %"
    return f"{run['profile']} on {run['unit']}{label} at {speed}"
