"""Executes a pipeline: a process per unit, tensors in shared files, frames at a rate or one by one.

A *frame* is one execution of every route of a schedule, or of one route of streams (chosen by their
rates). On each unit the stages of a frame run in the order of the plan; of several frames that are
under way, the oldest goes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.deploy.pipeline.outputs import compare_outputs
from hetopt.deploy.pipeline.workers import StageInfo, load_stages, start_unit
from hetopt.deploy.pipeline.write import read_pipeline
from hetopt.errors import InputError, Problem
from hetopt.profiling.measure.tensors import Tensors, feed, folder
from hetopt.profiling.measure.unit import Unit, WorkerError, ready
from hetopt.profiling.onnx.shapes import TensorType

WARM_UP = 2
"""Frames before the first that counts."""
SILENT_S = 120.0
"""Seconds without any answer after which a run is given up."""
MOST_SLOWER = 100.0
PACES = ("one", "fast", "plan")
"""One frame after the other, as fast as the units go, or at the plan's rate."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A stage of a frame, as it ran; seconds since the run began."""

    frame: int
    stage: int
    start_s: float
    end_s: float
    cpu_s: float


@dataclass(slots=True)
class Frame:
    """A frame: what is left to do, and when it came and went."""

    number: int
    slot: int
    stages: tuple[int, ...]
    released_s: float
    waits: dict[int, int] = field(default_factory=dict)
    ended_s: float = float("nan")


@dataclass(frozen=True, slots=True)
class Run:
    """What was executed.

    Attributes
    ----------
    pipeline, stages
        What ran.
    executed
        Every stage of every frame that counts.
    frames
        The frames that count.
    began
        Time of day of second 0 (``time.time``).
    outputs
        Difference of each job's outputs from its whole model's, over the largest value; NaN where
        the model is not there to compare with, and ``not_compared`` says why.
    """

    pipeline: Mapping[str, Any]
    stages: tuple[StageInfo, ...]
    executed: tuple[Executed, ...]
    frames: tuple[Frame, ...]
    pace: str
    began: float
    outputs: Mapping[str, float]
    not_compared: tuple[str, ...]


def run_pipeline(
    place: str | Path,
    *,
    frames: int = 20,
    pace: str = "",
    rate: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    compare: bool = True,
    throttle: Mapping[str, float] | None = None,
    report: Callable[[str], object] | None = None,
) -> Run:
    """Execute a pipeline on this machine.

    Parameters
    ----------
    place
        Folder that ``hetopt deploy --to onnxruntime`` (or ``openvino``) wrote.
    frames
        Frames that count, after a few to warm up.
    pace
        One of ``PACES``; default: ``one`` for a schedule, ``plan`` for streams.
    rate
        Frames per second with pace ``plan``; default: those of the plan.
    inputs
        Arrays by name of the model's input, or ``JOB/INPUT``; random numbers where none is given.
    compare
        Whether to compare the outputs with those of the whole models.
    throttle
        Factors by unit: it is busy for so many times as long with each stage (a rehearsal of
        processors that throttle).
    report
        Called with a line about what is done.

    Raises
    ------
    InputError
        If the folder holds no pipeline, its cores or runtimes are not here, or a model does not
        load; if an input does not fit.
    """
    place = Path(place)
    pipeline = read_pipeline(place)
    stages = _stages(pipeline)
    chosen = pace or ("one" if pipeline["regime"] == "schedule" else "plan")
    if chosen not in PACES:
        raise InputError([Problem("--pace", chosen, f"{', '.join(PACES)}.")])
    known = [spec["unit"] for spec in pipeline["units"]]
    for name, factor in (throttle or {}).items():
        if name not in known:
            raise InputError([Problem("--throttle", name, f"A unit: {', '.join(known)}.")])
        if not 1.0 <= factor <= MOST_SLOWER:
            text = f"A factor from 1 to {MOST_SLOWER:g}."
            raise InputError([Problem("--throttle", f"{name}={factor:g}", text)])
    _check_inputs(pipeline["routes"], inputs or {})
    say = report or (lambda text: None)
    with folder() as files:
        tensors = [_tensors(files, k, r) for k, r in enumerate(pipeline["routes"])]
        slots = 1 if chosen == "one" else 2 * len(stages) + 1
        for k, route in enumerate(pipeline["routes"]):
            for slot in range(slots):
                _fill(route, tensors[k], slot, inputs or {})
        units: dict[str, Unit] = {}
        try:
            for spec in pipeline["units"]:
                units[spec["unit"]] = start_unit(spec)
            say("loading submodels")
            load_stages(place, pipeline, stages, tensors, units)
            loop = _Loop(pipeline, stages, units, slots, chosen, rate, throttle or {})
            say(f"running {frames} frames")
            executed, done = loop.go(frames)
        except WorkerError as error:
            raise InputError([Problem(str(place), "", f"A pipeline that runs: {error}")]) from None
        finally:
            for unit in units.values():
                unit.close()
        say("comparing outputs")
        differs, missing = compare_outputs(pipeline, tensors, files) if compare else ({}, [])
    return Run(
        pipeline,
        stages,
        tuple(executed),
        tuple(done),
        chosen,
        loop.time_of_day,
        differs,
        tuple(missing),
    )


def _stages(pipeline: Mapping[str, Any]) -> tuple[StageInfo, ...]:
    specs = [(k, s) for k, r in enumerate(pipeline["routes"]) for s in r["stages"]]
    made = {(k, n): i for i, (k, s) in enumerate(specs) for n in s["outputs"]}
    before = [
        sorted({made[k, n] for n in s["inputs"] if (k, n) in made})
        for i, (k, s) in enumerate(specs)
    ]
    after: list[list[int]] = [[] for _ in specs]
    for i, found in enumerate(before):
        for j in found:
            after[j].append(i)
    return tuple(
        StageInfo(i, k, s["unit"], s, tuple(before[i]), tuple(after[i]))
        for i, (k, s) in enumerate(specs)
    )


def _tensors(files: Path, number: int, route: Mapping[str, Any]) -> Tensors:
    types = {
        t["name"]: TensorType(tuple(t["shape"]), _element(t["dtype"])) for t in route["tensors"]
    }
    return Tensors(files, f"route{number}", types)


def _element(dtype: str) -> str:
    return {"float32": "float", "float64": "double"}.get(dtype, dtype)


def _check_inputs(routes: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> None:
    """Refuse arrays that no model takes: random numbers would stand in for what they mean."""
    plain = dict.fromkeys(name for route in routes for name in route["inputs"])
    known = {*plain, *(f"{r['job']}/{name}" for r in routes for name in r["inputs"])}
    for name in given:
        if name not in known:
            text = f"An input of a model: {', '.join(plain)}."
            raise InputError([Problem("--inputs", name, text)])


def _fill(route: Mapping[str, Any], tensors: Tensors, slot: int, given: Mapping[str, Any]) -> None:
    feed(route["inputs"], tensors, slot)
    for name in route["inputs"]:
        value = given.get(f"{route['job']}/{name}", given.get(name))
        if value is None:
            continue
        array, found = tensors.array(name, slot), np.asarray(value)
        if found.shape != array.shape or not np.can_cast(found.dtype, array.dtype, "same_kind"):
            expected = f"An array of {array.dtype} with shape {array.shape}."
            raise InputError([Problem(f"--input {name}", f"{found.dtype} {found.shape}", expected)])
        array[...] = found


class _Loop:
    """Hands stages to units as they become ready."""

    def __init__(
        self,
        pipeline: Mapping[str, Any],
        stages: Sequence[StageInfo],
        units: Mapping[str, Unit],
        slots: int,
        pace: str,
        rate: float | None,
        throttle: Mapping[str, float],
    ) -> None:
        self._throttle = throttle
        self._stages, self._units, self._pace = stages, units, pace
        self._free = list(range(slots))
        self._mix = _Mix(pipeline, stages)
        self._rate = rate or self._mix.rate
        self._busy: set[str] = set()
        self._live: list[Frame] = []
        self._left: dict[tuple[int, str], list[int]] = {}
        self._executed: list[Executed] = []
        self._begin = 0.0
        self.time_of_day = 0.0

    def go(self, count: int) -> tuple[list[Executed], list[Frame]]:
        """Run frames; return those that count, and their stages."""
        self._begin, self.time_of_day = time.monotonic(), time.time()
        total, released, done = count + WARM_UP, 0, list[Frame]()
        while len(done) < total:
            while released < total and self._free and self._due(released) <= 0:
                self._release(released)
                released += 1
            self._dispatch()
            wait = SILENT_S
            if released < total and self._free:
                wait = min(wait, max(0.0, self._due(released)))
            answered = ready([self._units[u] for u in sorted(self._busy)], wait)
            if not answered and self._busy and wait >= SILENT_S:
                raise WorkerError(f"no answer for {SILENT_S:g} s")
            for unit in answered:
                self._hear(unit)
            finished = [f for f in self._live if not f.waits]
            self._live = [f for f in self._live if f.waits]
            self._free += [f.slot for f in finished]
            done += finished
        kept = [f for f in sorted(done, key=lambda f: f.number) if f.number >= WARM_UP]
        return [e for e in self._executed if e.frame >= WARM_UP], kept

    def _now(self) -> float:
        return time.monotonic() - self._begin

    def _due(self, number: int) -> float:
        """Seconds until a frame may begin."""
        if self._pace == "plan":
            return number / self._rate - self._now()
        return 0.0

    def _release(self, number: int) -> None:
        chosen = self._mix.stages_of(number)
        due = number / self._rate if self._pace == "plan" else self._now()
        frame = Frame(number, self._free.pop(0), chosen, due)
        frame.waits = {s: len(self._stages[s].before) for s in chosen}
        for s in chosen:
            self._left.setdefault((number, self._stages[s].unit), []).append(s)
        self._live.append(frame)

    def _dispatch(self) -> None:
        for name, unit in self._units.items():
            if name in self._busy:
                continue
            for frame in self._live:
                order = self._left.get((frame.number, name))
                # In the order of the plan: a later stage does not overtake.
                if order and frame.waits[order[0]] == 0:
                    stage = order.pop(0)
                    self._busy.add(name)
                    unit.tell(
                        {
                            "do": "run",
                            "id": [frame.number, stage],
                            "model": str(stage),
                            "slot": frame.slot,
                            "slower": self._throttle.get(name, 1.0),
                        }
                    )
                    break

    def _hear(self, unit: Unit) -> None:
        for answer in unit.hear():
            if "error" in answer:
                raise WorkerError(str(answer["error"]))
            number, stage = answer["id"]
            info = self._stages[stage]
            self._busy.discard(info.unit)
            self._executed.append(
                Executed(
                    number,
                    stage,
                    answer["start"] - self._begin,
                    answer["end"] - self._begin,
                    answer["cpu_s"],
                )
            )
            frame = next(f for f in self._live if f.number == number)
            del frame.waits[stage]
            for later in info.after:
                frame.waits[later] -= 1
            if not frame.waits:
                frame.ended_s = self._now()


class _Mix:
    """Which route each frame takes."""

    def __init__(self, pipeline: Mapping[str, Any], stages: Sequence[StageInfo]) -> None:
        routes = pipeline["routes"]
        self._of = {
            k: tuple(s.number for s in _in_order(stages) if s.route == k)
            for k in range(len(routes))
        }
        self._all = tuple(s.number for s in _in_order(stages))
        self._schedule = pipeline["regime"] == "schedule"
        rates = [0.0 if self._schedule else r["rate_per_s"] / r["batch"] for r in routes]
        if self._schedule:
            frame = pipeline["frame_s"]
            self.rate = 1.0 / frame if frame else 1.0
        else:
            self.rate = sum(rates)
        self._due = [0.0] * len(routes)
        self._rates = rates

    def stages_of(self, number: int) -> tuple[int, ...]:
        """Stages of a frame: all of a schedule, else those of the route that is most behind."""
        if self._schedule:
            return self._all
        for k, rate in enumerate(self._rates):
            self._due[k] += rate / self.rate
        chosen = max(range(len(self._due)), key=lambda k: self._due[k])
        self._due[chosen] -= 1.0
        return self._of[chosen]


def _in_order(stages: Sequence[StageInfo]) -> list[StageInfo]:
    return sorted(
        stages,
        key=lambda s: (s.spec["start_s"] if s.spec["start_s"] is not None else 0.0, s.number),
    )
