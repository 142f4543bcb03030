"""``hetopt simulate`` as its user runs it, and an hour of Azure's requests."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import hetopt
from bench.azure import hour
from hetopt import InputError
from tests.command_line import hetopt as run

FLEET = """
hetopt: 1
name: fleet
regime: steady
objective: power
power_cap: 500 W
energy_price: 0.3 EUR/kWh
carbon_intensity: 300 g/kWh
devices:
  - {name: big, kind: gpu, count: 3, idle_power: 50 W, price: 1 EUR/h}
  - {name: small, kind: gpu, count: 4, idle_power: 5 W, price: 0.2 EUR/h}
profiles:
  p:
    - {device: big, time: 0.1 s, time_low: 0.08 s, time_high: 0.15 s, interval: 0.9, energy: 2 J}
    - {device: small, time: 0.5 s, energy: 4 J}
jobs:
  - {name: chat, profile: p, rate: 12, latency_slo: 1 s}
"""
"""A fleet with everything that a simulation may state."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(tmp_path_factory.mktemp("fleet")) / "fleet.yaml"
    path.write_text(FLEET, encoding="utf-8")
    return path


def simulated(fleet: Path, *arguments: object) -> dict[str, object]:
    done = run("simulate", fleet, "--requests", 600, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(fleet: Path) -> None:
    def figures(*arguments: object) -> list[dict[str, object]]:
        found = simulated(fleet, "--policy", "plan", "--policy", "price", *arguments)
        for policy in found["policies"]:
            for row in policy["replications"]:
                row.pop("wall_time_s")
        return found["policies"]

    assert figures("--failures", "60s/5s") == figures("--failures", "60s/5s")
    assert figures("--seed", 1) != figures("--seed", 2)


def test_no_policy_is_below_the_bound_whatever_happens(fleet: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(
        '{"event": "rate_changed", "time_s": 10, "job": "chat", "rate_per_s": 20}\n'
        '{"event": "device_down", "time_s": 15, "device": "big"}\n'
        '{"event": "device_up", "time_s": 25, "device": "big"}\n'
        '{"event": "cap_changed", "time_s": 20, "power_cap_w": 100}\n',
        encoding="utf-8",
    )
    every = ("plan", "greedy", "energy-greedy", "price", "rolling", "homogeneous")
    found = simulated(
        fleet,
        *(part for policy in every for part in ("--policy", policy)),
        *("--events", events, "--start-up", "big=2s", "--replications", 2, "--delta", "3s"),
    )
    for policy in found["policies"]:
        for name in ("energy_over_bound", "cost_over_bound", "carbon_over_bound"):
            assert policy[name] >= 1.0, policy["policy"]
        for row, bound in zip(policy["replications"], found["bounds"], strict=True):
            assert row["mean_latency_s"] >= bound["mean_latency_s"]
            assert row["misses"] >= bound["misses"]
            assert row["unserved"] == 0
    assert {p["policy"] for p in found["policies"]} | set(found["failed"]) == {
        *every[:-1],
        "only:big",
        "only:small",
    }


def test_pages_and_tables_are_written(fleet: Path, tmp_path: Path) -> None:
    for name in ("page.html", "all.json", "rows.csv"):
        done = run("simulate", fleet, "--requests", 200, "--policy", "plan", "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "proven bound" in done.stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("Power over time", "Requests waiting over time", "power cap", "took longer"):
        assert part in page
    assert page.count("<svg") == 4
    assert "http" not in page.split("</style>")[1]
    assert list(pd.read_csv(tmp_path / "rows.csv").policy) == ["plan"]


def test_a_plan_file_is_kept_to(fleet: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert run("solve", fleet, "--demand", 2, "-o", plan).returncode == 0
    more = simulated(fleet, plan, "--policy", "plan", "--no-bound")
    fewer = simulated(fleet, "--policy", "plan", "--no-bound")
    assert more["policies"][0]["mean_units_on"] > fewer["policies"][0]["mean_units_on"]
    assert more["bounds"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--policy", "clever"), "policy: got clever; One of plan, greedy"),
        (("--policy", "only:huge"), "only:big"),
        (("--arrivals", "nowhere.csv"), "--arrivals: got nowhere.csv"),
        (("--arrivals", "bursty:-1"), "0 < CV"),
        (("--failures", "often"), "--failures"),
        (("--events", "nowhere"), "--events"),
        (("--start-up", "huge=3s"), "start_up: got huge"),
        (("--start-up", "3 W"), "start_up: got 3 W"),
        (("--shared", "huge"), "shared: got huge"),
        (("--times", "random"), "times: got random"),
        (("--plan-for", "noon"), "plan_for: got noon"),
        (("--columns", "time"), "--columns: got time"),
        (("--replications", "0"), "replications: got 0"),
        (("--delta", "0"), "delta: got 0"),
        (("-o", "page.pdf"), "-o: got page.pdf"),
    ],
)
def test_bad_input_is_one_clear_error(fleet: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run("simulate", fleet, "--requests", 50, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_replications_are_the_same_wherever_they_run(fleet: Path) -> None:
    def figures(*arguments: object) -> object:
        found = simulated(fleet, "--policy", "plan", "--policy", "price", *arguments)
        for policy in found["policies"]:
            for row in policy["replications"]:
                row.pop("wall_time_s")
        return found["policies"], found["bounds"]

    several = ("--replications", 3, "--times", "30%")
    assert figures(*several) == figures(*several, "--jobs", 2)


SCHEDULE = """
hetopt: 1
name: frames
regime: schedule
objective: energy
horizon: 0.5 s
power_cap: 40 W
devices:
  - {name: cpu, kind: cpu, idle_power: 2 W, off_when_unused: false}
  - {name: npu, kind: npu, count: 2, idle_power: 1 W}
links:
  - {from: cpu, to: npu, bandwidth: 1 GB/s, channels: 1, energy_per_byte: 1 nJ/B}
  - {from: npu, to: cpu, bandwidth: 1 GB/s, channels: 1, energy_per_byte: 1 nJ/B}
profiles:
  see:
    - {device: cpu, time: 60 ms, energy: 1.5 J}
    - {device: npu, time: 20 ms, time_low: 15 ms, time_high: 30 ms, interval: 0.9, energy: 0.3 J}
  act:
    - {device: cpu, time: 5 ms, energy: 50 mJ}
tasks:
  - {name: see, profile: see, job: frame}
  - {name: act, profile: act, job: frame}
transfers:
  - {from: see, to: act, bytes: 1 MB}
jobs:
  - {name: frame, period: 100 ms, deadline: 90 ms}
"""


@pytest.fixture(scope="module")
def frames_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(tmp_path_factory.mktemp("frames")) / "frames.yaml"
    path.write_text(SCHEDULE, encoding="utf-8")
    return path


def test_a_schedule_is_simulated_with_failures_and_caps(frames_file: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(
        '{"event": "device_down", "time_s": 0.11, "device": "npu", "unit": 0}\n'
        '{"event": "cap_changed", "time_s": 0.2, "power_cap_w": 30}\n',
        encoding="utf-8",
    )

    def found(*arguments: object) -> dict[str, object]:
        every = ("plan", "greedy", "energy-greedy", "price", "rolling", "homogeneous")
        asked = [part for policy in every for part in ("--policy", policy)]
        done = run(
            *("simulate", frames_file, *asked, "--events", events, "--replications", 2),
            *("--time-limit", 30, "--json", *arguments),
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = json.loads(done.stdout)
        for policy in answer["policies"]:
            for row in policy["replications"]:
                row.pop("wall_time_s")
        return answer

    one = found("--jobs", 2)
    assert {p["policy"] for p in one["policies"]} == {
        *("plan", "greedy", "energy-greedy", "price", "rolling", "only:cpu"),
    }
    assert "only:npu" in one["failed"]
    for policy in one["policies"]:
        assert policy["unserved"] == 0
        assert policy["over_cap_s"] == 0
        assert policy["energy_over_bound"] >= 1 - 1e-6
        assert policy["makespan_over_bound"] >= 1 - 1e-6
    lost = {p["policy"]: p["lost_runs"] for p in one["policies"]}
    assert lost["plan"] == lost["greedy"] > 0
    assert one["policies"] == found()["policies"]


def test_pages_and_tables_of_schedules_are_written(frames_file: Path, tmp_path: Path) -> None:
    instance = hetopt.read_instance(frames_file)
    found = hetopt.simulate(instance, policies=["greedy", "price"], times="20 %", time_limit=1)
    for name in ("page.html", "all.json", "rows.csv"):
        found.save(tmp_path / name)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("Power over time", "power cap", "Work done over time", "What ran: greedy"):
        assert part in page
    assert "http" not in page.split("</style>")[1].replace("http://www.w3.org/2000/svg", "")
    assert "proven bound" in str(found)
    assert list(pd.read_csv(tmp_path / "rows.csv").policy) == ["greedy", "price"]
    frames = found.frames()
    assert set(frames) == {"policies", "jobs", "devices", "tasks", "bounds", "series"}
    assert len(frames["tasks"]) == 2 * len(instance.tasks)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--requests", 5), "requests: got 5"),
        (("--arrivals", "bursty"), "arrivals: got bursty"),
        (("--start-up", "3s"), "start_up"),
        (("--times", "fast"), "times: got fast; One of interval, fixed, exponential, or a spread"),
        (("--policy", "clever"), "policy: got clever"),
    ],
)
def test_what_is_about_streams_is_refused_of_schedules(
    frames_file: Path, arguments: tuple[object, ...], words: str
) -> None:
    done = run("simulate", frames_file, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_trace_is_read_by_the_names_of_its_columns(fleet: Path) -> None:
    instance = hetopt.read_instance(fleet)
    frame = pd.DataFrame({"at": [0.0, 1.0, 2.5], "what": ["chat"] * 3, "size": [1.0, 2.0, 1.0]})
    columns = {"time": "at", "job": "what", "work": "size"}
    found = hetopt.simulate(instance, policies="plan", arrivals=frame, columns=columns)
    assert len(found.requests) == 3
    # Works of 1, 2 and 1 over their mean.
    assert found.requests.work[:, 0] == pytest.approx([0.75, 1.5, 0.75])
    assert "proven bound" in str(found)
    assert set(found.frames()) == {"policies", "jobs", "devices", "bounds", "series"}
    assert len(found.requests_frame()) == 3
    with pytest.raises(InputError, match="row 2, column at"):
        hetopt.simulate(instance, arrivals=frame.assign(at=[0.0, -1.0, 2.0]), columns=columns)
    # Work that belongs to no task is not left out in silence.
    with pytest.raises(InputError, match=r"work\.decode; work\.TASK, a task of the instance"):
        hetopt.simulate(instance, arrivals=frame.assign(**{"work.decode": 1.0}), columns=columns)


def test_rolling_saves_half_of_what_the_bound_leaves_in_an_hour_of_azure(
    shared_path: object,
) -> None:
    trace = shared_path("data", "azure_llm_2023.csv")
    for part in ("conv", "all"):
        found = hour(trace, part, ("plan", "greedy", "price", "rolling", "homogeneous"))
        simulation = found.simulation
        assert found.saved("rolling") >= 0.5
        assert simulation.mean("rolling", "misses") <= 0.01
        assert all(simulation.over_bound(policy) >= 1.0 for policy in simulation.policies)
        assert "only:a100" in simulation.policies
        assert found.seconds < 60
