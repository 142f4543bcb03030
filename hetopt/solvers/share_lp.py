"""Linear programs over shares: each class of tasks spreads over its options, within limits.

    minimise c x   subject to   Σ over the columns of a class of x = 1,   A x <= b,   x >= 0

They are solved for the prices λ >= 0 of the rows of A. By duality

    Σ over classes of the least (c + λ A) of its columns − λ b

is no more than the least cost for *any* λ >= 0, whatever a solver returned, so that callers make
their bound of the prices alone and a program without an answer has prices of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Ints

INFEASIBLE = 2
"""What SciPy calls a program without a solution."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What the solver says.

    Attributes
    ----------
    solved, infeasible
        Whether it claims an optimum, or that there is no solution. Nothing is proven by it.
    x
        Value of each column; empty without an optimum.
    prices
        Price >= 0 of each limit; 0 without an optimum.
    """

    solved: bool
    infeasible: bool
    x: Floats
    prices: Floats


def solve_shares(
    owner: Ints,
    classes: int,
    cost: Floats,
    upper: Any,
    limit: Floats,
    bounds: Floats | None = None,
) -> Shares:
    """Solve one program.

    Parameters
    ----------
    owner
        Class of each of the first columns; those after them belong to none.
    classes
        Number of classes.
    cost
        Of all columns (length n).
    upper, limit
        The sparse matrix A (rows × n) and b.
    bounds
        Least and greatest value of each column (n × 2); none: at least 0.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    count = len(owner)
    whole: Any = csr_matrix((np.ones(count), (owner, np.arange(count))), shape=(classes, len(cost)))
    within: Any = (0, None) if bounds is None else bounds
    answer: Any = linprog(
        cost,
        A_ub=upper,
        b_ub=limit,
        A_eq=whole,
        b_eq=np.ones(classes),
        bounds=within,
        method="highs",
    )
    if answer.status != 0:
        nothing = np.zeros(len(limit))
        return Shares(False, answer.status == INFEASIBLE, np.empty(0), nothing)
    prices = np.maximum(0.0, -np.asarray(answer.ineqlin.marginals))
    return Shares(True, False, np.asarray(answer.x), prices)
