"""``solve()``: limits, choice of regime, checking, and the status that follows from both.

Nothing here trusts a back end. The plan is whatever the independent checker accepts, the objective
is recomputed from it, and status and termination follow from those and the proven bound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import numpy as np

from hetopt import units
from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import HetoptError, InputError, Problem
from hetopt.instance import Instance, ObjectiveName
from hetopt.instance.questions import check_question, stuck_tasks
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.methods import METHOD_NAMES, Kind, methods_for
from hetopt.profiling.caveats import caveats
from hetopt.runtime.contradiction import contradiction, is_beyond, tidy_bound
from hetopt.runtime.interrupt import beside_main_thread, interruptible
from hetopt.runtime.progress import forward
from hetopt.solution import (
    Plan,
    ScenarioPlan,
    SchedulePlan,
    Solution,
    Status,
    SteadyPlan,
    Termination,
)
from hetopt.version import __version__

if TYPE_CHECKING:
    from hetopt.runtime.budget import Budget, Progress, RegimeResult

DEFAULT_TIME_LIMIT_S = 60.0
DEFAULT_WORKERS = 2
"""More workers than cores do not help CP-SAT, and two are best on two cores."""

USED_UP, SPARE_S = 0.9, 0.5
"""Share of a time limit, less so many seconds, from which on it counts as used up: searches end a
little before it to keep it."""

REPAIR_SHARE = 0.25
"""Part of the time limit that making a start valid may take."""

CHECK_RESERVE_S = 0.05
CHECK_RESERVE_S_PER_TASK = 6e-6
"""Time kept back for the check of the plan, so that the limit holds with it."""


class Buildable(Protocol):
    """What can be made an instance of: :class:`hetopt.Model`."""

    def build(self) -> Instance:
        """Return the instance."""
        ...


class SolveFields(TypedDict, total=False):
    """Options of a solve by keyword, as every function that solves takes them.

    ``time_limit`` is in seconds or a text such as ``"2 min"``, ``gap`` a fraction or ``"1 %"``;
    for the others see :class:`SolveOptions`.
    """

    time_limit: float | str
    gap: float | str
    method: str
    workers: int
    seed: int
    deterministic: bool
    mip_solver: str


class RejectedPlanError(HetoptError):
    """The independent checker rejected a solver's plan: a bug in hetopt, never the user's fault."""


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """How to solve: the same meaning for every regime and for each solve of a comparison.

    Attributes
    ----------
    time_limit_s
        Counts everything from the call on; deterministic seconds with ``deterministic``.
    gap
        Relative gap at which to stop; 0 proves the optimum (up to ``GAP_TOLERANCE``).
    method
        One of :data:`hetopt.methods.METHODS`.
    workers
        Threads of a solver.
    seed
        Seed of everything random.
    deterministic
        One worker, no clock: equal bytes for equal seeds.
    mip_solver
        ``highs``, ``cbc``, or any solver that PuLP knows (steady regime).
    """

    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    gap: float = 0.0
    method: str = "auto"
    workers: int = DEFAULT_WORKERS
    seed: int = 0
    deterministic: bool = False
    mip_solver: str = "highs"

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        InputError
            Naming every option out of range.
        """
        problems = []
        if not self.time_limit_s > 0:
            problems.append(Problem("time_limit", f"{self.time_limit_s}", "More than 0 seconds."))
        if not 0 <= self.gap < np.inf:
            problems.append(Problem("gap", f"{self.gap}", "A fraction of at least 0."))
        if self.workers < 1:
            problems.append(Problem("workers", f"{self.workers}", "At least 1."))
        if not 0 <= self.seed < 2**31:
            problems.append(Problem("seed", f"{self.seed}", "A whole number from 0 to 2^31 - 1."))
        if self.method not in METHOD_NAMES:
            names = ", ".join(METHOD_NAMES)
            problems.append(Problem("method", self.method, f"One of {names}."))
        if problems:
            raise InputError(problems)
        if self.mip_solver != "highs":
            from hetopt.solvers.others.pulp_solvers import check_solver

            check_solver(self.mip_solver)


def options_of(options: SolveOptions | None, fields: SolveFields) -> SolveOptions:
    """Return options with those changed that are given by keyword.

    Raises
    ------
    InputError
        Naming every option out of range, and texts that are no quantity.
    """
    changes: dict[str, Any] = dict(fields)
    problems = []
    for name, dimension, own in (
        ("time_limit", "time", "time_limit_s"),
        ("gap", "fraction", "gap"),
    ):
        if name in changes:
            try:
                changes[own] = units.parse(changes.pop(name), dimension)
            except units.UnitError as error:
                text = f"{error.expected}. {error.hint}".strip()
                problems.append(Problem(name, str(error.value), text))
    if problems:
        raise InputError(problems)
    return replace(options or SolveOptions(), **changes)


def built(instance: Instance | Buildable) -> Instance:
    """Return the instance of what a user hands over: an instance, or a model to be built.

    Raises
    ------
    InputError
        With every problem of the model.
    """
    return instance if isinstance(instance, Instance) else instance.build()


def solve(
    instance: Instance | Buildable,
    *,
    objective: ObjectiveName | Sequence[ObjectiveName] | None = None,
    time_limit: float | str = DEFAULT_TIME_LIMIT_S,
    gap: float | str = 0.0,
    method: str = "auto",
    workers: int = DEFAULT_WORKERS,
    seed: int = 0,
    deterministic: bool = False,
    mip_solver: str = "highs",
    start: Plan | Solution | None = None,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Solution:
    """Solve an instance; return the best plan found, checked, with a proven bound.

    Parameters
    ----------
    instance
        What to solve, or the model that makes it.
    objective
        Replaces the instance's objective; a list is lexicographic.
    time_limit
        Seconds (or a text, ``"2 min"``) for everything, model building and checking included.
    gap
        Relative gap (or a text, ``"1 %"``) at which to stop; 0 proves the optimum.
    method, workers, seed, deterministic, mip_solver
        See :class:`SolveOptions`.
    start
        A known plan, or a solution with one; the result is never worse. One that the checker
        does not accept (of another fleet, of other rates, without some tasks) is repaired where
        that can be done; ``Solution.notes`` says what was changed.
    stop
        Set it from another thread to stop the search; Ctrl-C does the same in the main thread.
    progress
        Called with (objective, bound) at improvements.
    executor
        Where parts of an instance that share nothing are solved: any executor of
        ``concurrent.futures``, or one of :mod:`hetopt.runtime.executors`; None: here.

    Returns
    -------
    Solution
        ``status`` says what is known, ``termination`` why the search stopped.

    Raises
    ------
    InputError
        Where the question cannot be asked of this instance, an option is out of range, or
        ``start`` is a plan of the other regime.
    """
    instance = built(instance)
    if objective is not None:
        names = (objective,) if isinstance(objective, str) else tuple(objective)
        instance = replace(instance, objective=names)
    options = options_of(
        None,
        {
            "time_limit": time_limit,
            "gap": gap,
            "method": method,
            "workers": workers,
            "seed": seed,
            "deterministic": deterministic,
            "mip_solver": mip_solver,
        },
    )
    known = start.plan if isinstance(start, Solution) else start
    return solve_with(
        instance, options, start=known, stop=stop, progress=progress, executor=executor
    )


def solve_with(
    instance: Instance,
    options: SolveOptions,
    *,
    start: Plan | None = None,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Solution:
    """Solve with options as one value; see :func:`solve`."""
    began = time.monotonic()
    check_question(instance)
    _check_method(instance, options.method)
    stuck = stuck_tasks(instance)
    if len(stuck):
        return _stuck(instance, stuck, options, time.monotonic() - began)
    changed: tuple[str, ...] = ()
    if start is not None:
        start, changed = _usable_start(instance, start, options, began)
    stop = threading.Event() if stop is None else stop
    budget = replace(_budget(instance, options, began, stop, progress), executor=executor)
    with interruptible(stop):
        result = beside_main_thread(lambda: _search(instance, budget, options, start))
    solution = _conclude(instance, result, options, start, stop, began)
    return replace(solution, notes=(*changed, *solution.notes)) if changed else solution


def _check_method(instance: Instance, method: str) -> None:
    kind: Kind = instance.routing if instance.regime == "steady" else "schedule"
    names = methods_for(kind)
    if method not in names:
        raise InputError(
            [Problem("method", method, f"A method of this regime: {', '.join(names)}.")]
        )


def _usable_start(
    instance: Instance, start: Plan, options: SolveOptions, began: float
) -> tuple[Plan | None, tuple[str, ...]]:
    """Return a start that the checker accepts, made of the one given, and what was changed."""
    from hetopt.verify import verify

    wanted = SchedulePlan if instance.regime == "schedule" else SteadyPlan | ScenarioPlan
    if not isinstance(start, wanted):
        raise InputError(f"The start plan is expected to be of the {instance.regime} regime.")
    whole = not isinstance(start, SchedulePlan) or bool((start.option >= 0).all())
    whole |= "value" in instance.objective
    if whole and verify(instance, start).ok:
        return start, ()
    found, told = _repaired(instance, start, began + REPAIR_SHARE * options.time_limit_s)
    if found is not None and verify(instance, found).ok:
        return found, ("The start plan was repaired: " + "; ".join(told or ["units"]) + ".",)
    first = "; ".join(v.message for v in verify(instance, start).violations[:3]) if whole else ""
    why = f": {first}" if first else "."
    return None, (f"The start plan could not be repaired, and was left aside{why}",)


def _repaired(instance: Instance, start: Plan, limit: float) -> tuple[Plan | None, list[str]]:
    """Return a plan close to one that does not hold, for the checker to judge."""
    if isinstance(start, SchedulePlan):
        from hetopt.schedule.polish.stale import repaired as repaired_schedule

        return repaired_schedule(instance, start, limit=limit)
    from hetopt.steady.model.stale import filled, repaired

    if isinstance(start, ScenarioPlan):
        return None, []
    left, without, told = repaired(instance, start)
    if len(without):
        # Routes of the jobs that have none are those of a quick plan.
        quick = SolveOptions(max(0.1, limit - time.monotonic()), method="heuristic", workers=1)
        if instance.routing == "single":
            return None, []
        fresh = solve_with(instance, quick).plan
        if not isinstance(fresh, SteadyPlan):
            return None, []
        left = filled(instance, left, fresh, without)
        names = ", ".join(str(name) for name in instance.jobs.name[without[:5]])
        told.append(f"{len(without)} jobs without a route get one: {names}")
    if slow_domains(instance) and left.states is None:
        from hetopt.steady.states.repair import with_time_shared

        left = with_time_shared(instance, left)
        told.append("devices that slow each other down share the time")
    return left, told


def _budget(
    instance: Instance,
    options: SolveOptions,
    began: float,
    stop: threading.Event,
    progress: Progress | None,
) -> Budget:
    from hetopt.runtime.budget import Budget

    reserve = CHECK_RESERVE_S + CHECK_RESERVE_S_PER_TASK * len(instance.tasks)
    reserve = min(reserve, options.time_limit_s / 2)
    return Budget(
        deadline=began + options.time_limit_s - reserve,
        gap=options.gap,
        workers=1 if options.deterministic else options.workers,
        seed=options.seed,
        deterministic=options.deterministic,
        limit_s=options.time_limit_s,
        stop=stop,
        progress=progress,
    )


def _search(
    instance: Instance, budget: Budget, options: SolveOptions, start: Plan | None
) -> RegimeResult:
    if instance.regime == "schedule":
        from hetopt.schedule.solve import solve_schedule

        known = start if isinstance(start, SchedulePlan) else None
        return solve_schedule(instance, budget, method=options.method, start=known)
    from hetopt.steady.solve import solve_steady

    stream = start if isinstance(start, SteadyPlan | ScenarioPlan) else None
    return solve_steady(
        instance, budget, method=options.method, start=stream, mip_solver=options.mip_solver
    )


def _stuck(instance: Instance, stuck: np.ndarray, options: SolveOptions, wall_s: float) -> Solution:
    names = ", ".join(instance.tasks.name[t] for t in stuck[:10])
    more = f" and {len(stuck) - 10} more" if len(stuck) > 10 else ""
    levels = len(instance.objective)
    return Solution(
        status="infeasible",
        termination="proved",
        objective_names=instance.objective,
        objectives=(np.nan,) * levels,
        bounds=(np.nan,) * levels,
        plan=None,
        method="structure",
        method_asked=options.method,
        wall_time_s=None if options.deterministic else wall_s,
        verified=False,
        seed=options.seed,
        version=__version__,
        reason=f"No device may run {names}{more}: no option is left after pins and forbids.",
        instance=instance,
    )


def _conclude(
    instance: Instance,
    result: RegimeResult,
    options: SolveOptions,
    start: Plan | None,
    stop: threading.Event,
    began: float,
) -> Solution:
    """Check the plan, recompute its objectives, and derive status and termination."""
    from hetopt.evaluate import evaluate, noise, objectives

    plan, bounds, notes = result.plan, result.bounds, result.notes
    if plan is None:
        plan = start
    names = instance.objective
    values = (np.nan,) * len(names)
    quantities = {}
    beyond: list[bool] = []
    if plan is not None:
        values = objectives(instance, plan, names)
        _check_plan(instance, plan, values)
        beyond = [
            is_beyond(name, value, bound, noise(instance, plan, name))
            for name, value, bound in zip(names, values, bounds, strict=True)
        ]
        if result.infeasible or any(beyond):
            notes = (*notes, contradiction(result, names, beyond, start))
        bounds = tuple(
            np.nan if result.infeasible or wrong else tidy_bound(name, value, bound)
            for name, value, bound, wrong in zip(names, values, bounds, beyond, strict=True)
        )
        quantities = evaluate(instance, plan)
    status = _status(plan, values, bounds, infeasible=result.infeasible and plan is None)
    wall_s = time.monotonic() - began
    used_up = wall_s >= USED_UP * options.time_limit_s - SPARE_S
    if options.deterministic:
        used_up = result.stopped_by == "time_limit"
    history = forward(result.history, names[0], values[0], bounds[0], wall_s)
    if options.deterministic:
        history = tuple(replace(entry, time_s=np.nan) for entry in history)
    return Solution(
        status=status,
        termination=_termination(
            status, values, bounds, options.gap, stop, result, used_up=used_up
        ),
        objective_names=names,
        objectives=values,
        bounds=bounds,
        plan=plan,
        method="start" if plan is not None and plan is start else result.method,
        method_asked=options.method,
        wall_time_s=None if options.deterministic else wall_s,
        verified=plan is not None,
        seed=options.seed,
        version=__version__,
        quantities=quantities,
        history=history,
        notes=(*notes, *caveats(instance)),
        reason=result.reason if plan is None else "",
        marginal=None if result.infeasible or any(beyond) else result.marginal,
        proof=result.proof if status in ("optimal", "infeasible") else None,
        instance=instance,
    )


def _check_plan(instance: Instance, plan: Plan, values: Sequence[float]) -> None:
    """Have the independent checker go over the plan and the values that are claimed for it.

    Raises
    ------
    RejectedPlanError
        If it finds anything.
    """
    from hetopt.verify import verify

    report = verify(instance, plan, dict(zip(instance.objective, values, strict=True)))
    if not report.ok:
        first = "; ".join(v.message for v in report.violations[:3])
        raise RejectedPlanError(f"The independent checker rejected the solver's plan: {first}")


def _status(
    plan: Plan | None, values: Sequence[float], bounds: Sequence[float], *, infeasible: bool
) -> Status:
    if plan is None:
        return "infeasible" if infeasible else "unknown"
    closed = all(_closed(v, b, GAP_TOLERANCE) for v, b in zip(values, bounds, strict=True))
    return "optimal" if closed else "feasible"


def _closed(value: float, bound: float, gap: float) -> bool:
    return bool(abs(value - bound) <= gap * max(abs(value), np.finfo(float).tiny))


def _termination(
    status: Status,
    values: Sequence[float],
    bounds: Sequence[float],
    gap: float,
    stop: threading.Event,
    result: RegimeResult,
    *,
    used_up: bool,
) -> Termination:
    if status in ("optimal", "infeasible"):
        return "proved"
    if stop.is_set():
        return "interrupted"
    if status == "feasible" and all(
        _closed(v, b, gap) for v, b in zip(values, bounds, strict=True)
    ):
        return "gap_limit"
    if result.stopped_by == "iteration_limit":
        return "iteration_limit"
    # A search that ended by itself, with a gap that it could not close, left time.
    return "time_limit" if used_up else "iteration_limit"
