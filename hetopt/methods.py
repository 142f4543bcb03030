"""The methods of ``solve`` by name: for which regime each is, and what it does, in a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hetopt.schedule.list_scheduling.constructors import GREEDY
from hetopt.schedule.list_scheduling.dispatching_rules import DISPATCHING_RULES
from hetopt.schedule.search.registry import LOCAL_SEARCHES

Kind = Literal["schedule", "split", "single"]
"""What a method solves: schedules, or streams by their routing."""

SCHEDULES: tuple[Kind, ...] = ("schedule",)
STREAMS: tuple[Kind, ...] = ("split", "single")
ALL: tuple[Kind, ...] = (*SCHEDULES, *STREAMS)


@dataclass(frozen=True, slots=True)
class Method:
    """A method by the name that ``--method`` takes, with a line about it."""

    name: str
    kinds: tuple[Kind, ...]
    about: str


METHODS = (
    Method("auto", ALL, "choose by size, structure, objective and limit, and say why"),
    Method("cpsat", (*SCHEDULES, "single"), "heuristics, then CP-SAT from their plan"),
    Method("lns", SCHEDULES, "heuristics, then CP-SAT repairs parts of their plan"),
    Method("mip", ("split",), "the relaxation, then the integer program over routes"),
    Method("heuristic", ALL, "no exact solver: list schedulers and search, or rounding"),
    *(Method(rule.name, SCHEDULES, rule.about) for rule in DISPATCHING_RULES.values()),
    *(Method(name, SCHEDULES, about) for name, (about, _) in GREEDY.items()),
    *(Method(search.name, SCHEDULES, search.about) for search in LOCAL_SEARCHES if search.about),
)
"""In the order in which they are listed."""

METHOD_NAMES = tuple(method.name for method in METHODS)


def methods_for(kind: Kind) -> tuple[str, ...]:
    """Return the names of the methods that solve this kind of instance."""
    return tuple(method.name for method in METHODS if kind in method.kinds)


def describe() -> str:
    """Return the list of methods, a line each."""
    wide = max(map(len, METHOD_NAMES))
    regimes = {SCHEDULES: "schedule", STREAMS: "steady", ALL: "any", ("split",): "steady"}
    lines = []
    for method in METHODS:
        regime = regimes.get(method.kinds, "schedule, steady single")
        lines.append(f"{method.name:<{wide}}  {method.about} [{regime}]")
    return "\n".join(lines)
