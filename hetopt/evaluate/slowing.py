"""How tasks progress where resources slow what runs (docs/quantities.md): a sweep over events.

At each instant a running option progresses at the least rate that the resources which it uses
allow: min(1, capacity / sum of the demands of all that run on it then), and by ``loss`` less where
two or more do. Rates change where something starts or ends; starts are given, and ends follow. So
the sweep goes forward in time from one event to the next. What uses no such resource runs at full
speed, and so do transfers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints


@dataclass(frozen=True, slots=True)
class Progress:
    """When tasks end (T), and the pieces of their runs in which each goes at one rate.

    The pieces of a run follow each other; a run without a time has one of no length.
    """

    end_s: Floats
    task: Ints
    piece_start_s: Floats
    piece_end_s: Floats
    rate: Floats


def slows(instance: Instance) -> bool:
    """Whether an option of the instance uses a resource that slows what runs."""
    slow = instance.resources.slow
    return bool(slow.any() and slow[instance.uses.resource].any())


def demands_of(instance: Instance) -> list[tuple[tuple[int, float], ...]]:
    """Resources that slow, and the demands on them, of each option."""
    uses, slow = instance.uses, instance.resources.slow.tolist()
    ptr, resource, amount = uses.ptr.tolist(), uses.resource.tolist(), uses.amount.tolist()
    return [
        tuple((resource[i], amount[i]) for i in range(first, last) if slow[resource[i]])
        for first, last in pairwise(ptr)
    ]


def task_ends(instance: Instance, option: Ints, unit: Ints, start_s: Floats) -> Floats:
    """Return when each task of a plan ends (T, in s); NaN where its option is -1: left out."""
    ends = np.full(len(option), np.nan)
    rows = np.flatnonzero(option >= 0)
    time = instance.tasks.work[rows] * instance.options.time_s[option[rows]]
    if slows(instance) and math.isinf(instance.limits.cycle_s):
        ends[rows] = progress(instance, option[rows], unit[rows], start_s[rows], time).end_s
    else:
        ends[rows] = start_s[rows] + time
    return ends


def progress(
    instance: Instance, option: Ints, unit: Ints, start_s: Floats, time_s: Floats
) -> Progress:
    """Follow the tasks through time.

    Parameters
    ----------
    option, unit, start_s, time_s
        Of each task (T): its option and unit, its start, and its time at full speed.
    """
    end = start_s + time_s
    demands = demands_of(instance)
    used = [demands[o] for o in option.tolist()]
    if (instance.resources.board >= 0).any():
        used = _on_boards(instance, option, unit, used)
    shared = np.array([len(u) > 0 for u in used], dtype=bool) & (time_s > 0)
    alone = np.flatnonzero(~shared)
    rows = np.flatnonzero(shared)
    # Rounding must not turn "one after the other" into "both at once".
    slack = LIMIT_TOLERANCE * float(end.max(initial=0.0))
    sweep = _Sweep(instance, used, slack)
    starts, times = start_s.tolist(), time_s.tolist()
    for task in rows[np.argsort(start_s[rows], kind="stable")].tolist():
        sweep.start(task, starts[task], times[task])
    sweep.run_until(math.inf)
    end[rows] = [sweep.ended[task] for task in rows.tolist()]
    pieces = np.array(sweep.pieces, dtype=np.float64).reshape(-1, 4)
    return Progress(
        end,
        np.concatenate([alone, pieces[:, 0].astype(np.int64)]),
        np.concatenate([start_s[alone], pieces[:, 1]]),
        np.concatenate([end[alone], pieces[:, 2]]),
        np.concatenate([np.ones(len(alone)), pieces[:, 3]]),
    )


def _on_boards(
    instance: Instance, option: Ints, unit: Ints, used: list[tuple[tuple[int, float], ...]]
) -> list[tuple[tuple[int, float], ...]]:
    """Tell resources of each board apart: those of board n are numbered K × n further on."""
    wide, own = len(instance.resources), (instance.resources.board >= 0).tolist()
    each = np.maximum(instance.boards.per_board[instance.options.device[option]], 1)
    number = (np.maximum(unit, 0) // each).tolist()
    return [
        tuple((k + wide * n if own[k] else k, amount) for k, amount in demands)
        for demands, n in zip(used, number, strict=True)
    ]


@dataclass(slots=True)
class _Running:
    """What runs: the time at full speed that is left of it, and its present piece."""

    left_s: float
    slack_s: float
    since_s: float
    rate: float


class _Sweep:
    """The running tasks at one instant, on the way forward in time."""

    def __init__(
        self, instance: Instance, used: list[tuple[tuple[int, float], ...]], slack_s: float
    ) -> None:
        self.used, self.wide = used, len(instance.resources)
        self.slack_s = slack_s
        self.capacity = instance.resources.capacity.tolist()
        self.kept = (1.0 - instance.resources.loss).tolist()
        self.now_s = 0.0
        self.running: dict[int, _Running] = {}
        self.ended: dict[int, float] = {}
        self.pieces: list[tuple[float, float, float, float]] = []

    def start(self, task: int, start_s: float, time_s: float) -> None:
        """Go on to the start of the next task, which starts no earlier than those before it."""
        self.run_until(start_s)
        # Of a short run half counts at least, whatever the tolerance is.
        self.running[task] = _Running(time_s, min(self.slack_s, 0.5 * time_s), start_s, 1.0)
        self._set_rates()

    def run_until(self, until_s: float) -> None:
        """Let what runs progress up to a time; what is within the tolerance of its end ends."""
        while self.running:
            ends = {task: self.now_s + r.left_s / r.rate for task, r in self.running.items()}
            first = min(ends.values())
            if first > until_s:
                break
            self._pass(first)
            self._end([task for task, end in ends.items() if end <= first], ends)
            self._set_rates()
        if not self.running or until_s == math.inf:
            self.now_s = until_s
            return
        self._pass(until_s)
        ends = {task: until_s + r.left_s / r.rate for task, r in self.running.items()}
        near = [task for task, r in self.running.items() if ends[task] - until_s <= r.slack_s]
        if near:
            self._end(near, ends)
            self._set_rates()

    def _pass(self, until_s: float) -> None:
        for running in self.running.values():
            running.left_s -= running.rate * (until_s - self.now_s)
        self.now_s = until_s

    def _end(self, tasks: list[int], ends: dict[int, float]) -> None:
        for task in tasks:
            running = self.running.pop(task)
            self.ended[task] = ends[task]
            self.pieces.append((task, running.since_s, ends[task], running.rate))

    def _set_rates(self) -> None:
        total: dict[int, float] = {}
        count: dict[int, int] = {}
        for task in self.running:
            for resource, amount in self.used[task]:
                total[resource] = total.get(resource, 0.0) + amount
                count[resource] = count.get(resource, 0) + 1
        allowed = {
            resource: min(1.0, self.capacity[resource % self.wide] / wanted)
            * (self.kept[resource % self.wide] if count[resource] > 1 else 1.0)
            for resource, wanted in total.items()
        }
        for task, running in self.running.items():
            rate = min(allowed[resource] for resource, _ in self.used[task])
            if rate != running.rate:
                if self.now_s > running.since_s:
                    self.pieces.append((task, running.since_s, self.now_s, running.rate))
                running.since_s, running.rate = self.now_s, rate
