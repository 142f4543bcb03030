"""Large neighbourhood search: CP-SAT repairs a part of the plan, the rest keeps its order.

Method: Shaw, "Using constraint programming and local search methods to solve vehicle routing
problems", CP 1998, with an adaptive choice of the neighbourhood (Ropke, Pisinger, "An adaptive
large neighborhood search heuristic", Transportation Science 40(4), 2006). The model is built once;
each repair is a copy of it in which the tasks outside the neighbourhood keep option and unit, and
those on one unit their order, while all times stay free. So every feature of the model holds.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from ortools.sat.python import cp_model

from hetopt.runtime.budget import Budget
from hetopt.schedule.cpsat.model import ScheduleModel, read_tick_schedule
from hetopt.schedule.cpsat.neighbourhoods import PICKERS, View
from hetopt.schedule.model.tick_schedule import TickSchedule
from hetopt.solvers.cpsat import FOUND, limit_time, quiet_solver

SIZE, SMALLEST = 30.0, 6.0
"""Tasks that are freed at first, and at least."""
REPAIR_S = 2.0
"""Most (deterministic) seconds of a repair."""
GROWTH, SHRINKAGE = 1.1, 0.85
"""How the size follows: up where a repair was exhausted, down where it ran out of time."""
LEARNING, CURIOSITY = 0.1, 0.1
"""Weight of the last repair in a neighbourhood's record, and weight of one that never helped."""
LEAST_GAIN = 1e-6
"""Relative gain below which a repair is not worth its time."""


def repair(
    made: ScheduleModel,
    schedule: TickSchedule,
    objective: int,
    budget: Budget,
    seconds: float,
    take: Callable[[TickSchedule], bool],
) -> int | None:
    """Improve a plan by repairs until the time is over, or all tasks were free at once.

    Parameters
    ----------
    made
        A model on a grid of plans: an exact one, or one that rounds up.
    schedule, objective
        The plan to start from, on the model's grid, and its value of the model's objective.
    seconds
        On the clock; deterministic ones where the budget counts those.
    take
        Called with each better plan, one at a time; says whether it is good enough to stop.

    Returns
    -------
    int or None
        A proven least value of the model's objective, where a repair of everything was exhausted.
    """
    repairs = _Repairs(made, schedule, objective, budget, seconds, take)
    workers = 1 if budget.deterministic else budget.workers
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(repairs.work, range(workers)))
    return repairs.proven


class _Repairs:
    """What the workers share: the plan, how large repairs may be, which ones helped."""

    def __init__(
        self,
        made: ScheduleModel,
        schedule: TickSchedule,
        objective: int,
        budget: Budget,
        seconds: float,
        take: Callable[[TickSchedule], bool],
    ) -> None:
        self.made = made
        self.schedule = schedule
        self.objective = objective
        self.budget = budget
        self.left = seconds
        self.until = math.inf if budget.deterministic else time.monotonic() + seconds
        self.take = take
        self.size = SIZE
        self.record = dict.fromkeys(PICKERS, 1.0)
        self.lock = threading.Lock()
        self.finished = False
        self.proven: int | None = None

    def work(self, worker: int) -> None:
        """Make one repair after the other."""
        draw = random.Random(self.budget.seed * 1_000 + worker)
        while not self._over():
            with self.lock:
                name = self._choose(draw)
                schedule, limit = self.schedule, self._limit()
                freed = PICKERS[name](View(schedule), max(1, round(self.size)), draw)
                copy = self._copy(schedule, set(freed), limit)
            self._solve(name, copy, len(freed), limit, draw.getrandbits(30))

    def _over(self) -> bool:
        spent = time.monotonic() >= self.until or self.left <= 0
        return self.finished or spent or self.budget.stop.is_set()

    def _choose(self, draw: random.Random) -> str:
        names = list(self.record)
        return draw.choices(names, [CURIOSITY + self.record[name] for name in names])[0]

    def _limit(self) -> int:
        return self.objective - max(1, int(LEAST_GAIN * abs(self.objective)))

    def _copy(self, schedule: TickSchedule, freed: set[int], limit: int) -> cp_model.CpModel:
        """Copy the model, with all but the freed tasks where they are and in their order."""
        build = self.made.build
        copy = build.model.clone()
        copy.add(self.made.objective.expression <= limit)
        kept: dict[tuple[int, int], list[int]] = {}
        for task, choices in enumerate(build.choices):
            if task in freed:
                continue
            mode, unit = schedule.mode[task], schedule.unit[task]
            for choice in choices:
                same = choice.mode.option == mode.option and choice.place[1] in (unit, -1)
                if same:
                    copy.add(choice.literal == 1)
            if mode.duration and build.problem.slots[mode.device] == 1:
                kept.setdefault((mode.device, unit), []).append(task)
        for tasks in kept.values():
            tasks.sort(key=lambda task: schedule.start[task])
            for before, after in pairwise(tasks):
                copy.add(build.start[after] >= build.end[before])
        return copy

    def _solve(self, name: str, copy: cp_model.CpModel, freed: int, limit: int, seed: int) -> None:
        solver = quiet_solver(1, seed)
        # A repair is small once presolved: what costs time is presolving it.
        solver.parameters.cp_model_probing_level = 0
        solver.parameters.symmetry_level = 0
        deterministic = self.budget.deterministic
        left = self.left if deterministic else self.until - time.monotonic()
        limit_time(solver, min(REPAIR_S, left), deterministic=deterministic)
        status = solver.status_name(solver.solve(copy))
        found = status in FOUND
        exhausted = status in ("OPTIMAL", "INFEASIBLE")
        with self.lock:
            if self.budget.deterministic:
                self.left -= max(solver.response_proto.deterministic_time, 1e-3)
            self.record[name] += LEARNING * (float(found) - self.record[name])
            grown = self.size * (GROWTH if exhausted else SHRINKAGE)
            everything = len(self.made.build.choices)
            self.size = min(max(grown, SMALLEST), float(everything))
            if found and solver.objective_value < self.objective:
                self.schedule = read_tick_schedule(self.made, solver.value)
                self.objective = round(solver.objective_value)
                self.finished |= self.take(self.schedule)
            if exhausted and freed == everything:
                self.finished = True
                self.proven = round(solver.objective_value) if found else limit + 1
