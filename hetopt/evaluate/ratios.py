"""Ratios and means that do not exist everywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.instance import Floats


def ratio(part: Floats, whole: NDArray[Any]) -> Floats:
    """Return part / whole, 0 where there is nothing of either, NaN for something of nothing."""
    empty = np.where(part == 0, 0.0, np.nan)
    result: Floats = np.divide(part, whole, out=empty, where=whole > 0)
    return result


def weighted_mean(values: Floats, weight: Floats) -> float:
    """Return the weighted mean over the values that are not NaN; NaN where they weigh nothing."""
    stated = ~np.isnan(values)
    total = float(weight[stated].sum())
    return float((values[stated] * weight[stated]).sum()) / total if total > 0 else math.nan
