"""Earliest starts and latest ends of the tasks of a problem, by what no plan can avoid."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate.slowing import slows
from hetopt.instance import Floats
from hetopt.schedule.bounds.heads_and_tails import Reach, latest_ends, ticks_below
from hetopt.schedule.bounds.objective_bounds import makespan_bound, reach_of
from hetopt.schedule.model.problem import NEVER, Problem

WINDOW_WORK = 4_000_000
"""Edges × pairs of devices up to which heads and tails count unavoidable transfers."""


class TimeWindows:
    """Bounds of single times in ticks, each found when it is first asked for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @classmethod
    def of(cls, problem: Problem) -> TimeWindows:
        """Return the windows of a problem, the same ones at every call."""
        found: TimeWindows = problem.derived.setdefault(cls, cls(problem))
        return found

    @cached_property
    def heads(self) -> list[dict[int, int]]:
        """Per task and device: earliest start there, by releases, shortest options, transfers."""
        reached = self._reach
        if reached is not None:
            return self._by_device(reached.start)
        heads: list[dict[int, int]] = [{} for _ in range(self.problem.n_tasks)]
        for task in self.problem.order:
            here = dict.fromkeys(self.problem.fastest(task), self.problem.release[task])
            for e in self.problem.entering[task]:
                before, _, tensor = self.problem.edges[e]
                ends = {d: heads[before][d] + p for d, p in self.problem.fastest(before).items()}
                for device in here:
                    arrival = self._soonest(ends, tensor, device, forward=True)
                    here[device] = max(here[device], arrival)
            heads[task] = here
        return heads

    @cached_property
    def latest_ends(self) -> list[dict[int, int]]:
        """Per task and device: latest end there by the deadlines of all that waits for it."""
        if self._reach is not None:
            return self._latest_ends(self._reach)
        late: list[dict[int, int]] = [{} for _ in range(self.problem.n_tasks)]
        for task in reversed(self.problem.order):
            here = dict.fromkeys(
                self.problem.fastest(task), min(self.problem.deadline[task], self.problem.span)
            )
            for e in self.problem.leaving[task]:
                _, after, tensor = self.problem.edges[e]
                starts = {d: -(late[after][d] - p) for d, p in self.problem.fastest(after).items()}
                for device in here:
                    latest = -self._soonest(starts, tensor, device, forward=False)
                    here[device] = min(here[device], latest)
            late[task] = here
        return late

    @cached_property
    def rests(self) -> list[dict[int, int]]:
        """Per task and device: least time from its end there to the last end of all after it."""
        reached = self._reach
        if reached is not None:
            return self._by_device(reached.rest)
        return [
            dict.fromkeys(self.problem.fastest(task), tail)
            for task, tail in enumerate(self._plain_tails)
        ]

    @cached_property
    def tails(self) -> list[int]:
        """Per task: least time from its end to the last end of all that follows it."""
        if self._reach is None:
            return self._plain_tails
        return [min(rests.values(), default=0) for rests in self.rests]

    @cached_property
    def _plain_tails(self) -> list[int]:
        """Tails by shortest options alone."""
        tails = [0] * self.problem.n_tasks
        for task in reversed(self.problem.order):
            for e in self.problem.leaving[task]:
                after = self.problem.edges[e][1]
                shortest = min(self.problem.fastest(after).values(), default=0)
                tails[task] = max(tails[task], shortest + tails[after])
        return tails

    @cached_property
    def least(self) -> int:
        """Ticks that every plan takes, by work and messages."""
        least_s = makespan_bound(self.problem.instance)
        if slows(self.problem.instance) and np.isfinite(least_s):
            # What is slowed ends between ticks, and the work on what slows it counts in seconds.
            return math.floor(least_s / float(self.problem.grid.tick) * (1 - GAP_TOLERANCE))
        return (
            int(ticks_below(np.array([least_s]), self.problem.grid)[0])
            if np.isfinite(least_s)
            else 0
        )

    @cached_property
    def _reach(self) -> Reach | None:
        """Bounds with messages in seconds; None without messages or where it takes too long."""
        return reach_of(self.problem.instance)

    def _by_device(self, times_s: Floats) -> list[dict[int, int]]:
        """Return times (T × D) in ticks, rounded to what surely is not above them."""
        known = np.isfinite(times_s)
        below = ticks_below(np.where(known, times_s, 0.0), self.problem.grid)
        ticks = np.where(known, np.minimum(below, NEVER), NEVER)
        return [
            {d: max(0, int(row[d])) for d in self.problem.devices_of(task)}
            for task, row in enumerate(ticks.tolist())
        ]

    def _latest_ends(self, reached: Reach) -> list[dict[int, int]]:
        deadline = [min(d, self.problem.span) for d in self.problem.deadline]
        if len(set(deadline)) == 1:
            return [{d: deadline[0] - r for d, r in rests.items()} for rests in self.rests]
        seconds = np.array([float(d * self.problem.grid.tick) for d in deadline])
        late = latest_ends(self.problem.instance, reached.length, seconds)
        known = np.isfinite(late)
        above = -ticks_below(np.where(known, -late, 0.0), self.problem.grid)
        ticks = np.where(known, above, -NEVER).tolist()
        return [
            {d: min(int(row[d]), deadline[task]) for d in self.problem.devices_of(task)}
            for task, row in enumerate(ticks)
        ]

    def _soonest(self, times: dict[int, int], tensor: int, device: int, *, forward: bool) -> int:
        """Least of times[other] + transfer between ``other`` and ``device``."""
        if not times:
            return NEVER
        pairs = len(self.problem.edges) * len(self.problem.units) ** 2
        if tensor < 0 or pairs > WINDOW_WORK:
            return min(times.values())
        best = NEVER
        for other, time in times.items():
            if time >= best:
                continue
            ends = (other, device) if forward else (device, other)
            delay = 0 if other == device else self.problem.delay(tensor, *ends)
            if delay is not None:
                best = min(best, time + delay)
        return best
