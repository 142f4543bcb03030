"""Bounds from windows of time on devices: known cases, and never above the optimum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.formats.literature.fjsp import read_fjsp
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.schedule.bounds import objective_bounds, window_bound_on_grid
from hetopt.schedule.bounds.window_bound import window_bound
from hetopt.schedule.bounds.window_bound_on_grid import on_grid, windows_of
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.solution import contradictions
from hetopt.solve import solve


def test_time_before_the_first_and_after_the_last_task_of_a_stage_counts() -> None:
    # Six jobs: 1 s on the gate, then 5 s on one of two ovens, then 2 s anywhere on a wide shelf.
    jobs = "3 1 0 1 2 1 5 2 5 3 3 2 4 2 5 2\n" * 6
    bound = windows_of(plan_problem(read_fjsp("6 6\n" + jobs, "stages")))
    # 15 s on each oven after 1 s on the gate, and 2 s on the shelf.
    assert bound.value == pytest.approx(18.0)
    assert {w.device for w in bound.windows} == {1, 2}


def test_the_makespan_bound_of_an_instance_is_no_worse_and_says_what_it_follows_from() -> None:
    instance = read_fjsp("6 6\n" + "3 1 0 1 2 1 5 2 5 3 3 2 4 2 5 2\n" * 6, "stages")
    assert objective_bounds.bound(instance, "makespan") == pytest.approx(18.0)
    assert (
        objective_bounds.source(instance, "makespan") == "time on devices between heads and tails"
    )


def test_no_two_machines_have_the_same_first_task() -> None:
    start = np.array([[1.0], [1.0], [4.0], [4.0]]) * np.ones((1, 2))
    length = np.full((4, 2), 10.0)
    rest = np.array([[0.0], [7.0], [7.0], [7.0]]) * np.ones((1, 2))
    plain = window_bound(start, length, rest, np.array([1, 1])).value
    # 20 s on each machine, from 1 on; one machine ends 0 and the other 7 before the end.
    assert plain == pytest.approx(1 + 20 + 7 / 2)


def test_windows_of_several_units_have_the_time_of_all() -> None:
    bound = window_bound(
        np.full((8, 1), 2.0), np.full((8, 1), 3.0), np.full((8, 1), 1.0), np.array([4])
    )
    assert bound.value == pytest.approx(2 + 2 * 3 + 1)


def test_a_bound_is_raised_to_the_grid_and_float_noise_does_not_lift_it() -> None:
    problem = plan_problem(read_fjsp("1 1\n1 1 0 3\n", "one"))
    assert on_grid(problem, 2.0000000001) == 3.0
    assert on_grid(problem, 3.0 + 1e-12) == 3.0 + 1e-12
    halves = plan_problem(instance_of([0.5, 2.0]))
    assert on_grid(halves, 1.7) == 2.0
    assert on_grid(halves, float("inf")) == float("inf")


def instance_of(times: list[float]) -> Instance:
    return from_frames(
        {
            "devices": pd.DataFrame({"name": ["d"]}),
            "options": pd.DataFrame(
                {"profile": [f"p{k}" for k in range(len(times))], "device": "d", "time_s": times}
            ),
            "tasks": pd.DataFrame(
                {
                    "name": [f"t{k}" for k in range(len(times))],
                    "profile": [f"p{k}" for k in range(len(times))],
                }
            ),
        },
        {"regime": "schedule", "objective": "makespan"},
    )


@pytest.mark.parametrize("seed", range(12))
def test_no_bound_is_above_the_optimum(seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    made = generate_schedule(
        int(rng.integers(4, 11)),
        int(rng.integers(2, 4)),
        shape=str(rng.choice(["layered", "random", "chains", "fork-join"])),
        ccr=float(rng.choice([0.0, 0.3])),
        deadline_factor=None,
        slots=int(rng.integers(1, 3)),
        count=int(rng.integers(1, 3)),
        seed=seed,
    )
    best = solve(made, objective="makespan", time_limit=10, workers=1)
    assert best.status == "optimal"
    problem = plan_problem(made)
    bound = windows_of(problem).value
    assert 0 < bound <= best.objective * (1 + 1e-9)
    assert on_grid(problem, bound * (1 - 1e-9)) <= best.objective * (1 + 1e-9)


def test_an_instance_that_is_too_large_has_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = plan_problem(instance_of([1.0, 2.0, 3.0]))
    assert windows_of(problem).value == pytest.approx(6.0)
    monkeypatch.setattr(window_bound_on_grid, "MOST_PAIRS", 2)
    assert windows_of(problem).value == 0.0


@pytest.mark.parametrize("method", ["auto", "shop"])
def test_lengths_are_no_longer_than_they_are_where_one_option_takes_almost_for_ever(
    method: str,
) -> None:
    # The grid of plans has ticks of 100,000 then, to which each run of 3 to 5 is rounded up.
    job = "3 2 0 3 1 4 1 1 5 2 0 18446744073709551616 1 4\n"
    instance = read_fjsp("3 2\n" + 3 * job, "long")
    assert windows_of(plan_problem(instance)).value <= 3 * 13
    found = solve(instance, method=method, time_limit=2, workers=1)
    assert found.bound <= found.objective
    assert not contradictions(found)
