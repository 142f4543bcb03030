"""Limits and their changes in words, the same on a terminal and in JSON."""

from __future__ import annotations

import math
from fractions import Fraction

from hetopt import units
from hetopt.analysis.explanation.limits.limit import Limit
from hetopt.instance import Instance

DIGITS = 6
"""Significant digits of a value that people read; rounded to the side that suffices."""
SECONDS_PER_HOUR = 3600


def number(instance: Instance, dimension: str, value: float) -> str:
    """Write the number of a limit with its unit."""
    if dimension == "count":
        return f"{round(value)}"
    if dimension == "share":
        return f"{value:.{DIGITS}g}"
    if dimension == "money":
        if not instance.currency:
            return f"{value:.{DIGITS}g} money/s"
        return f"{value * SECONDS_PER_HOUR:.{DIGITS}g} {instance.currency}/h"
    if not dimension:
        return f"{value:.{DIGITS}g}"
    return units.format(value, dimension, digits=DIGITS)


def limit_text(instance: Instance, limit: Limit) -> str:
    """Name a limit with its number: "the deadline of job frame (33 ms)"."""
    if limit.amount is None or limit.kind == "demand":
        return limit.words
    value = number(instance, limit.amount.dimension, limit.amount.value)
    return f"{limit.words} ({value})"


def change(limit: Limit, value: float) -> float:
    """Return how far a value is from the limit's own, as decimals are subtracted."""
    if limit.amount is None or not math.isfinite(value):
        return math.nan
    return float(Fraction(repr(float(value))) - Fraction(repr(float(limit.amount.value))))


def move_text(instance: Instance, limit: Limit, value: float | None) -> str:
    """Say what to change: "the deadline of job frame + 6 ms (33 ms → 39 ms)"."""
    if limit.amount is None or value is None:
        return limit.remedy
    dimension = limit.amount.dimension
    if limit.kind == "demand":
        return f"serve {100 * _rounded(value, -1.0):.{DIGITS}g} % of each job's demand"
    by = change(limit, value)
    sign = "+" if by >= 0 else "−"
    step = number(instance, dimension, abs(_rounded(by, limit.amount.sign)))
    before = number(instance, dimension, limit.amount.value)
    after = number(instance, dimension, _rounded(value, limit.amount.sign))
    words = limit.words.removeprefix("the ")
    return f"{words} {sign} {step} ({before} → {after})"


def _rounded(value: float, sign: float) -> float:
    """Round to the digits shown, towards the side that suffices (up for ``sign`` 1)."""
    if value == 0 or not math.isfinite(value):
        return value
    scale = 10.0 ** (DIGITS - 1 - math.floor(math.log10(abs(value))))
    scaled, near = value * scale, round(value * scale)
    if abs(scaled - near) > 1e-6:
        near = math.ceil(scaled) if sign > 0 else math.floor(scaled)
    return float(f"{near / scale:.{DIGITS}g}")
