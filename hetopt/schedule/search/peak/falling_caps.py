"""Lower the peak power of a schedule by power caps that fall.

A plan whose peak is below P is a plan under the cap P, which the list decoder knows. So caps
between the least that is thought possible and the peak of the best plan are tried, as in the dual
approximation of Hochbaum, Shmoys, JACM 34(1), 1987. First the best plan, and one of little energy,
are timed anew under them with their options, units and order; then, under each cap, a slice of the
time goes to a search for the shortest schedule, which ends with the first plan that meets all
deadlines. A cap under which none is found proves nothing: the next one is nearer to the peak, and
when all steps are tried, they begin anew with slices twice as long.

The search sees no sleep (:func:`hetopt.schedule.model.without_sleep.always_idling`): caps are set
on peaks as it sees them, and what counts is the peak of the true instance, by evaluation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from hetopt.evaluate import objective_value
from hetopt.runtime.effort import Effort
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.list_scheduling.constructors import energy_greedy
from hetopt.schedule.list_scheduling.limited.decoder import within_limits
from hetopt.schedule.search.decoder_features import fits_under_cap, under_cap
from hetopt.schedule.search.list_annealing import LimitedAnnealing
from hetopt.schedule.search.local_search import LocalSearch
from hetopt.schedule.search.projects.improve import ProjectAnnealing
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

INNER: tuple[type[LocalSearch[Any]], ...] = (ProjectAnnealing, LimitedAnnealing)
"""Searches for a short schedule under a cap: the first one that fits is used."""
FIRST_STEP, LAST_STEP = 0.5, 1 / 64
"""Parts of the way from the peak down to the floor that a cap takes first, and at the least."""
SLICE = 1 / 32
"""Part of the time, or of the moves, for a cap at first."""
RETIMED = 0.1
"""Part of the time in which the plan is only timed anew under caps."""
LEAST_STEP = 1e-6
"""Part of the peak by which a cap must be below it."""


class FallingCaps(LocalSearch[Any]):
    """Searches under one cap after the other, each from the best plan.

    Attributes
    ----------
    best
        The plan of least peak without sleep.
    high, floor
        That peak and a bound of it (W).
    step
        Part of the way from the peak down to the floor that the present cap takes.
    """

    best: SchedulePlan
    high: float
    floor: float
    step: float

    LOOPS: ClassVar[tuple[str, ...]] = tuple(loop for inner in INNER for loop in inner.LOOPS)
    MOVES = LimitedAnnealing.MOVES
    TASK_MOVES_PER_S = LimitedAnnealing.TASK_MOVES_PER_S
    NEEDS_PLAN = True
    fits = staticmethod(fits_under_cap)

    def chains(self) -> Sequence[Any]:
        """Return one worker: the searches under a cap have as many as are asked for."""
        if self.start is None:
            return []
        self.best = self.start
        self.high = self.peak(self.start)
        floor = objective_bounds.bound(self.instance, "peak_power")
        self.floor = floor if math.isfinite(floor) else 0.0
        return [self]

    def go(self, chains: Sequence[Any], part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Try caps until the effort is over, or the peak is at the bound."""
        self.retime(self.best)
        limit = None if self.effort.until is None else time.monotonic() + self.share_s(RETIMED)
        thrifty = energy_greedy(self.instance.with_objective("energy"), limit=limit)
        if thrifty is not None:
            self.retime(thrifty)
        counted, share = self.effort.moves, SLICE
        spent, number = 0.0, 0
        while spent < 1.0 and not self.done():
            for cap in self.caps():
                if spent >= 1.0 or self.done():
                    return
                number += 1
                at_most = min(share, 1.0 - spent)
                if counted is not None:
                    spent += at_most
                yes = self.search_under(cap, self.slice_of(at_most), number)
                self.step = FIRST_STEP if yes else self.step / 2
            share *= 2

    def plan_of(self, state: Any) -> SchedulePlan | None:
        """Return a state as it is: a plan."""
        found: SchedulePlan = state
        return found

    def caps(self) -> Iterator[float]:
        """Yield caps below the peak, nearer and nearer where nothing is found."""
        self.step = FIRST_STEP
        while self.step >= LAST_STEP:
            cap = self.high - self.step * (self.high - self.floor)
            if cap >= self.high * (1 - LEAST_STEP):
                return
            yield cap

    def done(self) -> bool:
        """Whether the time is over, or nothing better can be found."""
        near = self.high <= self.floor * (1 + LEAST_STEP)
        return near or self.closed() or self.effort.over()

    def peak(self, plan: SchedulePlan) -> float:
        """Peak power as the search sees it (W)."""
        return objective_value(self.instance, plan, "peak_power")

    def take(self, plan: SchedulePlan) -> None:
        """Take a valid plan: as the next start, and as an answer if its true peak is lower."""
        peak = self.peak(plan)
        if not peak < self.high or not verify(self.instance, plan).ok:
            return
        self.best, self.high = plan, peak
        known = self.objective(plan)
        if known < self.known:
            self.known, self.plan = known, plan
            if self.found is not None:
                self.found(plan)

    def retime(self, start: SchedulePlan) -> None:
        """Lower the cap by halves under which a plan is timed anew, options and order kept."""
        until = None if self.effort.until is None else time.monotonic() + self.share_s(RETIMED)
        floor = self.floor
        while not self.done():
            cap = (floor + self.high) / 2
            if cap >= self.high * (1 - LAST_STEP * RETIMED):
                return
            if until is not None and time.monotonic() >= until:
                return
            plan, high = within_limits(under_cap(self.instance, cap), start), self.high
            if plan is not None:
                self.take(plan)
            if self.high >= high:
                floor = cap

    def search_under(self, cap: float, effort: Effort, number: int) -> bool:
        """Look for a plan under a cap; return whether there is one."""
        capped, high = under_cap(self.instance, cap), self.high

        def found(plan: SchedulePlan) -> None:
            self.take(plan)
            if self.high < high:
                effort.met.set()

        inner = next(kind for kind in INNER if kind.fits(capped))
        if effort.moves is not None:
            moves = effort.moves * inner.TASK_MOVES_PER_S // self.TASK_MOVES_PER_S
            effort = replace(effort, moves=max(1, moves))
        seed = self.seed * 1_000 + number
        search = inner(capped, self.best, effort, seed, self.workers, math.nan, found)
        search.known = math.inf  # the plan that it starts from breaks the cap
        chains = search.chains()
        if chains:
            search.effort = replace(effort, began=time.monotonic())
            search.go(chains)
        return self.high < high

    def slice_of(self, share: float) -> Effort:
        """Return the effort of a part of the whole."""
        stop, moves = self.effort.stop, self.effort.moves
        if moves is not None:
            return Effort(None, max(1, int(share * moves)), stop)
        until = time.monotonic() + self.share_s(share)
        return Effort(min(until, self.effort.until or until), None, stop)

    def share_s(self, share: float) -> float:
        """Seconds of a part of the whole time."""
        return share * self.whole_s

    @cached_property
    def whole_s(self) -> float:
        """Seconds of the whole search."""
        return 0.0 if self.effort.until is None else self.effort.until - self.effort.began
