"""What ran, as telemetry: a row per task of a frame, in CSV or JSON lines (docs/telemetry.md)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hetopt.deploy.pipeline.run import Run

COLUMNS = (
    "device",
    "task",
    "label",
    "start_s",
    "time_s",
    "energy_j",
    "timestamp",
    "unit",
    "frame",
    "stage",
    "cpu_s",
)
"""Columns, those that every source of telemetry has first."""


def telemetry_rows(run: Run, clock: str = "wall") -> Iterator[dict[str, Any]]:
    """Yield a row per task that ran; with ``clock`` ``cpu`` times are processor time by thread.

    Tasks that are joined into one stage share its time in proportion to what the plan counted on;
    ``stage`` names all of them, so that a reader can tell.
    """
    devices = {u["unit"]: u["device"] for u in run.pipeline["units"]}
    for executed in sorted(run.executed, key=lambda e: (e.start_s, e.stage)):
        spec = run.stages[executed.stage].spec
        total = sum(spec["predicted_task_s"])
        at = executed.start_s
        for task, predicted in zip(spec["tasks"], spec["predicted_task_s"], strict=True):
            share = predicted / total if total > 0 else 1 / len(spec["tasks"])
            taken = (executed.end_s - executed.start_s) * share
            counted = executed.cpu_s * share / spec["threads"] if clock == "cpu" else taken
            stamp = datetime.fromtimestamp(run.began + at, UTC)
            yield {
                "device": devices[spec["unit"]],
                "task": task,
                "label": spec["option"],
                "start_s": round(at, 9),
                "time_s": round(counted, 9),
                "energy_j": None,
                "timestamp": stamp.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "unit": spec["unit"],
                "frame": executed.frame,
                "stage": "+".join(spec["tasks"]),
                "cpu_s": round(executed.cpu_s * share, 9),
            }
            at += taken


def telemetry_text(run: Run, *, lines: bool = False, clock: str = "wall") -> str:
    """Return telemetry as a file.

    Parameters
    ----------
    run
        What was executed.
    lines
        JSON lines; else CSV, where what is missing is empty.
    clock
        ``wall``, or ``cpu``: times are processor time by thread, as an instance measured by it has.
    """
    rows = telemetry_rows(run, clock)
    if lines:
        return "".join(json.dumps(row) + "\n" for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return text.getvalue()
