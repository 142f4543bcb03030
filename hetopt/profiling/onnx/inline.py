"""Branches whose condition is known ahead, put in the place of their ``If``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def inline_branches(graph: Any, values: Mapping[str, Any]) -> bool:
    """Replace every ``If`` whose condition is a known constant by the branch that it takes.

    Exporters leave such conditions on shapes behind, which the sizes of the inputs decide. Names
    made within a branch are only unique there: they get the name of the operator's output before
    them.

    Parameters
    ----------
    graph
        The ``onnx.GraphProto``, changed in place.
    values
        Constants by name.

    Returns
    -------
    bool
        Whether there was one.
    """
    import onnx

    nodes: list[Any] = []
    found = False
    for node in graph.node:
        known = node.op_type == "If" and not node.domain and node.input[0] in values
        if not known:
            nodes.append(node)
            continue
        found = True
        wanted = "then_branch" if bool(np.all(values[node.input[0]])) else "else_branch"
        branch = next(a.g for a in node.attribute if a.name == wanted)
        names = _names(branch, node)
        for tensor in branch.initializer:
            kept = graph.initializer.add()
            kept.CopyFrom(tensor)
            kept.name = names[tensor.name]
        for inner in branch.node:
            moved = onnx.NodeProto()
            moved.CopyFrom(inner)
            _rename(moved, names)
            nodes.append(moved)
        # What the branch only passes on, or hands out twice.
        for inner, outer in zip(branch.output, node.output, strict=True):
            if outer and names.get(inner.name, inner.name) != outer:
                source = names.get(inner.name, inner.name)
                nodes.append(onnx.helper.make_node("Identity", [source], [outer]))
    if found:
        del graph.node[:]
        graph.node.extend(nodes)
    return found


def _names(branch: Any, node: Any) -> dict[str, str]:
    made = [n for inner in branch.node for n in inner.output if n]
    made += [t.name for t in branch.initializer]
    names = {name: f"{node.output[0]}/{name}" for name in made}
    for inner, outer in zip(branch.output, node.output, strict=True):
        if inner.name in names and outer and names[inner.name].endswith(f"/{inner.name}"):
            names[inner.name] = outer
    return names


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """Rename the tensors of an operator, and those that graphs within it read from outside."""
    for field in (node.input, node.output):
        renamed = [names.get(n, n) for n in field]
        del field[:]
        field.extend(renamed)
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
            own = {n for inner in graph.node for n in inner.output}
            own |= {t.name for t in graph.initializer} | {i.name for i in graph.input}
            outside = {k: v for k, v in names.items() if k not in own}
            for inner in graph.node:
                _rename(inner, outside)
            for output in graph.output:
                output.name = outside.get(output.name, output.name)
