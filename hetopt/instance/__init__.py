"""The instance: frozen NumPy columns, and what each of them means.

The columns are the tables of :mod:`~hetopt.instance.tables`, which
:class:`~hetopt.instance.instance.Instance` holds together; what tables of a file may hold is said
in :mod:`~hetopt.instance.column_specs`. The other modules answer questions that follow from the
columns alone: paths between devices, prices of joules, orders of tasks.
"""

from hetopt.instance.dtypes import Bools, Floats, Ints, Strings
from hetopt.instance.instance import Instance, Regime, Routing
from hetopt.instance.objectives import (
    MAXIMISED,
    SCHEDULE_OBJECTIVES,
    STEADY_OBJECTIVES,
    ObjectiveName,
    is_maximised,
)
from hetopt.instance.tables import (
    KINDS,
    NO_MAXIMUM,
    SHARES_OF,
    SHARING,
    Boards,
    DeviceKind,
    Devices,
    Edges,
    Groups,
    Jobs,
    KindShares,
    Limits,
    Links,
    Options,
    Periods,
    Pools,
    Profiles,
    Resources,
    Scenarios,
    Series,
    Setups,
    Sites,
    TaskClasses,
    Tasks,
    Tensors,
    Uses,
)

__all__ = [
    "KINDS",
    "MAXIMISED",
    "NO_MAXIMUM",
    "SCHEDULE_OBJECTIVES",
    "SHARES_OF",
    "SHARING",
    "STEADY_OBJECTIVES",
    "Boards",
    "Bools",
    "DeviceKind",
    "Devices",
    "Edges",
    "Floats",
    "Groups",
    "Instance",
    "Ints",
    "Jobs",
    "KindShares",
    "Limits",
    "Links",
    "ObjectiveName",
    "Options",
    "Periods",
    "Pools",
    "Profiles",
    "Regime",
    "Resources",
    "Routing",
    "Scenarios",
    "Series",
    "Setups",
    "Sites",
    "Strings",
    "TaskClasses",
    "Tasks",
    "Tensors",
    "Uses",
    "is_maximised",
]
