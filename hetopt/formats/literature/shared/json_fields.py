"""Fields of JSON files of other tools, with every problem at its path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.formats.json_text import parse_json
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS
from hetopt.formats.place import Path, place_text
from hetopt.instance import Floats


class JsonFields:
    """A parsed JSON file and what was found wrong with it so far.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.

    Raises
    ------
    InputError
        If the text is no JSON, or no object.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.faults: list[Problem] = []
        self.data: dict[str, Any] = self.object_(parse_json(text, name), ())
        self.stop()

    def fault(self, path: Path, value: object, expected: str) -> None:
        """Note a problem."""
        text = "" if value is None else str(value)
        short = text if len(text) <= 60 else f"{text[:57]}..."
        self.faults.append(Problem(place_text(self.name, path), short, expected))

    def stop(self) -> None:
        """Raise InputError if anything is wrong."""
        if self.faults:
            raise InputError(self.faults[:MOST_PROBLEMS])

    def object_(self, value: Any, path: Path) -> dict[str, Any]:
        """Return an object; an empty one, and a fault, where it is none."""
        if isinstance(value, dict):
            return value
        self.fault(path, value, "An object {...} is expected.")
        return {}

    def list_(self, value: Any, path: Path, least: int = 0) -> list[Any]:
        """Return a list; an empty one, and a fault, where it is none or has too few members."""
        if isinstance(value, list) and len(value) >= least:
            return value
        some = f" of at least {least}" if least else ""
        self.fault(path, value, f"A list{some} is expected.")
        return []

    def edges(self, value: Any, tasks: int, size: str) -> Iterator[tuple[Path, list[int], Any]]:
        """Yield path, ends and size of ``[task before, task after, size]`` in ``edges``."""
        for e, edge in enumerate(self.list_(value, ("edges",))):
            path: Path = ("edges", e)
            if not isinstance(edge, list) or len(edge) != 3:
                self.fault(path, edge, f"[task before, task after, {size}] is expected.")
                continue
            ends = [self.whole(edge[i], (*path, i)) for i in range(2)]
            for i in range(2):
                if ends[i] >= tasks:
                    self.fault((*path, i), edge[i], f"A task from 0 to {tasks - 1}.")
            yield path, ends, edge[2]

    def objects(self, key: str, least: int = 0) -> list[dict[str, Any]]:
        """Return the list of objects of a top-level field."""
        entries = self.list_(self.data.get(key), (key,), least)
        return [self.object_(entry, (key, i)) for i, entry in enumerate(entries)]

    def text(self, value: Any, path: Path) -> str:
        """Return a text that is not empty."""
        if isinstance(value, str) and value:
            return value
        self.fault(path, value, "A text is expected.")
        return ""

    def number(self, value: Any, path: Path, least: float = 0.0, *, above: bool = False) -> float:
        """Return a finite number of at least (or ``above``) ``least``; NaN where it is none."""
        fine = isinstance(value, (int, float)) and not isinstance(value, bool)
        if fine and math.isfinite(value) and (value > least if above else value >= least):
            return float(value)
        limit = f"{'above' if above else 'of at least'} {least:g}"
        self.fault(path, value, f"A number {limit} is expected.")
        return math.nan

    def whole(self, value: Any, path: Path, least: int = 0) -> int:
        """Return a whole number of at least ``least``; ``least`` where it is none."""
        number = self.number(value, path, least)
        if math.isnan(number):
            return least
        if number != int(number):
            self.fault(path, value, "A whole number is expected.")
        return int(number)

    def numbers(
        self, key: str, entries: Sequence[dict[str, Any]], field: str, *, above: bool = False
    ) -> Floats:
        """Return the same number of every object of a top-level list."""
        values = [
            self.number(entry.get(field), (key, i, field), above=above)
            for i, entry in enumerate(entries)
        ]
        return np.array(values, dtype=np.float64)

    def names(self, key: str, entries: Sequence[dict[str, Any]], field: str = "name") -> list[str]:
        """Return the names of all objects of a top-level list; a name twice is a fault."""
        names = [self.text(e.get(field), (key, i, field)) for i, e in enumerate(entries)]
        seen: set[str] = set()
        for i, name in enumerate(names):
            if name in seen:
                self.fault((key, i, field), name, "Each name once.")
            seen.add(name)
        return names
