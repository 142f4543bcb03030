"""The JSON Schema of the document form, generated from the document model."""

from __future__ import annotations

import json
import math
from typing import Any

from hetopt.formats.native.document_model import COLUMNS, document_model

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of instances in YAML or JSON.

    Editors complete and check fields by it; references between names, and what fields say
    together, are checked by reading the instance.
    """
    schema = document_model().model_json_schema(by_alias=True)
    definitions = schema.pop("$defs")
    for name, definition in [*definitions.items(), ("Instance", schema)]:
        definition.pop("title", None)
        columns = {alias: c for c in COLUMNS.get(name, ()) for alias in c.names}
        for key, field in definition["properties"].items():
            field.pop("title", None)
            field.pop("default", None)
            column = columns.get(key)
            if column is None:
                continue
            if key != column.name:
                field["description"] = f"{column.meaning} (The same as {column.name}.)"
            if _has_default(column.default):
                field["default"] = column.default
    return {
        "$schema": DIALECT,
        "title": "hetopt instance",
        "description": "Devices, links, tasks and limits of a placement problem.",
        **schema,
        "$defs": definitions,
    }


def schema_text() -> str:
    """Return the JSON Schema as the text of a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _has_default(default: object) -> bool:
    if default is None or default == "":
        return False
    return not isinstance(default, float) or math.isfinite(default)
