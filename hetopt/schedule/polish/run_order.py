"""Runs of a plan with what each waits for: orders on resources, data, hops after one another."""

from __future__ import annotations

from hetopt.schedule.model.problem import NEVER, Problem
from hetopt.schedule.model.tick_schedule import (
    Activity,
    ChainKey,
    TickSchedule,
    needed_chains,
)
from hetopt.solution import READ, WRITE, SchedulePlan

MOST_RUNS = 3_000
"""Tasks and hops above which a plan is left as it is."""
MOST_PAIRS = 3_000_000
"""Pairs of runs on one resource above which it is, too."""


class RunOrder:
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

    def room(self, i: int) -> tuple[int, int]:
        """Return the earliest and the latest start of a run, all others where they are."""
        run = self.runs[i]
        low = max((self.start[k] + self.length[k] for k in self.before[i]), default=0)
        high = min((self.start[k] for k in self.after[i]), default=self.limit)
        if run.key is None:
            low = max(low, self.problem.release[run.task])
        low = max([low, *(self.problem.ready[tag[1]] for tag in run.tags if tag[0] == 0)])
        if run.key is None:
            high = min(high, self.problem.deadline[run.task], self.limit)
        return low, high - self.length[i]

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
