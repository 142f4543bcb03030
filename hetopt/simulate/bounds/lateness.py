"""How late requests must be: a Lagrangian bound over time, of which the energetic bound is a case.

Each piece of work is run once, from some time s on, on one of its options: it holds a part w of one
slot of device d for a time h (in a batch of b requests 1 / b of it, for all of an execution), and
no device has more than C_d slots at any time. With a price λ_d(t) ≥ 0 on a slot of each device at
each time, every run that there is has

    Σ cost ≥ Σ_pieces min over (o, s) [cost(s) + w ∫_s^(s+h) λ_d(t) dt] − Σ_d C_d ∫ λ_d(t) dt,

as the terms that were added are at most 0 for what respects the slots. So *any* prices prove a
bound; what a search makes of them decides only how good it is. They are constant on windows of one
width, so that the price of a run is linear in s between the times at which its begin or its end
passes from one window to the next: the least is at one of those, and all of them are looked at.

For the number of requests that miss their limit the cost of a request is 1 unless all its pieces
run within it; the price of a request is then the sum over its pieces. Prices that are equal within
one window of time and 0 elsewhere say what energetic reasoning says: what must run within it and
does not fit is late (P. Baptiste, C. Le Pape, W. Nuijten, "Constraint-Based Scheduling", 2001,
chapter 4). For the mean latency the cost is that of one piece of each request, from its arrival to
its end and what follows at least; its other pieces, whose price is at least 0, are left out.

Where others slow what runs (``sharing: slow``), a piece holds its slot for longer than h. Its last
h alone are a run that begins no sooner, ends with it and respects the slots: the sum above holds.

Where units run all their requests at once (processor sharing), a run has no begin and end at full
speed: the price of its work is at least that at the cheapest of the windows between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Bools, Floats, Ints

WINDOWS = 200
"""Windows of prices, at most."""
LOOKED_AT = 8
"""Windows that a piece of work may begin in, from its first on."""
LONG = 2.0
"""Mean latencies that the windows that are looked at reach over."""
STEPS = 40
"""Steps of the search for prices."""
MOST = 2_000_000
"""Pairs of a piece and an option that are looked at in a step; more are not."""
WEAKENED = 1e-9
"""Part of all terms that a bound is weakened by; sums of millions of them are exact to 1e-12."""


@dataclass(frozen=True)
class Pieces:
    """Ways to run pieces of work: a row for each piece and option (M).

    Attributes
    ----------
    request
        Request of each row, counted from 0.
    piece
        Piece of each row; those of a request side by side, rows of a piece side by side.
    earliest_s, latest_s
        When the piece can begin at the soonest; when it must have ended for its request to be in
        time (inf: no limit).
    device, hold_s, share
        Device, time in its slot, and part of the slot.
    latency_s
        Latency of the request where the piece begins at the soonest, at least.
    """

    request: Ints
    piece: Ints
    earliest_s: Floats
    latest_s: Floats
    device: Ints
    hold_s: Floats
    share: Floats
    latency_s: Floats

    def __len__(self) -> int:
        return len(self.piece)

    def only(self, rows: Bools | Ints) -> Pieces:
        """Return some of the rows in their order; pieces and requests are counted anew."""
        found = Pieces(**{n: getattr(self, n)[rows] for n in self.__dataclass_fields__})
        both = _counted(found.piece, found.request)
        return replace(found, piece=both, request=_counted(found.request))


def _counted(*numbers: Ints) -> Ints:
    """Count what stands side by side anew, from 0: another one where any number is another."""
    other = np.zeros(len(numbers[0]), dtype=np.bool_)
    for number in numbers:
        other |= np.diff(number, prepend=number[:1]) != 0
    return np.cumsum(other)


def least_misses(pieces: Pieces, slots: Floats, shared: Bools, reached: float) -> float:
    """Return how many requests must miss their limit.

    Parameters
    ----------
    pieces
        Of requests with a limit; those that cannot be in time at all are to be counted elsewhere.
    slots, shared
        Slots of each device (D; inf: no limit), and whether its units share them out.
    reached
        How many some policy misses: what the search aims at.
    """
    if not len(pieces) or len(pieces) > MOST or reached <= 0:
        return 0.0
    span = pieces.latest_s - pieces.earliest_s
    grid = _Grid.over(pieces.earliest_s, pieces.latest_s, float(span.max()))
    return _search(pieces, grid, slots, reached, _Misses(pieces, grid, shared))


def least_latency(
    pieces: Pieces, slots: Floats, shared: Bools, shortest_s: Floats, reached: float
) -> float:
    """Return the least sum of the latencies of all requests (s).

    Parameters
    ----------
    pieces
        One piece of each request.
    shortest_s
        Latency of each request without waiting, which no run is below.
    reached
        What some policy takes.
    """
    alone = math.fsum(shortest_s.tolist())
    if not len(pieces) or len(pieces) > MOST or reached <= alone:
        return alone
    # Latencies count whatever the limit.
    pieces = replace(pieces, latest_s=np.full(len(pieces), np.inf))
    # Prices until all could be done, in windows of which those looked at see most waits.
    least = np.full(int(pieces.piece[-1]) + 1, np.inf)
    np.minimum.at(least, pieces.piece, pieces.hold_s * pieces.share)
    room = float(slots[np.isfinite(slots)].sum())
    until = pieces.earliest_s + pieces.latency_s
    until = np.append(until, pieces.earliest_s.max() + least.sum() / max(room, 1.0))
    grid = _Grid.over(pieces.earliest_s, until, LONG * reached / len(least))
    found = _search(pieces, grid, slots, reached, _Latency(pieces, grid, shared, shortest_s))
    return max(alone, found)


@dataclass(frozen=True)
class _Grid:
    """Windows of one width."""

    begin_s: float
    width_s: float
    count: int

    @staticmethod
    def over(earliest: Floats, latest: Floats, longest_s: float) -> _Grid:
        begin, end = float(earliest.min()), float(latest[np.isfinite(latest)].max())
        # A piece that may run anywhere between two times looks at all windows between them.
        width = max((end - begin) / WINDOWS, longest_s / (LOOKED_AT - 2), 1e-300)
        return _Grid(begin, width, max(1, math.ceil((end - begin) / width)))

    def index(self, time: Floats) -> Ints:
        """Return the first boundary after each time."""
        found = np.floor((time - self.begin_s) / self.width_s).astype(np.int64) + 1
        return np.clip(found, 0, self.count)

    def at(self, index: Ints) -> Floats:
        return np.asarray(self.begin_s + index * self.width_s)

    def nodes(self, time: Floats) -> tuple[Ints, Floats]:
        """Return the boundary before each time, and the part of the window that has passed."""
        place = np.clip((time - self.begin_s) / self.width_s, 0.0, float(self.count))
        low = np.minimum(place.astype(np.int64), self.count - 1)
        return low, place - low


def _paid(total: Floats, device: Ints, grid: _Grid, time: Floats) -> Floats:
    """Return the integral of the price of a device up to each time."""
    low, part = grid.nodes(time)
    before = total[device[:, None], low]
    return np.asarray(before + part * (total[device[:, None], low + 1] - before))


class _Question:
    """What the cost of a request is; ``value`` says what it is at some prices, and its slope."""

    def __init__(self, pieces: Pieces, grid: _Grid, shared: Bools) -> None:
        self.pieces, self.grid = pieces, grid
        self.shared = shared[pieces.device]
        self.begins = self._begins()

    def _begins(self) -> Floats:
        """Return the times at which each row may begin at the least price (M × candidates)."""
        p, grid = self.pieces, self.grid
        steps = np.arange(LOOKED_AT)
        last = np.maximum(p.latest_s - p.hold_s, p.earliest_s)
        from_begin = grid.at(grid.index(p.earliest_s)[:, None] + steps)
        from_end = grid.at(grid.index(p.earliest_s + p.hold_s)[:, None] + steps)
        from_end = from_end - p.hold_s[:, None]
        ends = [p.earliest_s[:, None], np.where(np.isfinite(last), last, p.earliest_s)[:, None]]
        found = np.concatenate([*ends, from_begin, from_end], axis=1)
        return np.asarray(np.clip(found, p.earliest_s[:, None], last[:, None]))

    def prices(self, price: Floats, total: Floats) -> Floats:
        """Return the price of each row at each of its begins."""
        p, grid = self.pieces, self.grid
        paid = _paid(total, p.device, grid, self.begins + p.hold_s[:, None])
        paid = paid - _paid(total, p.device, grid, self.begins)
        if self.shared.any():
            rows = np.flatnonzero(self.shared)
            low, _ = grid.nodes(p.earliest_s[rows])
            window = np.minimum(low[:, None] + np.arange(LOOKED_AT + 1), grid.count - 1)
            cheapest = price[p.device[rows][:, None], window].min(axis=1)
            last, _ = grid.nodes(np.minimum(p.latest_s[rows], grid.at(np.array([grid.count]))[0]))
            # Beyond what is looked at, time is free.
            cheapest = np.where(last - low > LOOKED_AT, 0.0, cheapest)
            paid[rows] = (p.hold_s[rows] * cheapest)[:, None]
        return np.asarray(paid * p.share[:, None])

    def value(self, price: Floats, total: Floats) -> tuple[float, float, Ints, Ints]:
        """Return the sum of costs, of their sizes, and the rows and begins that it is made of."""
        raise NotImplementedError


class _Misses(_Question):
    def value(self, price: Floats, total: Floats) -> tuple[float, float, Ints, Ints]:
        p = self.pieces
        prices = self.prices(price, total)
        begin = prices.argmin(axis=1)
        least = prices[np.arange(len(p)), begin]
        first = np.flatnonzero(np.diff(p.piece, prepend=-1))
        of_piece = np.minimum.reduceat(least, first)
        best = _first_least(least, p.piece, of_piece)
        request = p.request[best]
        each = np.bincount(request, of_piece)
        cost = np.minimum(1.0, each)
        intime = (each < 1.0)[request]
        return float(cost.sum()), float(cost.sum()), best[intime], begin[best[intime]]


class _Latency(_Question):
    def __init__(self, pieces: Pieces, grid: _Grid, shared: Bools, shortest_s: Floats) -> None:
        self.shortest_s = shortest_s[pieces.request]
        super().__init__(pieces, grid, shared)
        # No later begin is looked at: its price is 0 at the least.
        soonest, hold = pieces.earliest_s, pieces.hold_s
        begun = grid.at(grid.index(soonest) + LOOKED_AT - 1)
        ended = grid.at(grid.index(soonest + hold) + LOOKED_AT - 1) - hold
        self.beyond = np.minimum(begun, ended) + pieces.latency_s - soonest

    def _begins(self) -> Floats:
        p, found = self.pieces, super()._begins()
        # Where waiting begins to count, behind what the request takes elsewhere.
        kink = np.maximum(p.earliest_s, p.earliest_s + self.shortest_s - p.latency_s)
        return np.concatenate([found, kink[:, None]], axis=1)

    def value(self, price: Floats, total: Floats) -> tuple[float, float, Ints, Ints]:
        p = self.pieces
        takes = self.begins - p.earliest_s[:, None] + p.latency_s[:, None]
        cost = np.maximum(takes, self.shortest_s[:, None])
        prices = self.prices(price, total)
        if self.shared.any():
            rows = np.flatnonzero(self.shared)
            prices[rows] = 0.0
        full = cost + prices
        begin = full.argmin(axis=1)
        least = full[np.arange(len(p)), begin]
        free = self.beyond < least
        least = np.minimum(least, self.beyond)
        first = np.flatnonzero(np.diff(p.piece, prepend=-1))
        of_piece = np.minimum.reduceat(least, first)
        best = _first_least(least, p.piece, of_piece)
        kept = best[~free[best]]
        return float(of_piece.sum()), float(of_piece.sum()), kept, begin[kept]


def _first_least(value: Floats, piece: Ints, least: Floats) -> Ints:
    rows = np.flatnonzero(value <= least[piece])
    return rows[np.flatnonzero(np.diff(piece[rows], prepend=-1))]


def _search(
    pieces: Pieces, grid: _Grid, slots: Floats, reached: float, question: _Question
) -> float:
    """Return the best bound that a search along slopes finds (B. Polyak's steps)."""
    wide = len(slots)
    room = np.where(np.isfinite(slots), slots, 0.0)
    limited = np.isfinite(slots)
    price = np.zeros((wide, grid.count))
    best, part, stale = 0.0, 1.0, 0
    steps = int(np.clip(STEPS * 100_000 / max(1, len(pieces)), 4, STEPS))
    for _ in range(steps):
        total = np.concatenate([np.zeros((wide, 1)), np.cumsum(price, axis=1)], axis=1)
        total *= grid.width_s
        gained, size, rows, begins = question.value(price, total)
        spent = float((room[:, None] * price).sum()) * grid.width_s
        value = gained - spent - WEAKENED * (size + spent)
        stale = 0 if value > best else stale + 1
        best = max(best, value)
        if stale == 5:
            part, stale = part / 2, 0
        slope = _used(pieces, grid, question, rows, begins, wide)
        slope = (slope - room[:, None] * grid.width_s) * limited[:, None]
        slope[(price <= 0) & (slope < 0)] = 0.0
        length = float((slope * slope).sum())
        if length <= 0 or value >= reached:
            break
        price = np.maximum(0.0, price + part * max(reached - value, 0.0) / length * slope)
    return max(0.0, best)


def _used(
    pieces: Pieces, grid: _Grid, question: _Question, rows: Ints, begins: Ints, wide: int
) -> Floats:
    """Return how long slots of each device are held in each window."""
    node = np.zeros((wide, grid.count + 1))
    start = question.begins[rows, begins]
    device, share = pieces.device[rows], pieces.share[rows]
    for time, sign in ((start + pieces.hold_s[rows], 1.0), (start, -1.0)):
        low, part = grid.nodes(time)
        np.add.at(node, (device, low), sign * share * (1.0 - part))
        np.add.at(node, (device, low + 1), sign * share * part)
    after = np.cumsum(node[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(after[:, 1:] * grid.width_s)
