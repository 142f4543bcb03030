"""Search by best insertion: exact prices, valid plans, reproducible, deadlines kept."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.runtime.effort import Effort
from hetopt.schedule.list_scheduling.constructors import heft, plan_problem
from hetopt.schedule.model.tick_schedule import tick_schedule_of
from hetopt.schedule.search.best_insertion import BestInsertion, Chain, fits, table_of
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify

improve = BestInsertion.improve

MOVES = 5_000


def made(tasks: int = 40, devices: int = 4, **arguments: object) -> Instance:
    arguments = {"seed": 1, "deadline_factor": None, **arguments}
    instance = generate_schedule(tasks, devices, **arguments)  # type: ignore[arg-type]
    return replace(instance, objective=("makespan",))


def started(instance: Instance) -> SchedulePlan:
    plan = heft(instance)
    assert plan is not None
    return plan


def makespan(instance: Instance, plan: SchedulePlan) -> float:
    return objective_value(instance, plan, "makespan")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"slots": 2},
        {"count": 3},
        {"count": 2, "slots": 2, "seed": 4},
        {"shape": "chains"},
        {"shape": "independent", "ccr": 0.0},
        {"shape": "fork-join", "ccr": 1.0, "tasks": 30},
        {"shape": "random", "ccr": 2.0},
    ],
    ids=str,
)
def test_the_plan_is_shorter_and_the_checker_accepts_it(arguments: dict[str, object]) -> None:
    instance = made(**arguments)  # type: ignore[arg-type]
    start = started(instance)
    plan = improve(instance, start, iterations=4 * MOVES).plan
    assert plan is not None
    assert verify(instance, plan).ok
    assert makespan(instance, plan) < makespan(instance, start)


@pytest.mark.parametrize("arguments", [{}, {"count": 2, "slots": 2}, {"ccr": 4.0}], ids=str)
def test_the_state_after_many_moves_is_what_a_count_from_scratch_gives(
    arguments: dict[str, object],
) -> None:
    instance = made(**arguments)  # type: ignore[arg-type]
    problem = plan_problem(instance)
    schedule = tick_schedule_of(problem, started(instance))
    assert schedule is not None
    chain = Chain(table_of(problem), schedule, seed=2)
    k = chain.kernels
    for _ in range(20):
        chain.run(Effort(None, 200))
        kept, times = chain.numbers[k.COST], chain.times.copy()
        order = chain.seq[k.ORDER]
        assert np.array_equal(chain.seq[k.PLACE, order], np.arange(len(order)))
        for edge in range(len(instance.edges)):
            src, dst = instance.edges.src[edge], instance.edges.dst[edge]
            assert chain.seq[k.PLACE, src] < chain.seq[k.PLACE, dst]
        chain.count()
        assert chain.numbers[k.COST] == kept
        for row in (k.HEAD, k.TAIL, k.LENGTH):
            assert np.array_equal(times[row], chain.times[row])


def test_the_best_of_small_instances_is_the_proven_optimum() -> None:
    for seed in range(4):
        instance = made(9, 3, seed=seed, ccr=1.0)
        best = solve(instance, method="cpsat", time_limit=20, workers=1)
        assert best.status == "optimal"
        plan = improve(instance, None, iterations=4 * MOVES, bound=best.objective).plan
        assert plan is not None
        assert makespan(instance, plan) == pytest.approx(best.objective)


def test_it_starts_without_a_plan_and_keeps_deadlines_that_bind() -> None:
    instance = made(30, 3)
    free = improve(instance, None, iterations=4 * MOVES).plan
    assert free is not None
    ends = makespan(instance, free)
    jobs = replace(instance.jobs, deadline_s=np.full(len(instance.jobs), 1.1 * ends))
    bound = replace(instance, jobs=jobs)
    plan = improve(bound, None, iterations=4 * MOVES).plan
    assert plan is not None
    assert verify(bound, plan).ok


def test_a_deadline_far_below_the_makespan_is_kept() -> None:
    """Two jobs on one unit: the one with the deadline must go first, though the makespan is one."""
    instance = from_frames(
        {
            "devices": pd.DataFrame({"name": ["cpu"]}),
            "options": pd.DataFrame({"profile": ["p"], "device": ["cpu"], "time_s": [1.0]}),
            "jobs": pd.DataFrame({"name": ["a", "b"], "deadline_s": [np.inf, 1.0]}),
            "tasks": pd.DataFrame(
                {"name": list("vwxyz"), "profile": ["p"] * 5, "job": ["a"] * 4 + ["b"]}
            ),
        },
        {"regime": "schedule", "objective": "makespan"},
    )
    plan = improve(instance, None, iterations=500).plan
    assert plan is not None
    assert verify(instance, plan).ok
    assert plan.start_s[4] == 0.0


def test_equal_seeds_give_equal_plans_and_other_seeds_others() -> None:
    instance = made(60, 5)
    start = started(instance)
    plans = [improve(instance, start, iterations=MOVES, seed=s).plan for s in (1, 1, 2)]
    assert all(plan is not None for plan in plans)
    first, again, other = (p for p in plans if p is not None)
    assert np.array_equal(first.start_s, again.start_s)
    assert np.array_equal(first.option, again.option)
    assert not np.array_equal(first.start_s, other.start_s)


def test_it_stops_at_once_at_the_bound_and_soon_when_told() -> None:
    instance = made(60, 5)
    start = started(instance)
    assert improve(instance, start, seconds=60, bound=makespan(instance, start)).plan is None
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    improve(instance, start, seconds=60, workers=2, stop=stop)
    assert time.monotonic() - began < 20


def test_better_plans_are_shown_as_they_are_found() -> None:
    instance = made(60, 5)
    start = started(instance)
    improve(instance, start, iterations=10)
    shown: list[float] = []
    best = improve(
        instance, start, seconds=2.0, found=lambda plan: shown.append(makespan(instance, plan))
    ).plan
    assert best is not None
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] == makespan(instance, best)


def test_it_is_for_the_makespan_and_leaves_alone_what_it_does_not_know() -> None:
    instance = made()
    assert fits(instance)
    assert not fits(replace(instance, objective=("energy",)))
    memory = instance.devices.memory_b.copy()
    memory[0] = 1e12
    limited = replace(instance, devices=replace(instance.devices, memory_b=memory))
    assert not fits(limited)
    assert improve(limited, started(instance), iterations=10).plan is None


def test_solve_takes_it_as_a_method() -> None:
    instance = made()
    listed = solve(instance, method="heft", time_limit=20)
    plan = solve(instance, method="graph", time_limit=0.5, deterministic=True, seed=4)
    again = solve(instance, method="graph", time_limit=0.5, deterministic=True, seed=4)
    assert plan.verified
    assert plan.objective < listed.objective
    assert plan.objective == again.objective
    assert plan.bound <= plan.objective
