"""Compare versions of OR-Tools: are CP-SAT's proofs right, and what do they cost?

``python -m bench.cpsat_versions --versions 9.12.4544,9.14.6206,9.15.6755 --count 1000`` writes
hetopt's CP-SAT models of random tiny schedules and placements, and of instances that some version
answered wrongly, to files, solves each with every version in several ways (with and without
presolve, probing, two workers ...), and prints each answer that cannot be right: an optimum or a
bound worse than a value that another way found, or that enumeration knows, and "infeasible" where
there is a plan. A version that is not installed is fetched by pip into ``bench/.envs``.

The exit code is 1 where the version that hetopt is installed with gave a wrong answer.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.peers.environments import ortools_path
from hetopt.instance import Instance
from hetopt.schedule.cpsat.model import build_model
from hetopt.schedule.cpsat.objectives import Scaled
from hetopt.schedule.model.grid import model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.steady.placement.model import build_placement
from hetopt.steady.placement.objectives import count_objective
from tests.cpsat_reproducers import REPRODUCERS
from tests.oracles.schedule_oracle import TooHardError, schedule_optimum
from tests.random_schedules import random_schedule
from tests.random_streams import random_stream

NEAR = 1e-6
"""Relative difference of values that count as the same."""
CHILD = Path(__file__).with_name("cpsat_child.py")
HARD_MODES = 12
"""Options of all tasks up to which schedules are enumerated."""


def main() -> int:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = version("ortools")
    parser.add_argument("--versions", default=here, help="of OR-Tools, separated by commas")
    parser.add_argument("--count", type=int, default=200, help="random models of each regime")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first one")
    parser.add_argument("--seconds", type=float, default=20.0, help="limit of each solve")
    parser.add_argument("--enumerate", action="store_true", help="enumerate the schedules too")
    parsed = parser.parse_args()
    versions = parsed.versions.split(",")
    paths = {v: ortools_path(v) for v in versions}
    with tempfile.TemporaryDirectory(prefix="hetopt-") as folder:
        known = write_models(Path(folder), parsed.seed, parsed.count, parsed.enumerate)
        manifest = Path(folder) / "models"
        manifest.write_text("".join(f"{folder}/{name}.pb\n" for name in known), encoding="utf-8")
        rows = {v: _run(path, manifest, parsed.seconds) for v, path in paths.items()}
    wrong = report(rows, known)
    return 1 if wrong[here] else 0


def write_models(
    folder: Path, seed: int, count: int, enumerated: bool
) -> dict[str, float | str | None]:
    """Write models; return by name the optimum by enumeration ("" where it is not known)."""
    known: dict[str, float | str | None] = {}

    def write(name: str, made: tuple[Any, Any] | None, optimum: float | str | None = "") -> None:
        if made is not None and not made[0].validate():
            made[0].export_to_file(str(folder / f"{name}.pb"))
            known[name] = made[1](optimum) if isinstance(optimum, float) else optimum

    for case in REPRODUCERS:
        write(case.name.replace(" ", "-"), model_of(case.make()), case.optimum)
    for number in range(seed, seed + count):
        instance, tick = random_schedule(number)
        optimum: float | str | None = ""
        if enumerated and len(instance.admissible[1]) <= HARD_MODES:
            try:
                found = schedule_optimum(instance, tick)
                optimum = None if found is None else float(found[0])
            except TooHardError:
                optimum = ""
        write(f"schedule-{number}", model_of(instance), optimum)
        stream = replace(random_stream(number), routing="single")
        if not len(stream.scenarios):
            write(f"placement-{number}", model_of(stream))
    return known


def model_of(instance: Instance) -> tuple[Any, Callable[[float], float]] | None:
    """Return CP-SAT's model of the first objective, and what an optimum is in its own units.

    None where there is none, as its structure alone says that it is infeasible. Off an exact grid
    and for placements the model is a relaxation, whose optimum is not known.
    """
    if instance.regime == "schedule":
        made = build_model(Problem(instance, model_grid(instance, span_s(instance))), 0, [])
        if made is None:
            return None
        scaled, exact = made.objective, made.build.problem.grid.direction == "exact"
        exact &= made.build.faithful
        return made.model, lambda value: _parts(scaled, value) if exact else ""
    name = instance.objective[0]
    placed = build_placement(instance, None if name == "throughput" else 1.0)
    if placed.time is not None:
        placed.model.minimize(placed.time)
    else:
        counted = count_objective(placed, name)
        if isinstance(counted.expression, int):
            return None
        placed.model.minimize((-1 if name == "accuracy" else 1) * counted.expression)
    return placed.model, lambda value: ""


def _parts(scaled: Scaled, value: float) -> float:
    return (scaled.sign * value - float(scaled.constant)) / float(scaled.unit)


def _run(path: Path | None, manifest: Path, seconds: float) -> list[dict[str, Any]]:
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = str(path.resolve())
    done = subprocess.run(
        [sys.executable, str(CHILD), str(manifest), str(seconds)],
        env=environment, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        rows.append({"model": "", "way": "", "status": f"ended with code {done.returncode}"})
    return rows


def report(
    rows: dict[str, list[dict[str, Any]]], known: dict[str, float | str | None]
) -> Counter[str]:
    """Print each wrong answer and a line for each version; return how many each gave."""
    best: dict[str, float] = defaultdict(lambda: math.inf)
    best.update({name: value for name, value in known.items() if isinstance(value, float)})
    for row in (row for found in rows.values() for row in found):
        if row.get("objective") is not None:
            best[row["model"]] = min(best[row["model"]], row["objective"])
    wrong: Counter[str] = Counter()
    for number, found in rows.items():
        for row in found:
            for why in _faults(row, best[row["model"]], known.get(row["model"], "")):
                wrong[number] += 1
                print(f"{number} {row['model']} ({row['way']}): {why}", flush=True)
    for number, found in rows.items():
        open_ = sum(row["status"] in ("FEASIBLE", "UNKNOWN") for row in found)
        spent = {w: sum(r["seconds"] for r in found if r["way"] == w) for w in _ways(found)}
        times = ", ".join(f"{way} {seconds:.1f} s" for way, seconds in spent.items())
        print(
            f"{number}: {len(found)} solves of {len(known)} models, {wrong[number]} wrong, "
            f"{open_} open; CPU: {times}"
        )
    return wrong


def _ways(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["way"] for row in rows if row["way"]))


def _faults(row: dict[str, Any], best: float, optimum: float | str | None) -> Iterator[str]:
    """Yield what cannot be right about an answer."""
    status = row["status"]
    if not row["model"] or status == "MODEL_INVALID":
        yield status
    elif status == "INFEASIBLE" and best < math.inf:
        yield f"infeasible, where {best:.15g} can be had"
    elif status != "INFEASIBLE":
        room = NEAR * max(1.0, abs(best))
        if row["bound"] is not None and row["bound"] > best + room:
            yield f"{status.lower()}, bound {row['bound']:.15g} beyond {best:.15g}"
        value = row["objective"]
        if value is not None and optimum is None:
            yield f"{value:.15g}, where enumeration finds nothing"
        elif value is not None and isinstance(optimum, float) and value < optimum - room:
            yield f"{value:.15g}, where enumeration finds {optimum:.15g}"


if __name__ == "__main__":
    raise SystemExit(main())
