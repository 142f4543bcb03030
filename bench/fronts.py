"""Whole fronts of makespan and energy cost against the published ones of energy_green_pm.

    python -m bench.fronts                    instances of at most 10 jobs
    python -m bench.fronts --jobs 25          those of at most 25: an hour or two
    python -m bench.fronts inst26 inst28      only these

Prints one JSON object a line: our points, whether the front is complete and proven, the listed
points that beat ours (there must be none), and those that ours beat.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cases import benchmarks
from hetopt import SolveOptions, pareto, read_instance
from hetopt.version import __version__

TOLERANCE = 1e-6


def compare(path: Path, time_limit: float) -> dict[str, Any]:
    """Walk along the front of an instance; hold it against the listed ones beside it."""
    began = time.monotonic()
    options = SolveOptions(time_limit_s=time_limit)
    front = pareto(read_instance(path), ("cost", "makespan"), points=None, options=options)
    ours = [(p.held, p.value) for p in front.efficient()]
    exact = path.with_suffix(".exact")
    listed = _points(exact if exact.is_file() else path.with_suffix(".front"))
    return {
        "instance": path.stem,
        "points": len(ours),
        "complete": front.complete,
        "listed_points": len(listed),
        "listed_in": exact.suffix if exact.is_file() else ".front",
        "listed_that_beat_ours": [p for p in listed if not _reached(p, ours)],
        "listed_that_ours_beat": [p for p in listed if _beaten(p, ours)],
        "time_limit_s": time_limit,
        "seconds": time.monotonic() - began,
        "version": __version__,
    }


def _points(path: Path) -> list[tuple[float, float]]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [(float(row[0]), float(row[1])) for row in rows if len(row) == 2]


def _reached(point: tuple[float, float], ours: Sequence[tuple[float, float]]) -> bool:
    time_s, cost = point
    return any(t <= time_s and c <= cost * (1 + TOLERANCE) for t, c in ours)


def _beaten(point: tuple[float, float], ours: Sequence[tuple[float, float]]) -> bool:
    time_s, cost = point
    return any(t <= time_s and c < cost * (1 - TOLERANCE) for t, c in ours)


def main() -> None:
    """Compare the instances named, or all up to a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instances", nargs="*", help="inst26, ...; default: all up to --jobs")
    parser.add_argument("--jobs", type=int, default=10, help="most jobs of an instance")
    parser.add_argument("--time-limit", type=float, default=30.0, help="seconds for each point")
    arguments = parser.parse_args()
    folder = benchmarks() / "energy_green_pm"
    with (folder / "bks.csv").open(encoding="utf-8") as file:
        jobs = {row["instance"]: int(row["jobs"]) for row in csv.DictReader(file)}
    chosen = arguments.instances or [n for n, size in jobs.items() if size <= arguments.jobs]
    for name in chosen:
        print(json.dumps(compare(folder / f"{name}.txt", arguments.time_limit)), flush=True)


if __name__ == "__main__":
    main()
