"""Deterministic mode: the clock has no say in any search, however slow the machine is."""

from __future__ import annotations

import itertools
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

from hetopt import generate
from hetopt.formats.plans import solution_to_dict
from hetopt.runtime.budget import Budget
from hetopt.solve import solve
from hetopt.solvers import relaxation
from hetopt.solvers.mip import solve_arrays
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.steady import solve as steady_module
from hetopt.steady.column_generation import (
    column_generation,
    graph_pricer,
    solve_graphs,
    solve_single_tasks,
)
from hetopt.steady.program import objective_level

CLOCKED = (
    objective_level,
    column_generation,
    graph_pricer,
    relaxation,
    solve_single_tasks,
    solve_graphs,
    steady_module,
)


def answer(instance, **options):
    solution = solve(instance, deterministic=True, **options)
    return solution, json.dumps(solution_to_dict(instance, solution))


@pytest.mark.parametrize(
    ("workloads", "options"), [(20, {}), (20, {"method": "heuristic"}), (200, {"gap": 0.01})]
)
def test_a_fleet_has_the_same_bytes_twice(workloads, options):
    """As it was read, twice in one process: nothing that the first solve kept has a say."""
    instance = generate.generate_steady(workloads=workloads, devices=6, options=3, seed=7)
    first, text = answer(instance, time_limit=0.5, **options)
    assert first.plan is not None
    assert answer(instance, time_limit=0.5, **options)[1] == text
    again = generate.generate_steady(workloads=workloads, devices=6, options=3, seed=7)
    assert answer(again, time_limit=0.5, **options)[1] == text


@pytest.mark.parametrize(
    ("workloads", "options"),
    [
        (60, {"time_limit": 1}),
        (60, {"time_limit": 1, "gap": 0.01}),
        (30, {"time_limit": 0.1, "method": "heuristic"}),
    ],
)
def test_a_fleet_has_the_same_answer_on_a_clock_that_races(monkeypatch, workloads, options):
    instance = generate.generate_steady(workloads=workloads, devices=5, options=2, seed=3)
    first, text = answer(instance, **options)
    assert first.plan is not None
    ticks = itertools.count()
    racing = SimpleNamespace(monotonic=lambda: time.monotonic() + 1e4 * next(ticks))
    for module in CLOCKED:
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", racing)
    assert answer(instance, **options)[1] == text


def test_a_deterministic_limit_counts_nodes_and_the_clock_ends_runaways_only():
    budget = Budget(deadline=time.monotonic(), deterministic=True, limit_s=3.0)
    allowed = objective_level.effort(budget)
    assert allowed.nodes == 3 * objective_level.NODES_PER_S
    assert allowed.time_limit_s > 60
    assert objective_level.seconds_left(budget) == np.inf
    timed = objective_level.effort(Budget(deadline=time.monotonic() + 5))
    assert timed.nodes is None
    assert 4 < timed.time_limit_s <= 5


def market_split(n=30, rows=4, seed=0):
    """Return a problem that takes branch and bound very long: equal sums, with slacks."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 100, (rows, n)).astype(float)
    size = n + 2 * rows
    entry = []
    for r in range(rows):
        entry += [(r, j, weights[r, j]) for j in range(n)]
        entry += [(r, n + 2 * r, 1.0), (r, n + 2 * r + 1, -1.0)]
    row, column, value = zip(*entry, strict=True)
    half = np.floor(weights.sum(axis=1) / 2)
    return MipArrays(
        names=[f"x{j}" for j in range(size)],
        row_names=[f"r{r}" for r in range(rows)],
        sign=1,
        cost=np.r_[np.zeros(n), np.ones(2 * rows)],
        offset=0.0,
        lower=np.zeros(size),
        upper=np.r_[np.ones(n), np.full(2 * rows, 1e4)],
        integer=np.r_[np.ones(n, dtype=bool), np.zeros(2 * rows, dtype=bool)],
        rows=np.array(row),
        columns=np.array(column),
        coefficients=np.array(value),
        row_lower=half,
        row_upper=half,
    )


def test_a_limit_of_nodes_ends_highs_with_a_plan_and_a_bound_twice_the_same():
    arrays = market_split()
    results = [solve_arrays(arrays, time_limit_s=60, nodes=30) for _ in range(2)]
    assert results[0].values == results[1].values
    assert results[0].bound == results[1].bound
    assert not results[0].timed_out
    assert not results[0].proven_infeasible
    assert results[0].wall_time_s < 30
