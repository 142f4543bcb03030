"""Other MIP solvers through PuLP: the bundled CBC as a cross-check, and whatever else it knows.

PuLP's status is not used: it says Optimal at a time limit too. CBC's own log says what CBC proved;
of other solvers only the values are taken, which are checked, and no bound is claimed. Where there
is a time limit they run in a child process, which is killed when it is over.
"""

from __future__ import annotations

import math
import re
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.solvers.mip_arrays import Floats, MipArrays
from hetopt.solvers.others.pulp_run import run_solver
from hetopt.solvers.result import MipResult, found, safe_bound
from hetopt.solvers.scaling import Scaled, for_integers

_NUMBER = r"(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)"
# CBC's cutoff and integer tolerances are absolute, as HiGHS' are.
_CBC_TOLERANCE = 1e-6
_START_S = 0.6  # what a child takes to load PuLP and to write the problem


def check_solver(name: str) -> None:
    """Refuse a solver that is unknown or not installed.

    Raises
    ------
    InputError
        Naming the solvers that there are.
    """
    if name in ("highs", "cbc"):
        return
    import pulp

    able = ["highs", "cbc", *pulp.listSolvers(onlyAvailable=True)]
    known = [*able, *pulp.listSolvers()]
    if name.lower() not in {each.lower() for each in able}:
        there = ", ".join(dict.fromkeys(able))
        installed = name.lower() in {each.lower() for each in known}
        words = "is not available on this machine" if installed else "is not known"
        raise InputError(
            [Problem("mip_solver", name, f"The solver {words}; available here are {there}.")]
        )


def solve_with_pulp(
    arrays: MipArrays,
    solver: str,
    time_limit_s: float | None,
    gap_rel: float,
    threads: int,
    seed: int,
    stop: threading.Event | None = None,
) -> MipResult:
    """Solve with a solver that PuLP runs.

    Parameters
    ----------
    arrays
        The problem.
    solver
        "cbc", or a name that `pulp.getSolver` takes.
    time_limit_s, gap_rel, threads, seed, stop
        As in `solve_mip`; a solver that does not end at its limit is killed. The seed is for CBC
        only, which runs on one thread; a solver that does not take a gap runs without.

    Raises
    ------
    InputError
        If PuLP does not know the solver, or it is not installed.
    """
    if solver == "cbc":
        return _solve_cbc(arrays, time_limit_s, gap_rel, seed, stop)
    check_solver(solver)
    import pulp

    name = {each.lower(): each for each in pulp.listSolvers()}[solver.lower()]
    scaling = for_integers(arrays, math.inf)
    options = {"timeLimit": _own_limit(time_limit_s), "gapRel": gap_rel, "threads": threads}
    values, message, ended = _run(scaling, name, options, time_limit_s, stop)
    return found(
        arrays,
        values,
        bound=safe_bound(arrays, None),
        solver=solver,
        message=message,
        timed_out=ended == "late",
        interrupted=ended == "stopped",
    )


def _solve_cbc(
    arrays: MipArrays,
    time_limit_s: float | None,
    gap_rel: float,
    seed: int,
    stop: threading.Event | None,
) -> MipResult:
    """Run CBC on one thread: with two it was seen to call 957 the optimum of 956.

    (Generalised assignment gap12-1 of Cattrysse, Salomon and Van Wassenhove 1994, CBC 2.10.3, once
    in a dozen runs.)
    """
    scaling = for_integers(arrays, math.inf)
    scale = scaling.arrays.cost_scale() * scaling.cost
    with tempfile.TemporaryDirectory(prefix="hetopt-") as folder:
        log = Path(folder) / "cbc.log"
        options = {
            "timeLimit": _own_limit(time_limit_s),
            "gapRel": max(0.0, gap_rel - GAP_TOLERANCE),
            "options": [f"randomCbcSeed {seed}", f"randomSeed {seed}"],
            "logPath": str(log),
        }
        values, message, ended = _run(scaling, "PULP_CBC_CMD", options, time_limit_s, stop)
        text = log.read_text(errors="replace") if log.exists() else ""
    infeasible = bool(
        re.search(r"^(Result - )?(Problem|Linear relaxation).* infeasible", text, re.M)
    )
    unbounded = bool(re.search(r"^(Result - )?(Problem|Linear relaxation).* unbounded", text, re.M))
    timed_out = "Stopped on time limit" in text or ended == "late"
    if infeasible or unbounded:
        values = None
    result = found(arrays, values, solver="cbc", message=message, timed_out=timed_out)
    lower = _cbc_bound(arrays, result.objective, text, scale)
    return replace(
        result,
        bound=safe_bound(arrays, lower, _CBC_TOLERANCE / scale),
        proven_infeasible=infeasible,
        proven_unbounded=unbounded,
        interrupted=ended == "stopped",
    )


def _own_limit(time_limit_s: float | None) -> float | None:
    """Return the limit that a solver is told, so that it can still write what it found."""
    return None if time_limit_s is None else max(0.1, 0.9 * time_limit_s - _START_S)


def _cbc_bound(arrays: MipArrays, objective: float | None, text: str, scale: float) -> float | None:
    """Return the lower bound on the minimised objective that CBC's log proves, None if none.

    CBC's own objective is scaled and has no constant, so only its distance from CBC's own bound is
    taken from the log.
    """
    if objective is None:
        return None
    minimised = arrays.sign * objective
    value = re.search(rf"^Objective value: +{_NUMBER}", text, re.M)
    lower = re.search(rf"^Lower bound: +{_NUMBER}", text, re.M)
    upper = re.search(rf"^Upper bound: +{_NUMBER}", text, re.M)
    other = lower or upper
    if other is not None:
        if value is None:
            return None
        return minimised - abs(float(value[1]) - float(other[1])) / scale
    if re.search(r"^(Result - )?Optimal solution found|^Optimal - objective value", text, re.M):
        return minimised
    return None


def _run(
    scaling: Scaled,
    name: str,
    options: dict[str, Any],
    time_limit_s: float | None,
    stop: threading.Event | None,
) -> tuple[Floats | None, str, str]:
    """Run a solver, in a child process where there is a limit; see `solve_in_child`."""
    if time_limit_s is None:
        values, message = run_solver(scaling.arrays, name, options)
        ended = ""
    else:
        from hetopt.solvers.others.pulp_process import solve_in_child

        until = time.monotonic() + time_limit_s
        values, message, ended = solve_in_child(scaling.arrays, (name, options), until, stop)
    return None if values is None else values * scaling.column, message, ended
