"""Bounds that duals prove, and programs whose numbers span many orders of magnitude."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solve import solve
from hetopt.solvers.lp_bound import dual_value, implied_ranges, proven_bound, refutes
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation
from hetopt.solvers.scaling import scaled, without_small
from hetopt.verify import verify


def random_program(seed: int, spread: float = 0.0) -> tuple[MipArrays, np.ndarray]:
    """A program with a point that meets it; numbers span up to ``spread`` orders of magnitude."""
    rng = np.random.default_rng(seed)
    size, count = int(rng.integers(2, 6)), int(rng.integers(1, 5))
    matrix = rng.integers(-4, 6, (count, size)) * 10.0 ** rng.uniform(0, spread, (count, size))
    point = rng.uniform(0.0, 2.0, size) * rng.integers(0, 2, size)
    value = matrix @ point
    kind = rng.integers(0, 3, count)
    room = rng.uniform(0.0, 1.0, count) * np.abs(matrix).max(axis=1)
    rows, columns = np.nonzero(matrix)
    arrays = MipArrays(
        names=[f"x{j}" for j in range(size)],
        sign=1,
        cost=rng.integers(1, 9, size) * 10.0 ** rng.uniform(0, spread, size),
        offset=float(rng.integers(-3, 4)),
        lower=np.zeros(size),
        upper=np.where(rng.random(size) < 0.5, np.inf, 3.0),
        integer=np.zeros(size, dtype=bool),
        row_names=[f"r{i}" for i in range(count)],
        row_lower=np.where(kind == 0, -np.inf, np.where(kind == 1, value - room, value)),
        row_upper=np.where(kind == 0, value + room, np.where(kind == 1, np.inf, value)),
        rows=rows,
        columns=columns,
        coefficients=matrix[rows, columns],
    )
    return arrays, point


@pytest.mark.parametrize("seed", range(40))
def test_no_prices_at_all_prove_more_than_a_point_costs(seed: int) -> None:
    arrays, point = random_program(seed, spread=seed % 4 * 3.0)
    cost = float(arrays.cost @ point) + arrays.offset
    slack = 1e-9 * (1.0 + float(np.abs(arrays.cost) @ np.abs(point)))
    rng = np.random.default_rng(seed)
    found = Relaxation(arrays).solve()
    assert found.outcome == "optimal"
    for k in range(30):
        duals = found.row_duals * rng.choice([1.0, 1.0, 0.9, 1.1, -1.0], len(found.row_duals))
        duals += rng.normal(0, 10.0 ** -(k % 12), len(duals))
        guess = cost * rng.choice([1.0, 0.5, 2.0])
        assert proven_bound(arrays, duals, guess, arrays.lower, arrays.upper) <= cost + slack
        assert not refutes(arrays, duals, arrays.lower, arrays.upper)
    assert found.objective <= cost + slack
    assert Relaxation(arrays).bound(found) <= cost + slack


@pytest.mark.parametrize("seed", range(40))
def test_duals_of_an_optimum_prove_it_whatever_numbers_span(seed: int) -> None:
    arrays, _ = random_program(seed, spread=seed % 4 * 3.0)
    relaxation = Relaxation(arrays)
    found = relaxation.solve()
    size = max(abs(found.objective), 1e-9 * float(arrays.cost.max()))
    assert relaxation.bound(found) >= found.objective - 1e-6 * size


@pytest.mark.parametrize("seed", range(20))
def test_ranges_leave_no_point_out_that_costs_less_than_the_cutoff(seed: int) -> None:
    arrays, point = random_program(seed, spread=6.0)
    cost = float(arrays.cost @ point) + arrays.offset
    low, high = implied_ranges(arrays, arrays.lower, arrays.upper, cost)
    assert np.all(low <= point + 1e-9 * (1 + point))
    assert np.all(point <= high + 1e-9 * (1 + point))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_too_small_for_a_solver_only_widens_its_row(seed: int) -> None:
    arrays, point = random_program(seed, spread=16.0)
    ranges = implied_ranges(arrays, arrays.lower, arrays.upper)
    made = scaled(arrays, ranges)
    assert made.arrays.violation(point / made.column) <= 1e-9
    small = replace(arrays, coefficients=arrays.coefficients * 1e-12)
    small = replace(small, row_lower=arrays.row_lower * 1e-12, row_upper=arrays.row_upper * 1e-12)
    assert without_small(small, *ranges).violation(point) <= 1e-9


def test_an_empty_row_refutes_and_a_tolerance_does_not() -> None:
    arrays, _ = random_program(1)
    arrays = replace(
        arrays,
        row_lower=np.full(len(arrays.row_lower), 5.0),
        row_upper=np.full(len(arrays.row_lower), np.inf),
        upper=np.full(len(arrays.cost), 0.1),
        coefficients=np.abs(arrays.coefficients) / 1e3,
    )
    assert Relaxation(arrays).solve().outcome == "infeasible"
    within = float(np.bincount(arrays.rows, arrays.coefficients)[0]) * 0.1
    near = replace(
        arrays,
        row_lower=np.r_[within * (1 + 1e-10), np.full(len(arrays.row_lower) - 1, -np.inf)],
    )
    assert Relaxation(near).solve().outcome != "infeasible"


@pytest.mark.parametrize("seed", range(8))
def test_a_demand_beyond_what_endless_variables_may_take_is_refuted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    busy = rng.uniform(0.1, 2.0, 2)
    demand = float(rng.uniform(0.5, 3.0))

    def program(limit: float) -> MipArrays:
        return MipArrays(
            names=["x", "y"],
            sign=1,
            cost=np.ones(2),
            offset=0.0,
            lower=np.zeros(2),
            upper=np.full(2, np.inf),
            integer=np.zeros(2, dtype=bool),
            row_names=["demand", "load"],
            row_lower=np.array([demand, -np.inf]),
            row_upper=np.array([demand, limit]),
            rows=np.array([0, 0, 1, 1]),
            columns=np.array([0, 1, 0, 1]),
            coefficients=np.r_[1.0, 1.0, busy],
        )

    least = demand * float(busy.min())
    assert Relaxation(program(least * (1 - 1e-6))).solve().outcome == "infeasible"
    assert Relaxation(program(least * (1 - 1e-9))).solve().outcome != "infeasible"
    one = replace(program(least), upper=np.array([np.inf, 0.0]))
    over = replace(one, row_upper=np.array([demand, demand * busy[0] * (1 - 1e-6)]))
    assert Relaxation(over).solve().outcome == "infeasible"
    within = replace(one, row_upper=np.array([demand, demand * busy[0] * (1 - 1e-9)]))
    assert Relaxation(within).solve().outcome != "infeasible"


def test_a_free_variable_with_a_price_of_its_own_leaves_no_bound() -> None:
    arrays, _ = random_program(2)
    free = replace(arrays, lower=np.full(len(arrays.cost), -np.inf))
    value, _ = dual_value(free, np.zeros(len(free.row_lower)), free.lower, free.upper, free.cost)
    assert value == -math.inf


def streams(
    devices: list[dict[str, Any]], options: list[dict[str, Any]], rate: float, **settings: Any
) -> Instance:
    frames: dict[str, Any] = {
        "devices": devices,
        "options": [{"profile": "j", "energy_j": 1.0} | row for row in options],
        "tasks": [{"name": "j", "job": "j", "profile": "j"}],
        "jobs": [{"name": "j", "rate_per_s": rate}],
    }
    given = {"regime": "steady", "objective": "power"} | settings
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, given)


@pytest.mark.parametrize("dear", [1e4, 1e10, 1e14])
@pytest.mark.parametrize("idle", [0.0, 0.25])
def test_an_option_of_huge_cost_hides_no_difference_between_cheap_ones(
    dear: float, idle: float
) -> None:
    names = ["a", "c", "b"]
    free = {"count_min": 0, "count_max": 3, "idle_power_w": idle}
    instance = streams(
        [{"name": n, **(free if idle else {})} for n in names],
        [
            {"device": n, "time_s": 0.1, "energy_j": e}
            for n, e in zip(names, (dear, 1.5, 1.0), strict=True)
        ],
        1.0,
    )
    found = solve(instance, time_limit=10.0, workers=1)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(1.0 + idle)


@pytest.mark.parametrize("rate", [1e9, 3e11])
def test_units_by_the_billion_are_counted(rate: float) -> None:
    instance = streams(
        [{"name": "g", "count_min": 0, "count_max": -1, "idle_power_w": 1.0}],
        [{"device": "g", "time_s": 1.0, "energy_j": 1.0}],
        rate,
    )
    found = solve(instance, time_limit=10.0, workers=1)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(2 * rate)
    assert verify(instance, found.plan).ok


@pytest.mark.parametrize("cap", ["power_cap_w", "budget_per_s"])
def test_what_is_small_beside_another_option_still_counts_against_a_cap(cap: str) -> None:
    """Half of the requests may take the frugal option only: it costs 1e-12 of the other's."""
    instance = streams(
        [{"name": n, "count_min": 1, "count_max": 1, "price_per_s": 0.0} for n in "ab"],
        [
            {"device": "a", "time_s": 0.5, "energy_j": 1e12},
            {"device": "b", "time_s": 1.0, "energy_j": 1.0},
        ],
        1.0,
        objective="throughput",
        energy_price_per_j=1.0,
        **{cap: 0.5},
    )
    found = solve(instance, time_limit=10.0, workers=1)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(0.5)
    assert verify(instance, found.plan).ok
