"""Plans and results in files: JSON objects and folders of Parquet tables (design §9)."""

from __future__ import annotations

from hetopt.formats.plan_frame import plan_frame
from hetopt.formats.plan_reading import PlanFile, plan_from_dict, read_plan, read_result
from hetopt.formats.plan_tables import write_plan, write_result, write_solution, write_tables
from hetopt.formats.plan_writing import plan_to_dict, solution_to_dict, to_json
from hetopt.formats.solution_reading import read_solution

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
