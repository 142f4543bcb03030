"""Bounds hold where prices of device time go far beyond the costs and terms cancel."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.schedule.bounds.load_bound import LP_SIZE, _Relaxation
from hetopt.schedule.bounds.objective_bounds import bound, load_of, window
from hetopt.schedule.bounds.rounding import surely
from hetopt.schedule.search.assignment.table import columns_of
from hetopt.solve import solve
from tests.small_schedules import device, instance, option, task


def forced(count: int) -> tuple[Instance, float]:
    """Tasks that must run one after the other to a deadline without a second to spare; energy."""
    draw = random.Random(3)
    times = [draw.randint(1, 50) for _ in range(count)]
    extra = [t * 0.25 + (i % 7) * 0.01 for i, t in enumerate(times)]
    question = instance(
        [device("spare", idle_power_w=2), device("used", idle_power_w=3.3)],
        [option(f"t{i}", "used", t, e) for i, (t, e) in enumerate(zip(times, extra, strict=True))],
        [task(f"t{i}", job="j") for i in range(count)],
        jobs=[{"name": "j", "deadline_s": sum(times)}],
        objective="energy",
    )
    return question, sum(times) * 3.3 + math.fsum(extra)


def test_the_smoothed_load_dual_is_not_beyond_a_forced_plan() -> None:
    question, energy = forced(LP_SIZE + 200)
    found = bound(question, "energy")
    assert energy * (1 - 2 * GAP_TOLERANCE) <= found <= energy


@pytest.mark.parametrize("price", [1e-3, 1.0, 1e6, 1e14, 1e17, 1e30, 1e300, 1.7e308])
def test_whatever_the_prices_the_load_bound_is_not_beyond_a_forced_plan(price: float) -> None:
    question, energy = forced(40)
    load = load_of(question)
    relaxed = _Relaxation(question, load, "energy", *window(question))
    count = question.devices.count_max.astype(np.int64)
    for prices in ([0.0, price], [price, price], [0.0, 3.3 + price]):
        assert relaxed.value(np.array(prices), 0 * count, count) <= energy


def test_tasks_that_take_no_time_need_no_unit() -> None:
    question = instance(
        [device("d", count_max=3, idle_power_w=2)],
        [option("a", "d", 0)],
        [task("a", job="j"), task("b", "a", job="j")],
        jobs=[{"name": "j", "deadline_s": 4.0}],
        objective="energy",
    )
    relaxed = _Relaxation(question, load_of(question), "energy", 0.0, 0.0)
    count = question.devices.count_max.astype(np.int64)
    with np.errstate(divide="raise", invalid="raise"):
        node = relaxed._smooth(0 * count, count)
    assert node is not None
    assert node.units.tolist() == [0.0]
    assert node.value == 0.0


def test_a_class_without_an_open_device_has_no_plan_and_huge_prices_prove_nothing() -> None:
    question, _ = forced(3)
    relaxed = _Relaxation(question, load_of(question), "energy", *window(question))
    count = question.devices.count_max.astype(np.int64)
    assert relaxed.value(np.array([0.0, np.inf]), 0 * count, count) == math.inf
    assert relaxed.value(np.array([np.inf, 1.7e308]), 0 * count, count) == -math.inf


def test_terms_that_cancel_leave_no_more_than_their_rounding_allows() -> None:
    assert surely(1e16 + 1 - 1e16, 2e16, 3) < 0
    assert surely(3.0, 3.0, 2) == pytest.approx(3.0, rel=1e-12)
    assert surely(math.nan, math.inf, 2) == -math.inf
    assert surely(math.inf, 1.0, 2) == math.inf


def test_an_option_that_ends_at_the_deadline_to_the_last_decimal_counts_in_the_bound() -> None:
    # 3 × 0.1 s is 0.3 s, although the product of the floats is more than the float 0.3.
    question = instance(
        [device("cpu", slots=2)],
        [
            option("p", "cpu", 0.1, 1, label="slow"),
            option("p", "cpu", 0.05, 9, label="fast"),
        ],
        [task("t0", "p", job="j", work=3.0), task("t1", "p", job="j", work=3.0)],
        jobs=[{"name": "j", "deadline_s": 0.3}],
        objective="energy",
    )
    columns = columns_of(question)
    assert columns is not None
    assert set(columns.option.tolist()) >= {0}
    assert solve(question, time_limit=10, workers=1).objective == pytest.approx(6.0)


def test_limits_are_taken_with_their_tolerance() -> None:
    # The deadline can be exceeded by its tolerance, so the greatest makespan is more than it.
    question, _ = forced(3)
    deadline = float(question.jobs.deadline_s[0])
    assert deadline * (1 + LIMIT_TOLERANCE) < window(question)[1] < deadline * (1 + 1e-8)
