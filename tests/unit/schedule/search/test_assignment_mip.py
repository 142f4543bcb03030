"""Branch and bound beside the annealing, for assignments."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.formats import read_instance
from hetopt.schedule.search.assignment import mip
from hetopt.schedule.search.assignment.improve import AssignmentSearch
from hetopt.schedule.search.assignment.table import columns_of
from hetopt.solve import solve


def independent(seed, tasks, devices, *, objective="energy", scale=1.0, tight=0.8, hard=True):
    """Return independent tasks on single units under one deadline (or with a makespan)."""
    rng = np.random.default_rng(seed)
    time = rng.integers(5, 26, (tasks, devices)) * scale
    cost = 111.0 - time / scale + rng.integers(-10, 11, (tasks, devices))
    if not hard:
        cost = rng.integers(10, 51, (tasks, devices)).astype(float)
    deadline = np.ceil(tight * (time / scale).sum() / devices / devices) * scale
    frames = {
        "devices": {"name": [f"d{d}" for d in range(devices)], "kind": ["cpu"] * devices},
        "tasks": {
            "name": [f"t{t}" for t in range(tasks)],
            "job": ["j"] * tasks,
            "profile": [f"p{t}" for t in range(tasks)],
        },
        "jobs": {
            "name": ["j"],
            "deadline_s": [np.inf if objective == "makespan" else deadline],
        },
        "options": {
            "profile": [f"p{t}" for t in range(tasks) for _ in range(devices)],
            "device": [f"d{d}" for _ in range(tasks) for d in range(devices)],
            "time_s": time.ravel(),
            "energy_j": cost.ravel(),
        },
    }
    tables = {name: pd.DataFrame(columns) for name, columns in frames.items()}
    return from_frames(tables, {"objective": [objective]}), time, cost, deadline


def enumerated(time, cost, deadline):
    """Return the optimum by going through all assignments, inf where there is none."""
    best = np.inf
    tasks, devices = time.shape
    rows = np.arange(tasks)
    for chosen in itertools.product(range(devices), repeat=tasks):
        load = np.bincount(chosen, time[rows, list(chosen)], devices).max()
        if load <= deadline * (1 + 1e-12):
            best = min(best, cost[rows, list(chosen)].sum())
    return best


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1 / 3])
@pytest.mark.parametrize("seed", range(6))
def test_the_program_has_the_optimum_of_an_enumeration(scale, seed):
    instance, time, cost, deadline = independent(seed, 6, 3, scale=scale)
    best = enumerated(time, cost, deadline)
    columns = columns_of(instance)
    assert columns is not None
    found = mip.solve_program(columns, None, stop=threading.Event(), seconds=30)
    if not np.isfinite(best):
        assert found.chosen is None
        return
    unit = float(columns.step)
    assert found.bound is not None
    assert best * (1 - 1e-5) <= found.bound * unit <= best * (1 + 1e-9)
    if scale == 1.0:
        assert found.chosen is not None
        assert columns.cost[found.chosen].sum() * unit == pytest.approx(best, rel=1e-9)


def test_a_small_assignment_is_proven_long_before_its_limit():
    instance, *_ = independent(7, 30, 5, hard=False)
    solution = solve(instance, time_limit=30)
    assert solution.status == "optimal"
    assert solution.wall_time_s is not None
    assert solution.wall_time_s < 20


@pytest.mark.parametrize(("name", "best"), [("gap3-3", None), ("gap10-4", 639.0)])
def test_small_published_problems_are_proven(shared_path, name, best):
    path = shared_path("benchmarks", "gap", "cattrysse1994", name)
    solution = solve(read_instance(path), time_limit=30)
    assert solution.status == "optimal"
    assert best is None or solution.objective == best


def test_a_deterministic_search_ends_with_the_program_and_is_the_same_again():
    instance, *_ = independent(7, 30, 5, hard=False)
    columns = columns_of(instance)
    assert columns is not None
    improve = AssignmentSearch.improve
    runs = [improve(instance, None, iterations=2_000_000, seed=1) for _ in range(2)]
    assert runs[0].bound == runs[1].bound
    assert runs[0].plan is not None
    assert runs[1].plan is not None
    assert np.array_equal(runs[0].plan.option, runs[1].plan.option)
    energy = float(instance.options.energy_j[runs[0].plan.option].sum())
    assert runs[0].bound == pytest.approx(energy, rel=1e-6)


def test_makespans_large_ones_and_costs_that_dwarf_the_bound_are_left_to_prices(monkeypatch):
    for objective, low, suited in (("energy", 3000.0, True), ("energy", 1e-3, False)):
        columns = columns_of(independent(7, 40, 8, objective=objective)[0])
        assert columns is not None
        assert mip.suits(columns, low) == suited
    columns = columns_of(independent(7, 40, 8, objective="makespan")[0])
    assert columns is not None
    assert not mip.suits(columns, 100.0)
    monkeypatch.setattr(mip, "MOST_COLUMNS", 10)
    columns = columns_of(independent(7, 40, 8)[0])
    assert columns is not None
    assert not mip.suits(columns, 3000.0)


def test_a_plan_that_uses_the_tolerance_of_bounds_is_not_taken():
    instance, *_ = independent(1, 6, 3)
    columns = columns_of(instance)
    assert columns is not None
    point = np.zeros(len(columns.row))
    first = columns.ptr[:-1]
    point[first] = 1.0
    used = np.bincount(columns.row[first], columns.use[first], len(columns.capacity))
    fits = bool((used <= columns.capacity).all())
    assert (mip._chosen(columns, point) is not None) == fits
    point[first[0]] = 0.0
    assert mip._chosen(columns, point) is None
