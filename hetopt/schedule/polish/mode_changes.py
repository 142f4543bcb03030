"""Change the options of a plan's tasks one at a time: faster where late, cheaper where slack is.

Units and orders stay as they are, so that a plan is a graph of nodes (tasks and hops) with arcs
from what must end to what begins then; :mod:`hetopt.schedule.polish.slack_reclamation` makes it
and starts from the answer of a linear programme.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

REPAIR_WORK = 1_000_000
"""Orders × changes that the repair may look at: about a second."""
NOISE = 1e-9
"""Relative noise of times and costs in floats."""


@dataclass(frozen=True, slots=True)
class Run:
    """One option of a task on its device: index, time in s, cost."""

    option: int
    time: float
    cost: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A plan as the programme sees it: nodes in an order in which all arcs go forward.

    Attributes
    ----------
    task
        Per node: its task, -1 for a hop.
    length
        Per node: time of a hop; 0 for a task, whose time depends on its option.
    arcs
        (u, v): node u ends before node v begins; sorted by v.
    release, deadline
        Per node, s.
    runs
        Per task: its options, fastest first, each cheaper than those before.
    rate
        Cost per second of the makespan.
    end
        Latest makespan, s.
    """

    task: list[int]
    length: list[float]
    arcs: list[tuple[int, int]]
    release: list[float]
    deadline: list[float]
    runs: list[list[Run]]
    rate: float
    end: float


class Repair:
    """Changes of options one at a time: faster where something is late, then cheaper ones."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.chosen: list[int] = []
        self.held = -1
        self.makespan = 0.0
        self.before: list[list[int]] = [[] for _ in chart.task]
        self.after: list[list[int]] = [[] for _ in chart.task]
        for u, v in chart.arcs:
            self.before[v].append(u)
            self.after[u].append(v)
        self.node = {task: i for i, task in enumerate(chart.task) if task >= 0}
        self.left = REPAIR_WORK // max(1, len(chart.arcs))

    def run(self, start: list[int], held: int = -1) -> tuple[float, list[int]] | None:
        """Return cost and option of each task; None where something stays late.

        Parameters
        ----------
        start
            Option of each task to begin with.
        held
            A task that keeps its own, -1: none.
        """
        self.chosen, self.held = list(start), held
        slack, spare = self._slacks()
        while True:
            change = self._faster(slack) if min(slack) < 0 else self._cheaper(slack, spare)
            if change is None or self.left <= 0:
                break
            self.left -= 1
            task, k = change
            self.chosen[task] = k
            slack, spare = self._slacks()
        if min(slack) < 0:
            return None
        cost = sum(own[k].cost for own, k in zip(self.chart.runs, self.chosen, strict=True))
        return cost + self.chart.rate * self.makespan, self.chosen

    def exchange(self, best: tuple[float, list[int]]) -> tuple[float, list[int]]:
        """Improve an answer by one change and all that follows from it, while there is time."""
        task, idle = 0, 0
        while idle < len(best[1]) and self.left > 0:
            idle += 1
            for k in range(len(self.chart.runs[task])):
                if k == best[1][task]:
                    continue
                start = list(best[1])
                start[task] = k
                found = self.run(start, task)
                if found is not None and found[0] < best[0] * (1 - NOISE):
                    best, idle = found, 0
            task = (task + 1) % len(best[1])
        return best

    def _slacks(self) -> tuple[list[float], list[float]]:
        """How much longer each task may take, by the limits; and without a longer makespan."""
        chart = self.chart
        length = [
            self.chart.runs[t][self.chosen[t]].time if t >= 0 else chart.length[i]
            for i, t in enumerate(chart.task)
        ]
        start = list(chart.release)
        for v in range(len(start)):
            for u in self.before[v]:
                start[v] = max(start[v], start[u] + length[u])
        self.makespan = max(start[v] + length[v] for v in range(len(start)))
        found = []
        noise = NOISE * self.makespan
        for end in (chart.end, min(chart.end, self.makespan)):
            late = [min(end, deadline) for deadline in chart.deadline]
            for u in range(len(late) - 1, -1, -1):
                for v in self.after[u]:
                    late[u] = min(late[u], late[v] - length[v])
            gap = [late[i] - start[i] - length[i] for i in range(len(late))]
            by_task = [gap[self.node[t]] for t in range(len(chart.runs))]
            found.append([0.0 if -noise <= g < 0 else g for g in by_task])
        return found[0], found[1]

    def _faster(self, slack: list[float]) -> tuple[int, int] | None:
        """Change that makes up for lateness at the least price per second."""
        best: tuple[float, int, int] | None = None
        worst = min(slack)
        for task, k in enumerate(self.chosen):
            if slack[task] > worst * (1 - NOISE) or k == 0 or task == self.held:
                continue
            old, new = self.chart.runs[task][k], self.chart.runs[task][k - 1]
            gained = min(old.time - new.time, -worst)
            price = (new.cost - old.cost) / gained
            if best is None or price < best[0]:
                best = (price, task, k - 1)
        return None if best is None else best[1:]

    def _cheaper(self, slack: list[float], spare: list[float]) -> tuple[int, int] | None:
        """Change that saves most per second, with what a longer makespan costs."""
        best: tuple[float, int, int] | None = None
        for task, k in enumerate(self.chosen):
            own = self.chart.runs[task]
            if task == self.held:
                continue
            for other in range(k + 1, len(own)):
                longer = own[other].time - own[k].time
                if longer > slack[task]:
                    break
                saved = own[k].cost - own[other].cost
                saved -= self.chart.rate * max(0.0, longer - spare[task])
                worth = saved / longer if longer > 0 else math.inf
                if saved > 0 and (best is None or worth > best[0]):
                    best = (worth, task, other)
        return None if best is None else best[1:]
