"""``--set PATH=VALUE``: change one field of an instance by name.

A path is a setting (``horizon_s``), or ``TABLE.ROW.COLUMN`` where ROW is the row's name
(``devices.npu.count``), for options ``PROFILE/DEVICE`` or ``PROFILE/DEVICE/LABEL``, for uses
``PROFILE/DEVICE/RESOURCE`` or ``PROFILE/DEVICE/LABEL/RESOURCE``, for links and transfers
``FROM->TO``, for rates ``SCENARIO/JOB``. A ROW of ``*`` is every row of the table
(``jobs.*.slices=4``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.tables import SETTINGS, TABLES

if TYPE_CHECKING:
    import pandas as pd


EVERY_ROW = "*"


def set_values(instance: Instance, assignments: Sequence[str]) -> Instance:
    """Return the instance with every ``PATH=VALUE`` applied, checked as a file would be.

    Raises
    ------
    InputError
        Where a path names nothing or a value does not fit.
    """
    if not assignments:
        return instance
    frames, settings = instance.frames(), instance.settings()
    problems: list[Problem] = []
    names = {alias: c.name for c in SETTINGS for alias in (c.name, *c.aliases)}
    for assignment in assignments:
        path, mark, value = assignment.partition("=")
        if not mark:
            problems.append(Problem("--set", assignment, "PATH=VALUE."))
        elif path in names:
            settings[names[path]] = value
        else:
            _set_cell(frames, assignment, path, value, problems)
    if problems:
        raise InputError(problems)
    return Instance.from_frames(frames, settings)


def _set_cell(
    frames: dict[str, pd.DataFrame],
    assignment: str,
    path: str,
    value: str,
    problems: list[Problem],
) -> None:
    table, _, rest = path.partition(".")
    row_name, _, column = rest.rpartition(".")
    if table not in frames or not row_name:
        listed = ", ".join(frames)
        text = f"A setting, or TABLE.ROW.COLUMN with a table of {listed}."
        problems.append(Problem("--set", assignment, text))
        return
    aliases = {alias: c.name for c in TABLES[table] for alias in (c.name, *c.aliases)}
    if table == "devices":
        aliases["count"] = "count"
    if column not in aliases:
        text = f"A column of table {table}: {', '.join(aliases)}."
        problems.append(Problem("--set", assignment, text))
        return
    frame = frames[table].astype(object)
    rows = [i for i, name in enumerate(_row_names(table, frame)) if row_name in name]
    if not rows and row_name == EVERY_ROW:
        rows = list(range(len(frame)))
    if not rows:
        problems.append(Problem("--set", assignment, f"A row of table {table}, not {row_name}."))
        return
    column = aliases[column]
    if column == "count":
        frame = frame.drop(columns=["count_min", "count_max"], errors="ignore")
    if column == "power_w" and "energy_j" in frame:
        frame.loc[frame.index[rows], "energy_j"] = None
    if column not in frame:
        frame[column] = None
    frame.loc[frame.index[rows], column] = value
    frames[table] = frame


def _row_names(table: str, frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the names by which each row may be called."""
    if table == "options":
        label: Any = frame["label"] if "label" in frame else [""] * len(frame)
        return [
            (f"{p}/{d}/{x}", f"{p}/{d}")
            for p, d, x in zip(frame["profile"], frame["device"], label, strict=True)
        ]
    if table == "uses":
        label = frame["label"] if "label" in frame else [""] * len(frame)
        cells = zip(frame["profile"], frame["device"], label, frame["resource"], strict=True)
        return [(f"{p}/{d}/{x}/{r}", f"{p}/{d}/{r}") for p, d, x, r in cells]
    if table == "rates":
        return [(f"{s}/{j}",) for s, j in zip(frame["scenario"], frame["job"], strict=True)]
    if table in ("links", "transfers"):
        return [(f"{a}->{b}",) for a, b in zip(frame["from"], frame["to"], strict=True)]
    return [(str(name),) for name in frame["name"]]
