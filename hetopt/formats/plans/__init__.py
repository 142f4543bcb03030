"""Plans and results in files: JSON objects and folders of Parquet tables."""

from __future__ import annotations

from hetopt.formats.plans.frame import plan_frame
from hetopt.formats.plans.reading import PlanFile, plan_from_dict, read_plan, read_result
from hetopt.formats.plans.solution_reading import read_solution
from hetopt.formats.plans.tables import write_plan, write_result, write_solution, write_tables
from hetopt.formats.plans.writing import plan_to_dict, solution_to_dict, to_json

__all__ = [
    "PlanFile",
    "plan_frame",
    "plan_from_dict",
    "plan_to_dict",
    "read_plan",
    "read_result",
    "read_solution",
    "solution_to_dict",
    "to_json",
    "write_plan",
    "write_result",
    "write_solution",
    "write_tables",
]
