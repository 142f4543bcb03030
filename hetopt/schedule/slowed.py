"""Solve a schedule in which resources slow what runs.

Plans come from three places: the strict instance, in which nothing may be slowed, solved as any
other; what decoding forward in time makes of good mappings and orders, in which what would be
slowed may wait (:mod:`hetopt.schedule.list_scheduling.limited.decoder`); and searches over those.
Bounds come from the relaxed instance (:mod:`hetopt.schedule.model.without_slowdown`), CP-SAT's
too, whose plans are timed anew before they count.
"""

from __future__ import annotations

import time
from dataclasses import replace

from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.list_scheduling.limited.decoder import within_limits
from hetopt.schedule.list_scheduling.packed_under_limits import unlimited
from hetopt.schedule.model.grid import model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.without_slowdown import relaxed, strict
from hetopt.schedule.model_size import affordable, model_size
from hetopt.schedule.search.registry import is_local_search, local_search_of
from hetopt.schedule.search.small_schedules import SMALL, by_trial
from hetopt.schedule.stages import improve
from hetopt.schedule.strategies import EXACT, solve_unslowed
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

STRICT_SHARE = 0.35
"""Part of the time left for the instance in which nothing may be slowed."""
TRIAL_SHARE = 0.15
"""Part of the time left for the search of small instances."""
REFINEMENT = 10
"""How much finer the next rounding grid is where rounding alone keeps the gap open."""
FINEST_TICKS = 10**10
"""Ticks in the time span of the finest rounding grid."""


def solve_slowed(
    instance: Instance, budget: Budget, method: str, start: SchedulePlan | None
) -> RegimeResult:
    """Return the best plan found and a proven bound per level of the objective."""
    best = Incumbent.unbounded(instance, budget)
    best.begin_with(start)
    if best.bounded_impossible():
        reason = (
            "Even without slowing, the shortest options, or the time that devices and resources "
            "have, exceed the deadline, or the energy that tasks need exceeds what the power cap "
            "lets through by then, or some task has no option left."
        )
        return best.impossible(reason)
    if not best.all_closed():
        _list_schedules(best, method)
    if method in CONSTRUCTORS:
        return best.result(method, best.ended())
    if not best.all_closed() and not is_local_search(method):
        _strictly(best, method)
    _search(best, method)
    if method in EXACT and not best.all_closed():
        if model_size(relaxed(instance)) <= affordable(budget):
            return _relaxation(best)
        best.notes.append("The instance is too large for an exact model in this time.")
    return best.result(best.found_by or method, best.stopped())


def _list_schedules(best: Incumbent, method: str) -> None:
    """Take list schedules that wait where they would be slowed, and what slowing makes of others.

    Those are the mapping and order of a plan without limits, and of the best one within them.
    """
    instance, budget = best.instance, best.budget
    names = [method] if method in CONSTRUCTORS else ["heft", "portfolio"]
    for name in names:
        if budget.over() or best.all_closed():
            return
        limit = None if budget.deterministic else time.monotonic() + budget.left_s() / 8
        plain = CONSTRUCTORS[name](instance, limit=limit)
        free = CONSTRUCTORS[name](unlimited(instance), limit=limit)
        for plan in (plain, free):
            _offer(best, plan, name)
            for patient in (False, True):
                if plan is not None and not budget.over():
                    _offer(best, within_limits(instance, plan, patient=patient), name)
        best.passed(name)


def _offer(best: Incumbent, plan: SchedulePlan | None, name: str) -> bool:
    """Offer a plan that is one only where the checker says so."""
    return plan is not None and verify(best.instance, plan).ok and best.offer(plan, name)


def _part(budget: Budget, share: float) -> Budget:
    """Return a part of the time left; what is shown meanwhile is of another instance."""
    seconds = share * (budget.limit_s if budget.deterministic else budget.left_s())
    until = min(budget.deadline, time.monotonic() + seconds)
    return replace(budget, deadline=until, limit_s=seconds, progress=None, executor=None)


def _strictly(best: Incumbent, method: str) -> None:
    """Solve the instance in which nothing may be slowed; its plans are plans."""
    made = strict(best.instance)
    known = best.plan if best.plan is not None and verify(made, best.plan).ok else None
    result = solve_unslowed(made, _part(best.budget, STRICT_SHARE), method, known)
    if isinstance(result.plan, SchedulePlan):
        _offer(best, result.plan, result.method)
        _offer(best, within_limits(best.instance, result.plan), result.method)
    best.passed("nothing slowed")


def _search(best: Incumbent, method: str) -> None:
    """Search over mappings, orders, and what waits."""
    instance, budget = best.instance, best.budget
    if budget.over() or best.closed(0):
        return
    if len(instance.tasks) <= SMALL and not is_local_search(method):
        seconds = TRIAL_SHARE * (budget.limit_s if budget.deterministic else budget.left_s())
        for plan in by_trial(instance, best.plan, seconds, budget):
            _offer(best, plan, "trial")
        best.passed("trial")
        return
    entry = local_search_of(instance, method)
    if entry is not None:
        improve(best, entry, whole=method not in EXACT)
    elif is_local_search(method):
        best.notes.append(f"Local search skipped: {method} does not know resources that slow.")


def _relaxation(best: Incumbent) -> RegimeResult:
    """Raise the bounds by CP-SAT on the relaxed instance, and time its plans anew."""
    # Importing OR-Tools takes about a second.
    from hetopt.schedule.cpsat.relaxed_level import RelaxedLevel
    from hetopt.schedule.levels import Models, solve_levels

    plain = relaxed(best.instance)
    models = Models(
        Problem(plain, model_grid(plain, span_s(plain))),
        RelaxedLevel,
        "CP-SAT proved that no schedule meets all limits, slowing left aside.",
        refinement=REFINEMENT,
        finest_ticks=FINEST_TICKS,
        polished=False,
    )
    return solve_levels(best, models)
