"""Joint programs with many kinds of unit: plans over the few that the relaxation uses."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.generate.steady import generate_steady
from hetopt.instance import Instance, is_maximised
from hetopt.solution import PeriodPlan
from hetopt.solve import solve
from hetopt.steady.program.joint import few_kinds, period_model
from hetopt.verify import verify
from tests.oracles.period_oracle import judge_periods, period_optimum
from tests.oracles.schedule_oracle import TooHardError
from tests.random_periods import random_periods


def day_of(devices: int, jobs: int, periods: int) -> Instance:
    """Return periods of devices whose memory holds many sets of weights, that start up and load."""
    made = generate_steady(workloads=jobs, devices=devices, options=3, seed=3)
    frames, settings = to_frames(made), to_settings(made)
    swing = [0.6 + 0.4 * np.cos(2 * np.pi * s / periods) for s in range(periods)]
    rows = [{"name": f"p{s}", "duration_s": 3600.0, "demand": d} for s, d in enumerate(swing)]
    frames["periods"] = pd.DataFrame(rows)
    device, options = frames["devices"], frames["options"]
    device["count_min"], device["count_max"] = 0, 200
    device["start_up_energy_j"] = device["idle_power_w"] * 1800
    device["memory_b"], device["load_energy_j_per_b"] = 40e9, 3e-8
    options["weights_b"] = [(5 + sum(map(ord, p)) % 20) * 1e9 for p in options["profile"]]
    options["model"], options["variant"] = options["profile"], "w"
    return from_frames(frames, settings)


def test_many_kinds_have_a_plan_and_a_bound_without_the_search_of_all() -> None:
    made = day_of(devices=12, jobs=6, periods=12)
    found = solve(made, time_limit=20, workers=1, method="heuristic")
    assert isinstance(found.plan, PeriodPlan), found.reason
    assert verify(made, found.plan).ok
    assert 0 < found.bound <= found.objective * (1 + 1e-9)


@pytest.mark.parametrize("seed", [0, 3, 5, 9, 12])
def test_answers_over_few_kinds_agree_with_enumeration(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(few_kinds, "MANY_INTEGERS", 0)
    assert judge_periods(seed, 60.0)[1] == []


def test_without_changes_from_set_to_set_bounds_are_still_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(period_model, "MOST_CHANGES", 0)
    judged = 0
    for seed in (1, 4, 7):
        instance = random_periods(seed)
        try:
            best = period_optimum(instance)
        except TooHardError:
            continue
        found = solve(instance, time_limit=60.0, workers=1, seed=seed)
        if best is None or not best or math.isnan(best[0]):
            continue
        assert found.status != "infeasible"
        if math.isnan(found.bounds[0]):
            continue
        sign = -1.0 if is_maximised(instance.objective[0]) else 1.0
        assert sign * (found.bounds[0] - best[0]) <= GAP_TOLERANCE * abs(best[0]) + LIMIT_TOLERANCE
        judged += 1
    assert judged
