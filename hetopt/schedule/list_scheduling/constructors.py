"""List schedulers: functions from an instance to a plan that respects every limit, or None.

- ``heft`` and ``cpop``: Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002
- ``peft``: Arabnejad, Barbosa, IEEE TPDS 25(3), 2014
- ``lookahead``: Bittencourt, Sakellariou, Madeira, PDP 2010
- ``min-min``, ``max-min``, ``sufferage``: Maheswaran et al., JPDC 59(2), 1999
- ``mct``, ``olb``: Braun et al., JPDC 61(6), 2001

:mod:`hetopt.schedule.list_scheduling.dispatching_rules` says what each does,
:mod:`hetopt.schedule.list_scheduling.portfolio` has those that follow costs.

Where the instance can be packed (:mod:`hetopt.schedule.model.packed`) they run compiled, else on a
timetable, and compiled as if there were no limits that tie units together, or on fewer options
(:mod:`hetopt.schedule.list_scheduling.packed_under_limits`). Of resources that slow what runs they
know that nothing need be slowed: their plans are of the instance in which those forbid.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Protocol

from hetopt.instance import Instance, is_maximised
from hetopt.schedule.list_scheduling import timetable_scheduler
from hetopt.schedule.list_scheduling.dispatching_rules import DISPATCHING_RULES, attempts
from hetopt.schedule.list_scheduling.limited import decoder
from hetopt.schedule.list_scheduling.packed_under_limits import Search, cautious
from hetopt.schedule.model.packed import PackedProblem, pack, packed
from hetopt.schedule.model.problem import plan_problem
from hetopt.schedule.model.without_slowdown import strict
from hetopt.solution import SchedulePlan

__all__ = ["CONSTRUCTORS", "Constructor", "energy_greedy", "heft", "plan_problem"]

SUPPORTED = (
    *decoder.SUPPORTED,
    *("staged tensors", "paths that depend on the size of a message", "boards"),
    "set-ups that draw power under a cap",
)
"""Features that list schedulers know; what they make of others is a plan where it is verified."""
CAUTIOUS_FROM = 2_000
"""Tasks from which compiled schedulers on fewer options may use all of the time."""
COMPILED_SHARE = 0.4
"""Part of the time for them below."""
SURE = "heft"
"""The list scheduler that makes its first schedule even when time is over, where it is compiled."""
PLACED_PER_S, HOPED_PER_S = 500, 2_000
"""Tasks that a timetable places in a second; and at the most, where it is the only hope."""


class Constructor(Protocol):
    """A heuristic: from an instance (and a time at which to give up) to a plan or None."""

    def __call__(self, instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
        """Return a plan that respects every limit, or None."""


def heft(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the plan of HEFT under all limits, or None where it runs into one.

    Where deadlines are missed in the order of upward ranks, the order of least slack (deadline
    less rank) is tried too. ``limit`` is a ``time.monotonic()`` value at which to give up.
    """
    return _named("heft", instance, limit=limit)


def energy_greedy(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the cheapest plan (by the first objective) of several greedy passes, or None."""
    from hetopt.schedule.list_scheduling.portfolio import cheapest

    instance = strict(instance)
    columns = packed(instance)
    if columns is None:
        return _careful(instance, cheapest, timetable_scheduler.energy_greedy, limit)
    return cheapest(columns, limit)


def portfolio(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the best plan of all list schedulers by the first objective, or None."""
    from hetopt.schedule.list_scheduling.portfolio import best_of

    instance = strict(instance)
    columns = packed(instance)
    if columns is not None:
        return best_of(columns, limit)
    plan = _careful(instance, best_of, timetable_scheduler.energy_greedy, limit)
    if plan is not None:
        return plan
    from hetopt.schedule.list_scheduling.one_unit import on_one_unit

    return on_one_unit(instance, limit=limit)


def _careful(
    instance: Instance, search: Search, otherwise: Constructor, limit: float | None
) -> SchedulePlan | None:
    """Return a plan of an instance that cannot be packed: compiled if that works, or a timetable's.

    A timetable that is not likely to be filled in the time left is not begun.
    """
    count = len(instance.tasks)
    share = None
    if limit is not None:
        now = time.monotonic()
        share = limit if count > CAUTIOUS_FROM else now + COMPILED_SHARE * (limit - now)
    plan = cautious(instance, search, limit=share)
    left = math.inf if limit is None else limit - time.monotonic()
    hopeful = PLACED_PER_S if plan is not None else HOPED_PER_S
    if (plan is not None and count > CAUTIOUS_FROM and limit is None) or count > hopeful * left:
        return plan
    other = otherwise(instance, limit=limit)
    return other if plan is None else _better(instance, plan, other)


def _better(instance: Instance, plan: SchedulePlan, other: SchedulePlan | None) -> SchedulePlan:
    """Return the better of two plans by the first objective."""
    from hetopt.evaluate import objective_value

    name = instance.objective[0]
    sign = -1.0 if is_maximised(name) else 1.0
    if other is None or sign * objective_value(instance, other, name) >= sign * objective_value(
        instance, plan, name
    ):
        return plan
    return other


def _named(name: str, instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the plan of a named list scheduler, or None where it runs into a limit."""
    instance = strict(instance)
    columns = packed(instance)
    if columns is not None:
        return _listed(name, columns, limit, surely=name == SURE)
    return _careful(instance, partial(_listed, name), partial(_on_timetable, name), limit)


def _listed(
    name: str, columns: PackedProblem, limit: float | None, *, surely: bool = False
) -> SchedulePlan | None:
    """Return the plan of a named list scheduler under the limits that columns know, or None.

    ``surely`` makes one schedule whatever the time is: it takes seconds for a million tasks, and a
    plan that is late is better than none.
    """
    from hetopt.schedule.list_scheduling.packed_scheduler import place, plan_of

    for setting in attempts(columns, name):
        if not surely and limit is not None and time.monotonic() >= limit:
            return None
        surely = False
        placement = place(columns, setting, limit=limit)
        if placement is not None:
            return plan_of(columns, placement)
    return None


def _on_timetable(
    name: str, instance: Instance, *, limit: float | None = None
) -> SchedulePlan | None:
    """Return the plan of a named list scheduler under every limit, or None."""
    if name == "heft":
        return timetable_scheduler.heft(instance, limit=limit)
    setting = DISPATCHING_RULES[name].setting(pack(instance))
    return timetable_scheduler.by_setting(instance, setting, limit=limit)


def _price_guided(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the cheapest plan of passes at the load bound's prices, or None."""
    from hetopt.schedule.list_scheduling.price_guided import price_guided

    instance = strict(instance)
    columns = packed(instance)
    if columns is None:
        return _careful(instance, price_guided, timetable_scheduler.energy_greedy, limit)
    return price_guided(columns, limit)


GREEDY: dict[str, tuple[str, Constructor]] = {
    "energy-greedy": ("cheapest option that still meets the deadline", energy_greedy),
    "price-guided": ("the same at the load bound's prices on device time only", _price_guided),
    "portfolio": ("the best of all list schedulers, and placements on one device", portfolio),
}
"""Heuristics that are no dispatching rules, by name: a line about each."""

CONSTRUCTORS: dict[str, Constructor] = {
    **{name: partial(_named, name) for name in DISPATCHING_RULES},
    **{name: constructor for name, (_, constructor) in GREEDY.items()},
}
"""Heuristics by the name that ``--method`` takes."""
