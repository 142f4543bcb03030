"""A document's plain data to rows: shorthands are written out, catalogue entries filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from hetopt import units
from hetopt.compile.cells import cell_names, expected_quantity
from hetopt.compile.rows import Rows
from hetopt.formats.native.document_model import LABEL_PARTS
from hetopt.formats.native.fields.forgotten_units import ForgottenUnits
from hetopt.formats.native.shape import shown
from hetopt.formats.place import Fault, Path, path_text
from hetopt.instance import NO_MAXIMUM
from hetopt.instance.column_specs import GROUP_SETTINGS, SETTINGS, TABLES

TASK_FIELDS = ("profile", "options", "work", "pin", "forbid")
NAMES = {
    table: {alias: c.name for c in columns for alias in c.names}
    for table, columns in TABLES.items()
}
"""Canonical names of columns by every name that files may use."""

LATENCY = "latency_slo"
LATENCY_LIMIT = {"limit": "latency_slo_s", "quantile": "latency_quantile"}
"""What a mapping in the place of a latency limit holds."""

INNER = {
    table: {
        within: {name: c.name for c in columns if c.within == within for name in c.inner_names}
        for within in dict.fromkeys(c.within for c in columns if c.within)
    }
    for table, columns in TABLES.items()
}
"""Canonical names of columns by the mapping that may hold them and their name there."""

COLUMNS_OF = {table: {c.name: c for c in columns} for table, columns in TABLES.items()}
DEVICE_FIGURES = (
    *("kind", "idle_power_w", "idle_known", "scope", "board", "preview", "source", "caution"),
)
OPTION_FIGURES = (
    *("label", "time_s", "energy_j", "memory_b", "accuracy", "batch", "latency_s"),
    *("preview", "source"),
)


def expand(
    data: Mapping[str, Any], units_seen: ForgottenUnits | None = None
) -> tuple[Rows[Path], dict[str, Any], list[Fault]]:
    """Turn a document of the right shape into rows and settings.

    Parameters
    ----------
    data
        Plain data of the document.
    units_seen
        Sees every quantity as it was written.

    Returns
    -------
    rows
        Rows of every table, each with its path in the document.
    settings
        Settings by the name that the document uses, with ``together`` and ``apart``.
    faults
        What the document says twice, or that the catalogue does not have.
    """
    reader = _Expansion(data, units_seen or ForgottenUnits())
    reader.devices()
    reader.boards()
    for table in ("pools", "sites", "links", "networks", "resources", "kind_shares"):
        for path, entry in reader.entries((table,), data.get(table)):
            reader.rows.add(table, reader.named(table, path, entry), path)
    reader.profiles()
    reader.jobs_and_tasks()
    reader.scenarios()
    reader.periods()
    names = [*GROUP_SETTINGS, *(a for c in SETTINGS for a in c.names)]
    settings = {name: data[name] for name in names if name in data}
    settings |= reader.ties
    for column in SETTINGS:
        for name in column.names:
            if name in settings:
                reader.units_seen.see(column, name, settings[name], "top level")
        given = [a for a in column.names if a in settings]
        if len(given) > 1:
            second = given[1]
            if column.name in reader.ties:  # read from the mapping, beside one at the top
                given[0] = f"{column.within}.{column.inner_names[-1]}"
            reader.fault((second,), settings.pop(second), f"Only one of {' and '.join(given)}.")
    for name in GROUP_SETTINGS:
        groups = settings.get(name, [])
        for k, group in enumerate(groups):
            if isinstance(group, str) and len(cell_names(group)) < 2:
                text = f"At least two tasks in each group: {name}: [[a, b], [c, d]]."
                reader.fault((name, k), group, text)
        settings[name] = [
            g if isinstance(g, list) else cell_names(g) for g in groups if g is not None
        ]
    return reader.rows, settings, reader.faults


class _Expansion:
    """The rows under construction, and the devices that come from the catalogue."""

    def __init__(self, data: Mapping[str, Any], units_seen: ForgottenUnits) -> None:
        self.data = data
        self.units_seen = units_seen
        self.rows: Rows[Path] = Rows()
        self.faults: list[Fault] = []
        self.entry_ids: dict[str, str] = {}  # by device
        self.idle_given: dict[str, bool] = {}
        self.on_board: dict[Any, list[Any]] = {}  # devices of the catalogue, by board
        self.ties: dict[str, Any] = {}  # settings that stand within `periods`

    def fault(self, path: Path, value: object, expected: str) -> None:
        self.faults.append(Fault(path, shown(value), expected))

    def entries(self, path: Path, entries: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield the path and the fields of every entry of a list that has the right shape."""
        for i, entry in enumerate(entries or []):
            if entry is not None:
                yield (*path, i), entry

    def named(self, table: str, path: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of an entry under their canonical names; other fields are left out."""
        cells: dict[str, Any] = {}
        for at, label, name, value in self._written(table, path, entry):
            if name in cells:
                self.fault(at, value, f"{name} once, under one of its names.")
            cells[name] = value
            self.units_seen.see(COLUMNS_OF[table][name], label, value, path_text(at[:-1]))
        return cells

    def _written(
        self, table: str, path: Path, entry: Mapping[str, Any]
    ) -> Iterator[tuple[Path, str, str, Any]]:
        """Yield place, written name, column and value, mappings such as ``sleep`` opened."""
        known, inner = NAMES[table], INNER[table]
        for key, value in entry.items():
            if key == LATENCY and isinstance(value, dict):
                for name, written in LATENCY_LIMIT.items():
                    if name in value:
                        yield (*path, key, name), name, written, value[name]
            elif key in known:
                yield (*path, key), key, known[key], value
            elif key in inner and isinstance(value, dict):
                for name, held in value.items():
                    column = COLUMNS_OF[table][inner[key][name]]
                    label = column.name if name == column.inner_names[0] else name
                    yield (*path, key, name), label, column.name, held

    def devices(self) -> None:
        for path, entry in self.entries(("devices",), self.data.get("devices")):
            cells = self.named("devices", path, entry)
            if "count" in entry:
                cells |= self._count(path, entry)
            if entry.get("from") is not None:
                self._device_figures(path, entry, cells)
            elif "entry" in entry:
                self.fault((*path, "entry"), entry["entry"], "from: catalogue beside the entry.")
            self.rows.add("devices", cells, path)
            own = {"device": entry.get("name", "")}
            for at, setup in self.entries((*path, "setups"), entry.get("setups")):
                self.rows.add("setups", own | self.named("setups", at, setup), at)

    def _count(self, path: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
        for end in ("count_min", "count_max"):
            if end in entry:
                self.fault((*path, end), entry[end], f"Either count or {end}.")
        count = entry["count"]
        if not isinstance(count, dict):
            return {"count_min": count, "count_max": count}
        return {"count_min": count.get("min", 0), "count_max": count.get("max", NO_MAXIMUM)}

    def _device_figures(self, path: Path, entry: Mapping[str, Any], cells: dict[str, Any]) -> None:
        from hetopt.profiling.catalogue import UnknownEntry, device_entry

        if entry["from"] != "catalogue":
            self.fault((*path, "from"), entry["from"], "catalogue, the only source there is.")
            return
        where = "entry" if "entry" in entry else "name"
        id_ = str(entry.get(where, ""))
        try:
            found = device_entry(id_)
        except UnknownEntry as error:
            self.fault((*path, where), id_, str(error))
            return
        name = str(entry.get("name", ""))
        self.entry_ids[name] = id_
        self.idle_given[name] = "idle_power_w" in cells
        if "idle_power_w" in cells:
            cells.setdefault("idle_known", True)
        elif "idle_known" not in cells:
            self.rows.idle_unstated.append(len(self.rows.cells["devices"]))
        boards = [entry.get("name") for _, entry in self.entries((), self.data.get("boards"))]
        on = cells.get("board", found.board)
        if on in boards:
            # Its figures were measured at the board's plug: the board draws the idle power.
            self.on_board.setdefault(on, []).append(found)
            cells.setdefault("idle_power_w", 0.0)
        for figure in DEVICE_FIGURES:
            if figure != "board" or not boards or on in boards:
                cells.setdefault(figure, getattr(found, figure))

    def boards(self) -> None:
        """Add the boards; one that states no idle power has what its catalogue devices state."""
        for path, entry in self.entries(("boards",), self.data.get("boards")):
            cells = self.named("boards", path, entry)
            if "count" in entry:
                cells |= self._count(path, entry)
            known = [
                d.idle_power_w for d in self.on_board.get(entry.get("name"), []) if d.idle_known
            ]
            if known:
                cells.setdefault("idle_power_w", min(known))
            self.rows.add("boards", cells, path)

    def profiles(self) -> None:
        for name, profile in (self.data.get("profiles") or {}).items():
            path: Path = ("profiles", name)
            if isinstance(profile, dict):
                self._catalogue_options(path, name, profile)
            else:
                self.options(path, name, profile)

    def options(self, path: Path, profile: str, entries: Any) -> None:
        """Add the options of one profile."""
        if not entries:
            self.fault(path, entries, "At least one option: a device, a time and an energy.")
        for at, entry in self.entries(path, entries):
            cells = self.named("options", at, entry)
            cells["profile"] = profile
            label = self._label(at, entry)
            if label:
                cells.setdefault("label", label)
            self.rows.add("options", cells, at)
            own: dict[str, Any] = {
                key: cells[key] for key in ("profile", "device", "label") if key in cells
            }
            for name, amount in (entry.get("uses") or {}).items():
                use = own | {"resource": name, "amount": amount}
                self.rows.add("uses", use, (*at, "uses", name))

    def _label(self, path: Path, entry: Mapping[str, Any]) -> str:
        parts = []
        for column in LABEL_PARTS:
            value = entry.get(column.name)
            if value is None:
                continue
            if column.dimension:
                try:
                    number = units.parse(value, column.dimension)
                except units.UnitError as error:
                    self.fault((*path, column.name), value, expected_quantity(error))
                    continue
                if not isinstance(value, str):
                    value = units.format(number, column.dimension)
            parts.append(" ".join(str(value).split()))
        return " ".join(parts)

    def _catalogue_options(self, path: Path, name: str, profile: Mapping[str, Any]) -> None:
        """Add what the catalogue has for one task on each device that comes from it."""
        from hetopt.profiling.catalogue import UnknownEntry, options_for, tasks_like

        if profile.get("from") != "catalogue":
            self.fault((*path, "from"), profile.get("from", ""), "from: catalogue, and a task.")
            return
        if "task" not in profile:
            self.fault((*path, "task"), "", "The ID of the catalogue's task.")
            return
        labels = profile.get("labels")
        wanted = None if labels is None else [str(v) for v in _as_list(labels)]
        try:
            tasks = tasks_like([str(task) for task in _as_list(profile["task"])])
        except UnknownEntry as error:
            self.fault((*path, "task"), profile["task"], str(error))
            return
        found: dict[str, None] = {}
        used = 0
        for device, id_ in self.entry_ids.items():
            tables = [options_for(task, id_).to_dict("records") for task in tasks]
            several = sum(bool(table) for table in tables) > 1
            for row in chain.from_iterable(tables):
                found[str(row["label"])] = None
                if wanted is None or row["label"] in wanted:
                    cells = self._catalogue_cells(name, device, row)
                    if several:
                        cells["label"] = f"{row['task']} {row['label']}"
                    self.rows.add("options", cells, path)
                    used += 1
        for label in wanted or []:
            if label not in found:
                known = ", ".join(found) or "none"
                self.fault((*path, "labels"), label, f"A label of this task here: {known}.")
        if not used and (wanted is None or not found):
            text = "A task that the catalogue has on a device of the instance (from: catalogue)."
            self.fault((*path, "task"), profile["task"], text)

    def _catalogue_cells(self, name: str, device: str, row: Mapping[Any, Any]) -> dict[str, Any]:
        cells = {key: row[key] for key in OPTION_FIGURES}
        cells |= {"profile": name, "device": device}
        # Energy above idle depends on the idle power, which the instance may know better.
        if row["power_w"] == row["power_w"]:
            if self.idle_given[device]:
                cells |= {"energy_j": None, "power_w": row["power_w"]}
            else:
                self.rows.draw_w[len(self.rows.cells["options"])] = row["power_w"]
        return cells

    def jobs_and_tasks(self) -> None:
        data = self.data
        for path, entry in self.entries(("tasks",), data.get("tasks")):
            self._task(path, entry, {})
        for path, entry in self.entries(("jobs",), data.get("jobs")):
            self.rows.add("jobs", self.named("jobs", path, entry), path)
            name = entry.get("name", "")
            if entry.get("tasks"):
                for field in TASK_FIELDS:
                    if field in entry:
                        text = "Either tasks, or the fields of the job's only task."
                        self.fault((*path, field), entry[field], text)
                for at, task in self.entries((*path, "tasks"), entry["tasks"]):
                    self._task(at, task, {"job": name})
            elif "profile" in entry or "options" in entry:
                only = {field: entry[field] for field in TASK_FIELDS if field in entry}
                self._task(path, {"name": name, **only}, {"job": name})
            else:
                for field in ("work", "pin", "forbid"):
                    if field in entry:
                        text = "A profile or options beside it; other jobs state it per task."
                        self.fault((*path, field), entry[field], text)
            for at, transfer in self.entries((*path, "transfers"), entry.get("transfers")):
                self.rows.add("transfers", self.named("transfers", at, transfer), at)
        for path, entry in self.entries(("transfers",), data.get("transfers")):
            self.rows.add("transfers", self.named("transfers", path, entry), path)

    def scenarios(self) -> None:
        """Add the scenarios, and the rates that they state."""
        for path, entry in self.entries(("scenarios",), self.data.get("scenarios")):
            self.rows.add("scenarios", self.named("scenarios", path, entry), path)
            self._rates(path, entry)

    def periods(self) -> None:
        """Add the periods with their rates, what ties them, and what was there before."""
        given = self.data.get("periods")
        path: Path = ("periods",)
        if isinstance(given, dict):
            inner = {n: c.name for c in SETTINGS if c.within == "periods" for n in c.inner_names}
            for name, value in given.items():
                if inner.get(name) in self.ties:
                    self.fault((*path, name), value, f"{inner[name]} once, under one of its names.")
                elif name in inner:
                    self.ties[inner[name]] = value
            path, given = (*path, "list"), given.get("list")
            if not given:
                self.fault(path, given, "At least one period: a name and a duration.")
        for at, entry in self.entries(path, given):
            self.rows.add("periods", self.named("periods", at, entry), at)
            self._rates(at, entry)
        for at, entry in self.entries(("initial",), self.data.get("initial")):
            self.rows.add("initial", self.named("initial", at, entry), at)

    def _rates(self, path: Path, entry: Mapping[str, Any]) -> None:
        for name, rate in (entry.get("rates") or {}).items():
            cells = {"scenario": entry.get("name", ""), "job": name, "rate_per_s": rate}
            self.rows.add("rates", cells, (*path, "rates", name))

    def _task(self, path: Path, entry: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        cells = {**self.named("tasks", path, entry), **more}
        if "options" in entry:
            name = str(entry.get("name", ""))
            if "profile" in entry:
                self.fault((*path, "options"), "", "Either a profile or options of its own.")
            elif name in (self.data.get("profiles") or {}):
                text = f"A profile, or another name: profile {name} has options already."
                self.fault((*path, "options"), "", text)
            else:
                self.options((*path, "options"), name, entry["options"])
        self.rows.add("tasks", cells, path)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
