"""Bounds that hold for every plan, under every limit (design §5).

Each is a relaxation: it forgets transfers, memory, channels and orders, and keeps releases, the
longest chain of shortest options, and time on devices. ``math.inf`` says that no plan exists.

Load LP. Tasks with the same profile, permissions and accuracy are one class (time is linear in
work, so classes aggregate exactly); x[c, o] is the work of class c that option o does, C the
window (makespan, or the horizon where given):

    minimise    Σ cost[o] x[c, o] + fixed C
    subject to  Σ_o x[c, o] = work[c]                              for each class
                Σ time[o] x[c, o] <= slots[d] units[d] C           for each device
                C_lo <= C <= C_hi

``cost`` is energy plus, on devices whose units may be off, idle / slots × time: a unit that is on
for W and busy for B unit-seconds of its slots has W >= B / slots. ``fixed`` is the idle power of
units that are always on. Any prices λ >= 0 on the device rows give the bound L(λ) of design §5;
the LP's duals give the best one, and L(λ) is computed from them directly, so an inaccurate LP
costs strength and never truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Floats, Instance, Ints

_SAFETY = GAP_TOLERANCE * 1e-3
"""Relative weakening of float sums; far above their rounding, far below what is reported."""
_LP_SIZE = 400_000
"""Classes × options up to which the LP is solved; beyond it, prices come from ascent."""


def bound(instance: Instance, objective: str) -> float:
    """Return a proven bound of one objective over all plans.

    A lower bound, or for ``accuracy`` an upper one; ``math.inf`` (``-math.inf``) where the
    relaxation alone shows that no plan exists.
    """
    load = load_of(instance)
    if not load.possible:
        return -math.inf if objective == "accuracy" else math.inf
    if objective == "accuracy":
        return _accuracy(instance)
    lowest, highest = window(instance)
    if lowest > highest * (1 + GAP_TOLERANCE):
        return math.inf
    if objective == "makespan":
        return _weaker(makespan_bound(instance))
    if objective == "tardiness":
        return _weaker(_tardiness(instance))
    if objective == "peak_power":
        return _weaker(_peak_power(instance, load))
    if objective in ("energy", "cost", "carbon"):
        return _weaker(_energy_like(instance, load, objective))
    raise ValueError(f"There is no bound for the objective {objective!r}.")


def device_prices(instance: Instance) -> Floats:
    """Prices on device time (J/s, length D) of the load LP of energy, idle/slots included."""
    wide = len(instance.devices)
    if instance.objective[0] not in ("energy", "cost", "carbon"):
        return np.zeros(wide)
    load = load_of(instance)
    lowest, highest = window(instance)
    if not load.possible or lowest > highest:
        return np.zeros(wide)
    per_time, _, fixed = _rates(instance, "energy")
    if not np.isfinite(highest):
        highest = math.inf
    return _best_prices(load, "energy", instance, lowest, highest, fixed) + per_time


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


def load_of(instance: Instance) -> Load:
    """Group tasks into classes; computed once per instance."""
    made = instance.__dict__.get("_schedule_load")
    if made is None:
        made = _classes(instance)
        instance.__dict__["_schedule_load"] = made
    return made


def window(instance: Instance) -> tuple[float, float]:
    """Proven least and greatest makespan of any plan, in seconds (greatest inf: no limit)."""
    highest = float(instance.limits.horizon_s)
    if len(instance.jobs):
        busy = np.unique(instance.tasks.job)
        if len(busy):
            highest = min(highest, float(instance.jobs.deadline_s[busy].max()))
    return makespan_bound(instance), highest


def makespan_bound(instance: Instance) -> float:
    """Larger of the critical path and the load LP, in seconds; computed once per instance."""
    made = instance.__dict__.get("_makespan_bound")
    if made is None:
        made = max(float(heads_s(instance)[1].max(initial=0.0)), _load_makespan(instance))
        made *= 1 - _SAFETY
        instance.__dict__["_makespan_bound"] = made
    return float(made)


def heads_s(instance: Instance) -> tuple[Floats, Floats]:
    """Earliest start and end of each task by releases and shortest options (length T)."""
    load = load_of(instance)
    shortest = _least_per_task(instance, instance.options.time_s) * instance.tasks.work
    start = instance.jobs.release_s[instance.tasks.job].copy()
    if not load.possible:
        return start, start.copy()
    begin, times = start.tolist(), shortest.tolist()
    ptr, edges = (column.tolist() for column in instance.successors)
    after = instance.edges.dst.tolist()
    for task in instance.topological_order.tolist():
        end = begin[task] + times[task]
        for e in edges[ptr[task] : ptr[task + 1]]:
            if begin[after[e]] < end:
                begin[after[e]] = end
    start = np.array(begin, dtype=np.float64)
    return start, start + shortest


def _usable(instance: Instance) -> tuple[Ints, Ints]:
    """(task, option) pairs that a plan may use, by task."""
    ptr, option = instance.admissible
    task = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
    needed = instance.jobs.min_accuracy[instance.tasks.job[task]]
    accuracy = instance.options.accuracy[option]
    keep = np.isnan(accuracy) | (accuracy >= needed)
    keep &= instance.devices.count_max[instance.options.device[option]] > 0
    return task[keep], option[keep]


def _least_per_task(instance: Instance, column: Floats) -> Floats:
    task, option = _usable(instance)
    least = np.full(len(instance.tasks), np.inf)
    np.minimum.at(least, task, column[option])
    return least


def _classes(instance: Instance) -> Load:
    task, option = _usable(instance)
    n = len(instance.tasks)
    size = np.bincount(task, minlength=n)
    ptr = np.concatenate([[0], np.cumsum(size)])
    capacity = (instance.devices.slots * instance.devices.count_max).astype(np.float64)
    flat, at = option.tolist(), ptr.tolist()
    index: dict[tuple[int, ...], int] = {}
    member = np.empty(n, dtype=np.int64)
    for t in range(n):
        member[t] = index.setdefault(tuple(flat[at[t] : at[t + 1]]), len(index))
    work = np.bincount(member, weights=instance.tasks.work, minlength=len(index))
    rows = [np.array(key, dtype=np.int64) for key in index]
    ends = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    options = np.concatenate([np.empty(0, dtype=np.int64), *rows])
    return Load(work.astype(np.float64), ends, options, capacity, bool(n == 0 or size.min() > 0))


def _rates(instance: Instance, objective: str) -> tuple[Floats, float, float]:
    """Return cost per busy second by device, cost per joule, and cost per second of the window.

    A unit that may be off, or may not be had, costs at least its rate × W; W >= busy / slots.
    Units that are had (and on) whatever happens cost their rate × W.
    """
    devices, limits = instance.devices, instance.limits
    per_joule = {
        "energy": 1.0,
        "cost": limits.pue * limits.energy_price_per_j,
        "carbon": limits.pue * limits.carbon_kg_per_j,
    }[objective]
    price = devices.price_per_s if objective == "cost" else np.zeros(len(devices))
    idle = devices.idle_power_w * per_joule
    had = devices.count_min.astype(np.float64)
    fixed = float((price * had).sum() + (idle * had)[~devices.off_when_unused].sum())
    per_time = np.where(devices.off_when_unused, idle, 0.0)
    # No unit is had for certain: then also the price, and the idle of an always-on one, are owed
    # only per unit used.
    per_time += np.where(had == 0, price + np.where(devices.off_when_unused, 0.0, idle), 0.0)
    return per_time / np.maximum(devices.slots, 1), per_joule, fixed


def _costs(instance: Instance, objective: str) -> tuple[Floats, float]:
    per_time, per_joule, fixed = _rates(instance, objective)
    options = instance.options
    return options.energy_j * per_joule + per_time[options.device] * options.time_s, fixed


def _energy_like(instance: Instance, load: Load, objective: str) -> float:
    lowest, highest = window(instance)
    _, _, fixed = _rates(instance, objective)
    if np.isfinite(instance.limits.horizon_s):
        # The window is the horizon whatever the makespan is.
        lowest = highest = float(instance.limits.horizon_s)
    prices = _best_prices(load, objective, instance, lowest, highest, fixed)
    plain = np.zeros(len(instance.devices))
    return max(
        _lagrangian(load, objective, instance, lam, lowest, highest, fixed)
        for lam in (plain, prices)
    )


def _lagrangian(
    load: Load,
    objective: str,
    instance: Instance,
    prices: Floats,
    lowest: float,
    highest: float,
    fixed: float,
) -> float:
    cost, _ = _costs(instance, objective)
    options = instance.options
    reduced = cost + prices[options.device] * options.time_s
    least = np.minimum.reduceat(reduced[load.option], load.ptr[:-1]) if len(load.work) else 0.0
    bracket = fixed - float((prices * load.capacity).sum())
    at = lowest if bracket >= 0 else highest
    if not np.isfinite(at):
        return 0.0
    return float((load.work * least).sum()) + bracket * at


def _best_prices(
    load: Load, objective: str, instance: Instance, lowest: float, highest: float, fixed: float
) -> Floats:
    """Prices λ from the duals of the load LP, or 0 where it is too large or fails."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack

    wide, rows = len(instance.devices), len(load.work)
    if not rows or len(load.option) > _LP_SIZE:
        return np.zeros(wide)
    cost, _ = _costs(instance, objective)
    owner = np.repeat(np.arange(rows), np.diff(load.ptr))
    columns = np.arange(len(load.option))
    work = load.work[owner]
    time = instance.options.time_s[load.option] * work
    device = instance.options.device[load.option]
    scale = max(float(time.max(initial=0.0)), 1e-300)
    price = max(float(np.abs(cost[load.option] * work).max(initial=0.0)), 1e-300)
    share = csr_matrix((np.ones(len(columns)), (owner, columns)), shape=(rows, len(columns)))
    use = csr_matrix((time / scale, (device, columns)), shape=(wide, len(columns)))
    upper = hstack([use, csr_matrix(-load.capacity[:, None])])
    equal = hstack([share, csr_matrix((rows, 1))])
    answer = linprog(
        np.concatenate([cost[load.option] * work / price, [fixed * scale / price]]),
        A_ub=upper.tocsr(),
        b_ub=np.zeros(wide),
        A_eq=equal.tocsr(),
        b_eq=np.ones(rows),
        bounds=[(0, None)] * len(columns)
        + [(lowest / scale, highest / scale if np.isfinite(highest) else None)],
        method="highs",
    )
    if answer.status != 0:
        return np.zeros(wide)
    prices = np.maximum(0.0, -answer.ineqlin.marginals) * price / scale
    if not np.isfinite(highest):
        # Without an end the bracket must not be negative (design §5).
        owed = float((prices * load.capacity).sum())
        if owed > fixed:
            prices = prices * (fixed / owed) * (1 - _SAFETY)
    return np.asarray(prices)


def _load_makespan(instance: Instance) -> float:
    """Min C such that the work fits into slots × units × C, by the duals of that LP."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack

    load = load_of(instance)
    wide, rows = len(instance.devices), len(load.work)
    if not rows or not load.possible or len(load.option) > _LP_SIZE:
        return 0.0
    owner = np.repeat(np.arange(rows), np.diff(load.ptr))
    columns = np.arange(len(load.option))
    time = instance.options.time_s[load.option] * load.work[owner]
    device = instance.options.device[load.option]
    scale = max(float(time.max(initial=0.0)), 1e-300)
    share = csr_matrix((np.ones(len(columns)), (owner, columns)), shape=(rows, len(columns)))
    use = csr_matrix((time / scale, (device, columns)), shape=(wide, len(columns)))
    answer = linprog(
        np.concatenate([np.zeros(len(columns)), [1.0]]),
        A_ub=hstack([use, csr_matrix(-load.capacity[:, None])]).tocsr(),
        b_ub=np.zeros(wide),
        A_eq=hstack([share, csr_matrix((rows, 1))]).tocsr(),
        b_eq=np.ones(rows),
        method="highs",
    )
    if answer.status != 0:
        return 0.0
    prices = np.maximum(0.0, -answer.ineqlin.marginals)
    total = float((prices * load.capacity).sum())
    if total <= 0:
        return 0.0
    least = np.minimum.reduceat(prices[device] * time, load.ptr[:-1])
    return float(least.sum()) / total


def _tardiness(instance: Instance) -> float:
    _, end = heads_s(instance)
    last = np.zeros(len(instance.jobs))
    np.maximum.at(last, instance.tasks.job, end)
    late = np.maximum(0.0, last - instance.jobs.due_s)
    return float((instance.jobs.weight * late).sum())


def _peak_power(instance: Instance, load: Load) -> float:
    """Idle of what is on anyway, plus the task whose least draw is greatest."""
    devices, options = instance.devices, instance.options
    count = devices.count_min.astype(np.float64)
    always = float((devices.idle_power_w * count)[~devices.off_when_unused].sum())
    owed = devices.off_when_unused | (devices.count_min == 0)
    on = np.where(owed, devices.idle_power_w, 0.0)
    busy = options.time_s > 0
    draw = on[options.device]
    draw[busy] += options.energy_j[busy] / options.time_s[busy]
    if not len(load.work):
        return always
    return always + float(np.minimum.reduceat(draw[load.option], load.ptr[:-1]).max())


def _accuracy(instance: Instance) -> float:
    """Weighted mean over jobs of the least over tasks of the best option."""
    task, option = _usable(instance)
    accuracy = instance.options.accuracy[option]
    stated = ~np.isnan(accuracy)
    best = np.full(len(instance.tasks), -np.inf)
    np.maximum.at(best, task[stated], accuracy[stated])
    worst = np.full(len(instance.jobs), np.inf)
    states = np.isfinite(best)
    np.minimum.at(worst, instance.tasks.job[states], best[states])
    counted = np.isfinite(worst)
    weight = instance.jobs.weight[counted]
    if not weight.sum():
        return math.nan
    return float((weight * worst[counted]).sum() / weight.sum()) * (1 + _SAFETY)


def _weaker(value: float) -> float:
    return value - _SAFETY * abs(value) if math.isfinite(value) else value
