"""What searches for streams keep track of: time, progress, the plan they began with."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TypeVar

from hetopt.evaluate import objective_value
from hetopt.instance import Instance, is_maximised
from hetopt.runtime.budget import Budget
from hetopt.solution import HistoryEntry, StreamPlan

NODES_PER_S = 20.0
"""Nodes of a MIP solver's search tree that stand for a deterministic second."""
RUNAWAY, RUNAWAY_S = 20.0, 60.0
"""Multiple of a deterministic limit, and seconds beyond, at which the clock ends a MIP after
all."""

P = TypeVar("P", bound=StreamPlan)


def better_plan(instance: Instance, plan: P | None, start: P | None) -> P | None:
    """Return the better of a plan and the start; of several objectives, the plan where it is."""
    if start is None or plan is None or len(instance.objective) > 1:
        return start if plan is None else plan
    name = instance.objective[0]
    ours, theirs = (objective_value(instance, known, name) for known in (plan, start))
    worse = ours < theirs if is_maximised(name) else ours > theirs
    return start if worse else plan


def seconds_left(budget: Budget) -> float:
    """Return the time left; where the clock does not count there is no end to it."""
    return math.inf if budget.deterministic else budget.left_s()


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a MIP solver may search.

    Attributes
    ----------
    time_limit_s
        On the clock.
    nodes
        Nodes of the search tree, None where they are not counted.
    """

    time_limit_s: float
    nodes: int | None


def effort(budget: Budget) -> Effort:
    """Return what a MIP solver may use: the time left, or as many nodes as stand for the limit.

    HiGHS counts no deterministic time, but nodes. The clock ends a deterministic search only where
    those take many times as long as they should: that it returns matters more then.
    """
    if not budget.deterministic:
        return Effort(budget.left_s(), None)
    nodes = max(1, int(budget.limit_s * NODES_PER_S))
    return Effort(RUNAWAY * budget.limit_s + RUNAWAY_S, nodes)


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
