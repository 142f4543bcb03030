"""Strict JSON: no duplicate keys, no NaN; every error says where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import read_bytes
from hetopt.formats.place import Path, place_text


def read_text(path: FilePath) -> str:
    """Return the text of a file.

    Raises
    ------
    InputError
        If it is missing, cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"A text in UTF-8 is expected; byte {error.start} is not."
    except OSError as error:
        reason = f"The file cannot be read: {error.strerror or error}."
    raise InputError([Problem(place=str(path), value="", expected=reason)])


@dataclass(slots=True)
class JsonDocument:
    """A parsed JSON document: its name and its data; places in it are paths, not lines."""

    name: str
    data: Any

    def place(self, path: Path) -> str:
        """Write a place for people; a path without a line, as a JSON file often is one line."""
        return place_text(self.name, path)


class _Repeated(dict[str, Any]):
    """An object that has keys twice."""

    twice: tuple[str, ...] = ()


class _Constant(str):
    """NaN or Infinity, which are not JSON."""

    __slots__ = ()


def parse_json(text: str, name: str) -> Any:
    """Return the value that a JSON text holds.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it; empty for a text that is no file.

    Raises
    ------
    InputError
        If it is no JSON (NaN and Infinity are not), or an object has a key twice.
    """
    name = name or "JSON text"
    wrong = False

    def object_(items: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal wrong
        found = dict(items)
        if len(found) == len(items):
            return found
        wrong = True
        keys = [key for key, _ in items]
        repeated = _Repeated(found)
        repeated.twice = tuple(key for key in found if keys.count(key) > 1)
        return repeated

    def constant(value: str) -> _Constant:
        nonlocal wrong
        wrong = True
        return _Constant(value)

    try:
        data = json.loads(text, object_pairs_hook=object_, parse_constant=constant)
        faults = list(_faults(data, ())) if wrong else []
    except json.JSONDecodeError as error:
        place = f"{name}:{error.lineno}, column {error.colno}"
        what = error.msg[0].lower() + error.msg[1:]
        raise InputError([Problem(place, "", f"JSON is expected, but: {what}.")]) from None
    except ValueError:
        expected = "Whole numbers of fewer digits are expected."
        raise InputError([Problem(name, "", expected)]) from None
    except RecursionError:
        expected = "A document with fewer levels of nesting is expected."
        raise InputError([Problem(name, "", expected)]) from None
    if faults:
        raise InputError([Problem(place_text(name, p), value, text) for p, value, text in faults])
    return data


def _faults(data: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield place, value and expectation of everything that JSON does not have."""
    if isinstance(data, dict):
        if isinstance(data, _Repeated):
            for key in data.twice:
                yield (*path, key), key, "Each key of an object once."
        for key, value in data.items():
            yield from _faults(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _faults(value, (*path, i))
    elif isinstance(data, _Constant):
        text = 'Numbers in JSON are finite; in an instance write "unlimited", or leave it out.'
        yield path, data, text
