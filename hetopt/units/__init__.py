"""Quantities with units: read from text, written as text."""

from hetopt.units.quantities import (
    LARGEST,
    SMALLEST,
    USUAL,
    UnitError,
    currency,
    format,  # noqa: A004
    has_scaled_unit,
    is_extreme,
    is_plain,
    number_in,
    parse,
    parse_column,
)

__all__ = [
    "LARGEST",
    "SMALLEST",
    "USUAL",
    "UnitError",
    "currency",
    "format",
    "has_scaled_unit",
    "is_extreme",
    "is_plain",
    "number_in",
    "parse",
    "parse_column",
]
