"""First plans of a fresh process: nothing compiled yet, all compiled, nothing can be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import hetopt
from bench.layered import layered
from hetopt.formats import write_instance

LIMIT_S = 15.0
"""Time limit of each run: enough for compiling what improves plans."""


def cold(smoke: bool) -> list[dict[str, Any]]:
    """Seconds from starting a process to its first plan, of ``solve`` on 1,000 tasks x 8 devices.

    ``empty``: no machine code lies anywhere yet; ``cached``: the same again; ``read-only``: neither
    the installation nor any cache folder can be written. Importing and reading count.
    """
    tasks, limit_s = (8, 2.0) if smoke else (1_000, LIMIT_S)
    rows = []
    with tempfile.TemporaryDirectory(prefix="hetopt-bench-") as name:
        folder = Path(name)
        path = folder / "instance.json"
        instance = layered(tasks, 8, 1.5)
        write_instance(instance, path)
        cache = {"NUMBA_CACHE_DIR": str(folder / "cache")}
        runs = [
            ("empty", cache),
            ("cached", cache),
            ("read-only", _read_only(folder / "fixed")),
        ]
        for installation, environment in runs[2:] if smoke else runs:
            row = {"tasks": tasks, "devices": 8, "time_limit_s": limit_s}
            rows.append(row | {"installation": installation} | _run(path, limit_s, environment))
    return rows


def _run(path: Path, limit_s: float, environment: dict[str, str]) -> dict[str, Any]:
    """Solve in a process of its own; say when its first plan was there, and what came out."""
    inherited = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", COLD_RUN, str(path), str(limit_s), str(time.time())]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=inherited | environment
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _read_only(folder: Path) -> dict[str, str]:
    """Copy the package to a folder where no cache can be written; return the environment for it.

    Permissions do not stop every user, a file where a folder is wanted does: one stands in the
    place of each ``__pycache__``, and of the user's home.
    """
    source = Path(hetopt.__file__).parent
    target = folder / "hetopt"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    for inside in [target, *(p for p in target.rglob("*") if p.is_dir())]:
        (inside / "__pycache__").write_text("", encoding="utf-8")
    home = folder / "home"
    home.write_text("", encoding="utf-8")
    return {
        "PYTHONPATH": str(folder),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home),
        "XDG_CACHE_HOME": str(home),
        "IPYTHONDIR": str(home),
    }


COLD_RUN = """
import json, sys, time
from hetopt import read_instance, solve
instance = read_instance(sys.argv[1])
before, spent = time.time() - float(sys.argv[3]), time.process_time()
solution = solve(instance, time_limit=float(sys.argv[2]), workers=2)
print(json.dumps({
    "first_plan_seconds": before + solution.history[0].time_s if solution.history else None,
    "before_solve_seconds": before,
    "before_solve_cpu_seconds": spent,
    "cpu_seconds": time.process_time(),
    "wall_time_s": solution.wall_time_s,
    "objective": solution.objective,
    "gap": solution.gap,
    "verified": solution.verified,
}))
"""
"""What one run does; the last argument is the time at which it was started."""
