"""States for a plan that has none, as a rival's: nothing slows a device that runs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hetopt.instance import Floats as FloatColumn
from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.solution import SteadyPlan
from hetopt.solvers.relaxation import TOLERANCE
from hetopt.steady.routes.routes import route_of
from hetopt.steady.states.extract import asked_rates, with_states, work_asked
from hetopt.steady.states.slowest_within_latency import Floors, fast_enough, route_floors
from hetopt.steady.states.states import State, listed_states, options_of_routes


def with_time_shared(instance: Instance, plan: SteadyPlan) -> SteadyPlan:
    """Return a plan with states that do its work in the least time; itself where none can.

    Nothing here says that the outcome is a plan of the instance: that is for the checker.
    """
    chosen = {
        (int(job), tuple(plan.option[plan.ptr[k] : plan.ptr[k + 1]].tolist()))
        for k, job in enumerate(plan.route_job)
        if plan.rate_per_s[k] > 0
    }
    found = [route_of(instance, job, options) for job, options in sorted(chosen)]
    routes = [route for route in found if route is not None]
    states = listed_states(instance, options_of_routes(instance, routes))
    if len(routes) < len(chosen) or states is None:
        return plan
    floors = route_floors(instance, routes).kept
    parts = _least_time(instance, plan, states.states, floors)
    if parts is None:
        return plan
    scaled = "throughput" in instance.objective
    return with_states(instance, plan, states.states, parts.tolist(), floors, scaled)


def _least_time(
    instance: Instance, plan: SteadyPlan, states: Sequence[State], floors: Floors
) -> FloatColumn | None:
    """Return the part of the time of each state, least in all; None where there is not enough."""
    from scipy.optimize import linprog

    work = work_asked(instance, plan, asked_rates(instance, plan, floors))
    rows: list[list[float]] = []
    limit: list[float] = []
    for option, floor in work:
        rows.append(
            [
                -sum(n * r for o, n, r in state.runs if o == option and fast_enough(r, floor))
                for state in states
            ]
        )
        limit.append(-sum(w for (o, f), w in work.items() if o == option and f >= floor))
    for g in range(len(slow_domains(instance))):
        rows.append([float(state.domain == g) for state in states])
        limit.append(1.0)
    if not work:
        return np.zeros(len(states))
    tight: Any = {"primal_feasibility_tolerance": TOLERANCE}
    answer = linprog(np.ones(len(states)), np.array(rows), np.array(limit), options=tight)
    return np.asarray(answer.x) if answer.status == 0 else None
