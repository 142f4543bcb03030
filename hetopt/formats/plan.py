"""Plans and results in files: JSON objects and folders of Parquet tables (design §9)."""

from __future__ import annotations

from hetopt.formats.plan_reading import PlanFile, plan_from_dict, read_plan, read_result
from hetopt.formats.plan_tables import write_result, write_solution, write_tables
from hetopt.formats.plan_writing import plan_to_dict, solution_to_dict, to_json

__all__ = [
    "PlanFile",
    "plan_from_dict",
    "plan_to_dict",
    "read_plan",
    "read_result",
    "solution_to_dict",
    "to_json",
    "write_result",
    "write_solution",
    "write_tables",
]
