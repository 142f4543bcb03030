"""The course of a solve as it is told: plan and bound only ever get better."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hetopt.instance import is_maximised
from hetopt.solution import HistoryEntry


def forward(
    history: Sequence[HistoryEntry], name: str, value: float, bound: float, end_s: float
) -> tuple[HistoryEntry, ...]:
    """Return the improvements among some entries, up to what is known in the end.

    Parts of a search know less than was known before them, and what a solver says on the way is
    better than the plan that was checked in the end where it was rounded, or dropped. So each
    entry has the best so far, and none is beyond the end.

    Parameters
    ----------
    name
        Of the objective.
    value, bound
        What is known in the end; NaN where nothing is.
    end_s
        Time of the end.
    """
    sign = -1.0 if is_maximised(name) else 1.0
    told: list[HistoryEntry] = []
    best, proven = math.nan, math.nan
    for entry in (*history, HistoryEntry(end_s, value, bound)):
        # fmin and fmax of numbers of which either may be missing.
        if not math.isnan(value) and not math.isnan(entry.objective):
            found = sign * max(sign * entry.objective, sign * value)
            best = found if math.isnan(best) else sign * min(sign * best, sign * found)
        if not math.isnan(bound) and not math.isnan(entry.bound):
            near = sign * min(sign * entry.bound, sign * bound)
            proven = near if math.isnan(proven) else sign * max(sign * proven, sign * near)
        last = told[-1] if told else HistoryEntry(math.nan, math.nan, math.nan)
        if not (_same(last.objective, best) and _same(last.bound, proven)):
            told.append(HistoryEntry(entry.time_s, best, proven))
    return tuple(told)


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
