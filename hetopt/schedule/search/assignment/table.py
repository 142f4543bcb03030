"""Independent tasks as an assignment: the columns of each task, and the rows that they share.

A row is a *lane* (one slot of one unit, whose tasks run one after another) where time is scarce,
or a budget where lanes abound. A column is one way to run a task on one row. Uses are integers of
a common tick where there is one; else they are rounded up for plans, and bounds use the floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.joule_prices import joule_prices, sites_differ
from hetopt.schedule.bounds.rounding import ALLOWED
from hetopt.schedule.model.features import ON_MESSAGES, beyond
from hetopt.schedule.model.grid import plan_grid, span_s
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.solution import Hops, SchedulePlan

MOST_COLUMNS = 500_000
"""Columns of all tasks above which the search is left to others."""
MOST_PLACES = 20_000_000
"""Tasks × rows above which its lists take too much memory."""
MOST_PER_ROW = 200
"""Columns of one task on one row."""
MOST_DECIMALS = 9
"""Decimals that are looked for when numbers are counted in integers."""
EXACT_SUM = 1 << 49
"""Sum of integers up to which floats carry them, and their decimals, exactly."""


@dataclass(frozen=True)
class Columns:
    """Columns of n tasks (K in all) and R rows.

    Attributes
    ----------
    makespan
        Whether the makespan counts; else the sum of ``cost``.
    ptr
        Columns ``ptr[t]`` to ``ptr[t + 1]`` belong to task t, ordered by row, then use.
    option, row, use, cost
        Per column; ``use`` in ticks, ``cost`` in multiples of ``step`` (of 1 J where ``exact_cost``
        is False; 0 everywhere where the makespan counts).
    weight
        Per column: use as bounds may count it, in ticks; ``use`` where ``exact_use``.
    capacity, limit
        Per row in ticks, for plans and as bounds may count it. The largest sum of uses where there
        is no limit.
    device, unit
        Of each row where rows are lanes; empty where time is not scarce.
    tick_s
        Seconds of a tick, where rows are lanes.
    """

    instance: Instance
    makespan: bool
    ptr: Ints
    option: Ints
    row: Ints
    use: Ints
    cost: Floats
    weight: Floats
    capacity: Ints
    limit: Floats
    device: Ints
    unit: Ints
    tick_s: Fraction
    step: Fraction
    exact_use: bool
    exact_cost: bool

    @property
    def owner(self) -> Ints:
        """Task of each column."""
        return np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))

    def plan(self, chosen: Ints) -> SchedulePlan:
        """Return the plan of one column per task: the tasks of a lane one after another."""
        option, row = self.option[chosen], self.row[chosen]
        n = len(chosen)
        if len(self.device):
            unit = self.unit[row]
            order = np.argsort(row, kind="stable")
            use, lane = self.use[chosen][order], row[order]
            before = np.cumsum(use) - use
            first = np.flatnonzero(np.r_[True, np.diff(lane) > 0])
            ticks = before - np.repeat(before[first], np.diff(np.r_[first, n]))
            start = np.zeros(n)
            start[order] = [float(k * self.tick_s) for k in ticks.tolist()]
        else:
            device = self.instance.options.device[option]
            unit = np.zeros(n, dtype=np.int64)
            for d in np.unique(device).tolist():
                mine = np.flatnonzero(device == d)
                unit[mine] = np.arange(len(mine)) // self.instance.devices.slots[d]
            start = np.zeros(n)
        return SchedulePlan(option, unit, start, Hops.empty())


SUPPORTED = ("resources", *ON_MESSAGES)


def is_assignment(instance: Instance) -> bool:
    """Whether an instance is an assignment: see :func:`improve.fits`."""
    if not len(instance.tasks) or len(instance.edges) or beyond(instance, SUPPORTED):
        return False
    name = instance.objective[0]
    plain = (
        name in ("makespan", *ENERGY_LIKE)
        and not sites_differ(instance, name)
        and _uses_known(instance)
    )
    if not plain or not _jobs_known(instance):
        return False
    if name != "makespan" and not (_overhead_fixed(instance) and joule_price(instance) > 0):
        return False
    if not _free(instance):
        budgets = np.isfinite(instance.resources.budget).any() and len(instance.uses)
        return not budgets and _lanes_fit(instance)
    return int(np.diff(instance.admissible[0]).max()) <= MOST_PER_ROW and _fits_size(
        instance, len(instance.admissible[1]), len(instance.resources) + 1
    )


def joule_price(instance: Instance) -> float:
    """Return what the first objective pays for a joule of an option."""
    name = instance.objective[0]
    return float(joule_prices(instance, name)[0]) if name in ENERGY_LIKE else 0.0


def columns_of(instance: Instance) -> Columns | None:
    """Return the columns; None where some task has none or numbers are too large."""
    ptr, option = instance.admissible
    task = np.repeat(np.arange(len(instance.tasks)), np.diff(ptr))
    keep = _allowed(instance, task, option)
    task, option = task[keep], option[keep]
    makespan = instance.objective[0] == "makespan"
    if _free(instance):
        made = _on_budgets(instance, task, option)
        row, use, weight, capacity, limit, exact = made
        device = unit = np.empty(0, dtype=np.int64)
        tick = Fraction(1)
    else:
        timed = _ticks(instance, task, option)
        use, weight, tick, exact, deadline, latest = timed
        lanes = instance.devices.slots * instance.devices.count_max
        device = np.repeat(np.arange(len(lanes)), lanes)
        slots = instance.devices.slots[device]
        first = np.cumsum(lanes) - lanes
        unit = (np.arange(len(device)) - first[device]) // slots
        copies = lanes[instance.options.device[option]]
        each = np.repeat(np.arange(len(option)), copies)
        begin = np.cumsum(copies) - copies
        number = np.arange(len(each)) - begin[each]
        row = first[instance.options.device[option[each]]] + number
        task, option, use, weight = task[each], option[each], use[each], weight[each]
        capacity = np.full(len(device), deadline)
        limit = np.full(len(device), latest)
    if len(np.unique(task)) < len(instance.tasks):
        return None
    cost, step, exact_cost = np.zeros(len(option)), Fraction(1), True
    if not makespan:
        cost, step, exact_cost = _costs(instance, task, option)
    order = np.lexsort((cost, use, row, task))
    task, option, row, use = task[order], option[order], row[order], use[order]
    weight, cost = weight[order], cost[order]
    kept = _undominated(task, row, cost)
    size = np.bincount(task[kept], minlength=len(instance.tasks))
    # A bound must hold for plans that use the tolerance of limits.
    limit = np.floor(limit * ALLOWED) if exact else limit * ALLOWED
    return Columns(
        instance, makespan, ptr_of(size),
        option[kept], row[kept].astype(np.int64), use[kept], cost[kept], weight[kept],
        capacity.astype(np.int64), limit.astype(np.float64), device, unit, tick, step, exact,
        exact_cost,
    )  # fmt: skip


def integers(values: Floats) -> tuple[Ints, Fraction] | None:
    """Return values >= 0 as multiples of a common step, None where their decimals are too many.

    A float that is the quotient of a short integer and a power of ten prints as that decimal.
    """
    for decimals in range(MOST_DECIMALS + 1):
        power = 10**decimals
        whole = np.rint(values * power)
        if float(whole.sum()) > EXACT_SUM:
            return None
        if np.array_equal(whole / power, values):
            counted = whole.astype(np.int64)
            divisor = int(np.gcd.reduce(counted)) if len(counted) else 1
            divisor = divisor or 1
            return counted // divisor, Fraction(divisor, power)
    return None


def _uses_known(instance: Instance) -> bool:
    """Whether no option uses two budgets, or any capacity that is limited."""
    if not len(instance.uses):
        return True
    resource, resources = instance.uses.resource, instance.resources
    if np.isfinite(resources.capacity[resource]).any():
        return False
    owner = np.repeat(np.arange(len(instance.options)), np.diff(instance.uses.ptr))
    limited = owner[np.isfinite(resources.budget[resource])]
    return len(np.unique(limited)) == len(limited)


def _jobs_known(instance: Instance) -> bool:
    """Whether everything is released at 0, and where time is scarce one deadline holds."""
    busy = np.zeros(len(instance.jobs), dtype=bool)
    busy[instance.tasks.job] = True
    if instance.jobs.release_s[busy].any():
        return False
    return _free(instance) or len(np.unique(instance.jobs.deadline_s[busy])) == 1


def _overhead_fixed(instance: Instance) -> bool:
    """Whether idle power and prices of units cost the same in every plan (here: nothing)."""
    devices = instance.devices
    usable = devices.count_max > 0
    priced = devices.price_per_s[usable].any() and instance.objective[0] == "cost"
    return not devices.idle_power_w[usable].any() and not priced


def _free(instance: Instance) -> bool:
    """Whether time is not scarce: each task can have a lane of its own, on any device."""
    if instance.objective[0] == "makespan":
        return False
    devices, jobs = instance.devices, instance.jobs
    lanes = devices.slots * devices.count_max
    used = np.unique(instance.options.device[instance.admissible[1]])
    used = used[devices.count_max[used] > 0]
    unlimited = np.isinf(instance.limits.horizon_s) and np.isinf(jobs.deadline_s).all()
    return bool(unlimited or (lanes[used] >= len(instance.tasks)).all())


def _lanes_fit(instance: Instance) -> bool:
    devices = instance.devices
    lanes = (devices.slots * devices.count_max).astype(np.float64)
    option = instance.admissible[1]
    columns = float(lanes[instance.options.device[option]].sum())
    return _fits_size(instance, columns, float(lanes.sum()))


def _fits_size(instance: Instance, columns: float, rows: float) -> bool:
    return columns <= MOST_COLUMNS and len(instance.tasks) * rows <= MOST_PLACES


def _ends_s(instance: Instance) -> Floats:
    """Latest end of each task."""
    ends = np.minimum(instance.jobs.deadline_s, instance.limits.horizon_s)
    return np.asarray(ends[instance.tasks.job])


def _allowed(instance: Instance, task: Ints, option: Ints) -> Bools:
    """Accurate enough, on a device that has units, and over by the deadline on its own."""
    options = instance.options
    accuracy = options.accuracy[option]
    needed = instance.jobs.min_accuracy[instance.tasks.job[task]]
    keep = np.isnan(accuracy) | (accuracy >= needed)
    keep &= instance.devices.count_max[options.device[option]] > 0
    time_s = instance.tasks.work[task] * options.time_s[option]
    # Ticks tell what is over in time to the last digit; a product of floats does not.
    return np.asarray(keep & (time_s <= _ends_s(instance)[task] * ALLOWED))


def _ticks(
    instance: Instance, task: Ints, option: Ints
) -> tuple[Ints, Floats, Fraction, bool, int, float]:
    """Durations in ticks for plans and for bounds, the tick, whether exact, and the deadline."""
    work, time_s = instance.tasks.work[task], instance.options.time_s[option]
    end = float(_ends_s(instance).min())
    whole = integers(time_s)
    amount = integers(work)
    if whole is not None and amount is not None:
        ticks, step = whole[0] * amount[0], whole[1] * amount[1]
        divisor = int(np.gcd.reduce(ticks)) or 1
        if float(ticks.max()) * len(instance.tasks) * step.denominator < EXACT_SUM:
            ticks, step = ticks // divisor, step * divisor
            most = int(_greatest(ticks, task, len(instance.tasks)))
            last = most if math.isinf(end) else min(most, math.floor(Fraction(repr(end)) / step))
            return ticks, ticks.astype(np.float64), step, True, last, float(last)
    grid = plan_grid(instance, span_s(instance))
    ticks = grid.durations(work, time_s)
    most = int(_greatest(ticks, task, len(instance.tasks)))
    last = most if math.isinf(end) else min(most, grid.limit(end))
    exact = grid.direction == "exact"
    seen = ticks.astype(np.float64) if exact else work * time_s / float(grid.tick)
    latest = float(most) if math.isinf(end) else end / float(grid.tick)
    return ticks, seen, grid.tick, exact, last, float(last) if exact else min(latest, float(most))


def _greatest(use: Ints, task: Ints, n: int) -> int:
    """Sum of the greatest use of each task."""
    most = np.zeros(n, dtype=np.int64)
    np.maximum.at(most, task, use)
    return int(most.sum())


def _on_budgets(
    instance: Instance, task: Ints, option: Ints
) -> tuple[Ints, Ints, Floats, Ints, Floats, bool]:
    """Rows of budgets, the last one for what uses none: row, use, weight, capacity, limit, exact.

    Each budget has a unit of its own; it is divided into so many parts where it has no short one.
    """
    uses, resources = instance.uses, instance.resources
    rows = len(resources)
    row_of, amount_of = np.full(len(instance.options), rows), np.zeros(len(instance.options))
    if len(uses):
        owner = np.repeat(np.arange(len(instance.options)), np.diff(uses.ptr))
        limited = np.isfinite(resources.budget[uses.resource])
        row_of[owner[limited]] = uses.resource[limited]
        amount_of[owner[limited]] = uses.amount[limited]
    row, amount = row_of[option], amount_of[option]
    use, weight = np.zeros(len(row), dtype=np.int64), np.zeros(len(row))
    capacity, limit = np.zeros(rows + 1, dtype=np.int64), np.zeros(rows + 1)
    exact = True
    for r in np.unique(row).tolist():
        mine = row == r
        if r == rows:
            continue
        budget = float(resources.budget[r])
        counted = integers(amount[mine])
        if counted is not None:
            use[mine], step = counted
            capacity[r] = math.floor(Fraction(repr(budget)) / step)
            weight[mine], limit[r] = use[mine], capacity[r]
        else:
            exact = False
            part = max(budget, float(amount[mine].max())) / EXACT_SUM * len(instance.tasks)
            weight[mine], limit[r] = amount[mine] / part, budget / part
            use[mine] = np.ceil(weight[mine] * (1 + 1e-15)).astype(np.int64)
            capacity[r] = math.floor(limit[r] * (1 - 1e-15))
    return row, use, weight, capacity, limit, exact


def _costs(instance: Instance, task: Ints, option: Ints) -> tuple[Floats, Fraction, bool]:
    """Energies of columns in multiples of a step."""
    work, energy = instance.tasks.work[task], instance.options.energy_j[option]
    counted, amount = integers(energy), integers(work)
    if counted is not None and amount is not None:
        whole = counted[0] * amount[0]
        divisor = int(np.gcd.reduce(whole)) or 1
        if float(whole.max(initial=0)) * len(instance.tasks) < EXACT_SUM:
            step = counted[1] * amount[1] * divisor
            return (whole // divisor).astype(np.float64), step, True
    return work * energy, Fraction(1), False


def _undominated(task: Ints, row: Ints, cost: Floats) -> Bools:
    """Of columns by task, row, use and cost: those cheaper than all before on their row."""
    keep = np.ones(len(task), dtype=np.bool_)
    same = (np.diff(task) == 0) & (np.diff(row) == 0)
    if not same.any():
        return keep
    least = math.inf
    for k, again in enumerate(np.r_[False, same].tolist()):
        if not again:
            least = math.inf
        keep[k] = cost[k] < least
        least = min(least, float(cost[k]))
    return keep
