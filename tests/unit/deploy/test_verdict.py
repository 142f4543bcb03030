"""Predicted against measured: what a run says of its plan, from executions made up here."""

from __future__ import annotations

import pytest

from hetopt.deploy.pipeline.run import Executed, Frame, Run
from hetopt.deploy.pipeline.telemetry import telemetry_rows
from hetopt.deploy.pipeline.verdict import judge
from hetopt.deploy.pipeline.workers import StageInfo


def spec(tasks, predicted, threads=1, precision="fp32"):
    return {
        "tasks": tasks,
        "predicted_task_s": predicted,
        "predicted_s": sum(predicted),
        "threads": threads,
        "precision": precision,
        "option": f"{precision}-t{threads}",
        "unit": "",
    }


def made(executed, frames, *, pace="one", frame_s=0.05, rate=None, outputs=None, hop_s=0.001):
    """A pipeline of stage 0 on unit a, then 1 on b, then 2 on a."""
    specs = [spec(["s1", "s2"], [0.01, 0.03]), spec(["s3"], [0.006], 2), spec(["s4"], [0.002])]
    units = ["a#0", "b#0", "a#0"]
    for s, unit in zip(specs, units, strict=True):
        s["unit"] = unit
    stages = tuple(
        StageInfo(k, 0, units[k], specs[k], (k - 1,) if k else (), (k + 1,) if k < 2 else ())
        for k in range(3)
    )
    pipeline = {
        "frame_s": frame_s,
        "hop_s": hop_s,
        "tolerance": {"fp32": 1e-3, "int8": 0.2},
        "routes": [{"rate_per_s": rate, "batch": 2}],
        "units": [{"unit": "a#0", "device": "a"}, {"unit": "b#0", "device": "b"}],
    }
    return Run(pipeline, stages, tuple(executed), tuple(frames), pace, 1e9, outputs or {}, ())


def frame(number, released, ended):
    return Frame(number, 0, (0, 1, 2), released, {}, ended)


ONE = [
    Executed(2, 0, 0.00, 0.08, 0.04),  # twice as long as its processor time: others took the core
    Executed(2, 1, 0.09, 0.10, 0.012),
    Executed(2, 2, 0.11, 0.12, 0.002),
]


def test_wall_time_is_from_release_to_the_last_end():
    verdict = judge(made(ONE, [frame(2, 0.0, 0.12)]), tolerance=0.15)
    assert verdict.frame.measured == pytest.approx(0.12)
    assert [line.measured for line in verdict.stages] == pytest.approx([0.08, 0.01, 0.01])
    assert verdict.cpu_share == pytest.approx(0.054 / 0.1)
    (wrong,) = verdict.wrong
    assert wrong.startswith("a frame takes 0.12 where the plan says 0.05: off by +140%")


def test_processor_time_replays_the_frame_as_it_would_have_run():
    verdict = judge(made(ONE, [frame(2, 0.0, 0.12)]), tolerance=0.15, clock="cpu")
    # 40 ms, a hop, 12 ms on two threads, a hop, 2 ms.
    assert verdict.frame.measured == pytest.approx(0.04 + 0.001 + 0.006 + 0.001 + 0.002)
    assert verdict.wrong == ()


def test_the_rate_is_that_of_ends_and_by_processor_time_that_of_the_busiest_unit():
    executed = [
        Executed(n, e.stage, e.start_s + n, e.end_s + n, e.cpu_s) for n in range(2, 7) for e in ONE
    ]
    frames = [frame(n, float(n), n + 0.12) for n in range(2, 7)]
    run = made(executed, frames, pace="fast", frame_s=None, rate=40.0)
    verdict = judge(run, tolerance=0.15)
    assert verdict.rate.predicted == pytest.approx(20.0)  # requests come two at a time
    assert verdict.rate.measured == pytest.approx(1.0)
    assert "frames per second are 1" in verdict.wrong[0]
    verdict = judge(run, tolerance=0.2, clock="cpu")
    assert verdict.rate.measured == pytest.approx(1 / 0.042)
    assert verdict.wrong == ()


@pytest.mark.parametrize(("off", "wrong"), [(5e-4, 0), (2e-3, 1), (float("nan"), 1)])
def test_outputs_are_held_to_the_tolerance(off, wrong):
    run = made(ONE, [frame(2, 0.0, 0.12)], outputs={"net": off})
    assert len(judge(run, tolerance=10).wrong) == wrong


def test_joined_tasks_share_their_time_by_the_plan():
    rows = list(telemetry_rows(made(ONE, [frame(2, 0.0, 0.12)])))
    assert [r["task"] for r in rows] == ["s1", "s2", "s3", "s4"]
    assert [r["time_s"] for r in rows] == pytest.approx([0.02, 0.06, 0.01, 0.01])
    assert rows[1]["start_s"] == pytest.approx(0.02)
    assert rows[0]["stage"] == rows[1]["stage"] == "s1+s2"
    assert {r["device"] for r in rows} == {"a", "b"}
    assert all(r["energy_j"] is None for r in rows)
    rows = list(telemetry_rows(made(ONE, [frame(2, 0.0, 0.12)]), "cpu"))
    assert [r["time_s"] for r in rows] == pytest.approx([0.01, 0.03, 0.006, 0.002])
