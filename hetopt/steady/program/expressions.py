"""Objectives and sums of a program of streams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pulp

from hetopt.instance import is_maximised


def aim_at(problem: Any, objective: str, expression: Any) -> float:
    """Make a program minimise an objective, scaled so that the largest cost is 1.

    Returns
    -------
    float
        What the objective in SI units is multiplied by; negative where it is maximised.
    """
    largest = max((abs(c) for c in expression.values()), default=0.0) or 1.0
    scale = (-1.0 if is_maximised(objective) else 1.0) / largest
    problem.setObjective(expression * scale)
    return scale


def sum_of(terms: Iterable[tuple[Any, float]]) -> Any:
    """Σ coefficient × (variable or number), equal variables added up."""
    total: dict[Any, float] = {}
    constant = 0.0
    for variable, coefficient in terms:
        if isinstance(variable, pulp.LpVariable):
            total[variable] = total.get(variable, 0.0) + coefficient
        else:
            constant += variable * coefficient
    return pulp.LpAffineExpression(total, constant)
