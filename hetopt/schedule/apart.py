"""Solve the parts of an instance that share nothing one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

from hetopt.evaluate import objective_value
from hetopt.instance import Instance, Ints
from hetopt.runtime.budget import Budget, RegimeResult, joined_proof
from hetopt.schedule.decomposition import join_bounds, join_plans, part_of, plan_part
from hetopt.solution import HistoryEntry, SchedulePlan, Termination

Solve = Callable[[Instance, Budget, SchedulePlan | None], RegimeResult]
"""Solves an instance that stays whole."""


def solve_apart(
    instance: Instance,
    parts: list[Ints],
    budget: Budget,
    start: SchedulePlan | None,
    solve: Solve,
) -> RegimeResult:
    """Solve the parts, each for its share of the time by its number of tasks, and join them.

    What a part leaves of its time goes to those behind it.
    """
    began = time.monotonic()
    results: list[RegimeResult] = []
    left = len(instance.tasks)
    for tasks in parts:
        share = len(tasks) / left
        left -= len(tasks)
        whole_s = budget.limit_s if budget.deterministic else budget.left_s()
        seconds = whole_s * (len(tasks) / len(instance.tasks) if budget.deterministic else share)
        own = replace(
            budget,
            deadline=min(budget.deadline, time.monotonic() + seconds),
            limit_s=seconds,
            progress=None,
        )
        known = None if start is None else plan_part(instance, start, tasks)
        result = solve(part_of(instance, tasks), own, known)
        if result.infeasible:
            return replace(result, bounds=(math.nan,), method="parts")
        results.append(result)
    bound = join_bounds(instance, [result.bounds[0] for result in results])
    plans = [result.plan for result in results]
    plan: SchedulePlan | None = None
    if all(isinstance(one, SchedulePlan) for one in plans):
        plan = join_plans(instance, parts, [p for p in plans if isinstance(p, SchedulePlan)])
    value = math.nan if plan is None else objective_value(instance, plan, instance.objective[0])
    if budget.progress is not None:
        budget.progress(value, bound)
    largest = max(range(len(parts)), key=lambda k: (len(parts[k]), -k))
    note = (
        f"The tasks fall into {len(parts)} parts that share nothing; each was solved apart. The "
        f"other notes are of the largest part, with {len(parts[largest]):,} tasks."
    )
    return RegimeResult(
        plan=plan,
        bounds=(bound,),
        reason=next((result.reason for result in results if result.plan is None), ""),
        stopped_by=_stopped(results),
        method=", ".join(dict.fromkeys(result.method for result in results)),
        proof=joined_proof(result.proof for result in results),
        history=(HistoryEntry(time.monotonic() - began, value, bound),),
        notes=(note, *results[largest].notes),
    )


def _stopped(results: list[RegimeResult]) -> Termination:
    """Return why all ended: what stopped the first that was not proven or close enough."""
    reasons = [result.stopped_by for result in results]
    for reason in ("interrupted", "time_limit", "iteration_limit", "gap_limit"):
        if reason in reasons:
            return reason
    return "proved"
