"""Integer demands and capacities of resources that are not time: bytes and watts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from hetopt.schedule.model.grid import Direction, common_divisor


@dataclass(frozen=True, slots=True)
class Demands:
    """Demands and a capacity as integers of one unit, in the order given.

    ``faithful`` is True where they are exact, or off by less than the checker's tolerance.
    """

    demand: list[int]
    capacity: int
    unit: Fraction
    faithful: bool


FAITHFUL_PARTS = 10**11
"""Parts of the capacity from which on rounding a few demands stays below 1e-9 of it."""


def integer_demands(
    values: Sequence[Fraction], capacity: Fraction, largest: int, direction: Direction
) -> Demands:
    """Scale demands against a capacity to integers of at most ``largest``.

    Exact by the common divisor of the demands where that fits (the capacity is then rounded down,
    which loses nothing), else demands are rounded down and the capacity up (a relaxation;
    ``exact`` and ``down``) or the other way round (``up``).
    """
    ceiling = max([capacity, *values, Fraction(0)])
    unit = Fraction(0)
    for value in sorted(set(values)):
        unit = common_divisor(unit, value)
        if unit and ceiling / unit > largest:
            unit = Fraction(0)
            break
    else:
        unit = unit or Fraction(1)
        exact = [int(value / unit) for value in values]
        return Demands(exact, math.floor(capacity / unit), unit, faithful=True)
    unit = ceiling / largest
    if direction == "up":
        return Demands(
            [math.ceil(v / unit) for v in values], math.floor(capacity / unit), unit, faithful=True
        )
    faithful = capacity > 0 and capacity / unit >= FAITHFUL_PARTS
    return Demands(
        [math.floor(v / unit) for v in values], math.ceil(capacity / unit), unit, faithful
    )
