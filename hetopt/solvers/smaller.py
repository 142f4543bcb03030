"""A program with some of its variables at 0, and without what is 0 then: to find points with.

Nothing that is proved of it holds for the whole program.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Bools, Floats, Ints
from hetopt.solvers.mip_arrays import MipArrays

PASSES = 6
"""Times that rows are looked through for what else is 0."""


@dataclass(frozen=True, slots=True)
class Smaller:
    """A program of the kept variables; ``kept`` are their places in the whole one of ``size``."""

    arrays: MipArrays
    kept: Ints
    size: int

    def whole(self, point: Floats) -> Floats:
        """Return a point of the whole program, 0 where variables were left out."""
        found = np.zeros(self.size)
        found[self.kept] = point
        return found


def without(arrays: MipArrays, gone: Bools) -> Smaller:
    """Return the program with some variables, that may be 0, at 0.

    Of a row that is at most 0 nothing is above 0 where all of its terms are at least 0, so that
    those variables are left out, too.
    """
    kept = ~gone
    rows, columns, value = arrays.rows, arrays.columns, arrays.coefficients
    count = len(arrays.row_lower)
    # Rows as sums of terms of one sign: at most 0, seen from above or from below.
    for _ in range(PASSES):
        before = int(kept.sum())
        for sign, limit in ((1.0, arrays.row_upper), (-1.0, -arrays.row_lower)):
            there = kept[columns]
            adds = (sign * value >= 0) & (arrays.lower[columns] == 0)
            spoiled = np.bincount(rows[there & ~adds], minlength=count) > 0
            empty = (limit <= 0) & ~spoiled
            kept[columns[there & adds & empty[rows]]] = False
        if int(kept.sum()) == before:
            break
    place = np.cumsum(kept) - 1
    terms = kept[columns]
    used = np.zeros(count, dtype=bool)
    used[rows[terms]] = True
    # What a row without terms asks for stays, where it cannot hold.
    used |= (arrays.row_lower > 0) | (arrays.row_upper < 0)
    row_place = np.cumsum(used) - 1
    at = np.flatnonzero(kept)
    made = replace(
        arrays,
        names=[arrays.names[j] for j in at.tolist()],
        cost=arrays.cost[at],
        lower=arrays.lower[at],
        upper=arrays.upper[at],
        integer=arrays.integer[at],
        row_names=[arrays.row_names[i] for i in np.flatnonzero(used).tolist()],
        row_lower=arrays.row_lower[used],
        row_upper=arrays.row_upper[used],
        rows=row_place[rows[terms]],
        columns=place[columns[terms]],
        coefficients=value[terms],
    )
    return Smaller(made, at, len(kept))
