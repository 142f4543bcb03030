"""The plan of last resort: all tasks one after the other on one unit."""

from __future__ import annotations

import pandas as pd

from hetopt import from_frames
from hetopt.schedule.list_scheduling.one_unit import on_one_unit
from hetopt.verify import verify


def test_the_faster_device_that_holds_all_weights_runs_everything() -> None:
    frames = {
        "devices": pd.DataFrame(
            [{"name": "fast", "memory_b": 3.0}, {"name": "slow"}, {"name": "slower"}]
        ),
        "options": pd.DataFrame(
            [
                {"profile": p, "device": d, "time_s": t, "weights_b": 2.0, "model": p}
                for p in "ab"
                for d, t in (("fast", 1.0), ("slow", 2.0), ("slower", 3.0))
            ]
        ),
        "tasks": pd.DataFrame([{"name": "a"}, {"name": "b"}]),
        "transfers": pd.DataFrame([{"from": "a", "to": "b", "bytes": 1.0}]),
    }
    instance = from_frames(frames, {"objective": "makespan"})
    plan = on_one_unit(instance)
    assert plan is not None
    report = verify(instance, plan)
    assert report.ok
    assert report.objectives["makespan"] == 4.0
