"""What a field of the document model takes for a column: its check, its words, its schema."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Any

from pydantic.functional_validators import PlainValidator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from hetopt.instance import SCHEDULE_OBJECTIVES, STEADY_OBJECTIVES
from hetopt.instance.column_specs import Column
from hetopt.units.dimensions import DIMENSIONS

_QUANTITY = r"^[^a-zA-Z]*[0-9]"
_UNLIMITED = "unlimited|inf|infinity|[.]inf"


def kind_of(column: Column) -> Any:
    """Return what a field takes for a column."""
    if column.pieces:
        return _number_or_pieces(column)
    if column.type in ("number", "whole"):
        return number(column)
    if column.type == "flag":
        return Annotated[Any, PlainValidator(_check_flag), WithJsonSchema({"type": "boolean"})]
    if column.type == "names":
        if column.name == "objective":
            return _names([*dict.fromkeys((*SCHEDULE_OBJECTIVES, *STEADY_OBJECTIVES))])
        return NAMES
    return choice(column.choices) if column.choices else TEXT


def number(column: Column) -> Any:
    """Return a field that is a number, or a text with a unit where the column has one."""
    check = partial(_check_number, column)
    return Annotated[Any, PlainValidator(check), WithJsonSchema(_number_schema(column))]


def _number_or_pieces(column: Column) -> Any:
    """Return a field that is a number, or a list of pieces (which are checked on columns)."""
    fields = {
        name: {"description": piece.meaning, **_number_schema(piece)}
        for piece in column.pieces
        for name in (*piece.aliases, piece.name)
    }
    each = {
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        "allOf": [
            {"anyOf": [{"required": [name]} for name in (*piece.aliases, piece.name)]}
            for piece in column.pieces
        ],
    }
    number = _number_schema(column)
    schema = {
        "anyOf": [*number.pop("anyOf", [number]), {"type": "array", "items": each, "minItems": 1}],
        **{key: value for key, value in number.items() if key == "examples"},
    }
    check = partial(_check_number_or_pieces, column)
    return Annotated[Any, PlainValidator(check), WithJsonSchema(schema)]


def _number_schema(column: Column) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if column.minimum > -math.inf:
        limits["exclusiveMinimum" if column.positive else "minimum"] = column.minimum
    if column.maximum < math.inf:
        limits["maximum"] = column.maximum
    schema: dict[str, Any] = {
        "type": "integer" if column.type == "whole" else "number",
        **{k: int(v) if v == int(v) else v for k, v in limits.items()},
    }
    if column.dimension:
        text: dict[str, Any] = {"type": "string", "pattern": _QUANTITY}
        if column.unlimited:
            text["pattern"] = f"{_QUANTITY}|^ *({_UNLIMITED}) *$"
        schema = {
            "anyOf": [schema, text],
            "examples": [DIMENSIONS[column.dimension].example],
        }
    return schema


def choice(choices: tuple[str, ...]) -> Any:
    """Return a field that is one of some texts, which is checked on columns."""
    schema = {"enum": list(choices)}
    return Annotated[Any, PlainValidator(_check_text), WithJsonSchema(schema)]


def _names(choices: list[str] | None = None) -> Any:
    one: dict[str, Any] = {"enum": choices} if choices else {"type": ["string", "number"]}
    schema = {"anyOf": [one, {"type": "array", "items": one}]}
    return Annotated[Any, PlainValidator(_check_names), WithJsonSchema(schema)]


def _wrong(expected: str) -> PydanticCustomError:
    return PydanticCustomError("hetopt", "{expected}", {"expected": expected})


def _check_number(column: Column, value: Any) -> Any:
    if value is None or (isinstance(value, (int, float, str)) and not isinstance(value, bool)):
        return value
    if not column.dimension:
        raise _wrong("A whole number." if column.type == "whole" else "A number.")
    example = DIMENSIONS[column.dimension].example
    raise _wrong(f'A number, or a text with a number and a unit, such as "{example}".')


def _check_number_or_pieces(column: Column, value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    if isinstance(value, list):
        raise _wrong("A number, or a list of mappings, each with a begin and a number.")
    return _check_number(column, value)


def _check_flag(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)) or value in (0, 1):
        return value
    raise _wrong("true or false.")


def _check_text(value: Any) -> Any:
    if value is None or (isinstance(value, (int, float, str)) and not isinstance(value, bool)):
        return value
    raise _wrong("A text.")


def _check_names(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(
        isinstance(v, (int, float, str)) and not isinstance(v, bool) for v in value
    ):
        return value
    raise _wrong("A name or a list of names.")


TEXT = Annotated[Any, PlainValidator(_check_text), WithJsonSchema({"type": ["string", "number"]})]
NAMES = _names()
