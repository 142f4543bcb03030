"""Documents read with other entries of the catalogue in the place of their devices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import read_text
from hetopt.formats.json_text import JsonDocument, parse_json
from hetopt.formats.native.document import read_parsed
from hetopt.formats.native.yaml_source import parse_yaml
from hetopt.formats.place import Parsed
from hetopt.formats.shipped import located
from hetopt.instance import Instance

FIGURES = (
    *("idle_power_w", "idle_power", "idle_known", "kind", "preview", "scope", "source"),
    *("caution", "board"),
)
"""What the entry says of a device; a document's own figures of the old one would be wrong."""


def read_swapped(path: str | Path, entries: Mapping[str, str]) -> Instance:
    """Read a YAML or JSON document with other entries of the catalogue for some devices.

    Name, count, links, memory and price of such a device stay as the document has them; options,
    kind and idle power are those of the entry.

    Parameters
    ----------
    path
        The document, or the name of a shipped one.
    entries
        ID of the catalogue by name of a device, which must come from the catalogue itself.

    Raises
    ------
    InputError
        Where the file is no such document, a device does not come from the catalogue, or the
        document is wrong with the new entries.
    """
    path = located(path)
    name = str(path)
    text = read_text(path, name)
    if name.endswith((".yaml", ".yml")):
        parsed: Parsed = parse_yaml(text, name)
    elif name.endswith(".json"):
        parsed = JsonDocument(name, parse_json(text, name))
    else:
        raise InputError([Problem(name, "", "A YAML or JSON document, to take entries from.")])
    devices = parsed.data.get("devices") if isinstance(parsed.data, dict) else None
    by_name: dict[str, Any] = {
        str(entry.get("name")): entry
        for entry in (devices if isinstance(devices, list) else [])
        if isinstance(entry, dict)
    }
    for device, id_ in entries.items():
        entry = by_name.get(device, {})
        if entry.get("from") != "catalogue":
            expected = "A device of the document that comes from the catalogue (from: catalogue)."
            raise InputError([Problem("--case", f"swap {device}={id_}", expected)])
        for figure in FIGURES:
            entry.pop(figure, None)
        entry["entry"] = id_
    return read_parsed(parsed)
