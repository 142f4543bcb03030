"""What searches for streams keep track of: time, progress, the plan they began with."""

from __future__ import annotations

import time
from typing import TypeVar

from hetopt.evaluate import objective_value
from hetopt.instance import Instance, is_maximised
from hetopt.search import Budget
from hetopt.solution import HistoryEntry, StreamPlan
from hetopt.steady.outcomes import RUNAWAY

P = TypeVar("P", bound=StreamPlan)


def better_plan(instance: Instance, plan: P | None, start: P | None) -> P | None:
    """Return the better of a plan and the start; of several objectives, the plan where it is."""
    if start is None or plan is None or len(instance.objective) > 1:
        return start if plan is None else plan
    name = instance.objective[0]
    ours, theirs = (objective_value(instance, known, name) for known in (plan, start))
    worse = ours < theirs if is_maximised(name) else ours > theirs
    return start if worse else plan


def seconds_left(budget: Budget, began: float) -> float:
    """Return the time left; where the clock does not count, many times the limit."""
    if budget.deterministic:
        return began + RUNAWAY * budget.limit_s - time.monotonic()
    return budget.left_s()


def note_progress(
    budget: Budget,
    began: float,
    history: list[HistoryEntry] | None,
    objective: float,
    bound: float,
) -> None:
    """Keep a better plan or bound (SI) with its time, where there is a history; tell of it."""
    if history is not None:
        history.append(HistoryEntry(time.monotonic() - began, objective, bound))
    if budget.progress is not None:
        budget.progress(objective, bound)
