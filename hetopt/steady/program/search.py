"""One search for streams: its program, levels of its objective, rounding."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Floats, Instance
from hetopt.runtime.budget import RegimeResult, gap_closed
from hetopt.solution import StreamPlan
from hetopt.solvers.mip import solve_arrays, solve_mip
from hetopt.solvers.mip_arrays import mip_arrays
from hetopt.solvers.relaxation import Relaxation, Relaxed, holds, round_off
from hetopt.solvers.result import safe_bound
from hetopt.solvers.smaller import Smaller
from hetopt.steady.program.formulation import Extra, SteadyModel
from hetopt.steady.program.joint.few_kinds import has_many_kinds, over_few_kinds, rounded_up
from hetopt.steady.program.levels import LevelSearch
from hetopt.steady.program.objective_level import (
    RELAXED,
    ROUNDED,
    Level,
    effort,
    unbounded,
)
from hetopt.steady.program.scenarios import (
    StreamModel,
    blocks_of,
    stream_integers,
    stream_model,
    stream_plan,
)
from hetopt.steady.program.second_proof import FOUND, infeasible_again
from hetopt.steady.program.shadow_prices import marginal
from hetopt.steady.program.slice_rounding import with_whole_slices
from hetopt.steady.routes.packings import unit_kinds
from hetopt.steady.routes.route_columns import pool_of_routes
from hetopt.steady.routes.routes import Routes

ROUNDING_TRIES = 60
"""Linear programs that rounding may solve: some milliseconds each."""
ROUNDING_SHARE = 0.1
"""Share of the time left that rounding may take."""
FEW_SHARE, FEW_GAP = 0.5, 1e-4
"""Share of the time left that the program over few kinds of unit may take, and its gap that will
do: the whole program says how near that is."""
STRICT = 1e-8
"""Relative tightening with which the MIP is solved again where its plan used its tolerance."""


def program_of(
    instance: Instance,
    routes: Routes,
    time_limit_s: float,
    *,
    few_packings: bool = False,
    states: Extra | None = None,
) -> StreamModel:
    """Build the program; where that takes a bound on θ, the relaxation without gives one."""
    kinds = unit_kinds(instance, routes.routes, few=few_packings)
    model = stream_model(instance, routes, kinds, states=states)
    if not model.incomplete:
        return model
    scale = model.aim("throughput")
    loose = Relaxation(mip_arrays(model.problem)).solve(time_limit_s=time_limit_s)
    if loose.outcome == "unbounded":
        raise InputError(unbounded(instance, "throughput"))
    if loose.outcome != "optimal":
        return model
    theta = loose.objective / scale / (model.unit * sum(model.rate))
    most = max(1.0, theta) * 1.001
    return stream_model(instance, routes, kinds, most=most, states=states)


@dataclass(slots=True)
class Search(LevelSearch):
    """A search over the routes that are listed.

    Attributes
    ----------
    model, previous
        The program, with the earlier objectives held, and the values of its variables in the best
        plan of the level before.
    held
        Objectives that are held, and their values (SI).
    """

    routes: Routes = field(default_factory=lambda: Routes((), (), complete=False))
    few_packings: bool = False
    model: StreamModel = field(init=False)
    previous: dict[str, float] | None = field(init=False, default=None)
    held: list[tuple[str, float]] = field(init=False, default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the program of integers knows all routes."""
        return self.routes.complete

    @property
    def unit(self) -> float:
        """The θ that keeps about one unit busy."""
        return self.model.unit

    def run(self) -> RegimeResult:
        """Solve level after level."""
        self.model = self.first_model()
        if self.start is not None:
            self.previous = stream_integers(self.model, self.start)
        return LevelSearch.run(self)

    def first_model(self) -> StreamModel:
        """Return the program before any objective."""
        few = self.few_packings
        return program_of(self.instance, self.routes, self.time_left(), few_packings=few)

    def next_level(self, name: str) -> Level:
        """Solve for an objective."""
        return self.solve_level(self.model, name)

    def plan_of(self, level: Level) -> StreamPlan:
        """Return the plan of a level's best point, whose values the next one begins with."""
        self.previous = {} if level.best is None else values_of(self.model, level.best.x)
        return stream_plan(self.model, self.previous)

    def hold(self, name: str, value: float) -> None:
        """Allow no plan that is worse in an objective."""
        self.held.append((name, value))
        self.model.hold(name, value)

    def solve_level(
        self,
        model: StreamModel,
        name: str,
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
        if first.outcome == "optimal" and not self.held and isinstance(model, SteadyModel):
            pool = pool_of_routes(self.instance, self.routes.routes)
            kinds = [kind.device for kind in model.kinds]
            self.marginal = marginal(self.instance, arrays, first, level.scale, pool, kinds)
        if not arrays.integer.any():
            level.improve(first if holds(arrays, first.x) else None, RELAXED)
            return level
        if has_many_kinds(model, arrays) and first.outcome == "optimal":
            self._over_few_kinds(level, model, relaxation, first)
        else:
            whole = with_whole_slices(blocks_of(model), relaxation, first, self.time_left())
            self._round(level, relaxation, whole)
        self.note_progress(level.value(), level.bound)
        done = gap_closed(level.value(), level.bound, self.budget.gap)
        if self.method != "heuristic" and not done and not self.budget.over():
            self._solve_mip(level, model, relaxation)
        return level

    def _round(self, level: Level, relaxation: Relaxation, first: Relaxed) -> None:
        """Find plans without the MIP solver: from a known one, and from the relaxation."""
        if self.previous is not None:
            previous, names = self.previous, relaxation.arrays.names
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

    def _over_few_kinds(
        self, level: Level, model: StreamModel, relaxation: Relaxation, first: Relaxed
    ) -> None:
        """Find plans over the kinds of unit that the relaxation uses, and a known plan's."""
        if self.previous is not None:
            self._round(level, relaxation, replace(first, outcome="unknown"))
        small = over_few_kinds(model, relaxation.arrays, first.x, self.previous)
        if not len(small.kept):
            self._round(level, relaxation, first)
            return
        few = Relaxation(small.arrays)
        near = rounded_up(model, small, few)
        if near is not None:
            level.improve(_spread(small, near), ROUNDED)
            self.note_progress(level.value(), level.bound)
        if self.method == "heuristic" or self.budget.over():
            return

        def progress(objective: float | None, _: float | None) -> None:
            found = np.nan if objective is None else objective / level.scale
            self.note_progress(found, level.bound)

        allowed = effort(self.budget)
        result = solve_arrays(
            small.arrays,
            time_limit_s=allowed.time_limit_s * FEW_SHARE,
            nodes=None if allowed.nodes is None else max(1, int(allowed.nodes * FEW_SHARE)),
            gap_rel=max(self.budget.gap, FEW_GAP),
            threads=1 if self.budget.deterministic else self.budget.workers,
            seed=self.budget.seed,
            start=None if level.best is None else level.best.x[small.kept],
            stop=self.budget.stop,
            solver=self.mip_solver,
            progress=progress,
            again=False,
        )
        point = None if result.values is None else small.arrays.vector(result.values)
        found = None if point is None else few.fixed(point)
        if found is not None and found.outcome == "optimal":
            level.improve(_spread(small, found), "mip")

    def _solve_mip(self, level: Level, model: StreamModel, relaxation: Relaxation) -> None:
        def progress(objective: float | None, bound: float | None) -> None:
            found = np.nan if objective is None else objective / level.scale
            near = level.bound
            if self.routes.complete:
                near = np.nan if bound is None else bound / level.scale
            self.note_progress(found, near)

        known = None if level.best is None else values_of(model, level.best.x)
        result = self.solve_integers(solve_mip, model.problem, start=known, progress=progress)
        level.conclude(result, whole=self.routes.complete)
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
            level.improve(self._strict(level, model, relaxation), "mip")

    def _strict(self, level: Level, model: StreamModel, relaxation: Relaxation) -> Relaxed | None:
        """Solve again with slightly smaller limits, so that the plan respects the true ones."""
        tight = stream_model(
            self.instance,
            self.routes,
            model.kinds,
            shrink=STRICT,
            most=model.most,
            states=model.states,
        )
        for name, value in self.held:
            tight.hold(name, value)
        tight.aim(level.name)
        result = self.solve_integers(solve_mip, tight.problem)
        point = None if result.values is None else relaxation.arrays.vector(result.values)
        return None if point is None else relaxation.fixed(point)


def _spread(small: Smaller, found: Relaxed) -> Relaxed:
    """Return a point of a smaller program as one of the whole; prices of its rows are not known."""
    return Relaxed("optimal", small.whole(found.x), found.objective)


def values_of(model: StreamModel, x: Floats) -> dict[str, float]:
    """Return a point of a program by the names of its variables."""
    names = [variable.name for variable in model.problem.variables()]
    return dict(zip(names, x.tolist(), strict=True))


def _si(bound: float | None, scale: float) -> float | None:
    return None if bound is None else bound / scale
