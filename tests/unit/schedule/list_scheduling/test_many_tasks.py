"""What list schedulers do where there are many tasks, or no time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hetopt.generate.schedule import generate_schedule
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.list_scheduling import portfolio, price_guided
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.list_scheduling.packed_scheduler import PLACING, TELLING
from hetopt.schedule.list_scheduling.portfolio import best_of
from hetopt.schedule.list_scheduling.price_guided import PricedPasses, value_of
from hetopt.schedule.model.packed import packed
from hetopt.solve import solve
from hetopt.verify import verify


def graph(tasks: int, devices: int = 8):
    return generate_schedule(
        tasks=tasks, devices=devices, shape="layered", ccr=0.1, deadline_factor=1.5, seed=3
    )


def test_one_schedule_is_made_though_time_is_over() -> None:
    past = time.monotonic() - 1.0
    plan = CONSTRUCTORS["heft"](graph(60), limit=past)
    assert plan is not None
    assert verify(graph(60), plan).ok
    assert CONSTRUCTORS["peft"](graph(60), limit=past) is None


@pytest.mark.parametrize("method", ["heuristic", "heft", "auto"])
def test_a_limit_that_is_over_at_once_leaves_a_plan(method) -> None:
    assert solve(graph(300), method=method, time_limit=1e-3).plan is not None


def test_no_pass_begins_that_would_end_after_the_limit() -> None:
    columns = packed(graph(200))
    assert columns is not None
    best_of(columns, time.monotonic() + 5.0)
    assert columns.instance.derived[PLACING] >= 0.0
    columns.instance.derived[PLACING] = 100.0
    assert PricedPasses(columns, time.monotonic() + 50.0).over()
    columns.instance.derived.update({PLACING: 30.0, TELLING: 30.0})
    assert PricedPasses(columns, time.monotonic() + 50.0).over()
    assert not PricedPasses(columns, time.monotonic() + 70.0).over()


def test_many_tasks_run_on_the_units_that_the_relaxation_would_have(monkeypatch) -> None:
    monkeypatch.setattr(price_guided, "LARGE", 1_000)
    monkeypatch.setattr(portfolio, "LARGE", 1_000)
    question = graph(4_000, 16)
    columns = packed(question)
    assert columns is not None
    search = PricedPasses(columns, None)
    search.on_fewer()
    assert search.best is not None
    assert search.likely is not None
    plan = search.plan()
    assert plan is not None
    assert verify(question, plan).ok
    assert search.value == value_of(columns, search.best, "energy")
    bound = objective_bounds.bound(question, "energy")
    used = len(np.unique(question.options.device[plan.option]))
    assert used < len(question.devices)
    # The passes at the prices of the whole deadline, on all units, come to 1.08 times the bound.
    assert bound <= search.value < 1.05 * bound


@pytest.mark.parametrize("seconds", [-1.0, 60.0])
def test_the_first_schedule_of_a_huge_instance_is_one_at_prices(monkeypatch, seconds) -> None:
    for module, name in ((price_guided, "LARGE"), (portfolio, "LARGE"), (price_guided, "HUGE")):
        monkeypatch.setattr(module, name, 1_000)
    question = graph(4_000, 16)
    columns = packed(question)
    assert columns is not None
    settings = []
    made = price_guided.place

    def place(columns, setting, *, limit=None):
        settings.append(setting.choice)
        return made(columns, setting, limit=limit)

    monkeypatch.setattr(price_guided, "place", place)
    plan = best_of(columns, time.monotonic() + seconds)
    assert plan is not None
    assert verify(question, plan).ok
    # Without time HEFT is made all the same.
    assert settings[0] == ("eft" if seconds < 0 else "cheapest")
    assert solve(question, method="heuristic", time_limit=1e-3).plan is not None
