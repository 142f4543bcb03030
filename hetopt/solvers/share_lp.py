"""Linear programs over shares: each class of tasks spreads over its options, within limits.

    minimise c x   subject to   Σ over the columns of a class of x = 1,   A x <= b,   x >= 0

They are solved for the prices λ >= 0 of the rows of A. By duality

    Σ over classes of the least (c + λ A) of its columns − λ b

is no more than the least cost for *any* λ >= 0, whatever a solver returned, so that callers make
their bound of the prices alone and a program without an answer has prices of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hetopt.instance import Floats, Ints

SMALL = 2_000
"""Entries of A up to which GLOP solves a program: before SciPy's solver is loaded it is done."""
INFEASIBLE = 2
"""What SciPy calls a program without a solution."""


class Entries(NamedTuple):
    """A sparse matrix by its entries, which small programs need no SciPy for; none twice."""

    row: Ints
    column: Ints
    value: Floats
    shape: tuple[int, int]


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
    upper: Entries | Any,
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
        The matrix A (rows × n), as entries or one of SciPy's sparse ones, and b.
    bounds
        Least and greatest value of each column (n × 2); none: at least 0.
    """
    if not isinstance(upper, Entries):
        coo = upper.tocoo()
        upper = Entries(coo.row, coo.col, coo.data, coo.shape)
    if bounds is None:
        bounds = np.full((len(cost), 2), [0.0, np.inf])
    solve = _glop if len(upper.value) + len(owner) <= SMALL else _highs
    return solve(owner, classes, cost, upper, limit, bounds)


def _highs(
    owner: Ints, classes: int, cost: Floats, upper: Entries, limit: Floats, bounds: Floats
) -> Shares:
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    count = len(owner)
    whole: Any = csr_matrix((np.ones(count), (owner, np.arange(count))), shape=(classes, len(cost)))
    use: Any = csr_matrix((upper.value, (upper.row, upper.column)), shape=upper.shape)
    within: Any = bounds
    answer: Any = linprog(
        cost,
        A_ub=use,
        b_ub=limit,
        A_eq=whole,
        b_eq=np.ones(classes),
        bounds=within,
        method="highs",
    )
    if answer.status != 0:
        return _unsolved(len(limit), infeasible=answer.status == INFEASIBLE)
    prices = np.maximum(0.0, -np.asarray(answer.ineqlin.marginals))
    return Shares(True, False, np.asarray(answer.x), prices)


def _glop(
    owner: Ints, classes: int, cost: Floats, upper: Entries, limit: Floats, bounds: Floats
) -> Shares:
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("GLOP")
    columns = [solver.NumVar(low, high, "") for low, high in bounds.tolist()]
    rows = [solver.Constraint(-solver.infinity(), most) for most in limit.tolist()]
    for row, column, value in zip(
        upper.row.tolist(), upper.column.tolist(), upper.value.tolist(), strict=True
    ):
        rows[row].SetCoefficient(columns[column], value)
    whole = [solver.Constraint(1.0, 1.0) for _ in range(classes)]
    for column, row in enumerate(owner.tolist()):
        whole[row].SetCoefficient(columns[column], 1.0)
    goal = solver.Objective()
    for variable, coefficient in zip(columns, cost.tolist(), strict=True):
        goal.SetCoefficient(variable, coefficient)
    status = solver.Solve()
    if status != solver.OPTIMAL:
        return _unsolved(len(limit), infeasible=status == solver.INFEASIBLE)
    x = np.array([column.solution_value() for column in columns])
    prices = np.array([row.dual_value() for row in rows])
    return Shares(True, False, x, np.maximum(0.0, -prices))


def _unsolved(limits: int, *, infeasible: bool) -> Shares:
    return Shares(False, infeasible, np.empty(0), np.zeros(limits))
