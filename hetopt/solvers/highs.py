"""Solve a PuLP problem: HiGHS in a child process, or any solver that PuLP knows.

`solve_mip` never copies a solver's status. It returns values that hold in the problem (checked
here), a bound made safe, and what ended the search; callers derive statuses from those.

HiGHS is the one in OR-Tools (MathOpt). It runs in a child process because it cannot be interrupted
within one; the child is kept for the next solve, is replaced after it had to be stopped, and ends
with its parent. Feasibility and pruning tolerances are 1e-9 instead of HiGHS' 1e-6.

Scaling. HiGHS' tolerances are absolute and it drops matrix entries below 1e-9, so the objective
and rows of small coefficients are scaled by powers of two here, and where numbers span much the
columns too (:mod:`hetopt.solvers.scaling`).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.solvers.mip_arrays import Floats, MipArrays, mip_arrays
from hetopt.solvers.scaling import for_integers

if TYPE_CHECKING:
    import pulp

    from hetopt.solvers.highs_process import HighsProcess

Progress = Callable[[float | None, float | None], None]
"""Called with incumbent and (raw) bound, in the caller's sense, when one of them improves."""

# A solver's values are rounded and kept when they break no limit by more than this (relative).
# It is coarse because callers repair and check their plans; it only keeps nonsense out.
_ACCEPTED_VIOLATION = 1e-6
# The safe bound is weakened by a hair less than the gap that counts as 0, so that a plan whose
# objective is recomputed to LIMIT_TOLERANCE still counts as optimal.
_WEAKENING = GAP_TOLERANCE - 2 * LIMIT_TOLERANCE
_ABOVE_KNOWN = 1e-2  # how much more than a known point the points may cost that are searched
_SOLVER_TOLERANCE = 1e-9  # see highs_worker.TOLERANCE


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
    timed_out: bool = False
    interrupted: bool = False
    wall_time_s: float = 0.0
    solver: str = "highs"
    message: str = ""
    history: tuple[tuple[float, float | None, float | None], ...] = ()


def solve_mip(
    problem: pulp.LpProblem,
    *,
    time_limit_s: float | None = None,
    nodes: int | None = None,
    gap_rel: float = 0.0,
    threads: int = 1,
    seed: int = 0,
    start: Mapping[str, float] | None = None,
    stop: threading.Event | None = None,
    solver: str = "highs",
    progress: Progress | None = None,
) -> MipResult:
    """Solve a linear or mixed-integer problem.

    Parameters
    ----------
    problem
        A PuLP problem without special ordered sets. It is left as it is: values and statuses
        are not written into it.
    time_limit_s
        Seconds for the whole call, None for no limit.
    nodes
        Nodes of the search tree at which HiGHS ends, None for no limit; the same ones in each run.
    gap_rel
        Relative gap |objective - bound| / |objective| at which the search may end.
    threads, seed
        Threads and random seed of the solver.
    start
        A known solution by variable name. Where it is complete and feasible, HiGHS searches below
        its value only, and it is returned if nothing better is found.
    stop
        Ends the search when set. HiGHS: at once, with the best solution and bound so far. Other
        solvers end at once with nothing, and without a time limit look at it only before they
        start.
    solver
        "highs", "cbc" (bundled with PuLP), or a name that `pulp.getSolver` takes.
    progress
        Called at improvements, from the calling thread. HiGHS only.

    Raises
    ------
    ValueError
        If the problem cannot be written as rows and columns, or a number in it is not finite.
    InputError
        If the solver is unknown or not available.
    """
    arrays = mip_arrays(problem)
    return solve_arrays(
        arrays,
        time_limit_s=time_limit_s,
        nodes=nodes,
        gap_rel=gap_rel,
        threads=threads,
        seed=seed,
        start=None if start is None else arrays.vector(start),
        stop=stop,
        solver=solver,
        progress=progress,
    )


def solve_arrays(
    arrays: MipArrays,
    *,
    time_limit_s: float | None = None,
    nodes: int | None = None,
    gap_rel: float = 0.0,
    threads: int = 1,
    seed: int = 0,
    start: Floats | None = None,
    stop: threading.Event | None = None,
    solver: str = "highs",
    progress: Progress | None = None,
) -> MipResult:
    """Solve a problem that is in arrays already; see :func:`solve_mip`.

    Parameters
    ----------
    start
        A known solution, a value per variable.
    """
    began = time.monotonic()
    known = _checked(arrays, start)
    if time_limit_s is not None and math.isinf(time_limit_s):
        time_limit_s = None
    if stop is not None and stop.is_set():
        result = MipResult(interrupted=True, solver=solver)
    elif time_limit_s is not None and time_limit_s <= 0:
        result = MipResult(timed_out=True, solver=solver)
    elif solver == "highs":
        deadline = None if time_limit_s is None else began + time_limit_s
        result = solve_with_highs(
            arrays, began, deadline, nodes, gap_rel, threads, seed, known, stop, progress
        )
    else:
        from hetopt.solvers.pulp_solvers import solve_with_pulp

        result = solve_with_pulp(arrays, solver, time_limit_s, gap_rel, threads, seed, stop)
    result = _with_start(arrays, result, known)
    return replace(result, wall_time_s=time.monotonic() - began)


def warm_up(threads: int = 1) -> None:
    """Start the child process now, so that it is ready when the first problem is built."""
    from hetopt.solvers.highs_process import highs_process

    highs_process(threads)


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
    return x if arrays.violation(x) <= _ACCEPTED_VIOLATION else None


def _with_start(arrays: MipArrays, result: MipResult, known: Floats | None) -> MipResult:
    """Return the result, with the start's values where they are better than what was found."""
    if known is None:
        return result
    objective = arrays.objective(known)
    if result.objective is not None and arrays.sign * (result.objective - objective) <= 0:
        return result
    values = dict(zip(arrays.names, known.tolist(), strict=True))
    # A proof of infeasibility beside a feasible start is a solver's error, not a proof.
    return replace(result, values=values, objective=objective, proven_infeasible=False)


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
) -> MipResult:
    """Solve by HiGHS in its process; see :func:`solve_mip` for the arguments."""
    from hetopt.solvers.highs_process import highs_process

    cutoff = cutoff_of(arrays, known)
    scaling = for_integers(arrays, cutoff)
    scale = scaling.arrays.cost_scale()
    frame = _frame(scaling.arrays, scale)
    frame["seed"] = seed
    frame["nodes"] = nodes
    # The bound is weakened afterwards, and the gap asked for must still hold then.
    frame["gap_rel"] = max(0.0, gap_rel - GAP_TOLERANCE)
    held = math.inf if known is None else _value(frame, known / scaling.column)
    # MathOpt of OR-Tools 9.14 hands HiGHS no solution to start from. The start is held here; what
    # HiGHS has of it is that it prunes by its value (a hair above, so that its equals are found).
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
    # A reduced cost that HiGHS takes for 0 may be as much below it as its tolerance.
    about = known / scaling.column if point is None and known is not None else point
    size = 1.0 if about is None else max(1.0, float(np.abs(about).sum()))
    return found(
        arrays,
        None if point is None else point * scaling.column,
        bound=None if unbounded else safe_bound(arrays, raw, _SOLVER_TOLERANCE * size / scale),
        proven_infeasible=reason == "INFEASIBLE",
        proven_unbounded=unbounded,
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
