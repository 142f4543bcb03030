"""Objectives of the placement model in whole numbers, and the caps on power and money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance.joule_prices import joule_prices
from hetopt.steady.placement.variables import ACCURACY_GRID, CAP_GRID, OBJECTIVE_GRID

if TYPE_CHECKING:
    from hetopt.steady.placement.variables import PlacementModel, Terms


@dataclass(frozen=True, slots=True)
class Counted:
    """An objective as an integer expression: its value is expression × part + constant."""

    expression: Any
    part: float
    constant: float


def count_objective(m: PlacementModel, name: str, known: float | None = None) -> Counted:
    """Return an objective (not throughput) in whole parts that never favour a worse bound.

    ``known`` is a value that some plan has: what costs far more is cut, which no better plan sees,
    so that the parts are of a size that matters.
    """
    if name == "accuracy":
        return _accuracy(m)
    terms, constant = _drawn(m, name)
    if name == "cost":
        price, fixed = _price(m)
        terms, constant = terms + price, constant + fixed
    size = sum(c for _, c in terms)
    if size <= 0:
        return Counted(0, 1.0, constant)
    if known is not None and 0 < known - constant < size:
        size = known - constant
    return Counted(m.parts(terms, size, OBJECTIVE_GRID), size / OBJECTIVE_GRID, constant)


def add_caps(m: PlacementModel) -> None:
    """Hold the power cap and the budget."""
    limits = m.instance.limits
    power, idle = _drawn(m, "power")
    if np.isfinite(limits.power_cap_w):
        still = [(on, watts) for _, watts, on in m.idling()]
        _cap(m, limits.power_cap_w, (power, idle), (still, idle), m.totals.energy)
    if np.isfinite(limits.budget_per_s):
        price, fixed = _price(m)
        each = joule_prices(m.instance, "cost")
        still = price + [(on, float(each[d] * watts)) for d, watts, on in m.idling()]
        paid, base = _drawn(m, "cost")
        base += fixed
        moving = _moving(m, "cost")
        _cap(m, limits.budget_per_s, (price + paid, base), (still, base), moving)


def _cap(
    m: PlacementModel,
    cap: float,
    whole: tuple[Terms, float],
    still: tuple[Terms, float],
    moving: Terms,
) -> None:
    if m.time is None:
        m.limit(whole[0], cap - whole[1])
        return
    size = cap or 1.0
    if still[1] > cap * (1 + 2 * LIMIT_TOLERANCE):
        # What stands still whatever runs takes more than the cap, and T is more than 0.
        m.model.add_bool_or([])
        return
    parts = _cap_parts([size, still[1], *(c for _, c in still[0])])
    taken: Any = m.parts(
        moving,
        size,
        parts * m.second,
        m.beyond(),
    )
    for on, amount in still[0]:
        part = math.floor(_exact(amount) / _exact(size) * parts)
        if part > parts:
            m.model.add(on == 0)
        elif part:
            taken = taken + part * _time_while(m, on)
    room = math.ceil((1 - _exact(still[1]) / _exact(size)) * parts) if cap else 0
    m.model.add(taken <= room * m.time)


def _time_while(m: PlacementModel, on: Any) -> Any:
    """Return a variable that is T while a unit is on, 0 while it is off.

    (A product of T and headroom says the same, but CP-SAT 9.15 was seen to call such models
    infeasible that are not.)
    """
    if on.index not in m.times:
        time = m.model.new_int_var(0, m.most, f"T_{on}")
        m.model.add(time >= m.time).only_enforce_if(on)
        m.times[on.index] = time
    return m.times[on.index]


def _moving(m: PlacementModel, name: str) -> Terms:
    """Power above idle, or what it costs or emits, each joule at its site."""
    if name in m.prices:
        return m.totals.paid.get(name, [])
    factor = float(joule_prices(m.instance, name)[0])
    return [(v, c * factor) for v, c in m.totals.energy]


def _drawn(m: PlacementModel, name: str) -> tuple[Terms, float]:
    """Power, or what it costs or emits: terms, and what is drawn whatever runs."""
    price = joule_prices(m.instance, name)
    idle = m.instance.devices.idle_power_w * price
    terms = [(on, float(watts * price[d])) for d, watts, on in m.idling() if watts * price[d] > 0]
    devices = m.instance.devices
    # Units beyond those that tasks could use are on only where they are never off.
    fixed = sum(
        float(idle[d]) * max(0, int(devices.count_min[d]) - m.counted_units(d))
        for d in range(len(idle))
        if not devices.off_when_unused[d]
    )
    fixed += sum(watts * float(price[d]) for d, watts in m.boards.always_w())
    return terms + _moving(m, name), fixed


def _price(m: PlacementModel) -> tuple[Terms, float]:
    """Units had are those on and their spares, and at least the minimum; boards alike."""
    devices = m.instance.devices
    terms: Terms = []
    fixed = 0.0
    for d in range(len(devices)):
        price, least = float(devices.price_per_s[d]), int(devices.count_min[d])
        fixed += price * least
        terms += [(m.had[d, u], price) for u in range(least, m.counted_units(d)) if price > 0]
    more, always = m.boards.price()
    return terms + more, fixed + always


def _accuracy(m: PlacementModel) -> Counted:
    """Count the accuracy per job, the least of its tasks', rounded up as it is maximised."""
    instance = m.instance
    ptr, tasks = instance.job_tasks
    rated: list[tuple[Any, float]] = []
    for j in range(len(instance.jobs)):
        stated: dict[int, list[tuple[Any, float]]] = {}
        for t in tasks[ptr[j] : ptr[j + 1]].tolist():
            for (task, o, _), x in m.x.items():
                if task == t and not np.isnan(instance.options.accuracy[o]):
                    stated.setdefault(t, []).append((x, float(instance.options.accuracy[o])))
        if stated:
            least = m.model.new_int_var(0, ACCURACY_GRID, f"accuracy_{j}")
            for choices in stated.values():
                parts = [x * math.ceil(a * ACCURACY_GRID) for x, a in choices]
                m.model.add(least <= sum(parts))
            rated.append((least, float(instance.jobs.weight[j])))
    weight = sum(w for _, w in rated)
    if weight <= 0:
        return Counted(0, 1.0, 0.0)
    parts = [least * math.ceil(w / weight * ACCURACY_GRID) for least, w in rated]
    return Counted(sum(parts), 1.0 / ACCURACY_GRID**2, 0.0)


def _cap_parts(amounts: list[float]) -> int:
    """Return a number of parts of the first amount that makes all amounts whole, where one does.

    Otherwise ``CAP_GRID``, which rounds.
    """
    exact = [_exact(a) for a in amounts]
    denominator = math.lcm(*(f.denominator for f in exact))
    step = math.gcd(*(int(f * denominator) for f in exact))
    parts = int(exact[0] * denominator) // step if step else 1
    return parts if parts <= CAP_GRID else CAP_GRID


def _exact(amount: float) -> Fraction:
    return Fraction(repr(float(amount)))
