"""How long requests wait in queues: the mean, and the wait that a part of them exceeds.

Executions arrive at a queue as a Poisson stream and are served first come, first served by c
servers. With λ_i executions per second of time S_i, λ = Σ λ_i, load a = λ E[S] = Σ λ_i S_i and
utilisation ρ = a / c < 1, let S_e be what is left of a service that is looked at while it runs, and
R the least that is left on c servers looked at independently:

    P(S_e > x) = Σ λ_i max(0, S_i − x) / a          P(R > x) = P(S_e > x)^c

Who finds all servers taken waits for the first to be free and then for those before him, who are
served as if by one server c times as fast:

    W = 0 with probability 1 − C(c, a), Erlang's delay formula; else
    W = R + Y with Y the sum of N waits as long as S_e / c, P(N = n) = (1 − ρ) ρ^n

    E[W]      = C (E[R] + ρ / (1 − ρ) × E[S²] / (2 E[S] c))
    P(Y > x)  ≤ exp(−θ x) with θ > 0 the root of Σ λ_i (exp(θ S_i / c) − 1) = θ    Lundberg
    P(W > t)  ≤ C G(t), G(t) = exp(−θ t) (1 + θ ∫ from 0 to t of exp(θ x) P(R > x) dx)

G(t) is the mean of min(1, exp(−θ (t − R))). The estimate of the tail is C G(t). For one server W is
exactly so (Pollaczek and Khinchine), and C G(t) is proven to be no less than P(W > t). For several
it is an approximation: that of R is exact for exponential services and in light traffic, C is that
of exponential services. Against simulations of random queues it errs on the long side, by some 4 %
of a latency in the middle and more where hardly anybody waits (docs/steady.md). The mean of Allen
and Cunneen with an exponential tail is too short where a few services take much longer than the
others, for the tail is theirs, and on many servers of nearly constant services.

Requests of a batch that others may join while it runs take a part w_i of a server each: a mixture
of such waits like one of c Σ λ_i S_i / Σ λ_i w_i S_i servers.

Sources: H. C. Tijms, M. H. van Hoorn, A. Federgruen, "Approximations for the steady-state
probabilities in the M/G/c queue", Adv. Appl. Prob. 13, 1981 (R, and what follows it); H. C. Tijms,
"A First Course in Stochastic Models", 2003, §9.6; for Lundberg's inequality of compound geometric
sums S. Asmussen, H. Albrecher, "Ruin Probabilities", 2nd ed. 2010, ch. III and IV;
J. F. C. Kingman, "Inequalities in the theory of queues", J. R. Stat. Soc. B 32, 1970 (one server).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.instance.grouping import distinct, sums

TAIL = 0.01
"""The part of the requests that waits longer than the percentile reported (p99)."""
FULL = 1e-9
"""A utilisation this close to 1 is 1: the queue grows without end."""
POINTS = 512
"""Steps of the integral; its error is upwards, and some 1e-5 of a wait."""
NOTHING = 40.0
"""Beyond where a part of an integral is less than exp(-NOTHING) of the rest it is left out."""
LOOKS = 64
"""Points among which the end of what counts is looked for, three times."""
ROUNDS = 200
"""Of Newton's method; some ten are needed."""


@dataclass(frozen=True, slots=True)
class Queues:
    """Q queues; waits are inf where the utilisation is 1 or more.

    Attributes
    ----------
    group
        Queue of each row that was given (M).
    servers, utilization, wait_probability
        Of each queue (Q); servers that take requests one by one count each.
    mean_wait_s
        Expected wait (Q).
    delays
        How long those wait who must (Q).
    """

    group: Ints
    servers: Floats
    utilization: Floats
    wait_probability: Floats
    mean_wait_s: Floats
    delays: tuple[Delay | None, ...]

    @property
    def p99_wait_s(self) -> Floats:
        """Wait that a hundredth of the executions exceed (Q)."""
        return np.array([self._beyond(q, TAIL) for q in range(len(self.servers))])

    def exceeded_by(self, part: Floats) -> Floats:
        """Return the wait of each row's queue that a part of the executions exceeds (M)."""
        known: dict[tuple[int, float], float] = {}
        for key in zip(self.group.tolist(), part.tolist(), strict=True):
            if key not in known:
                known[key] = self._beyond(*key)
        found = [known[key] for key in zip(self.group.tolist(), part.tolist(), strict=True)]
        return np.array(found, dtype=np.float64)

    def _beyond(self, queue: int, part: float) -> float:
        delay, probability = self.delays[queue], float(self.wait_probability[queue])
        if delay is None:
            return math.inf
        return delay.exceeded_by(part / probability) if probability > part else 0.0


@dataclass(frozen=True, slots=True)
class Delay:
    """How long those wait who must, in one queue.

    Attributes
    ----------
    mean_s
        Its mean.
    at_s, tail
        The bound G on the probability of waiting longer, at some times from 0 on (K).
    decay_per_s
        θ: beyond the last time G falls by exp(-θ t).
    """

    mean_s: float
    at_s: Floats
    tail: Floats
    decay_per_s: float

    def exceeded_by(self, part: float) -> float:
        """Return what a part of them, less than all, waits longer than."""
        if self.tail[-1] > part:
            return float(self.at_s[-1] + math.log(self.tail[-1] / part) / self.decay_per_s)
        k = int(np.argmax(self.tail <= part))
        before, after = self.tail[k - 1], self.tail[k]
        share = (before - part) / (before - after)
        return float(self.at_s[k - 1] + share * (self.at_s[k] - self.at_s[k - 1]))


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
    load = sums(group, per_s * service_s, count)
    whole = load if taken is None else sums(group, per_s * service_s * taken, count)
    servers = np.divide(servers * load, whole, out=servers.copy(), where=whole > 0)
    utilization = load / servers
    stable = utilization < 1.0 - FULL
    probability = np.ones(count)
    probability[stable] = erlang_c(servers[stable], load[stable])
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=count)).tolist()
    delays: list[Delay | None] = []
    # Units that serve the same in the same way are many where plans name them.
    known: dict[tuple[float, bytes, bytes], Delay] = {}
    for q, (begin, end) in enumerate(pairwise([0, *ends])):
        rate, service = per_s[order[begin:end]], service_s[order[begin:end]]
        key = (float(servers[q]), rate.tobytes(), service.tobytes())
        if stable[q] and key not in known:
            known[key] = delay_of(key[0], rate, service)
        delays.append(known[key] if stable[q] else None)
    mean = [math.inf if delay is None else delay.mean_s for delay in delays]
    wait = np.where(stable, probability * np.where(stable, mean, 0.0), np.inf)
    return first, Queues(group, servers, utilization, probability, wait, tuple(delays))


def delay_of(servers: float, per_s: Floats, service_s: Floats) -> Delay:
    """Return how long those wait who must, in a queue of utilisation below 1.

    Parameters
    ----------
    servers
        At least 1.
    per_s, service_s
        Executions per second and seconds of each class (M).
    """
    some = (per_s > 0) & (service_s > 0)
    if not some.any():
        return Delay(0.0, np.zeros(1), np.zeros(1), 1.0)
    order = np.argsort(service_s[some])
    rate, service = per_s[some][order], service_s[some][order]
    decay = _decay(servers, rate, service)
    load = float(rate @ service)
    at_s = _times(servers, rate, service, decay)
    left = np.exp(servers * _log_left(at_s, rate, service))
    step = np.diff(at_s)
    # Both factors, exp(θ x) and P(R > x), are convex: each is no more than its chord.
    shrunk = np.exp(-decay * step)
    falls, stays = left[1:], left[:-1]
    more = decay * step * ((shrunk * stays + falls) / 3.0 + (shrunk * falls + stays) / 6.0)
    with np.errstate(divide="ignore"):
        grown = np.logaddexp.accumulate(np.append(0.0, decay * at_s[1:] + np.log(more)))
    # For one server that bounds it; rounding may lift it above 1 near 0.
    tail = np.minimum(1.0, np.exp(grown - decay * at_s))
    rest = (load / (servers - load)) * float(rate @ service**2) / (2.0 * load * servers)
    return Delay(_least(servers, rate, service) + rest, at_s, tail, decay)


def _least(servers: float, rate: Floats, service: Floats) -> float:
    """Return E[R]: P(S_e > x) is linear between services, a power of it is integrated exactly."""
    left = np.exp((servers + 1.0) * _log_left(np.append(0.0, service), rate, service))
    slope = np.cumsum(rate[::-1])[::-1] / float(rate @ service)
    return float(((left[:-1] - left[1:]) / slope).sum()) / (servers + 1.0)


def _decay(servers: float, rate: Floats, service: Floats) -> float:
    """Return θ by Newton's method from above, where it falls to the root of what is convex.

    It begins at or above the root: exp(y) - 1 is at least y + y² / 2, and at least y exp(y / 2),
    of which the latter of any class alone is beyond θ from 2 c / S ln(c / (λ S)) on.
    """
    share = service / servers
    at = 2.0 * (1.0 - float(rate @ share)) / float(rate @ share**2)
    at = min(at, float((2.0 / share * -np.log(rate * share)).min()))
    for _ in range(ROUNDS):
        grown = np.expm1(at * share)
        over = float(rate @ grown) - at
        slope = float((rate * share) @ (grown + 1.0)) - 1.0
        if over <= 0.0 or slope <= 0.0:
            break
        after = at - over / slope
        if not 0.0 < after < at:
            break
        at = after
    return at


def _times(servers: float, rate: Floats, service: Floats, decay: float) -> Floats:
    """Return times from 0 to where nothing of the integral of exp(θ x) P(R > x) is left."""
    end = float(service[-1])
    for _ in range(3):
        looked = np.linspace(0.0, end, LOOKS + 1)
        weight = servers * _log_left(looked, rate, service) + decay * looked
        last = int(np.flatnonzero(weight > weight.max() - NOTHING)[-1])
        if last >= LOOKS - 1:
            break
        end = float(looked[last + 1])
    return end * np.linspace(0.0, 1.0, POINTS + 1) ** 2


def _log_left(at_s: Floats, rate: Floats, service: Floats) -> Floats:
    """Return ln P(S_e > x) at some times; -inf from the longest service on."""
    # Sums over the services longer than each, of rates and of rates times services.
    more = np.append(np.cumsum(rate[::-1])[::-1], 0.0)
    load = np.append(np.cumsum((rate * service)[::-1])[::-1], 0.0)
    k = np.searchsorted(service, at_s, side="right")
    left = np.maximum(0.0, load[k] - at_s * more[k])
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(left / load[0]))


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
