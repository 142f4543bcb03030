"""One limit of an instance: how it is lifted, moved, and used by a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.evaluate.optional import left_out, runs_of
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import NO_MAXIMUM, Floats, Instance
from hetopt.solution import Plan, ScenarioPlan, SchedulePlan, SteadyPlan

Change = Callable[[Instance], Instance]


@dataclass(frozen=True)
class Amount:
    """The number of a limit.

    Attributes
    ----------
    value
        What the instance states (SI).
    dimension
        Of :mod:`hetopt.units`; ``count`` for whole numbers, empty for plain ones.
    sign
        1 where more is easier to meet (a deadline), -1 where less is (a least accuracy).
    at
        The instance with another value in its place.
    use
        How much of it a plan takes: the plan respects the limit at exactly this value.
    asks
        The instance without this limit whose first objective is the least value, and how to turn
        that objective into the value; None where no objective says it.
    """

    value: float
    dimension: str
    at: Callable[[Instance, float], Instance]
    use: Callable[[Instance, Plan], float]
    sign: float = 1.0
    asks: Change | None = None
    from_objective: Callable[[float], float] = float

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return self.dimension == "count"


@dataclass(frozen=True)
class Limit:
    """One limit that could be another.

    Attributes
    ----------
    kind
        A slug: ``deadline``, ``memory``, ``pin``, ...
    subject
        The job, device, task, ... that it is of; empty where it is the whole instance's.
    words
        How a sentence names it: "the deadline of job frame".
    lift
        The instance without it.
    amount
        Its number, None where it either is there or is not.
    remedy
        For those without a number: what lifting it means, as an imperative.
    """

    kind: str
    subject: str
    words: str
    lift: Change
    amount: Amount | None = None
    remedy: str = ""

    @property
    def key(self) -> str:
        """Name of the limit in JSON: ``deadline:frame``."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind


def numbered(kind: str, subject: str, words: str, amount: Amount, free: float) -> Limit:
    """Return a limit that is lifted by setting its number to ``free``."""
    return Limit(kind, subject, words, lambda i: amount.at(i, free), amount)


def job_column(
    column: str, jobs: list[int], since: Sequence[float] = ()
) -> Callable[[Instance, float], Instance]:
    """Return how to set some jobs' entries of a column, counted from times of their own."""
    begins = [Fraction(repr(begin)) for begin in since] or [Fraction(0)] * len(jobs)

    def at(i: Instance, value: float) -> Instance:
        changed = getattr(i.jobs, column).copy()
        for job, begin in zip(jobs, begins, strict=True):
            finite = math.isfinite(value)
            changed[job] = float(begin + Fraction(repr(float(value)))) if finite else value
        return replace(i, jobs=replace(i.jobs, **{column: changed}))

    return at


def cell(table: str, row: int, column: str) -> Callable[[Instance, float], Instance]:
    """Return how to set one entry of a column."""
    return lambda i, value: i.with_cells(table, row, **{column: value})


def cells(table: str, rows: Any, **values: Any) -> Change:
    """Return how to set entries of columns to values that limit nothing."""
    return lambda i: i.with_cells(table, rows, **values)


def asking(lift: Change, objective: str) -> Change:
    """Return the change that also asks for another objective.

    Where value is an objective it stays one, the last: without it all would have to be served.
    """

    def change(i: Instance) -> Instance:
        value = ("value",) if "value" in i.objective else ()
        return replace(lift(i), objective=(objective, *value))

    return change


def asks_throughput(instance: Instance) -> bool:
    """Whether rates are what is asked for, so that demands limit nothing."""
    return "throughput" in instance.objective


def unbounded_without(instance: Instance) -> bool:
    """Whether throughput has no bound but a power cap or a budget, which is then not lifted whole.

    It is lifted to what is more than enough for the demanded rates: enough for whether there is a
    plan, and not for what the limit costs.
    """
    return asks_throughput(instance) and bool((instance.devices.count_max == NO_MAXIMUM).any())


def schedule_of(instance: Instance, plan: Plan) -> ScheduleQuantities:
    """Return the quantities of a schedule."""
    if not isinstance(plan, SchedulePlan):
        raise TypeError("A schedule is expected.")
    return ScheduleQuantities(*runs_of(instance, plan))


def by_job(instance: Instance, plan: Plan, values: Floats) -> Floats:
    """Return values of the jobs that a schedule runs in the numbers of all, NaN where left out."""
    found = np.full(len(instance.jobs), np.nan)
    found[np.setdiff1d(np.arange(len(found)), left_out(instance, plan))] = values
    return found


def parts_of(instance: Instance, plan: Plan) -> list[tuple[Instance, SchedulePlan | SteadyPlan]]:
    """Return a plan with its instance; one with scenarios, each of them alone."""
    if not isinstance(plan, ScenarioPlan):
        return [runs_of(instance, plan) if isinstance(plan, SchedulePlan) else (instance, plan)]
    return [(instance.in_scenario(s), part) for s, part in enumerate(plan.plans)]


def streams_of(instance: Instance, plan: Plan) -> list[SteadyQuantities]:
    """Return the quantities of a plan of streams, in each scenario where there are some."""
    parts = parts_of(instance, plan)
    return [SteadyQuantities(i, p) for i, p in parts if isinstance(p, SteadyPlan)]
