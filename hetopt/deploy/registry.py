"""The targets of ``hetopt deploy``, by name; each is loaded when it is asked for."""

from __future__ import annotations

import importlib

from hetopt.deploy.target import Target
from hetopt.errors import InputError, Problem

TARGETS: dict[str, str] = {
    "onnxruntime": "hetopt.deploy.pipeline.onnxruntime",
    "openvino": "hetopt.deploy.pipeline.openvino",
    "kubernetes": "hetopt.deploy.kubernetes.target",
    "ray-serve": "hetopt.deploy.ray_serve.target",
    "triton": "hetopt.deploy.triton.target",
    "compose": "hetopt.deploy.compose.target",
}
"""Modules that hold a ``TARGET``, in the order of the help."""


def target(name: str) -> Target:
    """Return a target.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in TARGETS:
        raise InputError([Problem("--to", name, f"One of {', '.join(TARGETS)}.")])
    found: Target = importlib.import_module(TARGETS[name]).TARGET
    return found
