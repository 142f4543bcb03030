"""Outputs of a pipeline beside those of the whole models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.deploy.pipeline.workers import start_unit
from hetopt.errors import InputError
from hetopt.profiling.measure.quantise import difference
from hetopt.profiling.measure.tensors import Tensors


def compare_outputs(
    pipeline: Mapping[str, Any], tensors: Sequence[Tensors], files: Path
) -> tuple[dict[str, float], list[str]]:
    """Run the whole models on the inputs of slot 0 and compare their outputs."""
    from hetopt.profiling.onnx.cut import submodel
    from hetopt.profiling.onnx.graph import operator_graph
    from hetopt.profiling.onnx.load import read_model

    differs: dict[str, float] = {}
    missing: list[str] = []
    specs = {u["unit"]: u for u in pipeline["units"]}
    for k, route in enumerate(pipeline["routes"]):
        try:
            model = read_model(route["model"], route["model_sizes"])
            if model.sha256 != route["model_sha256"]:
                missing.append(f"{route['job']}: {route['model']} is another file now")
                continue
        except InputError as error:
            missing.append(f"{route['job']}: {error}")
            continue
        found = [np.array(tensors[k].array(n)) for n in route["outputs"]]
        path = files / "whole.onnx"
        path.write_bytes(submodel(operator_graph(model)))
        with start_unit(specs[route["stages"][0]["unit"]]) as unit:
            unit.ask(
                {
                    "do": "load",
                    "model": "whole",
                    "runtime": unit.place.runtime,
                    "device": unit.place.device,
                    "threads": len(unit.cores),
                    "path": str(path),
                    "inputs": tensors[k].of(route["inputs"]),
                    "outputs": tensors[k].of(route["outputs"]),
                }
            )
            unit.ask({"do": "run", "model": "whole", "slot": 0})
        whole = [np.array(tensors[k].array(n)) for n in route["outputs"]]
        name = route["job"]
        differs[name] = max(differs.get(name, 0.0), difference(found, whole))
    return differs, missing
