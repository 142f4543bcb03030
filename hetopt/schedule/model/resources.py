"""What options use of renewable capacities and of budgets, as exact numbers.

And the choice of one mode a task that keeps within scarce budgets, without looking at time: a
multi-dimensional multiple-choice knapsack, for which the list schedulers need just one answer.

Integer demands and capacities of resources that are not time: bytes and watts.

What is left of renewable capacities over time, and of budgets, while a schedule is built.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.schedule.model.grid import Direction, common_divisor, exact
from hetopt.schedule.model.problem import Mode, Problem
from hetopt.schedule.model.resource_profile import Profile

REPAIR_STEPS = 4
"""Changes of mode per task after which the repair of budgets gives up."""
NO_GAIN = 1e-12
"""Relative excess that a change must take away at least."""


@dataclass(frozen=True, slots=True)
class LimitedResource:
    """A limit and what options use of it; options that are not in ``amount`` use nothing."""

    resource: int
    limit: Fraction
    amount: dict[int, Fraction]


def renewables(instance: Instance) -> list[LimitedResource]:
    """Return the capacities that hold at each instant."""
    return _limited(instance, instance.resources.capacity.tolist())


def budgets(instance: Instance) -> list[LimitedResource]:
    """Return the budgets that hold for all executions together."""
    return _limited(instance, instance.resources.budget.tolist())


def _limited(instance: Instance, limits: list[float]) -> list[LimitedResource]:
    uses = instance.uses
    option = np.repeat(np.arange(len(uses.ptr) - 1), np.diff(uses.ptr))
    found = []
    for resource, limit in enumerate(limits):
        rows = np.flatnonzero(uses.resource == resource)
        if np.isfinite(limit) and len(rows):
            pairs = zip(option[rows].tolist(), uses.amount[rows].tolist(), strict=True)
            found.append(LimitedResource(resource, exact(limit), {o: exact(a) for o, a in pairs}))
    return found


def modes_within_budgets(
    problem: Problem, cost: Floats, limit: float | None = None
) -> list[list[Mode]] | None:
    """Return one mode for every task such that all budgets hold, or None where none was found.

    Each task starts with the mode that uses least, and once more with its cheapest. While some
    budget is exceeded, the change of mode is made that takes most off the sum of relative excesses
    for the least cost. Then the changes that save most are made.

    Parameters
    ----------
    cost
        Per option, what is to be kept low, at work 1.
    limit
        ``time.monotonic()`` value at which to give up.
    """
    scarce = budgets(problem.instance) if len(problem.instance.uses) else []
    if not scarce or not all(problem.modes):
        return None
    size = [len(modes) for modes in problem.modes]
    task = np.repeat(np.arange(problem.n_tasks), size)
    option = np.array([m.option for modes in problem.modes for m in modes])
    bound = np.array([float(s.limit) for s in scarce])
    scale = np.where(bound > 0, bound, 1.0)
    use = np.zeros((len(cost), len(scarce)))
    for b, limited in enumerate(scarce):
        use[list(limited.amount), b] = [float(a) / scale[b] for a in limited.amount.values()]
    rows = _Rows(task, use[option], cost[option] * problem.instance.tasks.work[task], bound / scale)
    best: Ints | None = None
    for start in (rows.use.max(axis=1), rows.cost):
        now = time.monotonic()
        until = None if limit is None else now + (limit - now) / 2
        chosen = rows.repaired(start, until)
        if chosen is not None:
            chosen = rows.cheaper(chosen, until)
            if best is None or rows.cost[chosen].sum() < rows.cost[best].sum():
                best = chosen
    if best is None:
        return None
    flat = [m for modes in problem.modes for m in modes]
    return [[flat[row]] for row in best.tolist()]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Modes of all tasks, R rows: task, relative use of each budget (R × B), cost; the limits."""

    task: Ints
    use: Floats
    cost: Floats
    limit: Floats

    def repaired(self, start: Floats, until: float | None) -> Ints | None:
        """Return a row for every task within the limits, from the rows that ``start`` ranks least.

        None where no change of one mode takes excess away, or time is up.
        """
        order = np.lexsort((start, self.task))
        chosen = order[np.flatnonzero(np.r_[True, np.diff(self.task[order]) > 0])]
        total = self.use[chosen].sum(axis=0)
        spread = max(float(np.ptp(self.cost)), 1e-300)
        for _ in range(REPAIR_STEPS * len(chosen) + 1):
            excess = float(np.maximum(total - self.limit, 0.0).sum())
            if excess <= 0:
                return chosen
            if until is not None and time.monotonic() >= until:
                return None
            now = chosen[self.task]
            after = total + self.use - self.use[now]
            gain = excess - np.maximum(after - self.limit, 0.0).sum(axis=1)
            dearer = np.maximum(self.cost - self.cost[now], 0.0) / spread
            worth = np.where(gain > NO_GAIN, gain / (dearer + 1e-3), 0.0)
            best = int(worth.argmax())
            if worth[best] <= 0:
                return None
            chosen[self.task[best]] = best
            total = self.use[chosen].sum(axis=0)
        return None

    def cheaper(self, chosen: Ints, until: float | None) -> Ints:
        """Change one mode after the other, within the limits, as long as that saves cost."""
        chosen = chosen.copy()
        total = self.use[chosen].sum(axis=0)
        while until is None or time.monotonic() < until:
            now = chosen[self.task]
            saved = self.cost[now] - self.cost
            rows = np.flatnonzero(saved > 0)
            fits = (total + self.use[rows] - self.use[now[rows]] <= self.limit).all(axis=1)
            if not fits.any():
                return chosen
            best = rows[fits][saved[rows[fits]].argmax()]
            chosen[self.task[best]] = best
            total = self.use[chosen].sum(axis=0)
        return chosen


@dataclass(frozen=True, slots=True)
class Demands:
    """Demands and a capacity as integers of one unit, in the order given.

    ``faithful`` is True where they are exact, or off by less than the checker's tolerance.
    """

    demand: list[int]
    capacity: int
    unit: Fraction
    faithful: bool


FAITHFUL_PARTS = 10**11
"""Parts of the capacity from which on rounding a few demands stays below 1e-9 of it."""


def integer_demands(
    values: Sequence[Fraction], capacity: Fraction, largest: int, direction: Direction
) -> Demands:
    """Scale demands against a capacity to integers of at most ``largest``.

    Exact by the common divisor of the demands where that fits (the capacity is then rounded down,
    which loses nothing), else demands are rounded down and the capacity up (a relaxation;
    ``exact`` and ``down``) or the other way round (``up``).
    """
    ceiling = max([capacity, *values, Fraction(0)])
    unit = Fraction(0)
    for value in sorted(set(values)):
        unit = common_divisor(unit, value)
        if unit and ceiling / unit > largest:
            unit = Fraction(0)
            break
    else:
        unit = unit or Fraction(1)
        exact = [int(value / unit) for value in values]
        return Demands(exact, math.floor(capacity / unit), unit, faithful=True)
    unit = ceiling / largest
    if direction == "up":
        return Demands(
            [math.ceil(v / unit) for v in values], math.floor(capacity / unit), unit, faithful=True
        )
    faithful = capacity > 0 and capacity / unit >= FAITHFUL_PARTS
    return Demands(
        [math.floor(v / unit) for v in values], math.ceil(capacity / unit), unit, faithful
    )


PARTS = 10**13
"""Parts that a limit is divided into where amounts have no common divisor."""


class Supplies:
    """What is left of renewable capacities over time, and of budgets, as integers.

    A mode is affordable where each budget also covers the least that the tasks still to be placed
    must take of it.
    """

    def __init__(self, problem: Problem) -> None:
        instance = problem.instance
        self._needs: dict[int, list[tuple[Profile, int]]] = {}
        self._spends: dict[int, list[tuple[int, int]]] = {}
        self._spare: list[int] = []
        self._least: list[list[int]] = []
        for limited in renewables(instance) if len(instance.uses) else []:
            amount, capacity = whole(limited)
            profile = Profile(capacity)
            for option, need in amount.items():
                self._needs.setdefault(option, []).append((profile, need))
        for b, limited in enumerate(budgets(instance) if len(instance.uses) else []):
            amount, limit = whole(limited)
            for option, need in amount.items():
                self._spends.setdefault(option, []).append((b, need))
            least = [
                min((amount.get(m.option, 0) for m in modes), default=0) for modes in problem.modes
            ]
            self._least.append(least)
            self._spare.append(limit - sum(least))
        self._possible = all(spare >= 0 for spare in self._spare)

    def needs(self, option: int) -> list[tuple[Profile, int]]:
        """Profiles that a running option counts in, with its amounts."""
        return self._needs.get(option, [])

    def affordable(self, task: int, option: int) -> bool:
        """Whether the budgets still allow this option."""
        return self._possible and all(
            need - self._least[b][task] <= self._spare[b]
            for b, need in self._spends.get(option, ())
        )

    def spend(self, task: int, option: int) -> None:
        """Take what an option uses from the budgets."""
        needed = dict(self._spends.get(option, ()))
        for b, least in enumerate(self._least):
            self._spare[b] -= needed.get(b, 0) - least[task]


def whole(limited: LimitedResource) -> tuple[dict[int, int], int]:
    """Return amounts and limit as integers, rounded so that what fits them fits truly."""
    scaled = integer_demands(list(limited.amount.values()), limited.limit, PARTS, "up")
    return dict(zip(limited.amount, scaled.demand, strict=True)), scaled.capacity
