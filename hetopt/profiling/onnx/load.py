"""Model files: read, checked, and their open axes given sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.extras import load_extra

MOST_BYTES = 2**31 - 1
"""Largest protobuf message; larger models keep their weights in files beside them."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as it stands in its file.

    Attributes
    ----------
    path
        The file.
    sha256
        Hash of the file itself, without weights in files beside it.
    proto
        The ``onnx.ModelProto``, its open axes given sizes; weights in files beside it are not
        loaded.
    sizes
        What was given for the open axes that it has, by name.
    """

    path: Path
    sha256: str
    proto: Any
    sizes: dict[str, int]


def read_model(path: str | Path, sizes: Mapping[str, int] | None = None) -> ModelFile:
    """Read a model file without its external weights.

    Parameters
    ----------
    path
        The file.
    sizes
        Sizes of open axes by the axis' name (``batch``), or by input and number (``input.0``).

    Raises
    ------
    InputError
        If the file is missing, corrupt or too large, its external data are missing, it has an
        operator that ONNX does not know, or an open axis has no size.
    """
    onnx = load_extra("onnx", "onnx", path)
    path = Path(path)
    proto, digest = _parsed(onnx, path)
    _check_form(onnx, path, proto)
    _check_external(onnx, path, proto)
    _check_operators(onnx, path, proto)
    _check_tensors(path, proto)
    return ModelFile(path, digest, proto, _bind(path, proto, dict(sizes or {})))


def problem(path: object, value: str, expected: str) -> InputError:
    """Return the error for one thing that is wrong with a model file."""
    return InputError([Problem(str(path), _printable(value), _printable(expected))])


def _printable(text: str) -> str:
    """Return a text in one line that no name of a damaged file can break."""
    shown = "".join(
        c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    return " ".join(shown.split())[:500]


def _parsed(onnx: Any, path: Path) -> tuple[Any, str]:
    if not path.is_file():
        raise problem(path, "", "A model file (.onnx) that exists.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise problem(
            path,
            f"{size:,} bytes",
            "At most 2 GiB in one protobuf file: save the model with its weights beside it "
            "(onnx.save_model with save_as_external_data=True).",
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise problem(path, "", f"A file that can be read: {error.strerror}.") from None
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except Exception:  # noqa: BLE001 - protobuf's error depends on how it is built
        raise problem(
            path, "", "An ONNX model: the file is corrupt, cut off, or no ONNX."
        ) from None
    if not proto.graph.node or not proto.ir_version:
        raise problem(path, "", "An ONNX model with operators: the file has none.")
    if proto.functions:
        from onnx import inliner

        proto = inliner.inline_local_functions(proto)
    return proto, hashlib.sha256(content).hexdigest()


def _check_form(onnx: Any, path: Path, proto: Any) -> None:
    """Refuse what parses and is no model: names that are no text, types that do not exist."""
    types = set(onnx.TensorProto.DataType.values())
    for graph in (proto.graph, *inner_graphs(proto.graph)):
        names = [graph.name, *(o.domain for o in proto.opset_import)]
        for n in graph.node:
            names += [n.op_type, n.domain, n.name, *n.input, *n.output]
            names += [attribute.name for attribute in n.attribute]
        entries = (*graph.input, *graph.output, *graph.value_info)
        names += [held.name for held in (*entries, *graph.initializer)]
        names += [axis.dim_param for e in entries for axis in e.type.tensor_type.shape.dim]
        kinds = [t.data_type for t in graph.initializer]
        kinds += [e.type.tensor_type.elem_type for e in entries if e.type.HasField("tensor_type")]
        empty = [n.op_type for n in graph.node if not n.output]
        if not all(isinstance(name, str) for name in names):
            raise problem(path, "", "An ONNX model: a name in it is no text, the file is corrupt.")
        if not types.issuperset(kinds):
            wrong = next(kind for kind in kinds if kind not in types)
            raise problem(path, f"type {wrong}", "An ONNX model: elements of a type that exists.")
        if empty:
            raise problem(path, empty[0], "An ONNX model: an operator with an output.")


def _check_external(onnx: Any, path: Path, proto: Any) -> None:
    wrong = []
    constants = [a.t for n in all_nodes(proto.graph) for a in n.attribute if a.HasField("t")]
    inner = [t for g in inner_graphs(proto.graph) for t in g.initializer]
    for tensor in (*proto.graph.initializer, *inner, *constants):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entry = {e.key: e.value for e in tensor.external_data}
        location = entry.get("location", "")
        numbers = [entry.get(key, "0") for key in ("offset", "length")]
        beside = path.parent / location
        if not all(number.isdecimal() for number in numbers):
            wrong.append((location, "at a place that is no number"))
        elif Path(location).is_absolute() or ".." in Path(location).parts:
            wrong.append((location, "which is outside of the model's folder"))
        elif not location or not beside.is_file():
            wrong.append((location, "which is missing"))
        elif beside.stat().st_size < sum(map(int, numbers)):
            wrong.append((location, f"which is shorter than {sum(map(int, numbers)):,} bytes"))
    if wrong:
        name, why = wrong[0]
        expected = f"Weights of {len(wrong)} tensor(s) in the file {name!r} beside it, {why}."
        raise problem(path, "", expected)


def _check_operators(onnx: Any, path: Path, proto: Any) -> None:
    version = {o.domain or "ai.onnx": o.version for o in proto.opset_import}
    for node in all_nodes(proto.graph):
        domain = node.domain or "ai.onnx"
        if domain not in ("ai.onnx", "ai.onnx.ml"):
            continue
        if domain not in version:
            raise problem(path, node.op_type, f"A version of the operator set {domain}: has none.")
        newest = onnx.defs.onnx_opset_version()
        if version[domain] < 1:
            raise problem(path, f"operator set {version[domain]}", "A version of at least 1.")
        if domain == "ai.onnx" and version[domain] > newest:
            expected = f"At most {newest}, the newest that onnx {onnx.__version__} knows."
            raise problem(path, f"operator set {version[domain]}", expected)
        if not onnx.defs.has(node.op_type, version[domain], node.domain):
            expected = (
                f"An operator of ONNX: operator set {domain} {version[domain]} has none of this "
                f"name (node {node.name or node.output[0]!r})."
            )
            raise problem(path, node.op_type, expected)


def _check_tensors(path: Path, proto: Any) -> None:
    """Refuse operators that read what nothing before them makes."""
    graph = proto.graph
    made = {"", *(t.name for t in graph.initializer), *(i.name for i in graph.input)}
    made.update(t.values.name for t in graph.sparse_initializer)
    for node in graph.node:
        for name in node.input:
            if name not in made:
                expected = (
                    "A tensor that an input, a constant or an earlier operator makes, read by node "
                    f"{node.name or node.output[0]!r} ({node.op_type})."
                )
                raise problem(path, name, expected)
        made.update(node.output)


def all_nodes(graph: Any) -> list[Any]:
    """Return the nodes of a graph and of the graphs within them."""
    return [node for inner in (graph, *inner_graphs(graph)) for node in inner.node]


def inner_graphs(graph: Any) -> list[Any]:
    """Return the graphs within the nodes of a graph, and within those."""
    found = []
    for node in graph.node:
        for attribute in node.attribute:
            held = [attribute.g] if attribute.HasField("g") else []
            for inner in (*held, *attribute.graphs):
                found += [inner, *inner_graphs(inner)]
    return found


def graph_inputs(graph: Any) -> list[Any]:
    """Return the inputs that a caller feeds: none that is an initializer with a default."""
    constants = {t.name for t in graph.initializer}
    return [i for i in graph.input if i.name not in constants]


def _bind(path: Path, proto: Any, sizes: dict[str, int]) -> dict[str, int]:
    """Give open axes of inputs their sizes, in place; return those that were used."""
    missing: list[str] = []
    used: dict[str, int] = {}
    names: list[str] = []
    for entry in graph_inputs(proto.graph):
        if not entry.type.HasField("tensor_type"):
            continue
        if not entry.type.tensor_type.HasField("shape"):
            raise problem(path, entry.name, "An input with a shape: it states none.")
        for number, axis in enumerate(entry.type.tensor_type.shape.dim):
            position = f"{entry.name}.{number}"
            if axis.HasField("dim_value") and axis.dim_value > 0:
                if position in sizes and sizes[position] != axis.dim_value:
                    expected = f"Its size in the model, which is fixed: {axis.dim_value}."
                    raise problem(path, f"--shape {position}={sizes[position]}", expected)
                used.update({position: sizes[position]} if position in sizes else {})
                continue
            name = axis.dim_param or position
            names.append(name)
            key = position if position in sizes else name
            if key not in sizes:
                missing.append(name)
                continue
            used[key] = sizes[key]
            axis.dim_value = sizes[key]
    if missing:
        wanted = ",".join(f"{name}=N" for name in dict.fromkeys(missing))
        raise problem(path, "", f"Sizes of its open axes: --shape {wanted}")
    return used


def unknown_axes(sizes: Mapping[str, int], models: list[ModelFile]) -> list[str]:
    """Return the axes that sizes were given for and that no model has."""
    known = {name for model in models for name in model.sizes}
    return [name for name in sizes if name not in known]
