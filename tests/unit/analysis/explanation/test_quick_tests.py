"""What is plainly impossible, found without a solve."""

from __future__ import annotations

import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.analysis.explanation.quick_tests.run import screens


@pytest.mark.parametrize(
    ("objective", "limits"),
    [
        ("power", ("min_accuracy:rough",)),
        # Where work has a worth, none need be served but the share that is asked for.
        ("value", ("min_accuracy:rough", "min_share:rough")),
    ],
)
def test_a_job_lacks_accuracy_and_one_without_tasks_does_not(
    objective: str, limits: tuple[str, ...]
) -> None:
    frames = {
        "devices": {"name": ["cpu"]},
        "options": {
            "profile": ["p"], "device": ["cpu"], "time_s": [0.001], "energy_j": [0.1],
            "accuracy": [0.5],
        },
        "tasks": {"name": ["t"], "profile": ["p"], "job": ["rough"]},
        "jobs": {
            "name": ["vain", "rough"], "rate_per_s": [1.0, 1.0], "min_accuracy": [0.9, 0.9],
            "value": [1.0, 1.0], "min_share": [0.5, 0.5],
        },
    }  # fmt: skip
    tables = {name: pd.DataFrame(table) for name, table in frames.items()}
    instance = from_frames(tables, {"regime": "steady", "objective": objective})
    found = [screen for screen in screens(instance) if screen.kind == "accuracy"]
    assert [screen.limits for screen in found] == [limits]
