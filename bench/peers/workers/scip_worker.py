"""Solve a program in LP form with SCIP; runs in SCIP's own environment."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from pathlib import Path

import pyscipopt


def main() -> None:
    """Read a job, solve it until the time is over, write values, objective and bound."""
    job = json.load(sys.stdin)
    began = time.monotonic()
    model = pyscipopt.Model()
    model.hideOutput()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.lp"
        path.write_text(job["model"], encoding="utf-8")
        model.readProblem(str(path))
    model.setParam("limits/time", max(0.1, job["time_limit_s"] - (time.monotonic() - began)))
    model.setParam("randomization/randomseedshift", job["seed"])
    model.setParam("parallel/maxnthreads", job["workers"])
    model.optimize()
    bound = model.getDualbound()
    answer = {
        "version": f"SCIP {model.version()}",
        "status": model.getStatus(),
        "values": None,
        "objective": None,
        "bound": bound if math.isfinite(bound) and abs(bound) < model.infinity() else None,
        "wall_s": time.monotonic() - began,
    }
    if model.getNSols():
        best = model.getBestSol()
        answer["values"] = {v.name: model.getSolVal(best, v) for v in model.getVars()}
        answer["objective"] = model.getSolObjVal(best)
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
