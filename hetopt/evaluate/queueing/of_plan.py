"""Waiting times of a steady plan, estimated: per queue and per job.

A plan says how busy devices are, not who waits. Its queues: a unit that the plan names has its
slots as servers; the units of a device that it does not name are one queue with all their slots,
those of an ``exclusive`` device one queue per job. How long each queue waits is estimated by
:mod:`hetopt.evaluate.queueing.waits`. Executions (of full batches) arrive; work that is not ours
(``reserved``) slows a server down. Requests of a batch that others may join while it runs
(continuous batching: the stated latency is no longer than one execution) arrive one by one and take
1 / b of a server each.

A request waits before each task of its route. Its latency with waiting is the longest path through
the route with each task's wait added: mean waits for the mean, p99 waits for the p99, which errs on
the long side where a path has several queues.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.evaluate.queueing.waits import Queues, waits
from hetopt.instance import Bools, Floats, Ints
from hetopt.instance.grouping import records, sums

if TYPE_CHECKING:
    from hetopt.evaluate.steady import SteadyQuantities

WHOLE = 1e-9
"""Relative rounding: of loads in units of an exclusive device, of latencies beside times."""


def queue_rows(quantities: SteadyQuantities) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a plan's waiting times: per job and per queue."""
    queues = PlanQueues(quantities)
    return {"queueing": queues.job_rows(), "queues": queues.queue_rows()}


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
        # Slowed executions are taken to last as long as at their least rate.
        service = of.row_busy_s[rows] * of.slowed_by[rows] * batch / np.where(free > 0, free, 1.0)
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
        load = of.row_rate_per_s[rows] * of.row_busy_s[rows] * of.slowed_by[rows]
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
        table = {
            "job": jobs.name,
            "mean_latency_s": average,
            "p99_latency_s": worst,
            "latency_slo_s": jobs.latency_slo_s,
        }
        if not np.isnan(jobs.latency_quantile).all():
            table["quantile"] = jobs.latency_quantile
            table["quantile_latency_s"] = self.quantile_latency_s
        return records(table)

    @cached_property
    def quantile_latency_s(self) -> Floats:
        """Latency with waiting that each job's quantile of requests meets (J).

        That of its worst route; NaN where no quantile is asked for, or nothing is served.
        """
        of, jobs = self.of, self.of.instance.jobs
        _, queues = self.queues
        asked = jobs.latency_quantile[of.plan.route_job]
        takes = of.row_latency_s * of.slowed_by
        rest = 1.0 - np.nan_to_num(asked)[of.route[self.rows]]
        takes[self.rows] += queues.exceeded_by(rest)
        route = of.longest_s(takes)
        worst = np.full(len(jobs), np.nan)
        used = of.used & ~np.isnan(asked)
        np.fmax.at(worst, of.plan.route_job[used], route[used])
        return worst

    @cached_property
    def late(self) -> Bools:
        """Jobs whose quantile is estimated beyond its limit (J)."""
        return np.asarray(self.quantile_latency_s > self.of.instance.jobs.latency_slo_s)

    def _latency(self, wait: str) -> Floats:
        """Longest path of each route with the waits of its queues added (K)."""
        of = self.of
        _, queues = self.queues
        takes = of.row_latency_s * of.slowed_by
        takes[self.rows] += getattr(queues, wait)[queues.group]
        return of.longest_s(takes)
