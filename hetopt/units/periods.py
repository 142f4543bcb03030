"""What the float of a period stands for."""

from __future__ import annotations

from fractions import Fraction

SIMPLE = 100_000
"""Denominator up to which a fraction stands for the float that it rounds to (1/30 s)."""


def exact_period(period_s: float) -> Fraction:
    """Return what a period stands for: the simple fraction that rounds to it, else its decimal."""
    decimal = Fraction(repr(float(period_s)))
    simple = decimal.limit_denominator(SIMPLE)
    return simple if simple > 0 and float(simple) == period_s else decimal
