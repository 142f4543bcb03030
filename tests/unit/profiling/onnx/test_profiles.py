"""Profiles of whole models: published totals, exact segments, and what is refused."""

from __future__ import annotations

import csv
import json
import time

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import helper

from hetopt.errors import InputError
from hetopt.profiling.onnx.document import profile_document, profile_models
from hetopt.profiling.onnx.graph import operator_graph
from hetopt.profiling.onnx.load import read_model
from hetopt.profiling.onnx.segments import segments, select
from tests.small_models import light, model, one, random_array, saved


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet50", "resnet50"), ("densenet121", "densenet121"), ("vgg19", "vgg19")],
)
def test_totals_are_within_one_percent_of_published_ones(shared_path, name, published):
    """timm counts products of convolutions and matrices, and 2 per element of a batch norm."""
    with shared_path("data", "timm_models.csv").open(encoding="utf-8") as file:
        row = next(
            r for r in csv.DictReader(file) if r["model"] == published and r["image_size"] == "224"
        )
    graph = operator_graph(read_model(light(name)))
    norms = sum(o.flop for o in graph.operators if o.op_type == "BatchNormalization")
    counted = sum(o.macs for o in graph.operators) + norms
    assert counted / 1e9 == pytest.approx(float(row["gmacs"]), rel=0.01)
    assert graph.not_counted() == []
    assert graph.weights_b / 4e6 == pytest.approx(float(row["parameters_m"]), rel=0.03)


def test_squeezenet_counts_what_torchvision_publishes():
    """torchvision documents 0.35 GMAC and 1,235,496 parameters for SqueezeNet 1.1."""
    graph = operator_graph(read_model(light("squeezenet")))
    assert sum(o.macs for o in graph.operators) / 1e9 == pytest.approx(0.35, rel=0.01)
    assert graph.weights_b / 4 == pytest.approx(1_235_496, rel=0.001)


@pytest.mark.parametrize("most", [1, 2, 3, 6, 12, 40])
@pytest.mark.parametrize("name", ["resnet50", "squeezenet", "inception_v1", "densenet121"])
def test_segments_partition_the_operators_and_their_transfers_are_what_crosses(name, most):
    graph = operator_graph(read_model(light(name)))
    found, crossings = segments(graph, most)
    assert len(found) <= most
    assert most > 12 or len(found) == most
    indices = [o.index for s in found for o in s.operators]
    assert sorted(indices) == [o.index for o in graph.operators]
    assert sum(s.flop for s in found) == pytest.approx(sum(o.flop for o in graph.operators))
    assert sum(s.weights_b for s in found) == pytest.approx(graph.weights_b)
    where = {n: s.name for s in found for o in s.operators for n in o.outputs}
    crossing = {
        (where[n], s.name, n)
        for s in found
        for o in s.operators
        for n in o.inputs
        if n in where and where[n] != s.name
    }
    assert {(c.source, c.target, c.tensor) for c in crossings} == crossing
    # Each goes forward: the segments are in topological order.
    order = {s.name: k for k, s in enumerate(found)}
    assert all(order[c.source] < order[c.target] for c in crossings)
    assert all(
        [o.index for o in select(graph, s.places)] == [o.index for o in s.operators] for s in found
    )


def test_few_segments_pass_one_tensor_on():
    graph = operator_graph(read_model(light("inception_v1")))
    found, crossings = segments(graph, 8)
    assert len(crossings) == len(found) - 1


def test_cuts_are_the_best_of_all_by_enumeration(tmp_path):
    from itertools import combinations, pairwise

    from hetopt.profiling.onnx import segments as module

    nodes = []
    sizes = [4, 30, 8, 50, 20, 10, 60]
    weights = {}
    for k, (a, b) in enumerate(pairwise(sizes)):
        weights[f"w{k}"] = random_array(a, b)
        nodes.append(helper.make_node("MatMul", [f"x{k}", f"w{k}"], [f"x{k + 1}"]))
    graph = operator_graph(
        read_model(saved(model(nodes, {"x0": [9, 4]}, ["x6"], weights), tmp_path))
    )
    _, size = module._crossings(graph)
    work = [module._work([o]) for o in graph.operators]

    def cost(bounds):
        mean = sum(work) / 3
        parts = sum(sum(work[a:b]) ** 2 / mean for a, b in pairwise(bounds))
        return parts + sum(2 * size[b - 1] / module.RATE_CUT for b in bounds[1:-1])

    best = min(([0, *c, 6] for c in combinations(range(1, 6), 2)), key=cost)
    found, _ = segments(graph, 3)
    assert cost([0, *np.cumsum([len(s.operators) for s in found])]) == pytest.approx(cost(best))


def test_parallel_branches_become_segments_of_their_own():
    graph = operator_graph(read_model(light("squeezenet")))
    _, crossings = segments(graph, 60)
    readers = {}
    for c in crossings:
        readers.setdefault(c.tensor, []).append(c.target)
    assert any(len(targets) > 1 for targets in readers.values())


def test_two_thousand_operators_take_seconds(tmp_path):
    nodes, weights = [], {"w": random_array(16, 16)}
    for k in range(1000):
        nodes.append(helper.make_node("MatMul", [f"x{k}", "w"], [f"h{k}"]))
        nodes.append(helper.make_node("Relu", [f"h{k}"], [f"x{k + 1}"]))
    path = saved(model(nodes, {"x0": [4, 16]}, ["x1000"], weights), tmp_path)
    begin = time.process_time()
    (profile,) = profile_models([path])
    profile_document([profile])
    assert time.process_time() - begin < 5.0
    assert len(profile.graph.operators) == 2000


def test_the_document_keeps_to_its_schema(repo_path, tmp_path):
    profiles = profile_models([light("squeezenet"), light("squeezenet")], most_segments=4)
    document = profile_document(profiles)
    schema = json.loads((repo_path / "docs" / "profile.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(document)), schema)
    assert [m["name"] for m in document["models"]] == ["light_squeezenet", "light_squeezenet-2"]


def refused(path, sizes=None) -> str:
    with pytest.raises(InputError) as raised:
        profile_models([path], sizes=sizes)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_corrupt_or_cut_off_file_is_refused(tmp_path):
    path = saved(one("MatMul", [[8, 8]], {1: random_array(8, 8)}), tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "corrupt, cut off, or no ONNX" in refused(path)
    path.write_bytes(b"hello, this is no model at all")
    assert "corrupt" in refused(path) or "has none" in refused(path)
    path.write_bytes(b"")
    assert "has none" in refused(path)
    assert "that exists" in refused(tmp_path / "none.onnx")


def test_a_file_beyond_two_gib_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # takes no room on the disk
    assert "2 GiB" in refused(path)


def test_missing_and_short_external_data_are_named(tmp_path):
    proto = one("MatMul", [[64, 64]], {1: random_array(64, 64)})
    path = tmp_path / "m.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    assert profile_models([path])[0].graph.weights_b == 64 * 64 * 4
    beside = tmp_path / "m.data"
    beside.write_bytes(beside.read_bytes()[:100])
    assert "'m.data' beside it, which is shorter than 16,384 bytes" in refused(path)
    beside.unlink()
    assert "'m.data' beside it, which is missing" in refused(path)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("location", "../m.data", "which is outside of the model's folder"),
        ("location", "/etc/passwd", "which is outside of the model's folder"),
        ("length", "abc", "at a place that is no number"),
        ("offset", "-4", "at a place that is no number"),
    ],
)
def test_external_data_elsewhere_are_refused(tmp_path, key, value, why):
    proto = one("MatMul", [[64, 64]], {1: random_array(64, 64)})
    path = tmp_path / "m.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    changed = onnx.load(path, load_external_data=False)
    entries = changed.graph.initializer[0].external_data
    del entries[:]
    for name, text in {"location": "m.data", "offset": "0", "length": "16384", key: value}.items():
        entries.add(key=name, value=text)
    path.write_bytes(changed.SerializeToString())
    assert why in refused(path)


def test_external_data_of_a_branch_are_looked_for_too(tmp_path):
    branches = {}
    for name in ("then_branch", "else_branch"):
        out = helper.make_tensor_value_info(f"{name}_y", 1, [4])
        value = onnx.numpy_helper.from_array(random_array(4), "v")
        value.ClearField("raw_data")
        value.data_location = onnx.TensorProto.EXTERNAL
        value.external_data.add(key="location", value="gone.data")
        nodes = [helper.make_node("Add", ["x", "v"], [f"{name}_y"])]
        branches[name] = helper.make_graph(nodes, name, [], [out], [value])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=9),
        helper.make_node("If", ["c"], ["y"], **branches),
    ]
    text = refused(saved(model(nodes, {"x": [4]}, ["y"]), tmp_path))
    assert "Weights of 2 tensor(s) in the file 'gone.data' beside it, which is missing" in text


def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path):
    """Bytes changed, left out or put in: names that are no text, types and sizes that are none."""
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["h"], hidden_size=7),
        helper.make_node("Squeeze", ["h", "axis"], ["flat"]),
        helper.make_node("Gather", ["flat", "at"], ["g"], axis=1),
        helper.make_node("Einsum", ["g", "g"], ["y"], equation="bi,bj->ij"),
    ]
    constants = {"w": random_array(1, 28, 5), "r": random_array(1, 28, 7)}
    constants |= {"axis": np.array([1], dtype=np.int64), "at": np.int64(0)}
    whole = model(nodes, {"x": [6, 2, 5]}, ["y"], constants).SerializeToString()
    # Weights are most of the file, and any bytes will do for them.
    weights = [whole.find(v.tobytes()) for v in (constants["w"], constants["r"])]
    spans = [(at, at + v.nbytes) for at, v in zip(weights, constants.values(), strict=False)]
    places = [k for k in range(len(whole)) if not any(a <= k < b for a, b in spans)]
    rng = np.random.default_rng(5)
    path = tmp_path / "m.onnx"
    read, said = 0, []
    for _ in range(250):
        damaged = bytearray(whole)
        at = int(rng.choice(places))
        kind = rng.integers(4)
        if kind == 0:
            del damaged[at : at + int(rng.integers(1, 12))]
        elif kind == 1:
            damaged[at:at] = rng.integers(0, 256, 3, dtype=np.uint8).tobytes()
        else:
            damaged[at] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            profile_document(profile_models([path]))
            read += 1
        except InputError as error:
            said.append(str(error))
    assert read
    assert said
    assert all(len(text.splitlines()) == 1 for text in said)


def test_an_operator_that_onnx_does_not_know_is_refused(tmp_path):
    node = helper.make_node("Frobnicate", ["x"], ["y"], name="odd")
    text = refused(saved(model([node], {"x": [4]}, ["y"]), tmp_path))
    assert "got Frobnicate;" in text
    assert "operator set ai.onnx 20 has none" in text


def test_tensors_that_nothing_makes_and_newer_operator_sets_are_named(tmp_path):
    loose = model([helper.make_node("Relu", ["z"], ["y"], name="n")], {"x": [4]}, ["y"])
    with pytest.raises(InputError, match=r"got z; A tensor .* read by node 'n' \(Relu\)"):
        read_model(saved(loose, tmp_path))
    newer = one("Relu", [[4]])
    newer.opset_import[0].version = 999
    with pytest.raises(InputError, match="got operator set 999; At most"):
        read_model(saved(newer, tmp_path))


def test_open_axes_need_sizes_that_fit(tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"])
    path = saved(model([node], {"x": ["batch", None, 3]}, ["y"]), tmp_path)
    assert "--shape batch=N,x.1=N" in refused(path)
    (profile,) = profile_models([path], sizes={"batch": 2, "x.1": 5})
    assert profile.graph.operators[0].flop == 30
    assert profile.shape == "batch=2,x.1=5"
    assert "fixed: 3" in refused(path, {"batch": 2, "x.1": 5, "x.2": 4})
    assert "An open axis" in refused(path, {"batch": 2, "x.1": 5, "seq": 4})


def test_shapes_that_contradict_each_other_are_refused(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = saved(model([node], {"x": [2, 3]}, ["y"], {"w": random_array(4, 5)}), tmp_path)
    assert "shapes agree" in refused(path)


def test_nothing_is_cut_where_no_size_is_known(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("NonZero", ["a"], ["n"]),
        helper.make_node("Cast", ["n"], ["c"], to=1),
        helper.make_node("ReduceSum", ["c"], ["s"], keepdims=0),
        helper.make_node("Mul", ["s", "two"], ["m"]),
        helper.make_node("Add", ["m", "two"], ["y"]),
    ]
    path = saved(model(nodes, {"x": [8, 8]}, ["y"], {"two": np.float32(2.0)}), tmp_path)
    graph = operator_graph(read_model(path))
    found, crossings = segments(graph, 4)
    assert len(found) == 4
    assert {c.tensor for c in crossings} == {"a", "s", "m"}
