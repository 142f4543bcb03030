"""List schedulers: functions from an instance to a plan that respects every limit, or None.

==================== ==============================================================================
``heft``             decreasing upward rank, earliest finish (Topcuoglu, Hariri, Wu, IEEE TPDS
                     13(3), 2002)
``cpop``             upward plus downward rank, the critical path on one device (the same)
``peft``             earliest finish plus optimistic cost table (Arabnejad, Barbosa, IEEE TPDS
                     25(3), 2014)
``lookahead``        the place after which children end earliest (Bittencourt, Sakellariou, Madeira,
                     PDP 2010)
``min-min``          of all ready tasks that which can end first; ``max-min`` last; ``sufferage``
                     the one that loses most by its second best unit (Maheswaran et al., JPDC
                     59(2), 1999)
``mct``, ``olb``     in order of arrival: earliest completion, next free unit (Braun et al., JPDC
                     61(6), 2001)
``energy-greedy``    cheapest option that ends by a latest finish; :mod:`hetopt.schedule.priced`
``price-guided``     the same at the load bound's prices on device time only
``portfolio``        the best of these and of placements on one device
==================== ==============================================================================

Where the instance is flat (:mod:`hetopt.schedule.flat`) they run compiled, else on a timetable.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Protocol

from hetopt.instance import Instance
from hetopt.schedule import timetable_list
from hetopt.schedule.flat import flat, pack
from hetopt.schedule.timetable_list import plan_problem
from hetopt.solution import SchedulePlan

__all__ = ["CONSTRUCTORS", "Constructor", "energy_greedy", "heft", "plan_problem"]


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
    columns = flat(instance)
    if columns is None:
        return timetable_list.energy_greedy(instance, limit=limit)
    from hetopt.schedule.priced import cheapest

    return cheapest(columns, limit)


def portfolio(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the best plan of all list schedulers by the first objective, or None."""
    columns = flat(instance)
    if columns is None:
        plan = timetable_list.energy_greedy(instance, limit=limit)
        if plan is not None:
            return plan
        from hetopt.schedule.one_unit import on_one_unit

        return on_one_unit(instance)
    from hetopt.schedule.priced import best_of

    return best_of(columns, limit)


def _named(name: str, instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the plan of a named list scheduler, or None where it runs into a limit."""
    from hetopt.schedule.list_schedule import place, plan_of
    from hetopt.schedule.recipes import RECIPES, attempts

    columns = flat(instance)
    if columns is None:
        if name == "heft":
            return timetable_list.heft(instance, limit=limit)
        setting = RECIPES[name](pack(instance))
        return timetable_list.by_setting(instance, setting, limit=limit)
    for setting in attempts(columns, name):
        if limit is not None and time.monotonic() >= limit:
            return None
        placement = place(columns, setting, limit=limit)
        if placement is not None:
            return plan_of(columns, placement)
    return None


def _price_guided(instance: Instance, *, limit: float | None = None) -> SchedulePlan | None:
    """Return the cheapest plan of passes at the load bound's prices, or None."""
    columns = flat(instance)
    if columns is None:
        return timetable_list.energy_greedy(instance, limit=limit)
    from hetopt.schedule.priced import price_guided

    return price_guided(columns, limit)


NAMED = ("cpop", "peft", "lookahead", "min-min", "max-min", "sufferage", "mct", "olb")
CONSTRUCTORS: dict[str, Constructor] = {
    "heft": heft,
    **{name: partial(_named, name) for name in NAMED},
    "energy-greedy": energy_greedy,
    "price-guided": _price_guided,
    "portfolio": portfolio,
}
"""Heuristics by the name that ``--method`` takes."""
