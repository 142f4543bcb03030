"""Solve CP-SAT models in several ways and print a JSON line for each; needs OR-Tools only.

Run by :mod:`bench.cpsat_versions` with one version of OR-Tools on the path:
``python cpsat_child.py MANIFEST SECONDS``. The manifest lists files of models, a line each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from ortools.sat import cp_model_pb2
from ortools.sat.python import cp_model

SWITCHES = {
    "auto_detect_greater_than_at_least_one_of": False,
    "presolve_inclusion_work_limit": 0,
}
"""What hetopt 0.1.0 switched off in 9.15."""
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two workers": {"num_workers": 2},
    "switches": SWITCHES,
    "lower": {"use_objective_lb_search": True},
    "no presolve": {"cp_model_presolve": False},
    "no probing": {"cp_model_probing_level": 0, "symmetry_level": 0},
}
"""Parameters of each way; all but one have one worker."""


def main(manifest: str, seconds: float) -> None:
    """Solve every model of a manifest in every way."""
    for line in Path(manifest).read_text(encoding="utf-8").splitlines():
        path = Path(line)
        for number, (way, parameters) in enumerate(WAYS.items()):
            row = {"model": path.stem, "way": way, **_solve(path, parameters, number, seconds)}
            print(json.dumps(row), flush=True)


def _read(path: Path) -> cp_model.CpModel:
    model = cp_model.CpModel()
    if hasattr(model.proto, "parse_text_format"):
        proto = cp_model_pb2.CpModelProto.FromString(path.read_bytes())
        model.proto.parse_text_format(str(proto))
    else:
        model.proto.ParseFromString(path.read_bytes())
    return model


def _solve(path: Path, parameters: dict[str, Any], seed: int, seconds: float) -> dict[str, Any]:
    model, solver = _read(path), cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_time_in_seconds = seconds
    for name, value in parameters.items():
        setattr(solver.parameters, name, value)
    began = time.process_time()
    status = solver.status_name(solver.solve(model))
    found = status in ("OPTIMAL", "FEASIBLE")
    return {
        "status": status,
        "objective": solver.objective_value if found else None,
        "bound": solver.best_objective_bound if found or status == "UNKNOWN" else None,
        "seconds": time.process_time() - began,
    }


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
