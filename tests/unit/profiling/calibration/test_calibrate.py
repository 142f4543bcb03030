from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from hetopt import InputError, read_instance, robust
from hetopt.profiling.calibration.calibrate import calibrate, with_calibration
from hetopt.profiling.calibration.drift import Watch
from hetopt.profiling.calibration.load_curve import fit_load_curves
from hetopt.profiling.calibration.location import robust_location
from hetopt.profiling.calibration.telemetry import Observation, read_telemetry
from tests import command_line

BOX = """\
# my box
hetopt: 1
objective: energy
devices:
  - {name: cpu, kind: cpu, idle_power: 2 W}  # the host
  - name: npu
    kind: npu
    idle_power: 0.3 W
profiles:
  detect:
    # measured in May
    - {device: cpu, precision: fp32, time: 15 ms, power: 6 W}
    - device: npu
      precision: int8
      time: 6 ms  # fast
      energy: 10 mJ
      estimated: true
tasks:
  - {name: d1, profile: detect}
  - {name: d2, profile: detect, work: 2}
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "box.yaml").write_text(BOX)
    return tmp_path / "box.yaml"


def observations(
    count: int,
    time: float = 0.0072,
    spread: float = 0.05,
    outliers: float = 0.1,
    seed: int = 0,
    first: int = 0,
    **fields: object,
) -> list[Observation]:
    random = np.random.default_rng(seed)
    rows = []
    for i in range(first, first + count):
        factor = math.exp(random.normal(0, spread))
        if random.random() < outliers:
            factor *= random.uniform(2, 10)
        given = {"device": "npu", "task": "d1", "label": "int8", "energy_j": 0.012 * factor}
        rows.append(
            Observation(
                **({"unit": 0, "place": f"t:{i}", "start_s": float(i)} | given | fields),
                time_s=time * factor,
                at_s=float(i),
            )
        )
    return rows


def telemetry(path: Path, rows: list[Observation]) -> Path:
    lines = ["device,task,label,start_s,time_s,energy_j,timestamp"]
    lines += [
        f"{r.device}#0,{r.task},{r.label},{r.start_s},{r.time_s:.9f},{r.energy_j:.9f},{r.at_s}"
        for r in rows
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("spread", [0.02, 0.05, 0.1])
def test_known_parameters_are_found_within_two_per_cent_among_outliers(
    box: Path, seed: int, spread: float
) -> None:
    true = 0.0072
    found = calibrate(read_instance(box), observations(200, true, spread, seed=seed))
    (known,) = found.values()
    assert known.time.value == pytest.approx(true, rel=0.02)
    assert known.energy.value == pytest.approx(0.012, rel=0.02)
    assert known.outliers >= 5
    expected = math.exp(1.645 * spread)
    assert known.time.high / known.time.value == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("spread", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("outliers", [0.0, 0.1])
def test_a_slow_down_of_thirty_per_cent_is_flagged_within_twenty_executions(
    spread: float, outliers: float
) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        watch = Watch()
        change = 150 + seed
        for i in range(change + 20):
            sample = random.normal(0, spread) + (math.log(1.3) if i >= change else 0.0)
            if random.random() < outliers:
                sample += math.log(random.uniform(2, 10))
            watch.add(sample, float(i))
        assert len(watch.changes) == 1
        assert watch.changes[0].at_s == pytest.approx(change, abs=5)


@pytest.mark.parametrize("spread", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("outliers", [0.0, 0.1])
def test_ten_thousand_stable_executions_raise_no_alarm(spread: float, outliers: float) -> None:
    random = np.random.default_rng(11)
    samples = random.normal(0, spread, 10_000)
    hit = random.random(10_000) < outliers
    samples[hit] += np.log(random.uniform(2, 10, int(hit.sum())))
    watch = Watch()
    for i, sample in enumerate(samples.tolist()):
        watch.add(sample, float(i))
    assert watch.changes == []


def test_after_a_change_only_what_follows_counts(box: Path) -> None:
    rows = observations(200, 0.006) + observations(100, 0.0078, seed=1, first=200)
    (known,) = calibrate(read_instance(box), rows).values()
    assert known.time.value == pytest.approx(0.0078, rel=0.02)
    assert known.watch.changes[0].factor == pytest.approx(1.3, rel=0.05)


def test_few_executions_move_a_measured_figure_little_and_an_estimated_one_much(box: Path) -> None:
    rows = observations(3, 0.012, 0.0, 0.0)
    (known,) = calibrate(read_instance(box), rows).values()
    assert 0.0095 < known.time.value < 0.012
    assert known.still_estimated
    slow = observations(3, 0.030, 0.0, 0.0, device="cpu", label="fp32")
    (known,) = calibrate(read_instance(box), slow).values()
    assert known.time.value < 0.020


def test_an_instance_in_memory_takes_the_figures_too(box: Path) -> None:
    instance = read_instance(box)
    made = with_calibration(instance, calibrate(instance, observations(200)))
    assert made.options.time_s[0] == instance.options.time_s[0]
    assert made.options.time_s[1] == pytest.approx(0.0072, rel=0.02)
    assert made.options.time_low_s[1] < made.options.time_s[1] < made.options.time_high_s[1]
    assert not made.options.estimated.any()
    assert instance.options.estimated.any()


def test_work_of_a_task_scales_what_is_observed(box: Path) -> None:
    rows = observations(100, 0.0144, 0.02, 0.0, task="d2")
    (known,) = calibrate(read_instance(box), rows).values()
    assert known.time.value == pytest.approx(0.0072, rel=0.01)


def test_telemetry_in_parts_says_what_it_says_in_one(box: Path) -> None:
    rows = observations(300)
    instance = read_instance(box)
    whole = calibrate(instance, rows)
    parts = calibrate(instance, rows[130:], calibrate(instance, rows[:130]))
    again = calibrate(instance, rows, whole)
    key = ("detect", "npu", "int8")
    assert parts[key].time == whole[key].time == again[key].time
    assert parts[key].watch == whole[key].watch
    assert again[key].added == 0


def test_running_it_twice_changes_nothing_and_keeps_comments_order_and_units(
    box: Path, tmp_path: Path
) -> None:
    data = telemetry(tmp_path / "t.csv", observations(200))
    assert command_line.hetopt("calibrate", box, data, "-o", box).returncode == 0
    state = tmp_path / "box.yaml.calibration.json"
    first, kept = box.read_bytes(), state.read_bytes()
    assert command_line.hetopt("calibrate", box, data, "-o", box).returncode == 0
    assert (box.read_bytes(), state.read_bytes()) == (first, kept)
    lines = first.decode().splitlines()
    assert lines[0] == "# my box"
    assert any("# the host" in line for line in lines)
    assert any("# measured in May" in line for line in lines)
    assert any(line.strip().startswith("time: 7.") and "ms" in line for line in lines)
    before = [line.partition(":")[0] for line in BOX.splitlines() if line.partition(":")[1]]
    after = [line.partition(":")[0] for line in lines if line.partition(":")[1]]
    assert [line for line in after if line in before] == before
    made = read_instance(box)
    assert made.options.time_s[1] == pytest.approx(0.0072, rel=0.02)
    assert not made.options.estimated.any()
    planned = robust(made, 0.95).options.time_s[1]
    assert planned == pytest.approx(made.options.time_high_s[1], rel=1e-12)


def test_an_option_that_states_its_draw_keeps_stating_it(box: Path, tmp_path: Path) -> None:
    rows = observations(100, 0.02, 0.01, 0.0, device="cpu", label="fp32", energy_j=0.1)
    data = telemetry(tmp_path / "t.csv", rows)
    assert command_line.hetopt("calibrate", box, data, "-o", box).returncode == 0
    made = read_instance(box)
    assert made.options.energy_j[0] == pytest.approx(0.1, rel=0.03)
    assert "power: " in box.read_text()


def test_a_json_instance_is_written_back_too(box: Path, tmp_path: Path) -> None:
    assert command_line.hetopt("convert", box, "-o", tmp_path / "a.json").returncode == 0
    data = telemetry(tmp_path / "t.csv", observations(100))
    done = command_line.hetopt("calibrate", tmp_path / "a.json", data, "-o", tmp_path / "b.json")
    assert done.returncode == 0
    assert read_instance(tmp_path / "b.json").options.time_s[1] == pytest.approx(0.0072, rel=0.02)


def test_an_edited_figure_begins_anew(box: Path, tmp_path: Path) -> None:
    data = telemetry(tmp_path / "t.csv", observations(100))
    assert command_line.hetopt("calibrate", box, data, "-o", box).returncode == 0
    box.write_text(re.sub(r"time: 7[.]\d+", "time: 7.5", box.read_text()))
    more = telemetry(tmp_path / "u.csv", observations(50, 0.0095, first=100))
    shown = json.loads(command_line.hetopt("calibrate", box, more, "--json").stdout)
    assert shown["options"][0]["executions"] == 50


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",int8,", ",int4,", "label of d1 on npu"),
        (",d1,", ",d9,", "A task of the instance"),
        ("npu#0", "tpu#0", "A device of the instance"),
        ("device,task", "device,what", "missing: task"),
        ("timestamp", "when", "start"),
    ],
)
def test_what_the_instance_does_not_have_is_an_error(
    box: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    data = telemetry(tmp_path / "t.csv", observations(5))
    text = data.read_text().replace(old, new)
    data.write_text(text.replace("start_s", "begin") if new == "when" else text)
    done = command_line.hetopt("calibrate", box, data, "-o", tmp_path / "out.yaml")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "At least one execution"),
        ("npu,d1,int8,0,0,,\n", "At least one execution"),
        ("npu,d1,int8,,0.006,,yesterday\n", "or a date such as"),
    ],
)
def test_telemetry_that_says_nothing_is_an_error(box: Path, tmp_path: Path, rows, said) -> None:
    data = tmp_path / "t.csv"
    data.write_text(f"device,task,label,start_s,time_s,energy_j,timestamp\n{rows}")
    done = command_line.hetopt("calibrate", box, data, "-o", tmp_path / "out.yaml")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_catalogue_options_cannot_be_written_back_and_the_error_says_what_to_do(
    tmp_path: Path, repo_path: Path
) -> None:
    source = repo_path / "instances" / "edge-boards.yaml"
    shutil.copy(source, tmp_path / "a.yaml")
    instance = read_instance(tmp_path / "a.yaml")
    profile = str(instance.profiles.name[0])
    option = int(instance.profiles.ptr[0])
    row = observations(
        1,
        float(instance.options.time_s[option]),
        device=str(instance.devices.name[instance.options.device[option]]),
        task=profile,
        label=str(instance.options.label[option]),
    )
    data = telemetry(tmp_path / "t.csv", row)
    done = command_line.hetopt("calibrate", tmp_path / "a.yaml", data, "-o", tmp_path / "b.yaml")
    assert done.returncode == 2
    assert "hetopt convert" in done.stderr


def test_another_column_may_be_the_time(box: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = [f"npu,d1,int8,{i},0.02,0.0072" for i in range(50)]
    path.write_text("\n".join(["device,task,label,start_s,time_s,cpu_s", *lines]))
    done = command_line.hetopt("calibrate", box, path, "--columns", "cpu_s=time", "--json")
    assert json.loads(done.stdout)["options"][0]["time_s"] == pytest.approx(0.0072, rel=0.01)


def test_drift_and_outliers_are_told(box: Path, tmp_path: Path) -> None:
    rows = observations(200, 0.006) + observations(100, 0.0078, seed=1, first=200)
    done = command_line.hetopt("calibrate", box, telemetry(tmp_path / "t.csv", rows))
    assert "drift: detect on npu int8: +3" in done.stdout
    assert "since 200 s" in done.stdout
    assert "outliers: detect on npu int8" in done.stdout


def test_executions_beside_another_device_are_told_from_those_alone(
    box: Path, tmp_path: Path
) -> None:
    npu = [
        Observation("npu", 0, "d1", "int8", 0.009 if i % 2 else 0.006, 0.01, i * 1.0, i * 1.0, "t")
        for i in range(40)
    ]
    cpu = [
        Observation("cpu", 0, "d1", "fp32", 0.015, 0.05, i * 1.0, i * 1.0 - 0.003, "t")
        for i in range(1, 40, 2)
    ]
    data = telemetry(tmp_path / "t.csv", [*npu, *cpu])
    shown = json.loads(command_line.hetopt("calibrate", box, data, "--json").stdout)
    (pair,) = [p for p in shown["overlaps"] if p["device"] == "npu"]
    assert pair["factor"] == pytest.approx(1.5)


def test_idle_and_dynamic_power_follow_from_a_load_curve(box: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    lines = ["device,load [%],power [W]"]
    for i in range(50):
        load = i * 2
        power = 3 + 0.05 * load + random.normal(0, 0.05) + (5 if i % 10 == 0 else 0)
        lines.append(f"cpu,{load},{power:.4f}")
    (tmp_path / "load.csv").write_text("\n".join(lines) + "\n")
    (curve,) = fit_load_curves(read_instance(box), tmp_path / "load.csv")
    assert curve.dynamic_w == pytest.approx(5, rel=0.05)
    assert curve.idle_w == pytest.approx((50 * 3 + 5 * 2) / 55, rel=0.02)
    done = command_line.hetopt("calibrate", box, "--load", tmp_path / "load.csv", "-o", box)
    assert done.returncode == 0
    assert read_instance(box).devices.idle_power_w[0] == curve.idle_w


def test_location_and_spread_survive_nearly_half_of_outliers() -> None:
    random = np.random.default_rng(4)
    samples = np.append(random.normal(0.2, 0.05, 120), random.uniform(1, 3, 60))
    found = robust_location(samples)
    assert found.location == pytest.approx(0.2, abs=0.02)
    assert found.spread == pytest.approx(0.05, rel=0.25)
    assert found.outlier.sum() >= 60


def test_telemetry_is_read_from_json_lines_with_dates(tmp_path: Path) -> None:
    rows = [
        {"device": "npu", "task": "d1", "label": "int8", "time_s": 0.006, "timestamp": stamp}
        for stamp in ("2026-11-30T12:00:01", "2026-11-30T12:00:00.5Z")
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = read_telemetry([path])
    assert second.at_s - first.at_s == pytest.approx(0.5)
    path.write_text(json.dumps(rows[0] | {"time_s": 0}))
    assert read_telemetry([path]) == []
    path.write_text(json.dumps(rows[0] | {"time_s": -1}))
    with pytest.raises(InputError, match="at least 0"):
        read_telemetry([path])
