"""Integer programs handed to solvers in environments of their own, as LP files.

Readers of MPS differ in the bound that they take an integer without one to have.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pulp

from bench.answers import Limits
from bench.peers.outside import ask
from hetopt.solvers.result import MipResult


def solve_outside(
    problem: pulp.LpProblem, limits: Limits, spent_s: float, solver: str
) -> MipResult:
    """Solve a program by SCIP or GLPK.

    Parameters
    ----------
    spent_s
        Seconds of the limit that are gone already.
    solver
        Name of the environment and of its worker.
    """
    with tempfile.TemporaryDirectory(prefix="hetopt-bench-") as folder:
        path = Path(folder) / "model.lp"
        problem.writeLP(str(path))
        text = path.read_text(encoding="utf-8")
    found = ask(solver, {"model": text}, limits, spent_s)
    values = found["values"]
    if values is not None:
        integral = {v.name for v in problem.variables() if v.cat == "Integer"}
        values = {
            v.name: float(round(values.get(v.name, 0.0)))
            if v.name in integral
            else values.get(v.name, 0.0)
            for v in problem.variables()
        }
    constant = 0.0
    if problem.objective is not None:
        constant = float(problem.objective.constant)
    return MipResult(
        values=values,
        objective=None if found["objective"] is None else found["objective"] + constant,
        bound=None if found["bound"] is None else found["bound"] + constant,
        proven_infeasible=found["status"] == "infeasible",
        timed_out=found["status"] not in ("optimal", "infeasible"),
        wall_time_s=found["wall_s"],
        solver=found["version"],
    )
