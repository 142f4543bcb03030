"""Limits of latency that hold with waiting: loads are tightened until plans leave room enough.

How long requests wait is an estimate (`hetopt.evaluate.queueing`), no row of the program: it
depends on the loads of all that shares a queue. So the program is solved without it first, which
gives the bound and is the only ground for `infeasible` (a limit of waiting only takes plans away),
and where its plan is estimated too late, again with smaller loads: units of the devices that late
jobs use may be busy for a smaller part of their time, which the checker of the true instance sees
as room. Where that does not help a late job out of the queue of others, devices are made exclusive,
so that classes of requests do not wait for each other. Of the plans that are in time the best is
kept, after a bisection between the last part that was too much and the first that was not.

The gap to the bound without waiting is reported as it is: what it takes to wait less is not proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.evaluate.queueing import PlanQueues
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Bools, Floats, Instance, is_maximised
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.solution import ScenarioPlan, SteadyPlan, StreamPlan
from hetopt.verify import verify

Solve = Callable[[Instance, Budget, StreamPlan | None], RegimeResult]

FIRST_SHARE = 0.5
"""Part of the time for the program without waiting."""
STEP, LEAST = 0.8, 0.02
"""What loads are multiplied by while a plan is late, and the part below which none is tried."""
BISECTIONS = 5

NOTE = (
    "Latency with waiting is an estimate (M/G/c queues), met by smaller loads; the bound is that "
    "without waiting, so the gap holds what it takes to wait less."
)


def asks_for_waiting(instance: Instance) -> bool:
    """Whether any latency limit must hold with waiting."""
    return bool((~np.isnan(instance.jobs.latency_quantile)).any())


def late_jobs(instance: Instance, plan: StreamPlan) -> Bools:
    """Return the jobs (J) that are estimated late in a plan, in any scenario."""
    parts = [(instance, plan)]
    if isinstance(plan, ScenarioPlan):
        parts = [(instance.in_scenario(s), part) for s, part in enumerate(plan.plans)]
    late = np.zeros(len(instance.jobs), dtype=bool)
    for of, part in parts:
        if isinstance(part, SteadyPlan):
            late |= PlanQueues(SteadyQuantities(of, part)).late
    return late


def solve_waiting(
    instance: Instance, budget: Budget, start: StreamPlan | None, solve: Solve
) -> RegimeResult:
    """Return the best plan found whose estimated quantiles meet their limits.

    Parameters
    ----------
    solve
        Solves an instance whose limits are of the service alone.
    """
    jobs = replace(instance.jobs, latency_quantile=np.full(len(instance.jobs), np.nan))
    plain = replace(instance, jobs=jobs)
    first = solve(plain, _part(budget, FIRST_SHARE), None)
    if first.infeasible or not isinstance(first.plan, SteadyPlan | ScenarioPlan):
        return first
    search = _Search(instance, plain, budget, solve)
    search.offer(start)
    if search.offer(first.plan):
        return replace(first, notes=(*first.notes, NOTE))
    search.tighten(first.plan)
    best = search.best
    later = len(instance.objective) - 1
    bounds = (first.bounds[0], *(math.nan for _ in range(later)))
    if best is None:
        reason = "No plan was found whose estimated latency with waiting meets the limits."
        return replace(
            first, plan=None, bounds=bounds, reason=reason, stopped_by="iteration_limit", proof=None
        )
    return replace(
        first,
        plan=best,
        bounds=bounds,
        stopped_by="time_limit" if budget.over() else "iteration_limit",
        method="heuristic",
        notes=(*first.notes, NOTE),
        proof=None,
        marginal=None,
    )


@dataclass(slots=True)
class _Search:
    instance: Instance
    plain: Instance
    budget: Budget
    solve: Solve
    best: StreamPlan | None = None

    def offer(self, plan: object) -> bool:
        """Keep a plan that the checker of the true instance accepts; say whether it does."""
        if not isinstance(plan, SteadyPlan | ScenarioPlan):
            return False
        if late_jobs(self.instance, plan).any() or not verify(self.instance, plan).ok:
            return False
        if self.best is None or self._better(plan, self.best):
            self.best = plan
        return True

    def _better(self, plan: StreamPlan, other: StreamPlan) -> bool:
        for name in self.instance.objective:
            sign = -1.0 if is_maximised(name) else 1.0
            mine, theirs = (sign * objective_value(self.instance, p, name) for p in (plan, other))
            if abs(mine - theirs) > 1e-9 * max(abs(mine), abs(theirs)):
                return mine < theirs
        return False

    def tighten(self, plan: StreamPlan) -> None:
        """Lower the loads of devices that late jobs use until none is late, then raise them."""
        for alone in (False, True):
            part = np.ones(len(self.instance.devices))
            before, known = part, plan
            while not self.budget.over():
                slower = self._used(known, late_jobs(self.instance, known))
                before, part = part, np.where(slower, part * STEP, part)
                if (part < LEAST).any():
                    break
                found = self._with(part, alone=alone)
                if self.offer(found):
                    self._bisect(before, part, alone=alone)
                    break
                if not isinstance(found, SteadyPlan | ScenarioPlan):
                    break
                known = found

    def _bisect(self, late: Floats, fine: Floats, *, alone: bool) -> None:
        for _ in range(BISECTIONS):
            if self.budget.over():
                return
            middle = (late + fine) / 2.0
            if self.offer(self._with(middle, alone=alone)):
                fine = middle
            else:
                late = middle

    def _with(self, part: Floats, *, alone: bool) -> object:
        """Solve with a part of each device's utilisation, and a queue for each job where alone."""
        devices = self.plain.devices
        most = np.maximum(devices.max_utilization * part, np.maximum(devices.min_load, 1e-9))
        exclusive = devices.exclusive | (alone & (part < 1.0))
        tight = replace(devices, max_utilization=most, exclusive=exclusive)
        asked = replace(self.plain, devices=tight)
        return self.solve(asked, _part(self.budget, 0.3), None).plan

    def _used(self, plan: StreamPlan, late: Bools) -> Bools:
        """Return the devices (D) that late jobs use."""
        used = np.zeros(len(self.instance.devices), dtype=bool)
        for part in plan.plans if isinstance(plan, ScenarioPlan) else (plan,):
            route = np.repeat(np.arange(len(part.route_job)), np.diff(part.ptr))
            rows = late[part.route_job[route]] & (part.rate_per_s[route] > 0)
            used[self.instance.options.device[part.option[rows]]] = True
        return used


def _part(budget: Budget, share: float) -> Budget:
    """Return a part of a budget's time."""
    if budget.deterministic:
        return replace(budget, limit_s=budget.limit_s * share)
    left = budget.left_s() * share
    return replace(budget, deadline=budget.deadline - budget.left_s() + left, limit_s=left)
