"""Graphs of neural networks to be split over accelerators and CPUs (msr-fiddle/dnn-partitioning).

J. M. Tarnawski, A. Phanishayee, N. Devanur, D. Mahajan, F. Nina Paravecino, "Efficient algorithms
for device placement of DNN graph operators", NeurIPS 2020.

``maxFPGAs`` accelerators with ``maxSizePerFPGA`` memory each and ``maxCPUs`` CPUs without a limit
run ``nodes``; nodes of one ``colorClass`` share a unit. An accelerator pays the ``cost`` of a
producer once to write it out, and once to read it in where it runs elsewhere, both beside its
computing; CPUs pay nothing. So outputs are staged tensors over links of 1 B/s between accelerators,
which do not overlap, and the CPUs, which are the host.

Throughput: one placement for a stream of requests, of which 1 a second is demanded; the scale of
the plan is 1 / the largest load of a unit. Forward and backward nodes are one request. A file does
not say whether subgraphs must be contiguous: ``--set jobs.request.contiguous=true`` asks for that,
of the forward nodes, as the paper does. Latency: the
makespan of one request; here a transfer takes its unit when it happens, node by node.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.shared.sniffing import has_keys
from hetopt.formats.place import place_text
from hetopt.instance import Floats, Instance

LATENCY_FOLDER = "latency"
"""Folder of the published graphs that are meant for one request; nothing in the files tells."""

CPU, ACCELERATOR = "cpu", "accelerator"


def read_dnn(text: str, name: str) -> Instance:
    """Read a graph; for throughput, or for latency where a folder of that name holds the file.

    Parameters
    ----------
    text
        The whole file.
    name
        Its path.

    Raises
    ------
    InputError
        With every problem: path, value, and what was expected there.
    """
    return _read(text, name, LATENCY_FOLDER in PurePath(name).parts[:-1])


def read_dnn_latency(text: str, name: str) -> Instance:
    """Read a graph for the latency of one request; like :func:`read_dnn` else."""
    return _read(text, name, True)


def _read(text: str, name: str, latency: bool) -> Instance:
    fields = JsonFields(text, name)
    data = fields.data
    accelerators = fields.whole(data.get("maxFPGAs"), ("maxFPGAs",))
    cpus = fields.whole(data.get("maxCPUs"), ("maxCPUs",))
    memory = fields.number(data.get("maxSizePerFPGA"), ("maxSizePerFPGA",))
    nodes = fields.objects("nodes", 1)
    edges = fields.objects("edges")
    ids = [fields.whole(node.get("id"), ("nodes", i, "id")) for i, node in enumerate(nodes)]
    index: dict[int, int] = {}
    for i, number in enumerate(ids):
        if index.setdefault(number, i) != i:
            fields.fault(("nodes", i, "id"), number, "Each id once.")
    slow = fields.numbers("nodes", nodes, "cpuLatency")
    fast = fields.numbers("nodes", nodes, "fpgaLatency")
    size = fields.numbers("nodes", nodes, "size")
    cost = fields.numbers("edges", edges, "cost")
    ends = _ends(fields, edges, index)
    able = np.array([bool(node.get("supportedOnFpga", True)) for node in nodes])
    if accelerators + cpus == 0:
        fields.fault(("maxFPGAs",), 0, "At least one accelerator or CPU.")
    fields.stop()
    _check_costs(fields, ends, cost)
    fields.stop()

    tasks = np.array([str(number) for number in ids], dtype=object)
    settings: dict[str, Any] = {
        "host": CPU,
        "together": _colocated(nodes, tasks),
        "regime": "schedule" if latency else "steady",
        "objective": "makespan" if latency else "throughput",
    }
    jobs: dict[str, Any] | None = None
    columns: dict[str, Any] = {"name": tasks}
    if not latency:
        settings["routing"] = "single"
        jobs = {"name": ["request"], "share": [1.0]}
        columns["backward"] = np.array([bool(node.get("isBackwardNode")) for node in nodes])
    return assemble(
        name,
        {
            "devices": _devices(accelerators, cpus, memory),
            "links": _links(accelerators, latency),
            "options": _options(tasks, able & (accelerators > 0), fast, slow, size, cpus),
            "tasks": columns,
            "transfers": {
                "from": tasks[ends[:, 0]],
                "to": tasks[ends[:, 1]],
                "bytes": cost,
                "tensor": tasks[ends[:, 0]],
                "staged": np.full(len(ends), True),
            },
            "jobs": jobs,
        },
        settings,
        {
            "transfers": lambda row: place_text(name, ("edges", row)),
            "tasks": lambda row: place_text(name, ("nodes", row)),
        },
    )


def _ends(fields: JsonFields, edges: list[dict[str, Any]], index: dict[int, int]) -> Any:
    ends = np.zeros((len(edges), 2), dtype=np.int64)
    for e, edge in enumerate(edges):
        for side, key in enumerate(("sourceId", "destId")):
            number = fields.whole(edge.get(key), ("edges", e, key))
            if number not in index:
                fields.fault(("edges", e, key), number, "The id of a node.")
            ends[e, side] = index.get(number, 0)
    return ends


def _check_costs(fields: JsonFields, ends: Any, cost: Floats) -> None:
    """Refuse a producer whose edges differ in cost: the cost is of its output, not of an edge."""
    first: dict[int, float] = {}
    for e, (source, value) in enumerate(zip(ends[:, 0].tolist(), cost.tolist(), strict=True)):
        if first.setdefault(source, value) != value:
            text = f"{first[source]:g}, the cost of the same output on an earlier edge."
            fields.fault(("edges", e, "cost"), value, text)


def _colocated(nodes: list[dict[str, Any]], tasks: Any) -> list[list[str]]:
    """Return the classes of more than one node; a node without a class is free."""
    classes: dict[Any, list[str]] = {}
    for node, task in zip(nodes, tasks.tolist(), strict=True):
        if node.get("colorClass") is not None:
            classes.setdefault(str(node["colorClass"]), []).append(task)
    return [members for members in classes.values() if len(members) > 1]


def _devices(accelerators: int, cpus: int, memory: float) -> dict[str, Any]:
    """Return the devices; the CPU is there as the host even where the file has none."""
    table: dict[str, Any] = {
        "name": [ACCELERATOR, CPU],
        "kind": ["other", "cpu"],
        "count_min": [accelerators, max(cpus, 1)],
        "count_max": [accelerators, max(cpus, 1)],
        "memory_b": [memory, np.inf],
        "overlap": [False, True],
    }
    first = 0 if accelerators else 1
    return {column: values[first:] for column, values in table.items()}


def _links(accelerators: int, latency: bool) -> dict[str, Any] | None:
    if not accelerators:
        return None
    # Each accelerator has a link of its own to the host. In a stream the channels carry that; in a
    # schedule a transfer takes its accelerator's slot, so that no more than these run at once.
    return {
        "from": [ACCELERATOR, CPU],
        "to": [CPU, ACCELERATOR],
        "bandwidth_b_per_s": [1.0, 1.0],
        "channels": [0, 0] if latency else [accelerators, accelerators],
    }


def _options(
    tasks: Any, able: Any, fast: Floats, slow: Floats, size: Floats, cpus: int
) -> dict[str, Any]:
    on = np.flatnonzero(able)
    count = len(tasks) if cpus else 0
    return {
        "profile": np.concatenate([tasks[on], tasks[:count]]),
        "device": [ACCELERATOR] * len(on) + [CPU] * count,
        "time_s": np.concatenate([fast[on], slow[:count]]),
        "weights_b": np.concatenate([size[on], np.zeros(count)]),
    }


def is_dnn(text: str) -> bool:
    """Whether a text is a graph of dnn-partitioning."""
    return has_keys(text, "maxSizePerFPGA", "maxFPGAs", "nodes")


FORMATS = (
    Format("dnn-partitioning", (".json",), read_dnn, sniff=is_dnn, begins=("json",)),
    Format("dnn-latency", (), read_dnn_latency, begins=("json",)),
)
