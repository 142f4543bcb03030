"""A bound of the makespan from time on devices between heads and tails.

Let task i not start on device d before r[i,d], take p[i,d] there, and be followed by at least
q[i,d] until all ends. On the k[d] slots of all units of d, what is neither started before a nor
within b of the end has k[d] × (C - a - b) of time. With x[i,d] the part of i that d does:

    minimise    C
    subject to  Σ_d x[i,d] = 1                                                for each task
                Σ over i with r[i,d] >= a, q[i,d] >= b of p[i,d] x[i,d] <= k[d] (C - a - b)
                                                   for each device and a + b <= critical path

Windows with a = b = 0 are the load LP of docs/mathematics.md. The others matter where work comes in
stages: where some devices do first, or last, tasks only. (A window in which nothing runs would
still ask for C >= a + b, hence the limit on a + b.) Rows are added as they are violated. For any
prices λ >= 0 on windows the bound

    C >= (Σ_w λ[w] k (a + b) + Σ_i min_d p[i,d] Σ over windows w of d with i of λ[w]) / Σ_w λ[w] k

holds, and is computed anew from the LP's, so that an inaccurate LP costs strength and never truth.
The windows are those of C. Artigues, P. Lopez, "Energetic reasoning for energy-constrained
scheduling with a continuous resource", Journal of Scheduling 18, 2015, only for work that lies
wholly within; their use in an LP over assignments is that of the energetic cuts of CP solvers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from hetopt.instance import Bools, Floats, Ints
from hetopt.solvers.share_lp import Entries, solve_shares

ROUNDS = 12
"""Rounds of adding rows."""
PLACES = 16
"""Heads, and tails, of a device that windows are tried with."""
EACH = 2
"""Windows of a device that are added in one round."""
MOST_CELLS = 4_000_000
"""Lanes × tasks above which first and last tasks of lanes are not told apart."""
ENOUGH = 1e-4
"""Part of the bound that a violation must have, and that a round must gain."""


@dataclass(frozen=True, slots=True)
class Window:
    """Tasks (indices) of a device that cannot start before ``head`` or end within ``tail``."""

    device: int
    head: float
    tail: float
    tasks: Ints


@dataclass(frozen=True, slots=True)
class WindowBound:
    """A lower bound of the makespan, and what it follows from.

    ``windows`` are those with a price: their rows imply the bound. ``share`` is the part of each
    task that each device does in the relaxation (T × D), None where no LP was solved.
    """

    value: float
    windows: list[Window] = field(default_factory=list)
    share: Floats | None = None


def window_bound(
    start: Floats, length: Floats, rest: Floats, lanes: Ints, limit: float | None = None
) -> WindowBound:
    """Return the bound of the LP.

    Parameters
    ----------
    start, length, rest
        Least start, least time and least time from the end to the end of all, of each task on
        each device (T × D), inf in ``length`` where it cannot run. Each task can run somewhere.
    lanes
        Slots of all units of each device (length D).
    limit
        ``time.monotonic()`` value at which no further round begins.
    """
    able = np.isfinite(length)
    through = np.where(able, start + length + rest, np.inf)
    lowest = float(through.min(axis=1, initial=np.inf).max(initial=0.0))
    if not len(length) or not np.isfinite(lowest) or lowest <= 0:  # 0: nothing need take time
        return WindowBound(lowest)
    work = _Work(start, np.where(able, length, 0.0), rest, lanes, able, lowest)
    windows = [work.window(d, 0.0, 0.0) for d in np.flatnonzero(able.any(axis=0)).tolist()]
    best = WindowBound(lowest)
    for _ in range(ROUNDS):
        solved = work.solve(windows)
        if solved is None:
            break
        share, makespan, prices = solved
        value = work.value(windows, prices)
        gained = value - best.value
        if gained > 0 or best.share is None:
            priced = [w for w, price in zip(windows, prices.tolist(), strict=True) if price > 0]
            best = WindowBound(max(value, best.value), priced, share)
        more = work.violated(share, makespan)
        late = limit is not None and time.monotonic() >= limit
        if not more or late:
            break
        windows += more
    return best


@dataclass(frozen=True, slots=True)
class _Work:
    start: Floats
    length: Floats
    rest: Floats
    lanes: Ints
    able: Bools
    lowest: float

    def window(self, device: int, head: float, tail: float) -> Window:
        """Return a window with its tasks."""
        within = (self.start[:, device] >= head) & (self.rest[:, device] >= tail)
        inside = self.able[:, device] & within
        return Window(device, head, tail, np.flatnonzero(inside))

    def solve(self, windows: list[Window]) -> tuple[Floats, float, Floats] | None:
        """Shares (T × D), makespan and prices of the windows; None where the LP gave no answer."""
        task, device = np.nonzero(self.able)
        column = np.full(self.able.shape, -1)
        column[task, device] = np.arange(len(task))
        scale = self.lowest
        rows, columns, values, upper = [], [], [], []
        for k, w in enumerate(windows):
            lanes = float(self.lanes[w.device])
            rows.append(np.full(len(w.tasks) + 1, k))
            columns.append(np.append(column[w.tasks, w.device], len(task)))
            values.append(np.append(self.length[w.tasks, w.device] / scale / lanes, -1.0))
            upper.append(-(w.head + w.tail) / scale)
        shape = (len(windows), len(task) + 1)
        use = Entries(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), shape)
        cost = np.append(np.zeros(len(task)), 1.0)
        bounds = np.full((len(task) + 1, 2), [0.0, np.inf])
        bounds[-1, 0] = self.lowest / scale
        found = solve_shares(task, len(self.able), cost, use, np.array(upper), bounds)
        if not found.solved:
            return None
        share = np.zeros(self.able.shape)
        share[task, device] = found.x[:-1]
        return share, float(found.x[-1]) * scale, found.prices

    def value(self, windows: list[Window], prices: Floats) -> float:
        """Bound from the prices alone (those of rows divided by lanes, so that k drops out)."""
        total = float(prices.sum())
        if total <= 0:
            return self.lowest
        cost = np.where(self.able, 0.0, np.inf)
        for w, price in zip(windows, prices.tolist(), strict=True):
            each = price / float(self.lanes[w.device])
            cost[w.tasks, w.device] += each * self.length[w.tasks, w.device]
        busy = float(cost.min(axis=1).sum())
        idle = sum(self.idle(layer) for layer in _layers(windows, prices))
        return (busy + idle) / total

    def idle(self, layer: list[tuple[Window, float]]) -> float:
        """Price of the time before the first and after the last task of windows of a layer.

        The windows are of different devices, so no task is the first, or the last, of two lanes.
        """
        plain = sum(price * (w.head + w.tail) for w, price in layer)
        lanes = [
            (w, price / float(self.lanes[w.device]))
            for w, price in layer
            for _ in range(int(self.lanes[w.device]))
        ]
        if len(lanes) * len(self.able) > MOST_CELLS:
            return plain
        free = [self.lowest - w.head - w.tail for w, _ in lanes]
        heads = [w.head + spare / 2 for (w, _), spare in zip(lanes, free, strict=True)]
        tails = [w.tail + spare / 2 for (w, _), spare in zip(lanes, free, strict=True)]
        return _distinct(lanes, self.start, heads) + _distinct(lanes, self.rest, tails)

    def violated(self, share: Floats, makespan: float) -> list[Window]:
        """Windows whose load exceeds their time most, a few of each device."""
        found = []
        for device in np.flatnonzero(self.able.any(axis=0)).tolist():
            tasks = np.flatnonzero(self.able[:, device])
            start, rest = self.start[tasks, device], self.rest[tasks, device]
            load = share[tasks, device] * self.length[tasks, device] / float(self.lanes[device])
            heads, tails = _places(start), _places(rest)
            after = start[:, None] >= heads[None, :]
            before = rest[:, None] >= tails[None, :]
            inside = (after * load[:, None]).T @ before.astype(np.float64)
            edge = heads[:, None] + tails[None, :]
            excess = np.where(edge <= self.lowest, inside + edge - makespan, -np.inf)
            for flat in np.argsort(-excess, axis=None, kind="stable")[:EACH].tolist():
                a, b = divmod(flat, len(tails))
                if excess[a, b] > ENOUGH * makespan:
                    found.append(self.window(device, float(heads[a]), float(tails[b])))
        return found


def _layers(windows: list[Window], prices: Floats) -> list[list[tuple[Window, float]]]:
    """Windows with a price in groups of at most one of each device."""
    layers: list[dict[int, tuple[Window, float]]] = []
    for k in np.argsort(-prices, kind="stable").tolist():
        window, price = windows[k], float(prices[k])
        if price <= 0:
            break
        layer = next((one for one in layers if window.device not in one), None)
        if layer is None:
            layer = {}
            layers.append(layer)
        layer[window.device] = (window, price)
    return [list(layer.values()) for layer in layers]


def _distinct(lanes: list[tuple[Window, float]], column: Floats, empty: list[float]) -> float:
    """Least priced sum of ``column`` over one task of each lane, no task twice.

    A lane that runs none of its tasks asks for no more than the critical path; ``empty`` is the
    part of that, for each lane, which counts here.
    """
    cost = np.empty((len(lanes), len(column) + len(lanes)))
    for k, ((w, price), none) in enumerate(zip(lanes, empty, strict=True)):
        cost[k] = price * none
        cost[k, w.tasks] = np.minimum(price * column[w.tasks, w.device], price * none)
    free = np.ones(cost.shape[1], dtype=bool)
    least = cost.min(axis=1)
    for row, value in zip(cost, least.tolist(), strict=True):
        cheapest = np.flatnonzero((row == value) & free)
        if not len(cheapest):
            break
        free[cheapest[0]] = False
    else:
        return float(least.sum())  # no two lanes want the same task
    from scipy.optimize import linear_sum_assignment

    rows, chosen = linear_sum_assignment(cost)
    return float(cost[rows, chosen].sum())


def _places(values: Floats) -> Floats:
    """Return some of the distinct values, the least among them."""
    distinct = np.unique(np.append(values, 0.0))
    if len(distinct) <= PLACES:
        return distinct
    chosen = np.linspace(0, len(distinct) - 1, PLACES).round().astype(np.int64)
    return distinct[chosen]
