"""Waiting times of a steady plan, estimated as those of M/G/c queues: per queue and per job.

A request waits before each task of its route. Its latency with waiting is the longest path through
the route with each task's wait added: mean waits for the mean, p99 waits for the p99, which errs on
the long side where a path has several queues.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.instance.grouping import records, sums
from hetopt.queueing import Queues, waits

if TYPE_CHECKING:
    from hetopt.evaluate.steady import SteadyQuantities

WHOLE = 1e-9
"""Relative rounding: of loads in units of an exclusive device, of latencies beside times."""


class PlanQueues:
    """The queues of one plan; M rows, K routes, J jobs as in `SteadyQuantities`."""

    def __init__(self, quantities: SteadyQuantities) -> None:
        self.of = quantities
        self.rows: Ints = np.flatnonzero(quantities.used[quantities.route])

    @cached_property
    def _job(self) -> Ints:
        """Job that the queue of each used row is kept for, -1 where it is for all."""
        of, rows = self.of, self.rows
        own = of.instance.devices.exclusive[of.device[rows]] & (of.plan.unit[rows] < 0)
        return np.where(own, of.plan.route_job[of.route[rows]], -1)

    @cached_property
    def queues(self) -> tuple[Ints, Queues]:
        """A row of the plan for each queue, and the estimates."""
        of, rows = self.of, self.rows
        options, chosen = of.instance.options, of.plan.option[rows]
        batch = options.batch[chosen]
        time_s = of.instance.tasks.work[of.plan.task[rows]] * options.time_s[chosen]
        # Comparisons with a latency that is not stated are False.
        joined = (batch >= 2) & (options.latency_s[chosen] <= time_s * (1.0 + WHOLE))
        together = np.where(joined, 1, batch)
        free = 1.0 - of.instance.devices.reserved[of.device[rows]]
        service = of.row_busy_s[rows] * batch / np.where(free > 0, free, 1.0)
        keys = (self._job, of.plan.unit[rows], of.device[rows])
        per_s = of.row_rate_per_s[rows] / together
        taken = np.where(joined, 1.0 / batch, 1.0)
        first, found = waits(keys, self._servers, per_s, service, taken)
        return rows[first], found

    @cached_property
    def _servers(self) -> Floats:
        """Slots of the queue of each used row: of its unit, of its job's units, or of all."""
        of, rows = self.of, self.rows
        device, unit = of.device[rows], of.plan.unit[rows]
        slots = of.instance.devices.slots[device]
        units = np.where(unit < 0, of.units_working[device], 1)
        jobs = len(of.instance.jobs)
        key = device * (jobs + 1) + self._job + 1
        load = of.row_rate_per_s[rows] * of.row_busy_s[rows]
        own = sums(key, load, (len(of.instance.devices)) * (jobs + 1))[key]
        needed = np.ceil(own / of.unit_capacity[device] - WHOLE)
        units = np.where(self._job >= 0, np.maximum(needed, 1), units)
        return np.maximum(units, 1) * slots.astype(np.float64)

    def queue_rows(self) -> list[dict[str, Any]]:
        """Return one row per queue."""
        of = self.of
        row, queues = self.queues
        job = np.append(of.instance.jobs.name, "")
        first = np.searchsorted(self.rows, row)
        unit = of.plan.unit[row]
        return [
            entry
            | {
                "unit": None if entry["unit"] < 0 else entry["unit"],
                "job": entry["job"] or None,
            }
            for entry in records(
                {
                    "device": of.instance.devices.name[of.device[row]],
                    "unit": unit,
                    "job": job[self._job[first]],
                    "servers": queues.servers,
                    "utilization": queues.utilization,
                    "wait_probability": queues.wait_probability,
                    "mean_wait_s": queues.mean_wait_s,
                    "p99_wait_s": queues.p99_wait_s,
                }
            )
        ]

    def job_rows(self) -> list[dict[str, Any]]:
        """Return one row per job: latencies with waiting; None where a queue never ends."""
        of, jobs = self.of, self.of.instance.jobs
        mean, tail = (self._latency(name) for name in ("mean_wait_s", "p99_wait_s"))
        rate = np.where(of.used, of.plan.rate_per_s, 0.0)
        job, wide = of.plan.route_job, len(jobs)
        used = np.flatnonzero(of.used)
        total = sums(job[used], (rate * np.where(np.isinf(mean), 0.0, mean))[used], wide)
        served = sums(job, rate, wide)
        average = np.divide(total, served, out=np.full(wide, np.nan), where=served > 0)
        average[job[used][np.isinf(mean[used])]] = np.nan
        worst = np.full(wide, -np.inf)
        np.maximum.at(worst, job[used], tail[used])
        worst[np.isinf(worst)] = np.nan
        return records(
            {
                "job": jobs.name,
                "mean_latency_s": average,
                "p99_latency_s": worst,
                "latency_slo_s": jobs.latency_slo_s,
            }
        )

    def _latency(self, wait: str) -> Floats:
        """Longest path of each route with the waits of its queues added (K)."""
        of = self.of
        _, queues = self.queues
        takes = of.row_latency_s.copy()
        takes[self.rows] += getattr(queues, wait)[queues.group]
        return of.longest_s(takes)
