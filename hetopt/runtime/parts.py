"""Solve parts of an instance that share nothing, here one after another or where an executor does.

What makes a part, and how plans and bounds are joined, is each regime's own; the shares of the
time, the executor and what stopped all of them are the same.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult, joined_proof
from hetopt.runtime.executors.loop import in_order, silent
from hetopt.solution import HistoryEntry, Plan, Termination

MOST_PARTS = 64
"""Parts above which each would get too little time; so many are no hard problems together."""

MakePart = Callable[[int], tuple[Instance, Any]]
"""Returns part k as an instance, and what a known plan does with it (None without one)."""


class Solve(Protocol):
    """Solves an instance that stays whole; it can be pickled, as it may run elsewhere."""

    def __call__(self, instance: Instance, budget: Budget, method: str, start: Any) -> RegimeResult:
        """Return the best plan found, and a bound."""
        ...


@dataclass(frozen=True)
class _Part:
    """One part, and how it is solved; ``until`` is a time of the clock that all machines share."""

    instance: Instance
    solve: Solve
    method: str
    start: Any
    seconds: float
    until: float
    gap: float
    workers: int
    seed: int
    deterministic: bool


NOT_BEGUN = RegimeResult(
    plan=None,
    bounds=(math.nan,),
    reason="The search was stopped before every part was begun.",
    stopped_by="interrupted",
    method="parts",
)


def solve_parts(
    sizes: Sequence[int], make: MakePart, budget: Budget, method: str, solve: Solve
) -> list[RegimeResult]:
    """Solve parts, each for its share of the time by its size; where one is infeasible, it is last.

    What a part leaves of its time goes to those behind it. Where the budget has an executor, parts
    are solved there, and as many times longer as it solves at once.
    """
    if budget.executor is None:
        return _one_by_one(sizes, make, budget, method, solve)
    return _side_by_side(sizes, make, budget, method, solve)


def stopped_by(results: Sequence[RegimeResult]) -> Termination:
    """Return why all ended: what stopped the first that was not proven or close enough."""
    reasons = [result.stopped_by for result in results]
    for reason in ("interrupted", "time_limit", "iteration_limit", "gap_limit"):
        if reason in reasons:
            return reason
    return "proved"


def _one_by_one(
    sizes: Sequence[int], make: MakePart, budget: Budget, method: str, solve: Solve
) -> list[RegimeResult]:
    """Solve parts here; where one is infeasible, it is the last."""
    results: list[RegimeResult] = []
    whole = left = sum(sizes)
    for k, size in enumerate(sizes):
        if budget.deterministic:
            seconds = budget.limit_s * (size / whole)
        else:
            seconds = budget.left_s() * (size / left)
        left -= size
        own = replace(
            budget,
            deadline=min(budget.deadline, time.monotonic() + seconds),
            limit_s=seconds,
            progress=None,
        )
        instance, start = make(k)
        results.append(solve(instance, own, method, start))
        if results[-1].infeasible:
            break
    return results


def _side_by_side(
    sizes: Sequence[int], make: MakePart, budget: Budget, method: str, solve: Solve
) -> list[RegimeResult]:
    """Solve parts where the executor does; where one is infeasible, it is the last.

    Deterministic time is shared out as it is here, so that the answers are the same.
    """
    at_once = 1 if budget.deterministic else min(len(sizes), getattr(budget.executor, "width", 1))
    whole_s = budget.limit_s if budget.deterministic else budget.left_s()
    asked = {}
    for k, size in enumerate(sizes):
        instance, start = make(k)
        asked[str(k)] = _Part(
            instance,
            solve,
            method,
            start,
            whole_s * min(1.0, at_once * size / sum(sizes)),
            time.time() + budget.left_s(),
            budget.gap,
            budget.workers,
            budget.seed,
            budget.deterministic,
        )
    results: list[RegimeResult] = []
    for name, result in in_order(budget.executor, _solve_part, asked, budget.stop, silent):
        while len(results) < int(name):
            results.append(NOT_BEGUN)
        results.append(result)
        if result.infeasible:
            return results
    return results + [NOT_BEGUN] * (len(sizes) - len(results))


def _solve_part(part: _Part, stop: threading.Event) -> RegimeResult:
    seconds = part.seconds
    if not part.deterministic:
        seconds = max(0.0, min(seconds, part.until - time.time()))
    budget = Budget(
        deadline=time.monotonic() + seconds,
        gap=part.gap,
        workers=part.workers,
        seed=part.seed,
        deterministic=part.deterministic,
        limit_s=seconds,
        stop=stop,
    )
    return part.solve(part.instance, budget, part.method, part.start)


def joined_result(
    plan: Plan | None,
    value: float,
    bound: float,
    results: Sequence[RegimeResult],
    notes: tuple[str, ...],
    budget: Budget,
    began: float,
) -> RegimeResult:
    """Return the result of a whole whose parts were solved apart, and tell of it.

    Parameters
    ----------
    plan, value, bound
        Of the whole (NaN without a plan); a plan of parts is one where each part has one.
    results
        Of the parts.
    began
        Time (of ``time.monotonic``) at which the parts were begun.
    """
    if budget.progress is not None:
        budget.progress(value, bound)
    return RegimeResult(
        plan=plan,
        bounds=(bound,),
        reason=next((result.reason for result in results if result.plan is None), ""),
        stopped_by=stopped_by(results),
        method=", ".join(dict.fromkeys(result.method for result in results)),
        history=(HistoryEntry(time.monotonic() - began, value, bound),),
        notes=notes,
        proof=joined_proof(result.proof for result in results),
    )
