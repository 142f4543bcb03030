"""Improve the makespan of shop-like instances by tabu search on the disjunctive graph.

The moves are those of :mod:`hetopt.schedule.search.job_shop.kernels`;
:mod:`hetopt.schedule.search.job_shop.tabu` says where runs start;
:mod:`hetopt.schedule.bounds.window_bound_on_grid` gives the bound at which they may end.
"""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.instance.paths import message_tables
from hetopt.runtime.budget import gap_closed
from hetopt.schedule.bounds.window_bound_on_grid import FLOAT_NOISE, on_grid, windows_of
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.features import has_any
from hetopt.schedule.model.problem import NEVER
from hetopt.schedule.model.tick_schedule import draft_of
from hetopt.schedule.search.job_shop.table import Shop
from hetopt.schedule.search.job_shop.tabu import Worker
from hetopt.schedule.search.registry import Found, Improved
from hetopt.solution import SchedulePlan

MOVES = 200_000
"""Moves where neither seconds nor iterations are given."""
TASK_MOVES_PER_S = 15_000_000
"""Moves × tasks that one core makes in a second or so; what deterministic seconds count."""
POLL_S = 0.25
"""Time between two looks at what the workers have found."""
STALE_TIMES, STALE_S = 3.0, 0.03
"""A search ends when nothing better came for so many times as long as the best plan took, and so
many seconds per task: an exact model has more use for the time left."""
BOUND_SHARE = 0.2
"""Part of the time in which the bound may begin another round."""
MOST_CELLS = 20_000_000
"""Tasks × machines above which the tabu list takes too much memory."""


def improve(
    instance: Instance,
    plan: SchedulePlan | None,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    workers: int = 1,
    stop: threading.Event | None = None,
    bound: float = math.nan,
    found: Found | None = None,
) -> Improved:
    """Look for a plan of shorter makespan.

    Parameters
    ----------
    instance
        Of the schedule regime. Nothing is found where it has a feature that the search does not
        know (see :func:`fits`).
    plan
        A valid plan to start from; without one the search starts from list schedules of its own.
    seconds
        Time to spend, first compilation included; less where nothing better comes for long. With
        ``iterations`` instead, moves of each worker, the answer depends on nothing but the
        arguments.
    seed, workers
        Each worker searches on its own in a thread, with a seed of its own; the best is returned.
    stop
        Ends the search early when it is set, with the best so far.
    bound
        Proven bound of the makespan in s: a plan that meets it ends the search.
    found
        Called with better plans as they come, a few times a second at most; with ``iterations``
        only at the end.

    Returns
    -------
    Improved
        The best plan, and a proven bound of the makespan.
    """
    if not fits(instance):
        return Improved(None)
    began = time.monotonic()
    until = None if seconds is None else began + seconds
    if seconds is None and iterations is None:
        iterations = MOVES
    known = math.inf if plan is None else objective_value(instance, plan, "makespan")
    if plan is not None and gap_closed(known, bound, GAP_TOLERANCE):
        return Improved(None)
    problem = plan_problem(instance)
    if not all(problem.modes):
        return Improved(None)
    shop = Shop(problem)
    draft = None if plan is None else draft_of(problem, plan)
    runs = [Worker(shop, draft, seed, k) for k in range(max(1, workers))]
    best = Best(instance, shop, known, found)
    if len(runs) == 1 and iterations is not None:
        proven = _guide(shop, runs, bound, None)
        runs[0].run(until, iterations, stop)
        best.look(runs)
        return Improved(best.plan, proven)
    met = threading.Event()
    with ThreadPoolExecutor(len(runs)) as pool:
        jobs = {pool.submit(run.run, until, iterations, stop, met) for run in runs}
        limit = None if seconds is None else began + BOUND_SHARE * seconds
        proven = _guide(shop, runs, bound, limit)
        while jobs:
            done, jobs = wait(jobs, POLL_S)
            for job in done:
                job.result()
            if seconds is not None or not jobs:
                best.look(runs)
            if seconds is not None and best.is_stale(began):
                met.set()
    return Improved(best.plan, proven)


def _guide(shop: Shop, runs: list[Worker], bound: float, limit: float | None) -> float:
    """Tell the workers what the relaxation of time on devices says; return its bound in s."""
    relaxed = windows_of(shop.problem, limit)
    proven = on_grid(shop.problem, relaxed.value * (1 - float(FLOAT_NOISE)))
    for run in runs:
        run.guide(shop.ticks_within(proven, bound), relaxed.share)
    return proven


UNSUPPORTED = (
    "memory limits",
    "a power cap",
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "tasks pinned to a unit",
    "resources",
)


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
    plain = not has_any(instance, UNSUPPORTED)
    alike = len(np.unique(jobs.deadline_s[tasks.job])) == 1
    machines = int((devices.count_max * devices.slots).sum())
    small = len(tasks) * machines <= MOST_CELLS
    return bool(plain and alike and small) and _messages_free(instance)


def is_compiled() -> bool:
    """Whether the loops are compiled, or their machine code lies on disk (as far as is known)."""
    from hetopt.runtime import jit
    from hetopt.schedule.search.job_shop.kernels import search

    return jit.is_compiled(search)


def moves_within(instance: Instance, seconds: float) -> int:
    """Return the number of moves that stands for so many deterministic seconds."""
    return max(1, int(seconds * TASK_MOVES_PER_S / max(1, len(instance.tasks))))


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


@dataclass
class Best:
    """The best plan that any worker found, better than ``known`` seconds."""

    instance: Instance
    shop: Shop
    known: float
    found: Found | None
    plan: SchedulePlan | None = None
    seen: int = field(default=NEVER)
    when: float = 0.0

    def is_stale(self, began: float) -> bool:
        """Whether a search since ``began`` has long found nothing better."""
        spent, taken = time.monotonic() - began, max(0.0, self.when - began)
        return spent > STALE_TIMES * taken + STALE_S * self.shop.problem.n_tasks

    def look(self, runs: list[Worker]) -> None:
        """Take a better plan from the workers where there is one, and hand it on."""
        states = [run.found for run in runs if run.found is not None]
        if not states:
            return
        ticks, state = min(states, key=lambda pair: pair[0])
        if ticks >= self.seen:
            return
        self.seen = ticks
        plan = self.shop.plan(state)
        if plan is None:
            return
        value = objective_value(self.instance, plan, "makespan")
        if value < self.known:
            self.known, self.plan, self.when = value, plan, time.monotonic()
            if self.found is not None:
                self.found(plan)
