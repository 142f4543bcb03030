"""Plain integer programs through PuLP: assignment, schedules with orders, streams over routes.

assignment  minimise C, or Σ energy x
            Σ_{m,q} x[i,m,q] = 1;  Σ p x ≤ C on each unit;  Σ a x ≤ B for each budget
            where tasks need no order; else the program of `disjunctive`
streams     hetopt's own model of routes (`hetopt.steady.program.formulation`), handed to the bare
solver
            without relaxation bound, rounding, or a start; its integers give the plan
"""

from __future__ import annotations

import math
import time

import numpy as np
import pulp

from bench.answers import Answer, History, Limits, UnsupportedError
from bench.peers.environments import ENVIRONMENTS
from bench.peers.mip_outside import solve_outside
from bench.peers.shop import Extra, Shop, shop
from hetopt.instance import Instance, is_maximised
from hetopt.schedule.model.problem import Mode
from hetopt.solvers.mip import solve_mip
from hetopt.solvers.result import MipResult


def plain_mip(instance: Instance, limits: Limits, solver: str) -> Answer:
    """Build the plain program and give it to a solver that PuLP runs.

    Raises
    ------
    UnsupportedError
        If the instance has more than the programs know, or they would be too large.
    """
    if instance.regime == "steady":
        return _streams(instance, limits, solver)
    if _needs_order(instance):
        return _schedule(instance, limits, solver)
    return _assignment(instance, limits, solver)


def _needs_order(instance: Instance) -> bool:
    """Whether it matters which task comes first."""
    jobs, limited = instance.jobs, instance.limits
    energy = instance.objective[0] == "energy"
    return bool(
        len(instance.edges)
        or (jobs.release_s > 0).any()
        or np.isfinite(jobs.deadline_s).any()
        or np.isfinite(limited.power_cap_w)
        or np.isfinite(instance.devices.memory_b).any()
        or (energy and (instance.devices.idle_power_w > 0).any())
    )


def _schedule(instance: Instance, limits: Limits, solver: str) -> Answer:
    """Solve the program with orders; its plan is timed anew on hetopt's grid, in its order."""
    from bench.peers.disjunctive import Disjunctive
    from bench.peers.outside import kept_order

    began = time.monotonic()
    objective = instance.objective[0]
    if objective not in ("makespan", "energy"):
        raise UnsupportedError(f"The plain program has no objective {objective}.")
    plain = shop(instance, ("budgets", "memory", "power cap"))
    program = Disjunctive(plain, objective)
    build_s = time.monotonic() - began
    if build_s > limits.time_limit_s:
        return Answer(method=solver, build_s=build_s, note="Building took all the time.")
    result = _solve(program.problem, limits, build_s, solver)
    tick = plain.tick_s * program.unit if objective == "makespan" else 1.0
    answer = _answer(result, solver, build_s, tick, maximised=False)
    if not program.exact:
        answer.bound = math.nan
        answer.history = [(t, value, math.nan) for t, value, _ in answer.history]
        if answer.status == "optimal":
            answer.status = "feasible"
        elif answer.status == "infeasible":
            answer.status = "unknown"
    elif result.bound is not None:
        answer.bound = result.bound * tick
    if result.values is not None:
        value, second = result.values, plain.tick_s * program.unit
        chosen = [
            max(zip(plain.choices[t], row, strict=True), key=lambda way: value[way[1]])[0]
            for t, row in enumerate(program.chosen)
        ]
        answer.plan = kept_order(plain, chosen, [value[s] * second for s in program.start])
    return answer


def _assignment(instance: Instance, limits: Limits, solver: str) -> Answer:
    began = time.monotonic()
    objective = instance.objective[0]
    if objective not in ("makespan", "energy"):
        raise UnsupportedError(f"The plain assignment has no objective {objective}.")
    # Without a makespan it does not matter how many tasks run at once.
    extras: tuple[Extra, ...] = ("budgets", "slots") if objective == "energy" else ("budgets",)
    plain = shop(instance, extras)
    problem, x = _assignment_model(plain, objective)
    build_s = time.monotonic() - began
    result = _solve(problem, limits, build_s, solver)
    tick = plain.tick_s if objective == "makespan" else 1.0
    bound = math.nan if result.bound is None else result.bound * tick
    answer = _answer(result, solver, build_s, tick, maximised=False)
    answer.bound = bound if plain.exact or objective == "energy" else math.nan
    if result.values is not None:
        chosen = [
            max(zip(plain.choices[t], row, strict=True), key=lambda pair: result.values[pair[1]])[0]
            for t, row in enumerate(x)
        ]
        answer.plan = plain.plan(chosen, _in_a_row(plain, chosen))
    return answer


def _assignment_model(plain: Shop, objective: str) -> tuple[pulp.LpProblem, list[list[str]]]:
    problem = pulp.LpProblem("assignment", pulp.LpMinimize)
    load: list[list[tuple[pulp.LpVariable, float]]] = [[] for _ in plain.places]
    energy: list[tuple[pulp.LpVariable, float]] = []
    names: list[list[str]] = []
    spent: list[list[tuple[pulp.LpVariable, float]]] = [[] for _ in plain.budgets]
    for task, choices in enumerate(plain.choices):
        row = [problem.add_variable(f"x_{task}_{k}", 0, 1, "Integer") for k in range(len(choices))]
        problem.addConstraint(pulp.LpAffineExpression([(v, 1) for v in row]) == 1)
        for (place, mode), variable in zip(choices, row, strict=True):
            load[place].append((variable, mode.duration))
            energy.append((variable, float(plain.problem.energy(task, mode.option))))
            for terms, stock in zip(spent, plain.budgets, strict=True):
                if mode.option in stock.amount:
                    terms.append((variable, stock.amount[mode.option]))
        names.append([v.name for v in row])
    for terms, stock in zip(spent, plain.budgets, strict=True):
        problem.addConstraint(pulp.LpAffineExpression(terms) <= stock.limit)
    if objective == "energy":
        problem.setObjective(pulp.LpAffineExpression(energy))
        return problem, names
    longest = problem.add_variable("C", 0)
    problem.setObjective(pulp.LpAffineExpression([(longest, 1)]))
    for terms in load:
        problem.addConstraint(pulp.LpAffineExpression([*terms, (longest, -1)]) <= 0)
    return problem, names


def _in_a_row(plain: Shop, chosen: list[tuple[int, Mode]]) -> list[int]:
    """Start the tasks of each place one after the other."""
    free = [0] * len(plain.places)
    starts = []
    for place, mode in chosen:
        starts.append(free[place])
        free[place] += mode.duration
    return starts


def _streams(instance: Instance, limits: Limits, solver: str) -> Answer:
    from hetopt.steady.program.extract_plan import build_plan
    from hetopt.steady.program.formulation import SteadyModel
    from hetopt.steady.routes.packings import unit_kinds
    from hetopt.steady.routes.routes import enumerate_routes

    began = time.monotonic()
    if instance.routing == "single" or len(instance.objective) > 1:
        raise UnsupportedError("The plain program has one objective and no single placement.")
    routes = enumerate_routes(instance)
    if routes.reasons:
        return Answer(status="infeasible", method=solver)
    model = SteadyModel(instance, routes, unit_kinds(instance, routes.routes))
    if model.incomplete:
        raise UnsupportedError("The plain program has no bound on the demand that is served.")
    scale = model.aim(instance.objective[0])
    build_s = time.monotonic() - began
    result = _solve(model.problem, limits, build_s, solver)
    maximised = is_maximised(instance.objective[0])
    answer = _answer(result, solver, build_s, 1 / scale, maximised=maximised)
    if result.bound is not None:
        answer.bound = result.bound / scale
    if result.values is not None:
        answer.plan = build_plan(model, _polished(model.problem, result.values))
        answer.claimed = result.objective / scale if result.objective is not None else math.nan
    return answer


def _polished(problem: pulp.LpProblem, values: dict[str, float]) -> dict[str, float]:
    """Solve once more with the integers fixed, to 1e-10.

    A solver's own tolerance (CBC: 1e-7) overfills a full unit, and whole units are then one more.
    """
    from hetopt.solvers.mip_arrays import mip_arrays
    from hetopt.solvers.relaxation import Relaxation

    arrays = mip_arrays(problem)
    point = arrays.vector(values)
    exact = None if point is None else Relaxation(arrays).fixed(point)
    if exact is None or exact.outcome != "optimal":
        return values
    return dict(zip(arrays.names, exact.x.tolist(), strict=True))


def _solve(problem: pulp.LpProblem, limits: Limits, build_s: float, solver: str) -> MipResult:
    if solver in ENVIRONMENTS:
        return solve_outside(problem, limits, build_s, solver)
    return solve_mip(
        problem,
        time_limit_s=max(0.01, limits.time_limit_s - build_s),
        threads=limits.workers,
        seed=limits.seed,
        solver=solver,
    )


def _answer(
    result: MipResult, solver: str, build_s: float, scale: float, *, maximised: bool
) -> Answer:
    history: History = [
        (build_s + t, _scaled(value, scale), _scaled(bound, scale))
        for t, value, bound in result.history
    ]
    if not history and result.objective is not None:
        end = build_s + result.wall_time_s
        history = [(end, result.objective * scale, _scaled(result.bound, scale))]
    status = "unknown"
    if result.proven_infeasible:
        status = "infeasible"
    elif result.objective is not None:
        timed = result.timed_out or result.interrupted
        status = "feasible" if timed else "optimal"
    return Answer(
        status=status, method=solver, build_s=build_s, history=history, note=result.message
    )


def _scaled(value: float | None, scale: float) -> float:
    return math.nan if value is None else value * scale
