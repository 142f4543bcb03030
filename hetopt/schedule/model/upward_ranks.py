"""Upward ranks by mean times and messages, in ticks, and tasks ready in the order of such ranks."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from hetopt.schedule.model.problem import Problem


def upward_ranks(problem: Problem) -> list[float]:
    """HEFT's upward ranks in ticks.

    Means run over units of each device's fastest option; the mean message time over all pairs of
    different units (a pair of devices without a path is left out), without contention.
    """
    mean = mean_times(problem)
    message = _mean_messages(problem)
    ranks = [0.0] * problem.n_tasks
    for task in reversed(problem.order):
        tail = 0.0
        for e in problem.leaving[task]:
            _, after, tensor = problem.edges[e]
            tail = max(tail, ranks[after] + (message[tensor] if tensor >= 0 else 0.0))
        ranks[task] = mean[task] + tail
    return ranks


def mean_times(problem: Problem) -> list[float]:
    """Mean over units of each device's fastest option, per task, in ticks."""
    means = []
    for task in range(problem.n_tasks):
        fastest = problem.fastest(task)
        units = sum(problem.units[d] for d in fastest)
        total = sum(problem.units[d] * p for d, p in fastest.items())
        means.append(total / units if units else 0.0)
    return means


class ReadyTasks:
    """Tasks all of whose predecessors are placed, by decreasing priority, then by their number."""

    def __init__(self, problem: Problem, priority: Sequence[float]) -> None:
        self.problem, self.priority = problem, priority
        self.open_before = [len(rows) for rows in problem.entering]
        self.ready = [(-priority[t], t) for t in range(problem.n_tasks) if not self.open_before[t]]
        heapq.heapify(self.ready)

    def __iter__(self) -> Iterator[int]:
        """Give task after task, those that the ones before release among them."""
        while self.ready:
            yield heapq.heappop(self.ready)[1]

    def release_after(self, task: int) -> None:
        """Count a task as placed for those that wait for it."""
        for edge in self.problem.leaving[task]:
            after = self.problem.edges[edge][1]
            self.open_before[after] -= 1
            if not self.open_before[after]:
                heapq.heappush(self.ready, (-self.priority[after], after))


def _mean_messages(problem: Problem) -> list[float]:
    """Mean time of each tensor's message over ordered pairs of different units, in ticks."""
    from hetopt.instance.paths import message_tables

    tables = message_tables(problem.instance)
    units = np.array(problem.units, dtype=np.float64)
    pairs = np.outer(units, units) - np.diag(units)
    plain = tables.uniform & tables.allowed & (pairs > 0)
    weight = pairs[plain].sum()
    tick = float(problem.grid.tick)
    if not weight:
        return [0.0] * len(problem.bytes_b)
    latency = float((pairs[plain] * tables.latency_s[plain]).sum() / weight)
    per_b = float((pairs[plain] * tables.s_per_b[plain]).sum() / weight)
    return [(latency + per_b * size) / tick for size in problem.bytes_b]
