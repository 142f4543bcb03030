"""Periods: how often jobs are repeated, when, and what a rounded period leads to."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.units import parse


def periodic(*periods, release=0.0, **settings):
    tables = {
        "devices": {"name": ["cpu"], "kind": ["cpu"], "idle_power_w": [4.0]},
        "jobs": {
            "name": [f"j{i}" for i in range(len(periods))],
            "period_s": list(periods),
            "release_s": [release] * len(periods),
        },
        "tasks": {
            "name": [f"t{i}" for i in range(len(periods))],
            "job": [f"j{i}" for i in range(len(periods))],
            "profile": ["a"] * len(periods),
        },
        "options": {"profile": ["a"], "device": ["cpu"], "time_s": [0.003], "power_w": [6.0]},
    }
    frames = {name: pd.DataFrame(columns) for name, columns in tables.items()}
    return from_frames(frames, {"objective": ["energy"], **settings})


@pytest.mark.parametrize("period", [0.033333, 0.0333333])
def test_a_rounded_period_is_an_error_that_names_the_near_one(period):
    with pytest.raises(InputError) as caught:
        periodic(period, 0.1)
    text = str(caught.value)
    assert "until the periods meet again" in text
    assert "j0: 100/3 ms" in text
    assert "horizon_s" in text


def test_a_suggested_period_is_read_and_makes_few_repetitions():
    made = periodic(parse("100/3 ms", "time"), 0.1)
    assert len(made.tasks) == 4
    assert made.jobs.release_s.tolist() == [0.0, 1 / 30, 2 / 30, 0.0]


def test_thirty_frames_a_second_are_thirty_in_a_second():
    assert len(periodic(parse("1/30 s", "time"), horizon_s=1.0).tasks) == 30


def test_periods_without_a_simple_common_multiple_need_a_horizon():
    with pytest.raises(InputError, match="horizon_s") as caught:
        periodic(0.0712347, 0.1)
    assert "Near ones" not in str(caught.value)
    assert len(periodic(0.0712347, 0.1, horizon_s=1.0).tasks) == 14 + 10


def test_a_million_repetitions_are_an_error_at_the_period():
    with pytest.raises(InputError, match=r"1,000,000 repetitions over 1 s.*at most 200,000 tasks"):
        periodic(1e-6, horizon_s=1.0)


def test_tasks_that_no_period_repeats_do_not_count(monkeypatch):
    monkeypatch.setattr("hetopt.compile.periodic.MOST_TASKS", 3)
    assert len(periodic(0.5, np.nan, np.nan, horizon_s=1.0).tasks) == 4


@pytest.mark.parametrize("period", [0.1, 0.0333333, 1 / 30, 1e-7])
def test_releases_are_the_nearest_floats_to_the_exact_sums(period):
    releases = periodic(period, release=0.7, horizon_s=0.7 + 50 * period).jobs.release_s
    exact = Fraction(1, 30) if period == 1 / 30 else Fraction(repr(period))
    wanted = [float(Fraction(7, 10) + k * exact) for k in range(len(releases))]
    assert np.array_equal(releases, wanted)


def test_a_repetition_that_the_horizon_cuts_is_left_out_and_said():
    frames = periodic(0.0333333, horizon_s=1.0)
    assert len(frames.tasks) == 30
    assert "the last 1 of j0" in frames.left_out
    assert not periodic(parse("1/30 s", "time"), horizon_s=1.0).left_out
    # The first stays, whatever the horizon: what cannot be done by then is infeasible.
    assert len(periodic(2.0, horizon_s=1.0).tasks) == 1
