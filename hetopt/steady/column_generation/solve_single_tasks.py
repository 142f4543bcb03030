"""Solve large instances of single tasks: prices, few columns, integers, and a proven bound.

A listed route costs nothing until it is worth something. The relaxation is solved by column
generation over all routes (its Lagrangian bound is the proven one); then the integer program is
solved over the routes that are cheapest at its prices, first few, then more, at last all of them
where they are not too many: that program's own bound is a bound on everything.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.instance import Floats, Instance, Ints
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import HistoryEntry, SteadyPlan, Termination
from hetopt.solvers.mip import solve_arrays
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation, Relaxed
from hetopt.steady.column_generation.column_generation import (
    CLOSED,
    Generated,
    TablePricer,
    generate,
)
from hetopt.steady.model.capacity import at_standstill, unit_capacity
from hetopt.steady.program.extract_plan_of_columns import columns_plan
from hetopt.steady.program.formulation_arrays import Master
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
from hetopt.steady.program.second_proof import FOUND, infeasible_again
from hetopt.steady.routes.route_columns import Pool, pool_of_columns
from hetopt.steady.routes.single_task_routes import Columns

FEW, MORE = 4, 16
"""Cheapest routes per stream in the first integer program and in the next."""

ALL_ROUTES = 400_000
"""Routes up to which the integer program is solved over all of them at last."""

SAMPLE = 1_000
"""Streams in a sample whose prices are taken for all where there are many more."""

CLOSE = 1e-5
"""Relative distance at which the relaxation of many streams is solved well enough."""

ACCEPTED = 4e-10
"""Violation up to which a MIP solver's point is taken as it is; see ``LIMIT_TOLERANCE``."""

INSIDE = 0.999
"""Share of the gap asked for at which a search ends: a plan's objective is computed anew."""

PART_OF_GAP = 0.25
"""Share of the gap asked for that a program over few routes may leave: the bound leaves more."""


def solve_columns(
    instance: Instance,
    budget: Budget,
    columns: Columns,
    *,
    method: str = "auto",
    start: SteadyPlan | None = None,
    mip_solver: str = "highs",
) -> RegimeResult:
    """Find rates, units and a proven bound; see :func:`hetopt.steady.solve.solve_steady`.

    Raises
    ------
    InputError
        Where throughput is unbounded.
    """
    return _Search(instance, budget, columns, method, start, mip_solver).run()


class _Enough(threading.Event):
    """Set by itself, or with another event."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        """Whether either is set."""
        return super().is_set() or self._other.is_set()


@dataclass(slots=True)
class _Search:
    instance: Instance
    budget: Budget
    columns: Columns
    method: str
    start: SteadyPlan | None
    mip_solver: str
    pool: Pool = field(init=False)
    master: Master = field(init=False)
    pricer: TablePricer = field(init=False)
    began: float = field(default_factory=time.monotonic)
    history: list[HistoryEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marginal: dict[str, Any] | None = None
    found_by: str = "start"
    first_level: bool = True

    def __post_init__(self) -> None:
        self.pool = pool_of_columns(self.instance, self.columns)
        self.master = master_of_columns(self.instance, self.columns)
        self.pricer = TablePricer(self.pool, len(self.columns.rate_per_s))

    def run(self) -> RegimeResult:
        """Solve level after level."""
        plan: SteadyPlan | None = None
        bounds: list[float] = []
        for name in self.instance.objective:
            level, routes = self._solve_level(name)
            if level.infeasible and plan is None:
                return infeasible_result(self.instance, why_infeasible(self.instance), level.proof)
            bounds.append(level.bound)
            if level.best is None:
                break
            plan = self._plan(level.best, routes)
            self.found_by = level.found_by
            value = objective_value(self.instance, plan, name)
            bounds[-1] = at_standstill(self.instance, name, value, level.bound)
            self._note_progress(value, bounds[-1])
            if np.isnan(value):
                bounds[-1] = np.nan
                continue
            self.master.hold(name, value)
            self.first_level = False
        bounds += [np.nan] * (len(self.instance.objective) - len(bounds))
        plan = self._better(plan)
        self.notes.append(
            f"Routes as columns: {len(self.pool):,} of {len(self.columns.rate_per_s):,} streams, "
            f"{len(self.pricer.numbers):,} of them in the relaxation; the bound counts all."
        )
        return RegimeResult(
            plan=plan,
            bounds=tuple(float(b) for b in bounds),
            reason="" if plan is not None else "No plan was found within the limit.",
            stopped_by=self._stopped(),
            method=self.found_by if plan is not None else "mip",
            history=tuple(self.history),
            notes=tuple(self.notes),
            marginal=self.marginal,
        )

    def _solve_level(self, name: str) -> tuple[Level, Ints]:
        level = Level(name, scale=self.master.aim(name, self.pool))
        found = self._relax(level)
        if found.outcome == "infeasible":
            level.infeasible = True
            return level, self.pricer.numbers
        if found.outcome == "unbounded":
            raise InputError(unbounded(self.instance, name))
        if np.isfinite(found.bound):
            level.tighten(found.bound / level.scale)
        routes = found.numbers
        if found.relaxed is not None and found.arrays is not None:
            level.improve(_rounded_up(found.arrays, found.relaxed), self._rounded_by())
            if self.marginal is None:
                self.marginal = marginal(
                    self.instance,
                    found.arrays,
                    found.relaxed,
                    level.scale,
                    self.pool.subset(routes),
                    np.flatnonzero(self.master.used).tolist(),
                    self.columns.stream_of,
                )
        self._note_progress(level.value(), level.bound)
        if not any(self.master.side_integer):
            return level, routes
        if self.method == "heuristic" and level.best is not None:
            return level, routes
        return self._integers(level, found, routes)

    def _relax(self, level: Level) -> Generated:
        """Solve the relaxation, for many streams from the prices of a sample of them."""

        def progress(bound: float) -> None:
            level.tighten(bound / level.scale)
            self._note_progress(np.nan, level.bound)

        until = time.monotonic() + 0.9 * self._time_left()
        streams = len(self.columns.rate_per_s)
        rows = None
        if streams > 3 * SAMPLE and not len(self.pricer.numbers):
            rows = self._sampled(until)
        return generate(
            self.master,
            self.pricer,
            until=until,
            first=FEW,
            close=CLOSE if streams > 3 * SAMPLE else CLOSED,
            rows=rows,
            progress=progress,
            stop=self.budget.stop.is_set,
        )

    def _sampled(self, until: float) -> Floats | None:
        """Return the prices at which a sample of the streams, scaled up, is served."""
        streams = len(self.columns.rate_per_s)
        step = -(-streams // SAMPLE)
        by_rate = np.argsort(self.columns.rate_per_s, kind="stable")
        sample = np.sort(by_rate[step // 2 :: step])
        position = np.full(streams, -1, dtype=np.int64)
        position[sample] = np.arange(len(sample))
        inside = position[self.pool.stream] >= 0
        pool = self.pool.subset(inside)
        pool = replace(pool, stream=position[pool.stream])
        rate = self.columns.rate_per_s
        scale = float(rate.sum()) / float(rate[sample].sum())
        master = master_of_columns(self.instance, self.columns, sample, scale)
        master.objective = self.master.objective
        master.unit = self.master.unit
        master.theta_fixed = self.master.theta_fixed
        master.side_lower, master.side_upper = self.master.side_lower, self.master.side_upper
        master.rows = self.master.rows
        found = generate(
            master,
            TablePricer(pool, len(sample)),
            until=until,
            first=FEW,
            close=CLOSE,
            stop=self.budget.stop.is_set,
        )
        return None if found.at is None else found.at.rows

    def _integers(self, level: Level, found: Generated, routes: Ints) -> tuple[Level, Ints]:
        """Solve integer programs over more and more of the routes."""
        cost = None if found.at is None else found.at.of(self.pool)
        best_routes = routes
        every = np.arange(len(self.pool))
        for most in (FEW, MORE, 0):
            if self._done(level):
                break
            whole = not most
            if whole and len(self.pool) > ALL_ROUTES:
                break
            chosen = np.ones(len(self.pool), dtype=bool) if whole else self.pricer.inside.copy()
            if cost is not None and most:
                chosen[self.pricer.cheapest(cost, every, most)] = True
            numbers = np.flatnonzero(chosen)
            before = level.best
            known = _moved(before, best_routes, numbers)
            complete = whole or len(numbers) == len(self.pool)
            self._solve_mip(level, numbers, known, complete)
            if level.best is not before:
                best_routes = numbers
            if complete:
                break
        return level, best_routes

    def _solve_mip(self, level: Level, routes: Ints, known: Floats | None, whole: bool) -> None:
        """Solve the integer program over some routes; keep its plan, and its bound if all."""
        arrays = self.master.arrays(self.pool.subset(routes), routes.tolist())
        enough = _Enough(self.budget.stop)

        def progress(objective: float | None, _: float | None) -> None:
            value = np.nan if objective is None else objective / level.scale
            self._note_progress(value, level.bound)
            # The program over few routes does not know the bound over all of them.
            # When this is heard depends on the clock.
            heard = self.budget.gap > 0 and not self.budget.deterministic
            if heard and gap_closed(value, level.bound, self.budget.gap * INSIDE):
                enough.set()

        allowed = effort(self.budget)
        result = solve_arrays(
            arrays,
            time_limit_s=allowed.time_limit_s,
            nodes=allowed.nodes,
            gap_rel=self.budget.gap * (1.0 if whole else PART_OF_GAP),
            threads=1 if self.budget.deterministic else self.budget.workers,
            seed=self.budget.seed,
            start=known,
            stop=enough,
            solver=self.mip_solver,
            progress=progress,
        )
        if whole and result.bound is not None:
            level.tighten(result.bound / level.scale)
        if whole and result.proven_infeasible and level.best is None:
            level.proof, other = infeasible_again(arrays, self.budget, result.wall_time_s)
            level.infeasible = other is None
            if other is not None:
                self.notes.append(FOUND)
                level.improve(_exact(arrays, other), "mip")
        if result.message:
            self.notes.append(result.message)
        point = None if result.values is None else arrays.vector(result.values)
        if point is not None:
            level.improve(_exact(arrays, point), "mip")
        self._note_progress(level.value(), level.bound)

    def _rounded_by(self) -> str:
        return ROUNDED if any(self.master.side_integer) else RELAXED

    def _done(self, level: Level) -> bool:
        closed = gap_closed(level.value(), level.bound, self.budget.gap)
        return closed or self.budget.over() or level.infeasible

    def _plan(self, best: Relaxed, routes: Ints) -> SteadyPlan:
        share = best.x[: len(routes)]
        theta = self.master.unit if self.master.question.throughput else None
        return columns_plan(self.instance, self.columns, routes, share, theta=theta)

    def _better(self, plan: SteadyPlan | None) -> SteadyPlan | None:
        """Return the start instead where it is the better plan."""
        return better_plan(self.instance, plan, self.start)

    def _time_left(self) -> float:
        return seconds_left(self.budget)

    def _note_progress(self, objective: float, bound: float) -> None:
        history = self.history if self.first_level else None
        note_progress(self.budget, self.began, history, objective, bound)

    def _stopped(self) -> Termination:
        if self.budget.stop.is_set():
            return "interrupted"
        if self.budget.over():
            return "time_limit"
        if self.budget.gap > 0 and self.method != "heuristic":
            return "gap_limit"
        return "iteration_limit"


def master_of_columns(
    instance: Instance, columns: Columns, streams: Ints | None = None, scale: float = 1.0
) -> Master:
    """Return the rows of an instance of single tasks, over some of its streams scaled up."""
    chosen = np.arange(len(columns.rate_per_s)) if streams is None else streams
    used = np.zeros(len(instance.devices), dtype=bool)
    used[columns.device] = True
    cost = columns.rate_per_s[columns.stream] * columns.busy_s
    cost /= np.maximum(unit_capacity(instance)[columns.device], 1e-300)
    first = np.searchsorted(columns.stream, np.arange(len(columns.rate_per_s)))
    needed = float(np.minimum.reduceat(cost, first).sum())
    rated = np.isfinite(columns.accuracy[first])
    return Master(
        instance,
        columns.rate_per_s[chosen] * scale,
        columns.weight[chosen],
        used,
        1.0 / needed if needed > 0 else 1.0,
        rated[chosen],
    )


def _rounded_up(arrays: MipArrays, relaxed: Relaxed) -> Relaxed | None:
    """Return the relaxation's point with units rounded up, if nothing speaks against it."""
    x = np.where(arrays.integer, np.ceil(relaxed.x - 1e-7), relaxed.x)
    return _exact(arrays, np.minimum(x, arrays.upper), solve=False)


def _exact(arrays: MipArrays, point: Floats, *, solve: bool = True) -> Relaxed | None:
    """Return a point as it is if it holds, else the best one with its integers."""
    if arrays.violation(point) <= ACCEPTED:
        return Relaxed("optimal", point, float(arrays.cost @ point) + arrays.offset)
    return Relaxation(arrays).fixed(point) if solve else None


def _moved(best: Relaxed | None, old: Ints, new: Ints) -> Floats | None:
    """Return a point over more routes, those that it did not know at 0."""
    if best is None:
        return None
    sides = best.x[len(old) :]
    x = np.zeros(len(new) + len(sides))
    x[np.searchsorted(new, old)] = best.x[: len(old)]
    x[len(new) :] = sides
    return x
