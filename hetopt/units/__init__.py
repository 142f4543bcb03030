"""Quantities with units: read from text, written as text."""

from hetopt.units.quantities import (
    LARGEST,
    SMALLEST,
    USUAL,
    UnitError,
    currency,
    format,  # noqa: A004
    is_extreme,
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
    "is_extreme",
    "parse",
    "parse_column",
]
