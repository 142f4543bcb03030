"""Workflow traces of WfCommons (WfFormat 1.3 to 1.5), and their reduced form.

T. Coleman, H. Casanova, L. Pottier, M. Kaushik, E. Deelman, R. Ferreira da Silva, "WfCommons: a
framework for enabling scientific workflow research and development", Future Generation Computer
Systems 128, 2022.

A task's time is its runtime in the trace, divided by the speed of the device; its memory is working
memory. A file that one task writes and others read is a tensor: it travels once to each unit that
reads it. A task that waits for another without a file between them waits without a transfer. The
trace's machines are where it was recorded, not where it has to run: the platform is the user's
choice, by default as many identical cores as the trace's machines have.

The reduced form has the top-level lists ``machines``, ``tasks`` (``runtime_s``, ``memory_bytes``)
and ``edges`` (``[task before, task after, bytes]``, tasks counted from 0), without files.
"""

from __future__ import annotations

import numpy as np

from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import Place, assemble
from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.shared.platform import Platform, cores, find_platform
from hetopt.formats.literature.shared.sniffing import has_keys
from hetopt.formats.literature.wfformat.full import read as read_full
from hetopt.formats.literature.wfformat.trace import Trace, distinct_names, machine_cores
from hetopt.formats.place import Path, place_text
from hetopt.instance import Floats, Instance


def read_wfformat(text: str, name: str, platform: str | None = None) -> Instance:
    """Read a workflow trace; the objective is the makespan.

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.
    platform
        ``cores-N``, or a file (:mod:`hetopt.formats.literature.shared.platform`); by default as
        many cores as the trace's machines have.

    Raises
    ------
    InputError
        With every problem: path, value, and what was expected there.
    """
    fields = JsonFields(text, name)
    trace = read_full(fields) if "workflow" in fields.data else _reduced(fields)
    fields.stop()
    machine = cores(max(trace.cores, 1)) if platform is None else find_platform(platform)
    return _instance(name, trace, machine)


def _reduced(fields: JsonFields) -> Trace:
    trace = Trace()
    entries = fields.objects("tasks", 1)
    named = [
        fields.text(entry.get("name"), ("tasks", i, "name")) for i, entry in enumerate(entries)
    ]
    trace.names = distinct_names(named)
    trace.time_s = fields.numbers("tasks", entries, "runtime_s").tolist()
    for i, entry in enumerate(entries):
        memory = entry.get("memory_bytes")
        path: Path = ("tasks", i, "memory_bytes")
        trace.memory_b.append(0.0 if memory is None else fields.number(memory, path))
        trace.task_path.append(("tasks", i))
    for path, ends, sent in fields.edges(fields.data.get("edges"), len(entries), "bytes"):
        size = float("nan") if sent is None else fields.number(sent, (*path, 2))
        trace.edge(ends[0], ends[1], size, "", path)
    machines = fields.data.get("machines")
    trace.cores = machine_cores(fields, machines, ("machines",), "coreCount")
    return trace


def _instance(name: str, trace: Trace, machine: Platform) -> Instance:
    tasks = np.array(trace.names, dtype=object)
    places: dict[str, Place] = {
        "tasks": lambda row: place_text(name, trace.task_path[row]),
        "transfers": lambda row: place_text(name, trace.edge_path[row]),
    }
    time: Floats = np.array(trace.time_s, dtype=np.float64)
    memory: Floats = np.array(trace.memory_b, dtype=np.float64)
    return assemble(
        name,
        machine.frames
        | {
            "options": machine.options(trace.names, time, memory),
            "tasks": {"name": tasks},
            "transfers": {
                "from": tasks[np.array(trace.src, dtype=np.int64)],
                "to": tasks[np.array(trace.dst, dtype=np.int64)],
                "bytes": np.array(trace.bytes_b, dtype=np.float64),
                "tensor": trace.tensor,
            },
        },
        machine.settings | {"regime": "schedule", "objective": "makespan"},
        places,
    )


def is_wfformat(text: str) -> bool:
    """Whether a text is a workflow trace, full or reduced."""
    full = has_keys(text, "workflow") and (
        has_keys(text, "schemaVersion") or has_keys(text, "tasks", "name")
    )
    return full or has_keys(text, "tasks", "edges", "runtime_s")


FORMATS = (
    Format(
        "wfformat", (".json",), read_wfformat, sniff=is_wfformat, begins=("json",), platform=True
    ),
)
