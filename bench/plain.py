"""Results as a plain table: one row a run, what a referee looks at and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.peers.command import read_titled

COLUMNS = (
    *("family", "instance", "solver", "seed", "time_limit_s", "workers", "status"),
    *("objective", "bound", "gap_proven", "best_known", "known_optimal", "gap_best_known"),
    *("end_s", "first_plan_s", "within_1pct_s", "verified", "error"),
)


def plain_table(results: Sequence[Path]) -> str:
    """Return the runs of tables of results as CSV, in their order; blank where not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in read_titled(results):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.9g}"
    return str(value)
