"""One strategy per method: which stages it runs, in which order, with which part of the time.

The best plan is held outside every stage (:mod:`hetopt.schedule.incumbent`) and is returned
whatever a solver does.

- a constructor's name (:class:`OneConstructor`): it alone
- ``heuristic``, a search's name (:class:`Heuristic`): all constructors, then a search
- ``cpsat``, ``lns``, ``auto`` (:class:`Exact`): the same, then level after level with CP-SAT, by
  repairs, or both at once
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.list_scheduling.price_guided import begins_priced
from hetopt.schedule.model.packed import packed
from hetopt.schedule.model.without_sleep import always_idling, drawing_less
from hetopt.schedule.model_size import affordable, affordable_after, model_size
from hetopt.schedule.search.entry import SearchEntry
from hetopt.schedule.stages import FIRST_SHARE, choose_search, construct, improve, reclaim_slack
from hetopt.solution import SchedulePlan

SHARED_MODEL = 100_000
"""Constraints up to which a worker repairs the plan beside CP-SAT: it needs a model of its own."""
BOUND_SHARE = 0.1
"""Part of the time that branching in the load bound may use."""
HEURISTIC_SHARE = 0.25
"""Part of the time that the constructors may use before what follows starts."""
MANY_CHOICES = 50_000
"""Choices of all tasks above which constructors that go over each in Python are left out then."""
IMPOSSIBLE = (
    "Even the shortest options, or the time that the devices have, exceed the deadline, "
    "or those that use least of a resource exceed its budget, or units that are always on "
    "draw more than the power cap, or some task has no option left, or some message has no "
    "path between devices that could run its two tasks."
)


class Strategy(Protocol):
    """What a method does."""

    def run(self, best: Incumbent) -> RegimeResult:
        """Improve plan and bounds; return what is known then."""


def solve_unslowed(
    instance: Instance, budget: Budget, method: str, start: SchedulePlan | None
) -> RegimeResult:
    """Solve an instance as a whole in which resources slow nothing."""
    best = Incumbent.unbounded(instance, budget)
    best.begin_with(start)
    return strategy_of(method).run(best)


def strategy_of(method: str) -> Strategy:
    """Return the strategy that a method names."""
    if method in CONSTRUCTORS:
        return OneConstructor(method)
    return EXACT[method] if method in EXACT else Heuristic(method)


@dataclass(frozen=True, slots=True)
class OneConstructor:
    """The constructor of this name."""

    name: str

    def run(self, best: Incumbent) -> RegimeResult:
        """Construct a plan, and prove bounds for it."""
        # HEFT needs no heavy import: short limits get a plan too.
        early = self.name == "heft"
        if early:
            construct(best, self.name, 1.0)
        if _proven_impossible(best):
            return best.impossible(IMPOSSIBLE)
        if not early:
            construct(best, self.name, 1.0)
        return best.result(self.name, best.ended())


@dataclass(frozen=True, slots=True)
class Heuristic:
    """All constructors, then the search that is asked for or suits the instance, to the end."""

    method: str

    def run(self, best: Incumbent) -> RegimeResult:
        """Construct plans, and improve the best one for as long as there is time."""
        opening = _Opening.chosen(best, self.method)
        if not opening.construct(followed=False):
            return best.impossible(IMPOSSIBLE)
        opening.search(whole=True)
        return best.result(self.method, best.ended())


@dataclass(frozen=True, slots=True)
class Exact:
    """Heuristics, then CP-SAT on each level, where its model can be built in the time."""

    method: str

    def run(self, best: Incumbent) -> RegimeResult:
        """Construct and improve a plan, then prove how good it is, or find a better one."""
        opening, size = _Opening.chosen(best, self.method), model_size(best.instance)
        exact = size <= affordable(best.budget)
        if not opening.construct(followed=exact):
            return best.impossible(IMPOSSIBLE)
        exact = exact and self.in_time_left(best, opening.entry, size)
        opening.search(whole=not exact)
        if exact:
            return self.exactly(best, opening.entry, size)
        best.notes.append(
            f"The instance is too large for an exact model in this time ({size:,} constraints): "
            "the plan is a heuristic's."
        )
        return best.result(best.found_by or "heuristic", best.ended())

    def in_time_left(self, best: Incumbent, entry: SearchEntry | None, size: int) -> bool:
        """Whether the model can be built in the time that a search leaves."""
        return True

    def exactly(self, best: Incumbent, entry: SearchEntry | None, size: int) -> RegimeResult:
        """Solve level after level."""
        # Importing OR-Tools takes about a second, which short limits need for something better.
        from hetopt.schedule.levels import Models, solve_levels

        return solve_levels(best, Models.of(best))


class _Repairs(Exact):
    """The same with repairs of parts of the plan instead of whole models."""

    def exactly(self, best: Incumbent, entry: SearchEntry | None, size: int) -> RegimeResult:
        from hetopt.schedule.levels import Models, by_repairs, solve_levels

        return solve_levels(best, Models.of(best), by_repairs, "lns", "lns")


class _Auto(Exact):
    """A search instead of CP-SAT where both do not fit; repairs beside CP-SAT after a search."""

    def in_time_left(self, best: Incumbent, entry: SearchEntry | None, size: int) -> bool:
        if entry is None or best.plan is None:
            return True
        return size <= affordable_after(entry, best.instance, best.budget)

    def exactly(self, best: Incumbent, entry: SearchEntry | None, size: int) -> RegimeResult:
        budget = best.budget
        if (
            entry is None
            or best.plan is None
            or budget.workers == 1
            or budget.deterministic  # which of two threads is first is the clock's word
            or size > SHARED_MODEL
        ):
            return super().exactly(best, entry, size)
        from hetopt.schedule.cpsat.with_repairs import solve_and_repair
        from hetopt.schedule.levels import Models, solve_levels

        return solve_levels(best, Models.of(best), solve_and_repair, "cpsat with lns")


EXACT = {"auto": _Auto("auto"), "cpsat": Exact("cpsat"), "lns": _Repairs("lns")}
"""Strategies that end with an exact model, by the name of their method."""


@dataclass(frozen=True, slots=True)
class _Opening:
    """The stages before an exact model: constructors, bounds, a search if one is worth its time.

    Attributes
    ----------
    alone
        Whether the search needs no plan to start from, so that constructors may give up early.
    skipped
        Whether they are left out but for the end, because they would take too long.
    """

    best: Incumbent
    entry: SearchEntry | None
    alone: bool
    skipped: bool

    @classmethod
    def chosen(cls, best: Incumbent, method: str) -> _Opening:
        """Choose the search that a method asks for."""
        entry, instance = choose_search(best, method), best.instance
        alone = entry is not None and entry.alone
        # Counted by class: a million tasks have 60 million choices.
        classes = instance.classes
        many = int(np.diff(classes.ptr)[classes.member].sum()) > MANY_CHOICES
        skipped = alone and many and packed(always_idling(instance)) is None
        return cls(best, entry, alone, skipped)

    def construct(self, *, followed: bool) -> bool:
        """Run the constructors and prove bounds; return whether there may be a plan at all.

        ``followed`` says whether something beside the search needs a part of the time.
        """
        best = self.best
        seen = always_idling(best.instance)
        priced = begins_priced(seen) and packed(seen) is not None
        if not self.skipped and not priced:
            # Before anything that needs a heavy import: short limits get a plan too.
            construct(best, "heft", FIRST_SHARE if self.alone else 1.0)
        if _proven_impossible(best):
            return False
        if not self.skipped:
            share = HEURISTIC_SHARE if followed or self.entry is not None else 1.0
            construct(best, "portfolio", FIRST_SHARE if self.alone else share)
            if priced and best.plan is None:
                construct(best, "heft", 1.0)
        reclaim_slack(best)
        return True

    def search(self, *, whole: bool) -> None:
        """Improve the plan by the search, if any: in its part of the time left, or in all of it."""
        best = self.best
        if self.entry is not None:
            improve(best, self.entry, whole=whole)
            reclaim_slack(best)
        if self.skipped and best.plan is None:
            construct(best, "heft", 1.0)


def _proven_impossible(best: Incumbent) -> bool:
    """Take what the instance alone proves of each level; return whether that leaves no plan."""
    instance, budget = best.instance, best.budget
    limit = None if budget.deterministic else time.monotonic() + budget.left_s() * BOUND_SHARE
    objective_bounds.load_plan(drawing_less(instance, instance.objective[0]), limit)
    return best.bounded_impossible()
