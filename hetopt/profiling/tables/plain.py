"""A plain table of measurements: one row an execution, or a mean of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hetopt.errors import InputError, Problem
from hetopt.profiling.tables.fields import Field, Found, find_fields, text_of, unread
from hetopt.profiling.tables.measurement import Measurement
from hetopt.profiling.tables.sheet import Sheet

FIELDS = (
    Field("device", ("processor", "platform", "hardware", "accelerator", "unit", "gpu", "system")),
    Field("task", ("model", "network", "network model", "workload", "benchmark", "segment")),
    Field("label", ("option", "variant", "config", "configuration")),
    Field("precision", ("dtype", "datatype", "quantization", "quantisation")),
    Field("runtime", ("framework", "backend", "provider")),
    Field("clock", ("frequency",)),
    Field("power_limit", ("power cap",)),
    Field("kind", ("device kind", "type")),
    Field(
        "time",
        ("duration", "elapsed", "inference time", "step", "execution time", "runtime", "time each"),
        "time",
    ),
    Field(
        "throughput",
        (
            *("fps", "throughput fps", "images per s", "images/s", "qps", "samples per s"),
            *("samples/s", "requests/s", "inferences per s", "rate"),
        ),
    ),
    Field("latency", ("request latency", "p50", "median latency"), "time"),
    Field("energy", ("dynamic energy", "energy above idle", "energy per inference"), "energy"),
    Field("power", ("draw", "power draw", "average power", "mean power", "avg power"), "power"),
    Field("idle_power", ("idle", "idle draw"), "power"),
    Field("batch", ("batch size", "bs")),
    Field("memory", ("peak memory", "working memory"), "bytes"),
    Field("weights", ("model size",), "bytes"),
    Field("accuracy", ("top1",), "fraction"),
    Field("source", ("reference",)),
    Field("timestamp", ("date",)),
    Field("start", ("start time",), "time"),
)
LABELS = ("label", "precision", "runtime", "clock", "power_limit")
"""Fields whose texts make the label, in this order."""
ALONE = ("clock", "power_limit")


def measurements(
    sheet: Sheet, columns: Mapping[str, str] | None = None, notes: list[str] | None = None
) -> list[Measurement]:
    """Return the rows of a plain table.

    ``device`` and a ``time`` (or ``throughput``, or ``latency`` where nothing else is there) are
    needed; a table without ``task`` is of one task, of the file's name. ``notes`` gets a sentence
    for what is left out: rows without a time, columns that hold no field, further sheets.

    Raises
    ------
    InputError
        If a needed column is missing or a cell is no number of its field.
    """
    found = find_fields(sheet, FIELDS, columns)
    _check(sheet, found)
    rows, timeless = [], []
    for i in range(len(sheet.rows)):
        device = text_of(sheet, i, found.get("device"))
        if not device:
            raise sheet.problem(i, found["device"].column, "The name of a device.")
        batch = _batch(sheet, i, found.get("batch"))
        time, streams = _time(sheet, i, found, batch)
        if math.isnan(time):
            timeless.append(f"{sheet.lines[i]}")
            continue
        rows.append(
            Measurement(
                device=device,
                task=text_of(sheet, i, found.get("task")) or _stem(sheet),
                label=_label(sheet, i, found),
                time_s=time,
                energy_j=_number(sheet, i, found.get("energy")),
                power_w=_number(sheet, i, found.get("power")),
                batch=batch,
                memory_b=_number(sheet, i, found.get("memory")),
                weights_b=_number(sheet, i, found.get("weights")),
                accuracy=_number(sheet, i, found.get("accuracy")),
                latency_s=_latency(sheet, i, found),
                kind=text_of(sheet, i, found.get("kind")),
                idle_power_w=_number(sheet, i, found.get("idle_power")),
                source=text_of(sheet, i, found.get("source")),
                streams=streams,
            )
        )
    if not rows:
        raise InputError([Problem(sheet.name, "", "At least one row with a time.")])
    if notes is not None:
        notes += _left_out(sheet, found, timeless)
    return rows


def _left_out(sheet: Sheet, found: Mapping[str, Found], timeless: Sequence[str]) -> list[str]:
    notes = []
    if timeless:
        lines = ", ".join(timeless[:5]) + (" ..." if len(timeless) > 5 else "")
        many = "s" if len(timeless) > 1 else ""
        notes.append(f"{sheet.name}: no time in line{many} {lines}: left out.")
    columns = unread(sheet, found, FIELDS)
    if columns:
        notes.append(f"{sheet.name}: columns that say nothing here: {', '.join(columns)}.")
    if sheet.others:
        others = ", ".join(sheet.others)
        notes.append(f"{sheet.name}: only the active sheet is read, not {others}.")
    return notes


def is_plain(sheet: Sheet) -> bool:
    """Whether the headings say devices and times."""
    found = find_fields(sheet, FIELDS)
    return "device" in found and bool({"time", "throughput", "latency"} & {*found})


def _check(sheet: Sheet, found: Mapping[str, Found]) -> None:
    problems = []
    named = ", ".join(unread(sheet, {}, FIELDS)) or "none"
    if sheet.others:
        named += f"; other sheets, which are not read, are {', '.join(sheet.others)}"
    if "device" not in found:
        problems.append("device")
    if not {"time", "throughput", "latency"} & {*found}:
        problems.append("time (or throughput)")
    if problems:
        expected = (
            f"A column for {' and one for '.join(problems)}; name it with --columns HEADING=field, "
            f"or the form of the table with --from. There are: {named}."
        )
        raise InputError([Problem(sheet.name, "", expected)])


def _stem(sheet: Sheet) -> str:
    from pathlib import Path

    return Path(sheet.name).stem


def _number(sheet: Sheet, row: int, found: Found | None) -> float:
    if found is None:
        return float("nan")
    value = sheet.number(row, found.column) * found.factor
    if value < 0:
        raise sheet.problem(row, found.column, "A number of at least 0.")
    return value


def _batch(sheet: Sheet, row: int, found: Found | None) -> int:
    if found is None:
        return 1
    value = sheet.number(row, found.column)
    if math.isnan(value):
        return 1
    if value < 1 or value != int(value):
        raise sheet.problem(row, found.column, "A whole number of at least 1.")
    return int(value)


def _time(sheet: Sheet, row: int, found: Mapping[str, Found], batch: int) -> tuple[float, bool]:
    """Return the time of one execution, and whether it follows from a throughput."""
    time = _number(sheet, row, found.get("time"))
    if not math.isnan(time):
        return time, False
    rate = _number(sheet, row, found.get("throughput"))
    if rate > 0:
        return batch / rate, True
    if "time" not in found and "throughput" not in found:
        return _number(sheet, row, found.get("latency")), False
    return float("nan"), False


def _latency(sheet: Sheet, row: int, found: Mapping[str, Found]) -> float:
    if "time" in found or "throughput" in found:
        return _number(sheet, row, found.get("latency"))
    return float("nan")


def _label(sheet: Sheet, row: int, found: Mapping[str, Found]) -> str:
    parts = []
    for name in LABELS:
        text = text_of(sheet, row, found.get(name))
        if text and name in ALONE and text.replace(".", "").isdigit():
            text = f"{name.replace('_', ' ')} {text}"
        if text:
            parts.append(text)
    return " ".join(dict.fromkeys(parts))
