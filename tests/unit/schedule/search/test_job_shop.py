"""Tabu search for shops: better or nothing, valid, reproducible, and honest about its limits."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, solve, to_frames, to_settings
from hetopt.evaluate import objective_value
from hetopt.formats.literature.fjsp import read_fjsp
from hetopt.formats.literature.shops.job_shop import read_job_shop
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.runtime import jit
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.schedule.model.problem import plan_problem
from hetopt.schedule.search.job_shop.improve import TabuSearch, fits
from hetopt.schedule.search.job_shop.table import Shop
from hetopt.schedule.search.job_shop.tabu import Worker
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

improve = TabuSearch.improve
moves_within = TabuSearch.moves_within

MOVES = 5_000
FLEXIBLE = """6 4
5 2 0 5 2 4 1 1 7 3 0 6 1 8 3 4 1 2 3 2 2 9 3 6
5 1 1 6 2 0 3 3 5 2 2 4 1 7 1 3 8 2 0 4 2 6
4 2 1 4 3 6 1 0 9 2 2 5 3 3 3 0 7 1 5 2 8
5 3 0 3 1 4 2 5 1 2 7 2 1 6 3 5 2 0 2 2 3 1 1 9
4 1 3 7 2 0 6 2 5 2 1 3 3 4 1 2 6
5 2 2 5 3 7 1 1 5 3 0 8 2 6 3 7 1 0 4 2 1 5 3 6
"""


def started(instance: Instance) -> SchedulePlan:
    plan = heft(instance)
    assert plan is not None
    return plan


def makespan(instance: Instance, plan: SchedulePlan) -> float:
    return objective_value(instance, plan, "makespan")


def two_jobs() -> Instance:
    """Two jobs of two operations each on two machines."""
    return read_fjsp("2 2\n2 2 0 3 1 4 1 1 2\n2 1 0 2 2 0 4 1 3\n", "two")


@pytest.fixture(scope="module")
def small() -> Instance:
    return read_fjsp(FLEXIBLE, "flexible")


@pytest.fixture(scope="module")
def layered() -> Instance:
    made = generate_schedule(60, 5, seed=3, ccr=0.0, deadline_factor=None)
    return replace(made, objective=("makespan",))


def test_a_job_shop_is_solved_to_its_published_optimum(mt06: Instance) -> None:
    plan = improve(mt06, started(mt06), iterations=MOVES).plan
    assert plan is not None
    assert verify(mt06, plan).ok
    assert makespan(mt06, plan) == 55


@pytest.fixture
def mt06() -> Instance:
    """The job shop of Fisher and Thompson, 1963, whose optimum is 55."""
    return read_fjsp(
        """6 6
6 1 2 1 1 0 3 1 1 6 1 3 7 1 5 3 1 4 6
6 1 1 8 1 2 5 1 4 10 1 5 10 1 0 10 1 3 4
6 1 2 5 1 3 4 1 5 8 1 0 9 1 1 1 1 4 7
6 1 1 5 1 0 5 1 2 5 1 3 3 1 4 8 1 5 9
6 1 2 9 1 1 3 1 4 5 1 5 4 1 0 3 1 3 1
6 1 1 3 1 3 3 1 5 9 1 0 10 1 4 4 1 2 1
""",
        "mt06",
    )


def test_it_needs_no_plan_to_start_from(mt06: Instance) -> None:
    plan = improve(mt06, None, iterations=MOVES).plan
    assert plan is not None
    assert verify(mt06, plan).ok
    assert makespan(mt06, plan) == 55


def test_the_plan_of_a_flexible_shop_is_better_and_valid(small: Instance) -> None:
    start = started(small)
    plan = improve(small, start, iterations=MOVES).plan
    assert plan is not None
    assert verify(small, plan).ok
    assert makespan(small, plan) < makespan(small, start)


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": "layered"},
        {"shape": "random"},
        {"shape": "fork-join"},
        {"shape": "independent"},
        {"slots": 2},
        {"count": 3, "devices": 2},
        {"count": 2, "slots": 2, "devices": 2},
        {"deadline_factor": 1.05},
    ],
    ids=str,
)
def test_graphs_units_and_slots_of_all_kinds(arguments: dict[str, object]) -> None:
    given = {"devices": 4, "deadline_factor": None, **arguments}
    made = generate_schedule(50, seed=2, ccr=0.0, **given)  # type: ignore[arg-type]  # by name
    instance = replace(made, objective=("makespan",))
    start = started(instance)
    assert fits(instance)
    plan = improve(instance, start, iterations=MOVES).plan
    assert plan is not None
    assert verify(instance, plan).ok
    assert makespan(instance, plan) < makespan(instance, start)


def test_releases_and_tasks_of_no_time_are_respected() -> None:
    instance = from_frames(
        {
            "devices": pd.DataFrame({"name": ["a", "b"]}),
            "options": pd.DataFrame(
                {
                    "profile": ["p", "p", "none", "q"],
                    "device": ["a", "b", "a", "b"],
                    "time_s": [2.0, 3.0, 0.0, 1.5],
                }
            ),
            "tasks": pd.DataFrame(
                {
                    "name": list("stuvwx"),
                    "profile": ["none", "p", "p", "none", "q", "p"],
                    "job": [*"jjjj", "k", "k"],
                }
            ),
            "transfers": pd.DataFrame({"from": list("sstuw"), "to": list("tuvvx")}),
            "jobs": pd.DataFrame({"name": ["j", "k"], "release_s": [0.0, 2.5]}),
        },
        {"regime": "schedule", "objective": "makespan"},
    )
    plan = improve(instance, None, iterations=500).plan
    assert plan is not None
    assert verify(instance, plan).ok
    # w cannot end before 4, x takes 2 more on a.
    assert makespan(instance, plan) == 6.0


def test_free_messages_are_sent_and_costly_ones_are_left_to_others(layered: Instance) -> None:
    made = generate_schedule(30, 3, seed=1, ccr=0.5, deadline_factor=None)
    instance = replace(made, objective=("makespan",))
    assert not fits(instance)
    links = replace(
        made.links,
        latency_s=np.zeros(len(made.links)),
        bandwidth_b_per_s=np.full(len(made.links), np.inf),
    )
    instance = replace(instance, links=links)
    assert fits(instance)
    plan = improve(instance, None, iterations=1_000).plan
    assert plan is not None
    assert len(plan.hops.tensor)
    assert verify(instance, plan).ok


def test_equal_seeds_give_equal_plans_and_other_seeds_others(layered: Instance) -> None:
    start = started(layered)
    plans = [improve(layered, start, iterations=2_000, seed=s).plan for s in (1, 1, 2)]
    first, again, other = (p for p in plans if p is not None)
    assert np.array_equal(first.start_s, again.start_s)
    assert np.array_equal(first.option, again.option)
    assert not np.array_equal(first.start_s, other.start_s)


def test_nothing_is_returned_where_the_start_is_optimal(mt06: Instance) -> None:
    best = improve(mt06, None, iterations=MOVES).plan
    assert best is not None
    assert improve(mt06, best, iterations=MOVES).plan is None
    assert improve(mt06, best, seconds=60, bound=55.0).plan is None


def test_a_plan_that_meets_the_bound_ends_the_search(mt06: Instance) -> None:
    improve(mt06, None, iterations=10)
    began = time.monotonic()
    plan = improve(mt06, None, seconds=60, workers=2, bound=55.0).plan
    assert plan is not None
    assert time.monotonic() - began < 20


def test_better_plans_are_handed_on_as_they_come(layered: Instance) -> None:
    seen: list[SchedulePlan] = []
    start = started(layered)
    last = improve(layered, start, seconds=1.0, found=seen.append).plan
    assert seen
    assert last is seen[-1]
    values = [makespan(layered, plan) for plan in seen]
    assert all(after < before for before, after in pairwise(values))


def test_a_plan_after_the_deadline_is_never_returned(mt06: Instance) -> None:
    tight = mt06.with_limits(horizon_s=54.0)
    assert fits(tight)
    assert improve(tight, None, iterations=MOVES).plan is None


def test_it_stops_when_it_is_told(layered: Instance) -> None:
    improve(layered, None, iterations=10)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    improve(layered, None, seconds=60, workers=2, stop=stop)
    assert time.monotonic() - began < 20


def test_it_keeps_to_its_time(layered: Instance) -> None:
    improve(layered, None, iterations=10)
    began = time.monotonic()
    improve(layered, None, seconds=0.5)
    assert time.monotonic() - began < 5


def test_it_ends_when_nothing_better_has_come_for_long(mt06: Instance) -> None:
    best = improve(mt06, None, iterations=MOVES).plan
    began = time.monotonic()
    assert improve(mt06, best, seconds=60).plan is None
    assert time.monotonic() - began < 20


def test_more_time_is_more_moves(layered: Instance) -> None:
    assert 1 <= moves_within(layered, 1.0) < moves_within(layered, 10.0)


def unknown_features() -> list[tuple[str, dict[str, object]]]:
    made = two_jobs()
    devices, tasks, jobs = made.devices, made.tasks, made.jobs
    memory, pinned = devices.memory_b.copy(), tasks.pin_unit.copy()
    memory[0], pinned[0] = 1e12, 0
    deadline = jobs.deadline_s.copy()
    deadline[0] = 1e6
    pair = replace(made.together, ptr=np.array([0, 2]), task=np.array([0, 1]))
    return [
        ("memory", {"devices": replace(devices, memory_b=memory)}),
        ("power cap", {"limits": replace(made.limits, power_cap_w=1e6)}),
        ("together", {"together": pair}),
        ("apart", {"apart": pair}),
        ("pinned", {"tasks": replace(tasks, pin_unit=pinned)}),
        ("deadline of one job", {"jobs": replace(jobs, deadline_s=deadline)}),
        ("objective", {"objective": ("energy", "makespan")}),
    ]


@pytest.mark.parametrize(
    "changes", [c for _, c in unknown_features()], ids=[n for n, _ in unknown_features()]
)
def test_features_that_it_does_not_know_are_left_alone(changes: dict[str, object]) -> None:
    made = two_jobs()
    assert fits(made)
    instance = replace(made, **changes)  # type: ignore[arg-type]  # fields by name
    assert not fits(instance)
    assert improve(instance, None, iterations=10).plan is None
    assert math.isnan(improve(instance, None, iterations=10).bound)


def test_resources_are_left_to_others() -> None:
    frames = to_frames(two_jobs())
    frames["resources"] = pd.DataFrame({"name": ["licence"], "capacity": [1.0]})
    uses = frames["options"][["profile", "device"]].copy()
    uses["resource"], uses["amount"] = "licence", 1.0
    frames["uses"] = uses
    instance = from_frames(frames, to_settings(two_jobs()))
    assert len(instance.uses)
    assert not fits(instance)


def random_shop(jobs: int, machines: int, seed: int) -> Instance:
    """A classic job shop of random times and orders."""
    random = np.random.default_rng(seed)
    lines = [f"{jobs} {machines}"]
    for _ in range(jobs):
        at, times = random.permutation(machines), random.integers(1, 20, machines)
        lines.append(" ".join(f"{m} {t}" for m, t in zip(at, times, strict=True)))
    return read_job_shop("\n".join(lines) + "\n", "random")


@pytest.mark.parametrize("seed", range(4))
def test_moves_within_blocks_reach_the_optimum_that_an_exact_model_proves(seed: int) -> None:
    shop = random_shop(5, 4, seed)
    exact = solve(shop, method="cpsat", time_limit=20)
    assert exact.status == "optimal"
    found = improve(shop, None, iterations=MOVES, seed=seed)
    assert found.plan is not None
    assert verify(shop, found.plan).ok
    assert makespan(shop, found.plan) == exact.objective


def test_each_move_within_a_block_leaves_the_plan_that_its_makespan_says() -> None:
    shop = random_shop(8, 5, 3)
    worker = Worker(Shop(plan_problem(shop)), None, 0, 0)
    worker.move_on = jit.plain("hetopt.schedule.search.job_shop.block_kernels").search_blocks
    worker._load(next(worker.starts))
    state, numbers, k = worker.state, worker.numbers, worker.kernels
    values = set()
    for _ in range(150):
        worker._search(1)
        at = np.stack([state.order, state.chosen]).astype(np.int64)
        plan = worker.shop.plan(at)
        assert plan is not None
        assert verify(shop, plan).ok
        assert makespan(shop, plan) == int(numbers[k.MAKESPAN])
        values.add(int(numbers[k.MAKESPAN]))
    assert len(values) > 10
    assert int(numbers[k.BEST]) == min(values | {int(numbers[k.BEST])})
