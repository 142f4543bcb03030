"""What has no effect on a run is told, and requests that come all at once have no rate."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hetopt import read_instance, simulate
from hetopt.errors import InputError
from hetopt.simulate.events import CapChanged, DeviceDown, RateChanged

STREAM = """
hetopt: 1
regime: steady
objective: power
devices: [{name: gpu, kind: gpu, count: 2, idle_power: 5 W}]
profiles: {see: [{device: gpu, time: 10 ms, energy: 50 mJ}]}
jobs: [{name: see, profile: see, rate: 50 /s}]
"""
SCHEDULE = """
hetopt: 1
objective: makespan
devices: [{name: gpu, kind: gpu, count: 2, idle_power: 5 W}]
profiles: {see: [{device: gpu, time: 10 ms, energy: 50 mJ}]}
tasks: [{name: a, profile: see}, {name: b, profile: see}]
"""
AT_ONCE = pd.DataFrame({"time_s": [3.0] * 40, "job": ["see"] * 40})


def test_events_after_the_end_of_all_runs_are_told() -> None:
    events = [CapChanged(0.1, 50.0), DeviceDown(1e6, "gpu", 0), RateChanged(1e5, "see", 1.0)]
    found = simulate(
        read_instance("s.yaml", text=STREAM), policies="plan", requests=100, events=events
    )
    late, rates = found.notes
    assert late.startswith("device_down at")
    assert "without effect" in late
    assert "cap_changed" not in late
    assert rates.startswith("rate_changed at")
    assert "last request" in rates
    assert late in str(found)


def test_events_of_a_schedule_after_its_end_are_told(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    path.write_text("time_s,device,unit,event\n100,gpu,0,down\n200,gpu,0,up\n")
    found = simulate(
        read_instance("s.yaml", text=SCHEDULE), policies="plan", failures=str(path), bound=False
    )
    (note,) = found.notes
    assert "device_down" in note
    assert "device_up" in note


def test_runs_without_such_events_have_no_notes() -> None:
    found = simulate(read_instance("s.yaml", text=STREAM), policies="plan", requests=50)
    assert found.notes == ()


def test_a_trace_whose_requests_come_at_once_is_planned_for_at_stated_rates() -> None:
    found = simulate(
        read_instance("s.yaml", text=STREAM), policies=["plan", "rolling"], arrivals=AT_ONCE
    )
    assert found.settings["planned_rates_per_s"] == {"see": 50.0}
    assert found.settings["delta_s"] == pytest.approx(40 / 50 / 60)
    assert all(o.totals["unserved"] == 0 for o in found.outcomes)
    assert sum("at once" in note for note in found.notes) == 2
    with pytest.raises(InputError, match="no rate follows"):
        simulate(
            read_instance("s.yaml", text=STREAM),
            policies="plan",
            arrivals=AT_ONCE,
            plan_for="peak",
        )
