"""Strict JSON: no duplicate keys, no NaN; every error says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    InputError
        If it is missing, cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"A text in UTF-8 is expected; byte {error.start} is not."
    except OSError as error:
        reason = f"The file cannot be read: {error.strerror or error}."
    raise InputError([Problem(place=str(path), value="", expected=reason)])


def parse_json(text: str, file: str) -> Any:
    """Return the value that a JSON text holds.

    Parameters
    ----------
    text
        The text.
    file
        Name of the file for errors, or empty.

    Raises
    ------
    InputError
        If it is not JSON, repeats a key in an object, or holds NaN or an infinity.
    """
    repeated: list[str] = []

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(entries)
        if len(table) < len(entries):
            seen: set[str] = set()
            for key, _ in entries:
                if key in seen:
                    repeated.append(key)
                seen.add(key)
        return table

    def constant(name: str) -> Any:
        raise _ConstantError(name)

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        place = f"{file}:{error.lineno}" if file else f"line {error.lineno}"
        expected = f"JSON is expected; {error.msg} at column {error.colno}."
        raise InputError([Problem(place=place, value="", expected=expected)]) from None
    except _ConstantError as error:
        raise _bad(file, str(error), "Numbers in JSON are finite.") from None
    except ValueError:
        raise _bad(file, "", "Whole numbers of fewer digits are expected.") from None
    except RecursionError:
        raise _bad(file, "", "JSON nested less deeply is expected.") from None
    if repeated:
        raise _bad(file, ", ".join(repeated), "Each key of an object once.")
    return value


class _ConstantError(ValueError):
    """A constant that strict JSON does not have."""


def _bad(file: str, value: str, expected: str) -> InputError:
    return InputError([Problem(place=file or "JSON text", value=value, expected=expected)])
