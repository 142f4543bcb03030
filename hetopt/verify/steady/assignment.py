"""Which units load what: the least of an assignment, in whole numbers (Kuhn and Munkres)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm

MANY = 60
"""Units of a device beyond which those that hold the same before and after are set aside first.

They may stay as they are in a least assignment: what a unit loads obeys the triangle inequality.
"""

Held = frozenset[int]


def least_loaded(
    before: Sequence[Held], after: Sequence[Held], size: Mapping[int, Fraction]
) -> tuple[int, Fraction]:
    """Return the fewest weights that units load to hold what they do after, then their bytes.

    Every unit after is one before, or one that held nothing; no unit twice.
    """
    if max(len(before), len(after)) > MANY:
        same = Counter(before) & Counter(after)
        before = list((Counter(before) - same).elements())
        after = list((Counter(after) - same).elements())
    if not after:
        return 0, Fraction(0)
    fresh: list[Held] = [frozenset()] * max(0, len(after) - len(before))
    old = [*before, *fresh]
    scale = lcm(*(b.denominator for b in size.values()), 1)
    whole = {k: int(b * scale) for k, b in size.items()}
    # One weights more outweighs all bytes.
    more = 1 + sum(whole[k] for held in after for k in held)
    cost = [[sum(more + whole[k] for k in new - was) for was in old] for new in after]
    count, loaded = 0, Fraction(0)
    for row, column in enumerate(_assigned(cost)):
        keys = after[row] - old[column]
        count += len(keys)
        loaded += sum((size[k] for k in keys), Fraction(0))
    return count, loaded


def _assigned(cost: Sequence[Sequence[int]]) -> list[int]:
    """Return the column of each row; there are at least as many columns as rows."""
    rows, columns = len(cost), len(cost[0])
    price, worth = [0] * (columns + 1), [0] * (rows + 1)
    owner = [0] * (columns + 1)
    for row in range(1, rows + 1):
        owner[0], at = row, 0
        nearest: list[int | None] = [None] * (columns + 1)
        came, done = [0] * (columns + 1), [False] * (columns + 1)
        while owner[at]:
            done[at] = True
            mine, best, following = owner[at], None, 0
            for column in range(1, columns + 1):
                if done[column]:
                    continue
                reduced = cost[mine - 1][column - 1] - worth[mine] - price[column]
                known = nearest[column]
                if known is None or reduced < known:
                    nearest[column], came[column], known = reduced, at, reduced
                if best is None or known < best:
                    best, following = known, column
            step = best or 0
            for column in range(columns + 1):
                if done[column]:
                    worth[owner[column]] += step
                    price[column] -= step
                else:
                    known = nearest[column]
                    if known is not None:
                        nearest[column] = known - step
            at = following
        while at:
            owner[at], at = owner[came[at]], came[at]
    found = [0] * rows
    for column in range(1, columns + 1):
        if owner[column]:
            found[owner[column] - 1] = column - 1
    return found
