"""What devices that slow each other down run at once, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTE = (
    "States: what runs at once, for which part of the time, and at which part of its full speed; "
    "latencies count at the least rate that a route's option runs at."
)


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
