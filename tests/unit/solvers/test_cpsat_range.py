"""Rows whose sums could leave 64 bits are counted more coarsely, and only ever relaxed."""

from __future__ import annotations

import itertools
import random

import pytest
from ortools.sat.python import cp_model

from hetopt.solvers.cpsat import FOUND, quiet_solver
from hetopt.solvers.cpsat_range import within_range


@pytest.mark.parametrize("seed", range(12))
def test_no_point_of_a_row_is_lost_and_those_far_from_it_are(seed: int) -> None:
    rng = random.Random(seed)
    model = cp_model.CpModel()
    ranges = [(rng.randint(-3, 0), rng.randint(1, 3)) for _ in range(3)]
    x = [model.new_int_var(a, b, "") for a, b in ranges]
    big = [rng.choice([-1, 1]) * rng.randint(1 << 60, 1 << 61) for _ in x]
    point = [rng.randint(a, b) for a, b in ranges]
    at = sum(c * v for c, v in zip(big, point, strict=True))
    width = rng.choice([0, 1 << 40])
    if abs(at) > 1 << 61:
        at = 0
    row = model.add(sum(c * v for c, v in zip(big, x, strict=True)) <= at + width)
    row.proto.linear.domain[0] = at
    assert model.validate()
    assert within_range(model)
    rows = [c.linear for c in model.proto.constraints]
    for values in itertools.product(*(range(a, b + 1) for a, b in ranges)):
        exact = sum(c * v for c, v in zip(big, values, strict=True))
        holds = all(
            lin.domain[0]
            <= sum(c * values[v] for v, c in zip(lin.vars, lin.coeffs, strict=True))
            <= lin.domain[1]
            for lin in rows
        )
        if at <= exact <= at + width:
            assert holds
        elif not at - (1 << 58) <= exact <= at + width + (1 << 58):
            assert not holds


def test_rows_in_range_stay_and_enforced_ones_stay_enforced() -> None:
    model = cp_model.CpModel()
    x, on = model.new_int_var(0, 1 << 40, "x"), model.new_bool_var("on")
    model.add(3 * x >= 6)
    model.add((1 << 30) * x <= (1 << 50)).only_enforce_if(on)
    model.minimize(-x)
    assert within_range(model)
    assert list(model.proto.constraints[0].linear.coeffs) == [3]
    assert list(model.proto.constraints[1].enforcement_literal) == [on.index]
    solver = quiet_solver(1, 0)
    assert solver.status_name(solver.solve(model)) in FOUND
    assert solver.value(x) == 1 << 40


def test_an_objective_that_could_overflow_is_refused() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(0, 1 << 40, "x")
    model.minimize((1 << 40) * x)
    assert not within_range(model)
