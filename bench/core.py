"""Figures of the core: gaps, checking, loading, comparing, starting up, growth, HEFT's time.

    python -m bench.core             all of them, some minutes
    python -m bench.core gap verify  only these
    python -m bench.core --smoke     small sizes, seconds, for CI

Prints one JSON object a line: the figure with its sizes, seed, limits, version and machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import energy
from bench.cold import cold
from bench.fleets import steady
from bench.heft import heft_race
from bench.peak import peak
from bench.sleep import sleep
from hetopt import SolveOptions, compare, default_instance, verify
from hetopt.formats import read_instance, write_instance
from hetopt.generate import generate_schedule
from hetopt.instance.overrides import scale_demand
from hetopt.runtime.interrupt import end_process
from hetopt.version import __version__


def check(smoke: bool) -> list[dict[str, Any]]:
    """Time of the independent checker on a list schedule of a layered graph."""
    from hetopt.solution import Hops, SchedulePlan

    tasks = 2_000 if smoke else 1_000_000
    instance = generate_schedule(
        tasks=tasks, devices=64, shape="independent", ccr=0.0, deadline_factor=1e9, seed=0
    )
    ptr, option = instance.admissible
    rng = np.random.default_rng(0)
    chosen = option[ptr[:-1] + rng.integers(0, np.diff(ptr))]
    device = instance.options.device[chosen]
    ticks = np.rint(instance.options.time_s[chosen] * instance.tasks.work * 1e5).astype(np.int64)
    order = np.lexsort((np.arange(tasks), device))
    ends = np.cumsum(ticks[order])
    first = np.searchsorted(device[order], device[order], side="left")
    start = ends - ticks[order] - np.concatenate([[0], ends])[first]
    begin = np.empty(tasks)
    begin[order] = np.array([int(t) / 100_000 for t in start])
    plan = SchedulePlan(chosen, np.zeros(tasks, dtype=np.int64), begin, Hops.empty())
    began = time.perf_counter()
    report = verify(instance, plan)
    seconds = time.perf_counter() - began
    return [
        {"tasks": tasks, "devices": 64, "seconds": seconds, "ok": report.ok, "mode": report.mode}
    ]


def load(smoke: bool) -> list[dict[str, Any]]:
    """Time to load a folder of Parquet tables."""
    tasks = 2_000 if smoke else 100_000
    instance = generate_schedule(
        tasks=tasks, devices=64, shape="layered", ccr=0.5, deadline_factor=1.5, seed=0
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables"
        write_instance(instance, path)
        read_instance(path)
        began = time.perf_counter()
        read_instance(path)
        seconds = time.perf_counter() - began
    return [{"tasks": tasks, "devices": 64, "transfers": len(instance.edges), "seconds": seconds}]


def comparison(smoke: bool) -> list[dict[str, Any]]:
    """Gain and time of the whole comparison of the default instance."""
    questions: list[tuple[str, Any]] = [
        ("power, 4 x demand", scale_demand(default_instance(), 4)),
        (
            "throughput, 50 kW",
            default_instance().with_objective("throughput").with_limits(power_cap_w=50e3),
        ),
    ]
    rows = []
    for name, instance in questions[: 1 if smoke else 2]:
        began = time.perf_counter()
        result = compare(instance, options=SolveOptions())
        rows.append(
            {
                "question": name,
                "gain": result.gain.value,
                "gain_proven": result.gain.proven,
                "best_homogeneous": result.best,
                "seconds": time.perf_counter() - began,
            }
        )
    return rows


def start(smoke: bool) -> list[dict[str, Any]]:
    """Least time of ``hetopt --help`` over some runs, in a process of its own."""
    seconds = []
    for _ in range(2 if smoke else 7):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "hetopt", "--help"], check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - began)
    return [{"runs": len(seconds), "least_seconds": min(seconds), "most_seconds": max(seconds)}]


def scale(smoke: bool) -> list[dict[str, Any]]:
    """Time and memory of ``solve --method heuristic`` from Parquet, each in a process of its own.

    Reading, checking and writing the plan as tables are in it. ``slope`` is the growth of the time
    in log-log from the size before, where bytes weigh as much beside the work (``ccr``) and there
    is as much time. The last rows are of a limit with which all of it is done in half a minute.
    """
    devices = 8 if smoke else 64
    sizes = (50, 200) if smoke else (1_000, 10_000, 100_000, 1_000_000)
    rows: list[dict[str, Any]] = []
    cases = [
        *((size, 0.1, 600.0) for size in sizes),
        *((sizes[-1], ccr, 20.0) for ccr in (0.1, 0.5)),
    ]
    for tasks, ccr, limit in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tables"
            instance = generate_schedule(
                tasks=tasks, devices=devices, shape="layered", ccr=ccr, deadline_factor=1.5, seed=0
            )
            write_instance(instance, path)
            # Below this size there is an improver, which takes all of the time that there is.
            method = "heuristic" if tasks >= UNIMPROVED else "portfolio"
            command = [
                sys.executable,
                "-c",
                SCALE_RUN,
                str(path),
                method,
                f"{folder}/plan",
                str(limit),
            ]
            if not rows and not smoke:
                # What compiles does so once per installation.
                subprocess.run(command, check=True, capture_output=True)
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
        row = {"tasks": tasks, "devices": devices, "ccr": ccr, "time_limit_s": limit}
        row |= json.loads(answer.stdout)
        if rows and tasks != rows[-1]["tasks"]:
            growth = row["seconds"] / rows[-1]["seconds"]
            row["slope"] = math.log(growth) / math.log(tasks / rows[-1]["tasks"])
        rows.append(row)
    return rows


UNIMPROVED = 50_000
"""Tasks from which ``heuristic`` ends with the list schedulers, as ``portfolio`` does."""
SCALE_RUN = """
import json, resource, sys, time
began = time.monotonic()
from hetopt import read_instance, solve
instance = read_instance(sys.argv[1])
read = time.monotonic() - began
solution = solve(instance, method=sys.argv[2], time_limit=float(sys.argv[4]))
found = time.monotonic() - began
solution.save(sys.argv[3])
print(json.dumps({
    "seconds": time.monotonic() - began,
    "read_seconds": read,
    "write_seconds": time.monotonic() - began - found,
    "cpu_seconds": time.process_time(),
    "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    "objective": solution.objective,
    "bound": solution.bound,
    "gap": solution.gap,
    "verified": solution.verified,
}))
"""
"""What one run of ``scale`` does, imports included."""


FIGURES: dict[str, Callable[[bool], list[dict[str, Any]]]] = {
    "gap": energy.gap,
    "energy": energy.large,
    "limited": energy.limited,
    "makespan": energy.makespan,
    "sleep": sleep,
    "peak": peak,
    "verify": check,
    "load": load,
    "compare": comparison,
    "start": start,
    "scale": scale,
    "steady": steady,
    "heft": heft_race,
    "cold": cold,
}


def machine() -> str:
    """Describe the machine: processor, cores, system, Python."""
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def main() -> None:
    """Run the figures named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="*", help=f"from {', '.join(FIGURES)}; default all")
    parser.add_argument("--smoke", action="store_true", help="small sizes, for CI")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.figures if name not in FIGURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    for name in arguments.figures or FIGURES:
        for row in FIGURES[name](arguments.smoke):
            print(
                json.dumps({"figure": name, **row, "version": __version__, "machine": machine()}),
                flush=True,
            )


if __name__ == "__main__":
    main()
    # A search that was left behind may still be inside a solver, which would abort the process.
    end_process(0)
