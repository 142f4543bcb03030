"""A plan as one pandas data frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hetopt.formats.plans.writing import assignment_columns, route_columns
from hetopt.instance import Instance
from hetopt.solution import Plan, SchedulePlan

if TYPE_CHECKING:
    import pandas as pd


def plan_frame(instance: Instance, plan: Plan) -> pd.DataFrame:
    """Return a plan as a data frame, names instead of indices.

    Returns
    -------
    DataFrame
        Of a schedule one row per task, of streams one per task of a route; the columns stand at
        :meth:`hetopt.Solution.to_frame`.
    """
    import pandas as pd

    if isinstance(plan, SchedulePlan):
        return pd.DataFrame(assignment_columns(instance, plan))
    return pd.DataFrame(route_columns(instance, plan))
