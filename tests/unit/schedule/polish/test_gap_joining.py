"""Runs moved together: longer gaps, the same orders, plans that hold."""

from __future__ import annotations

import math

import numpy as np

from bench.sleep import sleeping
from hetopt.build import Model
from hetopt.evaluate import objective_value
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.schedule.model.without_sleep import always_idling
from hetopt.schedule.polish.gap_joining import join_gaps
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify import verify


def test_two_short_gaps_become_one_that_is_slept_through() -> None:
    model = Model("runs", objective="energy", horizon="20 s")
    sleep = {"power": "0 W", "wake_time": "1 s", "wake_energy": "4 J"}
    cpu = model.device("cpu", idle_power="1 W", sleep=sleep)
    for release in (0, 4, 8):
        job = model.job(f"j{release}", release=f"{release} s", deadline="20 s")
        job.task(f"t{release}", options=[cpu.option(time="1 s", energy="1 J")])
    instance = model.build()
    plan = SchedulePlan(
        np.arange(3), np.zeros(3, dtype=np.int64), np.array([0.0, 4, 8]), Hops.empty()
    )
    # Two gaps of 3 s idle for 3 J each; one of 6 s, whichever side it is on, wakes for 4 J.
    assert math.isclose(objective_value(instance, plan, "energy"), 3 + 3 + 6)
    found = join_gaps(instance, plan)
    assert found is not None
    assert verify(instance, found).ok
    assert math.isclose(objective_value(instance, found, "energy"), 3 + 3 + 4)


def test_what_is_returned_costs_less_and_the_checker_accepts_it() -> None:
    instance = sleeping(40, 4, 2.0)
    plan = heft(always_idling(instance))
    assert plan is not None
    found = join_gaps(instance, plan)
    assert found is not None
    assert verify(instance, found).ok
    assert objective_value(instance, found, "energy") < objective_value(instance, plan, "energy")
