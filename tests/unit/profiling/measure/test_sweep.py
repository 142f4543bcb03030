"""Models measured on this machine, and the instance that comes of it."""

from __future__ import annotations

import json

import onnx
import pytest

from hetopt import read_instance, solve, verify
from tests.command_line import hetopt
from tests.small_models import light, one, random_array, real_weights, saved

ONNXRUNTIME, OPENVINO = "onnxruntime:cpu", "openvino:CPU"


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    path = folder / "net.onnx"
    onnx.save(real_weights(onnx.load(light("squeezenet"))), path)
    return path


def test_a_measured_model_is_an_instance_that_solves(squeezenet):
    target = squeezenet.parent / "net.yaml"
    done = hetopt(
        *("profile", squeezenet, "--segments", 3, "--measure", "--json", "-o", target),
        *("--on", f"{ONNXRUNTIME}@0,{OPENVINO}@0", "--precision", "fp32,int8"),
        *("--most-time", "0.05s"),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["measured"]
    assert [(r["device"], r["label"]) for r in rows] == [
        (f"{ONNXRUNTIME}@0", "fp32-t1"),
        (f"{ONNXRUNTIME}@0", "int8-t1"),
        (f"{OPENVINO}@0", "fp32-t1"),
        (f"{OPENVINO}@0", "int8-t1"),
    ]
    by = {(r["device"], r["label"]): r for r in rows}
    assert by[f"{OPENVINO}@0", "fp32-t1"]["difference"] < 1e-4
    assert 0 < by[f"{ONNXRUNTIME}@0", "int8-t1"]["difference"] < 0.2
    instance = read_instance(target)
    assert instance.jobs.model.tolist() == ["net.onnx"]
    assert len(instance.tasks) == 3
    # Both places share core 0, so that it is a resource.
    assert instance.resources.name.tolist() == ["core-0"]
    # The parts of a model take together what it takes whole; a cut costs on the links.
    for r in rows:
        option = [
            k
            for k in range(len(instance.options))
            if instance.options.label[k] == r["label"]
            and instance.devices.name[instance.options.device[k]] == r["device"]
        ]
        total = instance.options.time_s[option].sum()
        assert total == pytest.approx(min(r["whole_s"], r["segments_s"]), rel=1e-3)
    # A set-up of a place may say what a cut takes where the option changes.
    assert instance.options.configuration.tolist() == instance.options.label.tolist()
    solution = solve(instance, time_limit="5s")
    assert solution.plan is not None
    assert verify(instance, solution.plan).ok


def test_batches_make_an_instance_of_streams(tmp_path):
    path = saved(one("MatMul", [["batch", 64]], {1: random_array(64, 64)}), tmp_path)
    target = tmp_path / "m.json"
    done = hetopt(
        *("profile", path, "--measure", "--batch", "1,4", "--most-time", "0.02s"),
        *("--on", f"{ONNXRUNTIME}@0", "-o", target),
    )
    assert done.returncode == 0, done.stderr
    instance = read_instance(target)
    assert (instance.regime, instance.objective) == ("steady", ("throughput",))
    assert instance.options.batch.tolist() == [1, 4]
    assert instance.options.label.tolist() == ["fp32-t1", "fp32-t1-b4"]
    assert instance.jobs.model_shape.tolist() == [""]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--on", "openvino:NPU9"], "A device that openvino has here: CPU"),
        (["--precision", "fp4"], "--precision: got fp4; Of fp32, int8."),
        (["--batch", "0"], "--batch: got 0; Whole numbers"),
        (["--threads", "999"], "No more threads than a place has cores."),
        (["--clock", "sun"], "--clock: got sun; wall or cpu."),
        (["--regime", "schedule", "--batch", "1,2"], "a schedule runs one request"),
        (["--batch", "1,2", "--shape", "batch=2"], "No size of batch beside --batch."),
        (["-o", "x.csv"], "A file .json or .yaml"),
        (["--batch", "2", "--shape", "none=1"], "--shape: got none; An open axis"),
    ],
)
def test_bad_questions_are_one_line(tmp_path, arguments, words):
    path = saved(one("MatMul", [["batch", 64]], {1: random_array(64, 64)}), tmp_path)
    more = [] if "--batch" in arguments else ["--shape", "batch=1"]
    done = hetopt("profile", path, "--measure", *more, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_what_a_runtime_cannot_run_is_told(tmp_path):
    from onnx import helper

    from tests.small_models import model

    nodes = [helper.make_node("Fancy", ["x"], ["y"], domain="com.example")]
    proto = model(nodes, {"x": [4]}, ["y"], domains={"com.example": 1})
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, [4]))
    done = hetopt("profile", saved(proto, tmp_path), "--measure", "--on", f"{ONNXRUNTIME}@0")
    assert done.returncode == 2
    assert "A runtime that runs the model" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_batches_need_an_axis_of_that_name(tmp_path):
    path = saved(one("MatMul", [[1, 64]], {1: random_array(64, 64)}), tmp_path)
    done = hetopt("profile", path, "--measure", "--batch", "2")
    assert done.returncode == 2
    assert "--batch: got 2; 1, as no model has an open axis of the name batch." in done.stderr


def test_outputs_that_are_not_finite_differ_unless_they_are_the_same():
    from math import inf, nan

    from hetopt.profiling.measure.quantise import difference

    for found, expected in (([1.0, nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, nan]), ([inf], [-inf])):
        assert difference([found], [expected]) == inf
    assert difference([[1.0, nan, inf]], [[1.0, nan, inf]]) == 0.0
    assert difference([[1.5, inf]], [[2.0, inf]]) == 0.25
    assert difference([[]], [[]]) == 0.0


def test_outputs_far_from_fp32_are_told(capsys):
    from dataclasses import replace

    from hetopt.cli.profiling.measuring import _show
    from hetopt.profiling.measure.places import parse_place
    from hetopt.profiling.measure.sweep import Measured, Setting, Sweep

    setting = Setting(parse_place(f"{ONNXRUNTIME}@0"), 1, "fp32", 1)
    good = Measured("net", setting, (1.0,), ((1.0,),), True, 1e-6, (0.0,), 0.0, "", 1.0)
    sweep = Sweep((good, replace(good, difference=float("inf"))), (), 1e-5, 1e9, "here")
    _show(sweep)
    assert capsys.readouterr().out.count("off: outputs of net") == 1
