"""The target ``onnxruntime``: a pipeline of submodels that ONNX Runtime executes."""

from __future__ import annotations

from functools import partial

from hetopt.deploy.pipeline.write import PARAMETERS, write_pipeline
from hetopt.deploy.target import Target

TARGET = Target(
    "onnxruntime",
    "submodels cut from the instance's models, and a pipeline for hetopt run; devices whose name "
    "says no runtime get ONNX Runtime.",
    partial(write_pipeline, runtime="onnxruntime"),
    PARAMETERS,
    holds_all=True,
)
