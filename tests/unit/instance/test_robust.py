from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hetopt
from hetopt import InputError, Model, Solution, read_instance, robust, solve, to_frames, verify
from hetopt.compile import to_settings
from hetopt.formats import write_instance
from hetopt.profiling.caveats import caveats
from tests import command_line

FIELDS = ("time_low_s", "time_high_s", "energy_low_j", "energy_high_j", "interval", "estimated")


def model(**more: object) -> Model:
    m = Model("box", objective="energy")
    cpu = m.device("cpu", kind="cpu", idle_power="2 W")
    npu = m.device("npu", kind="npu", idle_power="0.3 W")
    frame = m.job("frame", deadline="20 ms")
    frame.task(
        "detect",
        options=[
            cpu.option("fp32", time="15 ms", energy="60 mJ"),
            npu.option(
                "int8",
                time="12 ms",
                time_low="8 ms",
                time_high="24 ms",
                energy="10 mJ",
                energy_low="8 mJ",
                energy_high="20 mJ",
                estimated=True,
                **more,
            ),
        ],
    )
    return m


@pytest.mark.parametrize("form", ["a.yaml", "a.json", "folder"])
def test_intervals_pass_every_form_of_an_instance(form: str, tmp_path: Path) -> None:
    if form == "folder":
        pytest.importorskip("pyarrow", reason="folders of tables are Parquet files")
    instance = model(interval=0.8).build()
    write_instance(instance, tmp_path / form)
    again = read_instance(tmp_path / form)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(again.options, name), getattr(instance.options, name))
    assert instance.options.interval.tolist() == [0.9, 0.8]
    frames = hetopt.from_frames(to_frames(instance), to_settings(instance))
    assert frames.options.time_high_s[1] == 0.024


@pytest.mark.parametrize(
    ("quantile", "time", "energy"),
    [(0.95, 0.024, 0.02), (0.5, 0.012, 0.01), (0.05, 0.008, 0.008)],
)
def test_the_ends_of_an_interval_of_nine_tenths_are_its_outer_twentieths(
    quantile: float, time: float, energy: float
) -> None:
    made = robust(model().build(), quantile)
    np.testing.assert_allclose(made.options.time_s, [0.015, time], rtol=1e-12)
    np.testing.assert_allclose(made.options.energy_j, [0.06, energy], rtol=1e-12)
    assert np.isnan(made.options.time_high_s).all()


def test_quantiles_of_a_lognormal_draw_are_found_again() -> None:
    draws = np.exp(np.random.default_rng(1).normal(np.log(0.012), 0.3, 200_000))
    low, high = np.quantile(draws, [0.05, 0.95])
    m = Model("one")
    cpu = m.device("cpu")
    m.job("a").task("t", options=[cpu.option(time=0.012, time_low=low, time_high=high)])
    for quantile in (0.2, 0.8, 0.99):
        planned = robust(m.build(), quantile).options.time_s[0]
        assert planned == pytest.approx(np.quantile(draws, quantile), rel=0.01)


def test_a_robust_plan_avoids_what_may_be_late_and_is_checked_as_it_was_made() -> None:
    instance = model().build()
    assert solve(instance).to_frame()["device"].tolist() == ["npu"]
    sure = robust(instance, 0.95)
    solution = solve(sure)
    assert solution.to_frame()["device"].tolist() == ["cpu"]
    assert verify(sure, solution.plan).ok
    assert any("a box, not a chance constraint" in note for note in solution.notes)


def test_estimated_options_stay_marked_in_plan_notes_and_report(tmp_path: Path) -> None:
    solution = solve(model())
    assert solution.to_frame()["estimated"].tolist() == [True]
    assert any("1 of 2 options are estimated" in note for note in caveats(model().build()))
    solution.save(tmp_path / "plan.json")
    assert '"estimated": true' in (tmp_path / "plan.json").read_text()
    loaded = Solution.load(tmp_path / "plan.json", model().build())
    assert loaded.objectives == solution.objectives
    solution.report(tmp_path / "page.html")
    assert "estimated, time -33% to +100% (90%)" in (tmp_path / "page.html").read_text()


def test_streams_are_made_robust_with_their_measured_latency() -> None:
    m = Model("rack", objective="power")
    gpu = m.device("gpu", kind="gpu", count=(0, 4), idle_power=60)
    fast = gpu.option("a", time="1 ms", time_low="0.8 ms", time_high="2 ms", energy=1, latency=0.01)
    m.job("photos", rate="300 req/s", profile=m.profile("resnet", [fast]))
    made = robust(m.build(), 0.95)
    assert made.options.latency_s[0] == pytest.approx(0.02)
    assert solve(made).status == "optimal"


def test_without_intervals_robust_is_an_error() -> None:
    m = Model("plain")
    cpu = m.device("cpu")
    m.job("a").task("t", options=[cpu.option(time=1)])
    with pytest.raises(InputError, match="none states any"):
        robust(m.build(), 0.95)
    with pytest.raises(InputError, match="less than 1"):
        robust(model().build(), 1.0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"time_low": "20 ms", "time_high": "30 ms"}, "At most the time"),
        ({"time_low": "5 ms", "time_high": "11 ms"}, "At least the time"),
        ({"energy_low": "1 mJ", "energy_high": "5 mJ"}, "At least the energy"),
        ({"time_low": "5 ms"}, "Both ends"),
        ({"interval": 0}, "more than 0"),
    ],
)
def test_intervals_that_contradict_the_option_are_errors(fields: dict, said: str) -> None:
    m = Model("box")
    npu = m.device("npu", kind="npu")
    m.job("a").task("t", options=[npu.option(time="12 ms", energy="10 mJ", **fields)])
    with pytest.raises(InputError, match=said):
        m.build()


def test_the_command_line_solves_compares_and_checks_robustly(tmp_path: Path) -> None:
    write_instance(model().build(), tmp_path / "box.yaml")
    box = str(tmp_path / "box.yaml")
    plan = str(tmp_path / "plan.json")
    assert command_line.hetopt("solve", box, "--robust", "0.95", "-o", plan).returncode == 0
    assert command_line.hetopt("verify", box, plan, "--robust", "0.95").returncode == 0
    assert command_line.hetopt("verify", box, plan).returncode == 0
    made = command_line.hetopt("compare", box, "--robust", "0.95", "--no-sensitivity")
    assert made.returncode == 0
    refused = command_line.hetopt("solve", "edge-box", "--robust", "0.95")
    assert refused.returncode == 2
    assert "robust" in refused.stderr
