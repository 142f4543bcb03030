"""A model loaded by a runtime: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.profiling.extras import load_extra
from hetopt.profiling.measure.places import EXTRAS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """A loaded model.

    Attributes
    ----------
    inputs, outputs
        Names, in the order that ``run`` takes and returns arrays; arrays that it returns may be
        overwritten by the next run.
    run
        Executes the model once.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    run: Callable[[list[Array]], list[Array]]


def devices(runtime: str) -> list[str]:
    """Return the devices that an installed runtime has here.

    Raises
    ------
    InputError
        If the runtime is not installed.
    """
    module = load_extra(runtime, EXTRAS[runtime], "--on")
    if runtime == "openvino":
        return [str(d) for d in module.Core().available_devices]
    ending = "ExecutionProvider"
    return [p.removesuffix(ending).lower() for p in module.get_available_providers()]


def check_device(runtime: str, device: str, flag: str = "--on") -> None:
    """Refuse a device that the runtime does not have here."""
    found = devices(runtime)
    if device not in found:
        expected = f"A device that {runtime} has here: {', '.join(found)}."
        raise InputError([Problem(flag, f"{runtime}:{device}", expected)])


def open_session(
    runtime: str,
    device: str,
    path: str,
    threads: int,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Session:
    """Load a model.

    Parameters
    ----------
    runtime, device
        As of a :class:`~hetopt.profiling.measure.places.Place`.
    path
        An ONNX file.
    threads
        Threads that it computes with.
    inputs, outputs
        Names of its tensors, in the order in which ``run`` takes and returns them.

    Raises
    ------
    Exception
        Whatever the runtime says where it cannot load the model.
    """
    make = _openvino if runtime == "openvino" else _onnxruntime
    run = make(device, path, threads, list(inputs), list(outputs))
    return Session(tuple(inputs), tuple(outputs), run)


Run = Callable[[list[Array]], list[Array]]


def _onnxruntime(
    device: str, path: str, threads: int, inputs: list[str], outputs: list[str]
) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads take the cores of whatever runs beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = {
        p.removesuffix("ExecutionProvider").lower(): p
        for p in onnxruntime.get_available_providers()
    }
    session = onnxruntime.InferenceSession(path, options, providers=[providers[device]])

    def run(arrays: list[Array]) -> list[Array]:
        found: list[Array] = session.run(outputs, dict(zip(inputs, arrays, strict=True)))
        return found

    return run


def _openvino(device: str, path: str, threads: int, inputs: list[str], outputs: list[str]) -> Run:
    import openvino

    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if device == "CPU":
        # The process is pinned; a second pinning of threads would not know of the others.
        settings |= {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": "1",
            "ENABLE_CPU_PINNING": False,
            # As exact as the others: no hidden change of precision.
            "INFERENCE_PRECISION_HINT": "f32",
        }
    compiled = openvino.Core().compile_model(path, device, settings)
    request = compiled.create_infer_request()
    ports = [compiled.input(name) for name in inputs]
    results = [compiled.output(name) for name in outputs]

    def run(arrays: list[Array]) -> list[Array]:
        request.infer(dict(zip(ports, arrays, strict=True)), share_inputs=True)
        return [request.get_tensor(port).data for port in results]

    return run
