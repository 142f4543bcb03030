"""Small ONNX models, made in the tests that use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def model(
    nodes: list[Any],
    inputs: dict[str, list[Any]],
    outputs: list[str],
    weights: dict[str, Any] | None = None,
    *,
    opset: int = 20,
    domains: dict[str, int] | None = None,
    dtype: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of these nodes; inputs by name with their shapes, weights as arrays."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(n, dtype, s) for n, s in inputs.items()],
        [helper.make_empty_tensor_value_info(n) for n in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in (weights or {}).items()],
    )
    sets = [helper.make_opsetid("", opset)]
    sets += [helper.make_opsetid(d, v) for d, v in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=sets, ir_version=10)


def one(
    op_type: str,
    shapes: list[list[int]],
    weights: dict[int, Any] | None = None,
    *,
    outputs: int = 1,
    opset: int = 20,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one operator: inputs x0, x1 ... of these shapes, constants at their places."""
    names = [f"x{i}" for i in range(len(shapes))]
    constants = {}
    for place, value in (weights or {}).items():
        while len(names) <= place:
            names.append("")
        names[place] = f"w{place}"
        constants[f"w{place}"] = value
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op_type, names, made, **attributes)
    inputs = {f"x{i}": s for i, s in enumerate(shapes)}
    return model([node], inputs, made, constants, opset=opset)


def saved(proto: onnx.ModelProto, folder: Path, name: str = "m.onnx") -> Path:
    """Write a model."""
    path = folder / name
    onnx.save(proto, path)
    return path


def random_array(*shape: int) -> np.ndarray:
    """Numbers of a fixed seed."""
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def light(name: str) -> Path:
    """A real graph with generated weights that the package onnx ships."""
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"


def real_weights(proto: onnx.ModelProto, seed: int = 1) -> onnx.ModelProto:
    """The model with random weights in the place of weights that are all alike.

    Signals neither grow nor vanish on their way, and what goes into the last softmax is small, so
    that outputs differ in all their numbers.
    """
    rng = np.random.default_rng(seed)
    graph = proto.graph
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    factors = _factors(graph)
    # Beside a branch that passes on what came in, each sum would double the signal.
    gain = 0.8 if any(n.op_type == "Sum" for n in graph.node) else 2.0
    heavy = [n.input[1] for n in graph.node if n.op_type in ("Conv", "Gemm")]
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        name, shape = node.output[0], [int(n) for n in shapes[node.input[0]]]
        if len(shape) > 1:
            fan_in = int(np.prod(shape[1:]))
            last = 0.1 if name == heavy[-1] else 1.0
            value = last * rng.standard_normal(shape) * np.sqrt(gain / fan_in)
        elif name in factors:
            value = rng.uniform(0.7, 1.2, shape)
        else:
            value = rng.uniform(-0.1, 0.1, shape)
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    del graph.node[:]
    graph.node.extend(kept)
    proto.ir_version = max(proto.ir_version, 4)
    fed = {t.name for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in fed]
    del graph.input[:]
    graph.input.extend(inputs)
    return proto


def _factors(graph: Any) -> set[str]:
    """Vectors that multiply or divide: scales, variances."""
    multiplied = {n for node in graph.node if node.op_type == "Mul" for n in node.input}
    found = set()
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            found |= {node.input[1], node.input[4]}
        if node.op_type == "Unsqueeze" and _leads_to(graph, node.output[0], multiplied):
            found |= _origins(graph, node.input[0])
    return found


def _leads_to(graph: Any, name: str, wanted: set[str]) -> bool:
    if name in wanted:
        return True
    return any(
        _leads_to(graph, node.output[0], wanted)
        for node in graph.node
        if node.op_type == "Unsqueeze" and name in node.input
    )


def _origins(graph: Any, name: str) -> set[str]:
    for node in graph.node:
        if node.op_type == "Unsqueeze" and name in node.output:
            return _origins(graph, node.input[0])
    return {name}
