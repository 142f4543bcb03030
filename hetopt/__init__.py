"""Placement and scheduling of AI work on heterogeneous devices, with proven bounds."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hetopt.version import __version__

if TYPE_CHECKING:
    from hetopt.analysis.changes import changed
    from hetopt.analysis.compare import Comparison, compare
    from hetopt.analysis.explanation import Explanation, explain
    from hetopt.analysis.pareto import Front, pareto
    from hetopt.analysis.whatif import Study, whatif
    from hetopt.build import Model
    from hetopt.default import default_instance
    from hetopt.deploy import deploy
    from hetopt.deploy.pipeline.measured import measure_models
    from hetopt.deploy.pipeline.run import run_pipeline
    from hetopt.deploy.pipeline.verdict import judge
    from hetopt.errors import HetoptError, InputError
    from hetopt.evaluate import evaluate
    from hetopt.formats import read_instance, write_instance
    from hetopt.formats.plans import plan_frame as plan_frame
    from hetopt.formats.plans import read_plan
    from hetopt.formats.plans import read_solution as read_solution
    from hetopt.formats.plans import write_plan as write_plan
    from hetopt.formats.plans import write_solution as write_solution
    from hetopt.instance import DeviceKind, Instance, ObjectiveName
    from hetopt.instance.robust import robust
    from hetopt.model_files import ModelFile, export_model
    from hetopt.profiling.calibration.calibrate import calibrate, with_calibration
    from hetopt.profiling.calibration.telemetry import read_telemetry
    from hetopt.profiling.onnx.document import profile_models
    from hetopt.profiling.operator_work import OperatorWork
    from hetopt.profiling.requests import read_trace, request_profile
    from hetopt.profiling.roofline import estimate
    from hetopt.profiling.tables.read import read_measurements
    from hetopt.replan import Contingency, Replanned, contingency, replan
    from hetopt.report.page_file import write_report as write_report
    from hetopt.report.pictures import bars_picture, front_picture, schedule_picture
    from hetopt.report.simulations.streams import simulation_picture
    from hetopt.report.simulations.write import write_simulation as write_simulation
    from hetopt.report.terminal.text import view_text as view_text
    from hetopt.simulate import ScheduleSimulation, Simulation, simulate
    from hetopt.solution import (
        PeriodPlan,
        Plan,
        ScenarioPlan,
        SchedulePlan,
        Solution,
        SteadyPlan,
    )
    from hetopt.solve import SolveOptions, solve
    from hetopt.verify import Report, verify

__all__ = [
    "Comparison",
    "Contingency",
    "DeviceKind",
    "Explanation",
    "Front",
    "HetoptError",
    "InputError",
    "Instance",
    "Model",
    "ModelFile",
    "ObjectiveName",
    "OperatorWork",
    "PeriodPlan",
    "Plan",
    "Replanned",
    "Report",
    "ScenarioPlan",
    "SchedulePlan",
    "ScheduleSimulation",
    "Simulation",
    "Solution",
    "SolveOptions",
    "SteadyPlan",
    "Study",
    "__version__",
    "bars_picture",
    "calibrate",
    "changed",
    "compare",
    "contingency",
    "default_instance",
    "deploy",
    "estimate",
    "evaluate",
    "explain",
    "export_model",
    "from_frames",
    "front_picture",
    "judge",
    "measure_models",
    "pareto",
    "profile_models",
    "read_instance",
    "read_measurements",
    "read_plan",
    "read_telemetry",
    "read_trace",
    "replan",
    "request_profile",
    "robust",
    "run_pipeline",
    "schedule_picture",
    "simulate",
    "simulation_picture",
    "solve",
    "to_frames",
    "to_settings",
    "verify",
    "whatif",
    "with_calibration",
    "write_instance",
]

_HOMES = {
    "Comparison": "hetopt.analysis.compare",
    "compare": "hetopt.analysis.compare",
    "Front": "hetopt.analysis.pareto",
    "pareto": "hetopt.analysis.pareto",
    "Study": "hetopt.analysis.whatif",
    "whatif": "hetopt.analysis.whatif",
    "Explanation": "hetopt.analysis.explanation",
    "explain": "hetopt.analysis.explanation",
    "Model": "hetopt.build",
    "default_instance": "hetopt.default",
    "deploy": "hetopt.deploy",
    "profile_models": "hetopt.profiling.onnx.document",
    "measure_models": "hetopt.deploy.pipeline.measured",
    "run_pipeline": "hetopt.deploy.pipeline.run",
    "judge": "hetopt.deploy.pipeline.verdict",
    "HetoptError": "hetopt.errors",
    "InputError": "hetopt.errors",
    "evaluate": "hetopt.evaluate",
    "ModelFile": "hetopt.model_files",
    "export_model": "hetopt.model_files",
    "read_instance": "hetopt.formats",
    "write_instance": "hetopt.formats",
    "plan_frame": "hetopt.formats.plans",
    "read_plan": "hetopt.formats.plans",
    "read_solution": "hetopt.formats.plans",
    "write_plan": "hetopt.formats.plans",
    "write_solution": "hetopt.formats.plans",
    "view_text": "hetopt.report.terminal.text",
    "write_report": "hetopt.report.page_file",
    "bars_picture": "hetopt.report.pictures",
    "changed": "hetopt.analysis.changes",
    "front_picture": "hetopt.report.pictures",
    "schedule_picture": "hetopt.report.pictures",
    "Contingency": "hetopt.replan",
    "Replanned": "hetopt.replan",
    "contingency": "hetopt.replan",
    "replan": "hetopt.replan",
    "DeviceKind": "hetopt.instance",
    "Instance": "hetopt.instance",
    "from_frames": "hetopt.compile",
    "to_frames": "hetopt.compile",
    "to_settings": "hetopt.compile",
    "ObjectiveName": "hetopt.instance",
    "robust": "hetopt.instance.robust",
    "OperatorWork": "hetopt.profiling.operator_work",
    "calibrate": "hetopt.profiling.calibration.calibrate",
    "with_calibration": "hetopt.profiling.calibration.calibrate",
    "estimate": "hetopt.profiling.roofline",
    "read_measurements": "hetopt.profiling.tables.read",
    "read_telemetry": "hetopt.profiling.calibration.telemetry",
    "read_trace": "hetopt.profiling.requests",
    "request_profile": "hetopt.profiling.requests",
    "Plan": "hetopt.solution",
    "SchedulePlan": "hetopt.solution",
    "ScheduleSimulation": "hetopt.simulate",
    "Solution": "hetopt.solution",
    "PeriodPlan": "hetopt.solution",
    "ScenarioPlan": "hetopt.solution",
    "SteadyPlan": "hetopt.solution",
    "SolveOptions": "hetopt.solve",
    "Simulation": "hetopt.simulate",
    "simulate": "hetopt.simulate",
    "simulation_picture": "hetopt.report.simulations.streams",
    "write_simulation": "hetopt.report.simulations.write",
    "solve": "hetopt.solve",
    "Report": "hetopt.verify",
    "verify": "hetopt.verify",
}
"""Where each public name lives; loaded when first asked for, so that the command line is quick.

Names that are not in ``__all__`` are what methods of solutions and plans load from above them.
"""


class _Package(ModuleType):
    """The package, whose ``solve``, ``verify`` and ``evaluate`` are functions.

    Loading the module ``hetopt.solve`` binds it to the package's attribute ``solve``; what users
    mean by that name is the function in it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and name in _HOMES:
            value = getattr(value, name)
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hetopt' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    setattr(sys.modules[__name__], name, value)
    return value


sys.modules[__name__].__class__ = _Package
