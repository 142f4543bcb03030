"""Measured executions, and the options that they become."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hetopt.instance import KINDS

NONE = float("nan")
ROWS_FOR_INTERVAL = 20
"""Measurements of one option from which on their 5 % and 95 % quantiles mean something."""
WORDS = {
    "npu": ("npu", "hexagon", "edgetpu", "edge tpu", "hailo", "aic100", "neural"),
    "gpu": ("gpu", "cuda", "rtx", "geforce", "tesla", "radeon", "tensorrt", "a100", "h100", "h200"),
    "cpu": ("cpu", "xeon", "epyc", "core i", "ryzen", "cortex"),
    "fpga": ("fpga", "dpu", "alveo", "zynq", "versal"),
    "tpu": ("tpu",),
    "dsp": ("dsp",),
}
"""Words in names of devices that tell their kind."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured execution, or the mean of several; NaN where nothing was said.

    Attributes
    ----------
    device, task, label
        Where what ran, and how (precision, batch, runtime, clock).
    time_s
        Time of one execution, of all requests of its batch.
    energy_j
        Energy above idle of one execution.
    power_w
        Whole draw while it ran.
    batch
        Requests that one execution serves.
    kind, idle_power_w, price, power_limit_w
        Of the device, where the table says.
    streams
        Whether the time follows from a throughput, so that options mean streams of requests.
    """

    device: str
    task: str
    label: str
    time_s: float
    energy_j: float = NONE
    power_w: float = NONE
    batch: int = 1
    memory_b: float = NONE
    weights_b: float = NONE
    accuracy: float = NONE
    latency_s: float = NONE
    kind: str = ""
    idle_power_w: float = NONE
    source: str = ""
    streams: bool = False


@dataclass(frozen=True, slots=True)
class OptionTables:
    """Tables of an instance, settings, and what to know of them.

    Attributes
    ----------
    tables
        ``devices``, ``options``, ``tasks`` and ``jobs``: rows by name of the table.
    settings
        Settings of the instance.
    notes
        Sentences: what was left out, and what stands in for what.
    """

    tables: dict[str, list[dict[str, Any]]]
    settings: dict[str, Any]
    notes: tuple[str, ...]


def option_tables(measured: Sequence[Measurement], source: str) -> OptionTables:
    """Return measurements as the tables of an instance: a task per measured task, one job each.

    Rows of one device, task, label and batch are one option, at their medians; from 20 of them
    on it states the interval that holds 90 % of them. Where the times follow from throughputs or
    some batch is larger than 1, jobs are streams of equal share, else they run once.

    Parameters
    ----------
    measured
        At least one measurement.
    source
        Where they come from, for options that do not say.
    """
    notes: list[str] = []
    groups: dict[tuple[str, str, str, int], list[Measurement]] = {}
    for row in measured:
        groups.setdefault((row.task, row.device, row.label, row.batch), []).append(row)
    several = _several(groups)
    unpowered = sum(_power_less(rows) for rows in groups.values())
    with_power = unpowered == 0
    if 0 < unpowered < len(groups):
        notes.append(
            f"{unpowered} of {len(groups)} options state neither energy nor power, so none does."
        )
    options = []
    for (task, device, label, batch), rows in groups.items():
        named = f"{label} batch {batch}".strip() if (task, device, label) in several else label
        options.append(_option(task, device, named, batch, rows, source, with_power))
    streams = any(row.streams or row.batch > 1 for row in measured)
    tasks = [*dict.fromkeys(key[0] for key in groups)]
    tables = {
        "devices": _devices(measured, with_power, notes),
        "options": options,
        "tasks": [{"name": task, "job": task} for task in tasks],
        "jobs": [{"name": task} | ({"share": 1 / len(tasks)} if streams else {}) for task in tasks],
    }
    settings: dict[str, Any] = {"regime": "steady" if streams else "schedule"}
    settings["objective"] = ["throughput" if streams else "energy" if with_power else "makespan"]
    return OptionTables(tables, settings, tuple(notes))


def _several(groups: Iterable[tuple[str, str, str, int]]) -> set[tuple[str, str, str]]:
    """Return task, device and label of what was measured at several batches."""
    seen: set[tuple[str, str, str]] = set()
    twice: set[tuple[str, str, str]] = set()
    for task, device, label, _ in groups:
        key = (task, device, label)
        (twice if key in seen else seen).add(key)
    return twice


def _power_less(rows: Sequence[Measurement]) -> bool:
    return all(math.isnan(row.energy_j) and math.isnan(row.power_w) for row in rows)


def _option(
    task: str,
    device: str,
    label: str,
    batch: int,
    rows: Sequence[Measurement],
    source: str,
    with_power: bool,
) -> dict[str, Any]:
    times = [row.time_s for row in rows]
    option: dict[str, Any] = {
        "profile": task,
        "device": device,
        "label": label,
        "time_s": statistics.median(times),
        "batch": batch,
        "source": next((row.source for row in rows if row.source), source),
    }
    if len(rows) >= ROWS_FOR_INTERVAL:
        option |= _interval("time", "s", times)
    energies = [row.energy_j for row in rows if not math.isnan(row.energy_j)]
    powers = [row.power_w for row in rows if not math.isnan(row.power_w)]
    if with_power and energies:
        option["energy_j"] = statistics.median(energies)
        if len(energies) >= ROWS_FOR_INTERVAL:
            option |= _interval("energy", "j", energies)
    elif with_power:
        option["power_w"] = statistics.median(powers)
    for name in ("memory_b", "weights_b", "accuracy", "latency_s"):
        known = [getattr(row, name) for row in rows if not math.isnan(getattr(row, name))]
        if known:
            option[name] = max(known) if name == "memory_b" else statistics.median(known)
    return option


def _interval(what: str, unit: str, values: Sequence[float]) -> dict[str, float]:
    cut = statistics.quantiles(values, n=20, method="inclusive")
    middle = statistics.median(values)
    return {f"{what}_low_{unit}": min(cut[0], middle), f"{what}_high_{unit}": max(cut[-1], middle)}


def _devices(
    measured: Sequence[Measurement], with_power: bool, notes: list[str]
) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for row in measured:
        entry = rows.setdefault(row.device, {"name": row.device, "kind": kind_of(row)})
        if not math.isnan(row.idle_power_w):
            entry["idle_power_w"] = row.idle_power_w
    if with_power:
        unknown = [name for name, entry in rows.items() if "idle_power_w" not in entry]
        for name in unknown:
            rows[name]["idle_known"] = False
        if unknown:
            notes.append(f"No idle power is stated for {', '.join(unknown[:8])}: whole energies.")
    return [*rows.values()]


def kind_of(row: Measurement) -> str:
    """Return the kind of processor, as stated or as its name says, else ``other``."""
    if row.kind.lower() in KINDS:
        return row.kind.lower()
    if row.kind.lower() in ("igpu", "dgpu"):
        return "gpu"
    name = row.device.lower()
    return next((kind for kind, words in WORDS.items() if any(w in name for w in words)), "other")
