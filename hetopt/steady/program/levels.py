"""The loop over levels of an objective, whatever routes a search goes over."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult, joined_proof
from hetopt.solution import HistoryEntry, Proof, StreamPlan, Termination
from hetopt.solvers.result import MipResult, Progress
from hetopt.steady.model.capacity import at_standstill
from hetopt.steady.program.objective_level import (
    Level,
    better_plan,
    effort,
    infeasible_result,
    seconds_left,
    why_infeasible,
)


@dataclass(slots=True)
class LevelSearch(ABC):
    """A search that solves level after level, the earlier ones held at their values.

    Attributes
    ----------
    known_by
        What found the best plan of the levels before.
    first_level
        Whether the present level is the first, of which a history is kept.
    """

    instance: Instance
    budget: Budget
    method: str
    start: StreamPlan | None
    mip_solver: str
    began: float = field(default_factory=time.monotonic)
    history: list[HistoryEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marginal: dict[str, Any] | None = None
    known_by: str = "start"
    first_level: bool = True

    @abstractmethod
    def next_level(self, name: str) -> Level:
        """Solve for an objective."""

    @abstractmethod
    def plan_of(self, level: Level) -> StreamPlan:
        """Return the plan of a level's best point."""

    @abstractmethod
    def hold(self, name: str, value: float) -> None:
        """Allow no plan that is worse in an objective from here on."""

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the program of integers knows all routes, so that its end is a proof."""

    @property
    def unit(self) -> float:
        """The θ that keeps about one unit busy; see :func:`at_standstill`."""
        return 1.0

    def why_infeasible(self) -> str:
        """Say why nothing can be served as it is demanded."""
        return why_infeasible(self.instance)

    def run(self) -> RegimeResult:
        """Solve level after level."""
        plan: StreamPlan | None = None
        bounds: list[float] = []
        proofs: list[Proof | None] = []
        for name in self.instance.objective:
            level = self.next_level(name)
            if level.infeasible and plan is None:
                return infeasible_result(self.instance, self.why_infeasible(), level.proof)
            bounds.append(level.bound)
            proofs.append(level.proof)
            if level.best is None:
                break
            plan = self.plan_of(level)
            self.known_by = level.found_by
            value = objective_value(self.instance, plan, name)
            bounds[-1] = at_standstill(self.instance, name, value, level.bound, self.unit)
            self.note_progress(value, bounds[-1])
            if np.isnan(value):
                # An accuracy of no requests at all.
                bounds[-1] = np.nan
                continue
            self.hold(name, value)
            self.first_level = False
        bounds += [np.nan] * (len(self.instance.objective) - len(bounds))
        # The start may be the better plan by a rounding.
        plan = better_plan(self.instance, plan, self.start)
        return RegimeResult(
            plan=plan,
            bounds=tuple(float(b) for b in bounds),
            reason="" if plan is not None else "No plan was found within the limit.",
            stopped_by=self.stopped(),
            method=self.known_by if plan is not None else "mip",
            history=tuple(self.history),
            notes=tuple(self.notes),
            marginal=self.marginal,
            proof=joined_proof(proofs),
        )

    def solve_integers(
        self,
        solve: Callable[..., MipResult],
        program: Any,
        *,
        start: Any = None,
        stop: threading.Event | None = None,
        part_of_gap: float = 1.0,
        progress: Progress | None = None,
        again: bool = True,
    ) -> MipResult:
        """Solve a program by a function of :mod:`hetopt.solvers.mip`, as the budget allows."""
        allowed = effort(self.budget)
        return solve(
            program,
            time_limit_s=allowed.time_limit_s,
            nodes=allowed.nodes,
            gap_rel=self.budget.gap * part_of_gap,
            threads=1 if self.budget.deterministic else self.budget.workers,
            seed=self.budget.seed,
            start=start,
            stop=self.budget.stop if stop is None else stop,
            solver=self.mip_solver,
            progress=progress,
            again=again,
        )

    def time_left(self) -> float:
        """Seconds left, without end where the clock does not count."""
        return seconds_left(self.budget)

    def note_progress(self, objective: float, bound: float) -> None:
        """Tell of a better plan or bound (SI); keep it with its time in the first level."""
        if self.first_level:
            self.history.append(HistoryEntry(time.monotonic() - self.began, objective, bound))
        if self.budget.progress is not None:
            self.budget.progress(objective, bound)

    def stopped(self) -> Termination:
        """Say why the search ended: not by a proof where it knows a part of the routes only."""
        if self.budget.stop.is_set():
            return "interrupted"
        if self.budget.over():
            return "time_limit"
        if self.method == "heuristic":
            return "iteration_limit"
        if self.budget.gap > 0:
            return "gap_limit"
        return "proved" if self.complete else "iteration_limit"
