"""The checker times plans itself where resources slow what runs, and finds what is planted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetopt import Model
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.instance import Instance
from hetopt.solution import SchedulePlan
from hetopt.verify import verify
from tests.slow_pairs import sharing, started


def kinds(instance: Instance, plan: SchedulePlan, **claimed: float) -> set[str]:
    return {v.kind for v in verify(instance, plan, claimed).violations}


def pair(**settings: Any) -> Instance:
    """Two tasks that halve each other's speed, and a third after the first."""
    m = Model(objective="makespan", **settings)
    m.resource("dram", capacity=10, sharing="slow")
    soc = m.device("soc", slots=2)
    other = m.device("other")
    m.task("a", options=[soc.option(time=2, energy=8, uses={"dram": 10})])
    m.task("b", options=[soc.option(time=2, energy=8, uses={"dram": 10})])
    m.task("c", options=[other.option(time=1, energy=1)], after="a")
    return m.build()


def test_a_plan_with_its_real_ends_is_accepted() -> None:
    instance = pair()
    plan = started(instance, [0, 0, 4])
    report = verify(instance, plan, {"makespan": 5.0, "peak_power": 4.0})
    assert report.ok, report.violations
    assert report.mode in ("ticks", "fractions")


def test_who_starts_when_a_slowed_task_would_have_ended_is_early() -> None:
    instance = pair()
    assert kinds(instance, started(instance, [0, 0, 2])) == {"precedence"}


def test_a_deadline_is_missed_by_slowing() -> None:
    instance = pair(horizon=4.5)
    assert kinds(instance, started(instance, [0, 2, 2])) == set()
    assert kinds(instance, started(instance, [0, 0, 4])) == {"horizon"}


def test_a_slot_is_held_until_the_real_end() -> None:
    instance = pair()
    busy = instance.devices.slots.copy()
    busy[0] = 1
    one = replace(instance, devices=replace(instance.devices, slots=busy))
    # a would have ended at 2.5 on its own, and ends at 4.
    assert kinds(one, started(one, [0.5, 1, 4.0])) == {"slots"}
    assert kinds(one, started(one, [0, 2, 2])) == set()


def test_a_cap_counts_what_is_drawn_at_the_speed_of_the_moment() -> None:
    plan = started(pair(), [0, 0, 4])
    # Each draws 4 W alone and 2 W beside the other.
    assert kinds(pair(power_cap=4.0), plan) == set()
    assert kinds(pair(power_cap=3.9), plan) == {"power-cap"}
    # One after the other needs as much.
    assert kinds(pair(power_cap=4.0), started(pair(), [0, 2, 2])) == {"power-cap"}


def test_claims_that_forget_slowing_are_refuted() -> None:
    instance = pair()
    plan = started(instance, [0, 0, 4])
    assert kinds(instance, plan, makespan=3.0) == {"claimed-objective"}
    assert kinds(instance, plan, peak_power=8.0) == {"claimed-objective"}


def test_fractions_give_way_to_floats_where_they_are_too_long() -> None:
    rng = np.random.default_rng(3)
    rows = [(float(t), float(d)) for t, d in rng.uniform(1, 9, (200, 2)).round(3)]
    instance = sharing(rows, capacity=15.0, loss=0.017)
    plan = started(instance, rng.uniform(0, 150, 200).round(3).tolist())
    q = ScheduleQuantities(instance, plan)
    report = verify(instance, plan, {"makespan": q.makespan_s})
    assert report.ok, report.violations
    assert report.mode == "float"


@pytest.mark.parametrize("seed", range(12))
def test_evaluation_and_checker_agree_on_random_overlaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (float(t), float(d), float(e))
        for t, d, e in zip(
            rng.integers(0, 4, 7),
            rng.choice([0, 3, 5, 7.5, 10], 7),
            rng.integers(0, 5, 7),
            strict=True,
        )
    ]
    rows = [(t, d, e if t else 0.0) for t, d, e in rows]
    prices = [{"from": 0, "price": 1.0}, {"from": 2, "price": 3.0}, {"from": 5, "price": 0.5}]
    instance = sharing(
        rows, capacity=10.0, loss=float(rng.choice([0, 0.1])), objective="cost", energy_price=prices
    )
    plan = started(instance, (rng.integers(0, 12, 7) / 2).tolist())
    q = ScheduleQuantities(instance, plan)
    claimed = {
        "makespan": q.makespan_s,
        "cost": q.cost,
        "energy": q.energy_j,
        "peak_power": q.peak_power_w,
    }
    report = verify(instance, plan, claimed)
    assert report.ok, report.violations
