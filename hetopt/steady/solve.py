"""Solve a steady instance: routes, relaxation, rounding, MIP, and a plan that respects all limits.

The bound is the relaxation's until the MIP's own takes its place. A plan rounded from the
relaxation is held outside the MIP solver, and returned whatever that does.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import least_shares
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.solution import SteadyPlan, StreamPlan
from hetopt.solvers.mip import warm_up
from hetopt.steady.column_generation.solve_single_tasks import solve_columns
from hetopt.steady.model.configurations import with_configurations_held
from hetopt.steady.parts.find_parts import parts_of
from hetopt.steady.parts.solve_apart import solve_apart
from hetopt.steady.program.objective_level import (
    infeasible_result,
)
from hetopt.steady.program.scenarios import (
    StreamModel,
)
from hetopt.steady.program.search import Search, program_of
from hetopt.steady.routes.packings import TooManyPackingsError
from hetopt.steady.routes.routes import TooManyRoutesError, enumerate_routes, no_route
from hetopt.steady.routes.single_task_routes import many_columns
from hetopt.steady.waiting import asks_for_waiting, solve_waiting


def solve_steady(
    instance: Instance,
    budget: Budget,
    *,
    method: str = "auto",
    start: StreamPlan | None = None,
    mip_solver: str = "highs",
) -> RegimeResult:
    """Find rates, units and a proven bound.

    Parameters
    ----------
    method
        ``auto`` and ``mip`` solve the MIP, ``heuristic`` stops at the rounded relaxation.
        ``routing: single`` is always an assignment model (CP-SAT).
    start
        A known valid plan; its numbers of units are tried first.
    mip_solver
        ``highs``, or a solver that PuLP knows.

    Raises
    ------
    InputError
        Where throughput is unbounded, there are too many routes or kinds of unit, or accuracy
        comes before throughput in a list of objectives.
    """
    instance = with_configurations_held(instance)
    if slow_domains(instance):
        from hetopt.steady.states.solve import solve_states

        return solve_states(instance, budget, method, start, mip_solver)
    if asks_for_waiting(instance):
        return solve_waiting(
            instance,
            budget,
            start,
            lambda asked, of, known: solve_steady(
                asked, of, method=method, start=known, mip_solver=mip_solver
            ),
        )
    parts = parts_of(instance)
    whole = partial(_solve_whole, mip_solver=mip_solver)
    if len(parts) > 1:
        return solve_apart(instance, parts, budget, method, start, whole)
    return whole(instance, budget, method, start)


def _solve_whole(
    instance: Instance,
    budget: Budget,
    method: str,
    start: StreamPlan | None,
    *,
    mip_solver: str,
) -> RegimeResult:
    """Solve an instance that does not fall apart."""
    if instance.routing == "single":
        from hetopt.steady.placement.solve import solve_placement

        # One placement serves one demand: an instance with scenarios is never `single`.
        return solve_placement(instance, budget, method=method, start=_of_one_demand(start))
    _check_order(instance)
    if method != "heuristic" and mip_solver == "highs":
        warm_up(budget.workers)
    columns = many_columns(instance)
    if columns is not None:
        if len(columns.without):
            reasons = no_route(instance, columns.without.tolist())
            return infeasible_result(instance, " ".join(reasons))
        return solve_columns(
            instance,
            budget,
            columns,
            method=method,
            start=_of_one_demand(start),
            mip_solver=mip_solver,
        )
    try:
        routes = enumerate_routes(instance)
    except TooManyRoutesError:
        if len(instance.scenarios):
            raise
        from hetopt.steady.column_generation.solve_graphs import GeneratedSearch

        return GeneratedSearch(instance, budget, method, start, mip_solver).run()
    lost = needed_without_route(instance, routes.reasons)
    if lost:
        return infeasible_result(instance, " ".join(routes.reasons[job] for job in lost))
    search = Search(instance, budget, method, start, mip_solver, routes=routes)
    try:
        return search.run()
    except TooManyPackingsError:
        if len(instance.scenarios) and not len(instance.periods):
            raise
        from hetopt.steady.program.few_packings import solve_packed

        return solve_packed(search)


def steady_program(instance: Instance, until: float) -> StreamModel:
    """Build the program of an instance with split rates, its objective still to be chosen.

    Parameters
    ----------
    until
        Time (of ``time.monotonic``) by which a linear program that it may need must end.

    Raises
    ------
    InputError
        Where some job has no route, throughput is unbounded, or there are too many routes or
        kinds of unit.
    """
    instance = with_configurations_held(instance)
    routes = enumerate_routes(instance)
    lost = needed_without_route(instance, routes.reasons)
    if lost:
        raise InputError(" ".join(routes.reasons[job] for job in lost))
    if slow_domains(instance):
        from hetopt.steady.states.solve import states_program

        return states_program(instance, routes, until - time.monotonic())
    return program_of(instance, routes, until - time.monotonic())


def needed_without_route(instance: Instance, reasons: Collection[int]) -> list[int]:
    """Return the jobs without a route that some part must be served of, ascending."""
    least = least_shares(instance)
    return [job for job in sorted(reasons) if least[job] > 0]


def _of_one_demand(plan: StreamPlan | None) -> SteadyPlan | None:
    return plan if isinstance(plan, SteadyPlan) else None


def _check_order(instance: Instance) -> None:
    names = instance.objective
    if "throughput" in names and "accuracy" in names[: names.index("throughput")]:
        raise InputError(
            "Accuracy before throughput asks for the best accuracy at any rate, however small; "
            "put throughput first, or set min_accuracy."
        )
