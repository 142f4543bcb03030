"""A model that is written in Python as a document, whose places are the objects of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hetopt.formats.place import Path

LISTS = (
    *("devices", "boards", "pools", "sites", "links", "networks", "resources"),
    *("tasks", "transfers", "jobs", "kind_shares", "scenarios", "periods", "initial"),
)
"""Parts of a document that are lists of entries."""

_TABLES = (*LISTS, "options", "setups", "together", "apart")


class ModelDocument:
    """A model as a document whose places are the objects of the model."""

    name = "the model"

    def __init__(self, data: Any) -> None:
        self.data = data

    def place(self, path: Path) -> str:
        """Write a place for people: ``device 'npu', field memory``."""
        words: list[str] = []
        data = self.data
        table = ""
        for part in path:
            data = _step(data, part)
            if isinstance(part, int):
                if isinstance(data, dict):
                    words.append(f"{table.removesuffix('s')} {_called(data, part)}")
                elif words:
                    words[-1] += f"[{part}]"
                else:
                    words.append(f"{table}[{part}]")
            elif table == "profiles":
                words.append(f"profile {part!r}")
                table = "options"
            elif part in ("profiles", *_TABLES) and data is not None:
                table = str(part)
            elif words:
                words.append(f"field {part}")
            else:
                words.append(f"setting {part}")
        return ", ".join(words) or table or self.name


def _step(data: Any, part: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def _called(entry: Mapping[str, Any], number: int) -> str:
    if "name" in entry:
        return repr(entry["name"])
    if "kind" in entry:
        return repr(entry["kind"])
    if "from" in entry and "to" in entry:
        return f"{entry['from']!r} -> {entry['to']!r}"
    if "device" in entry:
        label = f" {entry['label']!r}" if "label" in entry else ""
        return f"{number} (on {entry['device']!r}{label})"
    return str(number)
