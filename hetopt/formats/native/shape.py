"""The shape of a document: problems in plain words, and what is left without the wrong parts."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from hetopt.compile.problems import unknown_field
from hetopt.formats.native.document_model import (
    LIST_TAG,
    MAPPING_TAG,
    VERSION,
    document_model,
    known_fields,
)
from hetopt.formats.native.fields.field_places import field_places, fields_at, meaning_of
from hetopt.formats.place import Fault, Path

EXPECTED = {
    "list_type": "A list (YAML: lines that start with '- ').",
    "dict_type": "A mapping of fields (name: value).",
    "string_type": "A text as the name.",
}
NO_FIELD = "No such field."
FIELDS_NAMED = 8
"""Fields of a mapping that a message names."""


def check_shape(data: Any) -> tuple[dict[str, Any], list[Fault]]:
    """Check a document's shape, and take out what is wrong, so that the rest can be checked too.

    Parameters
    ----------
    data
        Plain data of the document.

    Returns
    -------
    data
        A copy without fields that are empty (null counts as not given) or wrong.
    faults
        What was wrong.
    """
    if not isinstance(data, dict):
        text = f"An instance is expected: a mapping with hetopt: {VERSION} at the top."
        return {}, [Fault((), "" if data is None else type(data).__name__, text)]
    version = data.get("hetopt")
    if "hetopt" not in data:
        text = f"The version of the file format is expected at the top: hetopt: {VERSION}."
        known = document_model().model_json_schema()["properties"]
        faults = [Fault((), "", text)]
        if not any(key in known for key in data):
            return {}, faults
    elif version != VERSION or isinstance(version, bool):
        text = f"{VERSION} is the version of the file format that is known here."
        return {}, [Fault(("hetopt",), shown(version), text)]
    else:
        faults = []
    faults += _cut_numbers(data, ())
    data = _without_nulls(data)
    try:
        document_model().model_validate(data)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            faults.append(_fault(item))
    for fault in faults:
        _remove(data, fault.path)
    return data, faults


def shown(value: object) -> str:
    """Return a value as short text; a part of a document as what it is."""
    if isinstance(value, (dict, list)):
        what = "a mapping" if isinstance(value, dict) else "a list"
        return what if value else f"an empty {what[2:]}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _fault(error: Any) -> Fault:
    location = tuple(error["loc"])
    path = tuple(part for part in location if part not in (LIST_TAG, MAPPING_TAG))
    if error["type"] == "extra_forbidden":
        canonical, known = known_fields(location)
        hint = unknown_field(path[-1], canonical, known, field_places())
        return Fault(path, shown(error["input"]), f"{NO_FIELD} {hint}")
    expected = EXPECTED.get(error["type"], error["msg"])
    if error["type"] == "model_type":
        names = fields_at(path)
        more = " and others" if len(names) > FIELDS_NAMED else ""
        of = f", of {', '.join(names[:FIELDS_NAMED])}{more}" if names else ""
        expected = f"A mapping of fields (name: value){of}."
    return Fault(path, shown(error["input"]), f"{expected} {meaning_of(path)}".rstrip())


def _cut_numbers(data: Any, path: Path) -> list[Fault]:
    """Return numbers that a comma cut in two: ``{time: 6,2 ms}`` has an entry ``2 ms``."""
    faults: list[Fault] = []
    if isinstance(data, dict):
        before: tuple[Any, Any] = ("", "")
        for key, value in data.items():
            if value is None and re.match(r"[0-9]", str(key)) and before[0]:
                text = f"A decimal point: write {before[0]}: {before[1]}.{key}."
                faults.append(Fault((*path, before[0]), f"{before[1]},{key}", text))
            faults += _cut_numbers(value, (*path, key))
            before = (key, value)
    elif isinstance(data, list):
        for i, entry in enumerate(data):
            faults += _cut_numbers(entry, (*path, i))
    return faults


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    if isinstance(data, list):
        return [_without_nulls(value) for value in data]
    return data


def _remove(data: Any, path: Path) -> None:
    """Take out one part; an entry of a list is emptied, so that later ones keep their number."""
    if not path:
        return
    inner: Any = data
    for part in path[:-1]:
        inner = inner[part]
        if not isinstance(inner, (dict, list)):
            return  # a part above was taken out already
    if isinstance(inner, dict):
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = None
