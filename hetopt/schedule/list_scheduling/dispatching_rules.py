"""The named list schedulers as settings of the parametric one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hetopt.instance import Floats
from hetopt.schedule.list_scheduling import priorities as p
from hetopt.schedule.list_scheduling.packed_scheduler import Choice, Rule, Setting
from hetopt.schedule.model.packed import PackedProblem


class DispatchingRule(NamedTuple):
    """A list scheduler by name: a line about it, and its setting for packed columns."""

    name: str
    about: str
    setting: Callable[[PackedProblem], Setting]


def attempts(columns: PackedProblem, name: str) -> Iterator[Setting]:
    """Yield the named setting, then it with other priorities, for where a deadline is missed.

    Those are least slack (latest end by the deadline less duration), and the earliest due date
    where tardiness counts.
    """
    setting = DISPATCHING_RULES[name].setting(columns)
    yield setting
    length = p.typical_times(columns)
    if len(np.unique(columns.deadline)) > 1:
        latest = p.latest_ends(columns, length)
        top = float(np.max(latest, where=np.isfinite(latest), initial=0.0))
        yield replace(setting, priority=length - np.where(np.isfinite(latest), latest, top))
    if "tardiness" in columns.instance.objective:
        yield replace(setting, priority=-columns.instance.jobs.due_s[columns.instance.tasks.job])


def heft(columns: PackedProblem) -> Setting:
    """Decreasing upward rank at mean times, earliest finish, with insertion."""
    return Setting(p.upward_ranks(columns, p.typical_times(columns)))


def cpop(columns: PackedProblem) -> Setting:
    """Upward plus downward rank; one critical path on the device that runs it fastest."""
    length = p.typical_times(columns)
    path = p.critical_path(columns, length)
    time = p.fastest(columns)[columns.member[path]] * columns.factor[path][:, None]
    # A device that cannot run a task leaves it free; the fewer of those the better.
    cannot = np.isinf(time)
    total = np.where(cannot, 0.0, time).sum(axis=0)
    device = np.lexsort((total, cannot.sum(axis=0)))[0]
    only = np.full(len(columns.member), -1, dtype=np.int64)
    only[path[~cannot[:, device]]] = device
    rank = p.upward_ranks(columns, length) + p.downward_ranks(columns, length)
    return Setting(rank, only=only)


def peft(columns: PackedProblem) -> Setting:
    """Mean optimistic cost, earliest finish plus optimistic cost."""
    table = p.optimistic_costs(columns)
    return Setting(p.mean_over_units(columns, table), choice="eft-plus", table=table)


def lookahead(columns: PackedProblem) -> Setting:
    """Decreasing upward rank, least end of the last child placed next."""
    return replace(heft(columns), choice="lookahead")


def _ruled(rule: Rule) -> Callable[[PackedProblem], Setting]:
    def made(columns: PackedProblem) -> Setting:
        return replace(heft(columns), rule=rule, window=0, insertion=False)

    return made


def _arriving(choice: Choice) -> Callable[[PackedProblem], Setting]:
    def made(columns: PackedProblem) -> Setting:
        return Setting(arrival(columns), choice=choice, insertion=False)

    return made


def arrival(columns: PackedProblem) -> Floats:
    """Priorities in topological order (T): tasks arrive when all that they wait for have."""
    order = columns.instance.topological_order
    found = np.empty(len(order))
    found[order] = -np.arange(len(order), dtype=np.float64)
    return found


DISPATCHING_RULES = {
    rule.name: rule
    for rule in (
        DispatchingRule("heft", "decreasing upward rank, earliest finish, with insertion", heft),
        DispatchingRule("cpop", "upward plus downward rank, the critical path on one device", cpop),
        DispatchingRule("peft", "earliest finish plus an optimistic cost table", peft),
        DispatchingRule("lookahead", "the place after which the children end earliest", lookahead),
        DispatchingRule(
            "min-min", "of all ready tasks the one that can end first", _ruled("least")
        ),
        DispatchingRule(
            "max-min", "of all ready tasks the one that ends last at its best", _ruled("greatest")
        ),
        DispatchingRule(
            "sufferage",
            "of all ready tasks the one that its second best place delays",
            _ruled("sufferage"),
        ),
        DispatchingRule("mct", "in order of arrival, earliest completion", _arriving("eft")),
        DispatchingRule("olb", "in order of arrival, next free unit", _arriving("next-free")),
    )
}
"""By the name that ``--method`` takes, in the order in which they are listed."""
