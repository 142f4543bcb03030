"""``--set`` against the same change made in the file, for each field of each table.

``python -m bench set-round-trip [FILE ...]`` goes through every row of the shipped instances, the
tests through some. The change in the file is made in the parsed document and read
anew; it shares nothing with :mod:`hetopt.compile.set_values` but the reader.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.formats.native.yaml_source import parse_yaml
from hetopt.instance import Instance
from hetopt.instance.column_specs import SETTINGS, TABLES, Column

REPO = Path(__file__).resolve().parents[1]
LISTS = (
    *("devices", "pools", "sites", "links", "networks", "resources"),
    *("tasks", "transfers", "jobs", "kind_shares", "scenarios"),
)
NEW = {"number": ("0.5", "3", "1e-3"), "whole": ("2", "0"), "flag": ("true", "false")}
"""Values that fields are set to; the lesser ones suit fractions, and those that must not grow."""
OF_TASKS = ("work", "pin", "forbid")
CALLED = ("name", "label", "from", "to", "kind")
"""Columns by which rows are called; a document may have more that follows from a name."""


@dataclass(frozen=True)
class Change:
    """One field at one place of a document, and how the command line calls it."""

    place: tuple[str | int, ...]
    column: Column
    path: str


def shipped() -> list[Path]:
    """Return the instances of the repository."""
    found = REPO.joinpath("instances").rglob("*.yaml")
    return sorted([*found, *REPO.joinpath("hetopt", "data").glob("*.yaml")])


def differing(
    text: str, name: str, *, step: int = 1, most_values: int = 9
) -> tuple[int, list[str]]:
    """Compare changes of one document.

    Parameters
    ----------
    text, name
        The document, in YAML (which has JSON within it).
    step
        Each how-manieth change is compared.
    most_values
        Values tried for each field.

    Returns
    -------
    int
        How many outcomes were compared.
    list
        Those that differ.
    """
    data: Any = parse_yaml(text, name).data
    if not isinstance(data, dict) or "hetopt" not in data:
        return 0, []
    data = json.loads(json.dumps(data))
    instance = _read(data)
    compared, wrong = 0, []
    for change in list(changes(data))[::step]:
        for value in values(change, data)[:most_values]:
            compared += 1
            fault = _difference(instance, data, change, value)
            if fault:
                wrong.append(f"{name}: --set {change.path}={value}: {fault}")
    return compared, wrong


def changes(data: dict[str, Any]) -> Iterator[Change]:
    """Yield every field that a document has or may have."""
    for column in SETTINGS:
        yield Change((column.name,), column, column.name)
    for table in LISTS:
        for i, row in enumerate(data.get(table) or []):
            name = row.get("name", row.get("kind"))
            if table == "kind_shares":
                name = f"{row['kind']}/{row.get('of', 'units')}"
            if "from" in row and "to" in row:
                name = f"{row['from']}->{row['to']}"
            for column in TABLES[table]:
                if column.name not in CALLED or (column.name, table) == ("kind", "devices"):
                    yield Change((table, i, column.name), column, f"{table}.{name}.{column.name}")
            if table == "devices":
                count = Column("count", "", "whole", 1)
                yield Change((table, i, "count"), count, f"devices.{name}.count")
            if table == "jobs":
                yield from _of_job(i, row)
            if table == "scenarios":
                (rate,) = (c for c in TABLES["rates"] if c.name == "rate_per_s")
                for job in row.get("rates") or {}:
                    yield Change((table, i, "rates", job), rate, f"rates.{name}/{job}.rate_per_s")
            if table == "tasks":
                yield from _of_options((table, i, "options"), name, row.get("options"))
    for name, options in (data.get("profiles") or {}).items():
        if isinstance(options, list):
            yield from _of_options(("profiles", name), name, options)


def _of_job(i: int, row: dict[str, Any]) -> Iterator[Change]:
    for k, task in enumerate(row.get("tasks") or []):
        for column in TABLES["tasks"]:
            if column.name not in ("job", *CALLED):
                place = ("jobs", i, "tasks", k, column.name)
                yield Change(place, column, f"tasks.{task['name']}.{column.name}")
        place = ("jobs", i, "tasks", k, "options")
        yield from _of_options(place, task["name"], task.get("options"))
    if not row.get("tasks") and ("profile" in row or "options" in row):
        for column in TABLES["tasks"]:
            if column.name in OF_TASKS:
                yield Change(("jobs", i, column.name), column, f"tasks.{row['name']}.{column.name}")
        yield from _of_options(("jobs", i, "options"), row["name"], row.get("options"))
    for k, edge in enumerate(row.get("transfers") or []):
        for column in TABLES["transfers"][2:]:
            place = ("jobs", i, "transfers", k, column.name)
            yield Change(place, column, f"transfers.{edge['from']}->{edge['to']}.{column.name}")


def _of_options(place: tuple[str | int, ...], profile: str, options: Any) -> Iterator[Change]:
    (amount,) = (c for c in TABLES["uses"] if c.name == "amount")
    for k, option in enumerate(options or []):
        alone = sum(other.get("device") == option.get("device") for other in options) == 1
        if not alone and "label" not in option:
            continue  # its label is made of other fields
        row = f"{profile}/{option.get('device')}" + ("" if alone else f"/{option['label']}")
        for column in TABLES["options"]:
            if column.name not in ("profile", *CALLED):
                yield Change((*place, k, column.name), column, f"options.{row}.{column.name}")
        for resource in option.get("uses") or {}:
            yield Change((*place, k, "uses", resource), amount, f"uses.{row}/{resource}.amount")


def values(change: Change, data: dict[str, Any]) -> tuple[str, ...]:
    """Return what a field is set to."""
    column = change.column
    if column.choices:
        return column.choices[:2]
    if column.type in NEW:
        return NEW[column.type]
    if column.name == "objective":
        return ("energy", "power,cost")
    names = [str(row.get("name")) for row in data.get("devices") or []]
    return (names[-1], "nothing")


def _difference(instance: Instance, data: dict[str, Any], change: Change, value: str) -> str:
    """Return how ``--set`` and the changed document differ, empty where they do not."""
    try:
        here = set_values(instance, [f"{change.path}={value}"])
    except InputError as error:
        here = error
    try:
        there = _read(_edited(data, change, value))
    except InputError as error:
        there = error
    if isinstance(here, Instance) and isinstance(there, Instance):
        return ", ".join(_unlike(here, there))
    if isinstance(here, InputError) and isinstance(there, InputError):
        return ""
    return f"{here!r:.200} instead of {there!r:.200}"


def _edited(data: dict[str, Any], change: Change, value: str) -> dict[str, Any]:
    changed = copy.deepcopy(data)
    entry: Any = changed
    for part in change.place[:-1]:
        entry = entry[part]
    last = change.place[-1]
    if "latency" in str(last) and isinstance(entry.get("latency_slo"), dict):
        # One field of two columns: the other one stays as it is.
        both = entry.pop("latency_slo")
        entry |= {f"latency_{k}": v for k, v in both.items() if k == "quantile"}
        entry["latency_slo"] = both["limit"]
    for name in (last, *change.column.aliases, *_INSTEAD.get(str(last), ())):
        if name != last or isinstance(name, str):
            given = entry.pop(name, None) if isinstance(entry, dict) else None
            if name == "count" and str(last).startswith("count_") and given is not None:
                ends = given if isinstance(given, dict) else {"min": given, "max": given}
                entry |= {"count_min": ends.get("min", 0), "count_max": ends.get("max", -1)}
    within = entry.get(change.column.within) if change.column.within else None
    if isinstance(within, dict):
        for name in change.column.inner_names:
            within.pop(name, None)
    entry[last] = value if value else None
    return changed


_INSTEAD = {
    "power_w": ("energy", "energy_j"),
    "energy_j": ("power", "power_w"),
    "rate_per_s": ("share", "period", "period_s"),
    "share": ("rate", "rate_per_s"),
    "count": ("count_min", "count_max"),
    "count_min": ("count",),
    "count_max": ("count",),
}
"""What a person takes away who writes the field."""


def _read(data: dict[str, Any]) -> Instance:
    return read_instance("document.json", text=json.dumps(data))


def _unlike(one: Instance, other: Instance) -> list[str]:
    """Return the columns and settings in which two instances differ."""
    found = []
    for field in fields(Instance):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if not hasattr(a, "__dataclass_fields__"):
            found += [] if a == b else [field.name]
            continue
        for column in fields(a):
            x, y = getattr(a, column.name), getattr(b, column.name)
            if isinstance(x, np.ndarray):
                same = np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
            else:
                same = x == y
            found += [] if same else [f"{field.name}.{column.name}"]
    return found


def main(files: list[Path], step: int) -> int:
    """Compare all changes of some documents; return how many outcomes differ."""
    compared, wrong = 0, []
    for path in files or shipped():
        n, faults = differing(path.read_text(encoding="utf-8"), path.name, step=step)
        compared += n
        wrong += faults
        for fault in faults:
            print(fault)
    print(f"{compared} changes by --set, {len(wrong)} of them differ from the change in the file")
    return len(wrong)
