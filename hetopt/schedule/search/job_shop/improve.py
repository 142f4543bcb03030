"""Improve the makespan of shop-like instances by tabu search on the disjunctive graph.

The moves are those of :mod:`hetopt.schedule.search.job_shop.kernels`, or of
:mod:`hetopt.schedule.search.job_shop.block_kernels` where no task can choose its machine;
:mod:`hetopt.schedule.search.job_shop.tabu` says where runs start;
:mod:`hetopt.schedule.bounds.window_bound_on_grid` gives the bound at which they may end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.instance.paths import message_tables
from hetopt.schedule.bounds.window_bound_on_grid import FLOAT_NOISE, on_grid, windows_of
from hetopt.schedule.model.features import ON_MESSAGES, beyond
from hetopt.schedule.model.tick_schedule import tick_schedule_of
from hetopt.schedule.search.job_shop.table import Shop
from hetopt.schedule.search.job_shop.tabu import Worker
from hetopt.schedule.search.local_search import LocalSearch
from hetopt.solution import SchedulePlan

STALE_TIMES, STALE_S = 3.0, 0.03
"""A search ends when nothing better came for so many times as long as the best plan took, and so
many seconds per task: an exact model has more use for the time left."""
BOUND_SHARE = 0.2
"""Part of the time in which the bound may begin another round."""
MOST_CELLS = 20_000_000
"""Tasks × machines above which the tabu list takes too much memory."""


SUPPORTED = ("prices that change over time", *ON_MESSAGES)


def fits(instance: Instance) -> bool:
    """Whether the search knows every feature that the instance has.

    It knows options, pins and forbids, units, slots, precedence, messages that take no time,
    releases, and one deadline for everything; the first objective is the makespan. It does not
    know other deadlines, messages that take time, finite memory, a power cap, tasks together,
    apart or pinned to a unit, and resources that options use.
    """
    devices, tasks, jobs = instance.devices, instance.tasks, instance.jobs
    if not len(tasks) or instance.objective[0] != "makespan":
        return False
    plain = not beyond(instance, SUPPORTED)
    alike = len(np.unique(jobs.deadline_s[tasks.job])) == 1
    machines = int((devices.count_max * devices.slots).sum())
    small = len(tasks) * machines <= MOST_CELLS
    return bool(plain and alike and small) and _messages_free(instance)


def _messages_free(instance: Instance) -> bool:
    """Whether no message between any two units takes time, or is impossible."""
    tensors = instance.tensors
    if not len(tensors):
        return True
    if tensors.staged.any() or not instance.devices.overlap.all():
        return False
    tables = message_tables(instance)
    sent = bool((tensors.bytes_b > 0).any())
    free = (tables.latency_s == 0) & ((tables.s_per_b == 0) | (not sent))
    return bool((tables.uniform & tables.allowed & free).all())


class TabuSearch(LocalSearch[Worker]):
    """Tabu search, from a plan, or from list schedules of its own."""

    LOOPS = ("job_shop.kernels:search", "job_shop.block_kernels:search_blocks")
    MOVES = 200_000
    TASK_MOVES_PER_S = 15_000_000
    fits = staticmethod(fits)

    def chains(self) -> list[Worker]:
        """Workers, of which the first starts from the plan."""
        if not all(self.problem.modes):
            return []
        self.shop = Shop(self.problem)
        self.when = self.effort.began
        schedule = None if self.start is None else tick_schedule_of(self.problem, self.start)
        return [Worker(self.shop, schedule, self.seed, k) for k in range(self.workers)]

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Return the plan of a state, None where it ends after the deadline."""
        return self.shop.plan(state)

    def meanwhile(self, chains: Sequence[Worker]) -> None:
        """Tell the workers what the relaxation of time on devices says; take its bound."""
        left = self.effort.left_s()
        limit = None if math.isinf(left) else time.monotonic() + BOUND_SHARE * left
        relaxed = windows_of(self.problem, limit)
        self.proven = on_grid(self.problem, relaxed.value * (1 - float(FLOAT_NOISE)))
        for worker in chains:
            worker.guide(self.shop.ticks_within(self.proven, self.bound), relaxed.share)

    def look(self, chains: Sequence[Worker]) -> None:
        """Take the best plan, and end a search that has long found nothing better."""
        before, began = self.known, self.effort.began
        super().look(chains)
        now = time.monotonic()
        if self.known < before:
            self.when = now
        stale_s = STALE_TIMES * max(0.0, self.when - began) + STALE_S * self.problem.n_tasks
        if now - began > stale_s:
            self.effort.met.set()
