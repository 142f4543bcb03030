"""States for a plan that has none, as a rival's: nothing slows a device that runs alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hetopt.instance import Floats as FloatColumn
from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import domain_of_device, slow_domains
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
    known = _states_of(instance, plan)
    if known is None:
        return plan
    states, floors = known
    parts = _least_time(instance, plan, states, floors)
    if parts is None:
        return plan
    scaled = "throughput" in instance.objective
    return with_states(instance, plan, states, parts.tolist(), floors, scaled)


def time_needed(instance: Instance, plan: SteadyPlan) -> FloatColumn:
    """Return the part of the time that a plan's work takes at least where devices slow others (D).

    Above 1 there is not enough: the work of all, in one proportion, is done in part by its inverse.
    0 for devices that nothing slows, inf where the work cannot be done at all, or is not known.
    """
    domain = domain_of_device(instance)
    none = np.where(domain >= 0, np.inf, 0.0)
    known = _states_of(instance, plan)
    if known is None:
        return none
    states, floors = known
    parts = _least_time(instance, plan, states, floors, enough=False)
    if parts is None:
        return none
    of = np.array([state.domain for state in states], dtype=np.int64)
    total = np.bincount(of, parts, len(slow_domains(instance)) + 1)
    return np.where(domain >= 0, total[domain], 0.0)


def _states_of(instance: Instance, plan: SteadyPlan) -> tuple[Sequence[State], Floors] | None:
    """Return the states of what a plan runs, and the rates that it must keep; None: too many."""
    chosen = {
        (int(job), tuple(plan.option[plan.ptr[k] : plan.ptr[k + 1]].tolist()))
        for k, job in enumerate(plan.route_job)
        if plan.rate_per_s[k] > 0
    }
    found = [route_of(instance, job, options) for job, options in sorted(chosen)]
    routes = [route for route in found if route is not None]
    states = listed_states(instance, options_of_routes(instance, routes))
    if len(routes) < len(chosen) or states is None:
        return None
    return states.states, route_floors(instance, routes).kept


def _least_time(
    instance: Instance,
    plan: SteadyPlan,
    states: Sequence[State],
    floors: Floors,
    enough: bool = True,
) -> FloatColumn | None:
    """Return the part of the time of each state, least in all; None where there is not enough.

    Parameters
    ----------
    enough
        Whether states of devices that slow each other must not take more than all of the time.
    """
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
    for g in range(len(slow_domains(instance)) if enough else 0):
        rows.append([float(state.domain == g) for state in states])
        limit.append(1.0)
    if not work:
        return np.zeros(len(states))
    if not states:
        # Work of options that no unit is there for.
        return None
    tight: Any = {"primal_feasibility_tolerance": TOLERANCE}
    answer = linprog(np.ones(len(states)), np.array(rows), np.array(limit), options=tight)
    return np.asarray(answer.x) if answer.status == 0 else None
