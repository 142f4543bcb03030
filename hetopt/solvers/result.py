"""What a solve of a mixed-integer program gives back: checked values and safe bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.solvers.mip_arrays import Floats, MipArrays

Progress = Callable[[float | None, float | None], None]
"""Called with incumbent and (raw) bound, in the caller's sense, when one of them improves."""
BROKEN = 1e-6
"""Relative violation of a program's rows from which a point is none of its points.

It is coarse because callers repair and check their plans; it only keeps nonsense out.
"""
# The safe bound is weakened by a hair less than the gap that counts as 0, so that a plan whose
# objective is recomputed to LIMIT_TOLERANCE still counts as optimal.
_WEAKENING = GAP_TOLERANCE - 2 * LIMIT_TOLERANCE


@dataclass(frozen=True)
class MipResult:
    """What a solve found.

    Attributes
    ----------
    values
        Value of each variable by name, integers rounded; None if no feasible ones were found.
    objective
        Objective at `values`, recomputed.
    bound
        A bound on every solution's objective (below a minimum, above a maximum), weakened by
        1e-6 relative; None if nothing is known.
    proven_infeasible, proven_unbounded
        Whether the solver proved it.
    ended
        Whether HiGHS says that nothing is better than the bound.
    proofs
        How often it was proved that nothing is better than the bound, where that is the word of a
        search tree (`hetopt.solvers.second_look`); else 0.
    timed_out, interrupted
        Whether the time limit or `stop` ended the search before its proof.
    wall_time_s
        Time of the whole call.
    solver
        Name of the solver.
    message
        What went wrong in the solver, a full sentence; empty if nothing did.
    history
        (seconds, objective, bound) at each improvement, None where not yet known.
    """

    values: dict[str, float] | None = None
    objective: float | None = None
    bound: float | None = None
    proven_infeasible: bool = False
    proven_unbounded: bool = False
    ended: bool = False
    proofs: int = 0
    timed_out: bool = False
    interrupted: bool = False
    wall_time_s: float = 0.0
    solver: str = "highs"
    message: str = ""
    history: tuple[tuple[float, float | None, float | None], ...] = ()


def safe_bound(arrays: MipArrays, raw: float | None, error: float = 0.0) -> float | None:
    """Return a solver's bound weakened by 1e-6, in the caller's sense.

    Parameters
    ----------
    arrays
        The problem.
    raw
        The solver's lower bound on cost · x + offset (minimised); None or infinite: none known.
    error
        An absolute error of the solver, which counts where it is more than the relative weakening:
        that is there for the solver's errors already. (Costs that are huge beside the optimum make
        it as large as 2e-8 of the optimum; on top, it would keep open a gap that is proven.)
    """
    lower = arrays.trivial_bound()
    if raw is not None and math.isfinite(raw):
        lower = max(lower, raw - max(_WEAKENING * abs(raw), error))
    return arrays.sign * lower if math.isfinite(lower) else None


def found(arrays: MipArrays, x: Floats | None, **known: Any) -> MipResult:
    """Return a result with the values of x, if x holds in the problem once it is rounded."""
    checked = _checked(arrays, x)
    if checked is None:
        return MipResult(**known)
    values = dict(zip(arrays.names, checked.tolist(), strict=True))
    return MipResult(values=values, objective=arrays.objective(checked), **known)


def _checked(arrays: MipArrays, x: Floats | None) -> Floats | None:
    if x is None or not np.isfinite(x).all():
        return None
    x = arrays.rounded(x)
    return x if arrays.violation(x) <= BROKEN else None
