"""The policy ``plan``: each request by the shares of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance
from hetopt.simulate.kernels.records import SHARES
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.routes import RouteTable, fleet_of, route_table, routes_of_plan
from hetopt.solution import SteadyPlan


def plan_policy(
    instance: Instance,
    plan: SteadyPlan,
    start_up: StartUp,
    name: str = "plan",
    admit: Floats | None = None,
) -> StreamPolicy:
    """Return the policy that keeps to a plan."""
    fleet = fleet_of(instance, plan)
    keys, rates = routes_of_plan(plan)
    table = route_table(instance, fleet, keys)
    rate: dict[Any, float] = {}
    for key, value in zip(keys, rates, strict=True):
        rate[key] = rate.get(key, 0.0) + value
    weight = shares(table, rate)
    return StreamPolicy(
        name, instance, fleet, table, SHARES, weight, np.zeros(len(table)), start_up, admit
    )


def served_parts(instance: Instance, plan: SteadyPlan) -> Floats:
    """Return the part of each job's demand that a plan serves (J); 0 where there is none."""
    served = np.bincount(plan.route_job, plan.rate_per_s, len(instance.jobs))
    asked = instance.jobs.rate_per_s
    part = np.divide(served, asked, out=np.zeros(len(asked)), where=asked > 0)
    # What is served whole but for rounding is served whole.
    return np.asarray(np.where(part >= 1.0 - LIMIT_TOLERANCE, 1.0, part))


def shares(table: RouteTable, rate: Mapping[Any, float]) -> Floats:
    """Return the part of its job's requests that each route takes (K)."""
    weight = np.array([rate.get(key, 0.0) for key in table.keys])
    whole = np.zeros(int(table.job.max(initial=-1)) + 1)
    np.add.at(whole, table.job, weight)
    part = np.divide(weight, whole[table.job], out=np.zeros(len(weight)), where=weight > 0)
    return np.asarray(part)
