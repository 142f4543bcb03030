"""The command that profiles model files, and the fields of an instance that name them."""

from __future__ import annotations

import csv
import json

import pytest

from hetopt import read_instance, write_instance
from tests.command_line import hetopt
from tests.small_models import light, one, random_array, saved

DOCUMENT = """
hetopt: 1
regime: schedule
objective: makespan
devices: [{name: cpu}]
profiles: {a: [{device: cpu, time: 1 ms}]}
jobs: [{name: net, model: nets/net.onnx, model_sha256: "abc", model_shape: "batch=8"}]
tasks:
  - {name: net/s1, job: net, profile: a, segment: "0-57,60"}
  - {name: net/s2, job: net, profile: a}
"""


@pytest.mark.parametrize("target", ["x.yaml", "x.json", "folder"])
def test_model_and_segment_are_kept_by_every_form(tmp_path, target):
    path = tmp_path / "in.yaml"
    path.write_text(DOCUMENT, encoding="utf-8")
    write_instance(
        read_instance(path), tmp_path / target, format="csv" if target == "folder" else None
    )
    back = read_instance(tmp_path / target)
    assert back.tasks.segment.tolist() == ["0-57,60", ""]
    assert back.jobs.model.tolist() == ["nets/net.onnx"]
    assert back.jobs.model_sha256.tolist() == ["abc"]
    assert back.jobs.model_shape.tolist() == ["batch=8"]


@pytest.mark.parametrize("target", ["deep/x.json", "deep/folder"])
def test_converted_instances_name_their_models_from_where_they_stand(tmp_path, target):
    (tmp_path / "deep").mkdir()
    path = tmp_path / "in.yaml"
    path.write_text(DOCUMENT, encoding="utf-8")
    to = ["--to", "csv"] if target == "deep/folder" else []
    assert hetopt("convert", path, "-o", tmp_path / target, *to).returncode == 0
    (named,) = read_instance(tmp_path / target).jobs.model.tolist()
    beside = tmp_path / target if to else tmp_path / "deep"
    assert (beside / named).resolve() == (tmp_path / "nets" / "net.onnx").resolve()


def test_tables_and_document_say_the_same(tmp_path):
    done = hetopt("profile", light("squeezenet"), "--segments", 5, "-o", tmp_path / "t", "--json")
    assert done.returncode == 0
    (model,) = json.loads(done.stdout)["models"]
    with (tmp_path / "t" / "segments.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["segment"] for r in rows] == [s["segment"] for s in model["segments"]]
    assert sum(float(r["flop"]) for r in rows) == pytest.approx(model["totals"]["flop"])
    shown = hetopt("profile", light("squeezenet"), "--segments", 5)
    assert "66 operators (39 more are constants), 0.706 GFLOP" in shown.stdout
    assert "No options" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--segments", "0"], "--segments: got 0; 1 to 1000."),
        (["--shape", "batch=x"], "--shape: got batch=x; NAME=N"),
        (["--shape", "batch=1,batch=2"], "One size for batch."),
        (["--shape", "seq=3"], "--shape: got seq; An open axis"),
        (["-o", "out.txt"], "-o: got out.txt; A file .json"),
        (["--batch", "1"], "--batch: --measure beside it."),
        (["--on", "openvino:CPU"], "--on: --measure beside it."),
        (["--clock", "cpu", "--estimate", "t4"], "--clock: --measure beside it."),
    ],
)
def test_bad_options_are_one_line_and_code_2(tmp_path, arguments, words):
    path = saved(one("MatMul", [["batch", 8]], {1: random_array(8, 8)}), tmp_path)
    more = [] if arguments[0] == "--shape" and "x" in arguments[1] else ["--shape", "batch=4"]
    more = [] if "batch=1,batch=2" in arguments else more
    done = hetopt("profile", path, *more, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
