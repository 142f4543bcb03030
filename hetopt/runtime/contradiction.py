"""Bounds beyond a plan that the checker accepted: rounding is brought back, a mistake is dropped.

The plan stands in either case, as the checker computes it from the instance alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import is_maximised
from hetopt.runtime.budget import RegimeResult
from hetopt.solution import CONTRADICTED, Plan


def is_beyond(name: str, value: float, bound: float, noise: float) -> bool:
    """Whether a bound is beyond a plan's value by more than the tolerance and the rounding."""
    beyond = value - bound if is_maximised(name) else bound - value
    return bool(beyond > max(GAP_TOLERANCE * abs(value), noise))


def contradiction(
    result: RegimeResult, names: Sequence[str], beyond: Sequence[bool], start: Plan | None
) -> str:
    """Return what to say of a proof that a checked plan contradicts; the proof is dropped.

    A start may use the tolerance of every limit, which proofs need not allow for; any other plan
    shows a mistake in a bound. The plan stands, as the checker computes it from nothing else.
    """
    if start is not None:
        return (
            "The start uses the tolerance of limits, without which no plan is as good: what was "
            "proven of plans without it is left out."
        )
    wrong = [name for name, is_wrong in zip(names, beyond, strict=True) if is_wrong]
    what = f"A bound of {', '.join(wrong)}"
    if result.infeasible:
        what = "A proof that there is no plan"
    return (
        f"{what} {CONTRADICTED} and was dropped: the plan holds, nothing is proven of it. This is "
        "a mistake in hetopt or in a solver that it calls; please report it with the instance, the "
        "command and this version."
    )


def tidy_bound(name: str, value: float, bound: float) -> float:
    """Bring a bound that passes the plan's value by rounding back to it.

    A valid bound beyond a plan's value by no more than the tolerance says that the plan is
    optimal; the nearer of the two is then a valid bound as well.
    """
    beyond = value - bound if is_maximised(name) else bound - value
    return float(bound) if np.isnan(bound) or beyond <= 0 else value
