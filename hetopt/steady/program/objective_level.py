"""What is known of one objective of a list while it is solved.

What every search for streams says when it cannot answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.evaluate.with_units import STATED_DIGITS, money, shown
from hetopt.instance import Instance, is_maximised
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.solution import Proof, StreamPlan
from hetopt.solvers.relaxation import Relaxed
from hetopt.solvers.result import MipResult

RELAXED, ROUNDED = "relaxation", "heuristic"
"""What found a point: the linear program alone, or rounding from it."""


@dataclass(slots=True)
class Level:
    """Best point and proven bound of one objective.

    Attributes
    ----------
    scale
        What the objective in SI units is multiplied by in the program.
    bound
        In SI units, NaN where none is known.
    proof
        How often ``infeasible``, or the bound, was proved, where that is a MIP solver's word; else
        None.
    found_by
        What found the best point.
    """

    name: str
    scale: float = 1.0
    best: Relaxed | None = None
    bound: float = np.nan
    infeasible: bool = False
    proof: Proof | None = None
    found_by: str = ""

    def tighten(self, bound: float | None) -> None:
        """Take over a bound (SI) where it is nearer."""
        if bound is None or np.isnan(bound):
            return
        if np.isnan(self.bound):
            self.bound = bound
        else:
            self.bound = (min if is_maximised(self.name) else max)(self.bound, bound)

    def conclude(self, result: MipResult, *, whole: bool = True) -> None:
        """Take over what a MIP solver proved; not where its program lacks routes (``whole``)."""
        if not whole or result.bound is None:
            return
        before = self.bound
        self.tighten(result.bound / self.scale)
        if result.proofs and self.bound != before:
            self.proof = "twice" if result.proofs > 1 else "once"

    def improve(self, found: Relaxed | None, by: str) -> None:
        """Take over a point where it is better, and what found it."""
        if found is None or found.outcome != "optimal":
            return
        if self.best is None or found.objective < self.best.objective:
            self.best, self.found_by = found, by

    def value(self) -> float:
        """Objective (SI) of the best point, NaN where there is none."""
        return np.nan if self.best is None else self.best.objective / self.scale


NODES_PER_S = 20.0
"""Nodes of a MIP solver's search tree that stand for a deterministic second."""
RUNAWAY, RUNAWAY_S = 20.0, 60.0
"""Multiple of a deterministic limit, and seconds beyond, at which the clock ends a MIP after
all."""
P = TypeVar("P", bound=StreamPlan)


def better_plan(instance: Instance, plan: P | None, start: P | None) -> P | None:
    """Return the better of a plan and the start; of several objectives, the plan where it is."""
    if start is None or plan is None or len(instance.objective) > 1:
        return start if plan is None else plan
    name = instance.objective[0]
    ours, theirs = (objective_value(instance, known, name) for known in (plan, start))
    worse = ours < theirs if is_maximised(name) else ours > theirs
    return start if worse else plan


def seconds_left(budget: Budget) -> float:
    """Return the time left; where the clock does not count there is no end to it."""
    return math.inf if budget.deterministic else budget.left_s()


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a MIP solver may search.

    Attributes
    ----------
    time_limit_s
        On the clock.
    nodes
        Nodes of the search tree, None where they are not counted.
    """

    time_limit_s: float
    nodes: int | None


def effort(budget: Budget) -> Effort:
    """Return what a MIP solver may use: the time left, or as many nodes as stand for the limit.

    HiGHS counts no deterministic time, but nodes. The clock ends a deterministic search only where
    those take many times as long as they should: that it returns matters more then.
    """
    if not budget.deterministic:
        return Effort(budget.left_s(), None)
    nodes = max(1, int(budget.limit_s * NODES_PER_S))
    return Effort(RUNAWAY * budget.limit_s + RUNAWAY_S, nodes)


def unbounded(instance: Instance, name: str) -> str:
    """Say what would bound an objective."""
    return (
        f"The objective {name} is unbounded: some work takes neither time on a device of limited "
        "number nor power under a power_cap nor money under a budget; limit the `count` of the "
        f"devices, or set a power_cap (devices: {', '.join(map(str, instance.devices.name))})."
    )


def infeasible_result(instance: Instance, reason: str, proof: Proof | None = None) -> RegimeResult:
    """Return the result of an instance that is proven to have no plan."""
    return RegimeResult(
        plan=None,
        bounds=(np.nan,) * len(instance.objective),
        infeasible=True,
        reason=reason,
        stopped_by="proved",
        method="mip",
        proof=proof,
    )


def why_infeasible(instance: Instance) -> str:
    """Say what the demanded rates do not fit into."""
    limits = instance.limits
    words = ["the units there are"]
    if instance.devices.min_load.any():
        words.append("the least load of those that are on")
    if np.isfinite(limits.power_cap_w):
        cap = shown(instance, limits.power_cap_w, "power", STATED_DIGITS)
        words.append(f"the power cap of {cap}")
    if np.isfinite(limits.budget_per_s):
        words.append(f"the budget of {money(instance, limits.budget_per_s, per_time=True)}")
    if len(instance.uses):
        words.append("the capacities and budgets of the resources")
    if len(instance.links):
        words.append("the bandwidth of the links")
    if instance.periods.min_up_s or instance.periods.max_changes >= 0:
        words.append("what may change from period to period")
    what = "The demanded rates"
    if "value" in instance.objective:
        what = "The least shares (min_share) of the demanded rates"
    return f"{what} cannot be served within {' and '.join(words)}."
