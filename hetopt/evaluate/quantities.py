"""Every quantity of a plan: what the objectives mean, and what reports print (docs/quantities.md).

Nothing is checked here beyond what is needed to compute; whether a plan respects the limits is
the business of :mod:`hetopt.verify`, which shares no code with this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate.optional import executed, worth_rows
from hetopt.evaluate.periods import PeriodQuantities
from hetopt.evaluate.queueing import queue_rows
from hetopt.evaluate.scenarios import ScenarioQuantities
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.solution import Plan, ScenarioPlan, SchedulePlan


def evaluate(instance: Instance, plan: Plan) -> dict[str, Any]:
    """Compute every quantity of a plan.

    Parameters
    ----------
    instance
        The instance.
    plan
        A whole plan of the instance's regime; it may violate limits.

    Returns
    -------
    dict
        Numbers by name, each with its unit (see `ScheduleQuantities` and `SteadyQuantities`), and
        under ``devices``, ``jobs``, ``links`` and ``resources`` one dictionary per row. Plain
        Python values, None where a quantity does not apply; ready for JSON.

    Raises
    ------
    InputError
        If the plan is of the other regime, leaves a task out, or uses a pair of devices between
        which there is no path.
    """
    quantities = _quantities(instance, plan)
    if isinstance(quantities, SteadyQuantities):
        return quantities.as_dict() | queue_rows(quantities)
    table = quantities.as_dict()
    if isinstance(quantities, ScheduleQuantities):
        table["jobs"] = worth_rows(instance, plan, table["jobs"])
    return table


def objective_value(instance: Instance, plan: Plan, name: str) -> float:
    """Return the value of one objective, NaN where it does not apply to the instance.

    ``accuracy`` does not apply where no option states one. Units: energy J, makespan and tardiness
    s, power W, carbon kg (schedule) or kg/s (steady), cost money or money/s, throughput requests/s.
    """
    return objectives(instance, plan, (name,))[0]


def objectives(
    instance: Instance, plan: Plan, names: Iterable[str] | None = None
) -> tuple[float, ...]:
    """Return the values of several objectives; by default those of the instance, in order."""
    quantities = _quantities(instance, plan)
    wanted = instance.objective if names is None else tuple(names)
    unknown = [name for name in wanted if name not in quantities.OBJECTIVES]
    if unknown:
        raise InputError(
            f"Objectives of the {instance.regime} regime are {', '.join(quantities.OBJECTIVES)}; "
            f"{', '.join(unknown)} is not among them."
        )
    return tuple(float(getattr(quantities, quantities.OBJECTIVES[name])) for name in wanted)


HELD_NOISE = 1e-9
"""Part of what all of the demand is worth that is rounding: the room of what is held."""


def noise(instance: Instance, plan: Plan, name: str) -> float:
    """Return the difference up to which a bound beyond a plan's value is rounding.

    Tardiness is a difference of times and may be 0 where they are large: there it is the tolerance
    of times, by the weights of the jobs that are due. What prices over time make of energy depends
    on times as well (`ScheduleQuantities.priced_noise`). The value that streams serve may be next
    to nothing, where only the room of 1e-9 with which an earlier objective is held is left: that is
    rounding of what all of the demand is worth. Others are sums without a difference.
    """
    instance, plan = executed(instance, plan)
    if not isinstance(plan, SchedulePlan):
        if name != "value" or name == instance.objective[0]:
            return 0.0
        return HELD_NOISE * float((instance.jobs.value * instance.jobs.rate_per_s).sum())
    if name == "value":
        return 0.0
    if name != "tardiness":
        return ScheduleQuantities(instance, plan).priced_noise(name)
    jobs = instance.jobs
    weight = float(jobs.weight[np.isfinite(jobs.due_s)].sum())
    return weight * ScheduleQuantities(instance, plan).slack_s


def _quantities(
    instance: Instance, plan: Plan
) -> ScheduleQuantities | SteadyQuantities | ScenarioQuantities:
    is_schedule = isinstance(plan, SchedulePlan)
    if is_schedule != (instance.regime == "schedule"):
        given = "a schedule" if is_schedule else "a steady plan"
        raise InputError(f"The instance is of the {instance.regime} regime; the plan is {given}.")
    if isinstance(plan, SchedulePlan):
        instance, plan = executed(instance, plan)
    if isinstance(plan, SchedulePlan):
        return ScheduleQuantities(instance, plan)
    if isinstance(plan, ScenarioPlan):
        if len(instance.periods):
            return PeriodQuantities(instance, plan)
        return ScenarioQuantities(instance, plan)
    if len(instance.scenarios):
        raise InputError("The instance has scenarios; the plan is of one demand only.")
    return SteadyQuantities(instance, plan)
