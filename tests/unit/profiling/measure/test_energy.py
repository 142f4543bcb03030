"""Energy counters: wraps, zones that overlap, and figures that contradict each other."""

from __future__ import annotations

import math

import pytest

from hetopt.profiling.measure import energy
from hetopt.profiling.measure.energy import Counter, counters, difference_j, energy_of, watch


def zone(root, place, name, microjoules, largest=262_143_328_850):
    folder = root / place
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{largest}\n")


def stepping(*readings):
    values = iter(readings)
    return lambda: next(values)


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch):
    monkeypatch.setattr(energy, "_busy_elsewhere", lambda: 0.0)


def test_zones_inside_and_around_the_package_are_not_added(tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 3_000_000)
    zone(tmp_path, "intel-rapl:0:1", "uncore", 1_000_000)
    zone(tmp_path, "intel-rapl:0:2", "dram", 2_000_000)
    zone(tmp_path, "intel-rapl:1", "psys", 9_000_000)
    found, missing = counters("cpu", tmp_path)
    assert [c.name for c in found] == ["package-0", "dram"]
    assert [c.read_j() for c in found] == [5.0, 2.0]
    assert missing == ""


def test_missing_counters_are_said_to_be_missing(tmp_path):
    assert counters("cpu", tmp_path) == (
        [],
        "no RAPL counters on this machine (virtual machines hide them)",
    )
    assert "no energy counter known" in counters("npu")[1]
    reading = energy_of([], math.nan, lambda: None, 1, "none here")
    assert math.isnan(reading.energy_j)
    assert reading.missing == "none here"


def test_a_counter_that_wraps_once_is_followed():
    assert difference_j(90.0, 5.0, 100.0) == 15.0
    joules, _, wrong = watch([Counter("p", stepping(90.0, 5.0), 100.0)], lambda: None)
    assert (joules, wrong) == (15.0, "")


@pytest.mark.parametrize(
    ("counter", "words"),
    [
        (Counter("p", stepping(5.0, 5.0)), "stood still"),
        (Counter("p", stepping(10.0, 90.0), 100.0), "wrapped more than once"),
        (Counter("g", stepping(0.0, 1e9), power_w=lambda: 20.0), "samples 20.0 W where"),
    ],
)
def test_figures_that_cannot_be_are_not_used(counter, words):
    assert words in watch([counter], lambda: None)[2]


def test_a_machine_that_others_use_gives_no_energy(monkeypatch):
    busy = stepping(0.0, 50.0)
    monkeypatch.setattr(energy, "_busy_elsewhere", busy)
    reading = energy_of([Counter("p", stepping(0.0, 9.0))], 0.0, lambda: None, 3, "")
    assert math.isnan(reading.energy_j)
    assert "other processes" in reading.missing


def test_energy_is_above_idle_and_per_run():
    reading = energy_of([Counter("p", stepping(0.0, 9.0))], 0.0, lambda: None, 3, "")
    assert reading.energy_j == 3.0
