"""Logs of runs: ONNX Runtime's profiler, power meters, MLPerf's load generator."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.tables.measurement import Measurement
from hetopt.profiling.tables.sheet import Sheet, read_text

SUMMARY = "mlperf_log_summary.txt"
RAILS = ("VDD_IN", "VIN_SYS_5V0", "POM_5V_IN", "VDD_SYS_IN")
"""Rails of tegrastats that carry the whole board, the first that is there."""
BUSY = 5.0
"""Per cent of utilisation above which a sample counts as busy."""


@dataclass(frozen=True, slots=True)
class LogTask:
    """What ran while a power log was written: power meters do not know.

    Attributes
    ----------
    task, device, label
        Names, as options have them.
    runs
        Executions while the log says busy.
    """

    task: str
    device: str = ""
    label: str = ""
    runs: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sample:
    time_s: float
    power_w: float
    busy_percent: float


def onnxruntime_profile(path: Path, task: str = "", device: str = "") -> list[Measurement]:
    """Return the runs in a profile that ONNX Runtime wrote: a measurement for each ``model_run``.

    The first run, which allocates, is left out where there are others. Without ``device`` it is
    the execution provider that took most of the time.

    Raises
    ------
    InputError
        If the file holds no run.
    """
    events = _events(path)
    runs = [e for e in events if e.get("cat") == "Session" and e.get("name") == "model_run"]
    if not runs:
        text = "A profile of ONNX Runtime with at least one model_run."
        raise InputError([Problem(str(path), "", text)])
    providers: dict[str, float] = {}
    for event in events:
        arguments = event.get("args") or {}
        if event.get("cat") == "Node" and arguments.get("provider"):
            name = str(arguments["provider"]).removesuffix("ExecutionProvider")
            providers[name] = providers.get(name, 0.0) + float(event.get("dur", 0.0))
    provider = max(providers, key=lambda name: providers[name]) if providers else "CPU"
    kept = runs[1:] or runs
    return [
        Measurement(
            device=device or f"onnxruntime:{provider.lower()}",
            task=task or path.stem,
            label="" if len(providers) < 2 else "+".join(sorted(providers)),
            time_s=float(run["dur"]) * 1e-6,
            kind="cpu" if provider == "CPU" else "",
            source=f"ONNX Runtime profile {path.name}",
        )
        for run in kept
    ]


def is_onnxruntime_profile(path: Path) -> bool:
    """Whether a JSON file is a profile of ONNX Runtime."""
    if path.suffix.lower() != ".json":
        return False
    head = read_text(path)[:4000]
    return '"cat"' in head and ('"Session"' in head or '"Node"' in head) and '"dur"' in head


def _events(path: Path) -> list[dict[str, Any]]:
    text = read_text(path).strip()
    try:
        data = json.loads(text)
    except ValueError:
        try:  # a session that was not ended leaves the list open
            data = json.loads(text.rstrip(", \n") + "]")
        except ValueError as error:
            raise InputError([Problem(str(path), "", f"JSON: {error}.")]) from None
    if isinstance(data, dict):
        data = data.get("traceEvents", [])
    return [event for event in data if isinstance(event, dict)]


def nvidia_smi_log(sheet: Sheet, ran: LogTask) -> list[Measurement]:
    """Return what ``nvidia-smi --query-gpu=timestamp,name,power.draw,utilization.gpu`` logged.

    Raises
    ------
    InputError
        If there is no column of power or time, or no busy sample.
    """
    columns = {re.sub(r"\s*\[.*?\]", "", name).strip(): name for name in sheet.columns}
    power = columns.get("power.draw", columns.get("power.draw.instant", ""))
    stamp = columns.get("timestamp", "")
    if not power or not stamp:
        text = "Columns timestamp and power.draw of nvidia-smi --query-gpu."
        raise InputError([Problem(sheet.name, ", ".join(sheet.columns), text)])
    load = columns.get("utilization.gpu", "")
    by_name: dict[str, list[_Sample]] = {}
    for i, cells in enumerate(sheet.rows):
        watts = _leading(cells[power])
        if math.isnan(watts):
            continue
        at = _time_of(cells[stamp], sheet.name, sheet.lines[i])
        name = cells.get(columns.get("name", ""), "") or "gpu"
        if columns.get("index", ""):
            name = f"{name} {cells[columns['index']].strip()}"
        by_name.setdefault(name.strip(), []).append(
            _Sample(at, watts, _leading(cells[load]) if load else 100.0)
        )
    rows: list[Measurement] = []
    for name, samples in by_name.items():
        rows += _from_samples(sheet.name, samples, ran, ran.device or name, "gpu")
    return rows


def is_nvidia_smi(sheet: Sheet) -> bool:
    """Whether the headings are those of ``nvidia-smi --query-gpu``."""
    return any(name.startswith("power.draw") for name in sheet.columns)


def tegrastats_log(path: Path, ran: LogTask) -> list[Measurement]:
    """Return what ``tegrastats`` logged; samples without a time are a second apart.

    Raises
    ------
    InputError
        If no line names a rail of the whole board, or no sample is busy.
    """
    samples: list[_Sample] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        watts = _rail(line)
        if math.isnan(watts):
            continue
        stamp = re.match(r"(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d)", line)
        at = _time_of(stamp[1], str(path), number) if stamp else float(len(samples))
        load = re.search(r"GR3D_FREQ (\d+)%", line)
        samples.append(_Sample(at, watts, float(load[1]) if load else 100.0))
    if not samples:
        text = f"Lines of tegrastats with a rail of the board: {', '.join(RAILS)}."
        raise InputError([Problem(str(path), "", text)])
    return _from_samples(str(path), samples, ran, ran.device or "jetson gpu", "gpu")


def is_tegrastats(path: Path) -> bool:
    """Whether a file is a log of ``tegrastats``."""
    head = read_text(path)[:4000]
    return "RAM " in head and ("GR3D_FREQ" in head or "EMC_FREQ" in head)


def _rail(line: str) -> float:
    for rail in RAILS:
        found = re.search(rf"\b{rail} ([\d.]+)(mW|W)?(?:/[\d.]+)?", line)
        if found:
            value = float(found[1])
            return value if found[2] == "W" else value * 1e-3
    return math.nan


def perf_log(path: Path, ran: LogTask) -> list[Measurement]:
    """Return what ``perf stat -e power/energy-pkg/`` printed: energy and time of the whole run.

    Raises
    ------
    InputError
        If no time elapsed stands in it, or the number of runs is not known.
    """
    text = read_text(path)
    elapsed = re.search(r"([\d.,]+)(?:\s*\+-\s*[\d.,]+)?\s+seconds time elapsed", text)
    if elapsed is None:
        raise InputError([Problem(str(path), "", "A line of perf stat with the time elapsed.")])
    _needs_runs(ran, str(path))
    time = float(elapsed[1].replace(",", ""))
    joules = {
        name: float(amount.replace(",", ""))
        for amount, name in re.findall(r"([\d.,]+)\s+Joules\s+(power/energy-\w+/)", text)
    }
    # The package holds its cores; DRAM is beside it.
    whole = joules.get("power/energy-pkg/", math.nan) + joules.get("power/energy-ram/", 0.0)
    return [
        Measurement(
            device=ran.device or "cpu",
            task=ran.task,
            label=ran.label,
            time_s=time / ran.runs,
            power_w=whole / time,
            kind="cpu",
            source=f"perf stat {path.name}",
        )
    ]


def is_perf(path: Path) -> bool:
    """Whether a file is what ``perf stat`` printed."""
    return "seconds time elapsed" in read_text(path)[:20000]


def mlperf_results(folder: Path) -> list[Measurement]:
    """Return the results in a folder of MLPerf Inference: ``SYSTEM/BENCHMARK/SCENARIO/...``.

    Throughput is that of Offline and Server, a stream's time the mean latency of SingleStream.
    Power is the mean of the load's samples where ``power/spl.txt`` stands beside the run.

    Raises
    ------
    InputError
        If no valid performance run is there.
    """
    rows = []
    invalid = 0
    for path in sorted(folder.rglob(SUMMARY)):
        if "performance" not in path.parts:
            continue
        said = _summary(path)
        if said.get("Result is") != "VALID":
            invalid += 1
            continue
        parts = path.parts
        at = parts.index("performance")
        system, benchmark, scenario = parts[at - 3], parts[at - 2], parts[at - 1]
        row = _mlperf(path, said, (system, benchmark, scenario))
        if row is not None:
            rows.append(row)
    if not rows:
        text = f"Valid performance runs: SYSTEM/BENCHMARK/SCENARIO/performance/run_1/{SUMMARY}"
        text += f" ({invalid} invalid ones are there)." if invalid else "."
        raise InputError([Problem(str(folder), "", text)])
    return rows


def _summary(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in read_text(path).splitlines())
    return {key.strip(): value.strip() for key, mark, value in pairs if mark}


def _mlperf(path: Path, said: Mapping[str, str], names: tuple[str, str, str]) -> Measurement | None:
    system, benchmark, scenario = names
    rate = next(
        (
            _leading(said[key])
            for key in (
                *("Samples per second", "Completed samples per second"),
                *("Scheduled samples per second", "Completed tokens per second"),
            )
            if key in said
        ),
        math.nan,
    )
    mean = _leading(said.get("Mean latency (ns)", "")) * 1e-9
    streams = rate > 0
    time = 1 / rate if streams else mean
    if not time > 0:
        return None
    p99 = _leading(said.get("99.00 percentile latency (ns)", "")) * 1e-9
    return Measurement(
        device=system,
        task=benchmark,
        label=scenario,
        time_s=time,
        power_w=_mlperf_power(path),
        latency_s=p99 if scenario == "Server" else math.nan,
        source=f"MLPerf {'/'.join(names)}",
        streams=streams,
    )


def _mlperf_power(path: Path) -> float:
    """Return the mean power while a run went on, NaN where none was logged."""
    log = path.parent / "spl.txt"
    if not log.exists():
        return math.nan
    watts = [_leading(found) for found in re.findall(r"Watts,([\d.]+)", read_text(log))]
    return statistics.fmean(watts) if watts else math.nan


def _from_samples(
    name: str, samples: Sequence[_Sample], ran: LogTask, device: str, kind: str
) -> list[Measurement]:
    """Return the option that a power log describes: draw while busy, time over runs, idle."""
    _needs_runs(ran, name)
    busy = [s for s in samples if s.busy_percent >= BUSY]
    idle = [s.power_w for s in samples if s.busy_percent < BUSY]
    if not busy:
        raise InputError([Problem(name, device, f"A sample at {BUSY:g} % load or more.")])
    steps = [b.time_s - a.time_s for a, b in pairwise(samples)]
    step = statistics.median(steps) if steps else 1.0
    return [
        Measurement(
            device=device,
            task=ran.task,
            label=ran.label,
            time_s=len(busy) * step / ran.runs,
            power_w=statistics.fmean(s.power_w for s in busy),
            idle_power_w=min(statistics.median(idle), min(s.power_w for s in busy))
            if idle
            else math.nan,
            kind=kind,
            source=f"power log {Path(name).name}",
        )
    ]


def _needs_runs(ran: LogTask, name: str) -> None:
    if not ran.task or not ran.runs > 0:
        text = "--task NAME and --runs N: a power log does not say what ran, and how often."
        raise InputError([Problem(name, "", text)])


def _leading(cell: str) -> float:
    found = re.match(r"\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)", cell)
    return float(found[1]) if found else math.nan


def _time_of(text: str, name: str, line: int) -> float:
    for form in ("%Y/%m/%d %H:%M:%S.%f", "%Y/%m/%d %H:%M:%S", "%m-%d-%Y %H:%M:%S"):
        try:
            return datetime.strptime(text.strip(), form).timestamp()
        except ValueError:
            continue
    raise InputError([Problem(f"{name}:{line}", text, "A time such as 2026/11/30 12:00:00.000.")])
