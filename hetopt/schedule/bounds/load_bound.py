"""The load bound: what the work costs where devices have only so much time (docs/mathematics.md).

Tasks with the same profile, permissions and accuracy are one class (time is linear in work, so
classes aggregate exactly); x[c, o] is the work of class c that option o does, C the makespan, n[d]
the units of device d that run something, r[d](n) what n such units cost per second (idle power of
those on, price of those had):

    minimise    Σ cost[o] x[c, o] + C Σ_d r[d](n[d])
    subject to  Σ_o x[c, o] = work[c]                               for each class
                Σ time[o] x[c, o] <= slots[d] n[d] C                for each device
                C_lo <= C <= C_hi,   a[d] <= n[d] <= b[d]

Prices λ >= 0 on the device rows give the bound

    L(λ) = Σ_c work[c] min_o (cost[o] + λ[d] time[o])
           + min over C of C Σ_d min over n of (r[d](n) - λ[d] slots[d] n),

which is L(λ) of docs/mathematics.md with a relaxed number of units on. It is computed from whatever
prices an LP gave, so an inaccurate LP costs strength and never truth. Branching on n, best node
first, closes most of the rest: a unit that is on pays idle for all of C, however little it runs.
"""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.tariffs import least_mean, least_price, series_of
from hetopt.schedule.bounds.rounding import surely
from hetopt.schedule.bounds.smoothed_dual import Smooth, cost_prices, makespan_prices
from hetopt.solvers.share_lp import Entries, solve_shares

LP_SIZE = 4_000
"""Options of all classes up to which an LP is solved; beyond, its smoothed dual is faster."""
ENDLESS_LP_SIZE = 60_000
"""The same where neither a deadline nor a horizon ends the window."""
NODE_WORK = 150_000
"""Nodes × options of all classes that branching may take: about a second."""
MOST_NODES = 24
"""Nodes of branching over smoothed duals, which take tens of milliseconds each."""
LEAST_BRANCHING_S = 0.5
"""Time for branching that is always there, unless the root takes less than a part of it."""
BRANCHING_PER_ROOT = 20
LARGE = 50_000
"""Tasks from which the smoothed dual is computed for the root only: they want seconds in all."""
_WHOLE = 1e-6
"""Distance from an integer below which a number of units counts as whole."""
CLEARLY = 2e-3
"""Relative difference that the smoothed dual's prices tell for sure."""
_SHRINK = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Load:
    """Classes of tasks: total ``work`` (length K) and their options as CSR (``ptr``, ``option``).

    ``capacity`` is slots × units per device. Where not ``possible`` some task has no option.
    """

    work: Floats
    ptr: Ints
    option: Ints
    capacity: Floats
    possible: bool


@dataclass(frozen=True, slots=True)
class LoadBound:
    """A bound, the prices on device time that prove it at the best node, and what it would have.

    ``prices`` and ``units`` (on) have length D; the units may be fractional. ``ends`` is its
    makespan in seconds.
    """

    value: float
    prices: Floats
    units: Floats
    ends: float = math.inf


def load_bound(
    instance: Instance,
    load: Load,
    objective: str,
    lowest: float,
    highest: float,
    limit: float | None = None,
) -> LoadBound:
    """Return the load bound of energy, cost or carbon.

    Parameters
    ----------
    lowest, highest
        Proven least and greatest makespan in seconds (greatest inf: no limit).
    limit
        ``time.monotonic()`` value at which branching stops, with the bound reached by then; it
        may go on for some times what the root took, half a second at most.
    """
    relaxed = _Relaxation(instance, load, objective, lowest, highest)
    count = instance.devices.count_max
    least, most = np.zeros(len(count), dtype=np.int64), count.astype(np.int64)
    began = time.monotonic()
    root = relaxed.solve(least, most)
    if limit is not None:
        # The first program of a process loads the solver, which on a busy machine takes the whole
        # share, while a few nodes of milliseconds are worth ten per cent of the bound.
        now = time.monotonic()
        limit = max(limit, now + min(BRANCHING_PER_ROOT * (now - began), LEAST_BRANCHING_S))
    if root is None:
        nothing = np.zeros(len(count))
        return LoadBound(relaxed.value(nothing, least, most), nothing, count.astype(np.float64))
    queue = [(root.value, 0, root, least, most)]
    nodes = 1
    allowed = max(1, NODE_WORK // max(1, len(load.option)))
    if relaxed.matrix is None:
        allowed = MOST_NODES if len(instance.tasks) < LARGE else 1
    while True:
        value, _, node, least, most = heapq.heappop(queue)
        device = relaxed.split(node, least, most)
        late = limit is not None and time.monotonic() >= limit
        if device is None or nodes >= allowed or late:
            return LoadBound(value, node.prices, node.units, node.ends)
        middle = math.floor(node.units[device])
        for a, b in ((least[device], middle), (middle + 1, most[device])):
            low, high = least.copy(), most.copy()
            low[device], high[device] = a, b
            child = relaxed.solve(low, high)
            nodes += 1
            if child is None:
                # Not refuted by the LP's word alone: the parent's bound holds here too.
                heapq.heappush(queue, (value, nodes, node, low, high))
            elif child.value < math.inf:
                found = max(value, child.value)
                heapq.heappush(queue, (found, nodes, child, low, high))
        if not queue:
            return LoadBound(math.inf, node.prices, node.units, node.ends)


def load_within(
    instance: Instance,
    load: Load,
    objective: str,
    ends: tuple[float, float],
    least: Ints,
    most: Ints,
) -> LoadBound | None:
    """Load bound of plans that have so many units of each device on; None if that fails.

    Parameters
    ----------
    ends
        Proven least and greatest makespan in seconds (greatest inf: no limit).
    """
    relaxed = _Relaxation(instance, load, objective, *ends)
    node = relaxed.solve(least.astype(np.int64), most.astype(np.int64))
    return None if node is None else LoadBound(node.value, node.prices, node.units, node.ends)


def load_makespan(instance: Instance, load: Load) -> float:
    """Least C such that the work fits into slots × units × C, by the duals of that LP."""
    if not len(load.work) or not load.possible:
        return 0.0
    open_ = load.capacity > 0
    device = instance.options.device[load.option]
    if not np.logical_or.reduceat(open_[device], load.ptr[:-1]).all():
        return math.inf
    prices = makespan_time_prices(instance, load)
    total = float((prices[open_] * load.capacity[open_]).sum())
    if not total > 0:
        return 0.0
    spent = instance.options.time_s[load.option] * load.work[_owner(load)]
    paid = np.where(spent > 0, prices[device], 0.0) * np.where(spent > 0, spent, 1.0)
    return float(np.minimum.reduceat(paid, load.ptr[:-1]).sum()) / total


def makespan_time_prices(instance: Instance, load: Load) -> Floats:
    """Prices on device time (D) that prove the load bound of the makespan, up to a factor.

    They are infinite for devices without units where the relaxation is large.
    """
    if len(load.option) == len(load.work):
        return _busiest(instance, load)
    if len(load.option) <= LP_SIZE:
        return _makespan_lp(instance, load)
    open_ = load.capacity > 0
    data = _rows(instance, load, instance.options.time_s * 0.0, open_)
    renamed = np.cumsum(open_) - 1
    none = np.zeros((int(open_.sum()), 1))
    # Closed devices take nothing, so their time may cost anything.
    prices = np.full(len(open_), np.inf)
    prices[open_] = makespan_prices(
        replace(data, device=renamed[data.device], rate=none, use=none), load.capacity[open_]
    ).prices
    return prices


def _busiest(instance: Instance, load: Load) -> Floats:
    """Price the device whose work takes longest, as no task has a choice; the others cost nothing.

    With one option a task the relaxation is the greatest load of a device over its capacity.
    """
    spent = instance.options.time_s[load.option] * load.work
    busy = np.bincount(instance.options.device[load.option], spent, len(load.capacity))
    # A device without units has no work here: its tasks would have no option at all.
    prices = np.zeros(len(load.capacity))
    prices[np.argmax(busy / np.maximum(load.capacity, 1e-300))] = 1.0
    return prices


def _makespan_lp(instance: Instance, load: Load) -> Floats:
    use, _ = _matrix(instance, load)
    wide, columns = use.shape
    cost = np.append(np.zeros(columns), 1.0)
    upper = Entries(
        np.append(use.row, np.arange(wide)),
        np.append(use.column, np.full(wide, columns)),
        np.append(use.value, -load.capacity),
        (wide, columns + 1),
    )
    return solve_shares(_owner(load), len(load.work), cost, upper, np.zeros(wide)).prices


def _owner(load: Load) -> Ints:
    """Class of each column."""
    return np.repeat(np.arange(len(load.work)), np.diff(load.ptr))


def _rows(instance: Instance, load: Load, cost: Floats, open_: Bools) -> Smooth:
    """Rows of the load relaxation on open devices, as the smoothed dual reads them."""
    owner, device = _owner(load), instance.options.device[load.option]
    keep = np.flatnonzero(open_[device])
    owner, option = owner[keep], load.option[keep]
    size = np.bincount(owner, minlength=len(load.work))
    none = np.zeros((len(open_), 1))
    return Smooth(
        ptr=np.cumsum(size) - size,
        device=device[keep],
        cost=cost[option] * load.work[owner],
        time=instance.options.time_s[option] * load.work[owner],
        rate=none,
        use=none,
        ends=None,
    )


def _matrix(instance: Instance, load: Load) -> tuple[Entries, float]:
    """Scaled time per device of each column, and the scale of times."""
    times = instance.options.time_s[load.option] * load.work[_owner(load)]
    device = instance.options.device[load.option]
    scale = max(float(times.max(initial=0.0)), 1e-300)
    shape = (len(instance.devices), len(times))
    return Entries(device, np.arange(len(times)), times / scale, shape), scale


@dataclass(frozen=True, slots=True)
class _Node:
    value: float
    prices: Floats
    units: Floats
    ends: float = math.inf


class _Relaxation:
    """The LP for given ranges of units, and L(λ) from its prices."""

    def __init__(
        self, instance: Instance, load: Load, objective: str, lowest: float, highest: float
    ) -> None:
        devices, limits = instance.devices, instance.limits
        self.instance, self.load = instance, load
        per_idle: float | Floats = joule_prices(instance, objective)
        per_joule: float | Floats = joule_prices(instance, objective)[instance.options.device]
        series = series_of(instance, objective)
        if series is not None:
            ends = (lowest, highest)
            if np.isfinite(limits.horizon_s):
                ends = (limits.horizon_s, limits.horizon_s)
            per_joule = limits.pue * least_price(series, highest)
            per_idle = limits.pue * least_mean(series, *ends)
        self.cost = instance.options.energy_j * per_joule
        self.idle = devices.idle_power_w * per_idle
        self.price = devices.price_per_s if objective == "cost" else np.zeros(len(devices))
        self.had = devices.count_min.astype(np.float64)
        self.off = devices.off_when_unused
        self.slots = devices.slots.astype(np.float64)
        self.count = devices.count_max
        self.lowest, self.highest = lowest, highest
        self.window = 0.0
        if np.isfinite(limits.horizon_s):
            # The window is the horizon whatever the makespan is; time on devices ends earlier.
            self.window = float(limits.horizon_s)
            self.lowest = self.highest
        # Without an end of the window prices are hard to follow by smoothing.
        most = LP_SIZE if math.isfinite(highest) else ENDLESS_LP_SIZE
        self.matrix = _matrix(instance, load) if len(load.option) <= most else None

    def rate(self, units: Floats) -> Floats:
        """Cost per second of the window where so many units of each device run something."""
        had = np.maximum(units, self.had)
        return np.asarray(self.idle * np.where(self.off, units, had) + self.price * had)

    @np.errstate(over="ignore", invalid="ignore")
    def value(self, prices: Floats, least: Ints, most: Ints) -> float:
        """L(λ) for units in the given ranges, less what rounding may have added.

        It holds for any prices >= 0; a device of infinite price is closed. Inf where some class
        has no other.
        """
        load, options = self.load, self.instance.options
        closed = np.isinf(prices)
        prices = np.where(closed, 0.0, prices)
        terms = len(self.instance.tasks) + len(load.option) + 4 * len(prices)
        # Costs and times are no less than 0: a class's terms do not cancel, those of units do.
        total = 0.0
        if len(load.work):
            shut = closed[options.device]
            if np.logical_and.reduceat(shut[load.option], load.ptr[:-1]).any():
                return math.inf
            reduced = self.cost + prices[options.device] * options.time_s
            reduced = np.where(shut, np.inf, reduced)
            best = np.minimum.reduceat(reduced[load.option], load.ptr[:-1])
            total = float((load.work * best).sum())
        bends = self._bends(least, most)
        worth = float((prices * self.slots * most).sum())
        if self.window:
            paid = [
                self.rate(n) * self.window - prices * self.slots * n * self.highest for n in bends
            ]
            size = float(self.rate(bends[1]).sum()) * self.window + worth * self.highest
            return surely(total + float(np.minimum.reduce(paid).sum()), total + size, terms)
        size = float(self.rate(bends[1]).sum()) + worth
        bracket = surely(self._bracket(prices, least, most), size, terms)
        at = self.lowest if bracket >= 0 else self.highest
        if not math.isfinite(at):
            return 0.0
        return surely(total + bracket * at, total + abs(bracket) * at, terms)

    def solve(self, least: Ints, most: Ints) -> _Node | None:
        """Bound, prices and units of a node; None where the LP gave no answer."""
        if self.matrix is not None:
            return self._lp(least, most)
        if not len(self.load.work) or not math.isfinite(self.highest):
            return None
        return self._smooth(least, most)

    def _smooth(self, least: Ints, most: Ints) -> _Node | None:
        """Solve by the smoothed dual."""
        open_ = most > 0
        closed = self._refuted(least, most) if (most < self.count).any() else None
        if closed is not None:
            return closed
        rows = _rows(self.instance, self.load, self.cost, open_)
        n = self._bends(least, most)
        rate, use = np.stack([self.rate(k) for k in n]), self.slots * np.stack(n)
        if self.window:
            data = replace(rows, rate=rate.T * self.window, use=use.T * self.highest)
        else:
            data = replace(rows, rate=rate.T, use=use.T, ends=(self.lowest, self.highest))
        made = cost_prices(data)
        prices = np.where(open_, made.prices, 0.0)
        value = self.value(np.where(open_, made.prices, np.inf), least, most)
        plain = self.value(np.where(open_, 0.0, np.inf), least, most)
        busy = np.bincount(rows.device, made.share * rows.time, len(open_))
        window = self.highest
        if not self.window and self._bracket(prices, least, most) > 0:
            window = self.lowest
        window = max(window, float((busy[open_] / (self.slots * most)[open_]).max()))
        # Where nothing takes time no unit is needed beyond the least.
        needed = busy / (self.slots * window) if window > 0 else busy
        units = np.clip(needed, least, most)
        # Where a unit's time is clearly worth more than the unit costs, or less, none is split.
        over = self.window / self.highest if self.window and self.highest else 1.0
        cost = (self.rate(n[1]) - self.rate(n[0])) * over
        worth = prices * self.slots * (n[1] - n[0])
        units = np.where(worth > cost * (1 + CLEARLY), most, units)
        units = np.where(worth < cost * (1 - CLEARLY), least, units)
        return _Node(max(value, plain), prices, units.astype(np.float64), min(window, self.highest))

    def _bends(self, least: Ints, most: Ints) -> list[Floats]:
        """Numbers of units between which costs are linear."""
        return [
            least.astype(np.float64),
            most.astype(np.float64),
            np.clip(self.had, least, most).astype(np.float64),
        ]

    def _bracket(self, prices: Floats, least: Ints, most: Ints) -> float:
        """Cost of units less worth of their time, per second of the window, at its least."""
        bends = self._bends(least, most)
        paid = [self.rate(n) - prices * self.slots * n for n in bends]
        return float(np.minimum.reduce(paid).sum())

    def _lp(self, least: Ints, most: Ints) -> _Node | None:
        """Solve by linear programming."""
        if self.matrix is None or not len(self.load.work):
            return None
        use, scale = self.matrix
        wide, columns, owner = len(self.slots), use.shape[1], _owner(self.load)
        # Columns: x, time used n C, time had, C. Rows: busy, had >= used, had >= count_min C,
        # a C <= used <= b C.
        each, one = np.arange(wide), np.ones(wide)
        on, had_at, end_at = columns + each, columns + wide + each, columns + 2 * wide + 0 * each
        parts = [
            (use.row, use.column, use.value),
            (each, on, -self.slots),
            (wide + each, on, one),
            (wide + each, had_at, -one),
            (2 * wide + each, had_at, -one),
            (2 * wide + each, end_at, self.had),
            (3 * wide + each, on, -one),
            (3 * wide + each, end_at, least.astype(float)),
            (4 * wide + each, on, one),
            (4 * wide + each, end_at, -most.astype(float)),
        ]
        row, column, entry = (np.concatenate(one_of) for one_of in zip(*parts, strict=True))
        upper = Entries(row, column, entry, (5 * wide, columns + 2 * wide + 1))
        cost = self.cost[self.load.option] * self.load.work[owner]
        stretch = self.window / self.highest if self.window and self.highest else 1.0
        used = np.where(self.off, self.idle, 0.0) * stretch * scale
        had = (np.where(self.off, 0.0, self.idle) + self.price) * stretch * scale
        price = max(float(np.abs(cost).max(initial=0.0)), float((used + had).max()), 1e-300)
        end = self.highest / scale if math.isfinite(self.highest) else np.inf
        lower, higher = np.zeros(columns + 2 * wide + 1), np.full(columns + 2 * wide + 1, np.inf)
        lower[-1], higher[-1] = self.lowest / scale, end
        answer = solve_shares(
            owner,
            len(self.load.work),
            np.concatenate([cost, used, had, [0.0]]) / price,
            upper,
            np.zeros(upper.shape[0]),
            np.stack([lower, higher], axis=1),
        )
        if answer.infeasible:
            return self._refuted(least, most)
        if not answer.solved:
            return None
        prices = answer.prices[:wide] * price / scale
        value = self.value(prices, least, most)
        if not math.isfinite(self.highest) and value <= 0:
            value = max(value, self.value(prices * _SHRINK, least, most))
        found = answer.x
        ends = float(found[-1])
        units = found[columns : columns + wide] / ends if ends > 0 else least.astype(float)
        # Of times that differ by many orders the point may lie beside the ranges, and a branch at
        # it would not narrow them.
        units = np.clip(units, least, most)
        plain = self.value(np.zeros(wide), least, most)
        return _Node(max(value, plain), np.asarray(prices), np.asarray(units), ends * scale)

    def _refuted(self, least: Ints, most: Ints) -> _Node | None:
        """Infeasible by the LP; believed only where the work clearly does not fit."""
        capacity = most * self.slots
        limited = Load(self.load.work, self.load.ptr, self.load.option, capacity, True)
        closed = capacity[self.instance.options.device[self.load.option]] <= 0
        homeless = np.logical_and.reduceat(closed, self.load.ptr[:-1]).any()
        late = self.highest * (1 + 1e-6)
        if homeless or (late < math.inf and load_makespan(self.instance, limited) > late):
            wide = len(self.slots)
            return _Node(math.inf, np.zeros(wide), least.astype(float))
        return None

    def split(self, node: _Node, least: Ints, most: Ints) -> int | None:
        """Device whose fractional units weigh most, None where all are whole or do not matter."""
        part = node.units - np.floor(node.units)
        open_ = (least < most) & (part > _WHOLE) & (part < 1 - _WHOLE)
        weight = (self.idle + self.price) * (1 - part) * open_
        device = int(weight.argmax())
        return device if weight[device] > 0 else None
