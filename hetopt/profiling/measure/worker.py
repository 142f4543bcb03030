"""A process that runs models for one unit: pinned to its cores, with tensors in shared files.

``python -m hetopt.profiling.measure.worker CORES`` reads commands from stdin and answers on stdout,
a JSON object a line. Tensors lie in files that both sides map into memory: what one unit writes,
the next one reads, and only words pass through pipes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

Answer = dict[str, Any]


def main(arguments: list[str]) -> None:
    """Serve commands until stdin ends."""
    cores = [int(c) for c in arguments[0].split(",")]
    _pin(cores)
    # What runtimes print must not stand between answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    models: dict[str, _Loaded] = {}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "load":
                # A model with fewer threads than the unit has cores stays on the first of them.
                _pin(cores[: command["threads"]])
                models[command["model"]] = _Loaded(command, cores[: command["threads"]])
                answer: Answer = {}
            else:
                answer = _COMMANDS[command["do"]](command, models)
        except Exception as error:  # noqa: BLE001 - the other side is told, and decides
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:500]}
        answers.write(json.dumps({"id": command.get("id"), **answer}) + "\n")


def _pin(cores: list[int]) -> None:
    if hasattr(os, "sched_setaffinity") and os.sched_getaffinity(0) != set(cores):
        os.sched_setaffinity(0, cores)


class _Loaded:
    """A model with the files of its tensors, one set per slot."""

    def __init__(self, command: dict[str, Any], cores: list[int]) -> None:
        from hetopt.profiling.measure.sessions import open_session

        self.session = open_session(
            command["runtime"],
            command["device"],
            command["path"],
            command["threads"],
            [t["name"] for t in command["inputs"]],
            [t["name"] for t in command["outputs"]],
        )
        self.cores = cores
        self._tensors = command
        self._slots: dict[int, tuple[list[Any], list[Any]]] = {}

    def execute(self, slot: int) -> None:
        """Run once: inputs from their files, outputs to theirs."""
        inputs, outputs = self._mapped(slot)
        for place, value in zip(outputs, self.session.run(inputs), strict=True):
            np.copyto(place, value.reshape(place.shape))

    def _mapped(self, slot: int) -> tuple[list[Any], list[Any]]:
        if slot not in self._slots:
            self._slots[slot] = (
                [map_tensor(t, slot) for t in self._tensors["inputs"]],
                [map_tensor(t, slot) for t in self._tensors["outputs"]],
            )
        return self._slots[slot]


def map_tensor(tensor: dict[str, Any], slot: int) -> np.ndarray[Any, Any]:
    """Map the file of a tensor (``file``, ``shape``, ``dtype``) in a slot; make it if missing."""
    path = f"{tensor['file']}.{slot}"
    shape, dtype = tuple(tensor["shape"]), np.dtype(tensor["dtype"])
    size = max(1, int(np.prod(shape)) * dtype.itemsize)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(handle).st_size < size:
            os.ftruncate(handle, size)
    finally:
        os.close(handle)
    flat = np.memmap(path, dtype=np.uint8, mode="r+", shape=(size,))
    if not np.prod(shape):
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, buffer=flat)


def _run(command: dict[str, Any], models: dict[str, _Loaded]) -> Answer:
    model = models[command["model"]]
    _pin(model.cores)
    cpu, begin = time.process_time(), time.monotonic()
    model.execute(command["slot"])
    # A rehearsal of what a processor does that throttles: it is busy for longer with the same.
    until = cpu + float(command.get("slower", 1.0)) * (time.process_time() - cpu)
    while time.process_time() < until:
        pass
    return {"start": begin, "end": time.monotonic(), "cpu_s": time.process_time() - cpu}


def _time(command: dict[str, Any], models: dict[str, _Loaded]) -> Answer:
    from hetopt.profiling.measure.timing import repeat

    groups = [[partial(models[name].execute, 0) for name in names] for names in command["groups"]]
    found = repeat(
        groups,
        command["interval"],
        command["most_s"],
        threads=command["threads"] if command["clock"] == "cpu" else 0,
    )
    return {
        "times": {
            name: {
                "times": one.times,
                "walls": one.walls,
                "cpu_times": one.cpu_times,
                "settled": one.settled,
            }
            for names, times in zip(command["groups"], found, strict=True)
            for name, one in zip(names, times, strict=True)
        }
    }


def _nothing(command: dict[str, Any], models: dict[str, _Loaded]) -> Answer:
    return {}


_COMMANDS: dict[str, Callable[[dict[str, Any], dict[str, _Loaded]], Answer]] = {
    "run": _run,
    "time": _time,
    "nothing": _nothing,
}

if __name__ == "__main__":
    main(sys.argv[1:])
