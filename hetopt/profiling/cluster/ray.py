"""Resources of a Ray cluster, as ``ray list nodes --format json`` or ``ray.nodes()`` has them.

Also the totals that ``ray.cluster_resources()`` returns, which do not say what stands where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.instance import DeviceKind
from hetopt.profiling.cluster.device import Cluster, ClusterDevice, merged, plain

KINDS: dict[str, DeviceKind] = {
    "GPU": "gpu",
    "TPU": "tpu",
    "HPU": "npu",
    "NPU": "npu",
    "neuron_cores": "npu",
}
"""Ray's names of accelerators."""
TYPE = "accelerator_type:"
LABEL = "ray.io/accelerator-type"
OWN = "hetopt-"
"""Begins the custom resources that ``hetopt deploy --to ray-serve`` asks for."""


def ray_cluster(found: Any, place: str) -> Cluster:
    """Return the devices of a Ray cluster.

    Parameters
    ----------
    found
        A list of nodes, or an object of totals.
    place
        What problems call the file.

    Raises
    ------
    InputError
        If no node is among them, or a resource is no number.
    """
    notes: list[str] = []
    if isinstance(found, Mapping):
        notes.append("Totals of a cluster: its nodes' processors are counted as one unit.")
        return Cluster(merged(_node(found, {}, place, notes)), "ray-serve", tuple(notes))
    devices: list[ClusterDevice] = []
    for node in found:
        alive = node.get("Alive", node.get("state") in (None, "ALIVE"))
        name = node.get("NodeName") or node.get("node_name") or node.get("node_id", "")
        if not alive:
            notes.append(f"Node {name} is not alive, and left out.")
            continue
        resources = node.get("Resources", node.get("resources_total")) or {}
        labels = node.get("Labels", node.get("labels")) or {}
        devices += _node(resources, labels, place, notes)
    return Cluster(merged(devices), "ray-serve", tuple(dict.fromkeys(notes)))


def is_ray(found: Any) -> bool:
    """Whether a document is one of Ray's."""
    if isinstance(found, Sequence) and not isinstance(found, str):
        keys = ("Resources", "resources_total")
        return bool(found) and all(
            isinstance(node, Mapping) and any(key in node for key in keys) for node in found
        )
    return isinstance(found, Mapping) and "kind" not in found and "CPU" in found


def _node(
    resources: Mapping[str, Any], labels: Mapping[str, Any], place: str, notes: list[str]
) -> list[ClusterDevice]:
    amounts = {}
    for name, amount in resources.items():
        if not isinstance(amount, int | float) or isinstance(amount, bool) or not amount >= 0:
            raise InputError([Problem(f"{place}: {name}", str(amount), "A number of at least 0.")])
        amounts[name] = float(amount)
    types = [name.removeprefix(TYPE) for name in amounts if name.startswith(TYPE)]
    stated = str(labels.get(LABEL) or (types[0] if len(types) == 1 else ""))
    if len(types) > 1 and not labels.get(LABEL):
        notes.append(f"Accelerator types {', '.join(types)} together do not say how many of each.")
    found: list[ClusterDevice] = []
    declared = [name for name in amounts if name.startswith(OWN) and amounts[name] >= 1]
    if declared and any(amounts.get(name) for name in KINDS):
        notes.append(f"Accelerators are counted by {', '.join(declared)} where nodes declare it.")
    for name, kind in KINDS.items():
        count = int(amounts.get(name, 0))
        if count and not declared:
            parameters = {"resource": name}
            if kind == "gpu":
                parameters = {"num-gpus": "1"}
            if stated:
                parameters["label"] = f"{LABEL}={stated}"
            source = f"ray: {name}" + (f", {stated}" if stated else "")
            named = plain(stated or name)
            found.append(ClusterDevice(named, kind, count, 0, "", source, parameters))
    for name in declared:
        kind = next((kind for known, kind in KINDS.items() if amounts.get(known)), "other")
        own = name.removeprefix(OWN)
        found.append(ClusterDevice(own, kind, int(amounts[name]), 0, "", f"ray: {name}"))
    unknown = [name for name in amounts if not _is_known(name)]
    notes += [f"Resource {name} tells no kind of processor, and is left out." for name in unknown]
    if amounts.get("CPU"):
        cores = amounts["CPU"]
        memory = int(amounts.get("memory", 0))
        source = f"ray: {cores:g} CPU a node"
        parameters = {"resource": f"CPU:{cores:g}"}
        found.append(ClusterDevice(f"cpu-{cores:g}", "cpu", 1, memory, "", source, parameters))
    return found


def _is_known(name: str) -> bool:
    return (
        name in KINDS
        or name in ("CPU", "memory", "object_store_memory")
        or name.startswith((TYPE, "node:", OWN, "TPU-"))
    )
