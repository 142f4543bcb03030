"""Traces of requests: rates by period, classes by length, and how unevenly they arrive.

A trace states when each request came, and how long its input and output are (tokens). Read are
Azure's (``TIMESTAMP, ContextTokens, GeneratedTokens``), Mooncake's (JSON lines with ``timestamp``
in ms, ``input_length``, ``output_length``) and any table with a column of times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance.dtypes import Floats, Ints
from hetopt.profiling.tables.fields import Field, Found, find_fields
from hetopt.profiling.tables.sheet import Sheet, read_sheet

FIELDS = (
    Field("time", ("timestamp", "arrival", "arrived at", "start time", "arrival time"), "time"),
    Field(
        "input",
        (
            *("input tokens", "contexttokens", "context tokens", "prompt tokens", "input length"),
            *("prompt length", "prompt len", "isl", "num prefill tokens"),
        ),
    ),
    Field(
        "output",
        (
            *("output tokens", "generatedtokens", "generated tokens", "completion tokens"),
            *("output length", "output len", "osl", "num decode tokens"),
        ),
    ),
    Field("class", ("service", "workload", "model", "task", "kind", "trace")),
)
MOONCAKE = ("timestamp", "input_length", "output_length")
MOST_CLASSES, MOST_PERIODS = 64, 10_000
PERIODS = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    21600,
    43200,
    86400,
)
"""Lengths of a period that people count in, s."""
ABOUT_PERIODS = 12


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in order of arrival, length N.

    Attributes
    ----------
    time_s
        From the first request on.
    input, output
        Lengths; empty where the trace states none.
    given
        Class of each request as the trace states it, an index into ``names``.
    names
        Names of these classes; one empty name where there are none.
    notes
        What to know of the trace.
    """

    time_s: Floats
    input: Floats
    output: Floats
    given: Ints
    names: tuple[str, ...]
    notes: tuple[str, ...]


def read_trace(path: str | Path, columns: Mapping[str, str] | None = None) -> Trace:
    """Read a trace of requests.

    Raises
    ------
    InputError
        If there is no column of times, or a cell is no time or no length.
    """
    sheet = read_sheet(path)
    found = find_fields(sheet, FIELDS, columns)
    if "time" not in found:
        expected = (
            "A column for time; name it with --columns HEADING=time. "
            f"There are: {', '.join(sheet.columns) or 'none'}."
        )
        raise InputError([Problem(str(path), "", expected)])
    if {*MOONCAKE} <= {*sheet.columns} and not columns:
        found["time"] = Found("timestamp", 1e-3)  # Mooncake counts milliseconds
    times = np.array([_time(sheet, i, found["time"]) for i in range(len(sheet.rows))])
    if len(times) < 2:
        raise InputError([Problem(str(path), f"{len(times)} requests", "At least two requests.")])
    order = np.argsort(times, kind="stable")
    notes = []
    if (np.diff(times) < 0).any():
        notes.append("Requests were not in order of time; they are now.")
    at = times[order] - times[order[0]]
    if not at[-1] > 0:
        raise InputError([Problem(str(path), "", "Requests at more than one time.")])
    instants = len(np.unique(at))
    if instants < len(at) / 2:
        notes.append(
            f"{len(at):,} requests fall on {instants:,} instants, about {at[-1] / instants:.2g} s "
            "apart: arrivals within one are not seen."
        )
    names, given = _given(sheet, found.get("class"))
    return Trace(
        at,
        _lengths(sheet, found.get("input"))[order],
        _lengths(sheet, found.get("output"))[order],
        given[order],
        names,
        tuple(notes),
    )


def is_trace(path: str | Path) -> bool:
    """Whether a file looks like a trace: times and lengths, and no device."""
    if Path(path).suffix.lower() not in (".csv", ".tsv", ".jsonl", ".json", ".xlsx"):
        return False
    try:
        sheet = read_sheet(path)
    except InputError:
        return False
    found = find_fields(sheet, FIELDS)
    lengths = "input" in found or "output" in found
    return "time" in found and lengths and "device" not in sheet.columns


def request_profile(
    trace: Trace,
    *,
    period_s: float | None = None,
    classes: tuple[int, int] = (2, 2),
) -> dict[str, Any]:
    """Return rates by period, classes and their variability as one plain object.

    Classes are the trace's own, each divided at quantiles of the input length and, within these
    parts, at quantiles of the output length. A period's rate is its requests over its length; the
    last one ends with the trace.

    Parameters
    ----------
    trace
        The trace.
    period_s
        Length of a period; default: of the lengths that people count in, the one that makes about
        12 of the trace.
    classes
        Parts by input and by output length; 1 where a length does not matter.

    Raises
    ------
    InputError
        If a period or the number of classes makes no sense for the trace.
    """
    duration = float(trace.time_s[-1])
    length = _period(duration) if period_s is None else period_s
    if not 0 < length <= duration or duration / length > MOST_PERIODS:
        least = units.format(duration / MOST_PERIODS, "time", digits=3)
        most = units.format(duration, "time", digits=6)
        expected = f"More than {least} and at most the trace, {most}."
        raise InputError([Problem("--period", units.format(length, "time", digits=6), expected)])
    if min(classes) < 1 or classes[0] * classes[1] > MOST_CLASSES:
        expected = f"INPUTxOUTPUT parts of at least 1, at most {MOST_CLASSES} together: 2x2."
        raise InputError([Problem("--classes", f"{classes[0]}x{classes[1]}", expected)])
    member, named = _classes(trace, classes)
    edges = np.append(np.arange(0, duration, length), duration)
    if len(edges) > 2 and edges[-1] - edges[-2] < length / 100:
        edges = np.delete(edges, -2)  # a sliver of rounding is no period
    inside = np.clip(np.searchsorted(edges, trace.time_s, side="right") - 1, 0, len(edges) - 2)
    counts = np.zeros((len(edges) - 1, len(named)))
    np.add.at(counts, (inside, member), 1)
    lengths = np.diff(edges)
    return {
        "hetopt_requests": 1,
        "requests": len(trace.time_s),
        "duration_s": duration,
        "period_s": length,
        "notes": list(trace.notes),
        "classes": [
            _class(trace, member == k, name, duration, counts[:, k], lengths)
            for k, name in enumerate(named)
        ],
        "all": _arrivals(trace.time_s, duration, counts.sum(axis=1), lengths),
        "periods": [
            {
                "name": f"p{i + 1}",
                "start_s": float(edges[i]),
                "duration_s": float(lengths[i]),
                "rates": {name: float(counts[i, k] / lengths[i]) for k, name in enumerate(named)},
            }
            for i in range(len(lengths))
        ],
    }


def request_document(profile: Mapping[str, Any], *, in_time: bool = False) -> dict[str, Any]:
    """Return the jobs and scenarios of an instance for a profile of requests.

    A job's rate is its mean; a scenario is a period, its weight the period's length. Devices and
    profiles, one of each job's name, are the instance's to add.

    Parameters
    ----------
    in_time
        Write ``periods``, which follow each other, instead of scenarios.
    """
    if in_time:
        demands: dict[str, Any] = {
            "periods": [
                {"name": p["name"], "duration_s": p["duration_s"], "rates": dict(p["rates"])}
                for p in profile["periods"]
            ]
        }
    else:
        demands = {
            "scenarios": [
                {"name": p["name"], "weight": p["duration_s"], "rates": dict(p["rates"])}
                for p in profile["periods"]
            ]
        }
    return {
        "regime": "steady",
        "jobs": [
            {"name": c["name"], "rate_per_s": c["rate_per_s"], "profile": c["name"]}
            for c in profile["classes"]
        ],
        **demands,
    }


def _time(sheet: Sheet, row: int, found: Found) -> float:
    text = sheet.rows[row].get(found.column, "").strip()
    if re.match(r"\d{4}-\d\d-\d\d", text):
        # Azure writes seven digits of a second, of which Python takes six.
        cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
        try:
            return datetime.fromisoformat(cut).timestamp()
        except ValueError:
            raise sheet.problem(
                row, found.column, "A time such as 2023-11-16 18:17:03.98."
            ) from None
    value = sheet.number(row, found.column) * found.factor
    if math.isnan(value):
        raise sheet.problem(row, found.column, "A time.")
    return value


def _lengths(sheet: Sheet, found: Found | None) -> Floats:
    if found is None:
        return np.zeros(len(sheet.rows))
    values = np.array([sheet.number(i, found.column) for i in range(len(sheet.rows))])
    for row in np.flatnonzero(~(values >= 0)).tolist():
        raise sheet.problem(row, found.column, "A length of at least 0.")
    return values


def _given(sheet: Sheet, found: Found | None) -> tuple[tuple[str, ...], Ints]:
    if found is None:
        return ("",), np.zeros(len(sheet.rows), dtype=np.int64)
    texts = [row.get(found.column, "").strip() or "other" for row in sheet.rows]
    names = tuple(dict.fromkeys(texts))
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[text] for text in texts], dtype=np.int64)


def _period(duration: float) -> float:
    wanted = duration / ABOUT_PERIODS
    fits = [p for p in PERIODS if p <= wanted]
    return float(fits[-1]) if fits else wanted


def _classes(trace: Trace, parts: tuple[int, int]) -> tuple[Ints, list[str]]:
    """Return the class of each request, and names that say the bounds of its lengths."""
    if len(trace.names) * parts[0] * parts[1] > MOST_CLASSES:
        expected = f"At most {MOST_CLASSES} classes; the trace has {len(trace.names)} of its own."
        raise InputError([Problem("--classes", f"{parts[0]}x{parts[1]}", expected)])
    member = np.full(len(trace.time_s), -1, dtype=np.int64)
    names: list[str] = []
    for number, given in enumerate(trace.names):
        rows = np.flatnonzero(trace.given == number)
        for by_input, said_input in _parts(trace.input, rows, parts[0], "in"):
            for chosen, said_output in _parts(trace.output, by_input, parts[1], "out"):
                member[chosen] = len(names)
                names.append(" ".join(p for p in (given, said_input, said_output) if p) or "all")
    return member, names


def _parts(values: Floats, rows: Ints, count: int, word: str) -> list[tuple[Ints, str]]:
    """Divide rows at quantiles of their values; equal values stay together."""
    mine = values[rows]
    cuts = np.unique(np.quantile(mine, [i / count for i in range(1, count)], method="lower"))
    cuts = cuts[cuts < mine.max()] if len(mine) else cuts
    if not len(cuts):
        return [(rows, "")]
    which = np.searchsorted(cuts, mine, side="left")
    found = []
    for k in range(len(cuts) + 1):
        low = f"{cuts[k - 1] + 1:g}" if k else ""
        said = f"{word}<={cuts[k]:g}" if not k else f"{word}>={low}"
        if 0 < k < len(cuts):
            said = f"{word} {low}..{cuts[k]:g}"
        found.append((rows[which == k], said))
    return found


def _class(
    trace: Trace, mine: Any, name: str, duration: float, counts: Floats, lengths: Floats
) -> dict[str, Any]:
    return {
        "name": name,
        "share": float(mine.mean()),
        **_arrivals(trace.time_s[mine], duration, counts, lengths),
        "input": _spread(trace.input[mine]),
        "output": _spread(trace.output[mine]),
    }


def _arrivals(
    times: Floats, duration: float, counts: Floats, lengths: Floats
) -> dict[str, float | None]:
    """Return the rate, and how uneven arrivals are.

    ``interarrival_cv2`` is the squared coefficient of variation of times between arrivals (1 of a
    Poisson process), ``dispersion_1s`` the variance over the mean of counts in whole seconds (1
    too), ``peak`` the largest rate of a period over the mean.
    """
    gaps = np.diff(times)
    mean = gaps.mean() if len(gaps) else 0.0
    seconds = np.bincount(times.astype(np.int64), minlength=int(duration))[: int(duration)]
    rates = counts / lengths
    rate = len(times) / duration
    return {
        "rate_per_s": rate,
        "interarrival_cv2": float(gaps.var() / mean**2) if mean > 0 else None,
        "dispersion_1s": float(seconds.var() / seconds.mean())
        if len(seconds) > 1 and seconds.mean() > 0
        else None,
        "peak": float(rates.max() / rate) if rate > 0 else None,
    }


def _spread(values: Floats) -> dict[str, float]:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return {
        "mean": float(values.mean()),
        "p5": float(low),
        "p50": float(middle),
        "p95": float(high),
        "max": float(values.max()),
    }


def parts_of(text: str) -> tuple[int, int]:
    """Read ``--classes INPUTxOUTPUT``.

    Raises
    ------
    InputError
        If it is no such text.
    """
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text.strip())
    if match is None:
        raise InputError([Problem("--classes", text, "INPUTxOUTPUT, such as 2x2 or 3x1.")])
    return int(match[1]), int(match[2])


def classes_table(profile: Mapping[str, Any]) -> Sequence[tuple[str, ...]]:
    """Return rows for people: class, share, rate, lengths, peak, variability."""
    return [
        (
            str(c["name"]),
            f"{c['share']:.1%}",
            f"{c['rate_per_s']:.4g}",
            f"{c['input']['p50']:.0f} / {c['input']['p95']:.0f}",
            f"{c['output']['p50']:.0f} / {c['output']['p95']:.0f}",
            *(_or_dash(c[name]) for name in ("peak", "interarrival_cv2", "dispersion_1s")),
        )
        for c in profile["classes"]
    ]


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
