"""Branches that the sizes of the inputs decide are put in the place of their operator."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from hetopt.profiling.onnx.cut import submodel
from hetopt.profiling.onnx.graph import operator_graph
from hetopt.profiling.onnx.load import read_model
from hetopt.profiling.onnx.segments import segments
from tests.small_models import model, random_array, saved


def branch(name, nodes, output):
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(output, 1, None)])


def deciding(folder):
    """Two Ifs on the number of rows; both use the same inner names, one only passes on."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Equal", ["rows", "four"], ["is_four"]),
    ]
    before = "x"
    for k in (1, 2):
        wide = branch(
            f"then{k}",
            [
                helper.make_node("MatMul", [before, "w"], ["t"]),
                helper.make_node("Relu", ["t"], ["out"]),
            ],
            "out",
        )
        narrow = branch(f"else{k}", [helper.make_node("Identity", [before], ["out"])], "out")
        nodes.append(
            helper.make_node("If", ["is_four"], [f"y{k}"], then_branch=wide, else_branch=narrow)
        )
        before = f"y{k}"
    nodes.append(helper.make_node("MatMul", ["y2", "w"], ["y"]))
    constants = {"zero": np.int64(0), "four": np.int64(4), "w": random_array(8, 8)}
    return saved(model(nodes, {"x": ["rows", 8]}, ["y"], constants), folder)


@pytest.mark.parametrize(("rows", "products"), [(4, 3), (5, 1)])
def test_the_branch_that_is_taken_counts_and_gives_what_the_model_gives(tmp_path, rows, products):
    path = deciding(tmp_path)
    graph = operator_graph(read_model(path, {"rows": rows}))
    assert graph.not_counted() == []
    assert sum(o.op_type == "MatMul" for o in graph.operators) == products
    assert sum(o.macs for o in graph.operators) == products * rows * 64
    x = random_array(rows, 8)
    expected = onnxruntime.InferenceSession(str(path)).run(["y"], {"x": x})[0]
    tensors = {"x": x}
    for segment in segments(graph, 3)[0]:
        session = onnxruntime.InferenceSession(submodel(graph, segment.operators))
        feeds = {i.name: tensors[i.name] for i in session.get_inputs()}
        names = [o.name for o in session.get_outputs()]
        tensors |= dict(zip(names, session.run(names, feeds), strict=True))
    assert tensors["y"] == pytest.approx(expected, rel=1e-5)


def test_what_a_branch_only_passes_on_is_passed_on(tmp_path):
    passes = branch("then", [], "x")
    other = branch("else", [helper.make_node("Relu", ["x"], ["out"])], "out")
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Equal", ["rows", "zero"], ["is_empty"]),
        helper.make_node("Not", ["is_empty"], ["has"]),
        helper.make_node("If", ["has"], ["z"], then_branch=passes, else_branch=other),
        helper.make_node("Add", ["z", "z"], ["y"]),
    ]
    path = saved(model(nodes, {"x": [3, 2]}, ["y"], {"zero": np.int64(0)}), tmp_path)
    graph = operator_graph(read_model(path))
    assert [o.op_type for o in graph.operators] == ["Identity", "Add"]
    x = random_array(3, 2)
    session = onnxruntime.InferenceSession(submodel(graph))
    assert session.run(["y"], {"x": x})[0] == pytest.approx(2 * x)
