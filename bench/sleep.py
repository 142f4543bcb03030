"""Energy of generated layered graphs on devices that sleep in gaps: plans, bounds and peaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bench.layered import figures, layered
from hetopt.instance import Instance

DEVICES = 8
CASES = [(50, 30.0), (200, 30.0), (1_000, 60.0)]
"""Tasks, and seconds."""
FACTORS = (1.5, 3.0)
"""Deadlines, and ends of the window, over the makespan of HEFT."""
PEAK = (25, 3, 30.0)
"""Tasks, devices and seconds of the least peak power."""
IDLE, ASLEEP = 3.0, 0.1
"""Idle power over the generator's, which is small; power of sleep over that."""
WAKES, PAYS = 0.5, 1.5
"""Time to wake, and gap that makes up for waking, over the mean time of an option."""


def sleeping(tasks: int, devices: int, factor: float, seed: int = 0) -> Instance:
    """Return a layered graph whose devices sleep in gaps of a window that ends by its deadline."""
    made = layered(tasks, devices, factor, seed)
    mean = float(made.options.time_s.mean() * made.tasks.work.mean())
    idle = IDLE * made.devices.idle_power_w
    columns = {
        "idle_power_w": idle,
        "sleep_power_w": ASLEEP * idle,
        "wake_time_s": np.full(len(idle), WAKES * mean),
        "wake_energy_j": (1 - ASLEEP) * idle * PAYS * mean,
    }
    made = replace(made, devices=replace(made.devices, **columns))
    return made.with_limits(horizon_s=float(made.jobs.deadline_s.max()))


def sleep(smoke: bool) -> list[dict[str, Any]]:
    """Energy, and peak power, of schedules whose devices sleep in gaps."""
    cases: list[tuple[str, int, int, float, float]] = [
        ("energy", tasks, DEVICES, factor, limit) for tasks, limit in CASES for factor in FACTORS
    ]
    cases += [("peak_power", *PEAK[:2], factor, PEAK[2]) for factor in FACTORS]
    if smoke:
        cases = [("energy", 20, 3, 1.5, 3.0)]
    return [_row(*case) for case in cases]


def _row(objective: str, tasks: int, devices: int, factor: float, limit: float) -> dict[str, Any]:
    instance = sleeping(tasks, devices, factor).with_objective(objective)
    return {
        "objective": objective,
        "tasks": tasks,
        "devices": devices,
        "deadline_factor": factor,
        "time_limit": limit,
        **figures(instance, limit),
    }
