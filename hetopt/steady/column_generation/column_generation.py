"""Column generation: the linear relaxation over all routes, solved over few of them.

The restricted program holds the routes that were found to be worth something so far; its duals
price all others, in one product where they are listed (:class:`TablePricer`), by a search over the
job's graph where they are too many (:mod:`hetopt.steady.column_generation.graph_pricer`). At every
round the prices give a bound on the whole program
(:mod:`hetopt.steady.column_generation.lagrangian_bound`), so the loop may be cut short.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from hetopt.instance import Bools, Floats, Ints
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation, Relaxed
from hetopt.steady.column_generation.lagrangian_bound import bound, prices
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.routes.measure_prices import Prices
from hetopt.steady.routes.route_columns import ColumnPool

WORTH = 1e-7
"""Relative gain of a stream's cost below which another route is not worth a round."""

CLOSED = 1e-9
"""Relative distance of restricted optimum and bound at which nothing is left to gain."""

DEAR = 100.0
"""Cost of not serving a stream, in multiples of its cheapest route at the first prices."""

RISES = 3
"""Times that this cost is multiplied by ``DEAR`` before the program without costs decides."""

Outcome = Literal["optimal", "stopped", "infeasible", "unbounded"]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a pricer says: ``least`` (G) bounds the cost of every route of a stream from below."""

    least: Floats
    added: int


class Pricer(Protocol):
    """Finds routes that are worth more than what the restricted program has.

    ``chosen`` are the routes of the restricted program, with their ``numbers``.
    """

    @property
    def chosen(self) -> ColumnPool:
        """The routes of the restricted program."""
        ...

    @property
    def numbers(self) -> Ints:
        """The numbers of the chosen routes, ascending."""
        ...

    def offer(self, at: Prices, limit: Floats, most: int, until: float) -> Offer:
        """Add up to ``most`` routes of each stream that cost less than ``limit`` (G)."""
        ...


@dataclass(frozen=True, slots=True)
class Generated:
    """The relaxation as far as it was solved.

    Attributes
    ----------
    bound
        Lower bound on what is minimised, -inf where none is known.
    relaxed, arrays, numbers
        Optimum of the last restricted program, that program, and the numbers of its routes.
    at
        Prices with which the bound was found.
    """

    outcome: Outcome
    bound: float
    relaxed: Relaxed | None = None
    arrays: MipArrays | None = None
    numbers: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    at: Prices | None = None
    rounds: int = 0


class TablePricer:
    """Routes that are all listed in one pool.

    Parameters
    ----------
    pool
        All routes, ordered by stream.
    streams
        How many there are.
    """

    def __init__(self, pool: ColumnPool, streams: int) -> None:
        self.pool = pool
        self.first: Ints = np.searchsorted(pool.stream, np.arange(streams))
        self.inside: Bools = np.zeros(len(pool), dtype=bool)

    @property
    def chosen(self) -> ColumnPool:
        """The routes of the restricted program, ordered by stream."""
        return self.pool.subset(self.inside)

    @property
    def numbers(self) -> Ints:
        """Which routes of the whole pool are chosen, ascending."""
        return np.flatnonzero(self.inside)

    def offer(self, at: Prices, limit: Floats, most: int, until: float) -> Offer:
        """Add the cheapest routes; see :class:`Pricer`."""
        cost = at.of(self.pool)
        least = np.minimum.reduceat(cost, self.first)
        worth = np.flatnonzero((cost < limit[self.pool.stream]) & ~self.inside)
        added = self.cheapest(cost, worth, most)
        self.inside[added] = True
        return Offer(least, len(added))

    def cheapest(self, cost: Floats, among: Ints, most: int) -> Ints:
        """Return the ``most`` cheapest routes of each stream among some."""
        order = among[np.lexsort((among, cost[among], self.pool.stream[among]))]
        stream = self.pool.stream[order]
        rank = np.arange(len(order)) - np.searchsorted(stream, stream)
        return np.asarray(order[rank < most], dtype=np.int64)


def generate(
    master: Master,
    pricer: Pricer,
    *,
    until: float,
    first: int = 4,
    more: int = 2,
    close: float = CLOSED,
    rows: Floats | None = None,
    progress: Callable[[float], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generated:
    """Solve the relaxation over all routes.

    Parameters
    ----------
    until
        Time (of ``time.monotonic``) by which to return with what is known.
    first, more
        Routes per stream to begin with, and to add in a round.
    close
        Relative distance of restricted optimum and bound at which to end.
    rows
        Prices of the coupling rows to begin with.
    progress
        Called with each better bound.
    stop
        Says whether to return at once.

    Returns
    -------
    Generated
        ``infeasible`` is proven: by prices at which not all streams can be served.
    """
    streams = len(master.rate)
    start = prices(master, _first_prices(master) if rows is None else rows)
    offer = _offer(pricer, start, np.full(streams, np.inf), first, until)
    if np.isposinf(offer.least[master.least > 0]).any():
        return Generated("infeasible", np.inf)
    best, at = bound(master, start, offer.least), start
    known = np.where(np.isfinite(offer.least), np.abs(offer.least), 0.0)
    penalty = DEAR * np.maximum(known, max(float(known.max(initial=0.0)), 1e-9) * 1e-3)
    rises, rounds = 0, 0
    relaxed: Relaxed | None = None
    arrays: MipArrays | None = None
    while True:
        rounds += 1
        numbers = pricer.numbers
        arrays = master.arrays(pricer.chosen, numbers.tolist())
        elastic = _elastic(arrays, streams, penalty) if master.theta < 0 else arrays
        found = Relaxation(elastic).solve(time_limit_s=max(until - time.monotonic(), 0.01))
        if found.outcome == "infeasible":
            return Generated("infeasible", np.inf, rounds=rounds)
        if found.outcome == "unbounded":
            return Generated("unbounded", -np.inf, rounds=rounds)
        if found.outcome != "optimal":
            return Generated("stopped", best, None, arrays, numbers, at, rounds)
        short = float(found.x[len(arrays.names) :].sum())
        served = short <= 1e-9 * streams
        relaxed = replace(found, x=found.x[: len(arrays.names)]) if served else None
        here = prices(master, -found.row_duals[streams:])
        value = found.row_duals[:streams]
        offer = _offer(pricer, here, value - WORTH * np.abs(value), more, until)
        reached = bound(master, here, offer.least)
        if reached > best:
            best, at = reached, here
            if progress is not None:
                progress(best)
        over = stop() or time.monotonic() >= until
        closed = served and found.objective - best <= close * abs(found.objective)
        if closed or over or not offer.added:
            if served:
                outcome: Outcome = "stopped" if over and not closed else "optimal"
                return Generated(outcome, best, relaxed, arrays, numbers, at, rounds)
            if over:
                return Generated("stopped", best, None, arrays, numbers, at, rounds)
            if rises == RISES:
                if _proven_short(master, pricer, until, more):
                    return Generated("infeasible", np.inf, rounds=rounds)
                return Generated("stopped", best, None, arrays, numbers, at, rounds)
            rises += 1
            penalty = penalty * DEAR


def _offer(pricer: Pricer, at: Prices, limit: Floats, most: int, until: float) -> Offer:
    """Ask for routes that cost less than a limit, with what all routes of a stream cost beside."""
    offer = pricer.offer(at, limit - at.fixed, most, until)
    return Offer(offer.least + at.fixed, offer.added)


def _proven_short(master: Master, pricer: Pricer, until: float, more: int) -> bool:
    """Whether no routes at all can serve every stream: the program without costs but for gaps."""
    objective = master.objective
    master.objective = replace(objective.times(0.0))
    streams = len(master.rate)
    try:
        while time.monotonic() < until:
            arrays = master.arrays(pricer.chosen)
            found = Relaxation(_elastic(arrays, streams, np.ones(streams))).solve(
                time_limit_s=max(until - time.monotonic(), 0.01)
            )
            if found.outcome != "optimal":
                return found.outcome == "infeasible"
            here = prices(master, -found.row_duals[streams:])
            value = found.row_duals[:streams]
            offer = _offer(pricer, here, value - WORTH * np.abs(value), more, until)
            # Whatever is not served costs 1 for the whole stream, so no stream costs more.
            if bound(master, here, np.minimum(offer.least, 1.0)) > 1e-7:
                return True
            if not offer.added:
                return False
        return False
    finally:
        master.objective = objective


def _elastic(arrays: MipArrays, streams: int, penalty: Floats) -> MipArrays:
    """Return the program with a variable per stream for what is not served."""
    size = len(arrays.names)
    rows = np.concatenate([arrays.rows, np.arange(streams)])
    columns = np.concatenate([arrays.columns, size + np.arange(streams)])
    values = np.concatenate([arrays.coefficients, np.ones(streams)])
    order = np.lexsort((columns, rows))
    return replace(
        arrays,
        names=[*arrays.names, *(f"unserved_{j}" for j in range(streams))],
        cost=np.concatenate([arrays.cost, penalty]),
        lower=np.concatenate([arrays.lower, np.zeros(streams)]),
        upper=np.concatenate([arrays.upper, np.full(streams, np.inf)]),
        integer=np.concatenate([arrays.integer, np.zeros(streams, dtype=bool)]),
        rows=rows[order],
        columns=columns[order],
        coefficients=values[order],
    )


def _first_prices(master: Master) -> Floats:
    """Return prices at which a unit's room costs what a unit costs: right where units are free.

    Where the objective costs nothing (throughput), what a cap counts is the cost.
    """
    rows = np.zeros(len(master.rows))
    cost = master.objective.side.copy()
    for i, row in enumerate(master.rows):
        if master.theta >= 0 and row.name in ("power_cap", "budget"):
            rows[i] = 1.0
            cost += row.form.side
    if master.theta >= 0:
        cost[master.theta] = 0.0
    device_of = np.flatnonzero(master.used).tolist()
    for i, row in enumerate(master.rows):
        if not row.name.startswith("capacity_"):
            continue
        device = device_of[int(row.name.removeprefix("capacity_"))]
        on = master.on.get(device)
        if on is None:
            continue
        unit = cost[on]
        had = master.had.get(device, on)
        if had != on:
            unit += cost[had]
        rows[i] = max(0.0, float(unit)) / max(float(master.capacity[device]), 1e-300)
    for i, row in enumerate(master.rows):
        if row.name.startswith("had_"):
            had = master.had[int(row.name.removeprefix("had_"))]
            rows[i] = max(0.0, float(cost[had]))
    return rows
