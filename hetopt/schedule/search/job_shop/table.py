"""A shop-like instance as arrays for :mod:`job_shop.kernels`, and plans from what that finds.

Messages must be free here, so units and slots of a device are alike: a *machine* of the search is
one slot of one unit. A task that may take no time needs no machine.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Floats, Ints
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.model.problem import NEVER, Mode, Problem
from hetopt.schedule.model.tick_schedule import TickSchedule, needed_chains
from hetopt.solution import SchedulePlan

PART = 0.05
"""Part of a task that a device must do in a relaxation to be allowed."""


class Shop:
    """An instance as the kernel reads it: its arrays are described in :mod:`job_shop.kernels`.

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
    def one_machine_each(self) -> bool:
        """Whether no task can choose its machine."""
        return len(self.modes) == self.problem.n_tasks

    @cached_property
    def urgency(self) -> Ints:
        """Per task: its shortest time and the least time of all that follows it, in ticks."""
        least = [min(m.duration for m in modes) for modes in self.problem.modes]
        return np.array(least, dtype=np.int64) + np.array(
            TimeWindows.of(self.problem).tails, dtype=np.int64
        )

    def allowed(self, share: Floats) -> list[bool]:
        """Choices on devices that do a part of the task in a relaxation (T × D)."""
        owner = np.repeat(np.arange(len(self.before)), np.diff(self.ends))
        device = np.array([mode.device for mode in self.modes], dtype=np.int64)
        part = share[owner, device]
        most = np.maximum.reduceat(part, self.ends[:-1])[owner]
        return [bool(kept) for kept in part >= np.minimum(most, PART)]

    def ticks_within(self, *bounds: float) -> int:
        """Greatest makespan in ticks that meets one of some bounds in seconds (-1: none known)."""
        known = [bound for bound in bounds if math.isfinite(bound)]
        if not known:
            return -1
        return math.floor(max(known) * (1 + GAP_TOLERANCE) / float(self.problem.grid.tick))

    def state_of(self, schedule: TickSchedule) -> Ints:
        """Order and choices (2 × n) of a schedule; slots of a unit are dealt out by start."""
        problem = self.problem
        place = {task: i for i, task in enumerate(problem.order)}
        order = sorted(range(problem.n_tasks), key=lambda t: (schedule.start[t], place[t]))
        busy = [0] * (self.machines + 1)
        choice = np.zeros(problem.n_tasks, dtype=np.int64)
        for t in order:
            begin, end = self.ends[t], self.ends[t + 1]
            device, slots = schedule.mode[t].device, problem.slots[schedule.mode[t].device]
            low = self.first[device] + schedule.unit[t] * slots
            mine = [c for c in range(begin, end) if low <= self.machine_of[c] < low + slots]
            choice[t] = begin
            if mine:
                choice[t] = min(mine, key=lambda c: busy[self.machine_of[c]])
                busy[self.machine_of[choice[t]]] = schedule.end(t)
        return np.stack([np.array(order, dtype=np.int64), choice])

    def listed(self, rank: Any, allowed: list[bool] | None = None) -> Ints:
        """State of the list schedule in the order of a rank that never rises along edges.

        Each task goes to the machine on which it ends first, of those of the choices ``allowed``.
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
                if allowed is not None and not allowed[c]:
                    continue
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
        return TickSchedule(problem, mode, unit, start, hops).plan()


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
