"""The operator graph of a model: what each operator computes, reads, writes and holds."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hetopt.profiling.onnx.counters import COUNTERS, Count, Moves, Seen, UnknownSizeError
from hetopt.profiling.onnx.load import ModelFile, graph_inputs, problem
from hetopt.profiling.onnx.shapes import NOT_AHEAD, TensorType, infer, tensor_types


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator that runs with each request.

    Attributes
    ----------
    index
        Its place among the operators of the file.
    name, op_type, domain
        As in the file; ``name`` is that of its first output where it has none.
    family
        Family of its counter, ``control`` or ``unknown``.
    precision
        Element type that it computes in; ``int8`` between quantised neighbours.
    flop, macs
        Operations, and multiply-accumulates among them.
    read_b, written_b, weights_b
        Bytes of activations read, of outputs written, of constants read.
    inputs, outputs
        Names of its tensors that are no constants.
    constants
        Names of the constants that it reads.
    not_counted
        Why its operations are not counted; empty where they are.
    """

    index: int
    name: str
    op_type: str
    domain: str
    family: str
    precision: str
    flop: float
    macs: float
    read_b: float
    written_b: float
    weights_b: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: tuple[str, ...]
    not_counted: str = ""


@dataclass(frozen=True, slots=True)
class OperatorGraph:
    """Operators in the order of the file, which is topological.

    ``types`` has shape and element type of every tensor by name, ``values`` the small constants
    that follow from the sizes of the inputs; ``folded`` counts the operators whose results are
    constants: they are computed once, ahead.
    """

    model: ModelFile
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    types: Mapping[str, TensorType]
    values: Mapping[str, Any]
    folded: int

    @property
    def weights_b(self) -> float:
        """Bytes of all constants that operators read, each once."""
        return self.size_b({c for o in self.operators for c in o.constants})

    def size_b(self, names: Iterable[str]) -> float:
        """Bytes of tensors together."""
        return sum(self.types[n].bytes for n in sorted(names) if n in self.types)

    def not_counted(self) -> list[str]:
        """One sentence per kind of operator that is not counted, with how many there are."""
        kinds = Tally(
            (f"{o.domain}:{o.op_type}" if o.domain else o.op_type, o.not_counted)
            for o in self.operators
            if o.not_counted
        )
        return [f"{name} ({n}): {why}" for (name, why), n in sorted(kinds.items())]


def operator_graph(model: ModelFile) -> OperatorGraph:
    """Count every operator of a model.

    Parameters
    ----------
    model
        As :func:`hetopt.profiling.onnx.load.read_model` gives it.

    Raises
    ------
    InputError
        If shapes in the model contradict each other, or all its operators are constants.
    """
    inferred, values = infer(model)
    types = tensor_types(inferred.graph)
    types |= {
        n: TensorType(tuple(v.shape), str(v.dtype)) for n, v in values.items() if n not in types
    }
    constants = {t.name for t in model.proto.graph.initializer} | set(values)
    used = {n for node in model.proto.graph.node for n in (*node.input, *captured(node))}
    used |= {o.name for o in model.proto.graph.output}
    live: list[Operator] = []
    folded = 0
    dequantised: set[str] = set()
    # Those within have shapes too where inference has been.
    within = {
        n.output[0]: n for n in inferred.graph.node if any(a.HasField("g") for a in n.attribute)
    }
    for index, original in enumerate(model.proto.graph.node):
        node = within.get(original.output[0], original)
        if _is_constant(node, constants):
            constants.update(n for n in node.output if n)
            folded += 1
            continue
        if node.op_type == "DequantizeLinear":
            dequantised.update(node.output)
        live.append(_operator(index, node, types, values, constants, dequantised, used))
    if not live:
        expected = (
            "A model that computes something from its inputs: all its operators are constants."
        )
        raise problem(model.path, "", expected)
    graph = model.proto.graph
    return OperatorGraph(
        model,
        tuple(live),
        tuple(i.name for i in graph_inputs(graph)),
        tuple(o.name for o in graph.output),
        types,
        values,
        folded,
    )


def _is_constant(node: Any, constants: set[str]) -> bool:
    if node.op_type.startswith(NOT_AHEAD):
        return False
    if any(n and n in constants for n in node.output):
        return True  # a shape that is known ahead
    if any(a.HasField("g") for a in node.attribute):
        return False
    return all(n in constants for n in node.input if n)


def _operator(
    index: int,
    node: Any,
    types: Mapping[str, TensorType],
    values: Mapping[str, Any],
    constants: set[str],
    dequantised: set[str],
    used: set[str],
) -> Operator:
    outer = captured(node)
    read = list(dict.fromkeys([n for n in node.input if n] + outer))
    inputs = tuple(n for n in read if n not in constants)
    held = tuple(n for n in read if n in constants)
    outputs = tuple(n for n in node.output if n and n in used)
    family, count, why = _count(node, types, values)
    missing = [n for n in (*inputs, *outputs) if types.get(n, NOTHING).shape is None]
    if missing and not why:
        why = UNKNOWN_SIZES
    moves = count.moves
    written = sum(types.get(n, NOTHING).bytes for n in outputs)
    first = node.input[0] if node.input else ""
    read_b = sum(types.get(n, NOTHING).bytes for n in inputs)
    weights_b = sum(types.get(n, NOTHING).bytes for n in held)
    if moves is Moves.OUTPUT:
        # A gather reads of its table what it returns, wherever the table stands.
        read_b -= types.get(first, NOTHING).bytes if first in inputs else 0.0
        weights_b -= types.get(first, NOTHING).bytes if first in held else 0.0
        read_b += written
    if moves in (Moves.WRITE, Moves.NONE):
        read_b = weights_b = 0.0
    if moves is Moves.NONE:
        written = 0.0
    return Operator(
        index,
        node.name or next(n for n in node.output if n),
        node.op_type,
        "" if node.domain == "ai.onnx" else node.domain,
        family,
        _precision(node, types, dequantised),
        count.flop,
        count.macs,
        read_b,
        written,
        weights_b,
        inputs,
        outputs,
        held,
        why,
    )


UNKNOWN_SIZES = "its sizes are not known before it runs"
NOTHING = TensorType(None, "float")


def _precision(node: Any, types: Mapping[str, TensorType], dequantised: set[str]) -> str:
    data = [n for n in node.input if n]
    entry = COUNTERS.get(node.op_type)
    heavy = entry is not None and entry.family in ("convolution", "matmul")
    if heavy and len(data) > 1 and all(n in dequantised for n in data[:2]):
        return "int8"
    dtype = next((types[n].dtype for n in (*data, *node.output) if n in types), "float")
    return {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "double": "fp64"}.get(
        dtype, dtype
    )


def _count(
    node: Any, types: Mapping[str, TensorType], values: Mapping[str, Any]
) -> tuple[str, Count, str]:
    """Return the family, the count, and why there is none."""
    if node.op_type in ("If", "Loop", "Scan") and not node.domain:
        return _control(node, types, values)
    domain = "" if node.domain == "ai.onnx" else node.domain
    entry = COUNTERS.get(node.op_type) if not domain else None
    if entry is None:
        why = f"no counter for domain {domain}" if domain else "no counter for this operator"
        return "unknown", Count(0.0), why
    try:
        return entry.family, entry.count(_seen(node, types, values)), ""
    except (UnknownSizeError, IndexError, KeyError, ZeroDivisionError):
        return entry.family, Count(0.0), UNKNOWN_SIZES
    except (ValueError, TypeError):
        return entry.family, Count(0.0), "its attributes do not fit its inputs"


def _seen(node: Any, types: Mapping[str, TensorType], values: Mapping[str, Any]) -> Seen:
    from onnx import helper

    return Seen(
        node.op_type,
        tuple(types.get(n, NOTHING).shape if n else None for n in node.input),
        tuple(types.get(n, NOTHING).shape if n else None for n in node.output),
        {a.name: helper.get_attribute_value(a) for a in node.attribute},
        tuple(values.get(n) if n else None for n in node.input),
    )


def captured(node: Any) -> list[str]:
    """Return the tensors of outer graphs that the graphs within a node read."""
    found: list[str] = []
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
            made = {t.name for t in graph.initializer} | {i.name for i in graph.input}
            for inner in graph.node:
                read = [n for n in inner.input if n] + captured(inner)
                found += [n for n in read if n not in made]
                made.update(inner.output)
            found += [o.name for o in graph.output if o.name not in made]
    return found


def _control(
    node: Any, types: Mapping[str, TensorType], values: Mapping[str, Any]
) -> tuple[str, Count, str]:
    """Count control flow: the larger branch of If, the body times the steps of Loop and Scan."""
    graphs = {a.name: a.g for a in node.attribute if a.HasField("g")}
    bodies = {name: _body(graph, types, values) for name, graph in graphs.items()}
    whys = [why for _, why in bodies.values() if why]
    if node.op_type == "If":
        largest = max((count for count, _ in bodies.values()), key=lambda c: c.flop)
        return "control", largest, whys[0] if whys else ""
    steps = _steps(node, types, values)
    if steps is None:
        return "control", Count(0.0), "how often its body runs is not known before it runs"
    body, _ = bodies["body"]
    return "control", Count(body.flop * steps, body.macs * steps), whys[0] if whys else ""


def _body(
    graph: Any, types: Mapping[str, TensorType], values: Mapping[str, Any]
) -> tuple[Count, str]:
    inner = {**types, **tensor_types(graph)}
    flop = macs = 0.0
    first = ""
    for node in graph.node:
        _, count, why = _count(node, inner, values)
        flop, macs = flop + count.flop, macs + count.macs
        first = first or (f"{node.op_type} in it: {why}" if why else "")
    return Count(flop, macs), first


def _steps(node: Any, types: Mapping[str, TensorType], values: Mapping[str, Any]) -> int | None:
    if node.op_type == "Loop":
        value = values.get(node.input[0]) if node.input[0] else None
        # A condition may end it sooner, so only one that is left out or constant counts.
        ends = len(node.input) > 1 and node.input[1] and node.input[1] not in values
        return None if value is None or ends else int(value)
    scanned = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 0)
    shape = types.get(node.input[len(node.input) - scanned], NOTHING).shape if scanned else None
    return None if not shape else shape[0]
