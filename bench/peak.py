"""Least peak power of generated layered graphs with a deadline: plans and bounds."""

from __future__ import annotations

from typing import Any

from bench.layered import figures, layered
from bench.sleep import sleeping

CASES = [(25, 3), (25, 8), (100, 3), (100, 8), (500, 3), (500, 8)]
"""Tasks and devices."""
ASLEEP = (25, 3)
"""The same where devices sleep in gaps."""
FACTOR = 1.5
"""Deadline over the makespan of HEFT."""
LIMIT_S = 20.0


def peak(smoke: bool) -> list[dict[str, Any]]:
    """Least peak power of schedules with a deadline, without sleep and with it."""
    cases = [(*case, False) for case in CASES] + [(*ASLEEP, True)]
    return [_row(*case, 4.0 if smoke else LIMIT_S) for case in (cases[:1] if smoke else cases)]


def _row(tasks: int, devices: int, asleep: bool, limit: float) -> dict[str, Any]:
    instance = (sleeping if asleep else layered)(tasks, devices, FACTOR)
    return {
        "tasks": tasks,
        "devices": devices,
        "sleep": asleep,
        "deadline_factor": FACTOR,
        "time_limit": limit,
        **figures(instance.with_objective("peak_power"), limit),
    }
