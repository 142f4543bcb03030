"""Prices of what routes use, and what routes cost at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats
from hetopt.steady.routes.route_columns import ColumnPool


@dataclass(frozen=True, slots=True)
class Prices:
    """What routes cost at some prices π of the coupling rows.

    A route of stream j costs ``factor[j]`` × (``energy`` × joules + ``measures`` · its measures)
    + ``accuracy[j]`` × its accuracy (0 where none counts). ``fixed[j]`` is what each of them costs
    beside: what its requests are worth, negative. `of` and searches compare routes of one stream,
    and leave it out.
    """

    rows: Floats
    factor: Floats
    energy: float
    measures: Floats
    accuracy: Floats
    fixed: Floats

    def of(self, pool: ColumnPool) -> Floats:
        """Return the cost of each route of a pool."""
        cost = self.energy * pool.energy_j + pool.use @ self.measures
        cost = self.factor[pool.stream] * cost
        if self.accuracy.any():
            stated = np.where(np.isfinite(pool.accuracy), pool.accuracy, 0.0)
            cost = cost + self.accuracy[pool.stream] * stated
        return np.asarray(cost, dtype=np.float64)
