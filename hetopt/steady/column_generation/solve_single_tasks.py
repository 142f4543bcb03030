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

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Floats, Instance, Ints
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import SteadyPlan
from hetopt.solvers.mip import solve_arrays
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation, Relaxed
from hetopt.steady.column_generation.column_generation import (
    CLOSED,
    Generated,
    TablePricer,
    generate,
)
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.program.extract_plan_of_columns import columns_plan
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.program.levels import LevelSearch
from hetopt.steady.program.objective_level import (
    RELAXED,
    ROUNDED,
    Level,
    unbounded,
)
from hetopt.steady.program.second_proof import FOUND, infeasible_again
from hetopt.steady.program.shadow_prices import marginal
from hetopt.steady.routes.route_columns import ColumnPool, pool_of_columns
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
    return _Search(instance, budget, method, start, mip_solver, columns=columns).run()


class _Enough(threading.Event):
    """Set by itself, or with another event."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        """Whether either is set."""
        return super().is_set() or self._other.is_set()


@dataclass(slots=True)
class _Search(LevelSearch):
    columns: Columns = field(kw_only=True)
    pool: ColumnPool = field(init=False)
    master: Master = field(init=False)
    pricer: TablePricer = field(init=False)
    chosen: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.pool = pool_of_columns(self.instance, self.columns)
        self.master = master_of_columns(self.instance, self.columns)
        self.pricer = TablePricer(self.pool, len(self.columns.rate_per_s))

    @property
    def complete(self) -> bool:
        """Whether the program of integers knows all routes: rarely so."""
        return False

    def run(self) -> RegimeResult:
        """Solve level after level."""
        found = LevelSearch.run(self)
        note = (
            f"Routes as columns: {len(self.pool):,} of {len(self.columns.rate_per_s):,} streams, "
            f"{len(self.pricer.numbers):,} of them in the relaxation; the bound counts all."
        )
        return found if found.infeasible else replace(found, notes=(*found.notes, note))

    def next_level(self, name: str) -> Level:
        """Solve for an objective; ``chosen`` are the routes of its plan."""
        level, self.chosen = self._solve_level(name)
        return level

    def plan_of(self, level: Level) -> SteadyPlan:
        """Return the plan of a level's best point."""
        share = np.zeros(0) if level.best is None else level.best.x[: len(self.chosen)]
        theta = self.master.unit if self.master.question.throughput else None
        return columns_plan(self.instance, self.columns, self.chosen, share, theta=theta)

    def hold(self, name: str, value: float) -> None:
        """Allow no plan that is worse in an objective."""
        self.master.hold(name, value)

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
        self.note_progress(level.value(), level.bound)
        if not any(self.master.side_integer):
            return level, routes
        if self.method == "heuristic" and level.best is not None:
            return level, routes
        return self._integers(level, found, routes)

    def _relax(self, level: Level) -> Generated:
        """Solve the relaxation, for many streams from the prices of a sample of them."""

        def progress(bound: float) -> None:
            level.tighten(bound / level.scale)
            self.note_progress(np.nan, level.bound)

        until = time.monotonic() + 0.9 * self.time_left()
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
            self.note_progress(value, level.bound)
            # The program over few routes does not know the bound over all of them.
            # When this is heard depends on the clock.
            heard = self.budget.gap > 0 and not self.budget.deterministic
            if heard and gap_closed(value, level.bound, self.budget.gap * INSIDE):
                enough.set()

        result = self.solve_integers(
            solve_arrays,
            arrays,
            start=known,
            stop=enough,
            part_of_gap=1.0 if whole else PART_OF_GAP,
            progress=progress,
            again=whole,
        )
        level.conclude(result, whole=whole)
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
        self.note_progress(level.value(), level.bound)

    def _rounded_by(self) -> str:
        return ROUNDED if any(self.master.side_integer) else RELAXED

    def _done(self, level: Level) -> bool:
        closed = gap_closed(level.value(), level.bound, self.budget.gap)
        return closed or self.budget.over() or level.infeasible


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
