"""Robust location and spread of log ratios, and their shrinkage to what was known before."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hetopt.instance.dtypes import Bools, Floats

BIWEIGHT = 4.685
"""Tuning constant of Tukey's biweight: 95 % efficiency for normal samples."""
OUTLIER = 4.0
"""Robust standard deviations from the location beyond which a sample is an outlier."""
LEAST_SPREAD = 1e-3
"""Spread of samples that agree exactly: clocks are no better."""
NORMAL_MAD = 1.4826
ROUNDS = 30


class Location(NamedTuple):
    """Location and spread of samples, and which of them are outliers."""

    location: float
    spread: float
    outlier: Bools


def robust_location(samples: Floats) -> Location:
    """Return Tukey's biweight location, the spread of the rest, and the outliers.

    The scale is the median absolute deviation, which half of the samples may be wrong without
    carrying it away (Huber and Ronchetti, Robust Statistics, 2009, §5); the spread returned is the
    standard deviation of what is no outlier.

    Parameters
    ----------
    samples
        At least one number.
    """
    location = float(np.median(samples))
    scale = max(NORMAL_MAD * float(np.median(np.abs(samples - location))), LEAST_SPREAD)
    for _ in range(ROUNDS):
        far = (samples - location) / (BIWEIGHT * scale)
        weight = np.where(np.abs(far) < 1, (1 - far**2) ** 2, 0.0)
        moved = float((weight * samples).sum() / weight.sum()) if weight.any() else location
        if abs(moved - location) < 1e-9:
            break
        location = moved
    outlier = np.abs(samples - location) > OUTLIER * scale
    rest = samples[~outlier]
    spread = float(np.sqrt(np.mean((rest - location) ** 2))) if len(rest) > 1 else scale
    return Location(location, max(spread, LEAST_SPREAD), outlier)


def shrunk(found: float, count: float, prior: float, prior_count: float) -> float:
    """Return the mean of what was found and of what was known, weighted by their counts."""
    return (count * found + prior_count * prior) / (count + prior_count)


def shrunk_spread(found: float, count: float, prior: float, prior_count: float) -> float:
    """Return the pooled standard deviation."""
    return math.sqrt(shrunk(found**2, count, prior**2, prior_count))
