"""Shapes of all tensors: ONNX's own inference, helped along where shapes are computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.profiling.onnx.inline import inline_branches
from hetopt.profiling.onnx.load import ModelFile, graph_inputs, problem

SMALL = 1024
"""Elements of a constant that shape inference may need the values of."""

NOT_AHEAD = ("DequantizeLinear", "Random", "Bernoulli", "Multinomial")
"""Operators that are not computed ahead although their inputs are constants.

Weights stay in few bits until they are used; what is random differs each time."""

ROUNDS = 12
"""Times that computed shapes are put in for shape inference to go on from."""

BITS = {"float4e2m1": 4, "int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "string": 0, "bool": 8}
"""Sizes of element types whose names do not end in them."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape and element type of a tensor; the shape is ``None`` where it is not known."""

    shape: tuple[int, ...] | None
    dtype: str

    @property
    def bytes(self) -> float:
        """Size in bytes; 0 where the shape is not known."""
        return 0.0 if self.shape is None else math.prod(self.shape) * bits(self.dtype) / 8


def bits(dtype: str) -> int:
    """Return the bits of an element."""
    if dtype in BITS:
        return BITS[dtype]
    if dtype.startswith("float8"):
        return 8
    digits = "".join(c for c in dtype if c.isdigit())
    return int(digits) if digits else 32


def infer(model: ModelFile) -> tuple[Any, dict[str, np.ndarray[Any, Any]]]:
    """Return the model with shapes inferred, and the values of its small constants.

    Large weights are left out of what is inferred from: they are inputs with a shape there, so
    that a model of any size is inferred from a few kilobytes. Where shape inference stops at a
    shape that is computed from known shapes, small constants are computed by ONNX's reference
    and put in, until nothing more is found. Branches whose condition is among them are put in the
    place of their ``If``, in the model itself.
    """
    import onnx
    from onnx import shape_inference

    slim = _without_weights(model)
    values: dict[str, np.ndarray[Any, Any]] = {}
    for tensor in slim.graph.initializer:
        try:
            values[tensor.name] = onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # noqa: BLE001 - a damaged tensor fails in many ways
            expected = f"A constant whose numbers fit its type and shape: {error}."
            raise problem(model.path, tensor.name, expected) from None
    for _ in range(ROUNDS):
        try:
            inferred = shape_inference.infer_shapes(slim, strict_mode=True, data_prop=True)
        except shape_inference.InferenceError as error:
            text = " ".join(str(error).split())
            raise problem(model.path, "", f"A model whose shapes agree: {text[:300]}") from None
        known = tensor_types(inferred.graph)
        _evaluate(inferred, known, values)
        if inline_branches(model.proto.graph, values):
            slim = _without_weights(model)
            continue
        if all(_is_known(known, o) for n in inferred.graph.node for o in n.output if o):
            break
        added = [n for n in values if n not in {t.name for t in slim.graph.initializer}]
        if not added:
            break
        made = set(added)
        kept = [n for n in slim.graph.node if not made.issuperset(o for o in n.output if o)]
        if len(kept) == len(slim.graph.node):
            break
        del slim.graph.node[:]
        slim.graph.node.extend(kept)
        slim.graph.initializer.extend(
            onnx.numpy_helper.from_array(np.asarray(values[n]), n) for n in added
        )
    return inferred, values


def _is_known(known: dict[str, TensorType], name: str) -> bool:
    return name in known and known[name].shape is not None


def tensor_types(graph: Any) -> dict[str, TensorType]:
    """Return shape and element type of every tensor of a graph that states them."""
    import onnx

    found: dict[str, TensorType] = {}
    known = set(onnx.TensorProto.DataType.values())
    for entry in (*graph.value_info, *graph.input, *graph.output):
        kind = entry.type.tensor_type
        if not entry.type.HasField("tensor_type") or kind.elem_type not in known - {0}:
            continue
        found[entry.name] = TensorType(
            _shape(kind), onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        )
    for tensor in graph.initializer:
        dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        found[tensor.name] = TensorType(tuple(tensor.dims), dtype)
    return found


def _shape(kind: Any) -> tuple[int, ...] | None:
    if not kind.HasField("shape"):
        return None
    axes = kind.shape.dim
    if any(not axis.HasField("dim_value") for axis in axes):
        return None
    return tuple(axis.dim_value for axis in axes)


def _without_weights(model: ModelFile) -> Any:
    import onnx

    whole = model.proto
    slim = onnx.ModelProto()
    slim.ir_version = max(whole.ir_version, 4)
    slim.opset_import.extend(whole.opset_import)
    graph = slim.graph
    graph.name = whole.graph.name or "model"
    graph.node.extend(whole.graph.node)
    graph.output.extend(whole.graph.output)
    graph.value_info.extend(whole.graph.value_info)
    graph.input.extend(graph_inputs(whole.graph))
    for tensor in whole.graph.initializer:
        small = math.prod(tensor.dims) <= SMALL
        if small and tensor.data_location != onnx.TensorProto.EXTERNAL:
            graph.initializer.append(tensor)
        else:
            kind = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(kind)
    if model.sizes:
        # Axes that were open are stated as sizes now; what the file says of inner tensors is not.
        del graph.value_info[:]
        for entry in graph.output:
            for axis in entry.type.tensor_type.shape.dim:
                axis.ClearField("dim_param")
    return slim


def _evaluate(model: Any, known: dict[str, TensorType], values: dict[str, Any]) -> None:
    """Compute small integers that follow from shapes and constants, in place."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    version = {o.domain: o.version for o in model.opset_import}.get("", 1)
    for node in model.graph.node:
        if node.output[0] in values or any(a.HasField("g") for a in node.attribute):
            continue
        if node.domain not in ("", "ai.onnx") or node.op_type.startswith(NOT_AHEAD):
            continue
        if node.op_type in ("Shape", "Size"):
            shape = known.get(node.input[0], TensorType(None, "")).shape
            if shape is None:
                continue
            start, end = 0, None
            for attribute in node.attribute:
                start = attribute.i if attribute.name == "start" else start
                end = attribute.i if attribute.name == "end" else end
            result = np.array(shape, dtype=np.int64)[start:end]
            values[node.output[0]] = (
                result if node.op_type == "Shape" else np.int64(math.prod(shape))
            )
            continue
        out = known.get(node.output[0])
        if out is not None and out.shape is not None and math.prod(out.shape) > SMALL:
            continue
        if not all(name in values for name in node.input if name):
            continue
        if node.op_type == "ConstantOfShape" and np.prod(values[node.input[0]]) > SMALL:
            continue
        feeds = {name: values[name] for name in node.input if name}
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_value_info(n, helper.make_tensor_type_proto(0, None)) for n in feeds],
            [
                helper.make_value_info(n, helper.make_tensor_type_proto(0, None))
                for n in node.output
                if n
            ],
        )
        one = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
        try:
            results = ReferenceEvaluator(one).run(None, feeds)
        except Exception:  # noqa: BLE001 - what the reference cannot compute stays unknown
            continue
        for name, value in zip([n for n in node.output if n], results, strict=False):
            array = np.asarray(value)
            if array.size <= SMALL:
                values[name] = array
