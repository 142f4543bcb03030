"""What one more of each limit is worth: the duals of the relaxation, in SI units (docs/steady.md).

Every figure is the change of the first objective per unit of the limit, at the optimum of the
linear relaxation: negative is a saving where the objective is minimised, positive a gain where it
is maximised. It is a derivative, so it holds for small changes; where the optimum is degenerate,
one of several (each between the derivatives to the left and to the right). Units are whole in a
plan, so that the true effect comes in jumps.

With duals δ (what the minimised objective changes by per unit of a row's limit b, or of a bound):

    power cap, budget, pool memory   δ / (what the row was divided by)
    unit of a device                 Σ δ of the upper bounds of its counts; where these are
                                     constants, δ of the rows that they limit, less what the unit
                                     itself costs; never worse than nothing: it may be left out
    rate of a job                    Σ_r y_r (c_r − Σ_i δ_i a_ir) / R_j over rows i that loads fill
    bandwidth of a link              δ_i × (bytes/s ÷ bandwidth) / bandwidth
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Instance, Ints, is_maximised
from hetopt.instance.grouping import sums
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.slow_domains import domain_of_device
from hetopt.solvers.holding_range import holding_range
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxed
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.routes.route_columns import ColumnPool, Measures

GIB = 2.0**30
RANGE_TIME_S = 0.5
"""Seconds for each end of a range."""

LOADED = ("capacity", "minload", "link", "resource", "power", "budget", "hold", "work")
"""Families of rows whose coefficients grow with the rates of jobs."""


def marginal(
    instance: Instance,
    arrays: MipArrays,
    relaxed: Relaxed,
    scale: float,
    pool: ColumnPool,
    device_of_kind: Sequence[int],
    stream_of: Ints | None = None,
) -> dict[str, Any]:
    """Return what one more of each limit changes of the first objective.

    Parameters
    ----------
    arrays, relaxed, scale
        The relaxation for the first objective, its optimum, and what the objective in SI units was
        multiplied by. Variables ``y_r`` are the routes of ``pool``, in its order.
    device_of_kind
        Device of each kind k of unit, as in ``capacity_k``.
    stream_of
        Stream of each job; by default each job is its own.

    Returns
    -------
    dict
        ``objective``; ``relaxed``, its value at that optimum; ``power_cap_w`` and ``budget_per_s``
        (None where there is no such limit), and the ranges of these limits in which the prices hold
        (``power_cap_holds_w``, ``budget_holds_per_s``: least and most, None where unlimited or not
        known);
        ``devices`` (``unit``: one unit more; None where spare units, shares of kinds, boards, or
        devices that slow each other down make it depend on more), ``jobs`` (``rate_per_s``),
        ``links`` (``bandwidth_b_per_s``) and ``pools`` (``memory_gib``), each a list of rows with
        names.
    """
    return _Reader(instance, arrays, relaxed, scale, pool, device_of_kind, stream_of).read()


class _Reader:
    def __init__(
        self,
        instance: Instance,
        arrays: MipArrays,
        relaxed: Relaxed,
        scale: float,
        pool: ColumnPool,
        device_of_kind: Sequence[int],
        stream_of: Ints | None,
    ) -> None:
        self.instance, self.arrays, self.pool = instance, arrays, pool
        self.kinds = device_of_kind
        rate = instance.jobs.rate_per_s
        self.stream_of = np.arange(len(rate)) if stream_of is None else stream_of
        self.rate = sums(self.stream_of, rate, int(self.stream_of.max(initial=-1)) + 1)
        self.relaxed = relaxed
        self.scale, self.x = scale, relaxed.x
        self.duals = relaxed.row_duals
        self.row = {name: i for i, name in enumerate(arrays.row_names)}
        upper = relaxed.bound_duals[1]
        self.upper = {name: float(upper[j]) for j, name in enumerate(arrays.names)}
        self.name = instance.objective[0]
        at = {name: j for j, name in enumerate(arrays.names)}
        theta = float(self.x[at["theta"]]) if "theta" in at else 1.0
        routes = [name for name in arrays.names if name.startswith("y_")]
        # Variables of a PuLP problem are in order of their names.
        column = np.array([at[name] for name in routes], dtype=np.int64)
        number = np.array([int(name.removeprefix("y_")) for name in routes], dtype=np.int64)
        self.column = column[np.argsort(number, kind="stable")]
        self.theta = theta

    def read(self) -> dict[str, Any]:
        """Return all of it."""
        instance = self.instance
        limits = instance.limits
        cap = self._limit("power_cap", limits.power_cap_w)
        budget = self._limit("budget", limits.budget_per_s)
        names = instance.devices.name.tolist()
        links = instance.links
        return {
            "objective": self.name,
            "relaxed": float(self.relaxed.objective) / self.scale,
            "power_cap_w": cap,
            "budget_per_s": budget,
            "power_cap_holds_w": self._holds("power_cap", limits.power_cap_w, cap),
            "budget_holds_per_s": self._holds("budget", limits.budget_per_s, budget),
            "devices": [
                {"device": names[d], "unit": self._unit(d, cap or 0.0, budget or 0.0)}
                for d in range(len(names))
            ],
            "jobs": [
                {"job": job, "rate_per_s": value}
                for job, value in zip(instance.jobs.name.tolist(), self._rates(), strict=True)
            ],
            "links": [
                {
                    "link": k,
                    "from": names[links.src[k]],
                    "to": names[links.dst[k]],
                    "bandwidth_b_per_s": value,
                }
                for k, value in enumerate(self._bandwidths())
            ],
            "pools": [
                {"pool": name, "memory_gib": self._pool(p)}
                for p, name in enumerate(instance.pools.name.tolist())
            ],
        }

    def _dual(self, row: str) -> float:
        return float(self.duals[self.row[row]]) if row in self.row else 0.0

    def _si(self, change: float) -> float:
        return change / self.scale + 0.0

    def _limit(self, row: str, limit: float) -> float | None:
        return self._si(self._dual(row) / (limit or 1.0)) if np.isfinite(limit) else None

    def _holds(self, row: str, limit: float, price: float | None) -> list[float | None] | None:
        """Return the range of a limit in which its price holds, None where it has no price."""
        if not price or row not in self.row:
            return None
        ends = holding_range(self.arrays, self.relaxed, self.row[row], RANGE_TIME_S)
        return [end * (limit or 1.0) if np.isfinite(end) else None for end in ends]

    def _pool(self, pool: int) -> float | None:
        memory = float(self.instance.pools.memory_b[pool])
        change = self._dual(f"pool_{pool}") / (memory or 1.0) * GIB
        return self._si(change) if np.isfinite(memory) else None

    def _unit(self, device: int, cap: float, budget: float) -> float | None:
        """Return the worth of one more unit that may be had."""
        devices = self.instance.devices
        if devices.spare[device] or len(self.instance.kind_shares):
            return None
        if devices.on_board[device] >= 0:
            # Units come by the board, with all else that stands on it.
            return None
        if domain_of_device(self.instance)[device] >= 0:
            return None
        if devices.min_load[device] and f"u_{device}" not in self.upper:
            # A number of units that is fixed must all be kept busy: one more is no free offer.
            return None
        if devices.count_max[device] == NO_MAXIMUM:
            return 0.0
        kinds = [k for k, at in enumerate(self.kinds) if at == device]
        names = [f"u_{device}", f"h_{device}", *(f"n_{k}" for k in kinds)]
        change = sum(self.upper.get(name, 0.0) for name in names)
        if f"u_{device}" not in self.upper:
            room = float(unit_capacity(self.instance)[device])
            for k in kinds:
                if f"n_{k}" not in self.upper:
                    change += room * self._dual(f"capacity_{k}")
                    change += sum(
                        self._dual(name)
                        for name in self.row
                        if name.startswith((f"linking_{k}_", f"needs_{k}_"))
                    )
            change += self._dual(f"on_{device}") + self._grown_links(device)
            sign = -1.0 if is_maximised(self.name) else 1.0
            change += abs(self.scale) * self._own_cost(device, sign * cap, sign * budget)
        return self._si(min(0.0, change))

    def _grown_links(self, device: int) -> float:
        links, total = self.instance.links, 0.0
        for k in np.flatnonzero(links.per_unit & (links.src == device)).tolist():
            group = int(links.channel_group[k])
            channels = max(1, int(links.group_channels[group])) if group >= 0 else 1
            total += channels * self._dual(f"link_{k}")
        return total

    def _own_cost(self, device: int, cap: float, budget: float) -> float:
        """Return what a unit whose number is a constant costs in the (minimised) objective."""
        devices = self.instance.devices
        money = float(self.name == "cost") - budget
        carbon, price = (float(joule_prices(self.instance, n)[device]) for n in ("carbon", "cost"))
        watts = {"power": 1.0, "carbon": carbon}.get(self.name, 0.0)
        watts += money * price - cap
        idle = 0.0 if devices.off_when_unused[device] else float(devices.idle_power_w[device])
        return watts * idle + money * float(devices.price_per_s[device])

    def _rates(self) -> list[float]:
        """Return what one more request per second of each job's demand changes."""
        arrays = self.arrays
        loaded = np.array([name.split("_")[0] in LOADED for name in arrays.row_names], dtype=bool)
        entries = loaded[arrays.rows]
        rows, columns = arrays.rows[entries], arrays.columns[entries]
        paid = arrays.cost - np.bincount(
            columns, self.duals[rows] * arrays.coefficients[entries], len(arrays.names)
        )
        worth = paid[self.column] * self.x[self.column]
        rate = self.rate
        total = sums(self.pool.stream, worth, len(rate))
        change = np.divide(total, rate, out=np.zeros(len(rate)), where=rate > 0)
        if self.name == "throughput":
            whole = float(rate.sum())
            change = change + arrays.cost[arrays.names.index("theta")] * self.theta / whole
        return [self._si(float(value)) for value in change[self.stream_of]]

    def _bandwidths(self) -> list[float | None]:
        links = self.instance.links
        measures = Measures.of(self.instance)
        rate = self.rate * self._served()
        sent = self.pool.use.T @ (rate[self.pool.stream] * self.x[self.column])
        first: dict[int, int] = {}
        for name in self.row:
            if name.startswith("link_"):
                k = int(name.removeprefix("link_"))
                group = int(links.channel_group[k])
                first[group if group >= 0 else -1 - k] = k
        found: list[float | None] = []
        for k in range(len(links)):
            group, width = int(links.channel_group[k]), float(links.bandwidth_b_per_s[k])
            row = first.get(group if group >= 0 else -1 - k)
            if row is None or not np.isfinite(width):
                found.append(0.0)
                continue
            busy = float(sent[measures.link(k)]) / width
            found.append(self._si(self._dual(f"link_{row}") * busy / width))
        return found

    def _served(self) -> float:
        """Return the θ that a share of 1 stands for."""
        if self.name != "throughput":
            return 1.0
        cost = float(self.arrays.cost[self.arrays.names.index("theta")])
        return abs(cost / self.scale) / float(self.instance.jobs.rate_per_s.sum())
