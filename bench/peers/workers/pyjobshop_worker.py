"""Solve a flexible shop with PyJobShop; runs in PyJobShop's own environment."""

from __future__ import annotations

import json
import math
import sys
import time
from importlib import metadata
from pathlib import Path

from pyjobshop import Model


def main() -> None:
    """Read a job, solve it, write the answer."""
    job = json.load(sys.stdin)
    began = time.monotonic()
    model = Model()
    machines = [model.add_machine() for _ in range(job["places"])]
    tasks = [model.add_task() for _ in job["tasks"]]
    modes = []
    for task, choices in zip(tasks, job["tasks"], strict=True):
        modes.append([model.add_mode(task, machines[place], d) for place, d in choices])
    for a, b in job["edges"]:
        model.add_end_before_start(tasks[a], tasks[b])
    data = model.data()
    build_s = time.monotonic() - began
    result = model.solve(
        time_limit=max(0.1, job["time_limit_s"] - build_s),
        display=False,
        num_workers=job["workers"],
        random_seed=job["seed"],
    )
    found = math.isfinite(result.objective)
    first = {}
    for index, mode in enumerate(data.modes):
        first.setdefault(mode.task, index)
    answer = {
        "version": f"pyjobshop {metadata.version('pyjobshop')}",
        "status": {"Optimal": "optimal", "Feasible": "feasible", "Infeasible": "infeasible"}.get(
            result.status.value, "unknown"
        ),
        "objective": result.objective if found else math.nan,
        "bound": result.lower_bound if found else math.nan,
        "build_s": build_s,
        "wall_s": time.monotonic() - began,
        "tasks": [[t.mode - first[i], t.start] for i, t in enumerate(result.best.tasks)]
        if found
        else [],
    }
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
