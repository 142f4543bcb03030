"""``--set PATH=VALUE``: change one field of an instance by name.

A path is a setting (``horizon_s``), or ``TABLE.ROW.COLUMN`` where ROW is the row's name
(``devices.npu.count``), for options ``PROFILE/DEVICE`` or ``PROFILE/DEVICE/LABEL``, for uses
``PROFILE/DEVICE/RESOURCE`` or ``PROFILE/DEVICE/LABEL/RESOURCE``, for links, networks and transfers
``FROM->TO``, for set-ups ``DEVICE/FROM->TO``, for rates ``SCENARIO/JOB``, for initial units
``DEVICE``, for shares of kinds ``KIND`` or ``KIND/OF``; what ties periods is ``periods.min_up`` and
the like. A ROW of ``*`` is every row of the table (``jobs.*.slices=4``). An empty VALUE is the
default.

The change is made in the tables as they were read and these are compiled anew, so that it means
what it would mean in the file: another period or horizon repeats jobs anew, another idle power
leaves what a whole draw was measured, a purchase price stays one. Only of an instance that was
changed in memory since, the tables are those of :func:`hetopt.to_frames`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hetopt.compile.problems import unknown_field
from hetopt.compile.rows import DRAW, UNSTATED, Sheet
from hetopt.compile.to_columns import from_frames
from hetopt.compile.to_tables import to_frames, to_settings
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.instance.column_specs import DEFAULT_JOB, GROUP_SETTINGS, SETTINGS, TABLES

if TYPE_CHECKING:
    import pandas as pd

EVERY_ROW = "*"
COUNTS = ("count_min", "count_max")
COUNTED = ("devices", "boards")
"""Tables whose rows stand for several, or for a range of them."""
INSTEAD = {
    ("options", "power_w"): ("energy_j",),
    ("options", "energy_j"): ("power_w",),
    ("jobs", "rate_per_s"): ("share", "period_s"),
    ("jobs", "share"): ("rate_per_s",),
    ("jobs", "period_s"): ("rate_per_s",),
}
"""Columns of which a row states one; setting the one takes the others away."""
OPTION_KEY = ("profile", "device", "label")
PAIRS = ("links", "networks")
"""Tables whose rows may stand for both directions."""


def set_values(instance: Instance, assignments: Sequence[str]) -> Instance:
    """Return the instance with every ``PATH=VALUE`` applied, checked as a file would be.

    Raises
    ------
    InputError
        Where a path names nothing or a value does not fit.
    """
    if not assignments:
        return instance
    tables = _Tables(instance)
    for assignment in assignments:
        tables.set(assignment)
    if tables.problems:
        raise InputError(tables.problems)
    try:
        changed = from_frames(tables.frames, tables.settings)
    except InputError as error:
        raise InputError([tables.placed(problem) for problem in error.problems]) from None
    return changed.read_from(instance.source)


def sets(assignments: Sequence[str], column: str) -> bool:
    """Whether an assignment sets a setting, or a column of any table."""
    columns = [c for table in (SETTINGS, *TABLES.values()) for c in table if c.name == column]
    aliases = {alias for c in columns for alias in c.names}
    paths = [path for text in assignments for path, _ in _parted(text)]
    return any(path.rpartition(".")[2] in aliases for path in paths)


class _Tables:
    """Tables and settings under change, and which assignment wrote what."""

    def __init__(self, instance: Instance) -> None:
        self._repeated = False
        if instance.written is None:
            self.frames, self.settings = to_frames(instance), to_settings(instance)
            self._repeated = any(re.search(r"@\d+$", job) for job in instance.jobs.name.tolist())
        else:
            frames, settings = instance.written
            self.frames = {
                name: table.frame() if isinstance(table, Sheet) else table
                for name, table in frames.items()
            }
            self.settings = dict(settings)
        self.problems: list[Problem] = []
        self._by: dict[tuple[str, int, str], str] = {}

    def set(self, assignment: str) -> None:
        """Apply one ``PATH=VALUE``; a name in the path may itself hold ``=``."""
        if "=" not in assignment:
            self.problems.append(Problem("--set", assignment, "PATH=VALUE."))
            return
        wrong = ""
        for path, value in _parted(assignment):
            problem = self._assign(path, value, assignment)
            if not problem:
                return
            wrong = wrong or problem
        self.problems.append(Problem("--set", assignment, wrong))

    def placed(self, problem: Problem) -> Problem:
        """Return a problem at the assignment that wrote the value, if one did."""
        at = (problem.table, problem.row, problem.column.partition("[")[0])
        by = self._by.get(at)
        if by is None:
            return problem
        return Problem(f"--set {by}", problem.value, problem.expected)

    def _assign(self, path: str, value: str, assignment: str) -> str:
        """Apply one assignment; return what is wrong with it, empty where nothing is."""
        names = {alias: c.name for c in SETTINGS for alias in c.names}
        names |= {f"{c.within}.{n}": c.name for c in SETTINGS if c.within for n in c.inner_names}
        if path in GROUP_SETTINGS:
            try:
                self.settings[path] = json.loads(value or "[]")
            except ValueError:
                return 'Lists of tasks, as JSON: [["a", "b"], ["c", "d"]].'
            self._by["settings", -1, path] = assignment
            return ""
        if path in names:
            if self._repeated and names[path] in ("horizon_s", "cycle_s", "cyclic", "cycles"):
                return "An instance as it was read: here, its periodic jobs are repeated already."
            for alias in [a for a, name in names.items() if name == names[path]]:
                self.settings.pop(alias, None)
            if value:
                self.settings[names[path]] = value
            self._by["settings", -1, names[path]] = assignment
            return ""
        return self._set_cell(path, value, assignment)

    def _set_cell(self, path: str, value: str, assignment: str) -> str:
        table, _, rest = path.partition(".")
        row_name, _, called = rest.rpartition(".")
        frame = self._frame(table)
        if frame is None or not row_name:
            listed = ", ".join(name for name in TABLES if self._frame(name) is not None)
            return f"A setting, or TABLE.ROW.COLUMN with a table of {listed}."
        aliases = {alias: c.name for c in TABLES[table] for alias in c.names}
        if table in COUNTED:
            aliases["count"] = "count"
        inner = {
            f"{c.within}.{name}": c.name
            for c in TABLES[table]
            if c.within
            for name in c.inner_names
        }
        if table == "jobs":
            inner |= {"latency_slo.limit": "latency_slo_s"}
            inner |= {"latency_slo.quantile": "latency_quantile"}
        held = f"{row_name.rpartition('.')[2]}.{called}"
        if held in inner:
            row_name, called = row_name.rpartition(".")[0], inner[held]
        if called not in aliases:
            columns = list(dict.fromkeys(aliases.values()))
            return f"A column of table {table}. {unknown_field(called, columns, aliases)}"
        column = aliases[called]
        frame = frame.astype(object).rename(columns={a: aliases[a] for a in frame if a in aliases})
        frame = frame.reset_index(drop=True)
        if table in PAIRS:
            frame = _one_way(frame, row_name)
        names = _row_names(table, frame)
        rows = [i for i, name in enumerate(names) if row_name in name]
        if not rows and row_name == EVERY_ROW:
            rows = list(range(len(frame)))
        if not rows:
            return f"A row of table {table}, not {row_name}{_known_rows(names)}."
        if table == "options" and column in OPTION_KEY and "uses" in self.frames:
            self._move_uses(frame, rows, column, value)
        if table == "jobs" and column == "period_s" and self.settings.get("regime") != "schedule":
            # A stream keeps its rate, so that the period is refused as what it is.
            frame[column] = frame.get(column)
            frame.loc[rows, column] = value or None
        else:
            frame = _write(frame, table, rows, column, value or None)
        for row in rows:
            for written in COUNTS if column == "count" else (column,):
                self._by[table, row, written] = assignment
        self.frames[table] = frame
        if (table, column) == ("devices", "idle_power_w"):
            self._state_idle(rows, [names[row][0] for row in rows])
        return ""

    def _move_uses(self, options: pd.DataFrame, rows: list[int], column: str, value: str) -> None:
        """Let what options use follow them to another profile, device or label."""
        uses = self.frames["uses"].astype(object)
        moved = set(_keys(options.loc[rows]))
        here = [key in moved for key in _keys(uses)]
        if column not in uses:
            uses[column] = None
        uses.loc[here, column] = value
        self.frames["uses"] = uses

    def _state_idle(self, rows: list[int], names: list[str]) -> None:
        """Do what a document does where it states idle power instead of the catalogue's.

        It is known then, and options keep the whole draw that was measured.
        """
        devices, options = self.frames["devices"], self.frames["options"]
        unstated = [row for row in rows if row in devices.attrs.get(UNSTATED, ())]
        if unstated:
            devices.loc[unstated, "idle_known"] = True
        on = [_text(device) for device in options["device"]]
        drawn = {r: w for r, w in options.attrs.get(DRAW, {}).items() if on[r] in names}
        if not drawn:
            return
        options = options.astype(object)
        options.loc[list(drawn), "energy_j"] = None
        if "power_w" not in options:
            options["power_w"] = None
        for row, draw_w in drawn.items():
            options.loc[row, "power_w"] = draw_w
        self.frames["options"] = options

    def _frame(self, table: str) -> pd.DataFrame | None:
        """Return a table; the job that nobody wrote is one too."""
        import pandas as pd

        if table == "jobs" and "jobs" not in self.frames:
            return pd.DataFrame({"name": [DEFAULT_JOB]})
        return self.frames.get(table)


def _parted(assignment: str) -> Iterator[tuple[str, str]]:
    """Yield path and value, parted at each ``=``."""
    at = assignment.find("=")
    while at >= 0:
        yield assignment[:at].strip(), assignment[at + 1 :].strip()
        at = assignment.find("=", at + 1)


def _write(
    frame: pd.DataFrame, table: str, rows: list[int], column: str, value: str | None
) -> pd.DataFrame:
    if table in COUNTED and column in ("count", *COUNTS):
        frame = _with_ranges(frame)
        frame.loc[rows, list(COUNTS) if column == "count" else column] = value
        return frame
    for other in INSTEAD.get((table, column), ()):
        if other in frame and value is not None:
            frame.loc[rows, other] = None
    if column not in frame:
        frame[column] = None
    frame.loc[rows, column] = value
    return frame


def _with_ranges(frame: pd.DataFrame) -> pd.DataFrame:
    """Return devices with their numbers of units as ranges alone; blank ends are defaults."""
    for end in COUNTS:
        if end not in frame:
            frame[end] = None
    if "count" not in frame:
        return frame
    for row in frame.index[frame["count"].notna() & (frame["count"] != "")]:
        frame.loc[row, list(COUNTS)] = frame.loc[row, "count"]
    return frame.drop(columns="count")


def _one_way(frame: pd.DataFrame, row_name: str) -> pd.DataFrame:
    """Split a row for both directions where the other one is named: it is a link of its own."""
    import pandas as pd

    names = [f"{a}->{b}" for a, b in zip(frame["from"], frame["to"], strict=True)]
    if row_name in names or "both_ways" not in frame:
        return frame
    back = frame.rename(columns={"from": "to", "to": "from"})[list(frame.columns)]
    named = [f"{a}->{b}" == row_name for a, b in zip(back["from"], back["to"], strict=True)]
    split = pd.Series(named) & frame["both_ways"].map(_is_true)
    if not split.any():
        return frame
    frame.loc[split, "both_ways"] = None
    back = back[split].assign(both_ways=None)
    return pd.concat([frame, back], ignore_index=True)


def _keys(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return what tells each row's option apart."""
    blank = [""] * len(frame)
    columns = ([_text(v) for v in frame[c]] if c in frame else blank for c in OPTION_KEY)
    return list(zip(*columns, strict=True))


def _is_true(value: object) -> bool:
    return str(value).strip().lower().removesuffix(".0") in ("true", "yes", "1")


def _known_rows(names: list[tuple[str, ...]]) -> str:
    """Name rows that there are; a table of many is not listed."""
    shown = [name[0] for name in names[:8]]
    return f"; it has {', '.join(shown)}" + (", ..." if len(names) > 8 else "") if shown else ""


def _row_names(table: str, frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the names by which each row may be called."""
    cells = {str(c): [_text(v) for v in frame[c]] for c in frame.columns}
    blank = [""] * len(frame)
    label = cells.get("label", blank)
    if table == "options":
        options = zip(cells["profile"], cells["device"], label, strict=True)
        return [(f"{p}/{d}/{x}", f"{p}/{d}") for p, d, x in options]
    if table == "uses":
        uses = zip(cells["profile"], cells["device"], label, cells["resource"], strict=True)
        return [(f"{p}/{d}/{x}/{r}", f"{p}/{d}/{r}") for p, d, x, r in uses]
    if table == "rates":
        return [(f"{s}/{j}",) for s, j in zip(cells["scenario"], cells["job"], strict=True)]
    if table == "initial":
        return [(device,) for device in cells["device"]]
    if table == "setups":
        rows = zip(cells["device"], cells["from"], cells["to"], strict=True)
        return [(f"{device}/{a}->{b}",) for device, a, b in rows]
    if table in (*PAIRS, "transfers"):
        return [(f"{a}->{b}",) for a, b in zip(cells["from"], cells["to"], strict=True)]
    if table == "kind_shares":
        of = [text or "units" for text in cells.get("of", blank)]
        return [(f"{kind}/{what}", kind) for kind, what in zip(cells["kind"], of, strict=True)]
    return [(name,) for name in cells["name"]]


def _text(value: Any) -> str:
    """Return a cell as the name that it is; a file may write names as numbers."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
