"""Least times before and after each task on each device, with messages that cannot be avoided.

Let H(i, d) be a time before which task i cannot start on device d in any plan, p(i, d) its shortest
time there and E(i, d) = H(i, d) + p(i, d). A predecessor j of i either runs on i's unit or not.

- If not, its message arrives at the earliest at r(j) = min over d' of E(j, d') + delay(d', d); d'
  = d counts only if d has more than one unit. Delays are those of docs/quantities.md, without
  contention.
- The set S of those that run on i's unit shares its slots: sorted by H, t becomes
  max(t, H(j, d)) + p(j, d) / slots for each of them in turn; they are not all done before the last
  t (the work of any of them after its start, at most ``slots`` at once), nor before any E(j, d).

So i cannot start before min over S of the larger of that time of S and the greatest r(j) of the
others. Both parts are monotone in S: if i starts at T, then S holds all j with r(j) > T, and no
larger S is done sooner. Hence only the sets of the k greatest r(j) matter, and the smallest k at
which the time of S reaches the (k + 1)-th r(j), or one less, is best (by bisection). This joins the
device-wise recursion of heterogeneous list scheduling with the serialisation argument of
E. B. Fernandez, B. Bussell, "Bounds on the number of processors and time for multiprocessor optimal
schedules", IEEE Transactions on Computers 22(8), 1973, for the predecessors of one task.

Backwards in time the same holds for the time from a task's end to the end of all that follows. No
other limit (memory, channels, power, pins, deadlines, ``overlap: false``, staging, which only adds
legs to a path) makes anything start sooner. Free messages count no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.paths import message_tables
from hetopt.schedule.model.grid import Grid

MOST_ROWS = 12_000
"""Tasks and edges above which it takes too long (about 50 µs each way for one)."""
MOST_PAIRS = 50_000_000
"""Edges × pairs of devices above which it takes too long."""
TICK_NOISE = 1e-9
"""Relative float noise of a sum of times; far above what thousands of additions make."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds per task and device, all T × D in seconds, inf where the task cannot run there.

    Attributes
    ----------
    start
        Least start.
    length
        Shortest time.
    rest
        Least time from the end of the task to the end of all that follows it.
    start_first, rest_last
        The same for a task that is the first, the last, on its unit, so that all that it waits
        for, all that waits for it, is on other units.
    """

    start: Floats
    length: Floats
    rest: Floats
    start_first: Floats
    rest_last: Floats

    @property
    def makespan(self) -> float:
        """Least makespan: inf where a task cannot run anywhere."""
        through = (self.start + self.length + self.rest).min(axis=1, initial=np.inf)
        return float(through.max(initial=0.0))


def reach(instance: Instance, length: Floats) -> Reach:
    """Return the bounds of an instance, whatever its size (see :func:`worth`).

    Parameters
    ----------
    length
        Shortest time of each task on each device (T × D), inf where it cannot run.
    """
    release = instance.jobs.release_s[instance.tasks.job]
    start, first = _Sweep(instance, length, forward=True).starts(release)
    rest, last = _Sweep(instance, length, forward=False).starts(np.zeros(len(length)))
    return Reach(start, length, rest, first, last)


def idle_makespan(instance: Instance, found: Reach) -> float:
    """Least makespan by work and unavoidable idle time, where all run on units of one device.

    A unit is idle before its first task and after its last one; these differ between units, so m
    units in use are idle for at least the m least ``start_first`` and the m least ``rest_last``,
    and m × makespan >= that idle time + all work. The least over m holds. 0 where tasks may run
    on several devices, or units have several slots.
    """
    devices = np.flatnonzero(np.isfinite(found.length).any(axis=0))
    if len(devices) != 1 or instance.devices.slots[devices[0]] != 1:
        return 0.0
    device = int(devices[0])
    most = min(int(instance.devices.count_max[device]), len(found.length))
    idle = np.zeros(most)
    for times in (found.start_first, found.rest_last):
        idle += np.cumsum(np.sort(times[:, device])[:most])
    work = found.length[:, device].sum()
    return float(((work + idle) / np.arange(1, most + 1)).min(initial=np.inf))


def latest_ends(instance: Instance, length: Floats, deadline: Floats) -> Floats:
    """Latest end of each task on each device (T × D), -inf where it cannot run.

    Parameters
    ----------
    deadline
        Of each task, finite, in seconds.
    """
    last = float(deadline.max(initial=0.0))
    return last - _Sweep(instance, length, forward=False).starts(last - deadline)[0]


def worth(instance: Instance) -> bool:
    """Whether there are messages, and so few tasks, edges and devices that it is quick."""
    rows = len(instance.tasks) + len(instance.edges)
    pairs = len(instance.edges) * len(instance.devices) ** 2
    return len(instance.tensors) > 0 and rows <= MOST_ROWS and pairs <= MOST_PAIRS


class _Sweep:
    """One pass over the graph, forward in time or backward."""

    def __init__(self, instance: Instance, length: Floats, *, forward: bool) -> None:
        devices, edges = instance.devices, instance.edges
        ptr, rows = instance.predecessors if forward else instance.successors
        other = edges.src if forward else edges.dst
        order = instance.topological_order.tolist()
        self.order: list[int] = order if forward else order[::-1]
        self.ptr: list[int] = ptr.tolist()
        self.other: list[int] = other[rows].tolist()
        self.tensor: list[int] = edges.tensor[rows].tolist()
        self.bytes_b: list[float] = instance.tensors.bytes_b.tolist()
        self.staged: list[bool] = instance.tensors.staged.tolist()
        self.slots = np.asarray(devices.slots, dtype=np.float64)
        self.length = length
        self.direct, self.legs = _delays(instance, forward=forward)

    def starts(self, release: Floats) -> tuple[Floats, Floats]:
        """Least start of each task (T × D), not before its release; and as first on its unit."""
        first = np.full(self.length.shape, np.inf)
        start = np.full(self.length.shape, np.inf)
        end = np.full(self.length.shape, np.inf)
        for task in self.order:
            arrivals: dict[int, Floats] = {}
            for k in range(self.ptr[task], self.ptr[task + 1]):
                other = self.other[k]
                at = self._arrival(end[other], self.tensor[k])
                known = arrivals.get(other)
                arrivals[other] = at if known is None else np.maximum(known, at)
            runs = np.isfinite(self.length[task])
            here = np.full(self.length.shape[1], release[task])
            alone = here
            if arrivals:
                rows = np.array(list(arrivals), dtype=np.int64)
                apart = np.array(list(arrivals.values()))
                alone = np.maximum(here, apart.max(axis=0))
                here = np.maximum(here, self._joined(start[rows], self.length[rows], apart))
            start[task], first[task] = np.where(runs, here, np.inf), np.where(runs, alone, np.inf)
            end[task] = start[task] + self.length[task]
        return start, first

    def _arrival(self, end: Floats, tensor: int) -> Floats:
        """When data are there on each device, at the earliest, if they come from another unit."""
        if tensor < 0:
            return np.full(len(end), end.min())
        latency, per_byte = self.legs if self.staged[tensor] else self.direct
        return np.asarray((end[:, None] + (latency + self.bytes_b[tensor] * per_byte)).min(axis=0))

    def _joined(self, start: Floats, length: Floats, apart: Floats) -> Floats:
        """Least time at which data of all predecessors (K × D) are on one unit of each device."""
        count = len(start)
        end = start + length
        if count == 1:
            return np.asarray(np.minimum(end[0], apart[0]))
        if not (apart > end).any():
            return np.asarray(apart.max(axis=0))
        by_arrival = np.argsort(-apart, axis=0, kind="stable")
        rank = np.empty_like(by_arrival)
        np.put_along_axis(rank, by_arrival, np.arange(count)[:, None], axis=0)
        arrival = np.vstack([np.take_along_axis(apart, by_arrival, axis=0), np.zeros(end.shape[1])])
        by_start = np.argsort(start, axis=0, kind="stable")
        rank = np.take_along_axis(rank, by_start, axis=0)
        start, end = (np.take_along_axis(times, by_start, axis=0) for times in (start, end))
        work = np.where(np.isfinite(end), end - np.where(np.isfinite(end), start, 0.0), 0.0)
        work = work / self.slots
        low = np.zeros(end.shape[1], dtype=np.int64)
        high = np.full(end.shape[1], count, dtype=np.int64)
        best = np.full(end.shape[1], np.inf)
        column = np.arange(end.shape[1])
        for _ in range(count.bit_length() + 1):
            k = (low + high) // 2
            done = _shared(rank < k, start, work, end)
            following = arrival[k, column]
            best = np.minimum(best, np.maximum(done, following))
            enough = done >= following
            high = np.where(enough, k, high)
            low = np.where(enough, low, np.minimum(k + 1, high))
        return best


def _shared(inside: Any, start: Floats, work: Floats, end: Floats) -> Floats:
    """Time by which a set of tasks, sorted by start, can be done on each device's unit."""
    done = np.zeros(start.shape[1])
    for row in range(len(start)):
        until = np.maximum(np.maximum(done, start[row]) + work[row], 0.0)
        done = np.where(inside[row], until, done)
    return np.asarray(np.maximum(done, np.where(inside, end, 0.0).max(axis=0)))


def _delays(instance: Instance, *, forward: bool) -> tuple[Any, Any]:
    """(latency, seconds per byte) between units of each pair of devices: direct, and staged.

    D × D, by the device that the sweep comes from and the one it goes to; inf latency where
    nothing can be sent, and within a device of one unit, which has no other unit.
    """
    tables = message_tables(instance)
    wide = len(instance.devices)
    # Where the path depends on the size, only that there is a path is known here.
    latency = np.where(tables.uniform, tables.latency_s, 0.0)
    latency[~tables.allowed] = np.inf
    per_byte = np.where(tables.uniform & tables.allowed, tables.s_per_b, 0.0)
    alone = np.diag(instance.devices.count_max <= 1)
    direct = np.where(alone, np.inf, latency), per_byte
    host = instance.host
    if not instance.tensors.staged.any() or host < 0:
        legs = direct
    else:
        away = np.arange(wide) != host
        parts = []
        for table in (latency, per_byte):
            write, read = np.where(away, table[:, host], 0.0), np.where(away, table[host], 0.0)
            parts.append(write[:, None] + read[None, :])
        near = _free(instance)
        legs = (
            np.where(alone, np.inf, np.where(near, 0.0, parts[0])),
            np.where(near, 0.0, parts[1]),
        )
    if forward:
        return direct, legs
    return (direct[0].T, direct[1].T), (legs[0].T, legs[1].T)


def _free(instance: Instance) -> Any:
    """Pairs of devices (D × D) between which messages are free."""
    pool = instance.devices.pool
    zero_copy = np.zeros(len(pool), dtype=bool)
    zero_copy[pool >= 0] = instance.pools.zero_copy[pool[pool >= 0]]
    return (pool[:, None] == pool[None, :]) & zero_copy[:, None] & zero_copy[None, :]


MOST_TICKS = float(1 << 60)
"""What a head counts at most: more does not fit 64 bits, and less is a head all the same."""


def ticks_below(times_s: Floats, grid: Grid) -> Ints:
    """Whole ticks that are surely not above finite times: their ceiling on an exact grid.

    There everything in some best plan starts at whole ticks.
    """
    with np.errstate(over="ignore"):
        ticks = np.asarray(times_s, dtype=np.float64) / float(grid.tick)
    ticks = np.minimum(ticks, MOST_TICKS)
    ticks = ticks - TICK_NOISE * (1.0 + np.abs(ticks))
    return (np.ceil(ticks) if grid.direction == "exact" else np.floor(ticks)).astype(np.int64)
