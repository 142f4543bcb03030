"""Parts of a model as models of their own, cut at the model's own tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hetopt.profiling.onnx.graph import Operator, OperatorGraph, captured
from hetopt.profiling.onnx.load import MOST_BYTES, problem

IR_VERSION = 10
"""Newest version of the file format that is written: runtimes refuse newer ones than they know."""


def submodel(graph: OperatorGraph, part: Sequence[Operator] | None = None) -> bytes:
    """Return a part of a model as an ONNX file.

    Its inputs are the tensors that its operators read and others make (and inputs of the model),
    its outputs those that others read (and outputs of the model), each under its own name.
    Constants come along, with the operators that compute them.

    Parameters
    ----------
    graph
        The whole model.
    part
        The operators; all of them where none are given (open axes then have their sizes).

    Raises
    ------
    InputError
        If the part is larger than one protobuf file may be.
    """
    import onnx

    operators = list(graph.operators if part is None else part)
    whole = graph.model.proto
    inside = {o.index for o in operators}
    needed, known = _constants(graph, [whole.graph.node[o.index] for o in operators])
    nodes = [n for i, n in enumerate(whole.graph.node) if i in inside | needed]
    inputs, outputs = borders(graph, operators)
    read = {n for node in nodes for n in (*node.input, *captured(node))}
    initializers = [t for t in whole.graph.initializer if t.name in read or t.name in outputs]
    made = onnx.ModelProto()
    made.ir_version = min(max(whole.ir_version, 4), IR_VERSION)
    made.producer_name = "hetopt"
    made.opset_import.extend(whole.opset_import)
    made.graph.name = whole.graph.name or "model"
    made.graph.node.extend(nodes)
    made.graph.input.extend(_typed(graph, name) for name in inputs)
    made.graph.output.extend(_typed(graph, name) for name in outputs)
    made.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(graph.values[n]), n) for n in sorted(known)
    )
    size = 0
    for tensor in initializers:
        kept = made.graph.initializer.add()
        kept.CopyFrom(tensor)
        if kept.data_location == onnx.TensorProto.EXTERNAL:
            folder = str(graph.model.path.parent)
            onnx.external_data_helper.load_external_data_for_tensor(kept, folder)
            kept.ClearField("data_location")
            del kept.external_data[:]
        size += kept.ByteSize()
        if size > MOST_BYTES * 0.99:
            expected = "A part below the 2 GiB of a protobuf file: more --segments."
            raise problem(graph.model.path, "", expected)
    content: bytes = made.SerializeToString()
    return content


def borders(
    graph: OperatorGraph, operators: Sequence[Operator]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tensors that come into a part and those that go out of it."""
    inside = {o.index for o in operators}
    made = {n for o in operators for n in o.outputs}
    wanted = {n for o in graph.operators if o.index not in inside for n in o.inputs}
    wanted |= set(graph.outputs)
    inputs = dict.fromkeys(n for o in operators for n in o.inputs if n not in made)
    return tuple(inputs), tuple(n for o in operators for n in o.outputs if n in wanted)


def _constants(graph: OperatorGraph, nodes: Sequence[Any]) -> tuple[set[int], set[str]]:
    """Return what makes the constants that nodes read: places of operators, and known values."""
    whole = graph.model.proto
    live = {n for o in graph.operators for n in o.outputs} | set(graph.inputs)
    given = {t.name for t in whole.graph.initializer}
    maker = {n: i for i, node in enumerate(whole.graph.node) for n in node.output if n}
    wanted = [n for node in nodes for n in (*node.input, *captured(node))]
    places: set[int] = set()
    known: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in live or name in given or maker.get(name, -1) in {-1, *places}:
            continue
        if name in graph.values:
            # What follows from the sizes of the inputs would need those inputs.
            known.add(name)
            continue
        places.add(maker[name])
        node = whole.graph.node[maker[name]]
        wanted += [n for n in (*node.input, *captured(node)) if n]
    return places, known


def _typed(graph: OperatorGraph, name: str) -> Any:
    from onnx import TensorProto, helper

    kind = graph.types.get(name)
    if kind is None:
        return helper.make_empty_tensor_value_info(name)
    element = TensorProto.DataType.Value(kind.dtype.upper())
    return helper.make_tensor_value_info(name, element, kind.shape)
