"""When tasks, set-ups and messages of a schedule run, and on which units (docs/quantities.md)."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.errors import InputError
from hetopt.evaluate.setups import SetupRuns, setup_runs
from hetopt.evaluate.slowing import Progress, progress, slows
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.idle_sleep_start_up import idlers
from hetopt.solution import SchedulePlan


class ScheduleTimes:
    """Times of one schedule and its units, each computed when it is first asked for.

    T tasks, D devices, B kinds of board, J jobs, H hops; times in s.

    Parameters
    ----------
    instance
        An instance of the schedule regime.
    plan
        A schedule that gives every task an option.
    """

    def __init__(self, instance: Instance, plan: SchedulePlan) -> None:
        missing = np.flatnonzero(plan.option < 0)
        if len(missing):
            names = ", ".join(str(n) for n in instance.tasks.name[missing[:5]])
            raise InputError(f"The plan leaves {len(missing)} tasks out, among them {names}.")
        self.instance = instance
        self.plan = plan
        self.device: Ints = instance.options.device[plan.option]

    @cached_property
    def time_s(self) -> Floats:
        """Duration of each task: work × time of its option (T)."""
        return self.instance.tasks.work * self.instance.options.time_s[self.plan.option]

    @cached_property
    def progress(self) -> Progress | None:
        """How tasks progress where a resource slows what runs, None where none does."""
        if not slows(self.instance):
            return None
        plan = self.plan
        return progress(self.instance, plan.option, plan.unit, plan.start_s, self.time_s)

    @cached_property
    def end_s(self) -> Floats:
        """End of each task (T)."""
        return self.plan.start_s + self.time_s if self.progress is None else self.progress.end_s

    @cached_property
    def lasting_s(self) -> Floats:
        """Time that each task takes: its duration, more where it is slowed (T)."""
        if self.progress is None:
            return self.time_s
        return np.where(self.time_s > 0, self.end_s - self.plan.start_s, 0.0)

    @cached_property
    def slowed_s(self) -> float:
        """Time by which all tasks together take longer than at full speed."""
        return float(np.maximum(0.0, self.lasting_s - self.time_s).sum())

    @cached_property
    def makespan_s(self) -> float:
        """Latest end of a task, from 0; of a cyclic schedule the longest latency of a job."""
        if self.cyclic:
            latency = self.job_end_s - self.instance.jobs.release_s
            return float(latency.max(initial=0.0))
        return self.last_end_s

    @property
    def cyclic(self) -> bool:
        """Whether the schedule repeats for ever."""
        return math.isfinite(self.instance.limits.cycle_s)

    @cached_property
    def last_end_s(self) -> float:
        """Latest end of a task, from 0."""
        return float(self.end_s.max(initial=0.0))

    @cached_property
    def slack_s(self) -> float:
        """Difference of two times up to which they count as equal: a part of the latest end."""
        arrivals = self.plan.hops.start_s + self.hop_time_s
        return LIMIT_TOLERANCE * max(self.last_end_s, float(arrivals.max(initial=0.0)))

    @cached_property
    def window_s(self) -> float:
        """Time that idle power and prices count for: cycle or horizon, else the makespan."""
        if self.cyclic:
            return self.instance.limits.cycle_s
        horizon = self.instance.limits.horizon_s
        return horizon if math.isfinite(horizon) else self.makespan_s

    @cached_property
    def units_used(self) -> Ints:
        """Distinct units that run something, per device (D)."""
        wide = int(self.plan.unit.max(initial=0)) + 1
        used = np.unique(self.device * wide + self.plan.unit)
        return np.bincount(used // wide, minlength=len(self.instance.devices)).astype(np.int64)

    @cached_property
    def units_had(self) -> Ints:
        """Units that are provisioned and paid for (D)."""
        return np.maximum(self.instance.devices.count_min, self.units_used)

    @cached_property
    def units_on(self) -> Ints:
        """Units that are on for the whole window (D)."""
        return np.where(self.instance.devices.off_when_unused, self.units_used, self.units_had)

    def numbers_used(self, row: int) -> list[int]:
        """Return which units (or boards) of a kind of what idles run something."""
        board = row - len(self.instance.devices)
        if board < 0:
            numbers: list[int] = np.unique(self.plan.unit[self.device == row]).tolist()
            return numbers
        on = self.instance.devices.on_board[self.device] == board
        each = self.instance.boards.per_board[self.device[on]]
        found: list[int] = np.unique(self.plan.unit[on] // each).tolist()
        return found

    @cached_property
    def boards_used(self) -> Ints:
        """Boards on which something runs, of each kind (B)."""
        first = len(self.instance.devices)
        used = [len(self.numbers_used(first + b)) for b in range(len(self.instance.boards))]
        return np.array(used, dtype=np.int64)

    @cached_property
    def boards_had(self) -> Ints:
        """Boards that are provisioned and paid for (B)."""
        return np.maximum(self.instance.boards.count_min, self.boards_used)

    @cached_property
    def boards_on(self) -> Ints:
        """Boards that are on for the whole window (B)."""
        always = idlers(self.instance).always_on[len(self.instance.devices) :]
        return np.where(always, self.boards_had, self.boards_used)

    @cached_property
    def setups(self) -> SetupRuns:
        """Set-ups that the plan needs."""
        return setup_runs(self.instance, self.plan)

    @cached_property
    def hop_time_s(self) -> Floats:
        """Time of each hop: latency + bytes / bandwidth (H)."""
        hops, links = self.plan.hops, self.instance.links
        size = self.instance.tensors.bytes_b[hops.tensor]
        return links.latency_s[hops.link] + size / links.bandwidth_b_per_s[hops.link]

    @cached_property
    def job_end_s(self) -> Floats:
        """Latest end of each job's tasks; 0 for a job without tasks (J)."""
        end = np.zeros(len(self.instance.jobs))
        np.maximum.at(end, self.instance.tasks.job, self.end_s)
        return end
