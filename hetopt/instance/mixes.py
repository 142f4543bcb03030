"""Shares of requests that follow from what the requests cost."""

from __future__ import annotations

import math

import numpy as np

from hetopt.instance.dtypes import Floats


def balanced_shares(energy_j: Floats) -> Floats:
    """Return the shares of jobs such that each costs the same energy (``mix: balanced``).

    Parameters
    ----------
    energy_j
        Whole energy per request, more than 0, of shape (jobs, devices); NaN where a job does not
        run. Each job runs somewhere.

    Returns
    -------
    numpy.ndarray
        In inverse proportion to the geometric mean of energy over the devices that run all jobs
        (over all that run this job, where none does); they sum to 1.
    """
    runs = ~np.isnan(energy_j)
    whole = runs.all(axis=0)
    weights = []
    for row, known in zip(energy_j, runs, strict=True):
        values = row[whole] if whole.any() else row[known]
        weights.append(math.exp(-math.fsum(np.log(values).tolist()) / len(values)))
    return np.array(weights) / math.fsum(weights)
