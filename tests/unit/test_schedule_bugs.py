"""Bugs of the schedule regime that comparison with the oracle brought to light."""

from __future__ import annotations

import pandas as pd
import pytest

from hetopt.instance import Instance
from hetopt.solve import solve


def instance(**settings: object) -> Instance:
    """Two tasks of 2 s, which one always-on unit of two may run one after the other."""
    frames = {
        "devices": pd.DataFrame(
            {
                "name": ["gpu"],
                "count_min": [1],
                "count_max": [2],
                "idle_power_w": [1.0],
                "off_when_unused": [False],
            }
        ),
        "options": pd.DataFrame(
            {"profile": ["p"], "device": ["gpu"], "time_s": [2.0], "energy_j": [3.0]}
        ),
        "tasks": pd.DataFrame({"name": ["a", "b"], "profile": ["p", "p"]}),
    }
    return Instance.from_frames(frames, {"regime": "schedule", **settings})


def test_a_second_unit_is_priced_where_the_first_is_had_anyway() -> None:
    solution = solve(instance(objective="energy"), time_limit=10, workers=1)
    assert solution.status == "optimal"
    # One unit for 4 s, or two for 2 s: 4 J of idle either way.
    assert solution.objective == pytest.approx(10.0)
