"""Predicted against measured: stage by stage, and by the frame."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hetopt.deploy.pipeline.run import Run
from hetopt.profiling.measure.timing import median_interval

TOLERANCE = 0.15
"""Part by which a measured frame may differ from the plan, by default."""


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of the plan beside the one measured; all in seconds (a rate: per second).

    ``low`` and ``high`` are the 95 % interval of the measured median.
    """

    name: str
    predicted: float
    measured: float
    low: float
    high: float
    count: int

    @property
    def off(self) -> float:
        """Measured over predicted, less 1."""
        return self.measured / self.predicted - 1 if self.predicted > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run says of its plan.

    Attributes
    ----------
    stages
        Times of stages.
    frame
        Time of a frame; ``None`` where the plan states none.
    rate
        Frames per second: of the plan, and as they were done; ``None`` for one by one.
    cpu_share
        Processor time over wall time of all stages: below the threads where others took the cores.
    wrong
        What is outside the tolerances, in sentences; empty where nothing is.
    """

    stages: tuple[Line, ...]
    frame: Line | None
    rate: Line | None
    cpu_share: float
    wrong: tuple[str, ...]


def judge(run: Run, *, tolerance: float = TOLERANCE, clock: str = "wall") -> Verdict:
    """Compare a run with its plan.

    Parameters
    ----------
    run
        What was executed.
    tolerance
        Part by which the median frame (in streams: the rate) may differ.
    clock
        ``wall``, or ``cpu`` on a machine that others use: stages by processor time, the frame as it
        would have run with them (each stage begins when its unit and its inputs are ready), and the
        rate of pace ``fast`` as the busiest unit would have kept it.
    """
    stages = tuple(_stage(run, k, clock) for k in range(len(run.stages)))
    frame = _frame(run, clock)
    rate = _rate(run, clock)
    wrong = []
    if frame is not None and abs(frame.off) > tolerance:
        wrong.append(_outside("a frame takes", frame, tolerance))
    if rate is not None and run.pace != "one" and frame is None and rate.off < -tolerance:
        wrong.append(_outside("frames per second are", rate, tolerance))
    precisions = {s.spec["precision"] for s in run.stages}
    allowed = run.pipeline["tolerance"]["int8" if "int8" in precisions else "fp32"]
    for job, off in run.outputs.items():
        if not off <= allowed:
            wrong.append(
                f"outputs of {job} differ from the whole model's by {off:.2g} of the largest, "
                f"more than {allowed:g}"
            )
    walls = sum(e.end_s - e.start_s for e in run.executed)
    share = sum(e.cpu_s for e in run.executed) / max(walls, 1e-12)
    return Verdict(stages, frame, rate, share, tuple(wrong))


def _outside(words: str, line: Line, tolerance: float) -> str:
    return (
        f"{words} {line.measured:.4g} where the plan says {line.predicted:.4g}: off by "
        f"{line.off:+.0%}, more than {tolerance:.0%}"
    )


def _stage(run: Run, number: int, clock: str) -> Line:
    times = [
        e.cpu_s / run.stages[number].spec["threads"] if clock == "cpu" else e.end_s - e.start_s
        for e in run.executed
        if e.stage == number
    ]
    spec = run.stages[number].spec
    return _line("+".join(spec["tasks"]), spec["predicted_s"], times)


def _line(name: str, predicted: float, times: list[float]) -> Line:
    if not times:
        nan = float("nan")
        return Line(name, predicted, nan, nan, nan, 0)
    low, high = median_interval(times)
    return Line(name, predicted, statistics.median(times), low, high, len(times))


def _frame(run: Run, clock: str) -> Line | None:
    predicted = run.pipeline["frame_s"]
    if predicted is None or run.pace == "fast":
        return None
    if clock == "cpu":
        return _line("frame", predicted, [_replayed(run, f.number) for f in run.frames])
    return _line("frame", predicted, [f.ended_s - f.released_s for f in run.frames])


def _replayed(run: Run, frame: int) -> float:
    """Return the time of a frame whose stages take their processor time and hops what they took."""
    executed = sorted((e for e in run.executed if e.frame == frame), key=lambda e: e.start_s)
    hop = run.pipeline.get("hop_s") or 0.0
    free: dict[str, float] = {}
    ended: dict[int, float] = {}
    for e in executed:
        info = run.stages[e.stage]
        arrived = [
            ended[b] + (0.0 if run.stages[b].unit == info.unit else hop) for b in info.before
        ]
        begin = max([free.get(info.unit, 0.0), *arrived])
        ended[e.stage] = free[info.unit] = begin + e.cpu_s / info.spec["threads"]
    return max(ended.values(), default=0.0)


def _rate(run: Run, clock: str) -> Line | None:
    if run.pace == "one" or len(run.frames) < 2:
        return None
    done = sorted(f.ended_s for f in run.frames)
    measured = (len(done) - 1) / max(done[-1] - done[0], 1e-12)
    if clock == "cpu" and run.pace == "fast":
        # What the busiest unit could do with its cores to itself.
        busy: dict[str, float] = {}
        for e in run.executed:
            info = run.stages[e.stage]
            busy[info.unit] = busy.get(info.unit, 0.0) + e.cpu_s / info.spec["threads"]
        measured = len(run.frames) / max(max(busy.values(), default=0.0), 1e-12)
    planned = sum(r["rate_per_s"] / r["batch"] for r in run.pipeline["routes"] if r["rate_per_s"])
    if not planned:
        frame = run.pipeline["frame_s"]
        planned = 1.0 / frame if frame else 0.0
    return Line("frames per second", planned, measured, measured, measured, len(done))


def verdict_to_dict(run: Run, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as one JSON object; what is not finite becomes null."""

    def line(found: Line | None) -> Mapping[str, Any] | None:
        if found is None:
            return None
        names = ("name", "predicted", "measured", "low", "high", "off", "count")
        values = {name: getattr(found, name) for name in names}
        return {k: None if v != v else v for k, v in values.items()}

    return {
        "ok": not verdict.wrong,
        "pace": run.pace,
        "frames": len(run.frames),
        "frame": line(verdict.frame),
        "rate": line(verdict.rate),
        "stages": [
            {**(line(found) or {}), "unit": info.unit, "option": info.spec["option"]}
            for found, info in zip(verdict.stages, run.stages, strict=True)
        ],
        "cpu_share": verdict.cpu_share,
        "outputs": {k: v if math.isfinite(v) else None for k, v in run.outputs.items()},
        "not_compared": list(run.not_compared),
        "wrong": list(verdict.wrong),
    }
