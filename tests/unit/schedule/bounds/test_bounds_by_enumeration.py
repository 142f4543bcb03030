"""Bounds of peak power and of cycles against the optima of all plans of tiny schedules."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from hetopt.schedule.bounds.objective_bounds import bound
from tests.idling_schedules import idling_schedule
from tests.oracles.campaign import setup_schedule
from tests.oracles.idling_oracle import idling_optimum
from tests.oracles.schedule_oracle import TooHardError, schedule_optimum
from tests.random_schedules import random_schedule

MAKERS = (
    (random_schedule, schedule_optimum),
    (setup_schedule, schedule_optimum),
    (idling_schedule, idling_optimum),
)
ROUNDING = 1 + 1e-9


@pytest.mark.parametrize("kind", range(3))
def test_no_plan_within_a_narrow_window_draws_less_than_the_bound(kind) -> None:
    make, optimum = MAKERS[kind]
    held = 0
    for seed in range(5_000, 5_016):
        question, tick = make(seed)
        try:
            fastest = optimum(question.with_objective("makespan"), tick)
            if math.isfinite(question.limits.cycle_s) or fastest is None:
                continue
            ticks = int(Fraction(repr(float(fastest[0]))) / tick * (2 + seed % 2) / 2)
            horizon = min(float(ticks * tick), float(question.limits.horizon_s))
            asked = question.with_objective("peak_power").with_limits(horizon_s=horizon)
            best = optimum(asked, tick)
        except TooHardError:
            continue
        if best is not None:
            held += 1
            assert bound(asked, "peak_power") <= best[0] * ROUNDING, seed
    assert held >= 5


def test_no_cycle_takes_less_than_the_bound() -> None:
    held = 0
    for seed in range(62_000, 62_035):
        question, tick = idling_schedule(seed)
        if not math.isfinite(question.limits.cycle_s):
            continue
        name = ("energy", "cost", "carbon")[seed % 3]
        asked = question.with_objective(name)
        best = idling_optimum(asked, tick)
        if best is not None:
            held += 1
            assert bound(asked, name) <= best[0] * ROUNDING, seed
    assert held >= 5
