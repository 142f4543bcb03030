"""Proven gaps of the energy of generated layered graphs, small and large, by deadline."""

from __future__ import annotations

from typing import Any

from hetopt import solve
from hetopt.generate import generate_schedule

SMALL = [(100, 6, factor, 30.0, seed) for factor in (1.05, 1.3, 1.5) for seed in (0, 1, 2)]
LARGE = [
    (tasks, devices, factor, 60.0, 0)
    for tasks, devices in ((1_000, 8), (10_000, 16))
    for factor in (3.0, 1.3)
]
"""Tasks, devices, deadline over HEFT's makespan, time limit (s), seed of the generator."""

SMOKE = [(20, 6, 1.5, 3.0, 0)]


def gap(smoke: bool) -> list[dict[str, Any]]:
    """Proven gap of the energy of 100 x 6 layered graphs, deadlines 1.05, 1.3 and 1.5 x HEFT."""
    return [_row(*case) for case in (SMOKE if smoke else SMALL)]


def large(smoke: bool) -> list[dict[str, Any]]:
    """Proven gap of the energy of 1,000 x 8 and 10,000 x 16 graphs, 3 and 1.3 x HEFT."""
    return [] if smoke else [_row(*case) for case in LARGE]


def _row(tasks: int, devices: int, factor: float, limit: float, seed: int) -> dict[str, Any]:
    instance = generate_schedule(
        tasks=tasks, devices=devices, shape="layered", ccr=0.1, deadline_factor=factor, seed=seed
    )
    solution = solve(instance, objective="energy", time_limit=limit, workers=2, seed=0)
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
    }
