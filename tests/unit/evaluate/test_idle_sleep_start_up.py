"""Sleep in gaps and start-ups: values by hand, evaluated and checked alike."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.evaluate import evaluate
from hetopt.instance import Instance
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify import verify

OVEN = {
    "idle_power": 1.0,
    "start_up": {"time": 2.0, "energy": 3.0, "cost": 5.0},
    "sleep": {"power": 0.25, "wake_time": 2.0, "wake_energy": 1.5},
}


def instance(
    jobs: int = 2, device: dict[str, object] | None = None, **settings: object
) -> Instance:
    """Return tasks of 1 s and 4 J on one oven."""
    model = Model("oven", objective="energy", regime="schedule", **settings)
    oven = model.device("oven", **(OVEN | (device or {})))
    for j in range(jobs):
        model.job(f"j{j}").task(f"t{j}", options=[oven.option(time=1.0, energy=4.0)])
    return model.build()


def plan(*start: float) -> SchedulePlan:
    n = len(start)
    return SchedulePlan(np.arange(n), np.zeros(n, int), np.array(start), Hops.empty())


def both(made: Instance, chosen: SchedulePlan) -> dict[str, float]:
    """Return what evaluation says, where the checker says the same."""
    report = verify(made, chosen)
    assert report.ok, report.violations
    found = evaluate(made, chosen)
    assert report.objectives["energy"] == pytest.approx(found["energy_j"], rel=1e-12)
    assert report.objectives["cost"] == pytest.approx(found["cost"], rel=1e-12)
    assert report.objectives["peak_power"] == pytest.approx(found["peak_power_w"], rel=1e-12)
    return found


def test_a_gap_is_slept_through_where_that_draws_less() -> None:
    # Window 9: start-up 0 to 2, runs 2 to 3 and 8 to 9, gap of 5: 0.25 x 5 + 1.5 < 5.
    found = both(instance(), plan(2.0, 8.0))
    assert found["energy_j"] == pytest.approx(8 + 3 + 9 - 5 + 2.75)
    assert found["devices"][0]["sleep_s"] == 5
    assert found["cost"] == 5


def test_a_gap_that_is_too_short_for_waking_idles() -> None:
    free = {"sleep": {"power": 0.0, "wake_time": 2.0, "wake_energy": 0.0}}
    assert both(instance(device=free), plan(2.0, 4.9))["energy_j"] == pytest.approx(11 + 5.9)
    assert both(instance(device=free), plan(2.0, 5.0))["energy_j"] == pytest.approx(11 + 6 - 2)


def test_a_gap_that_does_not_pay_for_waking_idles() -> None:
    # 0.75 x 2 = 1.5 saved: no less than waking takes.
    assert both(instance(), plan(2.0, 5.0))["energy_j"] == pytest.approx(11 + 6)


def test_the_first_gap_begins_after_the_start_up_and_the_last_needs_no_wake() -> None:
    found = both(instance(1, horizon=20.0), plan(10.0))
    # Gaps 2 to 10 (wakes) and 11 to 20 (does not).
    assert found["energy_j"] == pytest.approx(4 + 3 + 20 - 0.75 * 8 + 1.5 - 0.75 * 9)


def test_what_is_on_and_runs_nothing_sleeps_all_the_time() -> None:
    always = {"off_when_unused": False, "count": 3}
    found = both(instance(1, always, horizon=10.0), plan(0.0))
    assert found["energy_j"] == pytest.approx(4 + 10 - 0.75 * 9 + 2 * 2.5)


def test_slots_of_a_unit_share_its_gaps() -> None:
    found = both(instance(3, {"slots": 2}), plan(2.0, 2.5, 9.0))
    assert found["devices"][0]["sleep_s"] == pytest.approx(5.5)


def test_waking_and_going_on_have_power_and_its_peak_is_told() -> None:
    hard = {"sleep": {"power": 0.0, "wake_time": 0.5, "wake_energy": 4.0}}
    found = both(instance(device=hard), plan(2.0, 12.0))
    # 8 W while it wakes, 5 W while it runs, 2.5 W while it goes on.
    assert found["peak_power_w"] == pytest.approx(8.0)
    report = verify(instance(device=hard, power_cap=7.0), plan(2.0, 12.0))
    assert {v.kind for v in report.violations} >= {"power-cap"}


def test_a_peak_of_two_that_never_wake_together_is_less_than_both_idling() -> None:
    model = Model("two", objective="peak_power", regime="schedule")
    for name in ("a", "b"):
        device = model.device(name, idle_power=4.0, sleep={"power": 0.0})
        job = model.job(name, release=0.0 if name == "a" else 2.0)
        job.task(f"t{name}", options=[device.option(time=1.0, energy=1.0)])
    made = model.build()
    moved = SchedulePlan(np.array([0, 1]), np.zeros(2, int), np.array([0.0, 2.0]), Hops.empty())
    report = verify(made, moved)
    assert report.objectives["peak_power"] == evaluate(made, moved)["peak_power_w"] == 5.0


def test_a_gap_on_a_circle_wraps_around() -> None:
    model = Model("circle", objective="energy", regime="schedule", cycle=10.0)
    oven = model.device("oven", **OVEN)
    job = model.job("j", period=10.0, deadline=10.0)
    job.task("t", options=[oven.option(time=1.0, energy=4.0)])
    found = both(model.build(), plan(4.0))
    # On for ever: no start-up; one gap of 9.
    assert found["energy_j"] == pytest.approx(4 + 10 - 0.75 * 9 + 1.5)


def test_prices_over_time_count_what_sleep_saves_when_it_does() -> None:
    prices = [{"from": 0, "price": 1.0}, {"from": 7, "price": 3.0}]
    found = both(instance(energy_price=prices), plan(2.0, 8.0))
    idle = 7 * 1 + 2 * 3 - 0.75 * (4 * 1 + 1 * 3)
    runs = 4 * 1 + 4 * 3 + 3 * 1
    wake = 1.5 * (1 * 1 + 1 * 3) / 2
    assert found["cost_energy"] == pytest.approx(idle + runs + wake)


def test_a_task_before_its_unit_has_gone_on_is_told() -> None:
    report = verify(instance(1), plan(1.0))
    assert [v.kind for v in report.violations] == ["start-up"]
    assert "until 2 s" in report.violations[0].message


def test_claims_that_leave_out_waking_are_told() -> None:
    report = verify(instance(), plan(2.0, 8.0), {"energy": 8 + 3 + 9 - 5 + 1.25})
    assert "claimed-objective" in {v.kind for v in report.violations}


def test_a_gap_on_a_circle_that_is_just_as_long_as_waking_is_slept_through_by_both() -> None:
    model = Model("circle", objective="energy", regime="schedule", cycle=0.6)
    sleep = {"power": 1.0, "wake_time": 0.3, "wake_energy": 0.4}
    device = model.device("d", idle_power=4.0, sleep=sleep)
    job = model.job("j", period=0.6, release=0.3, deadline=0.7)
    job.task("t", options=[device.option(time=0.3, energy=0.1)])
    assert both(model.build(), plan(0.4))["energy_j"] == pytest.approx(0.1 + 2.4 - 0.9 + 0.4)
