"""The front of two objectives by the exact ε-constraint method.

One objective is held by a limit ε while the other is optimised, for one ε after another; where the
solver can, the held objective is the second level, so that points are not only weakly efficient
(Haimes, Lasdon and Wismer, IEEE Trans. SMC 1(3), 1971; Mavrotas, Applied Mathematics and
Computation 213(2), 2009). Every solve carries a bound, so that the front does too: no plan within
ε lies below the bound of that solve, nor of any solve with a wider ε.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Unpack, cast

import numpy as np

from hetopt.analysis.axes import Axis, axis_of, levels, on_grid, step
from hetopt.analysis.solving import Question, solve_all
from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.evaluate import objective_value
from hetopt.instance import (
    SCHEDULE_OBJECTIVES,
    STEADY_OBJECTIVES,
    Instance,
    ObjectiveName,
    is_maximised,
)
from hetopt.instance.questions import check_question
from hetopt.runtime.contradiction import is_beyond
from hetopt.runtime.executors.loop import Report, silent
from hetopt.solution import CONTRADICTED, Plan, Shown, Solution, Status
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of, solve_with
from hetopt.verify import verify

DEFAULT_POINTS = 12
OBJECTIVES = tuple(dict.fromkeys((*SCHEDULE_OBJECTIVES, *STEADY_OBJECTIVES)))

MOST_POINTS = 1000
"""Solves after which a walk over the whole front ends."""

MOST_DEMAND = 4.0
"""Multiple of the demand up to which throughput is asked for where nothing limits it."""

RESOLUTION = 1e-4
"""Relative difference below which two values of the held objective count as one."""

SECOND_LEVELS = ("makespan", "peak_power", "power", "cost")
"""Held objectives that are minimised in a second level; the others are met as tightly as asked."""

_CONTRADICTION = (
    f"What was proven of {{}} with {{}} {{}} {CONTRADICTED} and was dropped. This is a mistake in "
    "hetopt or in a solver that it calls; please report it with the instance and the command."
)

_MANY = (
    "The walk ended after {:,} solves, each a step of {} further; a number of `--points`, or a "
    "larger `resolution` from Python, covers the whole range."
)


@dataclass(frozen=True)
class Point:
    """One solve of the front.

    Attributes
    ----------
    limit
        Of the held objective, in SI units; NaN where it was free.
    value, held
        Values of the optimised and of the held objective in the plan found; NaN without a plan.
    bound
        No plan within ``limit`` is better than this in the objective that is not held.
    efficient
        Whether no other point found is at least as good in both objectives; False for repeats.
    """

    limit: float
    value: float
    held: float
    bound: float
    solution: Solution
    efficient: bool = True

    @property
    def proven(self) -> bool:
        """Whether the solve ended with a proof: an optimum, or no plan at all."""
        return self.solution.status in ("optimal", "infeasible")


@dataclass(frozen=True)
class Front(Shown):
    """Points of the front, from the widest limit to the tightest.

    Attributes
    ----------
    optimised, held
        Names of the objective that is optimised and of the one that is held by a limit.
    best_held
        Proven bound of the held objective alone: no plan reaches beyond it. NaN where not asked.
    complete
        Whether every efficient point is proven to be there, up to ``resolution``: each point is
        proven best within its limit, each limit lies just beyond the point before, and beyond the
        last one a bound or a proof of infeasibility says that there is nothing.
    resolution
        Differences of the held objective below this (SI) were not looked at, between neighbours.
    interrupted
        Whether Ctrl-C ended it.
    """

    instance: Instance
    optimised: str
    held: str
    points: tuple[Point, ...]
    best_held: float = np.nan
    complete: bool = False
    resolution: float = np.nan
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())

    def efficient(self) -> list[Point]:
        """Points that no other point beats."""
        return [p for p in self.points if p.efficient]


def pareto(
    instance: Instance | Buildable,
    objectives: Sequence[ObjectiveName],
    *,
    points: int | None = DEFAULT_POINTS,
    between: tuple[float, float] | None = None,
    resolution: float = RESOLUTION,
    options: SolveOptions | None = None,
    executor: Executor | None = None,
    stop: threading.Event | None = None,
    report: Report | None = None,
    **solving: Unpack[SolveFields],
) -> Front:
    """Return the front of two objectives.

    Parameters
    ----------
    instance
        What to place; its own limits hold at every point.
    objectives
        Two names. One of them must be one that a limit can hold: ``makespan``, ``peak_power`` or
        ``accuracy`` (the least of any task) of a schedule; ``throughput``, ``power``, ``cost`` or
        ``accuracy`` of streams. Where both are, the second is held.
    points
        Limits spread evenly between the best value of the held objective and the one at the best
        of the other; None walks from each point to the next better one until none is left.
    between
        The least and greatest limit to ask for (SI), instead of the whole range.
    resolution
        Relative difference below which two values of the held objective count as one.
    options
        How each point is solved; the time limit holds for each solve.
    executor
        Where points are solved: any executor of ``concurrent.futures``, or one of
        :mod:`hetopt.runtime.executors`; None: here. The walk over the whole front goes from point
        to point, so that it is made here.
    stop
        Set it to stop early; the points found by then are returned.
    report
        Called with a line about what is being solved.
    **solving
        Options by keyword (``time_limit="20 s"``, ``gap="1 %"``, ``seed=1``, ...), which precede
        those of ``options``; see :class:`hetopt.solve.SolveFields`.

    Raises
    ------
    InputError
        Where there are not two different objectives, no limit can hold either of them, or one
        cannot be asked of this instance.
    """
    instance = built(instance)
    first, second = _two(objectives)
    axis = axis_of(instance, second)
    target = first
    if axis is None:
        axis, target = axis_of(instance, first), second
    if axis is None:
        raise InputError([Problem("objectives", ",".join(objectives), _holdable(instance))])
    if points is not None and points < 2:
        raise InputError([Problem("points", str(points), "At least 2, or all.")])
    check_question(replace(instance, objective=(target,)))
    walk = _Walk(
        instance,
        target,
        axis,
        options_of(options, solving),
        stop or threading.Event(),
        report or silent,
        executor,
    )
    whole = walk.all(between, resolution) if points is None else walk.spread(points, between)
    notes = walk.drop_contradicted()
    if points is None and len(walk.points) >= MOST_POINTS:
        notes = (*notes, _MANY.format(MOST_POINTS, axis.name))
    found = _settled(walk.points, axis, target)
    return Front(
        instance=instance,
        optimised=target,
        held=axis.name,
        points=tuple(found),
        best_held=walk.best_held,
        complete=whole and not notes and all(p.proven for p in found),
        resolution=walk.step_taken,
        interrupted=walk.stop.is_set(),
        notes=notes,
    )


@dataclass(slots=True)
class _Walk:
    """Solves under one limit after another; each known plan starts the solves that it fits."""

    instance: Instance
    target: str
    axis: Axis
    options: SolveOptions
    stop: threading.Event
    tell: Report
    executor: Executor | None
    points: list[Point] = field(default_factory=list)
    plans: list[tuple[float, float, Plan]] = field(default_factory=list)
    best_held: float = np.nan
    step_taken: float = np.nan

    @property
    def sign(self) -> float:
        """The sign with which less of the held objective is better."""
        return -1.0 if self.axis.maximised else 1.0

    def spread(self, points: int, between: tuple[float, float] | None) -> bool:
        """Solve at evenly spread limits; return whether these are all.

        They are solved in waves, each between the points of those before: the solves of a wave
        start from the same known plans, wherever and in what order they run, and so have the same
        answers.
        """
        values = levels(self.instance, self.axis)
        whole = False
        if between is not None:
            limits = [float(v) for v in np.linspace(*between, points)]
        elif values:
            whole = len(values) <= points
            chosen = np.unique(np.linspace(0, len(values) - 1, points).round().astype(int))
            limits = [values[i] for i in chosen]
        else:
            tightest = self._best_held()
            free = None if np.isnan(tightest) else self._solve(np.nan)
            if free is None:
                return False
            widest = self.axis.value(self.instance, _plan(free))
            even = [float(v) for v in np.linspace(widest, tightest, points)][1:]
            limits = list(dict.fromkeys(on_grid(self.instance, self.axis, limit) for limit in even))
        limits = sorted(limits, key=lambda v: self.sign * v)
        for wave in waves(len(limits)):
            self._solve_wave([limits[i] for i in wave])
            if self.stop.is_set():
                return False
        return whole

    def all(self, between: tuple[float, float] | None, resolution: float) -> bool:
        """Walk from the widest limit to the tightest, each time just beyond the last point."""
        values = levels(self.instance, self.axis)
        if values:
            return self.spread(len(values), between)
        tightest = self._best_held()
        limit = np.nan
        if between is not None:
            tightest, limit = sorted(between, key=lambda v: self.sign * v)
        while len(self.points) < MOST_POINTS and not self.stop.is_set():
            point = self._solve(limit)
            if point is None:
                return self.points[-1].solution.status == "infeasible" and between is None
            held = self.axis.value(self.instance, _plan(point))
            self.step_taken = step(self.instance, self.axis, held, resolution)
            limit = held - self.sign * self.step_taken
            # No plan reaches beyond the *bound* of the held objective; that its best value found is
            # reached says nothing, whatever method found it.
            proven = between is None and not np.isnan(self.best_held)
            end = self.best_held if proven else tightest
            if self.sign * limit < self.sign * end - abs(end) * GAP_TOLERANCE:
                return proven
        return False

    def drop_contradicted(self) -> tuple[str, ...]:
        """Drop what was proven of a point that a plan of another one refutes; say so."""
        notes: list[str] = []
        for i, point in enumerate(self.points):
            better = [
                plan
                for value, held, plan in self.plans
                if (np.isnan(point.limit) or self.sign * held <= self.sign * point.limit)
                and (
                    point.solution.status == "infeasible"
                    or is_beyond(self.target, value, point.bound, 0.0)
                )
            ]
            # As it was asked: of throughput, plans need not serve what those of power must.
            asked = self._asked(point.limit) if better else self.instance
            if any(verify(asked, plan).ok for plan in better):
                status: Status = "unknown" if point.solution.plan is None else "feasible"
                said = replace(
                    point.solution, status=status, bounds=(np.nan,) * len(point.solution.bounds)
                )
                self.points[i] = replace(point, bound=np.nan, solution=said)
                where = "free" if np.isnan(point.limit) else f"at {point.limit:.6g}"
                notes.append(_CONTRADICTION.format(self.target, self.axis.name, where))
        if any(is_beyond(self.axis.name, held, self.best_held, 0.0) for _, held, _ in self.plans):
            self.best_held = np.nan
            notes.append(_CONTRADICTION.format(self.axis.name, self.target, "free"))
        return tuple(notes)

    def _within(self, limit: float) -> Instance:
        return self.instance if np.isnan(limit) else self.axis.within(self.instance, limit)

    def _best_held(self) -> float:
        """Solve for the held objective alone; return its best value known, NaN without a plan."""
        self.tell(f"best {self.axis.name}")
        if self.axis.name == "throughput" and not _bounded(self.instance):
            return MOST_DEMAND * float(self.instance.jobs.rate_per_s.sum())
        names = (self.axis.name, self.target) if self._two_levels() else (self.axis.name,)
        solution = solve_with(replace(self.instance, objective=names), self.options, stop=self.stop)
        if solution.plan is None:
            if solution.status == "infeasible":
                self.points.append(Point(np.nan, np.nan, np.nan, np.nan, solution))
            return np.nan
        self.best_held = float(solution.bound)
        return self._remember(solution.plan)[1]

    def _solve(self, limit: float) -> Point | None:
        """Optimise the target within a limit; None where there is no plan."""
        question = self._question(limit)
        self.tell(self._shown(limit))
        solution = solve_with(
            question.instance, question.options, start=question.start, stop=self.stop
        )
        point = self._take(limit, solution)
        return None if solution.plan is None else point

    def _solve_wave(self, limits: Sequence[float]) -> None:
        """Optimise the target within each limit, from the plans known before."""
        named = {self._shown(limit): limit for limit in limits}
        questions = {name: self._question(limit) for name, limit in named.items()}
        for name, solution in solve_all(self.executor, questions, self.stop, self.tell):
            self._take(named[name], solution)

    def _shown(self, limit: float) -> str:
        value = "free" if np.isnan(limit) else f"{limit:.9g}"
        return f"{self.target} with {self.axis.name} {value}"

    def _question(self, limit: float) -> Question:
        asked = self._asked(limit)
        return Question(asked, self.options, self._start(asked))

    def _asked(self, limit: float) -> Instance:
        names = (self.target, self.axis.name) if self._two_levels() else (self.target,)
        return replace(self._within(limit), objective=names)

    def _take(self, limit: float, solution: Solution) -> Point:
        """Keep what was found within a limit."""
        target = value = np.nan
        if solution.plan is not None:
            target, value = self._remember(solution.plan)
        self.points.append(Point(limit, target, value, solution.bound, solution))
        return self.points[-1]

    def _two_levels(self) -> bool:
        return self.axis.name in SECOND_LEVELS

    def _remember(self, plan: Plan) -> tuple[float, float]:
        """Keep a plan as a start; return its values of the two objectives."""
        target = objective_value(self.instance, plan, self.target)
        held = self.axis.value(self.instance, plan)
        self.plans.append((target, held, plan))
        return target, held

    def _start(self, question: Instance) -> Plan | None:
        """Return the best known plan that is one of a question: the checker says so.

        A plan of the most throughput, say, need not serve the demand.
        """
        sign = -1.0 if is_maximised(self.target) else 1.0
        best_first = sorted(self.plans, key=lambda known: sign * known[0])
        return next((plan for *_, plan in best_first if verify(question, plan).ok), None)


def waves(count: int) -> Iterator[list[int]]:
    """Yield the numbers below ``count`` in waves: the ends, then what halves gaps, and so on."""
    if not count:
        return
    yield list(dict.fromkeys((0, count - 1)))
    gaps = [(0, count - 1)]
    while gaps := [(low, high) for low, high in gaps if high - low > 1]:
        middles = [(low + high) // 2 for low, high in gaps]
        yield middles
        gaps = [
            gap
            for (low, high), middle in zip(gaps, middles, strict=True)
            for gap in ((low, middle), (middle, high))
        ]


def _bounded(instance: Instance) -> bool:
    """Whether the question for the most throughput has an answer."""
    try:
        check_question(replace(instance, objective=("throughput",)))
    except InputError:
        return False
    return True


def _plan(point: Point) -> Plan:
    if point.solution.plan is None:
        raise ValueError("A point without a plan has no values.")
    return point.solution.plan


def _settled(points: Sequence[Point], axis: Axis, target: str) -> list[Point]:
    """Sort from the widest limit on, carry bounds over, and mark the points that others beat.

    A plan within a tight limit is within every wider one, so a bound there holds here too.
    """
    sign = -1.0 if axis.maximised else 1.0
    towards = -1.0 if is_maximised(target) else 1.0
    ordered = sorted(points, key=lambda p: -np.inf if np.isnan(p.limit) else -sign * p.limit)
    settled: list[Point] = []
    best = -np.inf
    for point in ordered:
        if not np.isnan(point.bound):
            best = max(best, towards * point.bound)
        bound = towards * best if np.isfinite(best) else np.nan
        dominated = any(_beats(other, point, towards, sign) for other in points)
        # The same plan may be the best within several limits; it is one point.
        dominated |= any((p.value, p.held) == (point.value, point.held) for p in settled)
        settled.append(
            replace(
                point,
                bound=bound,
                efficient=not dominated and point.solution.plan is not None,
            )
        )
    return settled


def _beats(one: Point, other: Point, towards: float, sign: float) -> bool:
    """Whether one point is at least as good in both values and better in one (target, held)."""
    a = (towards * one.value, sign * one.held)
    b = (towards * other.value, sign * other.held)
    return a[0] <= b[0] and a[1] <= b[1] and a != b


def two_objectives(instance: Instance) -> tuple[ObjectiveName, ...]:
    """Return the objectives of the instance where there are two, else its own beside a usual one.

    That is the makespan of a schedule and the throughput of streams, or energy and power where
    those are the instance's own.
    """
    names = cast(tuple[ObjectiveName, ...], instance.objective)
    if len(names) != 1:
        return names
    usual: tuple[ObjectiveName, ObjectiveName]
    usual = ("makespan", "energy") if instance.regime == "schedule" else ("throughput", "power")
    return (names[0], usual[0]) if names[0] != usual[0] else (usual[1], usual[0])


def _two(objectives: Sequence[str]) -> tuple[str, str]:
    if len(objectives) != 2 or objectives[0] == objectives[1]:
        expected = "Two different objectives, such as energy,makespan."
        raise InputError([Problem("objectives", ",".join(objectives), expected)])
    return objectives[0], objectives[1]


def _holdable(instance: Instance) -> str:
    names = [name for name in OBJECTIVES if axis_of(instance, name) is not None]
    return (
        f"One of the two must be an objective that a limit can hold, which in a "
        f"{instance.regime} are {', '.join(names)}."
    )
