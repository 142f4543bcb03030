"""Operations, bytes and weights of operators equal closed formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import helper

from hetopt.profiling.onnx.graph import OperatorGraph, operator_graph
from hetopt.profiling.onnx.load import read_model
from tests.small_models import model, one, random_array, saved


def counted(proto, folder, sizes=None) -> OperatorGraph:
    return operator_graph(read_model(saved(proto, folder), sizes))


def single(proto, folder):
    (operator,) = counted(proto, folder).operators
    assert operator.not_counted == ""
    return operator


@pytest.mark.parametrize(
    ("groups", "stride", "bias"), [(1, 1, True), (1, 2, False), (4, 1, True), (8, 2, True)]
)
def test_a_convolution_is_output_times_kernel(tmp_path, groups, stride, bias):
    n, c, m, size, k = 2, 8, 16, 20, 3
    weights = {1: random_array(m, c // groups, k, k)} | ({2: random_array(m)} if bias else {})
    o = single(
        one("Conv", [[n, c, size, size]], weights, strides=[stride] * 2, group=groups), tmp_path
    )
    out = n * m * ((size - k) // stride + 1) ** 2
    assert o.macs == out * (c // groups) * k * k
    assert o.flop == 2 * o.macs + bias * out
    assert o.read_b == 4 * n * c * size * size
    assert o.written_b == 4 * out
    assert o.weights_b == 4 * (m * c // groups * k * k + bias * m)


def test_a_transposed_convolution_is_input_times_kernel(tmp_path):
    o = single(one("ConvTranspose", [[1, 6, 5, 5]], {1: random_array(6, 4, 3, 3)}), tmp_path)
    assert o.macs == 6 * 25 * 4 * 9
    assert o.flop == 2 * o.macs


def test_a_product_of_matrices_is_m_n_k_per_batch(tmp_path):
    o = single(one("MatMul", [[5, 7, 11], [5, 11, 13]]), tmp_path)
    assert o.macs == 5 * 7 * 11 * 13
    assert (o.flop, o.weights_b) == (2 * o.macs, 0)
    assert o.read_b == 4 * (5 * 7 * 11 + 5 * 11 * 13)
    assert o.written_b == 4 * 5 * 7 * 13


@pytest.mark.parametrize("turned", [0, 1])
def test_gemm_adds_its_bias(tmp_path, turned):
    m, k, n = 3, 8, 5
    shape = [k, m] if turned else [m, k]
    o = single(
        one("Gemm", [shape], {1: random_array(k, n), 2: random_array(n)}, transA=turned), tmp_path
    )
    assert o.macs == m * k * n
    assert o.flop == 2 * m * k * n + m * n
    assert o.weights_b == 4 * (k * n + n)


def test_einsum_multiplies_the_sizes_of_its_letters(tmp_path):
    o = single(one("Einsum", [[2, 3, 4], [2, 4, 5]], equation="bij,bjk->bik"), tmp_path)
    assert o.macs == 2 * 3 * 4 * 5


def test_attention_is_scores_and_weighted_values(tmp_path):
    b, h, length, s, e, v = 2, 4, 6, 10, 16, 8
    o = single(
        one("Attention", [[b, h, length, e], [b, h, s, e], [b, h, s, v]], opset=23), tmp_path
    )
    scores = b * h * length * s
    assert o.macs == scores * (e + v)
    assert o.flop == 2 * o.macs + scores * (1 + 5)


def test_attention_written_out_counts_the_same_products(tmp_path):
    b, h, length, e = 1, 2, 5, 4
    nodes = [
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "kt"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["y"]),
    ]
    shape = [b, h, length, e]
    graph = counted(model(nodes, {"q": shape, "k": shape, "v": shape}, ["y"]), tmp_path)
    assert sum(o.macs for o in graph.operators) == 2 * b * h * length * length * e
    assert sum(o.flop for o in graph.operators) == sum(
        [4 * b * h * length * length * e, 5 * b * h * length * length]
    )


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("steps", [1, 9])
def test_an_lstm_counts_every_step(tmp_path, steps, directions):
    b, i, h = 3, 5, 7
    weights = {
        1: random_array(directions, 4 * h, i),
        2: random_array(directions, 4 * h, h),
        3: random_array(directions, 8 * h),
    }
    way = "bidirectional" if directions == 2 else "forward"
    o = single(one("LSTM", [[steps, b, i]], weights, hidden_size=h, direction=way), tmp_path)
    numbers = steps * directions * b * h
    assert o.macs == numbers * 4 * (i + h)
    assert o.flop == 2 * o.macs + numbers * (4 + 8 + 5 + 4)
    assert o.weights_b == 4 * directions * 4 * h * (i + h + 2)


def test_a_gru_has_three_gates(tmp_path):
    t, b, i, h = 6, 2, 5, 7
    weights = {1: random_array(1, 3 * h, i), 2: random_array(1, 3 * h, h)}
    o = single(one("GRU", [[t, b, i]], weights, hidden_size=h), tmp_path)
    assert o.macs == t * b * 3 * h * (i + h)
    assert o.flop == 2 * o.macs + t * b * h * (3 + 3 + 1 + 4)


def test_an_rnn_has_one(tmp_path):
    weights = {1: random_array(1, 7, 5), 2: random_array(1, 7, 7)}
    o = single(one("RNN", [[4, 2, 5]], weights, hidden_size=7), tmp_path)
    assert o.macs == 4 * 2 * 7 * (5 + 7)


@pytest.mark.parametrize(
    ("op", "per_element", "more"),
    [
        ("BatchNormalization", 2, {1: 6, 2: 6, 3: 6, 4: 6}),
        ("InstanceNormalization", 7, {1: 6, 2: 6}),
        ("Softmax", 5, {}),
        ("Relu", 1, {}),
        ("Sigmoid", 1, {}),
    ],
)
def test_normalisation_and_elementwise_are_per_element(tmp_path, op, per_element, more):
    weights = {place: abs(random_array(n)) for place, n in more.items()}
    o = single(one(op, [[2, 6, 5, 5]], weights), tmp_path)
    assert o.flop == per_element * 2 * 6 * 25
    assert o.macs == 0
    assert o.weights_b == 4 * sum(more.values())


@pytest.mark.parametrize("shift", [False, True])
def test_layer_normalisation_is_six_or_seven_per_element(tmp_path, shift):
    weights = {1: random_array(8)} | ({2: random_array(8)} if shift else {})
    assert single(one("LayerNormalization", [[3, 4, 8]], weights), tmp_path).flop == (
        (6 + shift) * 96
    )


def test_local_response_grows_with_its_window(tmp_path):
    assert single(one("LRN", [[1, 8, 3, 3]], size=5), tmp_path).flop == 9 * 72


def _recurrent(op: str, gates: int):
    weights = {1: random_array(1, gates * 7, 5), 2: random_array(1, gates * 7, 7)}
    return one(op, [[6, 2, 5]], weights, hidden_size=7)


@pytest.mark.parametrize(
    ("proto", "read", "written", "weights"),
    [
        (one("Conv", [[1, 4, 9, 9]], {1: random_array(8, 4, 3, 3)}), 324, 392, 288),
        (one("MatMul", [[6, 8]], {1: random_array(8, 5)}), 48, 30, 40),
        (
            one("Attention", [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 6]], opset=23),
            24 + 40 + 60,
            36,
            0,
        ),
        (_recurrent("LSTM", 4), 60, 6 * 2 * 7, 4 * 7 * (5 + 7)),
        (_recurrent("GRU", 3), 60, 6 * 2 * 7, 3 * 7 * (5 + 7)),
        (
            one("LayerNormalization", [[3, 4, 8]], {1: random_array(8), 2: random_array(8)}),
            96,
            96,
            16,
        ),
        (one("Softmax", [[3, 8]]), 24, 24, 0),
        (one("Relu", [[3, 8]]), 24, 24, 0),
        (one("Add", [[3, 8], [3, 8]]), 48, 24, 0),
        (one("Add", [[3, 8], [1, 8]]), 32, 24, 0),
        (one("MaxPool", [[1, 2, 6, 6]], kernel_shape=[2, 2], strides=[2, 2]), 72, 18, 0),
        (one("GlobalAveragePool", [[1, 2, 6, 6]]), 72, 2, 0),
        (one("Resize", [[1, 3, 4, 4]], {2: np.array([1, 1, 2, 2], dtype=np.float32)}), 48, 192, 4),
    ],
    ids=lambda value: value.graph.node[0].op_type if hasattr(value, "graph") else "",
)
def test_bytes_are_inputs_outputs_and_constants_once(tmp_path, proto, read, written, weights):
    """Numbers of four bytes, each tensor once whatever the steps of a recurrence."""
    o = single(proto, tmp_path)
    assert (o.read_b, o.written_b, o.weights_b) == (4 * read, 4 * written, 4 * weights)


def test_a_sum_of_n_is_n_minus_one_per_element(tmp_path):
    assert single(one("Sum", [[4, 5]] * 4), tmp_path).flop == 3 * 20


@pytest.mark.parametrize(
    ("op", "per_output"), [("MaxPool", 3 * 3 - 1), ("AveragePool", 3 * 3), ("LpPool", 18)]
)
def test_pooling_is_output_times_window(tmp_path, op, per_output):
    o = single(one(op, [[2, 4, 9, 9]], kernel_shape=[3, 3], strides=[3, 3]), tmp_path)
    assert o.flop == 2 * 4 * 9 * per_output


def test_global_pooling_reads_each_element_once(tmp_path):
    assert single(one("GlobalAveragePool", [[2, 4, 5, 5]]), tmp_path).flop == 200
    assert single(one("ReduceMean", [[2, 4, 5, 5]]), tmp_path).flop == 200


@pytest.mark.parametrize(("mode", "taps"), [("nearest", 1), ("linear", 4), ("cubic", 16)])
def test_resizing_is_per_output_its_samples(tmp_path, mode, taps):
    scales = np.array([1, 1, 2, 2], dtype=np.float32)
    o = single(one("Resize", [[1, 3, 4, 4]], {2: scales}, mode=mode), tmp_path)
    out = 3 * 8 * 8
    assert o.flop == (0 if taps == 1 else out * (2 * taps - 1))
    assert o.written_b == 4 * out


def test_quantised_operators_count_as_their_plain_ones_in_int8(tmp_path):
    w = np.ones((16, 3, 3, 3), dtype=np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["y"]),
    ]
    constants = {"w": w, "s": np.float32(0.1), "z": np.int8(0)}
    graph = counted(model(nodes, {"x": [1, 3, 8, 8]}, ["y"], constants), tmp_path)
    conv = graph.operators[-1]
    assert (conv.precision, conv.macs) == ("int8", 16 * 36 * 27)
    assert graph.operators[0].flop == 3 * 192
    # The weights stay in a byte each until they are used.
    assert graph.weights_b == w.size + 4 + 1


def test_views_move_nothing_and_a_gather_reads_what_it_returns(tmp_path):
    flat = single(one("Flatten", [[4, 6]]), tmp_path)
    assert (flat.flop, flat.read_b, flat.written_b) == (0, 0, 0)
    table = random_array(1000, 8)
    nodes = [helper.make_node("Gather", ["table", "i"], ["y"])]
    graph = counted(model(nodes, {"i": [5]}, ["y"], {"table": table}, dtype=7), tmp_path)
    (gather,) = graph.operators
    assert gather.read_b == 5 * 8 + 4 * 5 * 8
    assert gather.weights_b == 0
    assert graph.weights_b == table.nbytes


def test_a_transform_is_that_of_a_fast_one(tmp_path):
    o = single(one("DFT", [[2, 64, 2]], {2: np.int64(1)}), tmp_path)
    assert o.flop == pytest.approx(2 * 5 * 64 * math.log2(64))


def test_a_loop_of_known_length_counts_every_turn_and_an_unknown_one_is_named(tmp_path):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["c2"]),
            helper.make_node("MatMul", ["v", "w"], ["v2"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", 7, []),
            helper.make_tensor_value_info("c", 9, []),
            helper.make_tensor_value_info("v", 1, [4, 4]),
        ],
        [
            helper.make_tensor_value_info("c2", 9, []),
            helper.make_tensor_value_info("v2", 1, [4, 4]),
        ],
    )
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    constants = {"n": np.int64(10), "w": random_array(4, 4)}
    (loop,) = counted(model([node], {"x": [4, 4]}, ["y"], constants), tmp_path).operators
    assert loop.macs == 10 * 64
    graph = counted(
        model([node], {"x": [4, 4], "n": []}, ["y"], {"w": random_array(4, 4)}), tmp_path
    )
    assert any("Loop (1): how often its body runs" in line for line in graph.not_counted())


def test_an_if_counts_its_larger_branch(tmp_path):
    def branch(name, nodes):
        out = helper.make_tensor_value_info(f"{name}_y", 1, [4, 4])
        return helper.make_graph(nodes, name, [], [out])

    small = branch("then", [helper.make_node("Relu", ["x"], ["then_y"])])
    large = branch("else", [helper.make_node("MatMul", ["x", "x"], ["else_y"])])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=9),
        helper.make_node("If", ["c"], ["y"], then_branch=small, else_branch=large),
    ]
    graph = counted(model(nodes, {"x": [4, 4]}, ["y"]), tmp_path)
    assert graph.operators[-1].macs == 64
    assert "x" in graph.operators[-1].inputs


def test_operators_of_other_domains_are_named(tmp_path):
    nodes = [
        helper.make_node("Fancy", ["x"], ["h"], domain="com.example"),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    graph = counted(model(nodes, {"x": [4]}, ["y"], domains={"com.example": 1}), tmp_path)
    assert graph.not_counted()[-1] == "com.example:Fancy (1): no counter for domain com.example"


def test_shapes_that_are_computed_are_followed(tmp_path):
    """Flattening by Shape, Gather and Concat, as exporters write it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "axis"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    constants = {
        "zero": np.int64(0),
        "axis": np.array([0], dtype=np.int64),
        "rest": np.array([-1], dtype=np.int64),
        "w": random_array(12, 5),
    }
    proto = model(nodes, {"x": ["batch", 3, 4]}, ["y"], constants)
    graph = counted(proto, tmp_path, {"batch": 8})
    assert [o.op_type for o in graph.operators] == ["Reshape", "MatMul"]
    assert graph.operators[-1].macs == 8 * 12 * 5
    assert graph.not_counted() == []
