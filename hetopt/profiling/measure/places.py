"""Where models run here: a runtime, one of its devices, and the cores that it may use."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from hetopt.errors import InputError, Problem

EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}
"""Runtimes, and the extras of hetopt that install them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A device of a runtime.

    Attributes
    ----------
    runtime
        ``onnxruntime`` or ``openvino``.
    device
        What the runtime calls it: ``cpu``, ``cuda`` ... (execution providers without their ending),
        ``CPU``, ``GPU`` ...
    cores
        Cores that it is pinned to; all that this process may use where none are named.
    """

    runtime: str
    device: str
    cores: tuple[int, ...]

    @property
    def name(self) -> str:
        """``openvino:CPU@0-1``: what files call it; without cores where it has all."""
        if self.cores == allowed_cores():
            return f"{self.runtime}:{self.device}"
        return f"{self.runtime}:{self.device}@{_listed(self.cores)}"

    @property
    def kind(self) -> str:
        """Kind of processor, as instances call it."""
        name = self.device.lower()
        if name.startswith(("cuda", "tensorrt", "rocm", "migraphx", "dml", "gpu")):
            return "gpu"
        return "npu" if name.startswith(("npu", "qnn", "vitisai", "rknpu")) else "cpu"

    def pinned(self, threads: int) -> tuple[int, ...]:
        """Return the cores that so many threads get: the first ones."""
        return self.cores[:threads]


def parse_place(text: str, flag: str = "--on") -> Place:
    """Read ``RUNTIME:DEVICE`` or ``RUNTIME:DEVICE@CORES`` (``0``, ``0-3``, ``0+2``).

    Raises
    ------
    InputError
        If the runtime is unknown, or a core is none that this process may use.
    """
    match = re.fullmatch(r"(\w+):([\w.]+)(?:@([\d+-]+))?", text.strip())
    if match is None or match[1] not in EXTRAS:
        expected = f"RUNTIME:DEVICE or RUNTIME:DEVICE@CORES; runtimes: {', '.join(EXTRAS)}."
        raise InputError([Problem(flag, text, expected)])
    allowed = allowed_cores()
    cores = allowed if match[3] is None else _cores(match[3], text, flag)
    missing = [c for c in cores if c not in allowed]
    if missing:
        expected = f"Cores that this process may use: {_listed(allowed)}."
        raise InputError([Problem(flag, text, expected)])
    return Place(match[1], match[2], tuple(cores))


def allowed_cores() -> tuple[int, ...]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _cores(text: str, whole: str, flag: str) -> list[int]:
    found: list[int] = []
    for run in text.split("+"):
        first, dash, last = run.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError([Problem(flag, whole, "Cores as 0, 0-3 or 0+2.")])
        found += range(int(first), int(last or first) + 1)
    return sorted(set(found))


def _listed(cores: tuple[int, ...]) -> str:
    runs: list[list[int]] = []
    for core in cores:
        if runs and core == runs[-1][1] + 1:
            runs[-1][1] = core
        else:
            runs.append([core, core])
    return "+".join(f"{a}-{b}" if a != b else f"{a}" for a, b in runs)
