"""Waiting times of a steady plan, estimated as those of M/G/c queues: per queue and per job.

A request waits before each task of its route. Its latency with waiting is the longest path through
the route with each task's wait added: mean waits for the mean, p99 waits for the p99, which errs on
the long side where a path has several queues.

How long requests wait, estimated: each device as an M/G/c queue.

A plan says how busy devices are, not who waits. Here executions (of full batches) arrive at a queue
as a Poisson stream and are served first come, first served by c identical servers. With λ_i
executions per second of service time S_i, λ = Σ λ_i, mean and squared coefficient of variation of
the service time over the mixture, and load a = λ E[S], utilisation ρ = a / c:

    P(W > 0)  ≈ C(c, a)                                           Erlang's delay formula
    E[W]      ≈ C(c, a) E[S] / (c (1 − ρ)) × (1 + cv²) / 2        Allen and Cunneen
    P(W > t)  ≈ C(c, a) exp(−t C(c, a) / E[W])                    an exponential tail

All three are exact for exponential service times (M/M/c), the mean also for one server (M/G/1,
Pollaczek and Khinchine). Queues: a unit that the plan names has its slots as servers; the units of
a device that it does not name are one queue with all their slots, those of an ``exclusive`` device
one queue per job. Work that is not ours (``reserved``) slows a server down.

Requests of a batch that others may join while it runs (continuous batching: the stated latency is
no longer than one execution) arrive one by one and take 1 / b of a server each: a mixture that
takes shares w_i of a server has ρ = Σ λ_i w_i S_i / c and waits like one of
c Σ λ_i S_i / Σ λ_i w_i S_i servers.

Sources: A. O. Allen, "Probability, Statistics, and Queueing Theory", 2nd ed. 1990, §5.2 and 6.4
(Allen-Cunneen); H. Sakasegawa, "An approximation formula L_q ≃ α ρ^β / (1 − ρ)", Ann. Inst. Stat.
Math. 29, 1977 (of which C(c, a) here is the exact form); J. F. C. Kingman, "The single server queue
in heavy traffic", 1961 (the exponential tail).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.instance import Bools, Floats, Ints
from hetopt.instance.grouping import distinct, records, sums

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


TAIL = 0.01
"""The part of the requests that waits longer than the percentile reported (p99)."""
FULL = 1e-9
"""A utilisation this close to 1 is 1: the queue grows without end."""


@dataclass(frozen=True, slots=True)
class Queues:
    """Q queues; waits are inf where the utilisation is 1 or more.

    Attributes
    ----------
    group
        Queue of each row that was given (M).
    servers, utilization, wait_probability
        Of each queue (Q); servers that take requests one by one count each.
    mean_wait_s, p99_wait_s
        Expected wait, and the wait that a hundredth of the executions exceed (Q).
    """

    group: Ints
    servers: Floats
    utilization: Floats
    wait_probability: Floats
    mean_wait_s: Floats
    p99_wait_s: Floats

    def exceeded_by(self, part: Floats) -> Floats:
        """Return the wait of each row's queue that a part of the executions exceeds (M)."""
        wait, probability = self.mean_wait_s[self.group], self.wait_probability[self.group]
        waits = probability > part
        ratio = np.divide(probability, part, out=np.ones(len(part)), where=waits)
        each = np.divide(wait, probability, out=np.zeros(len(part)), where=waits)
        tail = np.where(waits, each * np.log(ratio), 0.0)
        return np.where(np.isinf(wait), np.inf, tail)


def waits(
    keys: tuple[Ints, ...],
    servers: Floats,
    per_s: Floats,
    service_s: Floats,
    taken: Floats | None = None,
) -> tuple[Ints, Queues]:
    """Estimate the waits of all queues.

    Parameters
    ----------
    keys
        Columns (M) that agree where rows share a queue.
    servers
        Servers of each row's queue (M), at least 1.
    per_s, service_s
        Executions per second and seconds of each (M).
    taken
        Part of a server that each takes (M), by default all of one.

    Returns
    -------
    first
        A row of each queue (Q).
    Queues
        The estimates.
    """
    first, group = distinct(*keys)
    count = len(first)
    servers = servers[first].astype(np.float64)
    arrivals = sums(group, per_s, count)
    load = sums(group, per_s * service_s, count)
    second = sums(group, per_s * service_s**2, count)
    busy = load > 0
    whole = load if taken is None else sums(group, per_s * service_s * taken, count)
    servers = np.divide(servers * load, whole, out=servers.copy(), where=whole > 0)
    mean = np.divide(load, arrivals, out=np.zeros(count), where=busy)
    square = np.divide(second, arrivals, out=np.zeros(count), where=busy)
    variation = np.divide(square, mean**2, out=np.ones(count), where=busy) - 1.0
    utilization = load / servers
    stable = utilization < 1.0 - FULL
    probability = np.ones(count)
    probability[stable] = erlang_c(servers[stable], load[stable])
    wait = np.full(count, np.inf)
    idle = (servers * (1.0 - utilization))[stable]
    wait[stable] = (probability[stable] * mean[stable] / idle) * (1.0 + variation[stable]) / 2.0
    tail = np.where(stable, 0.0, np.inf)
    some = stable & (probability > TAIL)
    tail[some] = wait[some] / probability[some] * np.log(probability[some] / TAIL)
    return first, Queues(group, servers, utilization, probability, wait, tail)


def erlang_c(servers: Floats, load: Floats) -> Floats:
    """Return the probability of waiting in M/M/c queues, for any number of servers at once.

    Erlang's loss B is the Poisson probability of exactly c over that of at most c; from it
    C = B / (1 − ρ (1 − B)).

    Parameters
    ----------
    servers
        c of each queue, at least 1.
    load
        λ E[S] of each, from 0 to below c.
    """
    from scipy.special import gammaincc, gammaln, xlogy

    exactly = np.exp(xlogy(servers, load) - load - gammaln(servers + 1.0))
    loss = exactly / gammaincc(servers + 1.0, load)
    probability: Floats = loss / (1.0 - load / servers * (1.0 - loss))
    return probability
