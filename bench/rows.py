"""The table of results: one row a run, appended and flushed, so that an ended run can go on."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

KEY = ("family", "instance", "solver", "seed", "time_limit_s", "workers")
"""What tells two runs apart: a row with the same values is not run again."""

COLUMNS = (
    *KEY,
    "measure",
    "sense",
    "status",
    "termination",
    "objective",
    "bound",
    "best_known",
    "known_bound",
    "known_optimal",
    "gap_best_known",
    "gap_proven",
    "first_plan_s",
    "within_1pct_s",
    "end_s",
    "read_s",
    "build_s",
    "peak_mb",
    "verified",
    "method",
    "error",
    "history",
    "load_1min",
    "started",
    "hetopt_version",
    "commit",
    "versions",
    "machine",
    "command",
)
"""``status`` is ``error`` where the run crashed and ``unsupported`` where the solver cannot
express the case; ``error`` says why. ``termination`` is as hetopt's, or ``ended`` where a command
ended before its time. Objective, bound and history are in the family's measure;
times are seconds; gaps are fractions, positive where worse than the best-known value."""

NUMBERS = {
    "seed", "time_limit_s", "workers", "objective", "bound", "best_known", "known_bound",
    "gap_best_known", "gap_proven", "first_plan_s", "within_1pct_s", "end_s", "read_s", "build_s",
    "peak_mb", "load_1min",
}  # fmt: skip


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a table of results: numbers as floats (NaN where empty), the rest as text.

    A last line that a killed run left unfinished is left out.

    Raises
    ------
    ValueError
        If the file is no table of results.
    """
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(whole))
    lacking = [c for c in KEY if c not in (reader.fieldnames or ())]
    if lacking:
        raise ValueError(f"{path} is no table of results: it lacks {', '.join(lacking)}.")
    return [{c: _typed(c, row.get(c)) for c in COLUMNS} for row in reader]


class Table:
    """A table of results that rows are appended to.

    Parameters
    ----------
    path
        The file; made with its header where there is none, and rid of an unfinished last line.

    Raises
    ------
    ValueError
        If the file is something else, or has other columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists() and path.stat().st_size:
            self.rows = read_rows(path)
            self._heal()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(COLUMNS)

    def done(self, *, retry_errors: bool = False) -> set[tuple[Any, ...]]:
        """Keys of the runs that need no repetition."""
        kept = (r for r in self.rows if not (retry_errors and r["status"] == "error"))
        return {key_of(row) for row in kept}

    def drop_errors(self) -> None:
        """Leave out rows of crashed runs, which are then run again."""
        self.rows = [r for r in self.rows if r["status"] != "error"]
        self._rewrite()

    def add(self, row: dict[str, Any]) -> None:
        """Append a row and hand it to the disk."""
        self.rows.append({c: _typed(c, _text(row.get(c))) for c in COLUMNS})
        self._append([_text(row.get(c)) for c in COLUMNS])

    def _heal(self) -> None:
        with self.path.open(encoding="utf-8") as file:
            text = file.read()
        header = next(csv.reader([text.split("\n", 1)[0]]))
        if tuple(header) != COLUMNS:
            raise ValueError(
                f"{self.path} has other columns than this version writes; choose another file."
            )
        if not text.endswith("\n"):
            self._rewrite()

    def _rewrite(self) -> None:
        beside = self.path.with_suffix(self.path.suffix + ".part")
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([_text(row[c]) for c in COLUMNS] for row in self.rows)
        beside.replace(self.path)

    def _append(self, cells: Iterable[str]) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(cells)
            file.flush()
            os.fsync(file.fileno())


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """What tells the run of a row from others."""
    return tuple(_typed(c, _text(row[c])) for c in KEY)


def history_of(row: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Improvements as (seconds, objective, bound), NaN where unknown."""
    pairs = json.loads(row["history"] or "[]")
    return [tuple(math.nan if v is None else float(v) for v in entry) for entry in pairs]  # type: ignore[misc]  # three each


def _typed(column: str, text: str | None) -> Any:
    if column not in NUMBERS:
        return text or ""
    return float(text) if text else math.nan


def _text(value: Any) -> str:
    """Write a cell on one line, empty for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (list, tuple)):
        return json.dumps(value, separators=(",", ":"))
    return " ".join(str(value).split())
