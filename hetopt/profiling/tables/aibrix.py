"""Profiles of AIBrix's GPU optimizer: requests/s that a GPU serves within its targets, by size.

A file has one GPU: ``tputs`` holds requests/s by output tokens (rows) and input tokens (columns),
whose sizes ``indexes`` lists in that order; 0 where the targets (``slos``) are missed; ``e2e`` the
mean latencies (s) at those rates (``gen_profile.py`` of vllm-project/aibrix). Its ``cost`` has
units of its own and is left out.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.tables.measurement import Measurement
from hetopt.profiling.tables.sheet import read_text


def is_aibrix(path: Path) -> bool:
    """Whether a JSON file is such a profile."""
    if path.suffix.lower() != ".json":
        return False
    head = read_text(path)
    return all(f'"{key}"' in head for key in ("gpu", "tputs", "indexes"))


def aibrix_profile(path: Path) -> list[Measurement]:
    """Return the sizes of requests that a GPU serves, one row each.

    Raises
    ------
    InputError
        If a field is missing or has another shape.
    """
    try:
        data = json.loads(read_text(path))
    except ValueError as error:
        raise InputError([Problem(str(path), "", f"JSON ({error}).")]) from None
    if not isinstance(data, dict):
        raise InputError([Problem(str(path), "", "An object with gpu, tputs and indexes.")])
    gpu, indexes = data.get("gpu"), data.get("indexes")
    indexes = indexes if isinstance(indexes, list) else []
    if not isinstance(gpu, str) or not gpu:
        raise InputError([Problem(f"{path}: gpu", str(gpu), "The name of a GPU.")])
    if len(indexes) != 2 or not all(isinstance(sizes, list) for sizes in indexes):
        text = "Two lists: sizes of outputs, sizes of inputs, in tokens."
        raise InputError([Problem(f"{path}: indexes", "", text)])
    outputs, inputs = indexes
    shape = len(outputs), len(inputs)
    rates = _matrix(path, "tputs", data.get("tputs"), shape)
    latencies = _matrix(path, "e2e", data["e2e"], shape) if "e2e" in data else None
    targets = data.get("slos") or {}
    told = ", ".join(f"{key} {value}" for key, value in targets.items() if key != "percentile")
    return [
        Measurement(
            device=gpu,
            task=f"{size_in}+{size_out}",
            label="",
            time_s=1 / rates[i][j],
            latency_s=latencies[i][j] if latencies and latencies[i][j] > 0 else math.nan,
            kind="gpu",
            source=f"AIBrix profile {path.name}{f' ({told})' if told else ''}",
            streams=True,
        )
        for i, size_out in enumerate(outputs)
        for j, size_in in enumerate(inputs)
        if rates[i][j] > 0
    ]


def _matrix(path: Path, name: str, found: Any, shape: tuple[int, int]) -> list[list[float]]:
    """Return a matrix of numbers of at least 0, of a shape."""
    rows = found if isinstance(found, list) else []
    whole = len(rows) == shape[0] and all(
        isinstance(row, list)
        and len(row) == shape[1]
        and all(
            isinstance(cell, int | float) and not isinstance(cell, bool) and 0 <= cell < math.inf
            for cell in row
        )
        for row in rows
    )
    if not whole:
        text = f"{shape[0]} rows (sizes of outputs) of {shape[1]} numbers (sizes of inputs)."
        raise InputError([Problem(f"{path}: {name}", "", text)])
    return [[float(cell) for cell in row] for row in rows]
