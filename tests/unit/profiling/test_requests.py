from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hetopt import InputError
from hetopt.formats.native.yaml_source import parse_yaml
from hetopt.profiling.requests import parts_of, read_trace, request_document, request_profile
from tests import command_line


def poisson(path: Path, rate: float = 5.0, count: int = 4000) -> Path:
    random = np.random.default_rng(5)
    times = np.cumsum(random.exponential(1 / rate, count))
    lines = ["time_s,input,output"]
    lines += [
        f"{t:.6f},{random.integers(1, 1000)},{random.integers(1, 100)}" for t in times.tolist()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rates_of_classes_and_periods_add_up_to_all_requests(tmp_path: Path) -> None:
    trace = read_trace(poisson(tmp_path / "a.csv"))
    found = request_profile(trace, period_s=100, classes=(3, 2))
    assert len(found["classes"]) == 6
    assert sum(c["share"] for c in found["classes"]) == pytest.approx(1)
    served = sum(p["duration_s"] * sum(p["rates"].values()) for p in found["periods"])
    assert served == pytest.approx(4000)
    total = sum(c["rate_per_s"] for c in found["classes"]) * found["duration_s"]
    assert total == pytest.approx(4000)
    assert all(c["share"] == pytest.approx(1 / 6, abs=0.02) for c in found["classes"])


def test_poisson_arrivals_vary_as_poisson_arrivals_do(tmp_path: Path) -> None:
    whole = request_profile(read_trace(poisson(tmp_path / "a.csv")))["all"]
    assert whole["rate_per_s"] == pytest.approx(5, rel=0.05)
    assert whole["interarrival_cv2"] == pytest.approx(1, abs=0.1)
    assert whole["dispersion_1s"] == pytest.approx(1, abs=0.15)


def test_azures_own_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "azure.csv"
    path.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
    )
    trace = read_trace(path)
    assert trace.time_s.tolist() == pytest.approx([0, 4.314579], abs=1e-5)
    assert trace.input.tolist() == [374, 396]


def test_mooncakes_own_form_counts_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "mooncake.jsonl"
    rows = [
        {"timestamp": t, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}
        for t in (0, 0, 27482)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_trace(path).time_s[-1] == pytest.approx(27.482)


def test_the_traces_of_the_reference_data_are_read(shared_path) -> None:
    azure = request_profile(read_trace(shared_path("data", "azure_llm_2023.csv")), period_s=60)
    assert azure["requests"] == 28185
    assert len(azure["classes"]) == 8
    code = [sum(r for c, r in p["rates"].items() if "code" in c) for p in azure["periods"]]
    assert code.count(0) == 15  # minutes without any, counted from the first request of either
    mooncake = read_trace(shared_path("data", "mooncake_conversation.csv"))
    assert "1,180 instants" in mooncake.notes[0]


def test_equal_lengths_make_no_second_class(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,input\n" + "".join(f"{i},100\n" for i in range(10)))
    found = request_profile(read_trace(path), classes=(4, 4))
    assert [c["name"] for c in found["classes"]] == ["all"]


def test_periods_follow_each_other_for_as_long_as_the_trace(tmp_path: Path) -> None:
    profile = request_profile(read_trace(poisson(tmp_path / "a.csv")), period_s=100)
    document = request_document(profile, in_time=True)
    assert "scenarios" not in document
    lasts = [p["duration_s"] for p in document["periods"]]
    assert sum(lasts) == pytest.approx(profile["duration_s"])
    assert [p["rates"] for p in document["periods"]] == [p["rates"] for p in profile["periods"]]


def test_jobs_and_scenarios_are_those_of_an_instance(tmp_path: Path) -> None:
    done = command_line.hetopt(
        *("profile", poisson(tmp_path / "a.csv"), "--as", "requests", "--classes", "2x1"),
        *("--period", "2 min", "-o", tmp_path / "r.yaml"),
    )
    assert done.returncode == 0
    assert "4,000 requests" in done.stdout
    data = parse_yaml((tmp_path / "r.yaml").read_text(), "r.yaml").data
    assert [job["name"] for job in data["jobs"]] == list(data["scenarios"][0]["rates"])
    assert sum(s["weight"] for s in data["scenarios"]) == pytest.approx(800, rel=0.05)


def test_a_trace_is_told_by_its_columns(tmp_path: Path) -> None:
    done = command_line.hetopt("profile", poisson(tmp_path / "a.csv", count=50), "--json")
    assert json.loads(done.stdout)["hetopt_requests"] == 1


def test_what_requests_serve_is_an_instance_once_devices_are_there(tmp_path: Path) -> None:
    import hetopt

    found = request_document(request_profile(read_trace(poisson(tmp_path / "a.csv"))))
    option = {"device": "gpu", "time": "10 ms", "energy": "1 J"}
    profiles = {job["profile"]: [option] for job in found["jobs"]}
    devices = [{"name": "gpu", "kind": "gpu", "count": {"min": 0, "max": 4}}]
    text = json.dumps({"hetopt": 1, **found, "devices": devices, "profiles": profiles})
    (tmp_path / "a.json").write_text(text)
    instance = hetopt.read_instance(tmp_path / "a.json")
    assert len(instance.scenarios) > 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "column for time"),
        ("time,input\n1,2\n", "two requests"),
        ("time,input\n1,2\n1,3\n", "more than one time"),
        ("time,input\n1,2\nnever,3\n", "a.csv:3"),
        ("time,input\n1,-2\n2,3\n", "at least 0"),
    ],
)
def test_a_wrong_trace_is_one_clear_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    done = command_line.hetopt("profile", tmp_path / "a.csv", "--as", "requests")
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("text", ["2", "0x2", "9x9", "x"])
def test_classes_that_make_no_sense_are_refused(text: str, tmp_path: Path) -> None:
    path = poisson(tmp_path / "a.csv", count=50)
    flags = ("--as", "requests", "--classes", text)
    assert command_line.hetopt("profile", path, *flags).returncode == 2
    with pytest.raises(InputError):
        request_profile(read_trace(path), classes=parts_of(text))
