"""What a run asks of a solver, and what it gets: the contract of hetopt and of its peers here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hetopt.solution import Plan

History = list[tuple[float, float, float]]
"""(seconds since the solver got the instance, objective, bound); NaN where unknown."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a run, the same for every solver."""

    time_limit_s: float
    workers: int
    seed: int


@dataclass(slots=True)
class Answer:
    """A solver's answer, in hetopt's own objective.

    Attributes
    ----------
    plan
        A plan of hetopt's, whoever found it; the runner has it checked.
    bound
        Bound that the solver claims, NaN where none.
    claimed
        Objective that the solver claims for the plan, NaN where it claims none.
    build_s
        Time for building the model, apart from solving, NaN where not known.
    wall_s
        Time that the solver took, NaN: as long as the call. For peers that start a process first.
    """

    plan: Plan | None = None
    bound: float = math.nan
    claimed: float = math.nan
    status: str = "unknown"
    termination: str = ""
    method: str = ""
    build_s: float = math.nan
    wall_s: float = math.nan
    history: History = field(default_factory=list)
    note: str = ""


class UnsupportedError(Exception):
    """The solver cannot express this case; the message says what it lacks."""
