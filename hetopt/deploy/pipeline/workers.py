"""Processes of a pipeline's units, with the submodels of its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.measure.places import Place, allowed_cores
from hetopt.profiling.measure.sessions import check_device
from hetopt.profiling.measure.tensors import Tensors
from hetopt.profiling.measure.unit import Unit


@dataclass(frozen=True, slots=True)
class StageInfo:
    """A stage of the pipeline: its place in it, and what it waits for."""

    number: int
    route: int
    unit: str
    spec: Mapping[str, Any]
    before: tuple[int, ...]
    after: tuple[int, ...]


def start_unit(spec: Mapping[str, Any]) -> Unit:
    """Start the process of a unit; refuse runtimes and cores that are not here."""
    check_device(spec["runtime"], spec["runtime_device"], f"units.{spec['unit']}")
    missing = [c for c in spec["cores"] if c not in allowed_cores()]
    if missing:
        expected = f"Cores that this process may use: {allowed_cores()}."
        raise InputError([Problem(f"units.{spec['unit']}.cores", str(missing), expected)])
    return Unit(Place(spec["runtime"], spec["runtime_device"], tuple(spec["cores"])))


def load_stages(
    place: Path,
    pipeline: Mapping[str, Any],
    stages: Sequence[StageInfo],
    tensors: Sequence[Tensors],
    units: Mapping[str, Unit],
) -> None:
    """Load the submodel of each stage into the process of its unit."""
    specs = {u["unit"]: u for u in pipeline["units"]}
    for stage in stages:
        path = place / stage.spec["model"]
        if not path.is_file():
            raise InputError([Problem(str(path), "", "The submodel that the pipeline names.")])
        units[stage.unit].ask(
            {
                "do": "load",
                "model": str(stage.number),
                "runtime": specs[stage.unit]["runtime"],
                "device": specs[stage.unit]["runtime_device"],
                "threads": stage.spec["threads"],
                "path": str(path),
                "inputs": tensors[stage.route].of(stage.spec["inputs"]),
                "outputs": tensors[stage.route].of(stage.spec["outputs"]),
            }
        )
