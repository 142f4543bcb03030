"""Other precisions of a model: dynamic int8 by ONNX Runtime's own quantiser."""

from __future__ import annotations

import logging
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PRECISIONS = ("fp32", "int8")
"""What a model can be measured in; ``fp32`` is the model as it stands in its file."""

TOLERANCES = {"fp32": 1e-3, "int8": 0.2}
"""Largest difference of outputs by precision that passes for the same, over the largest value."""


def in_precision(model: bytes, precision: str) -> bytes:
    """Return a model in another precision.

    int8 is *dynamic*: weights are quantised ahead, activations by their range in each run, so that
    nothing needs calibration data, and tensors between operators stay fp32.

    Parameters
    ----------
    model
        An ONNX file.
    precision
        One of ``PRECISIONS``.
    """
    if precision == "fp32":
        return model
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Its advice on preprocessing goes to the root logger.
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
            source.write_bytes(fold_constants(model))
            # Products of signed weights are not implemented for convolutions on the CPU.
            quantize_dynamic(source, target, weight_type=QuantType.QUInt8)
            return target.read_bytes()
    finally:
        logging.disable(before)


def fold_constants(model: bytes) -> bytes:
    """Return the model with operators on constants replaced by their results.

    The quantiser looks for weights among initializers only.
    """
    import onnx
    import onnxruntime

    proto = onnx.ModelProto.FromString(model)
    graph = proto.graph
    known = {t.name for t in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type.startswith("Random") or any(a.HasField("g") for a in node.attribute):
            continue
        if all(n in known for n in node.input if n):
            nodes.append(node)
            known.update(n for n in node.output if n)
    if not nodes:
        return model
    folded = {n for node in nodes for n in node.output if n}
    kept = [n for n in graph.node if n.output[0] not in folded]
    read = {n for node in kept for n in node.input} | {o.name for o in graph.output}
    wanted = sorted(folded & read)
    part = onnx.ModelProto()
    part.CopyFrom(proto)
    del part.graph.node[:], part.graph.input[:], part.graph.output[:], part.graph.value_info[:]
    part.graph.node.extend(nodes)
    part.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        part.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    values: list[Any] = session.run(wanted, {})
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in zip(wanted, values, strict=True)
    )
    content: bytes = proto.SerializeToString()
    return content


def difference(found: list[Any], expected: list[Any]) -> float:
    """Return the largest difference of outputs, over the largest value expected of each.

    Infinite where one is not finite and the other is not the same: NaN compares with nothing, and
    would else pass for no difference.
    """
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        if not a.size:
            continue
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            off = np.where(same, 0.0, np.abs(a - b))
        if not np.all(np.isfinite(off)):
            return math.inf
        scale = float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
        worst = max(worst, float(np.max(off)) / (scale or 1.0))
    return worst
