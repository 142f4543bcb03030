"""Streams on devices that slow each other down: measured pairs, power, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import read_instance, simulate
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.runtime.jit import plain
from hetopt.simulate import Simulation

CHIP = """
hetopt: 1
regime: steady
objective: throughput
{resources}
devices: [{{name: cpu, kind: cpu}}, {{name: igpu, kind: gpu}}]
profiles:
  resnet-50:
    - {{device: cpu, label: int8, time: 5.735589 ms, energy: 60 mJ{uses}}}
    - {{device: igpu, label: int8, time: 4.814173 ms, energy: 30 mJ{uses}}}
jobs: [{{name: classify, profile: resnet-50, rate: 230 images/s}}]
"""
WATTS = "resources: [{name: watts, capacity: 15, sharing: slow}]"
COUNT = 450
CPU_W, GPU_W = 0.060 / 5.735589e-3, 0.030 / 4.814173e-3
BOTH_W = (CPU_W + GPU_W) * 15 / (2 * 12.2286)


def chip(resources: str = WATTS, uses: str = ", uses: {watts: 12.2286}") -> Instance:
    return read_instance("chip.yaml", text=CHIP.format(resources=resources, uses=uses))


def served(instance: Instance, policy: str, **asked: Any) -> Simulation:
    """Serve more requests than the chip can."""
    arrivals = pd.DataFrame({"time_s": np.arange(COUNT) / 1000.0, "job": "classify"})
    asked = {"plan_for": "stated", "time_limit": 5, "bound": False} | asked
    found = simulate(instance, arrivals=arrivals, policies=[policy], **asked)
    assert isinstance(found, Simulation)
    return found


@pytest.mark.parametrize(
    ("policy", "rate"),
    [
        ("plan", 234.33),
        ("greedy", 234.33),
        ("rolling", 234.33),
        ("only:cpu", 174.35),
    ],
)
def test_a_saturated_chip_serves_what_was_measured(policy: str, rate: float) -> None:
    (outcome,) = served(chip(), policy).outcomes
    assert COUNT / outcome.totals["end_s"] == pytest.approx(rate, rel=0.01)


def test_slowed_power_is_less_and_energy_the_same() -> None:
    outcomes = {
        name: served(instance, "greedy").outcomes[0].totals
        for name, instance in (("slow", chip()), ("apart", chip("", "")))
    }
    spent = {name: totals["energy_j"] for name, totals in outcomes.items()}
    # How many requests each device takes differs a little: their energy is what they say.
    assert spent["slow"] == pytest.approx(spent["apart"], rel=0.02)
    # The GPU is alone at first and at last. That one runs on at full speed for the instant in
    # which another begins is no power that was drawn.
    assert outcomes["slow"]["peak_power_w"] == pytest.approx(BOTH_W, rel=1e-6)
    assert outcomes["apart"]["peak_power_w"] == pytest.approx(CPU_W + GPU_W, rel=1e-6)


def test_time_above_a_cap_counts_slowed_power() -> None:
    over = {}
    for cap in (10.2, 10.3):
        found = chip().with_limits(power_cap_w=cap)
        over[cap] = served(found, "greedy").outcomes[0].totals
    assert 10.2 < BOTH_W < 10.3
    assert over[10.2]["over_cap_s"] > 0.9 * over[10.2]["end_s"]
    assert over[10.3]["over_cap_s"] == 0


def test_a_capacity_for_all_slows_nothing() -> None:
    slow = chip("resources: [{name: watts, capacity: 1000, sharing: slow}]")
    one, two = (served(found, "greedy").outcomes[0].totals for found in (slow, chip("", "")))
    for name in ("end_s", "mean_latency_s", "energy_j", "peak_power_w"):
        assert one[name] == pytest.approx(two[name], rel=1e-12)


def test_where_nothing_slows_nothing_of_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    before = served(chip("", ""), "greedy").outcomes[0].totals
    monkeypatch.setattr(plain("hetopt.simulate.kernels.loop"), "retime", never)
    executions = plain("hetopt.simulate.kernels.executions")
    for name in ("join_slowed", "leave_slowed"):
        monkeypatch.setattr(executions, name, never)
    assert served(chip("", ""), "greedy").outcomes[0].totals == before
    with pytest.raises(AssertionError):
        served(chip(), "greedy")


def test_what_is_not_known_beside_slowing_is_refused() -> None:
    instance = chip()
    with pytest.raises(InputError, match="use no resource that slows"):
        served(instance, "greedy", shared=["cpu"])
    devices = replace(instance.devices, reserved=np.array([0.2, 0.0]))
    with pytest.raises(InputError, match="device cpu, reserved"):
        served(replace(instance, devices=devices), "greedy")
    options = replace(
        instance.options, batch=np.array([4, 1]), latency_s=np.array([5.735589e-3, np.nan])
    )
    with pytest.raises(InputError, match="join batches of cpu one by one"):
        served(replace(instance, options=options), "only:cpu")
