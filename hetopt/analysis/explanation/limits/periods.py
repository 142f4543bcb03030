"""What ties periods as limits: caps of their own, the least time on, the most changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hetopt.analysis.explanation.limits.limit import Amount, Limit, cell, numbered
from hetopt.evaluate.periods import PeriodQuantities
from hetopt.instance import Instance
from hetopt.instance.tables import NO_MOST
from hetopt.solution import Plan, ScenarioPlan
from hetopt.steady.program.joint.period_model import began_within


def ties(instance: Instance) -> list[Limit]:
    """List what limits periods beside what limits any streams."""
    periods = instance.periods
    if not len(periods):
        return []
    found = [_cap(instance, s) for s in np.flatnonzero(np.isfinite(periods.power_cap_w)).tolist()]
    if periods.min_up_s > 0:
        amount = Amount(periods.min_up_s, "time", _changed("min_up_s", float), time_on_s, sign=-1.0)
        found.append(numbered("min_up", "", "the least time on", amount, 0.0))
    if periods.max_changes != NO_MOST:
        amount = Amount(
            float(periods.max_changes),
            "count",
            _changed("max_changes", lambda v: int(v) if math.isfinite(v) else NO_MOST),
            lambda i, p: float(_quantities(i, p).changes.max()),
        )
        found.append(
            numbered("max_changes", "", "the most changes as a period begins", amount, np.inf)
        )
    return found


def drawn_w(instance: Instance, plan: Plan) -> float:
    """Return the most power in a period that has no cap of its own, 0 where each has."""
    shared = np.isnan(instance.periods.power_cap_w)
    return float(_quantities(instance, plan).period_power_w[shared].max(initial=0.0))


def time_on_s(instance: Instance, plan: Plan) -> float:
    """Return the longest time that all units stay on for; all of it where none ever goes on."""
    quantities, periods = _quantities(instance, plan), instance.periods
    lasts = quantities.duration_s
    whole = float(lasts.sum())
    for least in _times(lasts, periods.cyclic, whole):
        for s in range(len(lasts)):
            began = began_within(lasts, periods.cyclic, least * (1 + 1e-6), s)
            recent = sum(often * quantities.starts[q] for q, often in began.items())
            if np.any(recent > quantities.units_on[s]):
                return least
    return whole


def _times(lasts: np.ndarray, cyclic: bool, most: float) -> Iterator[float]:
    """Yield the times between begins of periods below a time, ascending: what counts changes."""
    found = {0.0}
    for s in range(len(lasts)):
        ago, at = 0.0, s
        while ago < most and (cyclic or at > 0):
            at = at - 1 if at else len(lasts) - 1
            ago += float(lasts[at])
            found.add(ago)
    yield from sorted(t for t in found if t < most)


def _cap(instance: Instance, period: int) -> Limit:
    name = str(instance.scenarios.name[period])
    amount = Amount(
        float(instance.periods.power_cap_w[period]),
        "power",
        cell("periods", period, "power_cap_w"),
        lambda i, p: float(_quantities(i, p).period_power_w[period]),
    )
    return numbered("power_cap", name, f"the power cap of period {name}", amount, np.inf)


def _changed(field: str, made: Callable[[float], Any]) -> Callable[[Instance, float], Instance]:
    def at(i: Instance, value: float) -> Instance:
        changes: dict[str, Any] = {field: made(value)}
        return replace(i, periods=replace(i.periods, **changes))

    return at


def _quantities(instance: Instance, plan: Plan) -> PeriodQuantities:
    if not isinstance(plan, ScenarioPlan):
        raise TypeError("A plan of periods is expected.")
    return PeriodQuantities(instance, plan)
