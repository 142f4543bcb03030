"""One search for streams: its program, levels of its objective, rounding."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.instance import Floats, Instance
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import HistoryEntry, StreamPlan, Termination
from hetopt.solvers.mip import solve_mip
from hetopt.solvers.mip_arrays import mip_arrays
from hetopt.solvers.relaxation import Relaxation, Relaxed, round_off
from hetopt.solvers.result import safe_bound
from hetopt.steady.model.capacity import at_standstill
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.program.marginal_values import marginal
from hetopt.steady.program.objective_level import (
    RELAXED,
    ROUNDED,
    Level,
    better_plan,
    effort,
    infeasible_result,
    note_progress,
    seconds_left,
    unbounded,
    why_infeasible,
)
from hetopt.steady.program.scenarios import (
    StreamModel,
    blocks_of,
    stream_integers,
    stream_model,
    stream_plan,
)
from hetopt.steady.program.second_proof import FOUND, infeasible_again
from hetopt.steady.program.slices import with_whole_slices
from hetopt.steady.routes.packings import unit_kinds
from hetopt.steady.routes.route_columns import pool_of_routes
from hetopt.steady.routes.routes import Routes

ROUNDING_TRIES = 60
"""Linear programs that rounding may solve: some milliseconds each."""
ROUNDING_SHARE = 0.1
"""Share of the time left that rounding may take."""
STRICT = 1e-8
"""Relative tightening with which the MIP is solved again where its plan used its tolerance."""


def program_of(
    instance: Instance, routes: Routes, time_limit_s: float, *, few_packings: bool = False
) -> StreamModel:
    """Build the program; where that takes a bound on θ, the relaxation without gives one."""
    kinds = unit_kinds(instance, routes.routes, few=few_packings)
    model = stream_model(instance, routes, kinds)
    if not model.incomplete:
        return model
    scale = model.aim("throughput")
    loose = Relaxation(mip_arrays(model.problem)).solve(time_limit_s=time_limit_s)
    if loose.outcome == "unbounded":
        raise InputError(unbounded(instance, "throughput"))
    if loose.outcome != "optimal":
        return model
    theta = loose.objective / scale / (model.unit * sum(model.rate))
    return stream_model(instance, routes, kinds, most=max(1.0, theta) * 1.001)


@dataclass(slots=True)
class Search:
    """A search over the routes that are listed, level after level."""

    instance: Instance
    budget: Budget
    method: str
    start: StreamPlan | None
    mip_solver: str
    routes: Routes
    began: float = field(default_factory=time.monotonic)
    history: list[HistoryEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped_by: Termination = "proved"
    marginal: dict[str, Any] | None = None
    few_packings: bool = False
    known_by: str = "start"
    first_level: bool = True

    def run(self) -> RegimeResult:
        """Solve level after level."""
        model = self.first_model()
        plan: StreamPlan | None = None
        bounds: list[float] = []
        held: list[tuple[str, float]] = []
        previous: dict[str, float] | None = None
        if self.start is not None:
            previous = stream_integers(model, self.start)
        for name in self.instance.objective:
            model, level = self.next_level(model, name, previous, held)
            if level.infeasible and plan is None:
                return infeasible_result(self.instance, self.why_infeasible(), level.proof)
            bounds.append(level.bound)
            if level.best is None:
                break
            previous = values_of(model, level.best.x)
            plan = stream_plan(model, previous)
            self.known_by = level.found_by
            value = objective_value(self.instance, plan, name)
            bounds[-1] = at_standstill(self.instance, name, value, level.bound, model.unit)
            self.note_progress(value, bounds[-1])
            if np.isnan(value):
                # An accuracy of no requests at all.
                bounds[-1] = np.nan
                continue
            held.append((name, value))
            model.hold(name, value)
            self.first_level = False
        bounds += [np.nan] * (len(self.instance.objective) - len(bounds))
        plan = self._better(plan)
        return RegimeResult(
            plan=plan,
            bounds=tuple(float(b) for b in bounds),
            reason="" if plan is not None else "No plan was found within the limit.",
            stopped_by=self.stopped(),
            method=self.known_by if plan is not None else "mip",
            history=tuple(self.history),
            notes=tuple(self.notes),
            marginal=self.marginal,
        )

    def why_infeasible(self) -> str:
        """Say why nothing can be served as it is demanded."""
        return why_infeasible(self.instance)

    def first_model(self) -> StreamModel:
        """Return the program before any objective."""
        few = self.few_packings
        return program_of(self.instance, self.routes, self.time_left(), few_packings=few)

    def next_level(
        self,
        model: StreamModel,
        name: str,
        previous: dict[str, float] | None,
        held: list[tuple[str, float]],
    ) -> tuple[StreamModel, Level]:
        """Solve for an objective, the earlier ones held; return the program it was solved with."""
        return model, self.solve_level(model, name, previous, held)

    def solve_level(
        self,
        model: StreamModel,
        name: str,
        previous: dict[str, float] | None,
        held: list[tuple[str, float]],
        bound: float = np.nan,
    ) -> Level:
        """Solve for one objective over the routes listed; ``bound`` (SI) is known of it before.

        Where routes are missing, bounds and infeasibility of this program say nothing.
        """
        level = Level(name, scale=model.aim(name), bound=bound)
        arrays = mip_arrays(model.problem)
        relaxation = Relaxation(arrays)
        first = relaxation.solve(time_limit_s=self.time_left())
        if first.outcome == "infeasible":
            level.infeasible = self.routes.complete
            return level
        if first.outcome == "unbounded":
            raise InputError(unbounded(self.instance, name))
        if first.outcome == "optimal" and self.routes.complete:
            level.tighten(_si(safe_bound(arrays, relaxation.bound(first)), level.scale))
        if first.outcome == "optimal" and not held and isinstance(model, SteadyModel):
            pool = pool_of_routes(self.instance, self.routes.routes)
            kinds = [kind.device for kind in model.kinds]
            self.marginal = marginal(self.instance, arrays, first, level.scale, pool, kinds)
        if not arrays.integer.any():
            level.improve(first, RELAXED)
            return level
        whole = with_whole_slices(blocks_of(model), relaxation, first, self.time_left())
        self._round(level, relaxation, whole, previous)
        self.note_progress(level.value(), level.bound)
        done = gap_closed(level.value(), level.bound, self.budget.gap)
        if self.method != "heuristic" and not done and not self.budget.over():
            self._solve_mip(level, model, relaxation, held)
        return level

    def _round(
        self,
        level: Level,
        relaxation: Relaxation,
        first: Relaxed,
        previous: dict[str, float] | None,
    ) -> None:
        """Find plans without the MIP solver: from a known one, and from the relaxation."""
        if previous is not None:
            names = relaxation.arrays.names
            known = relaxation.fixed(np.array([previous.get(n, 0.0) for n in names]))
            level.improve(known, self.known_by)
        if first.outcome == "optimal":
            limit = self.time_left()
            near = round_off(
                relaxation,
                first.x,
                tries=ROUNDING_TRIES,
                time_limit_s=np.inf if self.budget.deterministic else limit * ROUNDING_SHARE,
            )
            level.improve(near, ROUNDED)

    def _solve_mip(
        self,
        level: Level,
        model: StreamModel,
        relaxation: Relaxation,
        held: list[tuple[str, float]],
    ) -> None:
        def progress(objective: float | None, bound: float | None) -> None:
            found = np.nan if objective is None else objective / level.scale
            near = level.bound
            if self.routes.complete:
                near = np.nan if bound is None else bound / level.scale
            self.note_progress(found, near)

        allowed = effort(self.budget)
        result = solve_mip(
            model.problem,
            time_limit_s=allowed.time_limit_s,
            nodes=allowed.nodes,
            gap_rel=self.budget.gap,
            threads=1 if self.budget.deterministic else self.budget.workers,
            seed=self.budget.seed,
            start=None if level.best is None else values_of(model, level.best.x),
            stop=self.budget.stop,
            solver=self.mip_solver,
            progress=progress,
        )
        if self.routes.complete:
            level.tighten(_si(result.bound, level.scale))
        if result.message:
            self.notes.append(result.message)
        if result.proven_infeasible and level.best is None and self.routes.complete:
            level.proof, found = infeasible_again(
                relaxation.arrays, self.budget, result.wall_time_s
            )
            level.infeasible = found is None
            if found is not None:
                self.notes.append(FOUND)
                level.improve(relaxation.fixed(found), "mip")
        if result.values is None:
            return
        point = relaxation.arrays.vector(result.values)
        polished = None if point is None else relaxation.fixed(point)
        if polished is not None and polished.outcome == "optimal":
            level.improve(polished, "mip")
        elif not self.budget.over():
            level.improve(self._strict(level, model, relaxation, held), "mip")

    def _strict(
        self,
        level: Level,
        model: StreamModel,
        relaxation: Relaxation,
        held: list[tuple[str, float]],
    ) -> Relaxed | None:
        """Solve again with slightly smaller limits, so that the plan respects the true ones."""
        tight = stream_model(
            self.instance, self.routes, model.kinds, shrink=STRICT, most=model.most
        )
        for name, value in held:
            tight.hold(name, value)
        tight.aim(level.name)
        allowed = effort(self.budget)
        result = solve_mip(
            tight.problem,
            time_limit_s=allowed.time_limit_s,
            nodes=allowed.nodes,
            gap_rel=self.budget.gap,
            threads=1 if self.budget.deterministic else self.budget.workers,
            seed=self.budget.seed,
            stop=self.budget.stop,
            solver=self.mip_solver,
        )
        point = None if result.values is None else relaxation.arrays.vector(result.values)
        return None if point is None else relaxation.fixed(point)

    def _better(self, plan: StreamPlan | None) -> StreamPlan | None:
        """Return the start instead where it is the better plan by a rounding."""
        return better_plan(self.instance, plan, self.start)

    def time_left(self) -> float:
        """Seconds left, without end where the clock does not count."""
        return seconds_left(self.budget)

    def note_progress(self, objective: float, bound: float) -> None:
        """Tell of a better plan or bound (SI)."""
        history = self.history if self.first_level else None
        note_progress(self.budget, self.began, history, objective, bound)

    def stopped(self) -> Termination:
        """Say why the search ended."""
        if self.budget.stop.is_set():
            return "interrupted"
        if self.budget.over():
            return "time_limit"
        if self.method == "heuristic":
            return "iteration_limit"
        return "gap_limit" if self.budget.gap > 0 else "proved"


def values_of(model: StreamModel, x: Floats) -> dict[str, float]:
    """Return a point of a program by the names of its variables."""
    names = [variable.name for variable in model.problem.variables()]
    return dict(zip(names, x.tolist(), strict=True))


def _si(bound: float | None, scale: float) -> float | None:
    return None if bound is None else bound / scale
