"""The integer grid: exact where it can be, and rounded the safe way where it cannot."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hetopt.schedule.bounds.heads_and_tails import ticks_below
from hetopt.schedule.model.grid import (
    Grid,
    common_divisor,
    exact_tick,
    hop_time,
    model_grid,
    plan_grid,
    span_s,
)
from hetopt.schedule.model.resources import integer_demands
from tests.small_schedules import device, edge, instance, link, option, task


def chain(time_s: float, bandwidth: float = 1.0, **job: float):
    return instance(
        [device("cpu"), device("gpu")],
        [option("a", "cpu", time_s), option("b", "gpu", 0.4)],
        [task("a", job="j"), task("b", job="j")],
        links=[link("cpu", "gpu", bandwidth)],
        transfers=[edge("a", "b", 1)],
        jobs=[{"name": "j", **job}],
        objective="makespan",
    )


def test_the_common_divisor_of_decimals_is_exact() -> None:
    assert common_divisor(Fraction("0.6"), Fraction("0.4")) == Fraction("0.2")
    assert common_divisor(Fraction(0), Fraction("0.4")) == Fraction("0.4")


def test_the_coarsest_exact_tick_divides_durations_hops_and_releases() -> None:
    assert exact_tick(chain(0.6), 10.0) == Fraction("0.2")
    assert exact_tick(chain(0.6, bandwidth=4), 10.0) == Fraction("0.05")
    assert exact_tick(chain(0.6, release_s=0.3), 10.0) == Fraction("0.1")


@pytest.mark.parametrize("step", ["0.00021", "0.3", "7", "1e-12", "0.1234567890123"])
def test_the_tick_of_thousands_of_releases_is_their_divisor_in_decimals(step: str) -> None:
    count = 1_500
    releases = [float(3 * Fraction(step) * k) for k in range(count)]
    question = instance(
        [device("cpu", count=count)],
        [option("a", "cpu", float(2 * Fraction(step)))],
        [task(f"t{k}", "a", job=f"j{k}") for k in range(count)],
        jobs=[{"name": f"j{k}", "release_s": release} for k, release in enumerate(releases)],
        objective="makespan",
    )
    exact = 2 * Fraction(step)
    for release in releases:
        exact = common_divisor(exact, Fraction(repr(release)))
    assert exact_tick(question, releases[-1], limit=10**30) == exact


def test_deadlines_need_not_be_on_the_grid() -> None:
    question = chain(0.6, deadline_s=3.14159)
    grid = model_grid(question, span_s(question))
    assert grid.direction == "exact"
    assert grid.tick == Fraction("0.2")
    assert grid.limit(3.14159) == 15


def test_a_third_has_an_exact_tick_but_plans_are_timed_in_decimals() -> None:
    question = chain(0.6, bandwidth=3)
    assert model_grid(question, span_s(question)) == Grid(Fraction(1, 15), "exact")
    timed = plan_grid(question, span_s(question))
    assert timed.direction == "up"
    assert (1 / timed.tick).denominator == 1


def test_times_without_a_coarse_divisor_are_rounded_down_for_bounds() -> None:
    question = chain(0.1234567890123)
    grid = model_grid(question, span_s(question))
    assert grid.direction == "down"
    ticks = grid.durations(np.array([1.0]), np.array([0.1234567890123]))
    assert ticks[0] * grid.tick <= Fraction("0.1234567890123") < (ticks[0] + 1) * grid.tick


@pytest.mark.parametrize(("direction", "ticks"), [("down", 3), ("up", 4)])
def test_durations_are_rounded_in_the_direction(direction, ticks) -> None:
    grid = Grid(Fraction(1), direction)
    assert grid.durations(np.array([1.0, 2.0]), np.array([3.5, 1.75])).tolist() == [ticks, ticks]
    assert grid.ticks(Fraction(4)) == 4


def test_seconds_of_a_decimal_grid_print_exactly() -> None:
    grid = Grid(Fraction("0.0001"), "exact")
    assert repr(grid.seconds(3003)) == "0.3003"
    assert repr(Grid(Fraction("0.1"), "exact").seconds(3)) == "0.3"


def test_a_hop_takes_its_latency_alone_where_bandwidth_is_infinite() -> None:
    assert hop_time(0.1, 5.0, float("inf")) == Fraction("0.1")
    assert hop_time(0.1, 1.0, 3.0) == Fraction("0.1") + Fraction(1, 3)


def test_a_plan_always_fits_into_the_span() -> None:
    # Release 1, 0.6 + 0.4 of work, 1 s of transfer.
    assert span_s(chain(0.6, release_s=1)) == pytest.approx(3.0, rel=0.7)
    assert span_s(chain(0.6, release_s=1)) >= 3.0
    assert span_s(chain(0.6, deadline_s=2.5)) == 2.5


def test_demands_with_a_divisor_are_exact() -> None:
    scaled = integer_demands([Fraction("0.2"), Fraction("0.5")], Fraction("1.05"), 1000, "exact")
    assert scaled.demand == [2, 5]
    assert scaled.capacity == 10
    assert scaled.faithful


def test_demands_without_one_are_relaxed_or_tightened() -> None:
    values = [Fraction(1, 3), Fraction(1, 7)]
    down = integer_demands(values, Fraction(1), 10, "down")
    assert down.demand == [3, 1]
    assert down.capacity == 10
    assert not down.faithful
    up = integer_demands(values, Fraction(1), 10, "up")
    assert up.demand == [4, 2]
    assert up.capacity == 10


def test_many_durations_are_rounded_up_by_less_than_two_ticks():
    rng = np.random.default_rng(3)
    work, time_s = rng.uniform(1, 10, 300), rng.uniform(0.1, 1, 300)
    work[:20], time_s[:20] = 2.0, 0.5
    grid = Grid(Fraction(1, 10**10), "up")
    exactly = grid.durations(work, time_s)
    rounded = grid.rounded(work, time_s)
    assert (rounded >= exactly).all()
    assert (rounded <= exactly + 1).all()


def test_heads_that_64_bits_do_not_hold_stay_heads() -> None:
    grid = Grid(Fraction(1, 10**9), "down")
    few, many, endless = ticks_below(np.array([3.0, 1e200, 1e300]), grid).tolist()
    assert few < many == endless
    assert few == pytest.approx(3e9)
    assert many == pytest.approx(2.0**60)
