"""Runs of tabu search on a shop, from list schedules and from blends of local optima.

Each worker keeps a few of the best local optima and starts again from blends of two of them, as in
path relinking: M. A. González, C. R. Vela, R. Varela, "Scatter search with path relinking for the
flexible job shop scheduling problem", European Journal of Operational Research 245, 2015. A blend
takes the tasks in the order of a weighted mean of their places in both parents. That is a
topological order, because each parent's is, and everything that both parents run in the same order
keeps it; a task gets the machine that both agree on, else either's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.runtime.effort import CHUNK_S, Effort
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.model.tick_schedule import TickSchedule
from hetopt.schedule.search.job_shop.table import Shop

FIRST_CHUNK = 50
SAMPLE = 10
"""Tasks of the critical path that a move is chosen from."""
PATIENCE = 5
"""Moves per task without a better makespan after which a run of tabu search ends."""
LEAST_PATIENCE = 300
"""Least number of such moves."""
BLOCK_PATIENCE, LEAST_BLOCK_PATIENCE = 20, 4_000
"""The same where moves are within blocks, which takes a small part of the time."""
POPULATION = 10
"""Local optima that a worker keeps."""
NEAR = 0.15
"""Share of tasks that run elsewhere or before another task below which two optima are alike."""
FRESH = 0.5
"""Share of runs that start from a new list schedule until all local optima are there."""
GUIDED = 0.7
"""Share of list schedules on the devices that a relaxation uses."""
PATIENT_BLENDS = 30
"""Blends without a better optimum after which a worker starts anew."""
NOISE = 0.3
"""Random part of a task's rank in the list schedules that the first runs start from."""
MIDDLE = (0.3, 0.7)
"""Least and greatest weight of the first parent in a blend."""


class Worker:
    """One search: the state of its tabu run, its local optima, its best."""

    def __init__(self, shop: Shop, schedule: TickSchedule | None, seed: int, number: int) -> None:
        from hetopt.schedule.search.job_shop import kernels as k

        self.kernels, self.shop = k, shop
        self.move_on = k.search
        n = shop.problem.n_tasks
        self.random = np.random.default_rng([seed, number])
        self.seed = self.random.integers(1, 2**63, 1, dtype=np.uint64)
        self.numbers = np.zeros(k.NUMBERS, dtype=np.int64)
        self.numbers[k.TARGET] = -1
        self.numbers[k.SAMPLE] = SAMPLE
        self.arcs = np.zeros(k.ARCS, dtype=np.int64)
        self.tabu = np.zeros((n, shop.machines + 1), dtype=np.int64)
        self.best = np.zeros((2, n), dtype=np.int64)
        less = [np.zeros(n + 1, dtype=np.int64) for _ in range(2)]
        self.memory = k.Run(self.arcs, self.tabu, self.best, *less)
        self.state = k.State(
            numbers=self.numbers,
            **{name: np.zeros(n, dtype=np.uint32) for name in ("order", "place", "chosen")},
            machine=np.zeros(n, dtype=np.uint32),
            **{name: np.zeros(n + 1, dtype=np.uint32) for name in ("before", "after")},
            **{name: np.zeros(n + 1, dtype=np.int64) for name in ("time", "end", "rest")},
            upto=np.zeros(n, dtype=np.int64),
            room=np.zeros((2, n + 1), dtype=np.uint32),
            first=np.zeros(shop.machines + 1, dtype=np.uint32),
        )
        self.tasks = k.Tasks(**{name: shop.arrays[name] for name in k.Tasks._fields})
        self.shown: tuple[float, Ints] = (math.inf, self.best)
        self.kept: list[Optimum] = []
        self.idle = 0
        self.patience = max(LEAST_PATIENCE, PATIENCE * n)
        if shop.one_machine_each:
            from hetopt.schedule.search.job_shop.block_kernels import search_blocks

            self.move_on = search_blocks
            self.patience = max(LEAST_BLOCK_PATIENCE, BLOCK_PATIENCE * n)
        self.allowed: list[bool] | None = None
        self.starts = self._starts(schedule, number)

    def guide(self, target: int, share: Floats | None) -> None:
        """Take what a relaxation says, also while the search runs.

        Parameters
        ----------
        target
            Makespan in ticks at which the search ends.
        share
            Part of each task that each device does (T × D); list schedules keep to it.
        """
        self.numbers[self.kernels.TARGET] = target
        self.allowed = None if share is None else self.shop.allowed(share)

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Search until the effort is over; where the target is met, no worker need go on."""
        k, numbers, moves = self.kernels, self.numbers, effort.moves
        done, chunk = 0, FIRST_CHUNK
        fresh = True
        while not effort.over() and (moves is None or done < moves):
            at = time.monotonic()
            if fresh:
                self._load(next(self.starts))
            size = min(chunk, self.patience + int(numbers[k.IMPROVED] - numbers[k.MOVES]))
            size = size if moves is None else min(size, moves - done)
            before = int(numbers[k.MOVES])
            self._search(size)
            self._keep()
            made = int(numbers[k.MOVES]) - before
            done += max(1, made)
            if numbers[k.BEST] <= numbers[k.TARGET]:
                effort.met.set()
                break
            fresh = numbers[k.MOVES] - numbers[k.IMPROVED] >= self.patience or made < size
            if fresh:
                self._retire()
            spent = max(1e-6, time.monotonic() - at)
            if moves is None:
                chunk = max(1, int(min(4 * chunk, made * CHUNK_S / spent)))
            else:
                chunk = self.patience

    def _starts(self, schedule: TickSchedule | None, number: int) -> Iterator[Ints]:
        """States to start from: the given plan, list schedules, then blends of local optima."""
        shop, random = self.shop, self.random
        if schedule is not None and number == 0:
            yield shop.state_of(schedule)
        if number == 1 or schedule is None:
            yield shop.listed(shop.urgency.astype(np.float64))
        while True:
            if len(self.kept) < POPULATION and (len(self.kept) < 2 or random.random() < FRESH):
                keep = self.allowed if random.random() < GUIDED else None
                yield shop.listed(self._rank(), keep)
            else:
                a, b = random.choice(len(self.kept), 2, replace=False).tolist()
                yield self._blend(self.kept[a].state, self.kept[b].state)

    def _rank(self) -> Any:
        """Time from a task's start to the end, each task's own noisy; never rises along an edge."""
        shop, problem = self.shop, self.shop.problem
        noise = self.random.uniform(0, 2 * NOISE, problem.n_tasks) + 1 - NOISE
        least = shop.urgency - np.array(TimeWindows.of(problem).tails)
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
        self.state.order[:], self.state.chosen[:] = state
        k.load(self.state, self.tasks)
        self.tabu[:] = 0
        self.arcs[:] = 0
        self.best[:] = state
        numbers[k.MOVES] = numbers[k.IMPROVED] = 0
        numbers[k.BEST] = numbers[k.MAKESPAN]

    def _search(self, moves: int) -> None:
        self.move_on(moves, self.seed, self.memory, self.state, self.tasks)

    def _keep(self) -> None:
        """Hold the best state of all runs."""
        value = int(self.numbers[self.kernels.BEST])
        if value < self.shown[0]:
            self.shown = (value, self.best.copy())

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
