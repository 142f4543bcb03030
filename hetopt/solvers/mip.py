"""Solve a mixed-integer program by the solver that is asked for."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hetopt.solvers.highs import solve_with_highs
from hetopt.solvers.mip_arrays import Floats, MipArrays, mip_arrays
from hetopt.solvers.result import MipResult, Progress, _checked
from hetopt.solvers.second_look import looked_again, needs_second_look

if TYPE_CHECKING:
    import pulp


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
    again: bool = True,
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
    again
        Whether what HiGHS' search tree proves is asked a second time
        (:mod:`hetopt.solvers.second_look`). Not where the bound is not used.

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
        again=again,
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
    presolve: bool = True,
    again: bool = True,
) -> MipResult:
    """Solve a problem that is in arrays already; see :func:`solve_mip`.

    Parameters
    ----------
    start
        A known solution, a value per variable.
    presolve
        Whether HiGHS may simplify the problem first.
    again
        Whether what its search tree proves is asked a second time. Not where the bound is not used.
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

        def ask(
            program: MipArrays, until: float | None, by: int, *, first: bool = False
        ) -> MipResult:
            return solve_with_highs(
                program,
                time.monotonic(),
                until,
                nodes,
                gap_rel,
                threads,
                by,
                known if first else None,
                stop,
                progress if first else None,
                presolve=presolve and first,
            )

        result = ask(arrays, deadline, seed, first=True)
        if again and needs_second_look(arrays, result):
            result = looked_again(
                arrays, result, ask, began, deadline, seed, counted=nodes is not None
            )
    else:
        from hetopt.solvers.others.pulp_solvers import solve_with_pulp

        result = solve_with_pulp(arrays, solver, time_limit_s, gap_rel, threads, seed, stop)
    result = _with_start(arrays, result, known)
    return replace(result, wall_time_s=time.monotonic() - began)


def warm_up(threads: int = 1) -> None:
    """Start the child process now, so that it is ready when the first problem is built."""
    from hetopt.solvers.highs_process import highs_process

    highs_process(threads)


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
