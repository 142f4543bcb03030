"""Nodes, device classes and slices of Kubernetes, as ``kubectl get ... -o json`` prints them.

Processors are told by extended resources of device plugins (``nvidia.com/gpu``) and by resource
slices of Dynamic Resource Allocation (``resource.k8s.io``); their products by the labels that node
feature discovery and clouds set. A node's annotation or label ``hetopt.dev/price`` (``12 USD/h``)
is its price, divided among its accelerators; without any, its processors'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.cluster.device import Cluster, ClusterDevice, kind_of, merged, plain

PRICE = "hetopt.dev/price"
PRODUCTS = (
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "gpu.intel.com/product",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "karpenter.k8s.aws/instance-accelerator-name",
)
"""Labels of nodes that name the product of their accelerators."""
MEMORIES = {
    "nvidia.com/gpu.memory": "Mi",
    "karpenter.k8s.aws/instance-gpu-memory": "Mi",
    "amd.com/gpu.vram": "",
}
"""Labels that state the memory of one accelerator, with the unit of a plain number."""
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
CONTROL = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
BASIC = ("cpu", "memory", "pods", "ephemeral-storage")
FACTORS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")


def kubernetes_cluster(items: Sequence[Mapping[str, Any]], place: str) -> Cluster:
    """Return the devices of the nodes among some objects.

    Parameters
    ----------
    items
        Objects: Node, DeviceClass, ResourceSlice; others are left out.
    place
        What problems call the file.

    Raises
    ------
    InputError
        If no node is among them, or a quantity is none.
    """
    notes: list[str] = []
    nodes = [item for item in items if item.get("kind") == "Node"]
    if not nodes:
        kinds = ", ".join(sorted({str(item.get("kind")) for item in items})) or "nothing"
        text = "Nodes: kubectl get nodes,deviceclasses,resourceslices -o json."
        raise InputError([Problem(place, kinds, text)])
    usable = [node for node in nodes if _is_usable(node, notes)]
    slices = _latest([item for item in items if item.get("kind") == "ResourceSlice"])
    classes = [item for item in items if item.get("kind") == "DeviceClass"]
    found: list[ClusterDevice] = []
    for node in usable:
        found += _node(node, slices, classes, place, notes)
    return Cluster(merged(found), "kubernetes", tuple(dict.fromkeys(notes)))


def _is_usable(node: Mapping[str, Any], notes: list[str]) -> bool:
    name, spec = _name(node), node.get("spec") or {}
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = [c for c in conditions if c.get("type") == "Ready"]
    why = ""
    if ready and ready[0].get("status") != "True":
        why = "is not ready"
    elif spec.get("unschedulable"):
        why = "is cordoned"
    elif any(
        taint.get("key") in CONTROL and taint.get("effect") != "PreferNoSchedule"
        for taint in spec.get("taints") or []
    ):
        why = "is of the control plane"
    if why:
        notes.append(f"Node {name} {why}, and left out.")
    return not why


def _node(
    node: Mapping[str, Any],
    slices: Sequence[Mapping[str, Any]],
    classes: Sequence[Mapping[str, Any]],
    place: str,
    notes: list[str],
) -> list[ClusterDevice]:
    """Return the processors of one node: accelerators, then its own."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    resources = (node.get("status") or {}).get("allocatable") or {}
    own = [s for s in slices if (s.get("spec") or {}).get("nodeName") == _name(node)]
    accelerators = [d for s in own for d in _slice(s, classes, place, notes)]
    vendors = {_vendor(str(s["spec"].get("driver", ""))) for s in own}
    for resource, amount in resources.items():
        if resource in BASIC or resource.startswith(("hugepages-", "attachable-volumes-")):
            continue
        count = int(quantity(amount, f"{place}: {_name(node)}: {resource}"))
        if count > 0 and _vendor(resource.partition("/")[0]) not in vendors:
            accelerators += _extended(resource, count, labels, notes)
    units = sum(device.count for device in accelerators)
    price = _price(node, max(units, 1), place)
    cpu = _cpu(node, labels, resources, place, "" if units else price)
    return [replace(device, price=price) for device in accelerators] + [cpu]


def _extended(
    resource: str, count: int, labels: Mapping[str, str], notes: list[str]
) -> Iterator[ClusterDevice]:
    """Yield what an extended resource of a device plugin stands for."""
    kind = kind_of(resource)
    if kind is None:
        notes.append(f"Resource {resource} tells no kind of processor, and is left out.")
        return
    label = next((key for key in PRODUCTS if key in labels), "")
    shared = resource.partition("/")[2] not in ("gpu", "tpu", "npu")
    product = labels[label] if label else resource.replace("/", "-")
    if label and shared and kind == "gpu":
        product = f"{product}-{resource.partition('/')[2]}"  # a part of a GPU
    memory = 0
    if label and not shared:
        for key, unit in MEMORIES.items():
            if key in labels:
                text = labels[key] + (unit if labels[key].isdecimal() else "")
                memory = int(quantity(text, key))
    parameters = {"resource": resource}
    if label:
        parameters["node-label"] = f"{label}={labels[label]}"
    source = f"kubernetes: {resource}" + (f", {label}={labels[label]}" if label else "")
    yield ClusterDevice(plain(product), kind, count, memory, "", source, parameters)


def _slice(
    slice_: Mapping[str, Any],
    classes: Sequence[Mapping[str, Any]],
    place: str,
    notes: list[str],
) -> Iterator[ClusterDevice]:
    """Yield the devices of a resource slice."""
    spec = slice_.get("spec") or {}
    driver = str(spec.get("driver", ""))
    kind = kind_of(driver)
    if kind is None:
        notes.append(f"Driver {driver} tells no kind of processor, and is left out.")
        return
    fitting = [_name(c) for c in classes if driver in str((c.get("spec") or {}).get("selectors"))]
    chosen = driver if driver in fitting else fitting[0] if len(fitting) == 1 else ""
    if not chosen and fitting:
        names = ", ".join(fitting)
        notes.append(f"Device classes {names} all select driver {driver}: choose one.")
    for device in spec.get("devices") or []:
        basic = device.get("basic") or device  # v1alpha3 and v1beta1 nest it
        attributes = {
            str(key).rpartition("/")[2]: next(iter(value.values()), "")
            for key, value in (basic.get("attributes") or {}).items()
            if isinstance(value, Mapping)
        }
        capacity = basic.get("capacity") or {}
        stated = next((v for k, v in capacity.items() if k.rpartition("/")[2] == "memory"), None)
        text = stated.get("value", "0") if isinstance(stated, Mapping) else stated or "0"
        memory = int(quantity(str(text), f"{place}: {device.get('name')}: memory"))
        product = str(attributes.get("productName") or attributes.get("model") or driver)
        parameters = {"device-class": chosen} if chosen else {}
        source = f"kubernetes: {driver}, {product}"
        yield ClusterDevice(plain(product), kind, 1, memory, "", source, parameters)


def _cpu(
    node: Mapping[str, Any],
    labels: Mapping[str, str],
    resources: Mapping[str, Any],
    place: str,
    price: str,
) -> ClusterDevice:
    """Return a node's own processors: one unit."""
    where = f"{place}: {_name(node)}"
    cores = quantity(resources.get("cpu", "0"), f"{where}: cpu")
    memory = int(quantity(resources.get("memory", "0"), f"{where}: memory"))
    architecture = labels.get("kubernetes.io/arch", "cpu")
    kind = labels.get(INSTANCE_TYPE, "")
    name = plain(f"cpu-{kind}" if kind else f"cpu-{architecture}-{cores:g}")
    source = f"kubernetes: {cores:g} cores a node" + (f", {INSTANCE_TYPE}={kind}" if kind else "")
    parameters = {"node-label": f"{INSTANCE_TYPE}={kind}"} if kind else {}
    return ClusterDevice(name, "cpu", 1, memory, price, source, parameters)


def _price(node: Mapping[str, Any], units: int, place: str) -> str:
    """Return the price of one of a node's units."""
    metadata = node.get("metadata") or {}
    said = (metadata.get("annotations") or {}).get(PRICE, (metadata.get("labels") or {}).get(PRICE))
    if said is None:
        return ""
    match = re.fullmatch(r"\s*([0-9.]+)\s*(\S.*?)\s*", str(said))
    try:
        value = float(match[1]) if match else -1.0
    except ValueError:
        value = -1.0
    if match is None or value < 0:
        text = "A price with its unit, such as 12 USD/h."
        raise InputError([Problem(f"{place}: {_name(node)}: {PRICE}", str(said), text)])
    return f"{value / units:.10g} {match[2]}"


def quantity(value: Any, place: str) -> float:
    """Read a quantity as Kubernetes writes it: ``16Gi``, ``500m``, ``3e3``.

    Raises
    ------
    InputError
        If it is none.
    """
    match = QUANTITY.fullmatch(str(value).strip())
    if match and match[2] in FACTORS:
        try:
            return float(match[1]) * FACTORS[match[2]]
        except ValueError:
            pass
    raise InputError([Problem(place, str(value), "A quantity, such as 4, 500m or 16Gi.")])


def _latest(slices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the slices of the latest generation of each pool."""
    newest: dict[tuple[str, str], int] = {}
    keyed = []
    for item in slices:
        spec = item.get("spec") or {}
        pool = spec.get("pool") or {}
        key = str(spec.get("driver", "")), str(pool.get("name", ""))
        generation = int(pool.get("generation") or 0)
        newest[key] = max(newest.get(key, 0), generation)
        keyed.append((key, generation, item))
    return [item for key, generation, item in keyed if generation == newest[key]]


def _vendor(domain: str) -> str:
    """Return who a domain belongs to: its last two parts."""
    return ".".join(domain.split(".")[-2:])


def _name(item: Mapping[str, Any]) -> str:
    return str((item.get("metadata") or {}).get("name", ""))
