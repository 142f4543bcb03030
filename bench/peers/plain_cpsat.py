"""The model that a textbook gives: CP-SAT, one optional interval for each task, unit and option.

No load rows, no bounds, no hints, no merging of identical units, no heuristic: what hetopt adds
to the solver is the distance from this.

    x[i,m,q] run task i in mode m on unit q;  s[i], e[i] start and end;  C makespan
    minimise    C,  or  Σ energy x + Σ idle w
    subject to  Σ x[i,m,q] = 1,  e[i] = s[i] + Σ p x,  no overlap on a unit
                s[j] ≥ e[i] + delay for each pair of units of an edge
                a cumulative for each renewable resource, Σ a x ≤ B for each budget, and
                (`plain_limits`) one for the memory of each unit and one for the power
                w[q] ≥ C where a unit is used (always, where it stays on)
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ortools.sat.python import cp_model

from bench.answers import Answer, History, Limits, UnsupportedError
from bench.peers.plain_limits import at_places, limit_memory, limit_power
from bench.peers.shop import Shop, shop
from hetopt.instance import Instance
from hetopt.schedule.model.grid import common_divisor, exact
from hetopt.schedule.model.problem import NEVER

MOST_PAIRS = 3_000_000
"""Rows for pairs of units that are worth building; more take minutes and gigabytes."""
LARGEST_NUMBER = 2**55


def plain_cpsat(instance: Instance, limits: Limits) -> Answer:
    """Build the plain model and give it the rest of the time.

    Raises
    ------
    UnsupportedError
        If the instance or its objective is beyond the model.
    """
    began = time.monotonic()
    if instance.objective[0] not in ("makespan", "energy"):
        raise UnsupportedError(f"The plain model has no objective {instance.objective[0]}.")
    plain = shop(instance, ("slots", "renewables", "budgets", "memory", "power cap"))
    made = _build(plain, began + limits.time_limit_s)
    build_s = time.monotonic() - began
    if made is None:
        return Answer(method="plain-cpsat", build_s=build_s, note="Building took all the time.")
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = limits.workers
    solver.parameters.random_seed = limits.seed
    solver.parameters.max_time_in_seconds = max(0.01, limits.time_limit_s - build_s)
    watch = _Watch(made, began)
    status = solver.solve(made.model, watch)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    bound = math.nan
    if made.exact and (found or status == cp_model.UNKNOWN):
        bound = float(Fraction(round(solver.best_objective_bound)) * made.unit)
    names = {cp_model.OPTIMAL: "optimal", cp_model.FEASIBLE: "feasible"}
    if made.exact:
        names[cp_model.INFEASIBLE] = "infeasible"
    answer = Answer(
        bound=bound,
        status=names.get(status, "unknown"),
        method="plain-cpsat",
        build_s=build_s,
        history=watch.history,
    )
    if answer.status == "optimal" and not made.exact:
        answer.status = "feasible"
    if found:
        chosen = [next(c for c, literal in row if solver.value(literal)) for row in made.chosen]
        answer.plan = plain.plan(chosen, [solver.value(s) for s in made.start])
    return answer


@dataclass(slots=True)
class _Made:
    model: cp_model.CpModel
    chosen: list[list[tuple[Any, Any]]]
    start: list[Any]
    unit: Fraction
    exact: bool


def _build(plain: Shop, until: float) -> _Made | None:
    """Build the model; None where the time is over before it is whole."""
    problem, model = plain.problem, cp_model.CpModel()
    span = problem.span
    start = [model.new_int_var(problem.release[t], span, "") for t in range(problem.n_tasks)]
    end = [model.new_int_var(0, min(span, problem.deadline[t]), "") for t in range(problem.n_tasks)]
    chosen: list[list[tuple[Any, Any]]] = []
    busy: list[list[Any]] = [[] for _ in plain.places]
    users: list[list[Any]] = [[] for _ in plain.places]
    for task, choices in enumerate(plain.choices):
        row = []
        for place, mode in choices:
            literal = model.new_bool_var("")
            busy[place].append(
                model.new_optional_interval_var(start[task], mode.duration, end[task], literal, "")
            )
            users[place].append(literal)
            row.append(((place, mode), literal))
        model.add_exactly_one(literal for _, literal in row)
        chosen.append(row)
    for place, intervals in enumerate(busy):
        if plain.slots(place) == 1:
            model.add_no_overlap(intervals)
        elif plain.slots(place) < problem.n_tasks:
            model.add_cumulative(intervals, [1] * len(intervals), plain.slots(place))
    _limit_resources(plain, model, chosen, busy)
    if not _edges(plain, model, start, end, chosen, until):
        return None
    whole = limit_memory(plain, model, chosen, start, end, busy)
    whole &= limit_power(plain, model, chosen, busy, users)
    makespan = model.new_int_var(0, span, "")
    model.add_max_equality(makespan, end)
    unit = problem.grid.tick
    if problem.instance.objective[0] == "makespan":
        model.minimize(makespan)
    else:
        unit = _minimise_energy(plain, model, chosen, users, makespan)
    return _Made(model, chosen, start, unit, plain.exact and whole)


def _limit_resources(
    plain: Shop, model: Any, chosen: list[list[tuple[Any, Any]]], busy: list[list[Any]]
) -> None:
    """Add renewable resources and budgets."""
    # Intervals were made in this order.
    made = [iter(intervals) for intervals in busy]
    ways = [(mode, next(made[place]), literal) for row in chosen for (place, mode), literal in row]
    for stock in plain.renewables:
        using = [(i, stock.amount[m.option]) for m, i, _ in ways if m.option in stock.amount]
        model.add_cumulative([i for i, _ in using], [a for _, a in using], stock.limit)
    for stock in plain.budgets:
        spent = [stock.amount[m.option] * x for m, _, x in ways if m.option in stock.amount]
        model.add(sum(spent) <= stock.limit)


def _edges(
    plain: Shop, model: Any, start: list[Any], end: list[Any], chosen: list[Any], until: float
) -> bool:
    """Add the order of all edges; return whether the time sufficed."""
    pairs = sum(
        len(chosen[a]) * len(chosen[b]) for a, b, tensor in plain.problem.edges if tensor >= 0
    )
    if pairs > MOST_PAIRS:
        raise UnsupportedError(f"The plain model would have {pairs:,} rows for pairs of units.")
    for a, b, tensor in plain.problem.edges:
        if time.monotonic() > until:
            return False
        model.add(start[b] >= end[a])
        if tensor < 0:
            continue
        for (src, _), x in chosen[a]:
            for (dst, _), y in chosen[b]:
                delay = plain.delay(tensor, src, dst)
                if delay is None:
                    model.add_bool_or(x.negated(), y.negated())
                elif delay:
                    model.add(start[b] >= end[a] + delay).only_enforce_if(x, y)
    return True


def _minimise_energy(
    plain: Shop, model: Any, chosen: list[Any], users: list[list[Any]], makespan: Any
) -> Fraction:
    """Minimise the energy of options and idle units; return the joules of one unit of it."""
    problem = plain.problem
    devices = problem.instance.devices
    terms: list[tuple[Any, Fraction]] = [
        (literal, problem.energy(task, mode.option))
        for task, row in enumerate(chosen)
        for (_, mode), literal in row
    ]
    terms += _messages(plain, model, chosen)
    window = problem.horizon if problem.horizon < NEVER else makespan
    for place, (device, _) in enumerate(plain.places):
        watts = exact(float(devices.idle_power_w[device])) * problem.grid.tick
        if not watts:
            continue
        span = model.new_int_var(0, problem.span, "")
        if bool(devices.off_when_unused[device]):
            used = model.new_bool_var("")
            model.add_max_equality(used, users[place] or [0])
            model.add(span >= window).only_enforce_if(used)
        else:
            model.add(span >= window)
        terms.append((span, watts))
    unit = Fraction(0)
    for _, joules in terms:
        unit = common_divisor(unit, joules)
    unit = unit or Fraction(1)
    most = sum((joules * problem.span for _, joules in terms), Fraction(0))
    if most / unit > LARGEST_NUMBER:
        # Rounded down, so that a bound stays one.
        unit = most / LARGEST_NUMBER
    model.minimize(sum(int(joules / unit) * variable for variable, joules in terms))
    return unit


def _messages(plain: Shop, model: Any, chosen: list[Any]) -> list[tuple[Any, Fraction]]:
    """Return a literal for each message that takes energy, and its joules."""
    if not bool((plain.problem.instance.links.energy_j_per_b > 0).any()):
        return []
    at = [at_places(model, row) for row in chosen]
    terms, pairs = [], 0
    for tensor, consumers in plain.readers().items():
        for place in sorted({q for consumer in consumers for q in at[consumer]}):
            there = [at[consumer][place] for consumer in consumers if place in at[consumer]]
            for source, here in at[plain.problem.producer[tensor]].items():
                joules = plain.sent_energy(tensor, source, place)
                if not joules:
                    continue
                pairs += len(there)
                if pairs > MOST_PAIRS:
                    raise UnsupportedError(f"The plain model would have {pairs:,} rows of pairs.")
                sent = model.new_bool_var("")
                for literal in there:
                    model.add_bool_or([sent, here.negated(), literal.negated()])
                terms.append((sent, joules))
    return terms


class _Watch(cp_model.CpSolverSolutionCallback):
    def __init__(self, made: _Made, began: float) -> None:
        super().__init__()
        self._made, self._began = made, began
        self.history: History = []

    def on_solution_callback(self) -> None:
        """Note each improvement."""
        unit = self._made.unit
        bound = float(Fraction(round(self.best_objective_bound)) * unit)
        self.history.append(
            (
                time.monotonic() - self._began,
                float(Fraction(round(self.objective_value)) * unit),
                bound if self._made.exact else math.nan,
            )
        )
