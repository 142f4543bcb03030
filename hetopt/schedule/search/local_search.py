"""What all local searches share: their arguments, their end, their threads, and the best plan.

A search supplies the instances that it fits, chains that each search on their own from a packed
start, and the plan of a state of theirs.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime import jit
from hetopt.runtime.budget import gap_closed
from hetopt.runtime.effort import Effort, in_threads
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.problem import Problem
from hetopt.solution import SchedulePlan

Found = Callable[[SchedulePlan], None]
"""Called with each plan that is better than all before, a few times a second at most."""

State = Any
"""What a chain searches over, as a search packs it."""


@dataclass(frozen=True)
class Improved:
    """What a search found.

    Attributes
    ----------
    plan
        Better in the first objective than the start, or None.
    bound
        A proven bound of the first objective; NaN where the search has none.
    """

    plan: SchedulePlan | None
    bound: float = math.nan


class Chain(Protocol):
    """One worker of a search."""

    @property
    def shown(self) -> tuple[float, State]:
        """Value and state of its best, replaced as a whole: other threads read it at any time.

        Values are in the search's own measure; less is better.
        """

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Search until the effort, or its part, is over."""


C = TypeVar("C", bound=Chain)


class LocalSearch(ABC, Generic[C]):
    """One run of a search.

    Attributes
    ----------
    LOOPS
        Its compiled functions, ``module:function`` below :mod:`hetopt.schedule.search`.
    MOVES
        Moves where neither seconds nor iterations are given.
    TASK_MOVES_PER_S
        Moves × tasks that one core makes in a second or so; what deterministic seconds count.
    NEEDS_PLAN
        Whether it finds nothing without a plan to start from.
    priced
        The instance that says what plans are worth.
    known
        Objective of the best plan known, infinite without any.
    seen, state
        Least value that a chain has shown, and its state.
    plan
        The best plan found, if it is better than the start.
    proven
        Bound of the objective that the search has proven; NaN: none.
    """

    LOOPS: ClassVar[tuple[str, ...]]
    MOVES: ClassVar[int]
    TASK_MOVES_PER_S: ClassVar[int]
    NEEDS_PLAN: ClassVar[bool] = False

    def __init__(
        self,
        instance: Instance,
        start: SchedulePlan | None,
        effort: Effort,
        seed: int,
        workers: int,
        bound: float,
        found: Found | None,
        priced: Instance | None = None,
    ) -> None:
        self.instance, self.start, self.effort = instance, start, effort
        self.priced = instance if priced is None else priced
        self.seed, self.workers, self.bound, self.found = seed, max(1, workers), bound, found
        self.known = math.inf if start is None else self.objective(start)
        self.seen = math.inf
        self.state: State | None = None
        self.plan: SchedulePlan | None = None
        self.proven = math.nan

    @cached_property
    def problem(self) -> Problem:
        """The instance on the plan grid."""
        return plan_problem(self.instance)

    @staticmethod
    @abstractmethod
    def fits(instance: Instance) -> bool:
        """Whether the search knows every feature that the instance has."""

    @abstractmethod
    def chains(self) -> Sequence[C]:
        """Return the workers, none where there is nothing to search."""

    @abstractmethod
    def plan_of(self, state: State) -> SchedulePlan | None:
        """Return the exact plan of a state; None where it is none, in spite of its value."""

    @classmethod
    def improve(
        cls,
        instance: Instance,
        plan: SchedulePlan | None,
        *,
        seconds: float | None = None,
        iterations: int | None = None,
        seed: int = 0,
        workers: int = 1,
        stop: threading.Event | None = None,
        bound: float = math.nan,
        found: Found | None = None,
        priced: Instance | None = None,
    ) -> Improved:
        """Look for a plan that is better in the first objective.

        Parameters
        ----------
        instance
            Of the schedule regime. Nothing is found where it has a feature that the search does
            not know (see ``fits``).
        plan
            A valid plan to start from, or None.
        seconds
            Time to spend, first compilation included. With ``iterations`` (moves of each worker)
            instead the answer depends on nothing but the arguments.
        seed, workers
            Each worker searches on its own in a thread, with a seed of its own; the best is
            returned.
        stop
            Ends the search early when it is set, with the best so far.
        bound
            Proven bound of the first objective: a plan that meets it ends the search.
        found
            Called with better plans as they come, a few times a second at most; with
            ``iterations`` only at the end.
        priced
            What says the objective of plans, where ``instance`` leaves out sleep, start-ups and
            boards: its plans are those of this one.

        Returns
        -------
        Improved
            The best plan, and what the search has proven.
        """
        effort = Effort.of(seconds, iterations, cls.MOVES, stop)
        if not cls.fits(instance) or (plan is None and cls.NEEDS_PLAN) or effort.over():
            return Improved(None)
        search = cls(instance, plan, effort, seed, workers, bound, found, priced)
        if not search.closed():
            chains = search.chains()
            if chains:
                search.effort = replace(effort, began=time.monotonic())
                search.go(chains)
        return Improved(search.plan, search.proven)

    @classmethod
    def is_compiled(cls) -> bool:
        """Whether the loops are compiled, or their machine code lies on disk (as far as known)."""
        names = (loop.split(":") for loop in cls.LOOPS)
        modules = ((importlib.import_module(f"{__package__}.{m}"), f) for m, f in names)
        return all(jit.is_compiled(getattr(module, function)) for module, function in modules)

    @classmethod
    def moves_within(cls, instance: Instance, seconds: float) -> int:
        """Return the number of moves that stands for so many deterministic seconds."""
        return max(1, int(seconds * cls.TASK_MOVES_PER_S / max(1, len(instance.tasks))))

    def objective(self, plan: SchedulePlan) -> float:
        """Value of the first objective."""
        return objective_value(self.priced, plan, self.instance.objective[0])

    def closed(self) -> bool:
        """Whether nothing better than the best plan can be found."""
        return math.isfinite(self.known) and gap_closed(self.known, self.bound, GAP_TOLERANCE)

    def go(self, chains: Sequence[C], part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Run all chains, each in a thread, and take what they find."""
        works = [partial(chain.run, self.effort, part) for chain in chains]
        counted = self.effort.moves is not None
        if len(works) == 1 and counted:
            self.meanwhile(chains)
            works[0]()
        else:
            in_threads(
                works,
                lambda: None if counted else self.look(chains),
                meanwhile=lambda: self.meanwhile(chains),
            )
        self.look(chains)

    def meanwhile(self, chains: Sequence[C]) -> None:
        """Do what can be done beside the chains, or before the only one."""

    def look(self, chains: Sequence[C]) -> None:
        """Take the best state of the chains, and hand its plan on if that is better."""
        for value, state in sorted((chain.shown for chain in chains), key=lambda shown: shown[0]):
            if not value < self.seen:
                return
            plan = self.plan_of(state)
            if plan is None:
                continue
            self.seen, self.state = value, state
            known = self.objective(plan)
            if known < self.known:
                self.known, self.plan = known, plan
                if self.found is not None:
                    self.found(plan)
            return


def xorshift_seed(seed: int) -> Any:
    """Return the state of a compiled loop's random generator."""
    return np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)
