"""Bounds of docs/mathematics.md against values computed by hand and against proven optima."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import pytest

from hetopt.build import Model
from hetopt.formats.native.document import read_yaml
from hetopt.generate.schedule import generate_schedule
from hetopt.instance import Instance
from hetopt.schedule.bounds import load_bound
from hetopt.schedule.bounds.objective_bounds import (
    bound,
    load_of,
    load_plan,
    makespan_bound,
    window,
)
from hetopt.solve import solve
from tests.small_schedules import device, edge, instance, option, solved, task

ROOT = Path(__file__).parents[4]


def same(count: int, **fields):
    return [task(f"t{k}", "p", **fields) for k in range(count)]


def test_the_critical_path_of_shortest_options_bounds_the_makespan() -> None:
    question = instance(
        [device("cpu", count=9), device("gpu", count=9)],
        [option("p", "cpu", 3), option("p", "gpu", 2)],
        same(3),
        transfers=[edge("t0", "t1"), edge("t1", "t2")],
        objective="makespan",
    )
    assert bound(question, "makespan") == pytest.approx(6)


def test_the_load_bounds_the_makespan() -> None:
    # Speeds 1/3 and 1/2 together serve 5/6 task a second: 10 tasks take 12 s.
    question = instance(
        [device("cpu"), device("gpu")],
        [option("p", "cpu", 3), option("p", "gpu", 2)],
        same(10),
        objective="makespan",
    )
    assert makespan_bound(question) == pytest.approx(12)


def test_without_a_choice_the_busiest_device_bounds_the_makespan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question = instance(
        [device("cpu"), device("gpu", count=2, slots=2), device("npu", count=3)],
        [option("p", "cpu", 3), option("q", "gpu", 7), option("r", "npu", 2)],
        [*same(4), *(task(f"q{k}", "q") for k in range(9)), task("r", "r")],
        objective="makespan",
    )

    def unasked(*arguments: object) -> None:
        raise AssertionError("No prices need be searched for.")

    monkeypatch.setattr(load_bound, "makespan_prices", unasked)
    monkeypatch.setattr(load_bound, "_makespan_lp", unasked)
    assert load_bound.load_makespan(question, load_of(question)) == pytest.approx(9 * 7 / 4)


def test_releases_count_in_the_critical_path() -> None:
    question = instance(
        [device("cpu")],
        [option("p", "cpu", 1)],
        same(1, job="j"),
        jobs=[{"name": "j", "release_s": 5, "due_s": 4, "weight": 2}],
        objective="makespan",
    )
    assert bound(question, "makespan") == pytest.approx(6)
    assert bound(question, "tardiness") == pytest.approx(4)


def test_a_deadline_makes_the_load_bound_pay_for_fast_options() -> None:
    # 4 tasks, 6 s: x fast ones with (4 - x) × 2 + x × 1 <= 6, so x >= 2: 2 × 1 + 2 × 5.
    question = instance(
        [device("cpu")],
        [option("p", "cpu", 2, 1, label="slow"), option("p", "cpu", 1, 5, label="fast")],
        same(4, job="j"),
        jobs=[{"name": "j", "deadline_s": 6}],
        objective="energy",
    )
    assert bound(question, "energy") == pytest.approx(12)


def test_always_on_devices_pay_idle_for_the_least_makespan() -> None:
    question = instance(
        [device("cpu", idle_power_w=3, off_when_unused=False)],
        [option("p", "cpu", 2, 1)],
        same(2),
        objective="energy",
    )
    assert bound(question, "energy") == pytest.approx(2 + 3 * 4)


def test_a_unit_that_is_on_pays_idle_for_the_whole_window() -> None:
    # The gpu is needed for t1 alone (1 s), but idles for the 10 s of t0 on the cpu.
    question = instance(
        [device("cpu"), device("gpu", idle_power_w=2)],
        [option("a", "cpu", 10), option("b", "gpu", 1, 1)],
        [task("a"), task("b")],
        objective="energy",
    )
    assert bound(question, "energy") == pytest.approx(1 + 2 * 10)
    assert load_plan(question).units.tolist() == pytest.approx([1, 1])


def test_with_a_horizon_the_window_is_the_horizon() -> None:
    question = instance(
        [device("cpu", idle_power_w=3, off_when_unused=False)],
        [option("p", "cpu", 2, 1)],
        same(2),
        objective="energy",
        horizon_s=100,
    )
    assert bound(question, "energy") == pytest.approx(302)


def test_more_work_than_time_is_infeasible() -> None:
    question = instance(
        [device("cpu")],
        [option("p", "cpu", 2)],
        same(4, job="j"),
        jobs=[{"name": "j", "deadline_s": 6}],
        objective="energy",
    )
    assert bound(question, "energy") == math.inf
    assert window(question)[0] > window(question)[1]


def test_peak_power_is_at_least_the_hungriest_task_and_the_idle_of_the_rest() -> None:
    question = instance(
        [device("cpu", idle_power_w=1, off_when_unused=False), device("gpu", idle_power_w=4)],
        [option("p", "gpu", 1, 5), option("p", "cpu", 1, 20)],
        same(2),
        objective="peak_power",
    )
    assert bound(question, "peak_power") == pytest.approx(1 + 4 + 5)


def test_accuracy_is_at_most_the_best_options() -> None:
    question = instance(
        [device("cpu")],
        [option("p", "cpu", 1, accuracy=0.5, label="a"), option("p", "cpu", 2, accuracy=0.75)],
        same(1),
        objective="accuracy",
    )
    assert bound(question, "accuracy") == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["energy", "makespan", "cost", "carbon"])
def test_no_bound_is_beyond_a_proven_optimum(seed, name) -> None:
    from dataclasses import replace

    question = generate_schedule(8, 3, seed=seed, count=1 + seed % 2, deadline_factor=1.3)
    limits = replace(question.limits, energy_price_per_j=2.0, carbon_kg_per_j=0.5, pue=1.5)
    question = replace(question, objective=(name,), limits=limits)
    found = solved(question, 30)
    assert found.result.stopped_by == "proved"
    assert 0 < bound(question, name) <= found.values[0] * (1 + 1e-9)


def test_a_thousand_tasks_are_bounded_in_seconds() -> None:
    import time

    question = generate_schedule(1000, 8, seed=0)
    began = time.monotonic()
    value = bound(question, "energy")
    assert time.monotonic() - began < 15
    assert value > 0


def test_a_slow_first_program_leaves_time_for_branching(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine loading the solver takes the whole share of the time, and what is left out
    # is the choice of units that are on: a tenth of this bound, for nine nodes of milliseconds.
    def question():
        return generate_schedule(
            tasks=100, devices=6, shape="layered", ccr=0.5, deadline_factor=1.5, seed=0
        )

    whole = load_plan(question()).value
    solve = load_bound._Relaxation.solve
    monkeypatch.setattr(
        load_bound._Relaxation, "solve", lambda *given: (time.sleep(0.03), solve(*given))[1]
    )
    assert load_plan(question(), time.monotonic()).value == pytest.approx(whole)


def test_branching_ends_where_times_differ_by_many_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "instances" / "synthetic" / "set-ups.yaml").read_text(encoding="utf-8")
    changed = re.sub("setup_time: .*", "setup_time: 1e18 ms", text)
    question = read_yaml(changed, "set-ups")
    asked = 0
    solve_node = load_bound._Relaxation.solve

    def counted(self, *ranges):
        nonlocal asked
        asked += 1
        _, most = ranges
        assert (most <= 1).all()
        return solve_node(self, *ranges)

    monkeypatch.setattr(load_bound._Relaxation, "solve", counted)
    assert bound(question, "energy") >= 0
    assert asked < 50


def repeated(idle: str, cost: bool = False) -> Instance:
    """Return four tasks of 1 s each 2 s, of 1 J on one device and 10 J on another."""
    model = Model("repeated", objective="cost" if cost else "energy", cyclic=True)
    if cost:
        model.limit(energy_price="1 /J")
    price = {"price": "3600 /h"} if cost else {}
    thrifty = model.device("thrifty", idle_power=idle, off_when_unused=True, **price)
    hungry = model.device("hungry", idle_power=idle, off_when_unused=True, **price)
    job = model.job("job", period="2 s", deadline="9 s")
    for k in range(3):
        options = [d.option(time="1 s", energy=e) for d, e in ((thrifty, "1 J"), (hungry, "10 J"))]
        job.task(f"t{k}", options=options)
    return model.build()


@pytest.mark.parametrize(
    ("idle", "cost", "least"),
    [
        ("0 W", False, 1 + 1 + 10),  # two fit on the thrifty device in each cycle
        ("3 W", False, 1 + 1 + 10 + 2 * 2 * 3),  # the other one is on, however little it runs
        ("3 W", True, 1 + 1 + 10 + 2 * 2 * 3 + 2 * 2 * 1),
    ],
)
def test_a_cycle_has_only_so_much_time_on_the_thrifty_device(idle, cost, least) -> None:
    question = repeated(idle, cost)
    value = bound(question, question.objective[0])
    assert value == pytest.approx(least, rel=1e-5)
    assert value <= solve(question, time_limit=20).objective
