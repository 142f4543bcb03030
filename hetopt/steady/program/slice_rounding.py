"""Rounding of slices: equal parts of a job's requests, each of which takes one route whole.

The relaxation divides a job freely. Its shares are rounded so that they still add up to the job
(largest remainders), and the relaxation is solved again with them fixed, so that numbers of units
are rounded from where they are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hetopt.solvers.relaxation import Relaxation, Relaxed
from hetopt.steady.program.formulation import SteadyModel


def with_whole_slices(
    blocks: Sequence[SteadyModel], relaxation: Relaxation, first: Relaxed, time_limit_s: float
) -> Relaxed:
    """Return the relaxation's optimum with every slice on one route, the given one without slices.

    ``blocks`` are the programs of the scenarios, one where there are none.
    Where the rounded slices leave no plan, the given one is returned too.
    """
    if not any(block.slices for block in blocks) or first.outcome != "optimal":
        return first
    arrays = relaxation.arrays
    column = {name: i for i, name in enumerate(arrays.names)}
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    for block in blocks:
        for job, mine in enumerate(block.of_job):
            parts = int(block.instance.jobs.slices[job])
            if not parts or not block.rate[job] > 0:
                continue
            at = np.array([column[block.slices[r].name] for r in mine], dtype=np.int64)
            whole = np.floor(first.x[at] + 1e-9)
            missing = max(0, parts - int(whole.sum()))
            whole[np.argsort(whole - first.x[at], kind="stable")[:missing]] += 1.0
            lower[at] = upper[at] = whole
    again = relaxation.solve(lower, upper, time_limit_s)
    return again if again.outcome == "optimal" else first
