"""Demands from executions that overlap: what slowed them is found again, and written back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hetopt.cli.app import app
from hetopt.formats.registry import read_instance
from hetopt.profiling.calibration.demands import demands_of_telemetry
from hetopt.profiling.calibration.telemetry import Observation

CPU, GPU = 0.010, 0.008
TEXT = """
hetopt: 1
name: chip
regime: steady
objective: throughput
resources: [{name: dram, capacity: 20, sharing: slow}]  # GB/s
devices: [{name: cpu}, {name: gpu}]
profiles:
  net:
    - {device: cpu, time: 10 ms, uses: {dram: 1}}  # a guess
    - {device: gpu, time: 8 ms, uses: {dram: 1}}
jobs: [{name: net, profile: net, rate: 10}]
"""


def telemetry(rate: float, count: int = 40) -> list[Observation]:
    """Executions alone, one after the other, then on both devices at once at some rate."""
    rng = np.random.default_rng(1)
    rows, at = [], 0.0

    def run(device: str, start: float, time: float) -> None:
        noisy = time * float(np.exp(0.01 * rng.standard_normal()))
        rows.append(Observation(device, -1, "net", "", noisy, np.nan, start, start, ""))

    for _ in range(count):
        run("cpu", at, CPU)
        run("gpu", at + 0.02, GPU)
        at += 0.04
    for _ in range(count):
        # The GPU runs twice and more beside each run of the CPU.
        run("cpu", at, CPU / rate)
        for k in range(2):
            run("gpu", at + k * GPU / rate, GPU / rate)
        at += 0.2
    return rows


def test_a_demand_that_slows_both_is_found_again() -> None:
    instance = read_instance("chip.yaml", text=TEXT)
    stated = {("net", "cpu", ""): CPU, ("net", "gpu", ""): GPU}
    found = demands_of_telemetry(instance, telemetry(rate=0.625), stated)
    assert found is not None
    assert (found.resource, found.capacity, found.pairs) == ("dram", 20.0, 1)
    assert found.demand == pytest.approx(
        {("net", "cpu", ""): 16.0, ("net", "gpu", ""): 16.0}, rel=0.02
    )
    assert found.loss == 0


def test_too_few_executions_beside_each_other_say_nothing() -> None:
    instance = read_instance("chip.yaml", text=TEXT)
    stated = {("net", "cpu", ""): CPU, ("net", "gpu", ""): GPU}
    assert demands_of_telemetry(instance, telemetry(rate=0.6, count=4), stated) is None


@pytest.mark.parametrize("stated", [1, 8])
def test_options_that_do_not_slow_each_other_keep_their_demands(stated: int) -> None:
    """Full speed beside each other says only that both demands fit: 1 and 1 as well as 8 and 8."""
    text = TEXT.replace("{dram: 1}", f"{{dram: {stated}}}")
    alone = {("net", "cpu", ""): CPU, ("net", "gpu", ""): GPU}
    free = TEXT.replace("resources:", "# resources:").replace(", uses: {dram: 1}", "")
    for instance in (read_instance("chip.yaml", text=text), read_instance("box.yaml", text=free)):
        assert demands_of_telemetry(instance, telemetry(rate=1.0), alone) is None


def test_demands_that_would_slow_what_is_not_slowed_come_down() -> None:
    instance = read_instance("chip.yaml", text=TEXT.replace("{dram: 1}", "{dram: 16}"))
    alone = {("net", "cpu", ""): CPU, ("net", "gpu", ""): GPU}
    found = demands_of_telemetry(instance, telemetry(rate=1.0), alone)
    assert found is not None
    assert sum(found.demand.values()) <= 20.0 * 1.02


def test_calibrate_tells_demands_and_writes_them_where_the_instance_states_some(
    tmp_path: Path,
) -> None:
    (tmp_path / "chip.yaml").write_text(TEXT, encoding="utf-8")
    lines = ["device,task,label,start_s,time_s"]
    lines += [
        f"{r.device},{r.task},{r.label},{r.start_s!r},{r.time_s!r}" for r in telemetry(rate=0.625)
    ]
    (tmp_path / "seen.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["calibrate", str(tmp_path / "chip.yaml"), str(tmp_path / "seen.csv")]
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    demands = json.loads(told.stdout)["demands"]
    assert demands["resource"] == "dram"
    assert [d["demand"] for d in demands["options"]] == pytest.approx([16.0, 16.0], rel=0.02)
    out = tmp_path / "better.yaml"
    wrote = CliRunner().invoke(app, [*arguments, "-o", str(out)])
    assert wrote.exit_code == 0, wrote.output
    assert "demand" in wrote.output
    text = out.read_text(encoding="utf-8")
    assert "# a guess" in text
    better = read_instance(str(out))
    assert better.uses.amount.tolist() == pytest.approx([16.0, 16.0], rel=0.02)
