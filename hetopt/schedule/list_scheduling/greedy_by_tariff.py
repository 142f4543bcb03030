"""List schedules that wait for cheap energy: each task takes the cheapest of several starts.

The mean price over a run is piecewise linear in its start, so a task tries its earliest start and
those at which it would begin or end with a change of prices, cheapest first. All ends are held
below some end of everything, of which several are tried: waiting costs idle power.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Iterator

from hetopt.instance import Instance, Series
from hetopt.instance.tariffs import mean_prices, series_of
from hetopt.schedule.list_scheduling.timetable import Timetable, Trial
from hetopt.schedule.model.problem import NEVER, Mode, Problem, plan_problem
from hetopt.schedule.model.upward_ranks import ReadyTasks, mean_times, upward_ranks

TRIES = 8
"""Starts tried per mode and unit."""
ENDS = 10
"""Ends of everything that are tried."""
STRETCHES = (1.0, 1.5)
"""How much of its mean-time tail a task leaves before the end."""


def priced_tables(instance: Instance, limit: float | None = None) -> Iterator[Timetable]:
    """Yield complete timetables of several passes, for the first objective with such a price.

    ``limit`` is a ``time.monotonic()`` value at which to give up.
    """
    names = [n for n in instance.objective if series_of(instance, n) is not None]
    series = series_of(instance, names[0]) if names else None
    if series is None:
        return
    problem = plan_problem(instance)
    ranks, mean = upward_ranks(problem), mean_times(problem)
    pass_ = _Pass(problem, series)
    heaviest = [
        max((float(problem.energy(t, m.option)) for m in problem.modes[t]), default=0.0)
        for t in range(problem.n_tasks)
    ]
    orders = [ranks] if any(problem.entering) else [ranks, heaviest]
    for end in _ends(problem, series):
        for order in orders:
            for stretch in STRETCHES if any(problem.entering) else STRETCHES[:1]:
                target = [end - stretch * (r - m) for r, m in zip(ranks, mean, strict=True)]
                table = pass_.build(order, target, limit)
                if table is not None:
                    yield table
                if limit is not None and time.monotonic() >= limit:
                    return


def _ends(problem: Problem, series: Series) -> list[float]:
    """Return ends of everything to try: the deadline, and changes of the price before it."""
    last = max((d for d in problem.deadline if d < NEVER), default=problem.span)
    changes = [problem.grid.limit(t) for t in series.from_s[1:] if problem.grid.limit(t) < last]
    if len(changes) > ENDS - 1:
        changes = [changes[len(changes) * k // (ENDS - 1)] for k in range(ENDS - 1)]
    return [float(t) for t in (last, *reversed(changes))]


class _Pass:
    """List scheduling with a choice of starts."""

    def __init__(self, problem: Problem, series: Series) -> None:
        self.problem, self.series = problem, series
        self.tick = float(problem.grid.tick)
        self.changes = [problem.grid.limit(t) for t in series.from_s[1:]]

    def build(
        self, priority: list[float], target: list[float], limit: float | None
    ) -> Timetable | None:
        """Place all tasks, ready ones by decreasing priority; None where one fits nowhere."""
        problem = self.problem
        table = Timetable(problem)
        ready = ReadyTasks(problem, priority)
        for task in ready:
            if limit is not None and time.monotonic() >= limit:
                return None
            best = self._best(table, task, target[task])
            if best is None:
                return None
            table.commit(best)
            ready.release_after(task)
        return table

    def _best(self, table: Timetable, task: int, target: float) -> Trial | None:
        best: Trial | None = None
        least: tuple[float, ...] = ()
        for mode in self.problem.modes[task]:
            joules = float(self.problem.energy(task, mode.option))
            for unit in table.units_for(task, mode.device):
                for trial in self._trials(table, task, mode, unit, target):
                    end = float(trial.end)
                    late = end > target
                    price = mean_prices(self.series, self.tick, [trial.start], mode.duration)
                    cost = joules * price[0]
                    key = (float(late), end if late else cost, end, float(mode.option), unit)
                    if best is None or key < least:
                        best, least = trial, key
        return best

    def _trials(
        self, table: Timetable, task: int, mode: Mode, unit: int, target: float
    ) -> Iterator[Trial]:
        first = table.trial(task, mode, unit)
        if first is None:
            return
        yield first
        low, high = (
            first.start,
            math.floor(min(target, self.problem.deadline[task])) - mode.duration,
        )
        starts = sorted(
            {
                t - back
                for back in (0, mode.duration)
                for t in self.changes[
                    bisect.bisect_right(self.changes, low + back) : bisect.bisect_right(
                        self.changes, high + back
                    )
                ]
            }
            | ({high} if high > low else set())
        )
        if not starts:
            return
        cost = mean_prices(self.series, self.tick, starts, mode.duration)
        for k in sorted(range(len(starts)), key=lambda i: (cost[i], starts[i]))[:TRIES]:
            trial = table.trial(task, mode, unit, starts[k])
            if trial is not None:
                yield trial
                if trial.start == starts[k]:
                    return
