"""Move the runs of a plan to cheaper times, where prices change over time.

Coordinate descent: every task and hop in turn goes to the cheapest start between what must have
ended before it and what may only start after it, as the plan orders them on each shared resource.
Within that window the cost is piecewise linear in the start, so its ends and the starts at which
the run begins or ends with a change of prices are all that need a look.
"""

from __future__ import annotations

import bisect

import numpy as np

from hetopt.instance import Instance, Series
from hetopt.instance.states.setups import device_setups
from hetopt.instance.tariffs import mean_price, prices_vary, series_of
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.problem import NEVER, Problem
from hetopt.schedule.model.tick_schedule import (
    Activity,
    ChainKey,
    TickSchedule,
    activities,
    needed_chains,
    tick_schedule_of,
)
from hetopt.solution import READ, WRITE, SchedulePlan

SWEEPS = 4
"""Passes over all runs; most of the gain is in the first."""
MOST_RUNS = 3_000
"""Tasks and hops above which the plan is left as it is."""
ROUNDING = 1e-12
"""Relative difference below which two mean prices count as equal."""
MOST_PAIRS = 3_000_000
"""Pairs of runs on one resource above which the plan is left as it is."""


def shift(instance: Instance, plan: SchedulePlan) -> SchedulePlan | None:
    """Return a plan of the same order that costs less in the first objective with such a price.

    None where prices do not change, nothing is gained, the plan is too large for this, or units
    are set up.
    """
    names = [n for n in instance.objective if series_of(instance, n) is not None]
    # A set-up would move with its task, past what both wait for.
    moves = prices_vary(instance) and not device_setups(instance)
    if not names or not moves or len(plan.start_s) + len(plan.hops) > MOST_RUNS:
        return None
    series = series_of(instance, names[0])
    problem = plan_problem(instance)
    schedule = tick_schedule_of(problem, plan)
    chains = None if schedule is None else needed_chains(problem, schedule.mode, schedule.unit)
    if series is None or schedule is None or chains is None:
        return None
    runs = activities(schedule, problem, schedule.mode, chains)
    order = _Order(problem, schedule, runs)
    if not order.known:
        return None
    prices = _Prices(series, problem)
    gained = False
    for _ in range(SWEEPS):
        moved = False
        for i in sorted(range(len(runs)), key=lambda k: (-order.start[k], k)):
            if order.joules[i] and order.move(i, prices):
                moved = True
        if not moved:
            break
        gained = True
    return order.plan() if gained else None


class _Prices:
    """Mean prices of runs in ticks, and the starts worth a look."""

    def __init__(self, series: Series, problem: Problem) -> None:
        self.series = series
        self.tick = float(problem.grid.tick)
        self.changes: list[int] = sorted(
            {
                problem.grid.limit(t) + late
                for t in series.from_s[1:]
                for late in (0, 1)
                if late == 0 or problem.grid.direction != "exact"
            }
        )

    def starts(self, low: int, high: int, duration: int) -> list[int]:
        """Return the starts in [low, high] at which the mean price may be least."""
        found = [low, high]
        for back in (0, duration):
            a = bisect.bisect_left(self.changes, low + back)
            b = bisect.bisect_right(self.changes, high + back)
            found += [t - back for t in self.changes[a:b]]
        return found

    def means(self, starts: list[int], duration: int) -> list[float]:
        """Mean price over runs from each start."""
        begin = np.array(starts, dtype=np.float64) * self.tick
        found: list[float] = mean_price(self.series, begin, begin + duration * self.tick).tolist()
        return found


class _Order:
    """Runs with what must end before and start after each; ``known`` unless there are too many."""

    def __init__(self, problem: Problem, schedule: TickSchedule, runs: list[Activity]) -> None:
        self.problem, self.schedule, self.runs = problem, schedule, runs
        self.start = [run.start for run in runs]
        self.length = [run.duration for run in runs]
        self.before: list[list[int]] = [[] for _ in runs]
        self.after: list[list[int]] = [[] for _ in runs]
        chains = needed_chains(problem, schedule.mode, schedule.unit) or {}
        self.joules = [
            problem.energy(run.task, schedule.mode[run.task].option)
            if run.key is None
            else problem.hop_energy(run.key[0], (chains[run.key].hops[run.hop],))
            for run in runs
        ]
        self.limit = max((schedule.end(t) for t in range(problem.n_tasks)), default=0)
        if problem.horizon < NEVER:
            self.limit = problem.horizon
        self.known = self._resources()
        if self.known:
            self._data()

    def move(self, i: int, prices: _Prices) -> bool:
        """Put one run at its cheapest start; return whether it costs less there."""
        run = self.runs[i]
        low = max((self.start[k] + self.length[k] for k in self.before[i]), default=0)
        high = min((self.start[k] for k in self.after[i]), default=self.limit)
        if run.key is None:
            low = max(low, self.problem.release[run.task])
        low = max([low, *(self.problem.ready[tag[1]] for tag in run.tags if tag[0] == 0)])
        if run.key is None:
            high = min(high, self.problem.deadline[run.task], self.limit)
        high -= self.length[i]
        if not low <= self.start[i] <= high or low == high:
            return False
        tried = [self.start[i], *prices.starts(low, high, self.length[i])]
        cost = prices.means(tried, self.length[i])
        least = min(cost)
        if least >= cost[0] * (1 - ROUNDING):
            return False
        # The latest of equals leaves most room to those before, whose turn comes next.
        self.start[i] = max(
            t for t, c in zip(tried, cost, strict=True) if c <= least + cost[0] * ROUNDING
        )
        return True

    def plan(self) -> SchedulePlan:
        """Return the plan columns of the runs where they are now."""
        schedule = self.schedule
        start = list(schedule.start)
        hops = {key: list(starts) for key, starts in schedule.hops.items()}
        for run, at in zip(self.runs, self.start, strict=True):
            if run.key is None:
                start[run.task] = at
            else:
                hops[run.key][run.hop] = at
        return TickSchedule(
            schedule.problem, schedule.mode, schedule.unit, start, hops, schedule.blur
        ).plan()

    def _resources(self) -> bool:
        """Keep what ended before another run of the same resource started before it."""
        by_tag: dict[tuple[int, int, int], list[int]] = {}
        for i, run in enumerate(self.runs):
            for tag in run.tags:
                by_tag.setdefault(tag, []).append(i)
        if sum(len(rows) ** 2 for rows in by_tag.values()) > MOST_PAIRS:
            return False
        for rows in by_tag.values():
            for place, i in enumerate(rows):
                for k in rows[place + 1 :]:
                    if self.runs[i].end <= self.runs[k].start:
                        self._wait(k, i)
                    elif self.runs[k].end <= self.runs[i].start:
                        self._wait(i, k)
        return True

    def _data(self) -> None:
        """Edges, hops after one another, consumers after arrivals."""
        problem, mode, unit = self.problem, self.schedule.mode, self.schedule.unit
        task = {run.task: i for i, run in enumerate(self.runs) if run.key is None}
        hop: dict[ChainKey, dict[int, int]] = {}
        for i, run in enumerate(self.runs):
            if run.key is not None:
                hop.setdefault(run.key, {})[run.hop] = i
        host = (problem.instance.host, -1)
        for key, rows in hop.items():
            producer = problem.producer[key[0]]
            for k, i in rows.items():
                self._wait(i, rows[k - 1] if k else task[producer])
            written = hop.get((key[0], WRITE, *host))
            if key[1] == READ and written:
                self._wait(rows[0], written[max(written)])
        for before, after, tensor in problem.edges:
            self._wait(task[after], task[before])
            source, here = (mode[before].device, unit[before]), (mode[after].device, unit[after])
            if tensor < 0 or source == here:
                continue
            for leg, hops in problem.legs(tensor, source[0], here[0]) or []:
                if hops:
                    rows = hop[(tensor, leg, *(host if leg == WRITE else here))]
                    self._wait(task[after], rows[max(rows)])

    def _wait(self, later: int, earlier: int) -> None:
        self.before[later].append(earlier)
        self.after[earlier].append(later)
