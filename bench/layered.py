"""Layered graphs with few and small messages, and what solving one comes to."""

from __future__ import annotations

import time
from typing import Any

from hetopt import solve
from hetopt.generate import generate_schedule
from hetopt.instance import Instance


def layered(tasks: int, devices: int, factor: float | None, seed: int = 0, **more: Any) -> Instance:
    """Return a layered graph whose deadline is ``factor`` times the makespan of HEFT."""
    return generate_schedule(
        tasks=tasks,
        devices=devices,
        shape="layered",
        ccr=0.1,
        deadline_factor=factor,
        seed=seed,
        **more,
    )


def figures(instance: Instance, limit_s: float) -> dict[str, Any]:
    """Solve with two workers: value, bound, gap, method and processor time."""
    began = time.process_time()
    solution = solve(instance, time_limit=limit_s, workers=2, seed=0)
    return {
        "value": solution.objective,
        "bound": solution.bound,
        "gap": solution.gap,
        "method": solution.method,
        "cpu_seconds": time.process_time() - began,
    }
