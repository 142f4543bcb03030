"""Limits of latency that a part of the requests must meet with waiting, as estimated.

Rule (docs/steady.md, queueing): each unit that the plan names, else all working units of a device
together, or those of a job on an exclusive one, is a queue M/G/c with its slots as servers. A wait
longer than t has the probability C exp(-t C / E[W]) with E[W] by Allen and Cunneen and C by Erlang.
Along a route each task waits for the quantile of its queue; the longest path must meet the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.verify.exact import exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.streams import Stream

Key = tuple[int, int, int]
"""Device, unit (-1: any), and job (-1: any) of a queue."""

FULL, WHOLE, ROUNDING = 1e-9, 1e-9, 1e-7
"""Utilisation this near 1 never empties; times this near are equal; sums of floats differ so."""


@dataclass(slots=True)
class _Queue:
    """What arrives at a queue: (executions per second, seconds, part of a server) of each task."""

    arrivals: list[tuple[float, float, float]] = field(default_factory=list)
    load: float = 0.0


def check_waiting(
    instance: Instance, streams: list[Stream], working: Ints, findings: Findings
) -> None:
    """Check the estimated quantile of every job that states one."""
    quantile = instance.jobs.latency_quantile
    if np.isnan(quantile).all():
        return
    used = [stream for stream in streams if stream.used]
    queues: dict[Key, _Queue] = {}
    for stream in used:
        for task, option, unit in stream.rows:
            queue = queues.setdefault(_key(instance, stream.job, option, unit), _Queue())
            per_s, service, part = _arrival(instance, float(stream.rate), task, option)
            queue.arrivals.append((per_s, service, part))
            batch = int(instance.options.batch[option])
            busy = float(instance.options.time_s[option] * instance.tasks.work[task]) / batch
            queue.load += float(stream.rate) * busy
    waits = {key: _wait(instance, key, queue, working) for key, queue in queues.items()}
    for stream in used:
        q = float(quantile[stream.job])
        if math.isnan(q):
            continue
        extra = {
            task: _beyond(waits[_key(instance, stream.job, option, unit)], 1.0 - q)
            for task, option, unit in stream.rows
        }
        latency = _longest(instance, stream, extra)
        limit = float(instance.jobs.latency_slo_s[stream.job])
        if exceeds(latency, limit * (1.0 + ROUNDING)):
            name = instance.jobs.name[stream.job]
            findings.add(
                "waiting",
                f"Of job {name}, a part of {show(q)} of the requests by route {stream.row} is "
                f"estimated to take up to {show(latency, 's')} with waiting; the limit is "
                f"{show(limit, 's')}.",
                name,
            )


def _key(instance: Instance, job: int, option: int, unit: int) -> Key:
    device = int(instance.options.device[option])
    own = bool(instance.devices.exclusive[device]) and unit < 0
    return device, unit, job if own else -1


def _arrival(instance: Instance, rate: float, task: int, option: int) -> tuple[float, float, float]:
    options = instance.options
    batch, device = int(options.batch[option]), int(options.device[option])
    time = float(options.time_s[option]) * float(instance.tasks.work[task])
    free = 1.0 - float(instance.devices.reserved[device])
    service = time / free if free > 0 else time
    stated = float(options.latency_s[option])
    if batch >= 2 and stated <= time * (1.0 + WHOLE):
        # Requests join while the batch runs, each for its part of a server.
        return rate, service, 1.0 / batch
    return rate / batch, service, 1.0


def _wait(instance: Instance, key: Key, queue: _Queue, working: Ints) -> tuple[float, float]:
    """Return the probability of waiting, and the mean wait; infinite where it never ends."""
    device, unit, job = key
    devices = instance.devices
    slots = int(devices.slots[device])
    units = 1 if unit >= 0 else max(1, int(working[device]))
    if job >= 0:
        each = float(devices.max_utilization[device] * (1.0 - devices.reserved[device]) * slots)
        units = max(1, math.ceil(queue.load / each - WHOLE))
    rate = math.fsum(a for a, _, _ in queue.arrivals)
    load = math.fsum(a * s for a, s, _ in queue.arrivals)
    if not load > 0:
        return 0.0, 0.0
    taken = math.fsum(a * s * p for a, s, p in queue.arrivals)
    servers = units * slots * load / taken
    if load / servers >= 1.0 - FULL:
        return 1.0, math.inf
    mean = load / rate
    square = math.fsum(a * s * s for a, s, _ in queue.arrivals) / rate
    chance = _erlang(servers, load)
    spread = square / mean**2
    return chance, chance * mean / (servers - load) * spread / 2.0


def _erlang(servers: float, load: float) -> float:
    """Return Erlang's C by the integral 1 / B = a ∫ exp(-a t) (1 + t)^c dt over t from 0 on."""
    from scipy.integrate import quad

    def density(t: float) -> float:
        return load * math.exp(servers * math.log1p(t) - load * t)

    # The integrand peaks where (1 + t) = c / a, beyond which it falls.
    peak = max(0.0, servers / load - 1.0)
    width = math.sqrt(servers) / load + 1.0 / load
    cuts = [0.0, peak, peak + width, peak + 8 * width, peak + 60 * width]
    whole = math.fsum(
        quad(density, a, b, limit=200, epsabs=0.0, epsrel=1e-11)[0]
        for a, b in pairwise(cuts)
        if b > a
    )
    loss = 1.0 / whole
    return loss / (1.0 - load / servers * (1.0 - loss))


def _beyond(wait: tuple[float, float], part: float) -> float:
    """Return the wait that a part of the requests exceeds."""
    chance, mean = wait
    if math.isinf(mean):
        return math.inf
    return mean / chance * math.log(chance / part) if chance > part else 0.0


def _longest(instance: Instance, stream: Stream, extra: dict[int, float]) -> float:
    """Return the longest path of a route, the wait before each task added."""
    takes = {task: float(t) + extra[task] for task, t in stream.cost.lasting_s.items()}
    delay = {edge: float(d) for edge, d in stream.cost.delay_s.items()}
    begins = dict.fromkeys(takes, 0.0)
    src, dst = instance.edges.src, instance.edges.dst
    for _ in takes:
        # As many rounds as tasks reach every end, whatever the order of the edges.
        for edge, late in delay.items():
            a, b = int(src[edge]), int(dst[edge])
            begins[b] = max(begins[b], begins[a] + takes[a] + late)
    return max(begins[task] + takes[task] for task in takes)
