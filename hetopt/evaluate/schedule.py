"""Quantities of a schedule (docs/quantities.md), vectorised over tasks and hops."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hetopt.evaluate.over_time.cost_and_carbon import CostAndCarbon
from hetopt.evaluate.over_time.idle_sleep_start_up import SLEEP, START
from hetopt.evaluate.over_time.peak_power import PeakPower
from hetopt.evaluate.resources import schedule_use
from hetopt.evaluate.setups import setup_rows
from hetopt.instance import Floats
from hetopt.instance.grouping import ratio, records, sums, weighted_mean
from hetopt.instance.states.idle_sleep_start_up import may_sleep, starts_up
from hetopt.instance.tariffs import TIME_ROUNDING


class ScheduleQuantities(CostAndCarbon, PeakPower):
    """Quantities of one schedule, each computed when it is first asked for.

    T tasks, D devices, J jobs, L links, H hops. Energies in J, times in s, powers in W.

    Parameters
    ----------
    instance
        An instance of the schedule regime.
    plan
        A schedule that gives every task an option.
    """

    OBJECTIVES: ClassVar[dict[str, str]] = {
        "energy": "energy_j",
        "makespan": "makespan_s",
        "cost": "cost",
        "carbon": "carbon_kg",
        "tardiness": "tardiness_s",
        "peak_power": "peak_power_w",
        "accuracy": "accuracy",
        "value": "value",
    }

    @cached_property
    def setup_s(self) -> Floats:
        """Time of set-ups per device, summed over its units (D)."""
        runs = self.setups
        return sums(self.device[runs.task], runs.time_s, len(self.instance.devices))

    @cached_property
    def busy_s(self) -> Floats:
        """Busy time per device, set-ups included, summed over its units (D)."""
        tasks = sums(self.device, self.lasting_s, len(self.instance.devices))
        return tasks + self.setup_s

    @cached_property
    def job_tardiness_s(self) -> Floats:
        """Time by which each job ends after its due date, not weighted (J)."""
        end, due = self.job_end_s, self.instance.jobs.due_s
        # The sum of a start and a time may exceed the due date by its rounding.
        return np.where(end - due <= TIME_ROUNDING * np.abs(due), 0.0, end - due)

    @cached_property
    def tardiness_s(self) -> float:
        """Weighted sum of the jobs' tardiness."""
        return float((self.instance.jobs.weight * self.job_tardiness_s).sum())

    @cached_property
    def value(self) -> float:
        """What the jobs that run are worth together."""
        return math.fsum(self.instance.jobs.value.tolist())

    @cached_property
    def job_accuracy(self) -> Floats:
        """Least accuracy among each job's tasks that state one; NaN where none does (J)."""
        stated = self.instance.options.accuracy[self.plan.option]
        least = np.full(len(self.instance.jobs), np.inf)
        np.fmin.at(least, self.instance.tasks.job, stated)
        return np.where(np.isinf(least), np.nan, least)

    @cached_property
    def accuracy(self) -> float:
        """Weighted mean over the jobs that have an accuracy; NaN where none has."""
        return weighted_mean(self.job_accuracy, self.instance.jobs.weight)

    def as_dict(self) -> dict[str, Any]:
        """Return all quantities as plain values, None where one does not apply."""
        numbers = (
            *("energy_j", "energy_options_j", "energy_setups_j"),
            *("energy_transfers_j", "energy_idle_j"),
            *("makespan_s", "window_s", "tardiness_s", "peak_power_w", "idle_power_w"),
            *("cost", "cost_units", "cost_energy", "carbon_kg", "accuracy"),
        )
        worth = ("value",) if "value" in self.instance.objective else ()
        values = {name: float(getattr(self, name)) for name in (*numbers, *worth)}
        if starts_up(self.instance):
            values |= {"energy_start_up_j": self.energy_start_up_j}
            values |= {"cost_start_up": self.cost_start_up}
        table: dict[str, Any] = {n: v if math.isfinite(v) else None for n, v in values.items()}
        if self.progress is not None:
            table["slowed_s"] = self.slowed_s
        return table | {
            "devices": self._device_rows(),
            **({"boards": self._board_rows()} if len(self.instance.boards) else {}),
            "jobs": self._job_rows(),
            "links": self._link_rows(),
            "setups": setup_rows(self.instance, self.plan, self.setups),
            "resources": schedule_use(self.instance, self.plan.option, self.runs, self.slack_s),
        }

    def _device_rows(self) -> list[dict[str, Any]]:
        devices = self.instance.devices
        capacity = devices.slots * self.units_on * self.window_s
        wide = len(devices)
        drawn = self.draws.head(wide)
        slept = np.where(drawn.kind == SLEEP, drawn.end_s - drawn.begin_s, 0.0)
        resting = {"sleep_s": sums(drawn.row, slept, wide)}
        starting = {"energy_start_up_j": sums(drawn.row, drawn.of(START), wide)}
        return records(
            {
                "device": devices.name,
                "had": self.units_had,
                "on": self.units_on,
                "tasks": np.bincount(self.device, minlength=wide),
                "busy_s": self.busy_s,
                "setup_s": self.setup_s,
                "utilization": ratio(self.busy_s, capacity),
                "energy_options_j": sums(self.device, self.task_energy_j, wide),
                "energy_setups_j": sums(self.device[self.setups.task], self.setups.energy_j, wide),
                "energy_idle_j": self.idle_j[:wide],
                "cost_units": devices.price_per_s * self.units_had * self.window_s,
            }
            | (resting if may_sleep(self.instance) else {})
            | (starting if starts_up(self.instance) else {})
        )

    def _board_rows(self) -> list[dict[str, Any]]:
        boards, drawn, first = self.instance.boards, self.draws, len(self.instance.devices)
        wide = first + len(boards)
        slept = np.where(drawn.kind == SLEEP, drawn.end_s - drawn.begin_s, 0.0)
        return records(
            {
                "board": boards.name,
                "had": self.boards_had,
                "on": self.boards_on,
                "energy_idle_j": self.idle_j[first:],
                "energy_start_up_j": sums(drawn.row, drawn.of(START), wide)[first:],
                "sleep_s": sums(drawn.row, slept, wide)[first:],
                "cost_units": boards.price_per_s * self.boards_had * self.window_s,
            }
        )

    def _job_rows(self) -> list[dict[str, Any]]:
        return records(
            {
                "job": self.instance.jobs.name,
                "end_s": self.job_end_s,
                "tardiness_s": self.job_tardiness_s,
                "accuracy": self.job_accuracy,
            }
        )

    def _link_rows(self) -> list[dict[str, Any]]:
        links, hops, name = self.instance.links, self.plan.hops, self.instance.devices.name
        size = self.instance.tensors.bytes_b[hops.tensor]
        used = sums(hops.link, self.hop_time_s, len(links))
        return records(
            {
                "link": np.arange(len(links)),
                "from": name[links.src],
                "to": name[links.dst],
                "hops": np.bincount(hops.link, minlength=len(links)),
                "bytes_b": sums(hops.link, size, len(links)),
                "busy_s": used,
                "energy_j": sums(hops.link, self.hop_energy_j, len(links)),
            }
        )
