"""Models measured on this machine: whole and segment by segment, over places and precisions."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.profiling.measure import energy
from hetopt.profiling.measure.places import Place
from hetopt.profiling.measure.quantise import difference, in_precision
from hetopt.profiling.measure.sessions import check_device
from hetopt.profiling.measure.tensors import Tensors, feed, folder
from hetopt.profiling.measure.unit import Unit, WorkerError
from hetopt.profiling.onnx.cut import borders, submodel
from hetopt.profiling.onnx.document import ModelProfile
from hetopt.profiling.onnx.graph import Operator, OperatorGraph

INTERVAL = 0.03
"""Half the width of the 95 % interval of a median, as a part of it, at which repeating stops."""
MOST_S = 2.0
"""Seconds spent at most on one segment, with its part of the whole model."""
MOST_WHOLE_S = 60.0
"""Seconds spent at most on one model in one setting."""
CLOCKS = ("wall", "cpu")
"""What is timed: seconds that pass, or seconds of the processor, by thread.

On a machine that others use too, processor time says how long a run takes with its cores to itself
(if its threads are busy all the time, as one thread is)."""
HOPS = 200
"""Exchanges with a worker whose median is the time of a hop."""
COPY_B = 1 << 24
"""Bytes of the copy that the rate of memory is told by: more than a core's own cache."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run: where, with how many threads, in which precision, for how many requests."""

    place: Place
    threads: int
    precision: str
    batch: int

    @property
    def label(self) -> str:
        """``int8-t1``; with ``-b8`` where it serves more than one request."""
        return f"{self.precision}-t{self.threads}" + (f"-b{self.batch}" if self.batch > 1 else "")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a setting does with a model.

    Attributes
    ----------
    whole
        Seconds of each run of the whole model.
    segments
        Seconds of each run of each segment, in their order.
    settled
        Whether every median is known to within ``INTERVAL``.
    difference
        Largest difference of the whole model's outputs from fp32, over the largest value there.
    energy_j
        Energy above idle of each segment; NaN where missing, and ``energy_missing`` says why.
    cpu_share
        Processor time of the process over wall time: below the threads where others took the cores.
    """

    model: str
    setting: Setting
    whole: tuple[float, ...]
    segments: tuple[tuple[float, ...], ...]
    settled: bool
    difference: float
    energy_j: tuple[float, ...]
    idle_w: float
    energy_missing: str
    cpu_share: float

    @property
    def whole_s(self) -> float:
        """Median of the whole model."""
        return statistics.median(self.whole)

    @property
    def sum_s(self) -> float:
        """Sum of the segments' medians."""
        return sum(statistics.median(times) for times in self.segments)

    @property
    def boundary_s(self) -> float:
        """What a cut costs: how much longer all segments take than the whole, per cut."""
        cuts = len(self.segments) - 1
        return max(0.0, (self.sum_s - self.whole_s) / cuts) if cuts else 0.0

    @property
    def scale(self) -> float:
        """Factor on segments' times that leaves the cost of cutting to the transfers."""
        return min(1.0, self.whole_s / self.sum_s) if len(self.segments) > 1 else 1.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """All that was measured.

    Attributes
    ----------
    rows
        One per model and setting that ran.
    failed
        Sentences on settings that a runtime could not run.
    hop_s
        Seconds from one worker's end to the next one's begin.
    copy_b_per_s
        Rate at which a core copies memory.
    machine
        Processor, runtimes, and how busy the machine was.
    """

    rows: tuple[Measured, ...]
    failed: tuple[str, ...]
    hop_s: float
    copy_b_per_s: float
    machine: str
    clock: str = "wall"


def measure(
    profiles: Callable[[int], Sequence[ModelProfile]],
    places: Sequence[Place],
    *,
    batches: Sequence[int] = (1,),
    precisions: Sequence[str] = ("fp32",),
    threads: Sequence[int] | None = None,
    most_s: float = MOST_S,
    clock: str = "wall",
    report: Callable[[str], object] | None = None,
) -> Sweep:
    """Measure models over places, batch sizes, precisions and numbers of threads.

    Parameters
    ----------
    profiles
        The models, cut alike, with their inputs for a batch size.
    places
        Where to run.
    batches, precisions
        What to sweep over.
    threads
        Numbers of threads; default: all cores of each place. More than a place has are left out.
    most_s
        Seconds spent at most on each segment.
    clock
        One of ``CLOCKS``.
    report
        Called with a line about what is measured.

    Raises
    ------
    InputError
        If a runtime is not installed or has no such device, or nothing could be measured.
    """
    for place in places:
        check_device(place.runtime, place.device)
    say = report or (lambda text: None)
    rows: list[Measured] = []
    failed: list[str] = []
    for batch in batches:
        models = list(profiles(batch))
        with folder() as files:
            references: dict[str, list[Any]] = {}
            for setting in _settings(places, threads, precisions, batch):
                for profile in models:
                    say(f"{profile.name}: {setting.place.name} {setting.label}")
                    try:
                        rows.append(_measure(profile, setting, files, references, most_s, clock))
                    except WorkerError as error:
                        failed.append(
                            f"{profile.name} on {setting.place.name} {setting.label}: {error}"
                        )
    if not rows:
        raise InputError([Problem("--on", "", f"A runtime that runs the model: {failed[0]}")])
    return Sweep(tuple(rows), tuple(failed), _hop(places[0]), _copy_rate(), machine(places), clock)


def _settings(
    places: Sequence[Place],
    threads: Sequence[int] | None,
    precisions: Sequence[str],
    batch: int,
) -> Iterator[Setting]:
    found = 0
    for place in places:
        for count in threads or (len(place.cores),):
            if count <= len(place.cores):
                for precision in precisions:
                    found += 1
                    yield Setting(place, count, precision, batch)
    if not found:
        listed = ",".join(str(t) for t in threads or ())
        raise InputError([Problem("--threads", listed, "No more threads than a place has cores.")])


def _measure(
    profile: ModelProfile,
    setting: Setting,
    files: Path,
    references: dict[str, list[Any]],
    most_s: float,
    clock: str,
) -> Measured:
    graph = profile.graph
    tensors = Tensors(files, profile.name, graph.types)
    feed(graph.inputs, tensors)
    with Unit(setting.place, setting.place.pinned(setting.threads)) as unit:
        run = _Runs(unit, setting, tensors, files, clock)
        whole = run.load(graph, None)
        run.once(whole)
        outputs = [np.array(tensors.array(n)) for n in graph.outputs]
        expected = references.get(profile.name)
        if expected is None and setting.precision != "fp32":
            expected = _fp32(profile, setting, files)
        if expected is None:
            expected = outputs
        references[profile.name] = expected
        parts = [run.load(graph, s.operators) for s in profile.segments]
        for part in parts:
            run.once(part)
        several = len(parts) > 1
        most = min(most_s * len(parts), MOST_WHOLE_S)
        groups = [[whole], parts] if several else [[whole]]
        found = run.timed(groups, most)
        times = [found[name] for group in groups for name in group]
        joules = [
            run.energy(name, statistics.median(found[name]["times"]))
            for name in (parts if several else [whole])
        ]
    clocked = [tuple(t["times"]) for t in times]
    walls = sum(sum(t["walls"]) for t in times)
    busy = sum(sum(t["cpu_times"]) for t in times) / max(walls, 1e-12)
    return Measured(
        profile.name,
        setting,
        clocked[0],
        tuple(clocked[1:]) if several else (clocked[0],),
        all(t["settled"] for t in times),
        difference(outputs, expected),
        tuple(joules),
        run.idle_w,
        run.energy_missing,
        busy,
    )


def _fp32(profile: ModelProfile, setting: Setting, files: Path) -> list[Any]:
    """Return the outputs of the model as it stands."""
    plain = Setting(setting.place, setting.threads, "fp32", setting.batch)
    tensors = Tensors(files, profile.name, profile.graph.types)
    with Unit(plain.place, plain.place.pinned(plain.threads)) as unit:
        run = _Runs(unit, plain, tensors, files, "wall")
        run.once(run.load(profile.graph, None))
    return [np.array(tensors.array(n)) for n in profile.graph.outputs]


class _Runs:
    """Models of one worker."""

    def __init__(
        self, unit: Unit, setting: Setting, tensors: Tensors, files: Path, clock: str
    ) -> None:
        self._unit, self._setting, self._tensors, self._files = unit, setting, tensors, files
        self._clock = clock
        self._counters, self.energy_missing = energy.counters(setting.place.kind)
        self.idle_w = energy.idle_power(self._counters) if self._counters else float("nan")
        energy.WORKERS[:] = [unit.pid]
        self._loaded = 0

    def load(self, graph: OperatorGraph, part: Sequence[Operator] | None) -> str:
        """Load a part of a model, or all of it; return what to call it."""
        name = f"m{self._loaded}"
        self._loaded += 1
        inputs, outputs = borders(graph, graph.operators if part is None else part)
        path = self._files / f"{name}.onnx"
        path.write_bytes(in_precision(submodel(graph, part), self._setting.precision))
        self._unit.ask(
            {
                "do": "load",
                "model": name,
                "runtime": self._setting.place.runtime,
                "device": self._setting.place.device,
                "threads": self._setting.threads,
                "path": str(path),
                "inputs": self._tensors.of(inputs),
                "outputs": self._tensors.of(outputs),
            }
        )
        path.unlink()
        return name

    def once(self, model: str) -> None:
        """Run it once, so that its outputs are there."""
        self._unit.ask({"do": "run", "model": model, "slot": 0})

    def timed(self, groups: list[list[str]], most_s: float) -> dict[str, dict[str, Any]]:
        """Time models in turn; ``times`` by the clock asked for, ``walls`` as they passed."""
        answer = self._unit.ask(
            {
                "do": "time",
                "groups": groups,
                "interval": INTERVAL,
                "most_s": most_s,
                "clock": self._clock,
                "threads": self._setting.threads,
            }
        )
        found: dict[str, dict[str, Any]] = answer["times"]
        return found

    def energy(self, model: str, time_s: float) -> float:
        """Return the energy above idle of a run, of as many as a second holds."""
        if not self._counters:
            return float("nan")
        runs = max(3, int(1.0 / max(time_s, 1e-6)))
        reading = energy.energy_of(
            self._counters,
            self.idle_w,
            lambda: self._often(model, runs),
            runs,
            self.energy_missing,
        )
        self.energy_missing = self.energy_missing or reading.missing
        return reading.energy_j

    def _often(self, model: str, runs: int) -> None:
        for _ in range(runs):
            self.once(model)


def _hop(place: Place) -> float:
    import time

    with Unit(place) as unit:
        times = []
        for _ in range(HOPS):
            begin = time.perf_counter()
            unit.ask({"do": "nothing"})
            times.append(time.perf_counter() - begin)
    return statistics.median(times[HOPS // 10 :])


def _copy_rate() -> float:
    import time

    a, b = np.ones(COPY_B, dtype=np.uint8), np.empty(COPY_B, dtype=np.uint8)
    times = []
    for _ in range(8):
        begin = time.perf_counter()
        np.copyto(b, a)
        times.append(time.perf_counter() - begin)
    return COPY_B / statistics.median(times)


def machine(places: Sequence[Place]) -> str:
    """Say on what was measured, and how busy it was."""
    runtimes = sorted({p.runtime for p in places})
    parts = [_processor(), *(f"{r} {package_version(r)}" for r in runtimes)]
    if hasattr(os, "getloadavg"):
        parts.append(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return ", ".join(parts)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
