"""Schedules that repeat for ever: cases of users, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hetopt import (
    InputError,
    Instance,
    Model,
    evaluate,
    explain,
    export_model,
    from_frames,
    pareto,
    read_instance,
    solve,
    to_frames,
    to_settings,
    verify,
)
from hetopt.compile.set_values import set_values
from hetopt.solution import SchedulePlan

Shared = Callable[..., Path]


def _case(shared_path: Shared, name: str, *settings: str) -> Instance:
    path = shared_path("cases", "users", f"{name}.yaml")
    return set_values(read_instance(path), settings)


def _frames(period: str = "1/30 s", deadline: str = "60 ms", **settings: Any) -> Instance:
    """A frame of 20 ms, and 15 ms more on another unit."""
    model = Model("frames", objective="makespan", cyclic=True, **settings)
    cpu = model.device("cpu", kind="cpu", idle_power="1 W")
    npu = model.device("npu", kind="npu", count=2)
    frame = model.job("frame", period=period, deadline=deadline)
    first = frame.task("first", options=[cpu.option(time="20 ms", energy="5 mJ")])
    frame.task("second", options=[npu.option(time="15 ms", energy="1 mJ")], after=[first])
    return model.build()


def test_a_box_of_thirty_frames_takes_the_least_energy_a_frame(shared_path: Shared) -> None:
    instance = _case(shared_path, "box")
    solution = solve(instance, time_limit=30)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(0.24871, abs=5e-6)
    assert isinstance(solution.plan, SchedulePlan)
    used = {str(instance.devices.name[d]) for d in instance.options.device[solution.plan.option]}
    assert used == {"cpu", "dla"}  # the cpu takes the picture and acts on it


def test_more_work_than_a_period_has_is_infeasible_by_a_bound(shared_path: Shared) -> None:
    solution = solve(_case(shared_path, "over"), time_limit=30)
    assert (solution.status, solution.method) == ("infeasible", "bound")


def test_frames_that_overlap_take_units_in_turn(shared_path: Shared) -> None:
    alone = solve(_case(shared_path, "pipe"), time_limit=30)
    assert alone.status == "infeasible"
    assert "cycles: 2" in alone.reason
    instance = _case(shared_path, "pipe", "cycles=2")
    solution = solve(instance, time_limit=60)
    assert solution.plan is not None
    assert verify(instance, solution.plan).ok
    assert 0.0333 < evaluate(instance, solution.plan)["makespan_s"] <= 0.06


def test_periods_that_meet_too_rarely_are_told_with_near_ones(shared_path: Shared) -> None:
    with pytest.raises(InputError, match=r"100/3 ms"):
        _case(shared_path, "lcm")


@pytest.mark.parametrize("cycles", [1, 3])
def test_a_period_that_is_no_decimal_is_met_exactly(cycles: int) -> None:
    instance = _frames(cycles=cycles)
    assert instance.limits.cycle_s == pytest.approx(cycles / 30, rel=1e-15)
    solution = solve(instance, time_limit=20)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(0.035)


def test_a_latency_above_the_period_is_no_fault() -> None:
    instance = _frames("25 ms")
    assert solve(instance, time_limit=20).objective == pytest.approx(0.035)
    assert solve(_frames("15 ms"), time_limit=20).status == "infeasible"


def test_tables_hold_the_cycle_and_make_the_same_instance() -> None:
    instance = _frames(cycles=2)
    again = from_frames(to_frames(instance), to_settings(instance))
    assert again.limits == instance.limits
    assert solve(again, time_limit=20).objective == solve(instance, time_limit=20).objective


def test_a_front_holds_the_longest_latency() -> None:
    model = Model("front", objective="energy", cyclic=True)
    cpu = model.device("cpu", kind="cpu")
    job = model.job("j", period="10 ms", release="3 ms", deadline="40 ms")
    job.task(
        "t",
        options=[
            cpu.option(label="fast", time="4 ms", energy="9 mJ"),
            cpu.option(label="slow", time="8 ms", energy="2 mJ"),
        ],
    )
    front = pareto(model.build(), ("energy", "makespan"), points=3, time_limit=10)
    assert [p.value for p in front.efficient()] == pytest.approx([0.002, 0.009])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"horizon": "1 s"}, "repeats for ever has no end"),
        ({"energy_price": [{"from": 0, "price": 1}, {"from": 1, "price": 2}]}, "changes over time"),
        ({"cycle": "0.51 s"}, "is a multiple of"),
        ({"cycle": "1/15 s", "cycles": 2}, "common multiples"),
    ],
)
def test_what_no_circle_knows_is_refused(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        _frames(**settings)


def test_a_job_without_a_period_needs_the_cycle() -> None:
    model = Model("one", cyclic=True)
    cpu = model.device("cpu", kind="cpu")
    model.job("j").task("t", options=[cpu.option(time="4 ms", energy="9 mJ")])
    with pytest.raises(InputError, match="period"):
        model.build()
    model.limit(cyclic=False, cycle="5 ms")
    assert solve(model.build(), time_limit=10).status == "optimal"


def test_methods_and_files_that_do_not_know_circles_say_so(tmp_path: Path) -> None:
    instance = _frames()
    with pytest.raises(InputError, match="repeat for ever"):
        solve(instance, method="heft")
    with pytest.raises(InputError, match="repeat for ever"):
        export_model(instance, tmp_path / "model.pb")


def test_an_explanation_says_how_long_a_device_is_busy_in_a_cycle() -> None:
    model = Model("over", objective="energy")
    npu = model.device("npu", kind="npu")
    model.job("cam", period="30 ms", deadline="60 ms").task(
        "c", options=[npu.option(time="50 ms", energy="1 J")]
    )
    found = explain(model.build(), time_limit=10)
    text = (
        "1 task can only run on npu and keeps it busy for 50 ms; its one unit gives 30 ms in each"
    )
    assert any(text in screen.text for screen in found.screens)


def test_what_fits_into_a_cycle_is_planned_by_list_schedulers_first() -> None:
    """Many short repetitions: CP-SAT has nothing to begin with, or no room for a model."""
    model = Model("many", objective="energy")
    npu = model.device("npu", kind="npu", idle_power="1 W")
    for name, period in (("cam", "33 ms"), ("lid", "97 ms"), ("dog", "10 ms")):
        model.job(name, period=period).task("t" + name, options=[npu.option(time="1 ms")])
    instance = model.build()
    assert len(instance.tasks) > 4_000
    solution = solve(instance, time_limit=10)
    assert solution.plan is not None
    assert verify(instance, solution.plan).ok
    assert solution.objective == pytest.approx(32.01)  # the npu idles all the cycle
