"""Names of objectives, by regime."""

from __future__ import annotations

from typing import Literal

ObjectiveName = Literal[
    "energy",
    "makespan",
    "cost",
    "carbon",
    "tardiness",
    "peak_power",
    "accuracy",
    "throughput",
    "power",
    "value",
]
"""Names of objectives of both regimes; the two tuples say which regime has which."""
SCHEDULE_OBJECTIVES: tuple[ObjectiveName, ...] = (
    "energy",
    "makespan",
    "cost",
    "carbon",
    "tardiness",
    "peak_power",
    "accuracy",
    "value",
)
STEADY_OBJECTIVES: tuple[ObjectiveName, ...] = (
    "throughput",
    "power",
    "cost",
    "carbon",
    "accuracy",
    "value",
)
MAXIMISED = ("throughput", "accuracy", "value")


def is_maximised(objective: str) -> bool:
    """Whether more of ``objective`` is better."""
    return objective in MAXIMISED
