"""The plan that runs nothing."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from hetopt.solution import Hops, SchedulePlan


def empty_plan(instance: Instance) -> SchedulePlan:
    """Return the plan that leaves every task out."""
    none = np.full(len(instance.tasks), -1, dtype=np.int64)
    return SchedulePlan(none, none.copy(), np.full(len(none), np.nan), Hops.empty())
