"""The target ``openvino``: a pipeline of submodels that OpenVINO executes."""

from __future__ import annotations

from functools import partial

from hetopt.deploy.pipeline.write import PARAMETERS, write_pipeline
from hetopt.deploy.target import Target

TARGET = Target(
    "openvino",
    "submodels cut from the instance's models, and a pipeline for hetopt run; devices whose name "
    "says no runtime get OpenVINO.",
    partial(write_pipeline, runtime="openvino"),
    PARAMETERS,
    holds_all=True,
)
