"""The tables of an instance: every column with its type, unit, default and meaning.

The one place of defaults. The folder form, the document form, the generated schema and the
checks of :mod:`hetopt.compile` all read it.
"""

from __future__ import annotations

from hetopt.instance.column_specs.column import Column
from hetopt.instance.column_specs.demand import INITIAL, KIND_SHARES, PERIODS, RATES, SCENARIOS
from hetopt.instance.column_specs.platform import (
    BOARDS,
    DEVICES,
    LINKS,
    NETWORKS,
    POOLS,
    SETUPS,
    SITES,
)
from hetopt.instance.column_specs.settings import SETTINGS
from hetopt.instance.column_specs.workload import JOBS, OPTIONS, RESOURCES, TASKS, TRANSFERS, USES

__all__ = [
    "BOARDS",
    "DEFAULT_JOB",
    "DEVICES",
    "GROUP_SETTINGS",
    "INITIAL",
    "JOBS",
    "KIND_SHARES",
    "LINKS",
    "NETWORKS",
    "OPTIONS",
    "PERIODS",
    "POOLS",
    "RATES",
    "REQUIRED_TABLES",
    "RESOURCES",
    "SCENARIOS",
    "SETTINGS",
    "SETUPS",
    "SITES",
    "TABLES",
    "TASKS",
    "TRANSFERS",
    "USES",
    "Column",
]

TABLES: dict[str, tuple[Column, ...]] = {
    "devices": DEVICES,
    "boards": BOARDS,
    "pools": POOLS,
    "sites": SITES,
    "links": LINKS,
    "networks": NETWORKS,
    "setups": SETUPS,
    "options": OPTIONS,
    "resources": RESOURCES,
    "uses": USES,
    "tasks": TASKS,
    "transfers": TRANSFERS,
    "jobs": JOBS,
    "kind_shares": KIND_SHARES,
    "scenarios": SCENARIOS,
    "periods": PERIODS,
    "initial": INITIAL,
    "rates": RATES,
}
REQUIRED_TABLES = ("devices", "options", "tasks")
DEFAULT_JOB = "job"
"""The job of all tasks where an instance names none."""
GROUP_SETTINGS = ("together", "apart")
"""Settings that are lists of lists of task names."""
