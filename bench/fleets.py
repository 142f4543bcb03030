"""Figures of large fleets: time, gap and memory of steady instances, beside a plain program.

Each run is a process of its own that reads the instance from a folder of Parquet tables. The
plain program is what one would write at first: a PuLP variable for each option that meets its
latency limit and for the units of each device, all of it given to HiGHS with the same gap.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hetopt.formats import write_instance
from hetopt.generate import generate_steady

SIZES = ((1_000, 100, 5, 0.005), (10_000, 200, 5, 0.01))
"""Workloads, devices, options, and the relative gap to reach."""

SMALL = ((60, 12, 3, 0.05),)

LIMIT_S = 60.0
PLAIN_LIMIT_S = 300.0


def steady(smoke: bool) -> list[dict[str, Any]]:
    """Time to read and solve generated fleets to a gap; the first also as a plain program."""
    rows = []
    for k, (workloads, devices, options, gap) in enumerate(SMALL if smoke else SIZES):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tables"
            write_instance(generate_steady(workloads, devices, options, seed=0), path)
            row: dict[str, Any] = {"workloads": workloads, "devices": devices, "options": options}
            row |= {"seed": 0, "gap_asked": gap, "time_limit_s": LIMIT_S}
            row |= _run(SOLVE, path, gap, LIMIT_S)
            if not k:
                plain = _run(PLAIN, path, gap, PLAIN_LIMIT_S)
                row |= {f"plain_{name}": value for name, value in plain.items()}
                row["plain_by_ours"] = plain["seconds"] / row["seconds"]
            rows.append(row)
    return rows


def _run(code: str, path: Path, gap: float, limit: float) -> dict[str, Any]:
    command = [sys.executable, "-c", code, str(path), str(gap), str(limit)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


SOLVE = """
import json, resource, sys, time
began = time.monotonic()
from hetopt import read_instance, solve
instance = read_instance(sys.argv[1])
read = time.monotonic() - began
solution = solve(instance, gap=float(sys.argv[2]), time_limit=float(sys.argv[3]))
print(json.dumps({
    "seconds": time.monotonic() - began,
    "read_seconds": read,
    "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    "child_memory_gib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20,
    "objective": solution.objective,
    "bound": solution.bound,
    "gap": solution.gap,
    "verified": solution.verified,
}))
"""
"""What one run does, imports included."""

PLAIN = """
import json, sys, time
began = time.monotonic()
import numpy as np
import pulp
from hetopt import read_instance
from hetopt.solvers.mip import solve_mip
instance = read_instance(sys.argv[1])
read = time.monotonic() - began
options, jobs, devices = instance.options, instance.jobs, instance.devices
problem = pulp.LpProblem("plain", pulp.LpMinimize)
units = [problem.add_variable(f"u_{d}", 0, cat="Integer") for d in range(len(devices))]
power, load = [], [[] for _ in units]
for task, job in enumerate(instance.tasks.job.tolist()):
    served = []
    for o in instance.task_options(task).tolist():
        batch, time_s = int(options.batch[o]), float(options.time_s[o])
        if (2 if batch > 1 else 1) * time_s > jobs.latency_slo_s[job]:
            continue
        rate = float(jobs.rate_per_s[job])
        share = problem.add_variable(f"y_{task}_{o}", 0)
        served.append(share)
        power.append((share, rate * float(options.energy_j[o]) / batch))
        load[options.device[o]].append((share, rate * time_s / batch))
    problem.addConstraint(pulp.lpSum(served) == 1)
for d, terms in enumerate(load):
    problem.addConstraint(pulp.LpAffineExpression([*terms, (units[d], -1.0)]) <= 0)
    power.append((units[d], float(devices.idle_power_w[d])))
problem.setObjective(pulp.LpAffineExpression(power))
built = time.monotonic() - began
limit = float(sys.argv[3])
result = solve_mip(problem, gap_rel=float(sys.argv[2]), time_limit_s=limit, threads=2)
gap = None
if result.objective is not None and result.bound is not None:
    gap = abs(result.objective - result.bound) / abs(result.objective)
print(json.dumps({
    "seconds": time.monotonic() - began,
    "read_seconds": read,
    "build_seconds": built - read,
    "objective": result.objective,
    "bound": result.bound,
    "gap": gap,
}))
"""
"""The plain program, imports included."""
