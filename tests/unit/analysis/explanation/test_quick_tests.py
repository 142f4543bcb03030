"""What is plainly impossible, found without a solve."""

from __future__ import annotations

import pandas as pd
import pytest

from hetopt import explain, from_frames
from hetopt.analysis.explanation.quick_tests.run import screens
from tests.random_streams import random_stream


@pytest.mark.parametrize(
    ("objective", "limits"),
    [
        ("power", ("min_accuracy:rough",)),
        # Where work has a worth, none need be served but the share that is asked for.
        ("value", ("min_accuracy:rough", "min_share:rough")),
    ],
)
def test_what_a_job_lacks_in_accuracy_conflicts_with_the_share_that_must_be_served(
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
            "name": ["rough"], "rate_per_s": [1.0], "min_accuracy": [0.9], "value": [1.0],
            "min_share": [0.5],
        },
    }  # fmt: skip
    tables = {name: pd.DataFrame(table) for name, table in frames.items()}
    instance = from_frames(tables, {"regime": "steady", "objective": objective})
    found = [screen for screen in screens(instance) if screen.kind == "accuracy"]
    assert [screen.limits for screen in found] == [limits]


def test_jobs_whose_tasks_were_set_aside_lack_nothing() -> None:
    explanation = explain(random_stream(7037), time_limit=20)
    assert explanation.status == "infeasible"
