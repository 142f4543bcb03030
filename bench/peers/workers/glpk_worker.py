"""Solve a program in LP form with GLPK; runs in GLPK's own environment.

Its interface tells no bound before the end, so there is one only where GLPK proves its plan best.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import swiglpk as glpk


def main() -> None:
    """Read a job, solve it until the time is over, write values, objective and bound."""
    job = json.load(sys.stdin)
    began = time.monotonic()
    glpk.glp_term_out(glpk.GLP_OFF)
    problem = glpk.glp_create_prob()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.lp"
        path.write_text(job["model"], encoding="utf-8")
        glpk.glp_read_lp(problem, None, str(path))
    options = glpk.glp_iocp()
    glpk.glp_init_iocp(options)
    options.presolve = glpk.GLP_ON
    options.mir_cuts = options.gmi_cuts = glpk.GLP_ON
    left = job["time_limit_s"] - (time.monotonic() - began)
    options.tm_lim = max(100, round(1000 * left))
    ended = glpk.glp_intopt(problem, options)
    status = glpk.glp_mip_status(problem)
    optimal, found = status == glpk.GLP_OPT, status in (glpk.GLP_OPT, glpk.GLP_FEAS)
    answer = {
        "version": f"GLPK {glpk.glp_version()}",
        "status": "optimal" if optimal else "infeasible" if _proved(ended, status) else "timelimit",
        "values": None,
        "objective": None,
        "bound": None,
        "wall_s": time.monotonic() - began,
    }
    if found:
        answer["values"] = {
            glpk.glp_get_col_name(problem, j): glpk.glp_mip_col_val(problem, j)
            for j in range(1, glpk.glp_get_num_cols(problem) + 1)
        }
        answer["objective"] = glpk.glp_mip_obj_val(problem)
        answer["bound"] = answer["objective"] if optimal else None
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")


def _proved(ended: int, status: int) -> bool:
    return ended == glpk.GLP_ENOPFS or (ended == 0 and status == glpk.GLP_NOFEAS)


if __name__ == "__main__":
    main()
