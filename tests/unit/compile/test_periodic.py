"""Periods: how often jobs are repeated, when, and what a rounded period leads to."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, read_instance, to_frames, to_settings
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.instance.questions import check_question
from hetopt.profiling.caveats import warnings
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


def test_where_every_job_has_a_period_and_nothing_ends_all_repeats_for_ever():
    made = periodic(0.02, 0.05)
    assert made.limits.cycle_s == 0.1
    assert len(made.tasks) == 5 + 2
    assert any("repeats for ever, every 100 ms" in note for note in warnings(made))
    for ends in ({"cyclic": False}, {"horizon_s": 0.1}):
        once = periodic(0.02, 0.05, **ends)
        assert np.isinf(once.limits.cycle_s)
        assert len(once.tasks) == 5 + 2
        assert not any("repeats" in note for note in warnings(once))


def test_a_job_without_a_period_keeps_a_schedule_from_repeating():
    made = periodic(0.02, np.nan)
    assert np.isinf(made.limits.cycle_s)
    assert len(made.tasks) == 2


def test_the_default_is_made_anew_by_what_is_set():
    made = periodic(0.02, 0.05)
    assert np.isinf(set_values(made, ["horizon=40 ms"]).limits.cycle_s)
    assert np.isinf(set_values(made, ["cyclic=false"]).limits.cycle_s)
    assert set_values(made, ["cyclic=false", "cyclic="]).limits.cycle_s == 0.1
    assert set_values(made, ["cycles=3"]).limits.cycle_s == 0.3
    assert set_values(made, ["jobs.j1.period=0.04"]).limits.cycle_s == 0.04


def test_tables_of_what_repeats_by_default_make_the_same_instance():
    for settings in ({}, {"cyclic": False}):
        made = periodic(0.02, 0.05, **settings)
        again = from_frames(to_frames(made), to_settings(made))
        assert again.limits == made.limits
        assert again.jobs.release_s.tolist() == made.jobs.release_s.tolist()


def test_a_rate_of_a_schedule_is_a_period():
    text = (
        "hetopt: 1\nregime: schedule\ndevices: [{name: a}]\n"
        "profiles: {p: [{device: a, time: 1 ms}]}\n"
        "jobs: [{name: j, rate: 30 Hz, profile: p}, {name: k, rate: 20 /s, profile: p}]\n"
    )
    made = read_instance("rates.yaml", text=text)
    assert made.limits.cycle_s == pytest.approx(0.1)
    assert made.jobs.release_s.tolist() == [0, 1 / 30, 2 / 30, 0, 0.05]
    assert set_values(made, ["jobs.j.period=50 ms"]).jobs.release_s.tolist() == [0, 0]
    with pytest.raises(InputError, match="Either a period or a rate"):
        read_instance("rates.yaml", text=text.replace("rate: 30 Hz", "rate: 30 Hz, period: 1 s"))
    streams = read_instance("rates.yaml", text=text.replace("regime: schedule\n", ""))
    assert streams.regime == "steady"


def test_prices_over_time_of_what_repeats_by_default_say_how_it_ends():
    prices = [{"from": 0, "price": 1}, {"from": 1, "price": 2}]
    with pytest.raises(InputError, match="`cyclic: false` or a `horizon` makes it a schedule with"):
        periodic(0.02, 0.05, energy_price=prices)
    assert periodic(0.02, 0.05, energy_price=prices, horizon=0.1).limits.energy_price_over_time


def test_set_ups_and_slow_resources_of_what_repeats_by_default_say_how_it_ends():
    head = "hetopt: 1\nresources: [{name: dram, capacity: 5, sharing: slow}]\n"
    text = (
        "devices: [{name: a, setup: {time: 1 ms}}]\nprofiles:\n  p:\n    - {device: a, time: 1 ms,"
        " configuration: x, uses: {dram: 1}}\n    - {device: a, label: z, time: 1 ms,"
        " configuration: y, uses: {dram: 1}}\njobs: [{name: j, period: 9 ms, profile: p}]\n"
    )
    with pytest.raises(InputError, match=r"set-ups.*`cyclic: false` or a `horizon`"):
        read_instance("setups.yaml", text=head.replace(", sharing: slow", "") + text)
    text = text.replace(", setup: {time: 1 ms}", "")
    with pytest.raises(InputError, match=r"knows no slowing.*`cyclic: false`"):
        check_question(read_instance("slow.yaml", text=head + "cyclic: true\n" + text))
    once = read_instance("slow.yaml", text=head + text)
    assert np.isinf(once.limits.cycle_s)
    assert "One common multiple of the periods is planned by itself" in once.left_out
    assert not read_instance("slow.yaml", text=head + "cyclic: false\n" + text).left_out
