"""The methods of ``solve`` by name: for which regime each is, and what it does, in a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    Method("heft", SCHEDULES, "decreasing upward rank, earliest finish, with insertion"),
    Method("cpop", SCHEDULES, "upward plus downward rank, the critical path on one device"),
    Method("peft", SCHEDULES, "earliest finish plus an optimistic cost table"),
    Method("lookahead", SCHEDULES, "the place after which the children end earliest"),
    Method("min-min", SCHEDULES, "of all ready tasks the one that can end first"),
    Method("max-min", SCHEDULES, "of all ready tasks the one that ends last at its best"),
    Method("sufferage", SCHEDULES, "of all ready tasks the one that its second best place delays"),
    Method("mct", SCHEDULES, "in order of arrival, earliest completion"),
    Method("olb", SCHEDULES, "in order of arrival, next free unit"),
    Method("energy-greedy", SCHEDULES, "cheapest option that still meets the deadline"),
    Method("price-guided", SCHEDULES, "the same at the load bound's prices on device time only"),
    Method("portfolio", SCHEDULES, "the best of all list schedulers, and placements on one device"),
    Method("graph", SCHEDULES, "makespan with messages: annealing by best insertion"),
    Method("assignment", SCHEDULES, "independent tasks: annealing between knapsack bounds"),
    Method("shop", SCHEDULES, "makespan with free messages: tabu search on critical paths"),
    Method("projects", SCHEDULES, "makespan with resources: annealing over lists and modes"),
    Method("anneal", SCHEDULES, "annealing over a compiled list decoder"),
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
