"""What is known of one objective of a list while it is solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import is_maximised
from hetopt.solvers.relaxation import Relaxed

RELAXED, ROUNDED = "relaxation", "heuristic"
"""What found a point: the linear program alone, or rounding from it."""


@dataclass(slots=True)
class Level:
    """Best point and proven bound of one objective.

    Attributes
    ----------
    scale
        What the objective in SI units is multiplied by in the program.
    bound
        In SI units, NaN where none is known.
    found_by
        What found the best point.
    """

    name: str
    scale: float = 1.0
    best: Relaxed | None = None
    bound: float = np.nan
    infeasible: bool = False
    found_by: str = ""

    def tighten(self, bound: float | None) -> None:
        """Take over a bound (SI) where it is nearer."""
        if bound is None or np.isnan(bound):
            return
        if np.isnan(self.bound):
            self.bound = bound
        else:
            self.bound = (min if is_maximised(self.name) else max)(self.bound, bound)

    def improve(self, found: Relaxed | None, by: str) -> None:
        """Take over a point where it is better, and what found it."""
        if found is None or found.outcome != "optimal":
            return
        if self.best is None or found.objective < self.best.objective:
            self.best, self.found_by = found, by

    def value(self) -> float:
        """Objective (SI) of the best point, NaN where there is none."""
        return np.nan if self.best is None else self.best.objective / self.scale
