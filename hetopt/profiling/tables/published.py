"""Tables that projects publish of themselves: AI Hub, OpenVINO, AIConfigurator."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.tables.measurement import Measurement
from hetopt.profiling.tables.sheet import Sheet, read_text

AIHUB_COLUMNS = ("model", "precision", "device", "runtime", "time_ms", "primary_unit")
OPENVINO_COLUMNS = ("Network model", "Platform name")
OPENVINO_TIDY = ("model", "platform", "device", "precision", "throughput_fps")
AICONFIGURATOR_COLUMNS = ("model", "isl", "osl", "tpot", "ttft", "system")
AICONFIGURATOR_SPLIT = ("model", "isl", "osl", "tpot", "ttft", "(p)system", "(d)system")
PLATFORM = re.compile(r"^(?P<name>.*?)\s+(?P<device>CPU\+iGPU|CPU-only|iGPU-only|NPU-only|dGPU)$")
MARKS = str.maketrans("", "", "®™")
"""Trademark signs, which names in commands do without."""


def aihub_sheet(sheet: Sheet) -> list[Measurement]:
    """Return rows of a table with the columns of AI Hub's ``perf.yaml`` files.

    A device is a chip's processor: the unit that most layers ran on (NPU, GPU, CPU) is part of its
    name, so that ``Samsung Galaxy S24 NPU`` and its GPU are two devices.
    """
    rows = []
    for i, cells in enumerate(sheet.rows):
        time = sheet.number(i, "time_ms")
        if math.isnan(time):
            continue
        task = cells["model"]
        component = cells.get("component", "")
        if component and _plain(component) != _plain(task):
            task = f"{task}/{component}"
        memory = sheet.number(i, "memory_max_mb") if "memory_max_mb" in sheet.columns else math.nan
        rows.append(
            _aihub(
                (cells["device"], cells["primary_unit"]),
                task,
                (cells["precision"], cells["runtime"]),
                time,
                memory,
                cells.get("source", ""),
            )
        )
    return rows


def is_aihub_document(path: Path) -> bool:
    """Whether a YAML file is one of AI Hub's."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return False
    head = read_text(path)
    return "performance_metrics:" in head and "inference_time_milliseconds" in head


def aihub_document(path: Path) -> list[Measurement]:
    """Return the rows of one of AI Hub's ``perf.yaml`` files; the model is its folder's name.

    Raises
    ------
    InputError
        If it is no such file.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(read_text(path))
    except YAMLError as error:
        what = " ".join(str(error).split())[:160]
        raise InputError([Problem(str(path), "", f"YAML: {what}.")]) from None
    model = path.parent.name if path.stem.startswith("perf") and path.parent.name else path.stem
    return [*_aihub_rows(model, data, str(path))]


def _aihub_rows(model: str, data: Any, source: str) -> Iterator[Measurement]:
    for precision, entry in _items(data, "precisions"):
        parts = [*_items(entry, "components")]
        for component, measured in parts:
            task = model if len(parts) == 1 else f"{model}/{component}"
            for device, runtimes in _items(measured, "performance_metrics"):
                for runtime, found in runtimes.items():
                    time = found.get("inference_time_milliseconds")
                    if not isinstance(time, int | float):
                        continue
                    memory = (found.get("estimated_peak_memory_range_mb") or {}).get("max")
                    yield _aihub(
                        (device, str(found.get("primary_compute_unit", ""))),
                        task,
                        (precision, runtime),
                        float(time),
                        float(memory) if isinstance(memory, int | float) else math.nan,
                        source,
                    )


def _items(data: Any, key: str) -> Iterator[tuple[str, Any]]:
    part = data.get(key) if isinstance(data, Mapping) else None
    if isinstance(part, Mapping):
        yield from ((str(name), entry) for name, entry in part.items())


def _aihub(
    place: tuple[str, str],
    task: str,
    how: tuple[str, str],
    time_ms: float,
    memory_mb: float,
    source: str,
) -> Measurement:
    device, unit = place
    return Measurement(
        device=f"{device} {unit}".strip(),
        task=task,
        label=" ".join(how),
        time_s=time_ms * 1e-3,
        memory_b=memory_mb * 1e6,
        kind=unit.lower(),
        source=source,
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def openvino_sheet(sheet: Sheet) -> list[Measurement]:
    """Return rows of OpenVINO's benchmark table, as published or with one row a precision.

    A throughput is that of as many requests in flight as the benchmark had; latencies mean
    different things in different releases, so that only those beside them are kept.
    """
    if {*OPENVINO_TIDY} <= {*sheet.columns}:
        return [*_openvino_tidy(sheet)]
    return [*_openvino_published(sheet)]


def _openvino_tidy(sheet: Sheet) -> Iterator[Measurement]:
    for i, cells in enumerate(sheet.rows):
        rate = sheet.number(i, "throughput_fps")
        if not rate > 0:
            continue
        yield Measurement(
            device=f"{cells['platform']} {cells['device']}",
            task=cells["model"],
            label=" ".join(p for p in (cells["precision"], cells.get("release", "")) if p),
            time_s=1 / rate,
            kind=cells["device"],
            source=cells.get("source", ""),
            streams=True,
        )


def _openvino_published(sheet: Sheet) -> Iterator[Measurement]:
    rates = {
        heading: re.sub(r"(?i)^throughput[-_ ]*", "", heading).lower()
        for heading in sheet.columns
        if re.match(r"(?i)throughput", heading)
    }
    for i, cells in enumerate(sheet.rows):
        model, platform = cells["Network model"], cells["Platform name"].translate(MARKS)
        if model in ("begin_rec", "end_rec") or not platform.strip():
            continue
        match = PLATFORM.match(platform.strip())
        name, device = (match["name"], match["device"]) if match else (platform.strip(), "")
        unit = device.removesuffix("-only").lower()
        for heading, precision in rates.items():
            rate = sheet.number(i, heading)
            if rate > 0:
                yield Measurement(
                    device=f"{name} {unit}".strip(),
                    task=model,
                    label=precision,
                    time_s=1 / rate,
                    kind=unit,
                    source=f"OpenVINO benchmark table, {cells.get('Release', '')}".rstrip(", "),
                    streams=True,
                )


def aiconfigurator_sheet(sheet: Sheet) -> list[Measurement]:
    """Return rows of AIConfigurator's results (``pareto.csv``, ``best_config_topn.csv``).

    A device is the GPUs of one worker, or, where prefill and decode are apart, of one replica: all
    workers of both (``h200_sxm x2 + h200_sxm x4``). A request is a prompt of ``isl`` tokens with
    ``osl`` answered. A row serves ``seq/s`` requests a second, in a latency of ``request_latency``.
    """
    apart = "system" not in sheet.columns
    rows = []
    for i, cells in enumerate(sheet.rows):
        rate = sheet.number(i, "seq/s") if "seq/s" in sheet.columns else math.nan
        if math.isnan(rate) and "tokens/s" in sheet.columns:
            rate = sheet.number(i, "tokens/s") / sheet.number(i, "osl")
        if not rate > 0:
            continue
        gpus = cells.get("num_total_gpus", "") or "1"
        power = sheet.number(i, "power_w") if "power_w" in sheet.columns else math.nan
        latency = (
            sheet.number(i, "request_latency") if "request_latency" in sheet.columns else math.nan
        )
        if apart:
            device, label = _apart(sheet, i)
        else:
            device = f"{cells['system']} x{gpus}"
            label = [cells.get(name, "") for name in ("parallel", "gemm", "backend")]
        if cells.get("concurrency", ""):
            label.append(f"concurrency {cells['concurrency']}")
        count = float(gpus)
        rows.append(
            Measurement(
                device=device,
                task=f"{cells['model']} {cells['isl']}+{cells['osl']}",
                label=" ".join(part for part in label if part),
                time_s=1 / rate,
                power_w=power * count if power > 0 else math.nan,
                latency_s=latency * 1e-3,
                kind="gpu",
                source="AIConfigurator, modelled",
                streams=True,
            )
        )
    return rows


def _apart(sheet: Sheet, row: int) -> tuple[str, list[str]]:
    """Return device and label of a replica whose prefill and decode have workers of their own."""
    cells, devices, labels = sheet.rows[row], [], []
    for side in ("(p)", "(d)"):
        gpus = 1.0
        for name in ("workers", "tp", "pp", "dp"):
            count = sheet.number(row, side + name) if side + name in sheet.columns else math.nan
            gpus *= 1.0 if math.isnan(count) else count
        devices.append(f"{cells[side + 'system']} x{gpus:g}")
        how = [cells.get(side + name, "") for name in ("parallel", "gemm", "backend")]
        if workers := cells.get(f"{side}workers", ""):
            how.insert(0, f"{workers} of")
        labels.append(" ".join(part for part in how if part))
    return " + ".join(devices), [" + ".join(labels)]
