"""Places in a document: paths such as ``devices[2].memory``, and the lines they stand on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

Path = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """One part of a document that is wrong: its path, its value as text, what was expected."""

    path: Path
    value: str
    expected: str


class Parsed(Protocol):
    """A document that was read: its name, its data, and what to call a place in it."""

    name: str
    data: Any

    def place(self, path: Path) -> str:
        """Write a place for people: ``camera.yaml:12, profiles.detect[0].time``."""


def path_text(path: Path) -> str:
    """Write a path for people: ``profiles.detect[0].time``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text


def place_text(name: str, path: Path, line: int | None = None) -> str:
    """Write a place of a file for people."""
    head = name if line is None else f"{name}:{line}"
    text = path_text(path)
    return f"{head}, {text}" if text else head


def document_order(data: Any, path: Path) -> tuple[int, ...]:
    """Return a key that sorts paths in the order in which the document has them."""
    key = []
    for part in path:
        if isinstance(data, dict):
            names = list(data)
            key.append(names.index(part) if part in data else len(names))
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            key.append(part)
            data = data[part] if part < len(data) else None
        else:
            key.append(0)
            data = None
    return tuple(key)
