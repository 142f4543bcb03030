"""The compiled list scheduler against the timetable, the checker, and plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.runtime.jit import plain
from hetopt.schedule.list_scheduling import packed_kernels, timetable_scheduler
from hetopt.schedule.list_scheduling import priorities as p
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.list_scheduling.dispatching_rules import DISPATCHING_RULES
from hetopt.schedule.list_scheduling.packed_scheduler import Placement, Setting, place, plan_of
from hetopt.schedule.list_scheduling.price_guided import value_of
from hetopt.schedule.model.packed import fits, packed
from hetopt.verify import verify
from tests.random_schedules import random_schedule


def drawn(seed: int) -> Instance:
    """Return a generated instance of some 30 tasks with pins, forbids, works and releases."""
    rng = np.random.default_rng(seed)
    instance = generate_schedule(
        int(rng.integers(5, 40)),
        int(rng.integers(2, 6)),
        shape=str(rng.choice(["layered", "random", "fork-join", "chains", "independent"])),
        ccr=float(rng.choice([0.0, 0.3, 2.0])),
        deadline_factor=None,
        profiles=4,
        count=int(rng.integers(1, 3)),
        seed=seed,
    )
    n = len(instance.tasks)
    forbidden = np.flatnonzero(rng.random(n) < 0.2)
    pin = np.where(rng.random(n) < 0.2, 0, -1)
    tasks = replace(
        instance.tasks,
        work=rng.choice([1.0, 0.5, 2.0], n),
        pin_device=np.where(np.isin(np.arange(n), forbidden), -1, pin),
        forbid_task=forbidden,
        forbid_device=np.full(len(forbidden), len(instance.devices) - 1),
    )
    release = np.full(len(instance.jobs), float(rng.choice([0.0, 0.05])))
    return replace(
        instance,
        tasks=tasks,
        jobs=replace(instance.jobs, release_s=release),
        objective=("makespan",),
    )


@pytest.mark.parametrize("seed", range(40))
def test_heft_is_the_timetables_heft(seed) -> None:
    instance = drawn(seed)
    columns = packed(instance)
    assert columns is not None
    problem = timetable_scheduler.plan_problem(instance)
    rank = timetable_scheduler.upward_ranks(problem)
    found = place(columns, Setting(np.array(rank)))
    slow = timetable_scheduler.build(problem, rank, timetable_scheduler.earliest_finish)
    assert found is not None
    assert slow is not None
    assert found.start.tolist() == slow.start
    assert found.end.tolist() == slow.end
    assert found.option.tolist() == [m.option for m in slow.mode if m is not None]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("choice", ["est", "quickest", "eft-plus"])
def test_other_choices_are_the_timetables_too(seed, choice) -> None:
    instance = drawn(seed)
    columns = packed(instance)
    assert columns is not None
    setting = replace(DISPATCHING_RULES["peft"].setting(columns), choice=choice)
    found = place(columns, setting)
    slow = timetable_scheduler.by_setting(instance, setting)
    assert found is not None
    assert slow is not None
    assert columns.seconds(found.start).tolist() == slow.start_s.tolist()


@pytest.mark.parametrize("seed", range(12))
def test_ends_plus_costs_are_ends_plus_a_table_of_them(seed) -> None:
    columns = packed(drawn(seed))
    assert columns is not None
    key = columns.owner * len(columns.instance.devices) + columns.device
    assert len(np.unique(key)) == len(key)
    cost = np.random.default_rng(seed).integers(0, 5_000, len(key)).astype(float)
    table = np.zeros((len(columns.scale), len(columns.instance.devices)))
    table[columns.owner, columns.device] = cost
    each = (table[columns.member] * columns.factor[:, None]).astype(np.float32)
    base = DISPATCHING_RULES["heft"].setting(columns)
    priced = place(columns, replace(base, choice="priced", cost=cost))
    assert _same(priced, place(columns, replace(base, choice="eft-plus", table=each)))


@pytest.mark.parametrize("tasks", [200, 3_000])
def test_ends_at_prices_are_shorter_than_the_named_list_schedules(tasks) -> None:
    made = generate_schedule(tasks=tasks, devices=8, deadline_factor=None, seed=1)
    instance = replace(made, objective=("makespan",))
    best = CONSTRUCTORS["portfolio"](instance)
    named = [CONSTRUCTORS[name](instance) for name in ("heft", "peft", "mct", "cpop")]
    assert best is not None
    assert verify(instance, best).ok
    shortest = min(objective_value(instance, p, "makespan") for p in named if p is not None)
    assert objective_value(instance, best, "makespan") < 0.97 * shortest


@pytest.mark.parametrize("seed", range(12))
def test_ranks_are_the_timetables(seed) -> None:
    instance = drawn(seed)
    columns = packed(instance)
    assert columns is not None
    slow = timetable_scheduler.upward_ranks(timetable_scheduler.plan_problem(instance))
    assert p.upward_ranks(columns, p.typical_times(columns)) == pytest.approx(slow)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("name", list(CONSTRUCTORS))
def test_every_plan_is_accepted(seed, name) -> None:
    instance = drawn(seed)
    plan = CONSTRUCTORS[name](instance)
    assert plan is not None
    assert verify(instance, plan).violations == ()


@pytest.mark.parametrize("seed", range(60))
def test_plans_respect_every_feature_or_are_none(seed) -> None:
    instance, _ = random_schedule(seed + 1000)
    for constructor in CONSTRUCTORS.values():
        plan = constructor(instance)
        if plan is not None:
            assert verify(instance, plan).violations == ()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", list(DISPATCHING_RULES))
def test_plain_python_places_as_compiled_code_does(seed, name, monkeypatch) -> None:
    instance = drawn(seed)
    columns = packed(instance)
    assert columns is not None
    setting = DISPATCHING_RULES[name].setting(columns)
    compiled = place(columns, setting)
    monkeypatch.setattr(
        "hetopt.schedule.list_scheduling.packed_scheduler._kernels",
        lambda *_: plain(packed_kernels.__name__),
    )
    assert _same(compiled, place(columns, setting))


def _same(a: Placement | None, b: Placement | None) -> bool:
    assert a is not None
    assert b is not None
    parts = ("option", "unit", "start", "end")
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in parts)


@pytest.mark.parametrize("objective", ["energy", "makespan"])
@pytest.mark.parametrize("seed", range(8))
def test_a_placement_is_worth_what_its_plan_is(seed, objective) -> None:
    instance = replace(drawn(seed), objective=(objective,))
    columns = packed(instance)
    assert columns is not None
    found = place(columns, DISPATCHING_RULES["heft"].setting(columns))
    assert found is not None
    value = objective_value(instance, plan_of(columns, found), objective)
    assert value_of(columns, found, objective) == pytest.approx(value, rel=1e-12)


def test_works_without_a_common_divisor_are_rounded_up_and_accepted() -> None:
    instance = drawn(3)
    rng = np.random.default_rng(0)
    odd = replace(
        instance, tasks=replace(instance.tasks, work=rng.uniform(0.1, 3.0, len(instance.tasks)))
    )
    assert fits(odd)
    for name in ("heft", "portfolio"):
        plan = CONSTRUCTORS[name](odd)
        assert plan is not None
        assert verify(odd, plan).violations == ()


def test_many_works_are_scaled_in_the_loop_and_accepted(monkeypatch) -> None:
    monkeypatch.setattr("hetopt.schedule.model.packed.MOST_ROWS", 10)
    instance = drawn(5)
    columns = packed(instance)
    assert columns is not None
    assert not (columns.factor == 1).all()
    plan = CONSTRUCTORS["heft"](instance)
    assert plan is not None
    assert verify(instance, plan).violations == ()


def test_few_idle_stretches_remembered_still_give_plans(monkeypatch) -> None:
    monkeypatch.setattr("hetopt.schedule.list_scheduling.packed_scheduler.ALL_IDLE", 0)
    monkeypatch.setattr("hetopt.schedule.list_scheduling.packed_scheduler.SOME_IDLE", 2)
    monkeypatch.setattr("hetopt.schedule.list_scheduling.packed_scheduler._MOST_CELLS", 0)
    for seed in range(10):
        instance = drawn(seed)
        plan = CONSTRUCTORS["heft"](instance)
        assert plan is not None
        assert verify(instance, plan).violations == ()
