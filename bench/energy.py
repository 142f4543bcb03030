"""Proven gaps of generated layered graphs: energy by size, deadline and limits, and makespan."""

from __future__ import annotations

import time
from typing import Any

from bench.layered import layered
from hetopt import solve

SMALL = [(100, 6, factor, 30.0, seed) for factor in (1.05, 1.3, 1.5) for seed in (0, 1, 2)]
LARGE = [
    *[(1_000, 8, factor, 60.0, 0) for factor in (3.0, 1.3)],
    *[(10_000, 16, factor, 60.0, 0) for factor in (3.0, 1.5, 1.3, 1.05)],
    (10_000, 64, 1.5, 60.0, 0),
]
"""Tasks, devices, deadline over HEFT's makespan, time limit (s), seed of the generator."""

SMOKE = [(20, 6, 1.5, 3.0, 0)]
LONG = [(10_000, 64), (100_000, 64), (1_000_000, 64)]
"""Tasks and devices of graphs whose makespan is wanted within 60 s."""
LIMITED: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "none": ((60, 200, 500), {}),
    "memory tight": ((60, 200, 500), {"memory": "tight"}),
    "power cap at half": ((200, 1_000), {"power_cap_factor": 0.5}),
}
"""Numbers of tasks and what limits them, on 8 devices at 1.5 x HEFT's makespan for 30 s."""


def gap(smoke: bool) -> list[dict[str, Any]]:
    """Proven gap of the energy of 100 x 6 layered graphs, deadlines 1.05, 1.3 and 1.5 x HEFT."""
    return [_row(*case) for case in (SMOKE if smoke else SMALL)]


def large(smoke: bool) -> list[dict[str, Any]]:
    """Proven gap of the energy of graphs of 1,000 and 10,000 tasks, from 3 to 1.05 x HEFT."""
    return [] if smoke else [_row(*case) for case in LARGE]


def limited(smoke: bool) -> list[dict[str, Any]]:
    """Proven gap of the energy without limits, in tight memory, and under a power cap."""
    return [
        {"limits": name, **_row(tasks, 8, 1.5, 3.0 if smoke else 30.0, 5, **more)}
        for name, (sizes, more) in LIMITED.items()
        if not smoke or more == {"memory": "tight"}
        for tasks in ((20,) if smoke else sizes)
    ]


def makespan(smoke: bool) -> list[dict[str, Any]]:
    """Proven gap of the makespan of graphs of 10,000 to 1,000,000 tasks."""
    sizes = [(200, 8)] if smoke else LONG
    limit = 3.0 if smoke else 60.0
    return [_row(*size, None, limit, 0, objective="makespan") for size in sizes]


def _row(
    tasks: int,
    devices: int,
    factor: float | None,
    limit: float,
    seed: int,
    objective: str = "energy",
    **more: Any,
) -> dict[str, Any]:
    instance = layered(tasks, devices, factor, seed, **more)
    began = time.process_time()
    solution = solve(instance, objective=objective, time_limit=limit, workers=2, seed=0)
    return {
        "tasks": tasks,
        "devices": devices,
        "deadline_factor": factor,
        "generator_seed": seed,
        "time_limit_s": limit,
        "workers": 2,
        "status": solution.status,
        "objective": solution.objective,
        "bound": solution.bound,
        "gap": solution.gap,
        "wall_time_s": solution.wall_time_s,
        "cpu_time_s": time.process_time() - began,
    }
