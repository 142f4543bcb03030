"""Sleep where it counts at which instant: optima by hand, proved."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.schedule.cpsat import idle_sleep_start_up
from hetopt.solution import Hops, SchedulePlan, Solution
from hetopt.solve import solve
from hetopt.verify import verify


def two_units(wake_energy: float, **settings: object) -> Instance:
    """Return a unit with tasks at 0 to 1 and 5 to 6, between which it may sleep, and another."""
    model = Model("two", regime="schedule", **settings)
    sleep = {"power": 1.0, "wake_time": 1.0, "wake_energy": wake_energy}
    sleepy = model.device("sleepy", idle_power=4.0, sleep=sleep, off_when_unused=False)
    other = model.device("other")
    for name, release in (("first", 0.0), ("last", 5.0)):
        job = model.job(name, release=release, deadline=release + 1)
        job.task(name, options=[sleepy.option(time=1.0, energy=0.0)])
    job = model.job("beside", deadline=6.0)
    job.task("beside", options=[other.option(time=2.0, energy=4.0)])
    return model.build()


def proved(instance: Instance) -> Solution:
    solution = solve(instance, time_limit=20, workers=1)
    assert solution.status == "optimal"
    return solution


@pytest.mark.parametrize(("wake_energy", "peak"), [(0.0, 4.0), (6.0, 7.0), (13.0, 6.0)])
def test_the_least_peak_counts_sleep_and_waking(wake_energy: float, peak: float) -> None:
    # It idles at 4 W, and through 13 J it never wakes: then the other one runs beside that.
    solution = proved(two_units(wake_energy, objective="peak_power"))
    assert solution.objective == pytest.approx(peak)
    assert solution.bound == pytest.approx(peak)


def test_what_runs_beside_waits_for_sleep_under_a_cap() -> None:
    solution = proved(two_units(0.0, objective="makespan", power_cap=5.9))
    assert solution.plan is not None
    assert 1.0 <= solution.plan.start_s[2] <= 3.0


def test_waking_that_would_exceed_a_cap_cannot_be_left_out() -> None:
    assert solve(two_units(6.0, objective="energy", power_cap=6.9), time_limit=20).status == (
        "infeasible"
    )


@pytest.mark.parametrize(("release", "cost"), [(4.0, 25.0), (5.0, 52.0)])
def test_waking_is_paid_at_its_instant_and_no_choice(release: float, cost: float) -> None:
    # From 5 on, to idle at 1 and then 10 a joule would cost 48.
    model = Model("dear", objective="cost", regime="schedule", horizon=6.0)
    model.limit(energy_price=[{"from": 0.0, "price": 1.0}, {"from": 4.0, "price": 10.0}])
    sleep = {"power": 0.0, "wake_time": 1.0, "wake_energy": 3.0}
    unit = model.device("unit", idle_power=2.0, sleep=sleep, off_when_unused=False)
    for name, at, end in (("first", 0.0, 1.0), ("last", release, 6.0)):
        job = model.job(name, release=at, deadline=end)
        job.task(name, options=[unit.option(time=1.0, energy=0.0)])
    solution = proved(model.build())
    assert solution.objective == pytest.approx(cost)


def test_beyond_so_many_pairs_a_bound_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_sleep_start_up, "MOST_PAIRS", 0)
    solution = solve(two_units(6.0, objective="peak_power"), time_limit=5, workers=1)
    assert solution.objective == pytest.approx(7.0)
    assert solution.bound <= 7.0 * (1 + 1e-9)


def test_no_peak_shows_where_repetitions_that_are_written_out_end() -> None:
    model = Model("circle", objective="peak_power", regime="schedule", cycle=0.8)
    slow = {"power": 1.0, "wake_time": 0.3, "wake_energy": 0.2}
    fast = {"power": 0.0, "wake_time": 0.1, "wake_energy": 0.5}
    a = model.device("a", count=2, idle_power=4.0, sleep=slow)
    b = model.device("b", count=2, idle_power=1.0, sleep=fast, off_when_unused=False)
    for k, (unit, time, energy) in enumerate(
        [(b, 0.1, 0.2), (b, 0.1, 0.5), (a, 0.1, 0.5), (b, 0.2, 0.7)]
    ):
        job = model.job(f"j{k}", period=0.8, deadline=1.2)
        job.task(f"t{k}", options=[unit.option(time=time, energy=energy)])
    made = model.build()
    starts = np.array([0.8, 0.1, 0.2, 0.4])
    plan = SchedulePlan(np.arange(4), np.array([0, 0, 1, 1]), starts, Hops.empty())
    report = verify(made, plan)
    assert report.ok, report.violations
    assert report.objectives["peak_power"] == pytest.approx(9.0)
    assert objective_value(made, plan, "peak_power") == pytest.approx(9.0)
