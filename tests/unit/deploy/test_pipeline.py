"""Plans of models become pipelines that run and give the same numbers."""

from __future__ import annotations

import csv
import hashlib
import json
import runpy
from itertools import cycle

import jsonschema
import numpy as np
import onnx
import pytest

from hetopt import read_instance, read_plan
from hetopt.deploy import deploy
from hetopt.deploy.pipeline.stages import routes
from hetopt.errors import InputError
from hetopt.profiling.measure.quantise import difference
from hetopt.profiling.measure.sessions import open_session
from hetopt.profiling.onnx.cut import borders, submodel
from hetopt.profiling.onnx.document import instance_document, profile_models
from hetopt.profiling.onnx.graph import operator_graph
from hetopt.profiling.onnx.load import read_model
from hetopt.profiling.onnx.segments import segments
from tests.command_line import hetopt
from tests.small_models import light, model, one, random_array, real_weights, saved

RUNTIMES = (("onnxruntime", "cpu"), ("openvino", "CPU"))
CPU, OTHER = "onnxruntime:cpu@0", "openvino:CPU@0"
TOLERANCE = 1e-3


def run_whole(graph, runtime, folder, feeds):
    return run_part(graph, graph.operators, runtime, folder, feeds)


def run_part(graph, operators, runtime, folder, tensors):
    inputs, outputs = borders(graph, operators)
    path = folder / "part.onnx"
    path.write_bytes(submodel(graph, operators))
    session = open_session(*runtime, str(path), 1, inputs, outputs)
    found = session.run([tensors[n] for n in inputs])
    return dict(zip(outputs, [np.array(a) for a in found], strict=True))


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_networks_cut_in_two_to_six_over_two_runtimes_give_the_same(tmp_path, name):
    path = saved(real_weights(onnx.load(light(name))), tmp_path)
    graph = operator_graph(read_model(path))
    (entry,) = graph.inputs
    feeds = {entry: random_array(*graph.types[entry].shape)}
    whole = run_whole(graph, RUNTIMES[0], tmp_path, feeds)
    assert float(np.std(next(iter(whole.values())))) > 0  # not all alike, so that it says something
    for most in range(2, 7):
        found, _ = segments(graph, most)
        assert len(found) == most
        tensors = dict(feeds)
        for segment, runtime in zip(found, cycle(RUNTIMES), strict=False):
            tensors |= run_part(graph, segment.operators, runtime, tmp_path, tensors)
        off = difference([tensors[n] for n in graph.outputs], [whole[n] for n in graph.outputs])
        assert off < TOLERANCE, (most, off)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An instance of one network in four segments on two places, with times made up."""
    folder = tmp_path_factory.mktemp("net")
    saved(real_weights(onnx.load(light("squeezenet"))), folder, "net.onnx")
    profiles = profile_models([folder / "net.onnx"], most_segments=4)
    document = instance_document(
        profiles,
        devices=[{"name": n, "memory_pool": "ram"} for n in (CPU, OTHER)],
        options=lambda profile, segment: [
            {"device": d, "label": "fp32-t1", "time_s": 0.01} for d in (CPU, OTHER)
        ],
        folder=folder,
        settings={"name": "net", "regime": "schedule", "objective": "makespan"},
        more={"pools": [{"name": "ram", "zero_copy": True}]},
    )
    (folder / "net.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def plan_of(places, starts=None):
    """A plan with each segment on one of the two places."""
    rows = []
    for k, place in enumerate(places):
        start = 0.01 * k if starts is None else starts[k]
        rows.append(
            {
                "task": f"net/s{k + 1}",
                "device": (CPU, OTHER)[place],
                "unit": f"{(CPU, OTHER)[place]}#0",
                "option": "fp32-t1",
                "start_s": start,
            }
        )
    return {"assignments": rows, "transfers": []}


def stages_of(folder, places, **options):
    instance = read_instance(folder / "net.json")
    plan = read_plan(instance, json.dumps(plan_of(places)))
    (route,) = routes(instance, plan, **options)
    return [[instance.tasks.name[p.task] for p in s.parts] for s in route.stages]


def test_neighbours_on_one_unit_become_one_stage(made):
    assert stages_of(made, [0, 0, 1, 1]) == [["net/s1", "net/s2"], ["net/s3", "net/s4"]]
    assert stages_of(made, [0, 0, 0, 0]) == [["net/s1", "net/s2", "net/s3", "net/s4"]]
    assert stages_of(made, [0, 1, 0, 1]) == [["net/s1"], ["net/s2"], ["net/s3"], ["net/s4"]]
    assert stages_of(made, [0, 0, 1, 1], join=False) == [[f"net/s{k}"] for k in (1, 2, 3, 4)]


def test_cuts_where_the_option_changes_on_one_unit_are_told(made):
    document = json.loads((made / "net.json").read_text(encoding="utf-8"))
    for rows in document["profiles"].values():
        rows.append(rows[0] | {"label": "fp32-t2"})
    instance = read_instance("net.json", text=json.dumps(document))
    plan = plan_of([0, 0, 0, 1])
    plan["assignments"][1]["option"] = "fp32-t2"
    deployed = deploy(read_plan(instance, json.dumps(plan)), instance, "onnxruntime", beside=made)
    (note,) = deployed.notes
    assert note.endswith(f"It does where {CPU} states a setup_time.")
    assert note.startswith(f"net changes its option 2 times between neighbours on {CPU}:")
    plain = read_plan(instance, json.dumps(plan_of([0, 0, 0, 1])))
    assert deploy(plain, instance, "onnxruntime", beside=made).notes == ()
    document["devices"][0]["setup_time_s"] = 0.005
    for rows in document["profiles"].values():
        for row in rows:
            row["configuration"] = row["label"]
    counted = read_instance("net.json", text=json.dumps(document))
    for k, assignment in enumerate(plan["assignments"]):
        assignment["start_s"] = 0.01 * k + (0, 0.005, 0.010, 0.010)[k]
    paid = deploy(read_plan(counted, json.dumps(plan)), counted, "onnxruntime", beside=made)
    assert paid.notes == ()
    assert json.loads(paid.files["pipeline.json"])["frame_s"] == pytest.approx(0.05)


def test_what_others_wait_for_is_not_joined_to_what_comes_later(tmp_path):
    document = {
        "hetopt": 1,
        "regime": "schedule",
        "objective": "makespan",
        "devices": [{"name": "a"}, {"name": "b"}],
        "profiles": {"p": [{"device": d, "label": "fp32", "time_s": 1} for d in "ab"]},
        "tasks": [{"name": n, "profile": "p"} for n in ("fork", "left", "right", "join")],
        "transfers": [
            {"from": "fork", "to": "left"},
            {"from": "fork", "to": "right"},
            {"from": "left", "to": "join"},
            {"from": "right", "to": "join"},
        ],
    }
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    instance = read_instance(path)
    rows = [("fork", "a", 0), ("left", "a", 1), ("right", "b", 1), ("join", "a", 2)]
    plan = {
        "assignments": [
            {"task": t, "device": d, "unit": f"{d}#0", "option": "fp32", "start_s": s}
            for t, d, s in rows
        ],
        "transfers": [],
    }
    (route,) = routes(instance, read_plan(instance, json.dumps(plan)))
    named = [[instance.tasks.name[p.task] for p in s.parts] for s in route.stages]
    # right waits for fork, and join for right: joining would make both wait for more.
    assert named == [["fork"], ["left"], ["right"], ["join"]]


def test_a_deployed_pipeline_runs_gives_the_same_and_writes_telemetry(made, repo_path):
    plan = made / "plan.json"
    plan.write_text(json.dumps(plan_of([0, 1, 1, 0])), encoding="utf-8")
    target = made / "out"
    done = hetopt("deploy", made / "net.json", plan, "--to", "onnxruntime", "-o", target)
    assert done.returncode == 0, done.stderr
    pipeline = json.loads((target / "pipeline.json").read_text(encoding="utf-8"))
    schema = json.loads((repo_path / "docs" / "pipeline.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(pipeline, schema)
    assert pipeline["frame_s"] == pytest.approx(0.04)
    (route,) = pipeline["routes"]
    assert [s["unit"] for s in route["stages"]] == [f"{CPU}#0", f"{OTHER}#0", f"{CPU}#0"]
    assert all((target / s["model"]).is_file() for s in route["stages"])
    source = hashlib.sha256((made / "net.onnx").read_bytes()).hexdigest()
    assert route["model_sha256"] == source

    done = hetopt(
        *("run", target, "--frames", 3, "--tolerance", 1e9, "--json"),
        *("-o", made / "t.csv"),
    )
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["outputs"]["net"] < TOLERANCE
    assert verdict["frame"]["count"] == 3
    assert verdict["not_compared"] == []
    with (made / "t.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4
    assert {r["label"] for r in rows} == {"fp32-t1"}
    first = [r for r in rows if r["frame"] == rows[0]["frame"]]
    assert [r["task"] for r in first] == [f"net/s{k}" for k in (1, 2, 3, 4)]
    assert all(r["energy_j"] == "" for r in rows)
    row_schema = json.loads((repo_path / "docs" / "telemetry.schema.json").read_text("utf-8"))
    for r in rows:
        row = {k: r[k] for k in ("device", "task", "label", "timestamp", "unit", "stage")}
        row |= {k: float(r[k]) for k in ("start_s", "time_s", "cpu_s")}
        jsonschema.validate({**row, "frame": int(r["frame"]), "energy_j": None}, row_schema)

    # The made-up times of 10 ms are far off, which ends with the code of a failed check.
    done = hetopt("run", target, "--frames", 3, "--tolerance", 1e-9, "--no-compare")
    assert done.returncode == 5
    assert "a frame takes" in done.stderr


def test_what_differs_from_the_whole_model_is_told(made):
    target = made / "wrong"
    instance = read_instance(made / "net.json")
    plan = read_plan(instance, json.dumps(plan_of([0, 0, 0, 0])))
    deploy(plan, instance, "openvino", target, beside=made)
    (path,) = (target / "models").glob("*.onnx")
    changed = onnx.load(path)
    for tensor in changed.graph.initializer:
        if len(tensor.dims) == 4:
            array = onnx.numpy_helper.to_array(tensor) * 3.0
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
            break
    onnx.save(changed, path)
    done = hetopt("run", target, "--frames", 1, "--tolerance", 1e9)
    assert done.returncode == 5
    assert "outputs of net differ" in done.stderr


def test_quantised_stages_keep_to_the_tolerance_that_is_stated(made):
    document = json.loads((made / "net.json").read_text(encoding="utf-8"))
    for rows in document["profiles"].values():
        for row in rows:
            row["label"] = row["label"].replace("fp32", "int8")
    (made / "int8.json").write_text(json.dumps(document), encoding="utf-8")
    plan = json.loads(json.dumps(plan_of([0, 0, 0, 0])).replace("fp32", "int8"))
    (made / "int8.plan.json").write_text(json.dumps(plan), encoding="utf-8")
    args = ("deploy", made / "int8.json", made / "int8.plan.json", "--to", "onnxruntime")
    wrong = hetopt(*args, "-p", "tolerance.int8=x", "-o", made / "q")
    assert "--parameter tolerance.int8: got x; A number above 0." in wrong.stderr
    assert hetopt(*args, "-p", "tolerance.int8=0.15", "-o", made / "q").returncode == 0
    pipeline = json.loads((made / "q" / "pipeline.json").read_text(encoding="utf-8"))
    assert pipeline["tolerance"] == {"fp32": 1e-3, "int8": 0.15}
    done = hetopt("run", made / "q", "--frames", 1, "--tolerance", 1e9, "--json")
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["outputs"]["net"] < 0.15
    small = sum(f.stat().st_size for f in (made / "q" / "models").iterdir())
    assert small < (made / "net.onnx").stat().st_size / 2


def test_streams_run_at_their_rate(made):
    document = json.loads((made / "net.json").read_text(encoding="utf-8"))
    document |= {"regime": "steady", "objective": "throughput", "routing": "single"}
    document["jobs"][0]["rate_per_s"] = 5
    (made / "streams.json").write_text(json.dumps(document), encoding="utf-8")
    done = hetopt(
        *("deploy", made / "streams.json", "--time-limit", 5, "--to", "openvino"),
        *("-o", made / "s"),
    )
    assert done.returncode == 0, done.stderr
    done = hetopt("run", made / "s", "--rate", "20/s", "--frames", 8, "--tolerance", 50, "--json")
    verdict = json.loads(done.stdout)
    assert verdict["pace"] == "plan"
    assert verdict["frame"] is None
    assert verdict["rate"]["measured"] < 40
    assert verdict["outputs"]["net"] < TOLERANCE


def test_batches_of_options_are_the_sizes_of_the_submodels(tmp_path):
    path = saved(one("MatMul", [["batch", 64]], {1: random_array(64, 64)}), tmp_path, "m.onnx")
    common = ("--most-time", "0.02s", "--on", CPU, "--batch", "1,4", "-o", tmp_path / "m.json")
    assert hetopt("profile", path, "--measure", *common).returncode == 0
    document = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    (rows,) = document["profiles"].values()
    rows.pop(0)  # what is left serves four at once
    (tmp_path / "m.json").write_text(json.dumps(document), encoding="utf-8")
    args = ("deploy", tmp_path / "m.json", "--time-limit", 5, "--to", "onnxruntime")
    done = hetopt(*args, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    pipeline = json.loads((tmp_path / "out" / "pipeline.json").read_text(encoding="utf-8"))
    (route,) = pipeline["routes"]
    assert route["batch"] == 4
    assert [t["shape"] for t in route["tensors"]] == [[4, 64], [4, 64]]
    done = hetopt("run", tmp_path / "out", "--pace", "one", "--frames", 2, "--json")
    assert json.loads(done.stdout)["outputs"]["m"] < TOLERANCE


def test_weights_beside_the_model_come_along(tmp_path):
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "a"], ["h"]),
        onnx.helper.make_node("Relu", ["h"], ["r"]),
        onnx.helper.make_node("MatMul", ["r", "b"], ["y"]),
    ]
    weights = {"a": random_array(32, 64), "b": random_array(64, 16)}
    path = tmp_path / "m.onnx"
    proto = model(nodes, {"x": [2, 32]}, ["y"], weights)
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    graph = operator_graph(read_model(path))
    feeds = {"x": random_array(2, 32)}
    expected = np.maximum(feeds["x"] @ weights["a"], 0) @ weights["b"]
    tensors = dict(feeds)
    for segment in segments(graph, 2)[0]:
        tensors |= run_part(graph, segment.operators, RUNTIMES[0], tmp_path, tensors)
    assert tensors["y"] == pytest.approx(expected, rel=1e-4)


def on_one_runtime(made, device):
    """The instance with both places of one runtime, which needs no second processor."""
    document = json.loads((made / "net.json").read_text(encoding="utf-8"))
    text = json.dumps(document).replace(OTHER, "b").replace(CPU, "a")
    document = json.loads(text)
    document["jobs"][0]["model"] = str(made / "net.onnx")
    path = made / "whole.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    plan = json.dumps(plan_of([0, 0, 1, 1])).replace(OTHER, "b").replace(CPU, "a")
    instance = read_instance(path)
    return instance, read_plan(instance, plan), {f"place.{d}": device for d in "ab"}


def test_onnxruntime_splits_a_whole_model_by_its_annotations(made):
    import onnxruntime

    instance, plan, places = on_one_runtime(made, "onnxruntime:cpu@0")
    target = made / "annotated"
    deploy(plan, instance, "onnxruntime", target, parameters={**places, "whole": "yes"})
    settings = json.loads((target / "whole" / "net.session.json").read_text(encoding="utf-8"))
    options = onnxruntime.SessionOptions()
    for key, value in settings["session_config_entries"].items():
        options.add_session_config_entry(key, value)
    path = target / "whole" / "net.onnx"
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    graph = operator_graph(read_model(made / "net.onnx"))
    feeds = {"data_0": random_array(1, 3, 224, 224)}
    expected = run_whole(graph, RUNTIMES[0], made, feeds)
    assert difference(session.run(None, feeds), list(expected.values())) < TOLERANCE
    marked = [p.value for n in onnx.load(path).graph.node for p in n.metadata_props]
    assert len(marked) == 66
    assert set(marked) == {"on_cpu"}


def test_openvino_compiles_a_whole_model_for_hetero(made):
    instance, plan, places = on_one_runtime(made, "openvino:CPU@0")
    target = made / "hetero"
    deploy(plan, instance, "openvino", target, parameters={**places, "whole": "yes"})
    compiled = runpy.run_path(str(target / "whole" / "compile_net.py"))["compiled"]()
    graph = operator_graph(read_model(made / "net.onnx"))
    feeds = {"data_0": random_array(1, 3, 224, 224)}
    expected = run_whole(graph, RUNTIMES[0], made, feeds)
    found = compiled(feeds["data_0"])[0]
    assert difference([found], list(expected.values())) < TOLERANCE


def test_a_model_on_two_runtimes_has_no_whole_form(made):
    instance = read_instance(made / "net.json")
    plan = read_plan(instance, json.dumps(plan_of([0, 1, 1, 1])))
    made_files = deploy(plan, instance, "openvino", parameters={"whole": "yes"}, beside=made)
    assert any("another runtime than openvino" in note for note in made_files.notes)
    assert not any(name.startswith("whole/") for name in made_files.files)


def test_inputs_may_be_given(made):
    target = made / "given"
    instance = read_instance(made / "net.json")
    plan = read_plan(instance, json.dumps(plan_of([0, 0, 0, 0])))
    deploy(plan, instance, "onnxruntime", target, beside=made)
    np.savez(made / "x.npz", data_0=np.ones((1, 3, 224, 224), dtype=np.float32))
    common = ("run", target, "--frames", 1, "--tolerance", 1e9)
    assert hetopt(*common, "--inputs", made / "x.npz").returncode == 0
    np.savez(made / "y.npz", data_0=np.ones((1, 3), dtype=np.float32))
    done = hetopt(*common, "--inputs", made / "y.npz")
    assert done.returncode == 2
    assert "--input data_0: got float32 (1, 3);" in done.stderr
    np.savez(made / "z.npz", data0=np.ones((1, 3, 224, 224), dtype=np.float32))
    done = hetopt(*common, "--inputs", made / "z.npz")
    assert done.returncode == 2
    assert "--inputs: got data0; An input of a model: data_0." in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["jobs"][0].update(model="none.onnx"), "A model file (.onnx) that exists."),
        (lambda d: d["jobs"][0].update(model_sha256="0" * 64), "The file that was profiled"),
        (lambda d: d["jobs"][0].pop("model"), "A job with its model"),
        (lambda d: d["tasks"][0].update(segment="9000"), "Places of operators"),
        (lambda d: d["tasks"][0].update(segment="x"), "Places of operators"),
        (lambda d: d["tasks"][0].update(segment="0-1"), "no segment has"),
        (lambda d: d["tasks"][0].update(segment="0-900"), "several segments have"),
    ],
)
def test_models_that_do_not_fit_are_refused_and_nothing_is_written(made, tmp_path, change, words):
    document = json.loads((made / "net.json").read_text(encoding="utf-8"))
    document["jobs"][0]["model"] = str(made / "net.onnx")
    change(document)
    (tmp_path / "net.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "p.json").write_text(json.dumps(plan_of([0, 0, 1, 1])), encoding="utf-8")
    done = hetopt(
        *("deploy", tmp_path / "net.json", tmp_path / "p.json"),
        *("--to", "onnxruntime", "-o", tmp_path / "out"),
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_devices_with_other_names_are_placed_by_parameters(tmp_path):
    path = saved(one("MatMul", [[1, 8]], {1: random_array(8, 8)}), tmp_path, "m.onnx")
    document = instance_document(
        profile_models([path]),
        devices=[{"name": "box"}],
        options=lambda profile, segment: [{"device": "box", "label": "fp32", "time_s": 1e-3}],
        folder=tmp_path,
        settings={"regime": "schedule", "objective": "makespan"},
    )
    (tmp_path / "m.json").write_text(json.dumps(document), encoding="utf-8")
    common = ("deploy", tmp_path / "m.json", "--time-limit", 2, "--dry-run", "--json")
    done = hetopt(*common, "--to", "openvino", "-p", "place.box=onnxruntime:cpu@0")
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    pipeline = json.loads(files["pipeline.json"])
    assert pipeline["units"][0]["runtime"] == "onnxruntime"
    assert all(len(text) < 30 for name, text in files.items() if name.endswith(".onnx"))
    done = hetopt(*common, "--to", "openvino")
    pipeline = json.loads(json.loads(done.stdout)["files"]["pipeline.json"])
    assert pipeline["units"][0]["runtime_device"] == "CPU"
    done = hetopt(*common, "--to", "openvino", "-p", "place.box=tpu")
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frames", "0"], "--frames: got 0;"),
        (["--pace", "slow"], "--pace: got slow;"),
        (["--clock", "sun"], "wall or cpu"),
        (["-o", "x.txt"], "A file .csv or .jsonl"),
        (["--rate", "-1/s"], "--rate: got -1/s;"),
        (["--inputs", "/nowhere.npz"], "A .npz file of arrays"),
    ],
)
def test_bad_questions_to_run_are_one_line(made, arguments, words):
    (made / "empty").mkdir(exist_ok=True)
    instance = read_instance(made / "net.json")
    plan = read_plan(instance, json.dumps(plan_of([0, 0, 0, 0])))
    if not (made / "bad").exists():
        deploy(plan, instance, "onnxruntime", made / "bad", beside=made)
    done = hetopt("run", made / "bad", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_without_a_pipeline_is_named(tmp_path):
    done = hetopt("run", tmp_path)
    assert done.returncode == 2
    assert "A folder that hetopt deploy --to onnxruntime or openvino wrote." in done.stderr


def test_scenarios_are_refused(made):
    document = json.loads((made / "net.json").read_text(encoding="utf-8"))
    document |= {"regime": "steady", "objective": "power", "scenarios": [{"name": "day"}]}
    document["jobs"][0]["rate_per_s"] = 5
    (made / "sc.json").write_text(json.dumps(document), encoding="utf-8")
    instance = read_instance(made / "sc.json")
    from hetopt import solve

    with pytest.raises(InputError, match="one scenario"):
        deploy(solve(instance, time_limit=5), instance, "openvino", beside=made)
