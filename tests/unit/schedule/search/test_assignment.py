"""Assignments: bounds below the optimum, plans above it, and no word on what is unknown."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.evaluate import objective_value
from hetopt.formats.literature.gap import read_gap
from hetopt.formats.literature.rcmax import read_rcmax
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.schedule.search.assignment.improve import AssignmentSearch, fits
from hetopt.schedule.search.assignment.multipliers import (
    CHUNK_CELLS,
    DROPPING,
    MOST_ROOM,
    RowPrices,
    TaskPrices,
)
from hetopt.schedule.search.assignment.table import columns_of, integers
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify

improve = AssignmentSearch.improve
moves_within = AssignmentSearch.moves_within

MOVES = 60_000
SEEDS = range(12)


def gap_text(rng: np.random.Generator, agents: int, jobs: int) -> str:
    cost = rng.integers(1, 30, (agents, jobs))
    use = rng.integers(1, 20, (agents, jobs))
    capacity = np.full(agents, math.ceil(0.9 * use.mean() * jobs / agents))
    rows = [f"{agents} {jobs}", *(" ".join(map(str, r)) for r in (*cost, *use, capacity))]
    return "\n".join(rows)


def rcmax_text(rng: np.random.Generator, jobs: int, machines: int) -> str:
    time = rng.integers(1, 40, (jobs, machines))
    return "\n".join([f"{jobs} {machines}", *(" ".join(map(str, r)) for r in time)])


def least_cost(instance: Instance) -> float:
    """Optimum of a generalised assignment, by enumeration; inf where nothing fits."""
    columns = columns_of(instance)
    assert columns is not None
    best = math.inf
    each = [range(columns.ptr[t], columns.ptr[t + 1]) for t in range(len(columns.ptr) - 1)]
    for chosen in itertools.product(*each):
        load = np.bincount(
            columns.row[list(chosen)], columns.weight[list(chosen)], len(columns.limit)
        )
        if columns.makespan:
            best = min(best, float(load.max() * columns.tick_s))
        elif (load <= columns.limit).all():
            best = min(best, float(columns.cost[list(chosen)].sum() * columns.step))
    return best


@pytest.mark.parametrize("seed", SEEDS)
def test_budgets_bound_optimum_and_plan_are_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance = read_gap(gap_text(rng, int(rng.integers(2, 4)), int(rng.integers(3, 8))), "gap")
    assert fits(instance)
    done = improve(instance, None, iterations=MOVES, seed=seed)
    best = least_cost(instance)
    if math.isinf(best):
        assert done.plan is None
        return
    assert done.bound <= best
    assert done.plan is not None
    assert verify(instance, done.plan).ok
    assert objective_value(instance, done.plan, "energy") == best


@pytest.mark.parametrize("seed", SEEDS)
def test_makespan_bound_optimum_and_plan_are_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance = read_rcmax(rcmax_text(rng, int(rng.integers(2, 8)), int(rng.integers(2, 4))), "r")
    assert fits(instance)
    done = improve(instance, None, iterations=MOVES, seed=seed)
    best = least_cost(instance)
    assert done.bound <= best
    assert done.plan is not None
    assert verify(instance, done.plan).ok
    assert objective_value(instance, done.plan, "makespan") == best


@pytest.mark.parametrize("objective", ["makespan", "energy"])
@pytest.mark.parametrize("seed", range(4))
def test_times_off_any_short_grid_keep_bound_below_plan(objective: str, seed: int) -> None:
    made = generate_schedule(
        30, 4, shape="independent", ccr=0.0, slots=2, count=2, seed=seed, deadline_factor=2.0
    )
    idle = np.zeros(len(made.devices))
    instance = replace(
        made, objective=(objective,), devices=replace(made.devices, idle_power_w=idle)
    )
    assert fits(instance)
    done = improve(instance, None, iterations=20 * MOVES, seed=seed)
    assert done.plan is not None
    assert verify(instance, done.plan).ok
    assert done.bound <= objective_value(instance, done.plan, objective) * (1 + 1e-9)
    assert done.bound > 0.8 * objective_value(instance, done.plan, objective)


def test_the_same_seed_gives_the_same_plan() -> None:
    text = rcmax_text(np.random.default_rng(5), 60, 6)
    first, again = (
        improve(read_rcmax(text, "r"), None, iterations=MOVES, seed=3) for _ in range(2)
    )
    assert first.plan is not None
    assert again.plan is not None
    assert first.plan.option.tolist() == again.plan.option.tolist()
    assert first.plan.start_s.tolist() == again.plan.start_s.tolist()
    assert first.bound == again.bound


def test_a_plan_that_is_optimal_already_is_not_beaten() -> None:
    instance = read_rcmax("4 2\n1 9\n1 9\n9 1\n9 1", "r")
    start = improve(instance, None, iterations=MOVES).plan
    assert start is not None
    done = improve(instance, start, iterations=MOVES)
    assert done.plan is None
    assert done.bound == objective_value(instance, start, "makespan") == 2.0


def test_two_workers_find_plans_and_pass_them_on() -> None:
    instance = read_rcmax(rcmax_text(np.random.default_rng(2), 50, 5), "r")
    passed: list[SchedulePlan] = []
    done = improve(instance, None, seconds=4.0, workers=2, found=passed.append)
    assert done.plan is not None
    assert verify(instance, done.plan).ok
    assert all(verify(instance, plan).ok for plan in passed)
    assert done.bound <= objective_value(instance, done.plan, "makespan")


def test_what_fits_nowhere_gets_no_plan() -> None:
    instance = read_gap("2 3\n1 1 1\n1 1 1\n5 5 5\n5 5 5\n6 3", "gap")
    assert improve(instance, None, iterations=MOVES).plan is None


def unknown_features() -> list[tuple[str, Instance]]:
    made = read_rcmax(rcmax_text(np.random.default_rng(0), 6, 2), "r")
    gap = read_gap(gap_text(np.random.default_rng(0), 2, 5), "gap")
    wide = len(made.devices)
    edges = generate_schedule(6, 2, seed=0)
    released = replace(made.jobs, release_s=np.full(len(made.jobs), 1.0))
    memory = replace(made.devices, memory_b=np.full(wide, 10.0))
    pinned = replace(made.tasks, pin_unit=np.zeros(len(made.tasks), dtype=np.int64))
    idle = replace(gap.devices, idle_power_w=np.ones(len(gap.devices)))
    held = replace(gap.resources, capacity=np.full(len(gap.resources), 5.0))
    return [
        ("edges", replace(edges, objective=("makespan",))),
        ("release", replace(made, jobs=released)),
        ("memory", replace(made, devices=memory)),
        ("power cap", made.with_limits(power_cap_w=5.0)),
        ("pinned unit", replace(made, tasks=pinned)),
        ("tardiness", replace(made, objective=("tardiness",))),
        ("idle power", replace(gap, devices=idle)),
        ("capacity", replace(gap, resources=held)),
        ("budgets and makespan", replace(gap, objective=("makespan",))),
    ]


@pytest.mark.parametrize(
    "instance", [i for _, i in unknown_features()], ids=[n for n, _ in unknown_features()]
)
def test_features_that_it_does_not_know_are_left_alone(instance: Instance) -> None:
    assert not fits(instance)
    done = improve(instance, None, iterations=1_000)
    assert done.plan is None
    assert math.isnan(done.bound)


def test_two_options_of_a_device_trade_time_for_energy() -> None:
    instance = from_frames(
        {
            "devices": pd.DataFrame({"name": ["cpu"]}),
            "options": pd.DataFrame(
                {
                    "profile": ["p", "p"],
                    "device": ["cpu", "cpu"],
                    "label": ["slow", "fast"],
                    "time_s": [2.0, 1.0],
                    "energy_j": [1.0, 3.0],
                }
            ),
            "tasks": pd.DataFrame({"name": list("abc"), "profile": ["p"] * 3}),
        },
        {"regime": "schedule", "objective": "energy", "horizon_s": 5.0},
    )
    done = improve(instance, None, iterations=MOVES)
    assert done.plan is not None
    assert verify(instance, done.plan).ok
    assert objective_value(instance, done.plan, "energy") == 5.0
    assert done.bound <= 5.0


def test_integers_are_found_by_their_decimals() -> None:
    counted = integers(np.array([0.1, 0.25, 1.0]))
    assert counted is not None
    assert counted[0].tolist() == [2, 5, 20]
    assert float(counted[1]) == 0.05
    assert integers(np.array([math.pi])) is None


def test_more_seconds_stand_for_more_moves() -> None:
    instance = read_rcmax("1 1\n1", "r")
    assert moves_within(instance, 2.0) == 2 * moves_within(instance, 1.0)


def test_solve_proves_an_assignment_that_cp_sat_alone_leaves_open() -> None:
    instance = read_rcmax(rcmax_text(np.random.default_rng(8), 60, 4), "r")
    solution = solve(instance, method="assignment", time_limit=5.0, deterministic=True)
    assert solution.verified
    assert solution.method == "assignment"
    assert solution.bound <= solution.objective <= 1.02 * solution.bound


def test_knapsacks_of_fine_ticks_look_at_the_limit_as_often_as_others() -> None:
    """Capacities of 1e13 ticks are rounded to 20,000: that many cells a group count, not few."""
    rng = np.random.default_rng(3)
    tasks, rows = 60, 5
    times = rng.integers(10**11, 10**12, (tasks, rows)) | 1
    lines = [f"{tasks} {rows}", *(" ".join(map(str, line)) for line in times.tolist())]
    columns = columns_of(read_rcmax("\n".join(lines), "fine"))
    assert columns is not None
    prices = RowPrices(columns, math.inf)
    found = TaskPrices(columns, prices.task_prices)
    room = int(prices.value)
    found.ascend(1e-3 * tasks, 0.0, lambda: found.worked > 0, room)
    a_step = tasks * rows * MOST_ROOM
    assert a_step / 2 < found.worked < CHUNK_CELLS + (DROPPING + 1) * a_step
