"""The least change of one limit's number that makes an instance feasible, with a proof.

Where an objective says it (makespan, tardiness, peak power, power, cost), one optimisation without
the limit finds plan and bound together. Otherwise the values are searched: each question either
finds a plan, whose own use of the limit is the new upper end, or proves that a value is too tight.
As needs are mostly sums of a few sizes, a value just tighter than the best plan's use is tried
before the middle of the bracket.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from hetopt.analysis.explanation.limits.limit import Amount, Limit
from hetopt.analysis.explanation.questions import Questions
from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.solution import Plan

MOST_STEPS = 40
"""Questions of one search: enough to halve a bracket down to the tolerance of gaps."""
DIGITS = 9
"""Significant digits that a needed value is stated with, rounded to the safe side."""
ASKED_DIGITS = 8
"""Significant digits of the values that are asked about."""
NOISE = 1e-12
"""Relative rounding of a use that is computed in floats."""


@dataclass(frozen=True, slots=True)
class Least:
    """The least value of a limit that suffices.

    Attributes
    ----------
    value
        A value that suffices: ``plan`` meets it. Rounded to the safe side.
    bound
        No value tighter than this suffices (proven), the present value where nothing is known.
    exact
        Whether ``value`` is proven least, up to the tolerance of gaps and the rounding.
    plan
        A plan that meets the limit at ``value``.
    """

    value: float
    bound: float
    exact: bool
    plan: Plan


def least_value(questions: Questions, instance: Instance, limit: Limit) -> Least | None:
    """Find the least value of a limit with which an instance has a plan.

    Parameters
    ----------
    instance
        With all other limits as they shall be; what it says of this one does not matter.

    Returns
    -------
    Least or None
        None where no plan was found with the limit lifted either.
    """
    amount = limit.amount
    if amount is None:
        return None
    low = amount.value
    found = _optimised(questions, instance, amount, low)
    if found is not None or questions.over():
        return found
    answer = questions.feasible(limit.lift(instance))
    if answer.plan is None:
        return None

    def find(value: float) -> tuple[Plan | None, bool]:
        answer = questions.feasible(amount.at(instance, value))
        return answer.plan, answer.no

    return searched(instance, amount, low, answer.plan, find)


def searched(
    instance: Instance,
    amount: Amount,
    low: float,
    plan: Plan,
    find: Callable[[float], tuple[Plan | None, bool]],
    most_steps: int = MOST_STEPS,
) -> Least:
    """Narrow the bracket between a value proven too tight and a plan's use of the limit.

    Parameters
    ----------
    find
        Given a value, a plan that meets it or None, and whether it is proven that none does.
    """
    sign = amount.sign
    use = _stated(amount, amount.use(instance, plan))
    just_below = True
    for _ in range(most_steps):
        if sign * (use - low) <= _step(amount, use):
            return Least(use, low, True, plan)
        value = use - sign * _step(amount, use) if just_below else (low + use) / 2
        value = _asked(amount, value)
        if sign * (value - low) <= 0:
            return Least(use, low, True, plan)
        found, refuted = find(value)
        if found is not None:
            plan, use = found, _stated(amount, amount.use(instance, found))
            use = min(use, value, key=lambda v: sign * v)
            just_below = not just_below
        elif refuted:
            if just_below:
                return Least(use, value, True, plan)
            low, just_below = value, True
        elif just_below:
            # Close to the optimum proofs are hardest; further away there may still be one.
            just_below = False
            if not sign * (use - low) > 2 * _step(amount, use):
                break
        else:
            break
    return Least(use, low, False, plan)


def _optimised(
    questions: Questions, instance: Instance, amount: Amount, low: float
) -> Least | None:
    if amount.asks is None:
        return None
    solution = questions.solve(
        amount.asks(instance), replace(questions.options, gap=0.0), share=0.5
    )
    if solution is None or solution.plan is None:
        return None
    value = _stated(amount, amount.from_objective(solution.objective))
    bound = amount.from_objective(solution.bound)
    bound = low if math.isnan(bound) else max(bound, low, key=lambda v: amount.sign * v)
    return Least(value, bound, solution.status == "optimal", solution.plan)


def _step(amount: Amount, value: float) -> float:
    """Return what a value must differ by to be another: limits have a tolerance, too."""
    least = max(GAP_TOLERANCE * abs(value), 2 * LIMIT_TOLERANCE * abs(amount.value))
    return 1.0 if amount.whole else least


def _asked(amount: Amount, value: float) -> float:
    """Round a value to ask about to few digits, to the tighter side: solvers count in a grid."""
    if amount.whole or amount.dimension == "bytes":
        return amount.sign * math.floor(amount.sign * value)
    if value == 0:
        return value
    scale = 10.0 ** (ASKED_DIGITS - 1 - math.floor(math.log10(abs(value))))
    tighter = amount.sign * math.floor(amount.sign * value * scale) / scale
    return float(f"{tighter:.{ASKED_DIGITS}g}")


def _stated(amount: Amount, value: float) -> float:
    """Round to the safe side, to digits that people read; rounding noise stays unseen."""
    if amount.whole or value == 0 or not math.isfinite(value):
        return value
    scale = 10.0 ** (DIGITS - 1 - math.floor(math.log10(abs(value))))
    if amount.dimension == "bytes":
        scale = max(scale, 1.0)
    scaled = value * scale
    near = round(scaled)
    if abs(scaled - near) > NOISE * abs(scaled):
        near = math.ceil(scaled) if amount.sign > 0 else math.floor(scaled)
    return float(f"{near / scale:.{DIGITS}g}")
