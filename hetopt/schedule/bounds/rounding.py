"""What rounding may have made of a bound that floats were added up to.

A sum of n floats, each the result of a few operations, is off by at most (n + few) × 2^-53 ×
Σ |terms|, in whatever order they are added (N. J. Higham, "Accuracy and stability of numerical
algorithms", 2002, chapter 4). Where terms cancel, that is no small part of the result: prices of
device time that a solver took far beyond the costs leave a difference in which no digit is right.
So a bound is weakened by a part of Σ |terms|, never of itself.

Limits have a tolerance, too. A plan may exceed each by ``LIMIT_TOLERANCE`` of it, so a bound takes
what a limit offers as that much more (``allowed``).
"""

from __future__ import annotations

import math

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE

EPSILON = float(np.finfo(np.float64).eps)
"""Twice the relative rounding of one operation: room for products of terms with themselves."""
FEW = 64
"""Operations within a term, and of those that join a few sums."""
ALLOWED = 1 + 2 * LIMIT_TOLERANCE
"""What plans that the checker accepts may use of a limit, over the limit; rounded up."""


def surely(value: float, size: float, terms: int) -> float:
    """Return what a sum of floats is not below, -inf where rounding leaves nothing of it.

    Parameters
    ----------
    value
        The sum as it was computed; inf where a term says that there is no plan.
    size
        Σ |terms|, products not multiplied out counting as one term.
    terms
        How many there are, those within terms included.
    """
    if value == math.inf:
        return value
    lowered = value - (terms + FEW) * EPSILON * size
    return lowered if math.isfinite(lowered) else -math.inf
