"""What a search tree of HiGHS proved, asked a second time in another way.

That no leaf of the tree is missing is the word of the solver alone, and HiGHS 1.11 and 1.12 were
met with optima 2 % off. So HiGHS is asked for any point below its bound: without presolve, with
another seed, and with the bound as a row. Nothing there: proved twice. A point there: the first
bound was wrong and is dropped, and the point counts. No answer in the time that the first solve
took: proved once. Where the relaxation gives the bound the second look ends at its root.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.result import MipResult
from hetopt.solvers.second_proof import other_seed, seconds_again

REFUTED = "A bound of HiGHS was refuted by a point that HiGHS found when asked again, and dropped."

Solve = Callable[[MipArrays, float | None, int], MipResult]
"""A solve of a program without presolve, until a deadline (`time.monotonic`), by a seed."""


def needs_second_look(arrays: MipArrays, result: MipResult) -> bool:
    """Whether HiGHS says that nothing is better than its bound, of a program with integers."""
    return result.ended and result.bound is not None and bool(arrays.integer.any())


def looked_again(
    arrays: MipArrays,
    result: MipResult,
    solve: Solve,
    began: float,
    deadline: float | None,
    seed: int,
    *,
    counted: bool = False,
) -> MipResult:
    """Return the result with ``proofs``, and without its bound where that is refuted.

    Parameters
    ----------
    began
        When the first solve began.
    deadline
        Until when there is time at all; None: without end.
    counted
        Whether nodes end the solves, and the clock has no say.
    """
    now = time.monotonic()
    left = math.inf if deadline is None else deadline - now
    until = deadline if counted else now + seconds_again(now - began, left)
    if result.bound is None or (until is not None and until <= now):
        return replace(result, proofs=1)
    other = solve(below(arrays, arrays.sign * result.bound), until, other_seed(seed))
    if other.proven_infeasible:
        return replace(result, proofs=2)
    if other.values is None or other.objective is None:
        return replace(result, proofs=1)
    bound = other.bound if other.ended else None
    return replace(
        result,
        values=other.values,
        objective=other.objective,
        bound=bound,
        ended=False,
        message=" ".join(filter(None, [result.message, REFUTED])),
    )


def below(arrays: MipArrays, value: float) -> MipArrays:
    """Return the program of all points whose cost · x + offset is at most a value."""
    used = np.flatnonzero(arrays.cost)
    row = np.full(len(used), len(arrays.row_lower), dtype=np.int64)
    return replace(
        arrays,
        row_names=[*arrays.row_names, "below"],
        row_lower=np.append(arrays.row_lower, -np.inf),
        row_upper=np.append(arrays.row_upper, value - arrays.offset),
        rows=np.concatenate([arrays.rows, row]),
        columns=np.concatenate([arrays.columns, used]),
        coefficients=np.concatenate([arrays.coefficients, arrays.cost[used]]),
    )
