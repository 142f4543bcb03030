from __future__ import annotations

import json
from pathlib import Path

import pytest

from hetopt import InputError, read_instance, solve
from hetopt.profiling.estimated import estimated_document, targets_of, works_of
from hetopt.profiling.operator_work import OperatorWork, as_network
from hetopt.profiling.roofline import estimate
from tests import command_line

onnx = pytest.importorskip("onnx", reason="the onnx extra")


@pytest.fixture(scope="module")
def resnet() -> Path:
    return Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx"


@pytest.fixture(scope="module")
def profiled(resnet: Path):
    from hetopt.profiling.onnx.document import profile_models

    return profile_models([resnet], most_segments=3)


def test_targets_name_a_device_and_a_precision_that_it_has() -> None:
    found = targets_of("t4:float16, edgetpu,t4:fp16")
    assert [(t.processor.device, t.precision) for t in found] == [
        ("t4", "fp16"),
        ("edgetpu", "int8"),
    ]
    for text in ("edgetpu:fp16", "nothing", "t4:fp64"):
        with pytest.raises(InputError):
            targets_of(text)


def test_bytes_scale_with_the_precision_and_operations_do_not(profiled) -> None:
    operators = profiled[0].graph.operators
    whole, small = works_of(operators, "fp32"), works_of(operators, "int8")
    assert sum(w.flop for w in whole) == sum(w.flop for w in small)
    assert sum(w.bytes_b for w in whole) == pytest.approx(4 * sum(w.bytes_b for w in small))
    assert {w.operator for w in whole} >= {"conv", "elementwise", "matmul", "pool"}


def test_networks_count_by_what_runs_on_matrix_units() -> None:
    works = [
        OperatorWork("conv", 8e9, 1e8),
        OperatorWork("elementwise", 1e7, 9e7),
        OperatorWork("matmul", 4e6, 8e6),
    ]
    conv, traffic = as_network(works)
    assert (conv.operator, conv.flop, conv.bytes_b) == ("conv", 8.004e9, 0)
    assert (traffic.operator, traffic.bytes_b) == ("elementwise", 1.08e8)
    assert as_network(works[1:2]) == tuple(works[1:2])


@pytest.mark.parametrize(
    ("device", "precision", "measured_s"),
    [
        ("i7-12700h", "fp32", 0.03281),  # timm, resnet50 at batch 1
        ("i9-10940x", "fp32", 0.01488),
        ("snapdragon-x-elite-npu", "int8", 0.000958),  # AI Hub, w8a8
        ("sa8295p-npu", "int8", 0.001314),
        ("zcu102-dpu", "int8", 0.00516),  # QuTiBench
        ("ultra96-dpu", "int8", 0.03764),
    ],
)
def test_a_model_file_is_estimated_as_it_was_measured(
    profiled, device: str, precision: str, measured_s: float
) -> None:
    made = estimate(works_of(profiled[0].graph.operators, precision), device)
    assert made.time_s == pytest.approx(measured_s, rel=0.25)


def test_an_estimated_instance_is_read_and_solved_and_stays_marked(profiled) -> None:
    document = estimated_document(profiled, targets_of("t4:fp16,zcu102-dpu"))
    instance = read_instance_of(document)
    assert instance.options.estimated.all()
    assert (instance.options.time_high_s > instance.options.time_s).all()
    solution = solve(instance)
    assert solution.to_frame()["estimated"].all()


def read_instance_of(document: dict):
    from hetopt.formats.native.document import read_json

    return read_json(json.dumps(document), "estimated")


def test_the_command_line_estimates_and_refuses_what_nothing_calibrates(
    resnet: Path, tmp_path: Path
) -> None:
    done = command_line.hetopt(
        *("profile", resnet, "--segments", "2", "--estimate", "t4:fp16,l4"),
        *("-o", tmp_path / "a.yaml"),
    )
    assert done.returncode == 0
    assert "estimated, not measured" in done.stdout
    made = read_instance(tmp_path / "a.yaml")
    assert len(made.options) == 4
    assert made.options.energy_j.all()
    for flags in (
        ["--estimate", "tpu-v5e"],
        ["--uncalibrated"],
        ["--estimate", "t5"],
    ):
        refused = command_line.hetopt("profile", resnet, "--segments", "1", *flags)
        assert refused.returncode == 2
    wide = command_line.hetopt(
        "profile", resnet, "--segments", "1", "--estimate", "tpu-v5e", "--uncalibrated", "--json"
    )
    (option,) = json.loads(wide.stdout)["profiles"]["light_resnet50/s1"]
    assert option["time_high_s"] == pytest.approx(10 * option["time_low_s"], rel=1e-4)


def test_missing_energies_are_told_and_come_from_power_limits_where_that_is_asked_for(
    resnet: Path,
) -> None:
    flags = ("profile", resnet, "--segments", "1", "--estimate", "i7-12700h,a40,tpu-v5e,kv260-dpu")
    refused = command_line.hetopt(*flags[:-1], "i7-12700h,a40,kv260-dpu")
    assert "No energy is known of i7-12700h, kv260-dpu (--uncalibrated goes by power limits)" in (
        refused.stdout
    )
    assert "so that those of a40 are left out too." in refused.stdout
    told = command_line.hetopt(*flags, "--uncalibrated")
    assert "No energy is known of tpu-v5e, so that" in told.stdout
    wide = command_line.hetopt(*flags[:-1], "i7-12700h", "--uncalibrated", "--json")
    (option,) = json.loads(wide.stdout)["profiles"]["light_resnet50/s1"]
    # 45 W at its base clock, up to 115 W in turbo.
    assert option["energy_low_j"] < option["time_s"] * 0.25 * 45
    assert option["energy_high_j"] > option["time_s"] * 115


def test_estimated_options_stand_beside_measured_ones(profiled) -> None:
    from hetopt.cli.profiling.estimating import EstimateFlags, with_estimates

    measured = estimated_document(profiled, targets_of("i7-12700h"))
    for options in measured["profiles"].values():
        for option in options:
            del option["estimated"]
            option["energy_j"] = 1.0
    both = with_estimates(measured, profiled, EstimateFlags("snapdragon-x-elite-npu"))
    instance = read_instance_of(both)
    assert instance.options.estimated.sum() == len(instance.options) / 2
    assert not instance.options.energy_j.any()  # the NPU's draw is not known, so none is stated
    assert len(instance.links) == 2


def test_a_whole_model_measured_on_the_target_settles_the_sum_of_its_segments(
    resnet: Path, tmp_path: Path
) -> None:
    table = tmp_path / "known.csv"
    table.write_text("task,device,precision,time_ms\nlight_resnet50,edgetpu,int8,40.4\n")
    flags = ("--segments", "3", "--estimate", "edgetpu,hailo-8", "--known", table, "--json")
    done = command_line.hetopt("profile", resnet, *flags)
    options = [o for p in json.loads(done.stdout)["profiles"].values() for o in p]
    assert sum(o["time_s"] for o in options if o["device"] == "edgetpu") == pytest.approx(
        0.0404, rel=1e-4
    )
    assert "measured on it" in options[0]["source"]
    plain = command_line.hetopt("profile", resnet, *flags[:4], "--json")
    before = [o for p in json.loads(plain.stdout)["profiles"].values() for o in p]
    # What the Edge TPU takes too long for is expected to take longer elsewhere too.
    assert options[1]["time_s"] > before[1]["time_s"]
    for text in ("task,device,time\nother,edgetpu,1\n", "task,device,time\nlight_resnet50,x,1\n"):
        table.write_text(text)
        assert command_line.hetopt("profile", resnet, *flags).returncode == 2
