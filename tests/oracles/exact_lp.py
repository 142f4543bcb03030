"""Tiny linear programs in fractions: for oracles where no tolerance may decide."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Row = list[Fraction]


def exact_minimum(
    cost: Sequence[float],
    upper: Sequence[Sequence[float]],
    limit: Sequence[float],
    equal: Sequence[Sequence[float]],
    target: Sequence[float],
) -> list[float] | None:
    """Minimise cost · x for x ≥ 0, upper x ≤ limit and equal x = target; None if infeasible.

    Two phases of the simplex method in a tableau, with Bland's rule, which cannot cycle.

    Raises
    ------
    ArithmeticError
        If it is unbounded.
    """
    n, m = len(cost), len(upper) + len(equal)
    slacks = len(upper)
    table: list[Row] = []
    for i, (coefficients, right) in enumerate(
        [*zip(upper, limit, strict=True), *zip(equal, target, strict=True)]
    ):
        row = [Fraction(float(c)) for c in coefficients] + [Fraction(0)] * (slacks + m)
        right_side = Fraction(float(right))
        if i < slacks:
            row[n + i] = Fraction(1)
        if right_side < 0:
            row, right_side = [-c for c in row], -right_side
        row[n + slacks + i] = Fraction(1)
        table.append([*row, right_side])
    basis = [n + slacks + i for i in range(m)]
    first = [Fraction(0)] * (n + slacks) + [Fraction(1)] * m
    _simplex(table, basis, first, n + slacks + m)
    if any(basis[i] >= n + slacks and table[i][-1] > 0 for i in range(m)):
        return None
    for i in range(m):
        if basis[i] >= n + slacks:
            # An artificial variable at 0 leaves for any that can take its place.
            enter = next((j for j in range(n + slacks) if table[i][j]), -1)
            if enter >= 0:
                _pivot(table, basis, i, enter)
    second = [Fraction(float(c)) for c in cost] + [Fraction(0)] * (slacks + m)
    _simplex(table, basis, second, n + slacks)
    x = [Fraction(0)] * n
    for i, j in enumerate(basis):
        if j < n:
            x[j] = table[i][-1]
    return [float(v) for v in x]


def _simplex(table: list[Row], basis: list[int], cost: Row, columns: int) -> None:
    while True:
        enter = -1
        for j in range(columns):
            if j in basis:
                continue
            reduced = cost[j] - sum(
                cost[b] * row[j] for b, row in zip(basis, table, strict=True) if cost[b] and row[j]
            )
            if reduced < 0:
                enter = j
                break
        if enter < 0:
            return
        ratios = [
            (row[-1] / row[enter], basis[i], i) for i, row in enumerate(table) if row[enter] > 0
        ]
        if not ratios:
            raise ArithmeticError("unbounded")
        _pivot(table, basis, min(ratios)[2], enter)


def _pivot(table: list[Row], basis: list[int], leave: int, enter: int) -> None:
    pivot = table[leave][enter]
    table[leave] = [c / pivot if c else c for c in table[leave]]
    source = table[leave]
    for i, row in enumerate(table):
        factor = row[enter]
        if i != leave and factor:
            table[i] = [a - factor * b if b else a for a, b in zip(row, source, strict=True)]
    basis[leave] = enter
