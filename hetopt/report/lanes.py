"""Intervals laid out in lanes, so that those of one lane never overlap."""

from __future__ import annotations

import heapq

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Ints


def lanes(begin: Floats, end: Floats) -> Ints:
    """Return a lane per half-open interval, as few lanes as ever overlap (interval colouring).

    Parameters
    ----------
    begin, end
        Of each interval; one without length still takes a lane at its instant.
    """
    result = np.zeros(len(begin), dtype=np.int64)
    # What an end may pass the next begin by, from sums of floats.
    slack = LIMIT_TOLERANCE * float(end.max(initial=0.0))
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for i in np.lexsort((end, begin)):
        while busy and busy[0][0] <= begin[i] + slack:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        result[i] = lane
        heapq.heappush(busy, (float(end[i]), lane))
    return result
