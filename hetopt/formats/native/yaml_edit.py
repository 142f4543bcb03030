"""Fields of a YAML text changed in place: every other character stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.place import Path, place_text

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./%+-]*( [A-Za-z0-9%][A-Za-z0-9_./%+-]*)*")
"""Texts that need no quotes (numbers are no texts here)."""
WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def change_yaml(text: str, name: str, changes: Sequence[tuple[Path, Mapping[str, Any]]]) -> str:
    """Return a YAML text with some fields of some mappings set.

    A field that is there gets its new value in the place of the old one; a new one stands behind
    the others, on the same line in flow style, on a line of its own in block style. Comments,
    order, quotes, numbers and line breaks of everything else are not touched.

    Parameters
    ----------
    text, name
        The document, and what problems call it.
    changes
        Paths of mappings, and the fields to set in each.

    Raises
    ------
    InputError
        Where several places share a mapping by an alias, and would have it differ.
    """
    from ruamel.yaml import YAML

    root = YAML(typ="safe", pure=True).compose(text)
    edits: dict[tuple[int, int], str] = {}
    for path, fields in changes:
        node = _node(root, path)
        new = {}
        for field, value in fields.items():
            old = _own(node).get(field)
            if old is None:
                new[field] = value
            else:
                _add(
                    edits,
                    (int(old.start_mark.index), int(old.end_mark.index)),
                    _scalar(value),
                    place_text(name, path, node.start_mark.line + 1),
                )
        if new:
            at, inserted = _insertion(text, node, new)
            _add(edits, (at, at), inserted, place_text(name, path, node.start_mark.line + 1))
    for (start, end), made in sorted(edits.items(), reverse=True):
        text = text[:start] + made + text[end:]
    return text


def _add(edits: dict[tuple[int, int], str], span: tuple[int, int], made: str, place: str) -> None:
    if edits.setdefault(span, made) != made:
        expected = "A mapping of its own: an alias shares it with others, which would differ."
        raise InputError([Problem(place, "", expected)])


def _own(node: Any) -> dict[str, Any]:
    return {str(key.value): value for key, value in node.value if key.id == "scalar"}


def _node(root: Any, path: Path) -> Any:
    node = root
    for part in path:
        if node.id == "sequence":
            node = node.value[part]
            continue
        found = _own(node).get(str(part))
        node = found if found is not None else _merged(node, str(part))
    return node


def _merged(node: Any, part: str) -> Any:
    """Return a value that a mapping has from another one, by a merge key."""
    for key, value in node.value:
        if str(key.value) == "<<":
            for source in value.value if value.id == "sequence" else [value]:
                found = _own(source).get(part)
                if found is not None:
                    return found
    raise KeyError(part)


def _insertion(text: str, node: Any, fields: Mapping[str, Any]) -> tuple[int, str]:
    """Return where new fields of a mapping go, and what is written there."""
    key, last = node.value[-1]
    pairs = [f"{field}: {_scalar(value)}" for field, value in fields.items()]
    end = int(last.end_mark.index)
    if node.flow_style:
        return end, "".join(f", {pair}" for pair in pairs)
    # The value of a block may end on a later line, as the mark of a nested block does.
    while end > 0 and text[end - 1] in " \t\r\n":
        end -= 1
    line_end = text.find("\n", end)
    at = len(text) if line_end < 0 else line_end
    newline = "\r\n" if at and text[at - 1] == "\r" else "\n"
    at -= len(newline) - 1
    indent = " " * key.start_mark.column
    return at, "".join(f"{newline}{indent}{pair}" for pair in pairs)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = PLAIN.fullmatch(value) and value.lower() not in WORDS and not _is_number(value)
        return value if plain else json.dumps(value, ensure_ascii=False)
    return repr(value)


def _is_number(text: str) -> bool:
    try:
        float(text.replace("_", ""))
    except ValueError:
        return False
    return True
