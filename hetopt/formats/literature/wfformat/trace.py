"""A workflow trace as it was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.place import Path

KILO = 1000.0
"""Bytes of memory per unit of the field ``memory`` up to WfFormat 1.3, which counts in KB."""


@dataclass(slots=True)
class Trace:
    """What a trace says: T tasks, E edges.

    ``bytes_b`` is NaN where an edge is precedence only; edges of one tensor share its name.
    ``memory_b`` is 0 where the trace says nothing. Paths are places in the file.
    """

    names: list[str] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    memory_b: list[float] = field(default_factory=list)
    task_path: list[Path] = field(default_factory=list)
    src: list[int] = field(default_factory=list)
    dst: list[int] = field(default_factory=list)
    bytes_b: list[float] = field(default_factory=list)
    tensor: list[str] = field(default_factory=list)
    edge_path: list[Path] = field(default_factory=list)
    cores: int = 0

    def edge(self, src: int, dst: int, size: float, tensor: str, path: Path) -> None:
        """Add an edge."""
        self.src.append(src)
        self.dst.append(dst)
        self.bytes_b.append(size)
        self.tensor.append(tensor)
        self.edge_path.append(path)


def machine_cores(fields: JsonFields, machines: Any, path: Path, *keys: str) -> int:
    """Return the cores of all machines; a machine that does not say has one."""
    total = 0
    for i, machine in enumerate(fields.list_(machines or [], path)):
        cpu = fields.object_(machine, (*path, i)).get("cpu") or {}
        stated = [cpu[key] for key in keys if isinstance(cpu, dict) and cpu.get(key) is not None]
        total += fields.whole(stated[0], (*path, i, "cpu"), 1) if stated else 1
    return total


def distinct_names(names: list[str]) -> list[str]:
    """Return the names, those that occur more than once with their place in the list (``x.3``)."""
    count: dict[str, int] = {}
    for name in names:
        count[name] = count.get(name, 0) + 1
    taken = {name for name, n in count.items() if n == 1}
    found = []
    for i, name in enumerate(names):
        if count[name] > 1:
            name = f"{name}.{i}"
            while name in taken:
                name += "_"
            taken.add(name)
        found.append(name)
    return found
