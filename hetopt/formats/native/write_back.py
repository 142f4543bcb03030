"""New figures of options and devices into a document, with its comments, order and units kept."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.formats.native.document import read_json, read_yaml
from hetopt.formats.native.expand import expand
from hetopt.formats.native.shape import check_shape
from hetopt.formats.native.yaml_edit import change_yaml
from hetopt.formats.native.yaml_source import parse_yaml
from hetopt.formats.place import Path as Place
from hetopt.instance.column_specs import DEVICES, OPTIONS

DIMENSIONS = {c.name: c.dimension for c in (*OPTIONS, *DEVICES)}
ALIASES = {c.name: c.aliases for c in (*OPTIONS, *DEVICES)}
Fields = Mapping[str, float | bool | str]


def write_back(
    text: str,
    name: str,
    options: Mapping[tuple[str, str, str], Fields],
    devices: Mapping[str, Fields] | None = None,
    uses: Mapping[tuple[str, str, str], Mapping[str, float]] | None = None,
    resources: Mapping[str, Fields] | None = None,
) -> str:
    """Return a document with fields of some options and devices changed, all else as it was.

    A field keeps the name and the unit that the document has for it; one that is new gets the
    spelling of its neighbours: ``time_low`` beside ``time``, in the unit of the time.

    Parameters
    ----------
    text, name
        The document, YAML or JSON, and what problems call it.
    options
        New fields by profile, device and label; of energy and whole draw the document keeps the
        one that it states.
    devices, resources
        New fields by name.
    uses
        New amounts by resource of options that state one of it already; of others nothing changes.

    Raises
    ------
    InputError
        Where an option stands in no document of its own (it comes from the catalogue), and where
        what would be written is no instance.
    """
    as_json = text.lstrip().startswith("{")
    data: Any = json.loads(text) if as_json else parse_yaml(text, name).data
    shaped, _ = check_shape(data)
    rows, _, _ = expand(shaped)
    places: dict[tuple[str, str, str], Place] = {}
    for i, cells in enumerate(rows.cells["options"]):
        key = (str(cells["profile"]), str(cells.get("device", "")), str(cells.get("label", "")))
        place = rows.place("options", i)
        if place is not None:
            places[key] = place
    changes: list[tuple[Place, Fields]] = []
    for key, fields in options.items():
        place = places.get(key, ())
        entry = _entry(data, place)
        if not isinstance(entry, dict) or "device" not in entry:
            expected = (
                "An option that stands in the document; those of the catalogue, and of tables, "
                "do not: write it out first (hetopt convert FILE -o OWN.yaml)."
            )
            raise InputError([Problem(f"{name}, {'/'.join(key)}", "", expected)])
        changes.append((place, spelt_option(entry, fields)))
    for i, device in enumerate(data.get("devices", [])):
        found = (devices or {}).get(str(device.get("name", "")))
        if found is not None:
            changes.append((("devices", i), spelt(device, found)))
    for i, resource in enumerate(data.get("resources", [])):
        found = (resources or {}).get(str(resource.get("name", "")))
        if found is not None:
            changes.append((("resources", i), spelt(resource, found)))
    for key, amounts in (uses or {}).items():
        place = places.get(key, ())
        entry = _entry(data, place)
        known = entry.get("uses") if isinstance(entry, dict) else None
        if isinstance(known, dict):
            kept = {name: amount for name, amount in amounts.items() if name in known}
            changes.append(((*place, "uses"), kept))
    if as_json:
        for place, fields in changes:
            _entry(data, place).update(fields)
        made = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        read_json(made, f"{name} (as it would be written)")
        return made
    made = change_yaml(text, name, changes)
    read_yaml(made, f"{name} (as it would be written)")
    return made


def read_document_text(path: str | Path) -> str:
    """Return the text of a document.

    Raises
    ------
    InputError
        If it is none.
    """
    place = Path(path)
    if place.is_file():
        # Not read_text, which would change the ends of lines.
        with contextlib.suppress(UnicodeDecodeError):
            return place.read_bytes().decode("utf-8")
    text = (
        "A YAML or JSON document, or a folder of tables; others: hetopt convert FILE -o OWN.yaml."
    )
    raise InputError([Problem(str(path), "", text)])


def _entry(document: Any, place: Place) -> Any:
    if not place:
        return None
    entry = document
    for part in place:
        entry = entry[part]
    return entry


def spelt_option(entry: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return fields of an option as its entry has them; of energy and draw the one it states."""
    return spelt(entry, _of_energy_or_power(entry, fields))


def _of_energy_or_power(entry: Mapping[str, Any], fields: Fields) -> Fields:
    """Leave out what the option does not state: its energy, or its whole draw."""
    by_power = "power" in entry or "power_w" in entry
    left_out = ("energy_j", "energy_low_j", "energy_high_j") if by_power else ("power_w",)
    return {name: value for name, value in fields.items() if name not in left_out}


def spelt(entry: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return fields under the names, and in the units, that an entry has for them."""
    made: dict[str, Any] = {}
    for column, value in fields.items():
        names = (column, *ALIASES.get(column, ()))
        name = next((n for n in names if n in entry), "")
        neighbour = "" if name else _neighbour(entry, column)
        named = name or _spelt_like(neighbour, names)
        made[named] = _like(entry.get(name or neighbour), column, value)
    return made


def _neighbour(entry: Mapping[str, Any], column: str) -> str:
    """Return the field whose interval a column belongs to, empty where there is none."""
    what = column.partition("_")[0]
    return next((n for n in (what, f"{what}_s", f"{what}_j", f"{what}_w") if n in entry), "")


def _spelt_like(neighbour: str, names: tuple[str, ...]) -> str:
    """Return the short name beside a short one, else the one with its unit."""
    short = neighbour and not re.search(r"_[a-z]$", neighbour)
    return names[-1] if short and len(names) > 1 else names[0]


def _like(old: Any, column: str, value: float | bool | str) -> Any:
    """Return a value as the old one was written: in its unit, where it has one."""
    if isinstance(value, bool | str) or not isinstance(old, str):
        return value
    with contextlib.suppress(ValueError):
        float(old)
        return value
    match = re.fullmatch(r"\s*[-+0-9._eE,]+\s*(\S.*?)\s*", old)
    if match is None or not DIMENSIONS.get(column):
        return value
    size = units.parse(f"1 {match[1]}", DIMENSIONS[column])
    number = f"{value / size:.6g}"
    return f"{number} {match[1]}"
