"""The target ``openvino``: a pipeline of submodels that OpenVINO executes."""

from __future__ import annotations

from hetopt.deploy.pipeline.write import PARAMETERS, write_pipeline
from hetopt.deploy.target import Artefacts, Parameters, Target
from hetopt.instance import Instance
from hetopt.solution import Plan


def _write(plan: Plan, instance: Instance, parameters: Parameters) -> Artefacts:
    return write_pipeline(plan, instance, parameters, "openvino")


TARGET = Target(
    "openvino",
    "submodels cut from the instance's models, and a pipeline for hetopt run; devices whose name "
    "says no runtime get OpenVINO.",
    _write,
    PARAMETERS,
    holds_all=True,
)
