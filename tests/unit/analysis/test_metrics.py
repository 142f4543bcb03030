"""Figures of instances, against counting by hand."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from hetopt import read_instance
from hetopt.analysis.metrics import metrics_of
from tests.command_line import hetopt

SHOP = "2 3\n2 2 1 5 2 7 1 3 4\n1 3 1 5 2 5 3 9\n"
"""Two jobs on three machines: (M1 5, M2 7) -> (M3 4), and (M1 5, M2 5, M3 9)."""


def test_figures_of_a_flexible_job_shop_are_those_counted_by_hand() -> None:
    found = metrics_of(read_instance("a.fjs", text=SHOP))
    assert (found.jobs, found.tasks, found.devices, found.units) == (2, 3, 3, 3)
    assert found.tasks_per_job == 1.5
    assert found.devices_per_task == 2
    assert found.flexibility == pytest.approx(2 / 3)
    assert found.duration_variety == pytest.approx(4 / 6)  # 4, 5, 7 and 9 of six times
    assert (found.shortest_s, found.longest_s) == (4, 9)
    assert found.unrelatedness == pytest.approx((7 / 5 + 1 + 9 / 5) / 3)
    assert found.longest_chain == 2


def test_published_figures_of_mk01_are_met(shared_path) -> None:
    path = shared_path("benchmarks", "fjsp", "brandimarte", "mk01.txt")
    found = metrics_of(read_instance(path))
    assert (found.jobs, found.tasks, found.devices) == (10, 55, 6)
    assert found.devices_per_task == pytest.approx(2.09, abs=0.005)
    assert (found.shortest_s, found.longest_s) == (1, 6)
    assert found.duration_variety == pytest.approx(6 / 115)


def test_pins_leave_a_task_one_device_and_streams_any_number_of_units() -> None:
    text = """
hetopt: 1
devices: [{name: a, kind: cpu, count: {min: 0}}, {name: b, kind: gpu}]
jobs:
  - {name: x, rate: 1 /s, pin: a, options: [{device: a, time: 0 s}, {device: b, time: 1 s}]}
"""
    found = metrics_of(read_instance("a.yaml", text=text))
    assert (found.devices_per_task, found.flexibility, found.units) == (1, 0.5, None)
    assert math.isnan(found.unrelatedness)


def test_the_command_writes_a_row_for_each_file(tmp_path) -> None:
    shop = tmp_path / "a.fjs"
    shop.write_text(SHOP)
    done = hetopt("describe", shop, "edge-box")
    assert "edge-box" in done.stdout
    assert "0.667" in done.stdout
    assert hetopt("describe", shop, "-o", tmp_path / "m.csv").returncode == 0
    (row,) = csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text()))
    assert (row["tasks"], row["longest_chain"], row["flexibility"]) == ("3", "2", "0.666666667")
    listed = json.loads(hetopt("describe", shop, "--json").stdout)["instances"]
    assert listed[0]["devices_per_task"] == 2
    refused = hetopt("describe", shop, "-o", tmp_path / "m.txt")
    assert (refused.returncode, "ends in .csv" in refused.stderr) == (2, True)
