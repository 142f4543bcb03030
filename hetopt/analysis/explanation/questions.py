"""Can these limits be met together? Answers by ``solve``, remembered and within a time.

A question lifts some limits of an instance and asks for any plan at all: an objective that is easy
to bound, and a gap so wide that the first plan ends the search. "Yes" is a plan that the checker
accepted, "no" is proven, and where the time ends first there is no answer: what rests on one is
then said not to be proven.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hetopt.analysis.explanation.limits.limit import Limit
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.runtime.executors.loop import Report, silent
from hetopt.solution import Plan, Solution, contradictions
from hetopt.solve import SolveOptions, solve_with

ANY_GAP = 1e12
"""A gap that every plan closes."""
SHARE = 0.25
"""Part of the time left that one question may take: a hard one must not take it all."""
LEAST_S = 0.5
"""A question gets at least this, so that the last ones are not hopeless."""
LITTLE = 0.01
"""Part of the demand that stands for any at all."""
NOTHING_SERVED = "Nothing at all can be served."
REROUTING = ("no_link", "bandwidth", "sharing")
"""Kinds of limits that change the paths of messages, or speeds, when they are lifted."""
DETERMINISTIC_QUESTIONS, DETERMINISTIC_PER_S = 200, 20
"""Questions asked at most where no clock may be looked at, in all and per second of the limit."""
DETERMINISTIC_CHOICES = 500
"""Options of all tasks for which a question counts once more: large ones take their time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether there is a plan: ``yes`` with the plan, ``no`` (proven), or neither."""

    yes: bool
    no: bool
    plan: Plan | None = None
    reason: str = ""


@dataclass
class Questions:
    """Questions about one instance.

    Attributes
    ----------
    instance
        As it was given; its limits are those of ``limits``, in that order.
    options
        How each question is solved; the time limit holds for all of them together.
    asked
        Solves so far.
    contradictions
        What solves noted of bounds that a plan refuted.
    """

    instance: Instance
    limits: Sequence[Limit]
    options: SolveOptions
    stop: threading.Event = field(default_factory=threading.Event)
    tell: Report = silent
    began: float = field(default_factory=time.monotonic)
    asked: int = 0
    contradictions: list[str] = field(default_factory=list)
    _met: list[tuple[frozenset[int], Answer]] = field(default_factory=list)
    _refuted: list[tuple[frozenset[int], Answer]] = field(default_factory=list)

    def left_s(self) -> float:
        """Seconds left; in deterministic mode the whole limit while there are questions left."""
        if self.stop.is_set():
            return 0.0
        if self.options.deterministic:
            limit = self.options.time_limit_s
            most = min(DETERMINISTIC_QUESTIONS, DETERMINISTIC_PER_S * limit)
            size = 1.0 + len(self.instance.admissible[1]) / DETERMINISTIC_CHOICES
            return limit if self.asked * size < most else 0.0
        return max(0.0, self.options.time_limit_s - (time.monotonic() - self.began))

    def over(self) -> bool:
        """Whether nothing more may be asked."""
        return self.left_s() <= 0.0

    def everything(self) -> frozenset[int]:
        """Return the set of all limits."""
        return frozenset(range(len(self.limits)))

    def only(self, kept: frozenset[int]) -> Instance:
        """Return the instance with all limits lifted but some."""
        changed = self.instance
        for i, limit in enumerate(self.limits):
            if i not in kept:
                changed = limit.lift(changed)
        return changed

    def ask(self, kept: frozenset[int]) -> Answer:
        """Ask whether some limits can be met together, all others lifted.

        Fewer limits are easier to meet, so one answer settles others. Only limits on links are no
        such: messages take the quickest path, and with a new or faster link that path may be
        another one, with less room; and what is slowed less draws more power. Answers carry over
        only where those limits are the same.
        """
        rerouting = self._rerouting
        for known, answer in self._met:
            if kept <= known and not (known - kept) & rerouting:
                return answer
        for known, answer in self._refuted:
            if kept >= known and not (kept - known) & rerouting:
                return answer
        answer = self.feasible(self.only(kept))
        if answer.yes:
            self._met.append((kept, answer))
        elif answer.no:
            self._refuted.append((kept, answer))
        return answer

    @property
    def _rerouting(self) -> frozenset[int]:
        return frozenset(i for i, limit in enumerate(self.limits) if limit.kind in REROUTING)

    def note(self, kept: frozenset[int], solution: Solution) -> None:
        """Remember what a solve outside said of a set of limits."""
        if solution.plan is not None:
            self._met.append((kept, Answer(True, False, solution.plan)))
        elif solution.status == "infeasible":
            self._refuted.append((kept, Answer(False, True, None, solution.reason)))

    def feasible(self, instance: Instance, *, again: bool = False) -> Answer:
        """Ask whether an instance has any plan.

        Parameters
        ----------
        again
            Whether this proves something anew: with one worker and another seed.
        """
        names = ("value",) if "value" in instance.objective else ("makespan",)
        if instance.regime == "steady":
            names = next(
                ((name,) for name in ("throughput", "value") if name in instance.objective),
                ("power",),
            )
        options = replace(self.options, gap=ANY_GAP)
        if again:
            options = replace(options, workers=1, seed=(self.options.seed + 1) % 2**31)
        solution = self.solve(replace(instance, objective=names), options)
        if solution is None and names != self.instance.objective and names == ("throughput",):
            solution = self._of_little(instance, options)
        if solution is None:
            return Answer(False, False)
        serves_nothing = solution.objective_names == ("throughput",) and not solution.objective > 0
        if solution.plan is not None and serves_nothing:
            # A plan that serves nothing meets any limit; only a proof says that none serves more.
            return Answer(False, solution.bound <= 0, None, NOTHING_SERVED)
        if solution.plan is not None:
            return Answer(True, False, solution.plan)
        return Answer(False, solution.status == "infeasible", None, solution.reason)

    def _of_little(self, instance: Instance, options: SolveOptions) -> Solution | None:
        """Ask for a little of the demand, where throughput cannot be asked for."""
        demand = next((limit.amount for limit in self.limits if limit.kind == "demand"), None)
        if demand is None:
            return None
        little = replace(demand.at(instance, LITTLE), objective=("power",))
        solution = self.solve(little, options)
        # That even a little cannot be served is no proof that nothing can.
        return solution if solution is not None and solution.plan is not None else None

    def solve(
        self,
        instance: Instance,
        options: SolveOptions | None = None,
        start: Plan | None = None,
        share: float = SHARE,
    ) -> Solution | None:
        """Solve within a part of the time left; None where none is, or it cannot be asked."""
        left = self.left_s()
        if left <= 0:
            return None
        self.asked += 1
        options = options or self.options
        seconds = left if left < LEAST_S else max(LEAST_S, share * left)
        try:
            check_question(instance)
            solution = solve_with(
                instance,
                replace(options, time_limit_s=seconds),
                start=start,
                stop=self.stop,
            )
        except InputError:
            # Without some limit the question may be one that cannot be asked (too many routes).
            return None
        self.contradictions += contradictions(solution)
        return solution
