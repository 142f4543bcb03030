"""List schedulers: plans that respect every limit, or none."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.schedule.list_scheduling.constructors import (
    CONSTRUCTORS,
    energy_greedy,
    heft,
    plan_problem,
)
from hetopt.schedule.model.grid import model_grid, span_s
from hetopt.schedule.model.problem import NEVER, Problem
from hetopt.schedule.model.resource_profile import Profile
from hetopt.schedule.model.tick_schedule import retime, tick_schedule_of
from hetopt.verify import verify
from tests.random_schedules import random_schedule
from tests.small_schedules import device, edge, instance, link, option, task


def test_heft_reproduces_its_paper() -> None:
    """Topcuoglu, Hariri, Wu 2002, figure 1 and table: makespan 80 on three processors."""
    times = [
        (14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10),
        (13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16),
    ]  # fmt: skip
    sizes = {
        (1, 2): 18, (1, 3): 12, (1, 4): 9, (1, 5): 11, (1, 6): 14, (2, 8): 19, (2, 9): 16,
        (3, 7): 23, (4, 8): 27, (4, 9): 23, (5, 9): 13, (6, 8): 15, (7, 10): 17, (8, 10): 11,
        (9, 10): 13,
    }  # fmt: skip
    names = ("cpu", "gpu", "npu")
    question = instance(
        [device(name) for name in names],
        [
            option(f"t{k}", name, time)
            for k, row in enumerate(times, start=1)
            for name, time in zip(names, row, strict=True)
        ],
        [task(f"t{k}") for k in range(1, 11)],
        links=[link(a, b) for a in names for b in names if a != b],
        transfers=[edge(f"t{a}", f"t{b}", size) for (a, b), size in sizes.items()],
        objective="makespan",
    )
    plan = heft(question)
    assert plan is not None
    assert objective_value(question, plan, "makespan") == 80


@pytest.mark.parametrize("seed", range(60))
def test_constructors_return_valid_plans_or_none(seed) -> None:
    question, _ = random_schedule(seed)
    for constructor in CONSTRUCTORS.values():
        plan = constructor(question)
        if plan is not None:
            assert verify(question, plan).violations == ()


@pytest.mark.parametrize("memory", ["none", "tight"])
def test_constructors_place_generated_instances(memory) -> None:
    question = generate_schedule(
        24, 4, seed=1, memory=memory, count=2, deadline_factor=2.0, power_cap_factor=0.6
    )
    for name, constructor in CONSTRUCTORS.items():
        plan = constructor(question)
        assert plan is not None, name
        assert verify(question, plan).ok


def test_energy_greedy_saves_energy_within_the_deadline() -> None:
    question = generate_schedule(60, 6, seed=2)
    fast, frugal = heft(question), energy_greedy(question)
    assert fast is not None
    assert frugal is not None
    assert objective_value(question, frugal, "energy") < objective_value(question, fast, "energy")


def test_a_deadline_that_cannot_be_met_gives_no_plan() -> None:
    question = generate_schedule(20, 3, seed=0)
    tight = replace(question, jobs=replace(question.jobs, deadline_s=np.array([1e-3])))
    assert heft(tight) is None
    assert energy_greedy(tight) is None


def test_a_thousand_tasks_take_seconds() -> None:
    question = generate_schedule(1000, 6, seed=0)
    began = time.monotonic()
    plan = energy_greedy(question, limit=began + 8)
    assert time.monotonic() - began < 20
    assert plan is not None
    assert verify(question, plan).ok


def test_a_plan_carried_to_a_coarser_grid_and_back_stays_valid() -> None:
    question = generate_schedule(60, 6, seed=3)
    plan = heft(question)
    assert plan is not None
    schedule = tick_schedule_of(plan_problem(question), plan)
    assert schedule is not None
    coarse = retime(schedule, Problem(question, model_grid(question, span_s(question))))
    assert coarse is not None
    again = retime(coarse, plan_problem(question))
    assert again is not None
    assert verify(question, again.plan()).ok
    old, new = (objective_value(question, p, "makespan") for p in (plan, again.plan()))
    assert new <= old + 1e-12


def test_a_profile_finds_the_first_gap_that_is_long_enough() -> None:
    profile = Profile(2)
    profile.add(0, 4, 2)
    profile.add(6, 9, 1)
    assert profile.fit(0, 2, 2) == 4
    assert profile.fit(0, 3, 2) == 9
    assert profile.fit(0, 3, 1) == 4
    assert profile.fit(0, 1, 3) == NEVER
    assert profile.fit_tail(0, 2) == 9
    assert profile.fit_tail(0, 1) == 4
    profile.add(0, 4, -2)
    assert profile.fit(0, 6, 2) == 0


def test_a_profile_forgets_what_is_taken_back() -> None:
    profile = Profile(5)
    profile.add(3, 7, 2)
    profile.add(1, NEVER, 3)
    profile.add(1, NEVER, -3)
    profile.add(3, 7, -2)
    assert profile.time == [0]
    assert profile.level == [0]
