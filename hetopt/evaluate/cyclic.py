"""Intervals of a schedule that repeats for ever, laid on the circle of its cycle."""

from __future__ import annotations

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Ints

DIGITS = 13
"""Decimals of a cycle to which places on the circle are rounded: what meets there is one place."""


def wound(begin: Floats, end: Floats, cycle_s: float) -> tuple[Ints, Floats, Floats]:
    """Lay intervals on the circle: what all repetitions of each hold within one cycle.

    An interval longer than the cycle covers it as often as it overlaps itself.

    Returns
    -------
    tuple
        Which interval each piece is of, and its begin and end, from 0 to the cycle.
    """
    rows: list[int] = []
    begins: list[float] = []
    ends: list[float] = []
    for i, (b, e) in enumerate(zip(begin.tolist(), end.tolist(), strict=True)):
        # A length that rounding keeps a little from whole cycles is whole cycles.
        turns = int((e - b) / cycle_s + LIMIT_TOLERANCE)
        rows += [i] * turns
        begins += [0.0] * turns
        ends += [cycle_s] * turns
        if turns and e - b - turns * cycle_s <= LIMIT_TOLERANCE * cycle_s:
            continue
        first, last = round(b / cycle_s, DIGITS) % 1.0, round(e / cycle_s, DIGITS) % 1.0
        # What begins before the end of the cycle and ends after it has two pieces.
        pieces = [(first, last)] if first <= last else [(first, 1.0), (0.0, last)]
        for one, other in pieces:
            if other > one:
                rows.append(i)
                begins.append(round(one, DIGITS) * cycle_s)
                ends.append(round(other, DIGITS) * cycle_s)
    return np.array(rows, dtype=np.int64), np.array(begins), np.array(ends)
