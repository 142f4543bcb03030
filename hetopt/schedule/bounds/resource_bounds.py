"""Bounds from renewable capacities and budgets: an LP over shares of options, made safe.

Tasks of one choice of options (and of equal work, where budgets count executions) are a class;
x[c, o] is the share of class c that option o does, n[c] its tasks, w[c] their work, a[o, k] what
an option uses of resource k:

    Σ_o x[c, o] = 1                                            for each class
    Σ time[o] w[c] x[c, o] <= slots × units × C                for each device
    Σ a[o, k] time[o] w[c] x[c, o] <= capacity[k] C            for each renewable resource
    Σ a[o, k] n[c] x[c, o] <= budget[k]                        for each budget

It minimises C, or cost at the greatest C. The LP only gives prices: the bound is recomputed from
them as in :mod:`hetopt.schedule.bounds.load_bound`, so an inaccurate LP costs strength and never
truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import list_ptr, ptr_of
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.tariffs import series_of
from hetopt.schedule.bounds.rounding import ALLOWED, surely
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.solvers.share_lp import solve_shares

MOST_COLUMNS = 60_000
"""Options of all classes up to which the LP is solved: some seconds."""
MOST_CELLS = 20_000_000
"""Resources × options up to which their uses are spread out."""


@dataclass(frozen=True, slots=True)
class _Classes:
    """Classes of tasks: CSR of their options, work and number of tasks of each."""

    ptr: Ints
    option: Ints
    work: Floats
    count: Floats

    @property
    def owner(self) -> Ints:
        """Class of each column."""
        return np.repeat(np.arange(len(self.work)), np.diff(self.ptr))


def out_of_budget(instance: Instance, task: Ints, option: Ints) -> bool:
    """Whether even the options that use least exceed some budget.

    Parameters
    ----------
    task, option
        The pairs that a plan may use, by task; every task has one at least.
    """
    for k in np.flatnonzero(np.isfinite(instance.resources.budget)).tolist():
        least = np.full(len(instance.tasks), np.inf)
        np.minimum.at(least, task, _amounts(instance, k)[option])
        limit = float(instance.resources.budget[k])
        if least.sum() > limit * ALLOWED:
            return True
    return False


def resource_makespan(instance: Instance, task: Ints, option: Ints) -> float:
    """Return a makespan that no plan falls below, in seconds; 0 where resources say nothing."""
    made = _Relaxation.of(instance, task, option)
    return 0.0 if made is None else made.makespan()


def resource_times(instance: Instance, task: Ints, option: Ints) -> Floats:
    """Return what an option adds to the makespan of the relaxation, in seconds at work 1 (len O).

    These are the prices of time on devices and of capacities in the LP, which say how scarce each
    is; 0 for all options where there are no resources or the LP is too large.
    """
    made = _Relaxation.of(instance, task, option)
    times = np.zeros(len(instance.options))
    prices = None if made is None else made.makespan_prices()
    if made is None or prices is None:
        return times
    on_time, _ = prices
    total = float((on_time * made.rate).sum())
    if total > 0:
        share = (made.timed.T @ on_time) * made.scale / total
        times[made.classes.option] = share / np.where(made.work > 0, made.work, 1.0)
    return times


def resource_cost(
    instance: Instance, task: Ints, option: Ints, objective: str, highest: float
) -> float:
    """Return an energy, cost or carbon that no plan falls below; 0 where resources say nothing.

    Idle power and prices of units are left out. ``highest`` is the greatest makespan (s).
    """
    made = _Relaxation.of(instance, task, option)
    if made is None or objective not in ENERGY_LIKE or series_of(instance, objective) is not None:
        return 0.0
    per_joule = joule_prices(instance, objective)[instance.options.device]
    return made.cost(instance.options.energy_j * per_joule, highest)


class _Relaxation:
    """Rows of the LP: per column what it takes of time-like limits (× C) and of fixed ones."""

    def __init__(self, instance: Instance, classes: _Classes) -> None:
        from scipy.sparse import csr_matrix, vstack

        self.classes = classes
        options, resources, devices = instance.options, instance.resources, instance.devices
        column, owner = classes.option, classes.owner
        time = options.time_s[column] * classes.work[owner]
        self.work = classes.work[owner]
        self.scale = max(float(time.max(initial=0.0)), 1e-300)
        each = np.arange(len(column))
        shape = (len(devices), len(column))
        busy: Any = csr_matrix((time / self.scale, (options.device[column], each)), shape=shape)
        renewable = np.flatnonzero(np.isfinite(resources.capacity)).tolist()
        # Capacities, like budgets, are counted in parts of themselves: solvers like numbers near 1.
        capacity = _sizes(resources.capacity[renewable])
        held = [
            csr_matrix(_amounts(instance, k)[column] * (time / self.scale) / size)
            for k, size in zip(renewable, capacity, strict=True)
        ]
        self.timed: Any = vstack([busy, *held], format="csr")
        self.rate = np.concatenate(
            [
                (devices.slots * devices.count_max).astype(np.float64),
                resources.capacity[renewable] / capacity,
            ]
        )
        known = np.flatnonzero(np.isfinite(resources.budget)).tolist()
        stock = _sizes(resources.budget[known])
        counted = [
            csr_matrix(_amounts(instance, k)[column] * classes.count[owner] / size)
            for k, size in zip(known, stock, strict=True)
        ]
        empty: Any = csr_matrix((0, len(column)))
        self.fixed: Any = vstack([empty, *counted], format="csr")
        self.stock = resources.budget[known] / stock

    @staticmethod
    def of(instance: Instance, task: Ints, option: Ints) -> _Relaxation | None:
        """Return the relaxation, None where there are no resources or it is too large."""
        if not len(instance.uses) or not len(instance.tasks):
            return None
        if len(instance.resources) * len(instance.options) > MOST_CELLS:
            return None
        classes = _classes(instance, task, option)
        return None if len(classes.option) > MOST_COLUMNS else _Relaxation(instance, classes)

    def makespan(self) -> float:
        """Least C of the LP, by its prices."""
        prices = self.makespan_prices()
        if prices is None:
            return 0.0
        on_time, on_stock = prices
        total = float((on_time * self.rate).sum())
        if total <= 0:
            return 0.0
        reduced = self.timed.T @ on_time + self.fixed.T @ on_stock
        gained = self._gained(reduced, float(on_stock @ self.stock))
        return max(0.0, gained / total / ALLOWED * self.scale)

    def makespan_prices(self) -> tuple[Floats, Floats] | None:
        """Prices of the time-like rows and of the budgets where C is least."""
        from scipy.sparse import bmat, csr_matrix

        upper = bmat([[self.timed, csr_matrix(-self.rate[:, None])], [self.fixed, None]])
        objective = np.append(np.zeros(len(self.work)), 1.0)
        limit = np.concatenate([np.zeros(len(self.rate)), self.stock])
        return self._prices(objective, upper.tocsr(), limit)

    def cost(self, cost_per_work: Floats, highest: float) -> float:
        """Least cost at the greatest makespan, by the prices of the LP."""
        from scipy.sparse import vstack

        cost = cost_per_work[self.classes.option] * self.work
        price = max(float(np.abs(cost).max(initial=0.0)), 1e-300)
        upper, limit = self.fixed, self.stock
        if math.isfinite(highest):
            upper = vstack([self.timed, self.fixed], format="csr")
            limit = np.concatenate([self.rate * highest / self.scale, self.stock])
        prices = self._prices(cost / price, upper, limit)
        if prices is None:
            return 0.0
        both = np.concatenate(prices)
        return max(0.0, self._gained(cost / price + upper.T @ both, float(both @ limit)) * price)

    def _gained(self, reduced: Floats, spent: float) -> float:
        """Sum over classes of the least reduced cost, less what limits offer at their prices."""
        least = float(np.minimum.reduceat(reduced, self.classes.ptr[:-1]).sum())
        spent *= ALLOWED
        terms = len(reduced) + int(self.classes.count.sum()) + self.timed.shape[0] + len(self.stock)
        return surely(least - spent, least + spent, terms)

    def _prices(self, objective: Floats, upper: Any, limit: Floats) -> tuple[Floats, Floats] | None:
        """Return prices >= 0 of the time-like rows and of the budgets."""
        if not upper.shape[0]:
            return np.empty(0), np.empty(0)
        classes = self.classes
        found = solve_shares(classes.owner, len(classes.work), objective, upper, limit)
        split = len(limit) - len(self.stock)
        return (found.prices[:split], found.prices[split:]) if found.solved else None


def _sizes(limits: Floats) -> Floats:
    return np.where(limits > 0, limits, 1.0)


def _amounts(instance: Instance, resource: int) -> Floats:
    """Return what every option uses of a resource (length O)."""
    uses = instance.uses
    amount = np.zeros(len(instance.options))
    rows = np.flatnonzero(uses.resource == resource)
    option = np.repeat(np.arange(len(amount)), np.diff(uses.ptr))
    amount[option[rows]] = uses.amount[rows]
    return amount


def _classes(instance: Instance, task: Ints, option: Ints) -> _Classes:
    size = np.bincount(task, minlength=len(instance.tasks))
    ptr = ptr_of(size).tolist()
    flat, work = option.tolist(), instance.tasks.work.tolist()
    counted = bool(np.isfinite(instance.resources.budget).any())
    index: dict[tuple[object, ...], int] = {}
    member = np.array(
        [
            index.setdefault((*flat[ptr[t] : ptr[t + 1]], work[t] if counted else None), len(index))
            for t in range(len(work))
        ],
        dtype=np.int64,
    )
    rows = [np.array(key[:-1], dtype=np.int64) for key in index]
    return _Classes(
        list_ptr(rows),
        np.concatenate(rows),
        np.bincount(member, weights=instance.tasks.work, minlength=len(index)).astype(np.float64),
        np.bincount(member, minlength=len(index)).astype(np.float64),
    )
