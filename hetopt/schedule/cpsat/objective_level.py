"""One level of a schedule's objective, solved by CP-SAT on an exact or a rounding grid."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance.states.idle_sleep_start_up import may_sleep
from hetopt.instance.tariffs import prices_vary
from hetopt.runtime.budget import Budget
from hetopt.runtime.interrupt import in_time
from hetopt.schedule.cpsat.lns import repair
from hetopt.schedule.cpsat.model import Answer, ScheduleModel, add_hint, build_model, run
from hetopt.schedule.cpsat.objectives import Scaled
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.grid import Grid, exact
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.tick_schedule import (
    TickSchedule,
    canonical_units,
    retime,
    tick_schedule_of,
)
from hetopt.solvers.cpsat_range import TOO_LARGE
from hetopt.verify import verify

if TYPE_CHECKING:
    from hetopt.schedule.incumbent import Incumbent

ROUND_UP_SHARE = 0.25
"""Part of a level's time kept back for the model that rounds up, where one may be needed."""


class Level:
    """One level of the objective, solved by CP-SAT.

    Parameters
    ----------
    seconds
        That it may take; deterministic ones where the budget counts those.
    budget
        Workers and stop; those of the whole search where not given.
    lower
        Whether one worker looks for the bound rather than for plans.
    """

    def __init__(
        self,
        search: Incumbent,
        problem: Problem,
        level: int,
        seconds: float,
        budget: Budget | None = None,
        *,
        lower: bool = False,
    ) -> None:
        self.search = search
        self.budget = search.budget if budget is None else budget
        self.lower = lower
        self.problem = problem
        self.level = level
        self.seconds = seconds
        self.until = time.monotonic() + seconds
        self.carried = True
        self.faithful = True
        self.complete = False
        self.unbuilt = False
        self.spent = 0.0
        self.by = "cpsat"

    @property
    def limited_by_grid(self) -> bool:
        """Whether nothing but the rounding of times keeps the gap open."""
        return self.complete and self.problem.grid.direction == "down"

    def solve(self) -> bool:
        """Improve plan and bound; return whether infeasibility is proven."""
        search = self.search
        made = self.build(self.problem)
        if made is None:
            return search.plan is None and not self.unbuilt
        self.faithful = made.build.faithful
        rounded = self.problem.grid.direction == "down" or not self.faithful
        hinted = self._hint(made, self.problem)
        kept = ROUND_UP_SHARE if rounded and not hinted else 0.0
        answer = run(
            made, self.budget, self.left(1 - kept), self.take, self._raise, lower=self.lower
        )
        self.spent += answer.seconds
        if answer.infeasible:
            return search.plan is None
        self._learn(answer)
        strict = made.build.loose and self.complete
        if ((rounded and not self.carried) or strict) and not search.closed(self.level):
            self._round_up()
        elif kept and not self.complete and not search.closed(self.level):
            # What was kept back for rounding up is not needed.
            self._hint(made, self.problem)
            answer = run(made, self.budget, self.left(kept), self.take, self._raise)
            self.spent += answer.seconds
            self._learn(answer)
        if self.complete:
            search.exhausted.add(self.level)
        return False

    def _learn(self, answer: Answer) -> None:
        """Take what a solve has found and proved."""
        if answer.infeasible:
            return
        self._raise(answer.bound)
        self.complete = answer.complete
        if answer.schedule is not None:
            self.take(answer.schedule)

    def repair(self) -> None:
        """Improve the plan by large neighbourhood search, on a grid that plans need no way from."""
        search = self.search
        if search.plan is None:
            return
        problem = self.problem
        if problem.grid.direction == "down":
            problem = Problem(search.instance, Grid(problem.grid.tick, "up"))
        made = self.build(problem)
        schedule = self._known(problem)
        seconds = self.left(1.0)
        if made is None or schedule is None or self.budget.over() or seconds <= 0:
            return
        self.faithful, self.by = made.build.faithful, "lns"
        value = _least(made.objective, search.values[self.level])
        proven = repair(made, schedule, value, self.budget, seconds, self.take)
        if proven is not None:
            search.exhausted.add(self.level)
        if proven is not None and problem.grid.direction == "exact":
            self._raise(made.objective.value(proven))

    def build(self, problem: Problem) -> ScheduleModel | None:
        """Build the model of the level; None where no plan can be, or where it is not to be had.

        It takes too long, or its numbers do not fit CP-SAT, which says nothing of plans.
        """
        search, budget = self.search, self.budget
        build = partial(build_model, problem, self.level, list(search.values[: self.level]))
        if budget.deterministic:
            made = build()
        else:
            done = in_time(lambda: (build(),), self.left(1.0), budget.stop)
            made, self.unbuilt = (None, True) if done is None else (done[0], False)
        if made is not None and made.model.validate():
            made, self.unbuilt = None, True
            if TOO_LARGE not in search.notes:
                search.notes.append(TOO_LARGE)
        return made

    def _hint(self, made: ScheduleModel, problem: Problem) -> bool:
        """Give the best plan known as a hint; return whether there was one and it is complete."""
        schedule = self._known(problem)
        return schedule is not None and add_hint(made, schedule, self.budget)

    def _known(self, problem: Problem) -> TickSchedule | None:
        """Return the best plan known on a grid, with its units in the order that models use."""
        search = self.search
        if search.plan is None:
            return None
        timed = problem if problem.cycle else plan_problem(search.instance)
        if timed.grid.direction == "down":
            return None
        schedule = tick_schedule_of(timed, search.plan)
        if schedule is None:
            return None
        schedule = canonical_units(schedule)
        return schedule if problem.grid == timed.grid else _moved(schedule, problem)

    def left(self, share: float) -> float:
        """Seconds that a solve may take (deterministic ones where the budget counts those)."""
        if self.budget.deterministic:
            return self.seconds * share
        return max(0.0, self.until - time.monotonic()) * share

    def take(self, schedule: TickSchedule) -> bool:
        """Carry a model's plan to the plan grid and offer it; return whether the gap is closed."""
        search = self.search
        if self.problem.cycle:
            return self._take_cyclic(schedule)
        timed = plan_problem(search.instance)
        same = schedule.problem.grid == timed.grid
        moved = schedule if same else _moved(schedule, timed)
        plan = moved.plan() if moved is not None else None
        # What was held for no time at all on a coarse grid may be held for some on a fine one.
        if plan is not None and not (same and self.faithful):
            plan = plan if verify(search.instance, plan).ok else None
        self.carried = plan is not None
        if plan is not None:
            search.offer(plan, self.by)
            if not same:
                search.shift(plan, "cpsat")
        return search.closed(self.level)

    def contradicted(self, value: float) -> bool:
        """Whether a point that was found and taken below a proven value contradicts its bound.

        It does where the plan is better by more than rounding, or where the point is none on the
        plan grid: then it holds on the grid of the bound alone.
        """
        new = self.search.values[self.level]
        return new == value or abs(new - value) > GAP_TOLERANCE * abs(value)

    def _take_cyclic(self, schedule: TickSchedule) -> bool:
        """Offer a plan as it stands: orders on a circle are not carried to another grid."""
        plan = schedule.plan()
        self.carried = verify(self.search.instance, plan).ok
        if self.carried:
            self.search.offer(plan, self.by)
        return self.search.closed(self.level)

    def _raise(self, bound: float) -> None:
        self.search.raise_bound(bound, self.by)

    def _round_up(self) -> None:
        """Look for plans with everything rounded up; its bounds mean nothing."""
        grid = Grid(self.problem.grid.tick, "up")
        problem = Problem(self.search.instance, grid)
        made = self.build(problem)
        seconds = self.left(1.0)
        if made is None or (self.budget.over() or seconds <= 0):
            return
        self._hint(made, problem)
        self.faithful = True
        self.spent += run(made, self.budget, seconds, self.take, lambda bound: None).seconds


def _moved(schedule: TickSchedule, problem: Problem) -> TickSchedule | None:
    """Carry a schedule to another grid; where waiting may pay it keeps its waits if it can."""
    if prices_vary(problem.instance) or may_sleep(problem.instance):
        kept = retime(schedule, problem, wait=True)
        if kept is not None:
            return kept
    return retime(schedule, problem)


def _least(scaled: Scaled, value: float) -> int:
    """Return the value of a model's objective that stands for one in real units, rounded down."""
    return math.floor((scaled.sign * exact(value) - scaled.constant) / scaled.unit)
