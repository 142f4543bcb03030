"""The full WfFormat: from 1.5 on a workflow is split into specification and execution.

1.3 and 1.4 do not. The same entry twice counts once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.wfformat.trace import KILO, Trace, distinct_names, machine_cores
from hetopt.formats.place import Path

Files = dict[str, float]
"""Sizes of files by name."""


def read(fields: JsonFields) -> Trace:
    """Return the trace of a file with a ``workflow``; problems are noted in ``fields``."""
    workflow = fields.object_(fields.data["workflow"], ("workflow",))
    return _split(fields, workflow) if "specification" in workflow else _joint(fields, workflow)


def _split(fields: JsonFields, workflow: dict[str, Any]) -> Trace:
    """Read WfFormat 1.5."""
    here: Path = ("workflow", "specification")
    specification = fields.object_(workflow["specification"], here)
    execution = fields.object_(workflow.get("execution"), ("workflow", "execution"))
    ran: dict[str, dict[str, Any]] = {}
    ran_at: dict[str, Path] = {}
    there: Path = ("workflow", "execution", "tasks")
    for i, entry in enumerate(fields.list_(execution.get("tasks"), there)):
        task = fields.object_(entry, (*there, i))
        key = fields.text(task.get("id"), (*there, i, "id"))
        if key in ran and ran[key] != task:
            fields.fault((*there, i, "id"), key, "Each task once, or the same twice.")
        ran[key], ran_at[key] = task, (*there, i)
    sizes: Files = {}
    for i, entry in enumerate(fields.list_(specification.get("files", []), (*here, "files"))):
        path: Path = (*here, "files", i)
        file = fields.object_(entry, path)
        key = fields.text(file.get("id"), (*path, "id"))
        size = fields.number(file.get("sizeInBytes"), (*path, "sizeInBytes"))
        if sizes.setdefault(key, size) != size:
            fields.fault((*path, "sizeInBytes"), size, f"{sizes[key]:g}, as for {key} before.")

    graph = _Graph(fields)
    entries = fields.list_(specification.get("tasks"), (*here, "tasks"), 1)
    for i, (at, entry) in enumerate(_once(entries)):
        path = (*here, "tasks", at)
        task = fields.object_(entry, path)
        key = fields.text(task.get("id", task.get("name")), (*path, "id"))
        record, place = ran.get(key), ran_at.get(key, path)
        if record is None:
            fields.fault((*path, "id"), key, "A task that workflow.execution.tasks has too.")
            record = {"runtimeInSeconds": 0}
        time = fields.number(record.get("runtimeInSeconds"), (*place, "runtimeInSeconds"))
        memory = _memory(fields, record, place)
        graph.task(key, str(task.get("name") or key), time, memory, path)
        graph.waits(i, task.get("parents"), (*path, "parents"))
        for way, name in (("inputFiles", "input"), ("outputFiles", "output")):
            for f, file in enumerate(fields.list_(task.get(way, []), (*path, way))):
                if file not in sizes:
                    fields.fault((*path, way, f), file, "A file of workflow.specification.files.")
                else:
                    graph.file(i, name, file, sizes[file])
    trace = graph.trace()
    machines = execution.get("machines")
    path = ("workflow", "execution", "machines")
    trace.cores = machine_cores(fields, machines, path, "coreCount")
    return trace


def _joint(fields: JsonFields, workflow: dict[str, Any]) -> Trace:
    """Read WfFormat 1.3 and 1.4, whose names of fields differ."""
    key = "tasks" if "tasks" in workflow else "jobs"
    here: Path = ("workflow", key)
    graph = _Graph(fields)
    for i, (at_, entry) in enumerate(_once(fields.list_(workflow.get(key), here, 1))):
        path: Path = (*here, at_)
        task = fields.object_(entry, path)
        called = fields.text(task.get("name"), (*path, "name"))
        field = "runtimeInSeconds" if "runtimeInSeconds" in task else "runtime"
        time = fields.number(task.get(field), (*path, field))
        graph.task(str(task.get("id") or called), called, time, _memory(fields, task, path), path)
        graph.waits(i, task.get("parents"), (*path, "parents"))
        for f, entry in enumerate(fields.list_(task.get("files", []), (*path, "files"))):
            at: Path = (*path, "files", f)
            file = fields.object_(entry, at)
            way = file.get("link")
            if way not in ("input", "output"):
                fields.fault((*at, "link"), way, "input or output.")
                continue
            size = "sizeInBytes" if "sizeInBytes" in file else "size"
            name = fields.text(file.get("name", file.get("id")), (*at, "name"))
            graph.file(i, way, name, fields.number(file.get(size), (*at, size)))
    trace = graph.trace()
    machines = workflow.get("machines")
    path = ("workflow", "machines")
    trace.cores = machine_cores(fields, machines, path, "coreCount", "count")
    return trace


def _once(entries: list[Any]) -> Iterator[tuple[int, Any]]:
    """Yield place and entry, those of the same content once: the second says nothing more."""
    seen: set[str] = set()
    for at, entry in enumerate(entries):
        key = json.dumps(entry, sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield at, entry


def _memory(fields: JsonFields, task: dict[str, Any], path: Path) -> float:
    if task.get("memoryInBytes") is not None:
        return fields.number(task["memoryInBytes"], (*path, "memoryInBytes"))
    if task.get("memory") is not None:
        return KILO * fields.number(task["memory"], (*path, "memory"))
    return 0.0


class _Graph:
    """Tasks, what they wait for, and the files that they read and write."""

    def __init__(self, fields: JsonFields) -> None:
        self._fields = fields
        self._trace = Trace()
        self._keys: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._called: list[str] = []
        self._parents: list[tuple[int, str, Path]] = []
        self._reads: list[dict[str, float]] = []
        self._writers: dict[str, list[tuple[int, float]]] = {}

    def task(self, key: str, name: str, time: float, memory: float, path: Path) -> None:
        """Add a task."""
        if key in self._keys:
            self._fields.fault(path, key, "Each task once.")
        index = len(self._called)
        self._keys[key] = index
        self._names.setdefault(name, index)
        self._called.append(name)
        self._reads.append({})
        self._trace.time_s.append(time)
        self._trace.memory_b.append(memory)
        self._trace.task_path.append(path)

    def waits(self, task: int, parents: Any, path: Path) -> None:
        """Note what a task waits for; parents may come after it in the file."""
        for p, parent in _once(self._fields.list_(parents or [], path)):
            self._parents.append((task, str(parent), (*path, p)))

    def file(self, task: int, way: str, name: str, size: float) -> None:
        """Note a file that a task reads or writes."""
        if way == "input":
            self._reads[task][name] = size
        elif (task, size) not in self._writers.setdefault(name, []):
            self._writers[name].append((task, size))

    def trace(self) -> Trace:
        """Return the trace: a tensor per file and writer, precedence where no file passes."""
        for task, parent, path in self._parents:
            before = self._keys.get(parent, self._names.get(parent))
            if before is None:
                self._fields.fault(path, parent, "A task of the workflow.")
                continue
            passed = False
            for name in self._reads[task]:
                writers = self._writers.get(name, [])
                for writer, size in writers:
                    if writer == before:
                        tensor = name if len(writers) == 1 else f"{name}@{self._called[writer]}"
                        self._trace.edge(before, task, size, tensor, path)
                        passed = True
            if not passed:
                self._trace.edge(before, task, float("nan"), "", path)
        self._trace.names = distinct_names(self._called)
        return self._trace
