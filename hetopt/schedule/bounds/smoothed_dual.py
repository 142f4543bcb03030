"""Prices on device time for large load relaxations, by smoothing and Newton's method.

The bound L(λ) of :mod:`hetopt.schedule.bounds.load_bound` is concave and piecewise linear in as
many prices as there are devices, however many options there are. Each minimum in it is replaced by
a soft one, min_i v_i ≈ -μ log Σ exp(-v_i / μ), prices are held above 0 by a logarithmic barrier,
and both μ and the barrier's weight fall while Newton's method follows the optimum (Y. Nesterov,
"Smooth minimization of non-smooth functions", Mathematical Programming 103, 2005; S. Boyd,
L. Vandenberghe, "Convex Optimization", 2004, chapter 11). A pass costs one look at each option; a
linear program with 60,000 columns takes seconds. What comes out is only prices: the bound is
computed from them exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Floats, Ints
from hetopt.schedule.bounds.rounding import surely

STAGES = 16
"""Values of μ and of the barrier's weight."""
FALL = 0.45
"""What both are multiplied by from one stage to the next."""
HOT = 0.2
"""First μ over the mean cost of a class."""
STEPS = 12
"""Newton steps a stage, at most."""
NEAR = 1e-3
"""Newton decrement over μ's part of the value at which a stage ends."""
FAR = 200.0
"""Multiples of μ above the class's least cost at which an option weighs nothing."""
BLOCK = 20_000
"""Classes that are spread over the devices at a time."""
_HALVINGS = 12


@dataclass(frozen=True)
class Smooth:
    """The data of a load relaxation, with one row per option of each class.

    Attributes
    ----------
    ptr, device
        First row of each class (length K); device of each row.
    cost, time
        Of all of the class's work, per row.
    rate, use
        Per device and number of units (D × B): what they cost, and the time that they offer, each
        per unit of the window where ``ends`` is (lo, hi), in all where ``ends`` is None.
    ends
        Least and greatest makespan, or None where the window is fixed.
    """

    ptr: Ints
    device: Ints
    cost: Floats
    time: Floats
    rate: Floats
    use: Floats
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class Prices:
    """Prices per device, shares per row, and the weight of each number of units (D × B)."""

    prices: Floats
    share: Floats
    units: Floats


# Prices of what cannot fit grow without end; the best ones before are returned.
@np.errstate(over="ignore", invalid="ignore")
def cost_prices(data: Smooth) -> Prices:
    """Prices λ >= 0 that nearly maximise Σ_c min_r (cost + λ time) + window part."""
    wide = len(data.rate)
    least = np.minimum.reduceat(data.time, data.ptr)
    total = float(least.sum())
    size = float(np.minimum.reduceat(np.abs(data.cost), data.ptr).sum()) + float(
        data.rate[:, -1].sum() * (data.ends[0] if data.ends else 1.0)
    )
    if size <= 0 or total <= 0:
        return _shares(data, np.zeros(wide), 1e-9)
    return _follow(data, np.full(wide, size / total), size, None)


@np.errstate(over="ignore", invalid="ignore")
def makespan_prices(data: Smooth, capacity: Floats) -> Prices:
    """Prices λ >= 0 with Σ λ capacity = 1 that nearly maximise Σ_c min_r λ time.

    ``cost``, ``rate`` and ``use`` of the data are 0, and all capacities positive.
    """
    start = 1.0 / (len(capacity) * capacity)
    size = float(np.minimum.reduceat(start[data.device] * data.time, data.ptr).sum())
    return _follow(data, start, max(size, 1e-300), capacity)


def _follow(whole: Smooth, prices: Floats, size: float, capacity: Floats | None) -> Prices:
    """Follow the optimum as μ falls; ``size`` is the order of the value.

    Prices of a similar relaxation are no better start: a small μ makes their surroundings flat.
    """
    mu = HOT * size / max(1, len(whole.ptr))
    weight = HOT * size / max(1, len(prices))
    best, highest = prices, _hard(whole, prices)
    for _ in range(STAGES):
        data = _competing(whole, prices, mu)
        for _ in range(STEPS):
            value, gradient, curve = _look(data, prices, mu, second=True)
            gradient = gradient + weight / prices
            curve = curve + np.diag(weight / prices**2)
            step = _newton(gradient, curve, capacity)
            slope = float(gradient @ step)
            if not math.inf > slope > NEAR * mu:
                break
            length = min(1.0, 0.95 / max(1e-300, float((-step / prices).max())))
            value += weight * float(np.log(prices).sum())
            for _ in range(_HALVINGS):
                tried = prices + length * step
                found = _look(data, tried, mu, second=False)[0]
                if found + weight * float(np.log(tried).sum()) >= value + 0.1 * length * slope:
                    break
                length /= 2
            else:
                break
            prices = tried
        true = _hard(whole, prices)
        if highest < true < math.inf:
            best, highest = prices, true
        mu *= FALL
        weight *= FALL
    return _shares(whole, best, mu / FALL)


def _hard(data: Smooth, prices: Floats) -> float:
    """Value without smoothing, less what rounding may have added: huge prices are no better."""
    reduced = data.cost + prices[data.device] * data.time
    value = float(np.minimum.reduceat(reduced, data.ptr).sum())
    paid = data.rate - prices[:, None] * data.use
    total = float(paid.min(axis=1).sum())
    terms, size = len(data.device) + paid.size, abs(value) + float(np.abs(paid).sum())
    if data.ends is None:
        return surely(value + total, size, terms)
    low, high = data.ends
    size = abs(value) + high * float((data.rate + prices[:, None] * data.use).max(axis=1).sum())
    return surely(value + min(low * total, high * total), size, terms)


def _competing(data: Smooth, prices: Floats, mu: float) -> Smooth:
    """Leave out rows that weigh nothing at these prices; the next stage looks at all anew."""
    reduced = data.cost + prices[data.device] * data.time
    size = np.diff(np.append(data.ptr, len(reduced)))
    least = np.repeat(np.minimum.reduceat(reduced, data.ptr), size)
    keep = reduced - least <= FAR * mu
    kept = np.add.reduceat(keep.astype(np.int64), data.ptr)
    return replace(
        data,
        ptr=np.cumsum(kept) - kept,
        device=data.device[keep],
        cost=data.cost[keep],
        time=data.time[keep],
    )


def _newton(gradient: Floats, curve: Floats, capacity: Floats | None) -> Floats:
    """Ascent step, 0 where rounding leaves none; ``curve`` is minus the second derivative.

    With a ``capacity`` the step keeps Σ λ capacity.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.diag(curve), 1e-300))
    scaled = curve * scale[:, None] * scale[None, :]
    scaled[np.diag_indices_from(scaled)] *= 1 + 1e-10
    try:
        step = scale * np.linalg.solve(scaled, scale * gradient)
        if capacity is None:
            return np.asarray(step)
        across = scale * np.linalg.solve(scaled, scale * capacity)
    except np.linalg.LinAlgError:
        return np.zeros(len(gradient))
    return np.asarray(step - across * float(capacity @ step) / float(capacity @ across))


def _look(data: Smooth, prices: Floats, mu: float, *, second: bool) -> tuple[float, Floats, Floats]:
    """Smoothed value, its gradient, and minus its second derivative."""
    wide, rows = len(prices), len(data.ptr)
    value, share, owner = _soft(data, prices, mu)
    gradient: Floats = np.zeros(wide)
    curve: Floats = np.zeros((1, 1))
    if second:
        spent = share * data.time
        gradient = np.bincount(data.device, spent, wide).astype(np.float64)
        curve = np.diag(np.bincount(data.device, spent * data.time, wide))
        for first in range(0, rows, BLOCK):
            last = data.ptr[first + BLOCK] if first + BLOCK < rows else len(spent)
            some = slice(data.ptr[first], last)
            place = (owner[some] - first) * wide + data.device[some]
            block = np.bincount(place, spent[some], min(BLOCK, rows - first) * wide)
            by_class = block.reshape(-1, wide)
            curve -= by_class.T @ by_class
        curve /= mu
    paid = data.rate - prices[:, None] * data.use
    units = _weights(paid, mu)
    each = _soft_min(paid, mu)
    offered = (units * data.use).sum(axis=1)
    spread = (units * data.use**2).sum(axis=1) - offered**2
    if data.ends is None:
        value += float(each.sum())
        if second:
            gradient = gradient - offered
            curve += np.diag(spread / mu)
        return value, gradient, curve
    low, high = data.ends
    total = float(each.sum())
    both = np.array([[low * total, high * total]])
    value += float(_soft_min(both, mu)[0])
    if second:
        part = float(_weights(both, mu)[0, 1])
        window = low + (high - low) * part
        bend = (high - low) ** 2 * part * (1 - part) / mu
        gradient = gradient - window * offered
        curve += window * np.diag(spread / mu) + bend * np.outer(offered, offered)
    return value, gradient, curve


def _soft(data: Smooth, prices: Floats, mu: float) -> tuple[float, Floats, Ints]:
    """Sum over classes of the soft minimum, shares per row, and the class of each row."""
    reduced = data.cost + prices[data.device] * data.time
    size = np.diff(np.append(data.ptr, len(reduced)))
    owner = np.repeat(np.arange(len(data.ptr)), size)
    least = np.minimum.reduceat(reduced, data.ptr)
    weight = np.exp((least[owner] - reduced) / mu)
    total = np.add.reduceat(weight, data.ptr)
    value = float(least.sum()) - mu * float(np.log(total).sum())
    return value, weight / total[owner], owner


def _soft_min(values: Floats, mu: float) -> Floats:
    least = values.min(axis=1)
    spread = np.exp((least[:, None] - values) / mu).sum(axis=1)
    return np.asarray(least - mu * np.log(spread))


def _weights(values: Floats, mu: float) -> Floats:
    weight = np.exp((values.min(axis=1)[:, None] - values) / mu)
    return np.asarray(weight / weight.sum(axis=1)[:, None])


def _shares(data: Smooth, prices: Floats, mu: float) -> Prices:
    _, share, _ = _soft(data, prices, mu)
    return Prices(prices, share, _weights(data.rate - prices[:, None] * data.use, mu))
