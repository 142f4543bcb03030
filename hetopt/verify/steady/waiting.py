"""Limits of latency that a part of the requests must meet with waiting, as estimated.

Rule (docs/steady.md, queueing): each unit that the plan names, else all working units of a device
together, or those of a job on an exclusive one, is a queue M/G/c with its slots as servers. A wait
longer than t has the probability C G(t) with C by Erlang and

    G(t) = exp(-θ t) + θ ∫ from 0 to t of exp(-θ (t - x)) P(S_e > x)^c dx,

S_e what is left of a service that is looked at while it runs, and θ > 0 the root of
Σ λ_i (exp(θ S_i / c) - 1) = θ. Along a route each task waits for the quantile of its queue; the
longest path must meet the limit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.verify.exact import exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.streams import Stream

Key = tuple[int, int, int]
"""Device, unit (-1: any), and job (-1: any) of a queue."""

FULL, WHOLE = 1e-9, 1e-9
"""Utilisation this near 1 never empties; times this near are equal."""
ROUNDING = 1e-4
"""Integrals that are taken in two ways differ so; what they give is an estimate anyway."""
NOTHING = 40.0
"""A part of an integral this many e-folds below the rest is left out."""


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
            task: waits[_key(instance, stream.job, option, unit)].beyond(1.0 - q)
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


@dataclass
class _Waits:
    """Servers (infinite: waits never end), probability of waiting, rates and times of services."""

    servers: float
    chance: float
    arrivals: list[tuple[float, float]]

    @cached_property
    def decay(self) -> float:
        """θ: what is convex, 0 at 0 and falls there, is 0 again where it changes sign."""

        def over(at: float) -> float:
            grown = (rate * math.expm1(at * time / self.servers) for rate, time in self.arrivals)
            return math.fsum(grown) - at

        low, high = 0.0, 1e-9 / max(time for _, time in self.arrivals)
        while over(high) <= 0.0:
            low, high = high, 2.0 * high
        while high - low > 1e-13 * high:
            middle = (low + high) / 2.0
            if not low < middle < high:
                break
            low, high = (middle, high) if over(middle) <= 0.0 else (low, middle)
        return high

    def left(self, at: Floats) -> Floats:
        """Return P(S_e > x)^c at some times."""
        load = math.fsum(rate * time for rate, time in self.arrivals)
        parts = [rate * np.maximum(time - at, 0.0) for rate, time in self.arrivals]
        return np.asarray((np.sum(parts, axis=0) / load) ** self.servers)

    @cached_property
    def cuts(self) -> list[float]:
        """Times between which the integrand is smooth, up to where nothing is left of it."""
        last = max(time for _, time in self.arrivals)
        looked = np.linspace(0.0, last, 4001)
        with np.errstate(divide="ignore"):
            weight = np.log(self.left(looked)) + self.decay * looked
        within = np.flatnonzero(weight > weight.max() - NOTHING)[-1]
        end = float(looked[min(within + 1, len(looked) - 1)])
        small = [end * k / 8 for k in range(9)] + [end / 8**k for k in range(2, 5)]
        return sorted({*small, *(time for _, time in self.arrivals if time < end)})

    @cached_property
    def at_cuts(self) -> list[float]:
        """G at each of them."""
        found = [1.0]
        for a, b in pairwise(self.cuts):
            found.append(self._grown(found[-1], a, b))
        return found

    def _grown(self, begin: float, a: float, b: float) -> float:
        """Return G at b from G at a, with nothing to be cut in between."""
        nodes, weights = np.polynomial.legendre.leggauss(24)
        times = (a + b) / 2.0 + (b - a) / 2.0 * nodes
        values = self.left(times) * np.exp(-self.decay * (b - times))
        more = self.decay * (b - a) / 2.0 * float(values @ weights)
        return begin * math.exp(-self.decay * (b - a)) + more

    def longer(self, at: float) -> float:
        """Return G: the part of those who must wait that waits longer."""
        k = bisect_right(self.cuts, at) - 1
        if k == len(self.cuts) - 1:
            return self.at_cuts[k] * math.exp(-self.decay * (at - self.cuts[k]))
        return self._grown(self.at_cuts[k], self.cuts[k], at)

    def beyond(self, part: float) -> float:
        """Return the wait that a part of the requests exceeds."""
        if math.isinf(self.servers):
            return math.inf
        if self.chance <= part:
            return 0.0
        high = 1.0 / self.decay
        while self.longer(high) > part / self.chance:
            high *= 2.0
        low = 0.0
        while high - low > 1e-9 * high:
            middle = (low + high) / 2.0
            if self.longer(middle) > part / self.chance:
                low = middle
            else:
                high = middle
        return high


def _wait(instance: Instance, key: Key, queue: _Queue, working: Ints) -> _Waits:
    """Return how long a queue waits; with infinite servers where it never ends."""
    device, unit, job = key
    devices = instance.devices
    slots = int(devices.slots[device])
    units = 1 if unit >= 0 else max(1, int(working[device]))
    if job >= 0:
        each = float(devices.max_utilization[device] * (1.0 - devices.reserved[device]) * slots)
        units = max(1, math.ceil(queue.load / each - WHOLE))
    arrivals = [(a, s) for a, s, _ in queue.arrivals if a * s > 0]
    load = math.fsum(a * s for a, s in arrivals)
    if not load > 0:
        return _Waits(1.0, 0.0, [])
    taken = math.fsum(a * s * p for a, s, p in queue.arrivals)
    servers = units * slots * load / taken
    if load / servers >= 1.0 - FULL:
        return _Waits(math.inf, 1.0, [])
    return _Waits(servers, _erlang(servers, load), arrivals)


def _erlang(servers: float, load: float) -> float:
    """Return Erlang's C by the integral 1 / B = a ∫ exp(-a t) (1 + t)^c dt over t from 0 on."""
    from scipy.integrate import quad

    # The integrand peaks where (1 + t) = c / a, beyond which it falls.
    peak = max(0.0, servers / load - 1.0)
    most = servers * math.log1p(peak) - load * peak
    if most > 600.0:
        # 1 / B is some exp(600): nobody waits.
        return 0.0

    def density(t: float) -> float:
        return load * math.exp(servers * math.log1p(t) - load * t)

    width = math.sqrt(servers) / load + 1.0 / load
    cuts = [0.0, peak, peak + width, peak + 8 * width, peak + 60 * width]
    whole = math.fsum(
        quad(density, a, b, limit=200, epsabs=0.0, epsrel=1e-11)[0]
        for a, b in pairwise(cuts)
        if b > a
    )
    loss = 1.0 / whole
    return loss / (1.0 - load / servers * (1.0 - loss))


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
