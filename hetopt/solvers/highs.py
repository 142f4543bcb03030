"""Solve a PuLP problem: HiGHS in a child process, or any solver that PuLP knows.

`solve_mip` never copies a solver's status. It returns values that hold in the problem (checked
here), a bound made safe, and what ended the search; callers derive statuses from those.

HiGHS is the one in OR-Tools (MathOpt). It runs in a child process because it cannot be interrupted
within one; the child is kept for the next solve, is replaced after it had to be stopped, and ends
with its parent. Its tolerances are far below its own defaults (`highs_worker`).

Scaling. HiGHS' tolerances are absolute and it drops matrix entries below 1e-9, so the objective
and rows of small coefficients are scaled by powers of two here, and where numbers span much the
columns too (:mod:`hetopt.solvers.scaling`).
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.solvers.mip_arrays import Floats, MipArrays
from hetopt.solvers.result import MipResult, Progress, found, safe_bound
from hetopt.solvers.scaling import for_integers

if TYPE_CHECKING:
    from hetopt.solvers.highs_process import HighsProcess

_ABOVE_KNOWN = 1e-2  # how much more than a known point the points may cost that are searched
_SOLVER_TOLERANCE = 1e-8  # see highs_worker.TREE_TOLERANCE


def solve_with_highs(
    arrays: MipArrays,
    began: float,
    deadline: float | None,
    nodes: int | None,
    gap_rel: float,
    threads: int,
    seed: int,
    known: Floats | None,
    stop: threading.Event | None,
    progress: Progress | None,
    *,
    presolve: bool = True,
) -> MipResult:
    """Solve by HiGHS in its process; see :func:`solve_mip` for the arguments."""
    from hetopt.solvers.highs_process import highs_process

    cutoff = cutoff_of(arrays, known)
    scaling = for_integers(arrays, cutoff)
    scale = scaling.arrays.cost_scale()
    frame = _frame(scaling.arrays, scale)
    frame["seed"] = seed
    frame["nodes"] = nodes
    frame["presolve"] = presolve
    # The bound is weakened afterwards, and the gap asked for must still hold then.
    frame["gap_rel"] = max(0.0, gap_rel - GAP_TOLERANCE)
    held = math.inf if known is None else _value(frame, known / scaling.column)
    # MathOpt of OR-Tools 9.14 hands HiGHS no solution to start from. The start is held here; what
    # HiGHS has of it is that it prunes by its value (a hair above, so that its equals are found).
    # The floor is one in HiGHS' scaled numbers, in which its tolerances are absolute. A cutoff that
    # is too high only searches more: the bound is held to the start's value below.
    frame["cutoff"] = None if known is None else held + GAP_TOLERANCE * max(1.0, abs(held))
    scale *= scaling.cost
    history: list[tuple[float, float | None, float | None]] = []

    def on_progress(incumbent: float, bound: float) -> None:
        found, near = (
            number / scale if math.isfinite(number) else None
            for number in (min(incumbent, held), bound)
        )
        near = None if near is None else min(near, cutoff)
        pair = [None if x is None else arrays.sign * x + 0.0 for x in (found, near)]
        history.append((time.monotonic() - began, pair[0], pair[1]))
        if progress is not None:
            progress(pair[0], pair[1])

    def run(frame: dict[str, Any]) -> dict[str, Any]:
        process: HighsProcess = highs_process(threads)
        return process.solve(frame, deadline, stop, on_progress)

    answer = run(frame)
    if known is not None and answer["reason"].startswith("INFEASIBLE"):
        # Nothing at all below a plan's value: its plan holds by a hair less than HiGHS asks for.
        answer = run({**frame, "cutoff": None})
    reason = answer["reason"]
    if reason == "INFEASIBLE_OR_UNBOUNDED":
        # Without an objective it can only be infeasible or not.
        answer = run({**frame, "cost": np.zeros(len(arrays.names)).tobytes(), "cutoff": None})
        if answer["reason"] == "OPTIMAL":
            reason = "UNBOUNDED"
        else:
            reason = answer["reason"]
        answer = {**answer, "values": None, "bound": None}
    values, unbounded = answer.get("values"), reason == "UNBOUNDED"
    point = None if values is None or unbounded else np.frombuffer(values, dtype=np.float64)
    bound = answer.get("bound")
    # What is pruned by the start's value says nothing beyond that.
    most = cutoff if known is None else held / scale
    raw = min(bound / scale, most) if bound is not None and math.isfinite(bound) else None
    # A reduced cost that HiGHS takes for 0 may be as much below it as its tolerance, so that the
    # bound is off by that times what the variables of a best point sum to, in scaled columns. The
    # point found stands for it. The floor, of one scaled unit, only weakens the bound.
    about = known / scaling.column if point is None and known is not None else point
    size = 1.0 if about is None else max(1.0, float(np.abs(about).sum()))
    return found(
        arrays,
        None if point is None else point * scaling.column,
        bound=None if unbounded else safe_bound(arrays, raw, _SOLVER_TOLERANCE * size / scale),
        proven_infeasible=reason == "INFEASIBLE",
        proven_unbounded=unbounded,
        ended=reason == "OPTIMAL",
        timed_out=reason == "TIMED_OUT" or answer.get("limit") == "LIMIT_TIME",
        interrupted=reason == "INTERRUPTED",
        message=answer.get("message", ""),
        history=tuple(history),
    )


def _value(frame: dict[str, Any], x: Floats) -> float:
    """Return the objective of a solution as HiGHS counts it."""
    cost: Floats = np.frombuffer(frame["cost"], dtype=np.float64)
    return float(cost @ x) + float(frame["offset"])


def cutoff_of(arrays: MipArrays, known: Floats | None) -> float:
    """Return a cost a little above that of a known point; inf where there is none."""
    if known is None:
        return math.inf
    cost = float(arrays.cost @ known) + arrays.offset
    return cost + _ABOVE_KNOWN * abs(cost)


def _frame(arrays: MipArrays, scale: float) -> dict[str, Any]:
    """Return the problem for the worker, with costs scaled and rows of small entries scaled up."""
    count = len(arrays.row_lower)
    largest = np.zeros(count)
    np.maximum.at(largest, arrays.rows, np.abs(arrays.coefficients))
    factor = np.ones(count)
    small = (largest > 0) & (largest < 1)
    factor[small] = np.exp2(np.ceil(-np.log2(largest[small])))
    coefficients = arrays.coefficients * factor[arrays.rows]
    return {
        "kind": "solve",
        "size": len(arrays.names),
        "row_count": count,
        "cost": (arrays.cost * scale).tobytes(),
        "offset": arrays.offset * scale,
        "lower": arrays.lower.tobytes(),
        "upper": arrays.upper.tobytes(),
        "integer": arrays.integer.tobytes(),
        "row_lower": (arrays.row_lower * factor).tobytes(),
        "row_upper": (arrays.row_upper * factor).tobytes(),
        "rows": arrays.rows.tobytes(),
        "columns": arrays.columns.tobytes(),
        "coefficients": coefficients.tobytes(),
    }
