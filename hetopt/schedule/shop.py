"""Improve the makespan of shop-like instances by tabu search on the disjunctive graph.

The search is :mod:`hetopt.schedule.kernels_shop`. Around it, each worker keeps a few of the best
local optima and starts again from blends of two of them, as in path relinking: M. A. González,
C. R. Vela, R. Varela, "Scatter search with path relinking for the flexible job shop scheduling
problem", European Journal of Operational Research 245, 2015. A blend takes the tasks in the order
of a weighted mean of their places in both parents. That is a topological order, because each
parent's is, and everything that both parents run in the same order keeps it; a task gets the
machine that both agree on, else either's.

Messages must be free here, so units and slots of a device are alike: a *machine* of the search is
one slot of one unit. A task that may take no time needs no machine.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.instance import Instance, Ints
from hetopt.network import message_tables
from hetopt.schedule.construct import plan_problem
from hetopt.schedule.draft import Draft, draft_of, needed_chains
from hetopt.schedule.improvers import Found, Improved
from hetopt.schedule.problem import NEVER, Mode, Problem
from hetopt.search import gap_closed
from hetopt.solution import SchedulePlan

MOVES = 200_000
"""Moves where neither seconds nor iterations are given."""
TASK_MOVES_PER_S = 4_000_000
"""Moves × tasks that one core makes in a second or so; what deterministic seconds count."""
CACHED = "kernels_shop._search-*.nbi"
"""Name of Numba's index file of the search, in its cache folder."""
CHUNK_S = 0.02
"""Time between two looks at the clock and the stop event."""
FIRST_CHUNK = 50
POLL_S = 0.25
"""Time between two looks at what the workers have found."""
MOST_CELLS = 20_000_000
"""Tasks × machines above which the tabu list takes too much memory."""
SAMPLE = 10
"""Tasks of the critical path that a move is chosen from."""
PATIENCE = 1_500
"""Moves without a better makespan after which a run of tabu search ends."""
POPULATION = 8
"""Local optima that a worker keeps."""
NEAR = 0.15
"""Share of tasks that run elsewhere or before another task below which two optima are alike."""
FRESH = 0.5
"""Share of runs that start from a new list schedule until all local optima are there."""
PATIENT_BLENDS = 25
"""Blends without a better optimum after which a worker starts anew."""
NOISE = 0.3
"""Random part of a task's rank in the list schedules that the first runs start from."""
MIDDLE = (0.3, 0.7)
"""Least and greatest weight of the first parent in a blend."""


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
        Time to spend, first compilation included. With ``iterations`` instead, moves of each
        worker, the answer depends on nothing but the arguments.
    seed, workers
        Each worker searches on its own in a thread, with a seed of its own; the best is returned.
    stop
        Ends the search early when it is set, with the best so far.
    bound
        Proven bound of the makespan in s: a plan that meets it ends the search.
    found
        Called with better plans as they come, a few times a second at most; with ``iterations``
        only at the end.
    """
    if not fits(instance):
        return Improved(None)
    until = None if seconds is None else time.monotonic() + seconds
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
    target = shop.ticks_within(bound)
    runs = [Worker(shop, draft, target, seed, k) for k in range(max(1, workers))]
    best = Best(instance, shop, known, found)
    if len(runs) == 1 and iterations is not None:
        runs[0].run(until, iterations, stop)
        best.look(runs)
        return Improved(best.plan)
    met = threading.Event()
    with ThreadPoolExecutor(len(runs)) as pool:
        jobs = {pool.submit(run.run, until, iterations, stop, met) for run in runs}
        while jobs:
            done, jobs = wait(jobs, POLL_S)
            for job in done:
                job.result()
            if seconds is not None or not jobs:
                best.look(runs)
    return Improved(best.plan)


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
    plain = (
        np.isinf(devices.memory_b).all()
        and np.isinf(instance.pools.memory_b).all()
        and math.isinf(instance.limits.power_cap_w)
        and not len(instance.together)
        and not len(instance.apart)
        and not len(instance.uses)
        and (tasks.pin_unit < 0).all()
    )
    alike = len(np.unique(jobs.deadline_s[tasks.job])) == 1
    machines = int((devices.count_max * devices.slots).sum())
    small = len(tasks) * machines <= MOST_CELLS
    return bool(plain and alike and small) and _messages_free(instance)


def is_compiled() -> bool:
    """Whether the loops are compiled, or their machine code lies on disk (as far as is known)."""
    from hetopt.schedule.kernels_shop import search

    return bool(search.signatures) or any(Path(search.stats.cache_path or ".").glob(CACHED))


def moves_within(instance: Instance, seconds: float) -> int:
    """Return the number of moves that stands for so many deterministic seconds."""
    return max(1, int(seconds * TASK_MOVES_PER_S / max(1, len(instance.tasks)) ** 1.5))


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


class Shop:
    """An instance as the kernel reads it: its arrays are described in :mod:`kernels_shop`.

    ``modes`` gives the mode of each choice, ``first`` the first machine of each device.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        lanes = np.array(problem.units) * np.array(problem.slots)
        self.first: list[int] = (np.cumsum(lanes) - lanes).tolist()
        self.machines = int(lanes.sum())
        self.modes: list[Mode] = []
        rows: list[tuple[int, int]] = []
        ends = [0]
        for task in range(problem.n_tasks):
            for mode in _shortest(problem, task):
                here = range(self.first[mode.device], self.first[mode.device] + lanes[mode.device])
                machines = here if mode.duration else [self.machines]
                rows += [(machine, mode.duration) for machine in machines]
                self.modes += [mode] * len(machines)
            ends.append(len(rows))
        self.machine_of: Ints = np.array([machine for machine, _ in rows], dtype=np.int64)
        self.time_of: Ints = np.array([duration for _, duration in rows], dtype=np.int64)
        self.ends: list[int] = ends
        self.before = [[problem.edges[e][0] for e in entering] for entering in problem.entering]
        after = [[problem.edges[e][1] for e in leaving] for leaving in problem.leaving]
        self.arrays = _arrays(ends, self.before, after)
        self.arrays["release"] = np.array(problem.release, dtype=np.int64)
        self.arrays["choice"] = self.machine_of.astype(np.uint32)
        self.arrays["choice_time"] = self.time_of
        self.topological = np.array(problem.order, dtype=np.int64)

    @cached_property
    def urgency(self) -> Ints:
        """Per task: its shortest time and the least time of all that follows it, in ticks."""
        least = [min(m.duration for m in modes) for modes in self.problem.modes]
        return np.array(least, dtype=np.int64) + np.array(self.problem.tails, dtype=np.int64)

    def ticks_within(self, bound: float) -> int:
        """Greatest makespan in ticks that meets a bound in seconds (-1 where there is none)."""
        if not math.isfinite(bound):
            return -1
        return math.floor(bound * (1 + GAP_TOLERANCE) / float(self.problem.grid.tick))

    def state_of(self, draft: Draft) -> Ints:
        """Order and choices (2 × n) of a schedule; slots of a unit are dealt out by start."""
        problem = self.problem
        place = {task: i for i, task in enumerate(problem.order)}
        order = sorted(range(problem.n_tasks), key=lambda t: (draft.start[t], place[t]))
        busy = [0] * (self.machines + 1)
        choice = np.zeros(problem.n_tasks, dtype=np.int64)
        for t in order:
            begin, end = self.ends[t], self.ends[t + 1]
            device, slots = draft.mode[t].device, problem.slots[draft.mode[t].device]
            low = self.first[device] + draft.unit[t] * slots
            mine = [c for c in range(begin, end) if low <= self.machine_of[c] < low + slots]
            choice[t] = begin
            if mine:
                choice[t] = min(mine, key=lambda c: busy[self.machine_of[c]])
                busy[self.machine_of[choice[t]]] = draft.end(t)
        return np.stack([np.array(order, dtype=np.int64), choice])

    def listed(self, rank: Any) -> Ints:
        """State of the list schedule in the order of a rank that never rises along edges.

        Each task goes to the machine on which it ends first.
        """
        place = np.empty(len(rank))
        place[self.topological] = np.arange(len(rank))
        order = np.lexsort((place, -rank))
        machines: list[int] = self.machine_of.tolist()
        durations: list[int] = self.time_of.tolist()
        free = [0] * (self.machines + 1)
        ends = [0] * len(order)
        choice = np.zeros(len(order), dtype=np.int64)
        for t in order.tolist():
            at = max([self.problem.release[t], *(ends[b] for b in self.before[t])])
            least = (NEVER, NEVER, 0)
            for c in range(self.ends[t], self.ends[t + 1]):
                start = max(at, free[machines[c]])
                least = min(least, (start + durations[c], durations[c], c))
            ends[t], _, choice[t] = least
            free[machines[least[2]]] = least[0] if least[1] else 0
        return np.stack([order.astype(np.int64), choice])

    def following(self, state: Ints) -> Ints:
        """Next task on the machine of each task, -1 behind the last."""
        order, machine = state[0], self.machine_of[state[1]]
        sorted_ = order[np.argsort(machine[order], kind="stable")]
        after = np.full(len(order), -1, dtype=np.int64)
        same = machine[sorted_[1:]] == machine[sorted_[:-1]]
        after[sorted_[:-1][same]] = sorted_[1:][same]
        return after

    def plan(self, state: Ints) -> SchedulePlan | None:
        """Return the plan of a state, everything as early as its order allows.

        None where it ends after the deadline.
        """
        problem = self.problem
        mode = [self.modes[c] for c in state[1].tolist()]
        machine: list[int] = self.machine_of[state[1]].tolist()
        unit = [
            0 if k == self.machines else (k - self.first[m.device]) // problem.slots[m.device]
            for k, m in zip(machine, mode, strict=True)
        ]
        start = [0] * problem.n_tasks
        free = [0] * self.machines
        for t in state[0].tolist():
            at = problem.release[t]
            for e in problem.entering[t]:
                before = problem.edges[e][0]
                at = max(at, start[before] + mode[before].duration)
            if machine[t] < self.machines:
                at = max(at, free[machine[t]])
                free[machine[t]] = at + mode[t].duration
            start[t] = at
            if at + mode[t].duration > problem.deadline[t]:
                return None
        chains = needed_chains(problem, mode, unit) or {}
        hops = {}
        for key, chain in chains.items():
            producer = problem.producer[key[0]]
            hops[key] = [start[producer] + mode[producer].duration] * len(chain.hops)
        return Draft(problem, mode, unit, start, hops).plan()


def _shortest(problem: Problem, task: int) -> list[Mode]:
    """Shortest mode of a task on each device; only one of no time where there is one."""
    energy = problem.instance.options.energy_j
    least: dict[int, Mode] = {}
    for mode in sorted(problem.modes[task], key=lambda m: (m.duration, energy[m.option])):
        if not mode.duration:
            return [mode]
        least.setdefault(mode.device, mode)
    return [least[device] for device in sorted(least)]


def _arrays(ends: list[int], before: list[list[int]], after: list[list[int]]) -> dict[str, Any]:
    """Rows ``task`` and ``more`` of the kernel; the task n stands for none."""
    n = len(before)
    rows: list[tuple[int, ...]] = []
    more: list[int] = []
    for t in range(n):
        low = len(more)
        more += before[t][1:]
        middle = len(more)
        more += after[t][1:]
        firsts = [*before[t][:1], n][0], [*after[t][:1], n][0]
        rows.append((ends[t], ends[t + 1], *firsts, low, middle, len(more)))
    return {
        "task": np.array(rows, dtype=np.uint32).reshape(n, 7),
        "more": np.array(more, dtype=np.uint32),
    }


class Worker:
    """One search: the state of its tabu run, its local optima, its best."""

    def __init__(
        self, shop: Shop, draft: Draft | None, target: int, seed: int, number: int
    ) -> None:
        from hetopt.schedule import kernels_shop as k

        self.kernels, self.shop = k, shop
        n = shop.problem.n_tasks
        self.random = np.random.default_rng([seed, number])
        self.seed = self.random.integers(1, 2**63, 1, dtype=np.uint64)
        self.numbers = np.zeros(k.NUMBERS, dtype=np.int64)
        self.numbers[k.TARGET] = target
        self.numbers[k.SAMPLE] = SAMPLE
        self.arcs = np.zeros(k.ARCS, dtype=np.int64)
        self.tabu = np.zeros((n, shop.machines + 1), dtype=np.int64)
        self.less = [np.zeros(n + 1, dtype=np.int64) for _ in range(2)]
        self.state: dict[str, Any] = {
            "numbers": self.numbers,
            **{name: np.zeros(n, dtype=np.uint32) for name in ("order", "place", "chosen")},
            "machine": np.zeros(n, dtype=np.uint32),
            **{name: np.zeros(n + 1, dtype=np.uint32) for name in ("before", "after")},
            **{name: np.zeros(n + 1, dtype=np.int64) for name in ("time", "end", "rest")},
            "upto": np.zeros(n, dtype=np.int64),
            "room": np.zeros((2, n + 1), dtype=np.uint32),
            "first": np.zeros(shop.machines + 1, dtype=np.uint32),
            **{k: shop.arrays[k] for k in ("task", "release", "more", "choice", "choice_time")},
        }
        self.best = np.zeros((2, n), dtype=np.int64)
        self.found: tuple[int, Ints] | None = None
        self.kept: list[Optimum] = []
        self.idle = 0
        self.starts = self._starts(draft, number)

    def run(
        self,
        until: float | None,
        moves: int | None,
        stop: threading.Event | None,
        met: threading.Event | None = None,
    ) -> None:
        """Search until the time or the number of moves is used up, or ``stop`` or ``met`` is set.

        ``met`` is set when the target is met: no other worker need go on then.
        """
        k, numbers = self.kernels, self.numbers
        done, chunk = 0, FIRST_CHUNK
        fresh = True
        while not any(event is not None and event.is_set() for event in (stop, met)):
            at = time.monotonic()
            if (until is not None and at >= until) or (moves is not None and done >= moves):
                break
            if fresh:
                self._load(next(self.starts))
            size = min(chunk, PATIENCE + int(numbers[k.IMPROVED] - numbers[k.MOVES]))
            size = size if moves is None else min(size, moves - done)
            before = int(numbers[k.MOVES])
            self._search(size)
            self._keep()
            made = int(numbers[k.MOVES]) - before
            done += max(1, made)
            if numbers[k.BEST] <= numbers[k.TARGET]:
                if met is not None:
                    met.set()
                break
            fresh = numbers[k.MOVES] - numbers[k.IMPROVED] >= PATIENCE or made < size
            if fresh:
                self._retire()
            spent = max(1e-6, time.monotonic() - at)
            if moves is None:
                chunk = max(1, int(min(4 * chunk, made * CHUNK_S / spent)))
            else:
                chunk = PATIENCE

    def _starts(self, draft: Draft | None, number: int) -> Iterator[Ints]:
        """States to start from: the given plan, list schedules, then blends of local optima."""
        shop, random = self.shop, self.random
        if draft is not None and number == 0:
            yield shop.state_of(draft)
        if number == 1 or draft is None:
            yield shop.listed(shop.urgency.astype(np.float64))
        while True:
            if len(self.kept) < POPULATION and (len(self.kept) < 2 or random.random() < FRESH):
                yield shop.listed(self._rank())
            else:
                a, b = random.choice(len(self.kept), 2, replace=False).tolist()
                yield self._blend(self.kept[a].state, self.kept[b].state)

    def _rank(self) -> Any:
        """Time from a task's start to the end, each task's own noisy; never rises along an edge."""
        shop, problem = self.shop, self.shop.problem
        noise = self.random.uniform(0, 2 * NOISE, problem.n_tasks) + 1 - NOISE
        least = shop.urgency - np.array(problem.tails)
        rank = (least * noise).tolist()
        for task in reversed(problem.order):
            after = [rank[problem.edges[e][1]] for e in problem.leaving[task]]
            rank[task] += max(after, default=0.0)
        return np.array(rank)

    def _blend(self, one: Ints, two: Ints) -> Ints:
        n = one.shape[1]
        weight = self.random.uniform(*MIDDLE)
        key = np.zeros(n)
        key[one[0]] += weight * np.arange(n)
        key[two[0]] += (1 - weight) * np.arange(n)
        # Equal means are told apart by the first parent's order, which is topological.
        place = np.empty(n)
        place[one[0]] = np.arange(n)
        order = np.lexsort((place, key)).astype(np.int64)
        choice = np.where(self.random.random(n) < weight, one[1], two[1])
        return np.stack([order, choice])

    def _load(self, state: Ints) -> None:
        k, numbers = self.kernels, self.numbers
        self.state["order"][:], self.state["chosen"][:] = state
        k.load(*self.state.values())
        self.tabu[:] = 0
        self.arcs[:] = 0
        self.best[:] = state
        numbers[k.MOVES] = numbers[k.IMPROVED] = 0
        numbers[k.BEST] = numbers[k.MAKESPAN]

    def _search(self, moves: int) -> None:
        self.kernels.search(
            moves, self.seed, self.arcs, self.tabu, self.best, *self.less, *self.state.values()
        )

    def _keep(self) -> None:
        """Hold the best state of all runs."""
        value = int(self.numbers[self.kernels.BEST])
        if self.found is None or value < self.found[0]:
            self.found = (value, self.best.copy())

    def _retire(self) -> None:
        """Take the best state of a run among the local optima that are kept.

        It takes the place of one that is much like it, else of the worst, if it is better. When
        blends have brought nothing for long, the local optima are given up for new ones.
        """
        value, state = int(self.numbers[self.kernels.BEST]), self.best.copy()
        new = Optimum(value, state, self.shop.following(state))
        near = [k for k, o in enumerate(self.kept) if new.distance(o) < NEAR * state.shape[1]]
        if near:
            out = max(near, key=lambda k: self.kept[k].value)
        elif len(self.kept) < POPULATION:
            self.kept.append(new)
            return
        else:
            out = max(range(len(self.kept)), key=lambda k: self.kept[k].value)
        self.idle += 1
        if value < self.kept[out].value:
            for k in sorted({out, *near}, reverse=True):
                if value < self.kept[k].value:
                    del self.kept[k]
            self.kept.append(new)
            self.idle = 0
        if self.idle > PATIENT_BLENDS:
            self.kept, self.idle = [], 0


@dataclass(frozen=True)
class Optimum:
    """A local optimum: makespan, order and choices, and what follows each task on its machine."""

    value: int
    state: Ints
    after: Ints

    def distance(self, other: Optimum) -> int:
        """How many tasks are followed by another one, or run on another machine."""
        return int(((self.after != other.after) | (self.state[1] != other.state[1])).sum())


@dataclass
class Best:
    """The best plan that any worker found, better than ``known`` seconds."""

    instance: Instance
    shop: Shop
    known: float
    found: Found | None
    plan: SchedulePlan | None = None
    seen: int = field(default=NEVER)

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
            self.known, self.plan = value, plan
            if self.found is not None:
                self.found(plan)
