"""Demands of options on what they share, fitted from measurements of several at once.

What runs at once on one chip slows down: with demands d_o on a resource of capacity C, all that use
it progress at

    r = min(1, C / Σ d_o) × (1 − loss where two or more use it)

of their speed alone (docs/quantities.md). A measurement of what ran together, and how fast beside
what each did alone, says what the demands sum to: Σ d_o = C (1 − loss) / r. Demands of options
measured in several company follow by least squares of relative errors within 0 ≤ d_o ≤ C; of a lone
pair only the sum is known, and both get half of it. A demand is no more than C, so that sharing
alone explains no r below 1 / n for n at once: what is lost beyond that is the loss, the least that
the measurements need. What is slowed by less than the loss is taken to use nothing of the resource.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance.dtypes import Floats

EVEN = 1e-4
"""Weight with which demands that measurements do not tell apart are drawn to be equal."""
LOSSES = 60
"""Losses up to ``MOST_LOSS`` that are tried, beside those that single measurements ask for."""
MOST_LOSS = 0.9
NEAR = 1e-3
"""Relative error of a rate that no measurement is nearer than: a larger loss must bring more."""
RIDGE = 0.01
"""Weight of the law's slopes against its errors: few networks are measured on a chip."""
LEAST_MEASURED = 3
"""Pairs of other tasks on a chip from which its law is fitted."""


@dataclass(frozen=True, slots=True)
class Together:
    """Options that ran at once, each at the part ``rate`` of its speed alone.

    Of a pair that shares one stream of requests: ``rate`` = both / (first alone + second alone).
    """

    options: tuple[str, ...]
    rate: float


@dataclass(frozen=True, slots=True)
class Demands:
    """What measurements say.

    Attributes
    ----------
    demand
        Of each option, at most ``capacity``; 0 where it is not slowed.
    loss
        Part of the speed that is lost besides where two or more use the resource.
    error
        Median relative error of the rates measured, as fitted.
    """

    capacity: float
    demand: dict[str, float]
    loss: float
    error: float

    def rate(self, options: Sequence[str]) -> float:
        """Return the rate of options that run at once and use the resource, 1 for what does not."""
        return shared_rate([self.demand[o] for o in options], self.capacity, self.loss)


def shared_rate(demands: Sequence[float], capacity: float, loss: float) -> float:
    """Return the rate at which options with these demands progress at once."""
    asked = [d for d in demands if d > 0]
    total = math.fsum(asked)
    share = min(1.0, capacity / total) if total > 0 else 1.0
    return share * (1.0 - loss) if len(asked) > 1 else share


def fit_demands(measured: Sequence[Together], capacity: float) -> Demands:
    """Fit demands and loss.

    Parameters
    ----------
    measured
        At least one; each with two options or more, all different, and a rate above 0.
    capacity
        C: any positive number; demands are in its unit.
    """
    names = sorted({o for m in measured for o in m.options})
    wanted = sorted({max(0.0, 1.0 - len(m.options) * m.rate) for m in measured})
    tried = sorted({0.0, *wanted, *np.linspace(0.0, MOST_LOSS, LOSSES + 1).tolist()})
    least, loss, demand = math.inf, 0.0, dict.fromkeys(names, 0.0)
    for lost in (lost for lost in tried if lost <= MOST_LOSS):
        found = _fitted(measured, names, capacity, lost)
        error = sum(_error(m, found, capacity, lost) ** 2 for m in measured)
        # The least loss of those that fit as well.
        if error < least - len(measured) * NEAR**2:
            least, loss, demand = error, lost, found
    off = [
        abs(shared_rate([demand[o] for o in m.options], capacity, loss) / min(1.0, m.rate) - 1.0)
        for m in measured
    ]
    return Demands(capacity, demand, loss, float(np.median(off)))


def _error(m: Together, demand: dict[str, float], capacity: float, loss: float) -> float:
    """Return the error of a rate, of its logarithm; nothing is faster than alone."""
    found = shared_rate([demand[o] for o in m.options], capacity, loss)
    return math.log(found / min(1.0, m.rate))


def _fitted(
    measured: Sequence[Together], names: Sequence[str], capacity: float, loss: float
) -> dict[str, float]:
    from scipy.optimize import lsq_linear

    at = {name: i for i, name in enumerate(names)}
    rows, target = [], []
    unslowed: set[str] = set()
    for m in measured:
        # Nearer to full speed than to what two users reach at best: not slowed at all.
        if m.rate * m.rate >= 1.0 - loss:
            unslowed.update(m.options)
    for m in measured:
        total = max(capacity, capacity * (1.0 - loss) / m.rate)
        row = np.zeros(len(names))
        row[[at[o] for o in m.options]] = 1.0 / total
        rows.append(row)
        target.append(1.0)
    for m in measured:
        for other in m.options[1:]:
            row = np.zeros(len(names))
            row[at[m.options[0]]], row[at[other]] = EVEN / capacity, -EVEN / capacity
            rows.append(row)
            target.append(0.0)
    answer = lsq_linear(np.array(rows), np.array(target), (0.0, capacity), tol=1e-12)
    demand = {name: float(answer.x[at[name]]) for name in names}
    slowed = {o for m in measured if m.rate * m.rate < 1.0 - loss for o in m.options}
    return {o: 0.0 if o in unslowed - slowed else d for o, d in demand.items()}


@dataclass(frozen=True, slots=True)
class Pair:
    """One task on two processors of a chip: requests per second of each alone, and of both."""

    chip: str
    task: str
    first_per_s: float
    second_per_s: float
    both_per_s: float

    @property
    def rate(self) -> float:
        """Part of their speed alone that both have together, at most 1."""
        return min(1.0, self.both_per_s / (self.first_per_s + self.second_per_s))

    def options(self) -> tuple[str, str]:
        """Names of the two options."""
        return f"{self.task} on the first", f"{self.task} on the second"


def fit_chip(pairs: Sequence[Pair], capacity: float = 1.0) -> Demands:
    """Fit the demands of all tasks measured on one chip, and its loss."""
    return fit_demands([Together(p.options(), p.rate) for p in pairs], capacity)


def law_of_chip(pairs: Sequence[Pair]) -> Law:
    """Fit how a chip slows a task that was measured on each processor alone only.

    A law for the rate r of two at once: log r = a + b log(first) + c log(second / first), from
    tasks measured together, with slopes shrunk (ridge regression).

    Parameters
    ----------
    pairs
        ``LEAST_MEASURED`` or more, of one chip (or of several, for one that was never measured).
    """
    if len(pairs) < LEAST_MEASURED:
        raise ValueError(f"a law needs {LEAST_MEASURED} pairs, there are {len(pairs)}")
    features = np.array([_features(p) for p in pairs])
    middle = features.mean(axis=0)
    centred = features - middle
    rates = np.log([p.rate for p in pairs])
    inner = centred.T @ centred + RIDGE * len(pairs) * np.eye(2)
    slopes = np.linalg.solve(inner, centred.T @ (rates - rates.mean()))
    return Law(float(rates.mean()), middle, slopes)


@dataclass(frozen=True, slots=True)
class Law:
    """How fast two processors of a chip are together; see :func:`law_of_chip`."""

    level: float
    middle: Floats
    slopes: Floats

    def rate(self, pair: Pair) -> float:
        """Return the rate of a task of which only the speeds alone are known."""
        found = self.level + float((np.array(_features(pair)) - self.middle) @ self.slopes)
        return math.exp(min(0.0, found))


def _features(pair: Pair) -> tuple[float, float]:
    return math.log(pair.first_per_s), math.log(pair.second_per_s / pair.first_per_s)
