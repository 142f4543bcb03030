"""The tables of an instance: frozen columns of one length each, as `column_specs` divides them."""

from hetopt.instance.tables.demand import (
    NO_MOST,
    SHARES_OF,
    KindShares,
    Periods,
    Scenarios,
    follows,
)
from hetopt.instance.tables.platform import (
    KINDS,
    NO_MAXIMUM,
    Boards,
    DeviceKind,
    Devices,
    Links,
    Pools,
    Setups,
    Sites,
)
from hetopt.instance.tables.settings import Limits, Series
from hetopt.instance.tables.table import WHEN, Groups, Table, when
from hetopt.instance.tables.workload import (
    SHARING,
    Edges,
    Jobs,
    Options,
    Profiles,
    Resources,
    TaskClasses,
    Tasks,
    Tensors,
    Uses,
)

__all__ = [
    "KINDS",
    "NO_MAXIMUM",
    "NO_MOST",
    "SHARES_OF",
    "SHARING",
    "WHEN",
    "Boards",
    "DeviceKind",
    "Devices",
    "Edges",
    "Groups",
    "Jobs",
    "KindShares",
    "Limits",
    "Links",
    "Options",
    "Periods",
    "Pools",
    "Profiles",
    "Resources",
    "Scenarios",
    "Series",
    "Setups",
    "Sites",
    "Table",
    "TaskClasses",
    "Tasks",
    "Tensors",
    "Uses",
    "follows",
    "when",
]
