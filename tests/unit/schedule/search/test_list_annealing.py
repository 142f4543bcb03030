"""Annealing: better or nothing, valid, reproducible, and honest about what it does not know."""

from __future__ import annotations

import math
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
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS, heft
from hetopt.schedule.search.decoder_features import fits
from hetopt.schedule.search.list_annealing import Annealing, LimitedAnnealing
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify

improve = Annealing.improve

MOVES = 20_000


def started(instance: Instance) -> SchedulePlan:
    plan = heft(instance)
    assert plan is not None
    return plan


@pytest.fixture(scope="module")
def layered() -> Instance:
    return generate_schedule(50, 5, seed=3)


@pytest.mark.parametrize("objective", ["energy", "makespan", "cost", "carbon", "tardiness"])
def test_the_plan_is_better_and_the_checker_accepts_it(layered: Instance, objective: str) -> None:
    limits = replace(layered.limits, energy_price_per_j=2.0, carbon_kg_per_j=3.0, pue=1.5)
    jobs = replace(layered.jobs, due_s=0.3 * layered.jobs.deadline_s)
    instance = replace(layered, objective=(objective,), limits=limits, jobs=jobs)
    start = started(instance)
    plan = improve(instance, start, iterations=MOVES).plan
    assert plan is not None
    assert verify(instance, plan).ok
    better = objective_value(instance, plan, objective)
    assert better < objective_value(instance, start, objective)


@pytest.mark.parametrize(
    "arguments",
    [
        {"slots": 2},
        {"count": 3},
        {"count": 2, "slots": 2, "shape": "fork-join"},
        {"shape": "chains"},
        {"shape": "independent", "ccr": 0.0},
        {"shape": "random", "ccr": 2.0, "deadline_factor": 1.1},
        {"deadline_factor": None},
    ],
    ids=str,
)
def test_units_slots_and_graphs_of_all_kinds(arguments: dict[str, object]) -> None:
    instance = generate_schedule(40, 4, seed=1, **arguments)  # type: ignore[arg-type]
    start = started(instance)
    plan = improve(instance, start, iterations=MOVES).plan
    assert plan is not None
    assert verify(instance, plan).ok
    assert objective_value(instance, plan, "energy") < objective_value(instance, start, "energy")


def test_the_cost_that_is_counted_move_by_move_is_that_of_the_plan() -> None:
    instance = shared_tensor()
    effort = Effort(None, 3_000)
    search = Annealing(instance, started(instance), effort, 5, 1, math.nan, None)
    [chain] = search.chains()
    chain.run(effort)
    plan = search.plan_of(chain.shown[1])
    assert plan is not None
    assert chain.best == pytest.approx(objective_value(instance, plan, "energy"), rel=1e-9)


def test_a_shared_tensor_is_sent_to_each_unit_once() -> None:
    instance = shared_tensor()
    plan = improve(instance, started(instance), iterations=MOVES).plan
    best = solve(instance, time_limit=10, workers=1)
    assert best.status == "optimal"
    value = objective_value(instance, plan or started(instance), "energy")
    assert value == pytest.approx(best.objective)


def test_equal_seeds_give_equal_plans_and_other_seeds_others(layered: Instance) -> None:
    start = started(layered)
    plans = [improve(layered, start, iterations=MOVES, seed=s).plan for s in (1, 1, 2)]
    assert all(plan is not None for plan in plans)
    first, again, other = (p for p in plans if p is not None)
    assert np.array_equal(first.start_s, again.start_s)
    assert np.array_equal(first.option, again.option)
    assert not np.array_equal(first.start_s, other.start_s)


def test_nothing_is_returned_where_the_start_is_optimal() -> None:
    instance = shared_tensor()
    best = solve(instance, time_limit=10, workers=1).plan
    assert isinstance(best, SchedulePlan)
    assert improve(instance, best, iterations=MOVES).plan is None


def test_it_stops_when_it_is_told(layered: Instance) -> None:
    start = started(layered)
    improve(layered, start, iterations=10)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    improve(layered, start, seconds=60, workers=2, stop=stop)
    assert time.monotonic() - began < 20


def test_it_keeps_to_its_time(layered: Instance) -> None:
    start = started(layered)
    improve(layered, start, iterations=10)
    began = time.monotonic()
    improve(layered, start, seconds=0.5)
    assert time.monotonic() - began < 5


def changed() -> dict[str, Instance]:
    made = generate_schedule(40, 4, seed=1)
    devices, tasks, tensors = made.devices, made.tasks, made.tensors
    memory, pinned, overlap = devices.memory_b.copy(), tasks.pin_unit.copy(), devices.overlap.copy()
    staged, group = tensors.staged.copy(), made.links.channel_group.copy()
    memory[0], overlap[0], staged[0], group[0] = 1e12, False, True, 0
    pinned[0] = 0
    pair = replace(made.together, ptr=np.array([0, 2]), task=np.array([0, 1]))
    links = replace(made.links, channel_group=group, group_channels=np.array([1]))
    return {
        "memory": replace(made, devices=replace(devices, memory_b=memory)),
        "power cap": replace(made, limits=replace(made.limits, power_cap_w=1e6)),
        "channels": replace(made, links=links),
        "overlap": replace(made, devices=replace(devices, overlap=overlap)),
        "together": replace(made, together=pair),
        "apart": replace(made, apart=pair),
        "pinned": replace(made, tasks=replace(tasks, pin_unit=pinned, pin_device=pinned)),
        "staged": replace(made, tensors=replace(tensors, staged=staged), host=0),
        "objective": replace(made, objective=("peak_power",)),
    }


@pytest.mark.parametrize("name", list(changed())[:7])
def test_limits_that_tie_units_together_are_known(name: str) -> None:
    instance = changed()[name]
    assert fits(instance)
    assert not Annealing.fits(instance)
    start = CONSTRUCTORS["energy-greedy"](instance)
    assert start is not None
    plan = LimitedAnnealing.improve(instance, start, iterations=MOVES).plan
    assert plan is not None
    assert verify(instance, plan).ok


@pytest.mark.parametrize("name", list(changed())[7:])
def test_features_that_it_does_not_know_are_left_alone(name: str) -> None:
    instance = changed()[name]
    assert not fits(instance)
    assert LimitedAnnealing.improve(instance, heft(instance), iterations=10).plan is None


def test_solve_takes_annealing_as_a_method(layered: Instance) -> None:
    listed = solve(layered, method="energy-greedy", time_limit=20)
    plan = solve(layered, method="anneal", time_limit=1.0, deterministic=True, seed=4)
    again = solve(layered, method="anneal", time_limit=1.0, deterministic=True, seed=4)
    assert plan.verified
    assert plan.objective < listed.objective
    assert plan.objective == again.objective
    assert plan.bound <= plan.objective


def shared_tensor() -> Instance:
    """One producer, three readers of its tensor, two devices with dear links between them."""
    return from_frames(
        {
            "devices": pd.DataFrame(
                {"name": ["cpu", "gpu"], "idle_power_w": [1.0, 2.0], "count": [1, 2]}
            ),
            "links": pd.DataFrame(
                {
                    "from": ["cpu", "gpu", "gpu"],
                    "to": ["gpu", "cpu", "gpu"],
                    "bandwidth_b_per_s": 1000.0,
                    "energy_j_per_b": 0.002,
                }
            ),
            "options": pd.DataFrame(
                {
                    "profile": ["p", "p", "q", "q"],
                    "device": ["cpu", "gpu", "cpu", "gpu"],
                    "time_s": [1.0, 2.0, 3.0, 1.0],
                    "energy_j": [1.0, 9.0, 8.0, 2.0],
                }
            ),
            "tasks": pd.DataFrame({"name": list("abcd"), "profile": list("pqqq")}),
            "transfers": pd.DataFrame(
                {"from": ["a"] * 3, "to": list("bcd"), "tensor": ["x"] * 3, "bytes": [1000.0] * 3}
            ),
        },
        {"regime": "schedule", "objective": "energy"},
    )
