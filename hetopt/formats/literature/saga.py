"""List-scheduling instances of SAGA: what it writes itself, and ``"format": "saga-export-1"``.

SAGA's own files have ``task_graph`` (``tasks``, ``dependencies``) and ``network`` (``nodes``,
``edges``, those of a node to itself without a speed); the export has all lists at the top.

A task of cost c takes c / speed on a node; a dependency of size s takes s / link speed between
different nodes, whose links go both ways and carry any number of messages at once. The problem is
that of J. R. Coleman, B. Krishnamachari, "PISA: an adversarial approach to comparing task graph
scheduling algorithms", arXiv:2403.07120. Results that the file reports are not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble, grid_options
from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.shared.sniffing import has_keys
from hetopt.formats.place import Path, place_text
from hetopt.instance import Instance

FORMAT = "saga-export-1"


def read_saga(text: str, name: str) -> Instance:
    """Read an exported list-scheduling instance; the objective is the makespan."""
    fields = JsonFields(text, name)
    own = "task_graph" in fields.data
    if own:
        fields.data = _flattened(fields)
    if fields.data.get("format", FORMAT) != FORMAT:
        fields.fault(("format",), fields.data["format"], f'"{FORMAT}" is expected.')
    tasks = fields.objects("tasks", 1)
    nodes = fields.objects("nodes", 1)
    links = fields.objects("links")
    edges = fields.objects("dependencies")
    task_names, node_names = fields.names("tasks", tasks), fields.names("nodes", nodes)
    cost = fields.numbers("tasks", tasks, "cost")
    speed = fields.numbers("nodes", nodes, "speed", above=True)
    bandwidth = fields.numbers("links", links, "speed", above=True)
    size = fields.numbers("dependencies", edges, "size")
    link_ends = _ends(fields, "links", links, node_names, "node")
    edge_ends = _ends(fields, "dependencies", edges, task_names, "task")
    fields.stop()

    where = OWN_PLACES if own else {}

    def place(key: str, row: int) -> str:
        path: Path = (*where.get(key, (key,)), row)
        return place_text(name, path)

    return assemble(
        name,
        {
            "devices": {"name": node_names},
            "links": {
                "from": [a for a, _ in link_ends],
                "to": [b for _, b in link_ends],
                "bandwidth_b_per_s": bandwidth,
                "both_ways": np.full(len(links), True),
            },
            "options": grid_options(task_names, node_names, cost[:, None] / speed[None, :]),
            "tasks": {"name": task_names},
            "transfers": {
                "from": [a for a, _ in edge_ends],
                "to": [b for _, b in edge_ends],
                "bytes": size,
            },
        },
        {"regime": "schedule", "objective": "makespan"},
        {
            "links": lambda row: place("links", row),
            "transfers": lambda row: place("dependencies", row),
        },
    )


OWN_PLACES: dict[str, Path] = {
    "tasks": ("task_graph", "tasks"),
    "dependencies": ("task_graph", "dependencies"),
    "nodes": ("network", "nodes"),
    "links": ("network", "edges"),
}
"""Where SAGA's own files have the lists of the export."""


def _flattened(fields: JsonFields) -> dict[str, Any]:
    """Return the lists of SAGA's own file as an export has them."""
    found: dict[str, Any] = {}
    for key, (outer, inner) in OWN_PLACES.items():
        part = fields.object_(fields.data.get(str(outer)), (outer,))
        found[key] = fields.list_(part.get(str(inner)), (outer, inner))
    # A node's link to itself takes no time, whatever stands there.
    found["links"] = [
        link
        for link in found["links"]
        if not isinstance(link, dict) or link.get("source") != link.get("target")
    ]
    fields.stop()
    return found


def _ends(
    fields: JsonFields, key: str, entries: list[dict[str, Any]], known: list[str], what: str
) -> list[tuple[str, str]]:
    """Return source and target of every entry of a list, checked against the names known."""
    names = dict.fromkeys(known)
    found = []
    for i, entry in enumerate(entries):
        pair = tuple(fields.text(entry.get(end), (key, i, end)) for end in ("source", "target"))
        for end, value in zip(("source", "target"), pair, strict=True):
            if value and value not in names:
                fields.fault((key, i, end), value, f"A {what} of the file.")
        found.append((pair[0], pair[1]))
    return found


def is_saga(text: str) -> bool:
    """Whether a text is SAGA's own, or an export of it."""
    return has_keys(text, "task_graph") or has_keys(text, "nodes", "links", "dependencies", "tasks")


FORMATS = (Format("saga", (".json",), read_saga, sniff=is_saga, begins=("json",)),)
