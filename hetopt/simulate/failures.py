"""Failures and other events of a run: drawn from mean times between them, or read from a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.simulate.events import (
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    RateChanged,
    read_events,
)

REPAIR_PART = 0.01
"""Mean time to repair where none is stated, as a part of the mean time between failures."""
COLUMNS = ("time_s", "device", "unit", "event")
TAKEN = (DeviceDown, DeviceUp, CapChanged, RateChanged)
"""Events that come from outside; arrivals, starts and ends are the simulator's own."""
MOST_NAMED = 3
"""Events that a note names; how many more there are it says."""


def failures_of(
    instance: Instance, text: str, counts: Sequence[int], until_s: float, seed: Sequence[int]
) -> list[Event]:
    """Return failures and repairs.

    Parameters
    ----------
    text
        A mean time between failures of each unit, ``100 h``, with the mean time to repair behind a
        slash, ``100 h/10 min``, both exponential; or a file: ``.csv`` with columns ``time_s``,
        ``device``, ``unit`` (empty: all) and ``event`` (``down`` or ``up``), or events one a line.
    counts
        Units of each device that may fail.
    until_s
        How long failures are drawn for.
    seed
        What the draws follow from.

    Raises
    ------
    InputError
        For a text that is neither, and files with unknown devices or events.
    """
    times = _mean_times(text)
    if times is not None:
        return _drawn(instance, times, counts, until_s, seed)
    found = events_of(instance, text, "--failures")
    other = [e for e in found if not isinstance(e, DeviceDown | DeviceUp)]
    if other:
        raise InputError([Problem(text, other[0].event, "device_down or device_up.")])
    return found


def events_of(instance: Instance, path: str, flag: str = "--events") -> list[Event]:
    """Return the events of a file, in order of time.

    Raises
    ------
    InputError
        For a file that cannot be read, and events that do not come from outside or name what the
        instance does not have.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no text in UTF-8"
        asked = "A time (100h), two (100h/10min)" if flag == "--failures" else "A file of events"
        raise InputError([Problem(flag, path, f"{asked}, or a file: {reason}.")]) from None
    if path.endswith(".csv"):
        found = _rows(text, path)
    else:
        found = read_events(text.splitlines(), path)
    return checked(instance, found, path)


def checked(instance: Instance, events: Sequence[Event], place: str) -> list[Event]:
    """Return events in order of time, if they name what the instance has.

    Raises
    ------
    InputError
        Naming each event that is not one from outside, or names an unknown device or job.
    """
    devices, jobs = instance.devices.name.tolist(), instance.jobs.name.tolist()
    problems = []
    for number, event in enumerate(events, 1):
        where = f"{place}, event {number}"
        if not isinstance(event, TAKEN):
            text = "device_down, device_up, cap_changed or rate_changed: others are simulated."
            problems.append(Problem(where, event.event, text))
        elif not event.time_s >= 0:
            problems.append(Problem(where, f"{event.time_s:g}", "A time of at least 0."))
        elif isinstance(event, DeviceDown | DeviceUp) and event.device not in devices:
            problems.append(Problem(where, event.device, f"A device: {', '.join(devices)}."))
        elif isinstance(event, RateChanged) and event.job not in jobs:
            problems.append(Problem(where, event.job, f"A job: {', '.join(jobs)}."))
        elif isinstance(event, RateChanged) and not event.rate_per_s >= 0:
            problems.append(Problem(where, f"{event.rate_per_s:g}", "A rate of at least 0."))
    if problems:
        raise InputError(problems[:20])
    return sorted(events, key=lambda event: event.time_s)


def stated_events(instance: Instance, events: Sequence[Event], failures: str | None) -> list[Event]:
    """Return the events that a question states, those of a file of failures among them."""
    found = list(events)
    if failures is not None and _mean_times(failures) is None:
        found += events_of(instance, failures, "--failures")
    return found


def without_effect(
    events: Sequence[Event], end_s: float, arrived_s: float = 0.0, trace: bool = False
) -> list[str]:
    """Return a sentence each about events after the end of all runs, and rates that draw nothing.

    Parameters
    ----------
    end_s
        When the last policy was done.
    arrived_s
        When the last request came, for which rates matter.
    trace
        Whether requests are those of a trace, whatever rates are.
    """
    rates = [e for e in events if isinstance(e, RateChanged)]
    late = [e for e in events if not isinstance(e, RateChanged) and e.time_s > end_s]
    found = []
    if late:
        text = f"without effect: the last run had ended before ({_shown(end_s)})"
        found.append(f"{_events_named(late)} {text}.")
    unheard = rates if trace else [e for e in rates if e.time_s >= arrived_s]
    if unheard:
        text = f"the last request had come before ({_shown(arrived_s)})"
        text = "requests are those of the trace" if trace else text
        found.append(f"{_events_named(unheard)} without effect: {text}.")
    return found


def _mean_times(text: str) -> tuple[float, float] | None:
    parts = re.split(r"/(?=\s*[\d.])", text)
    if len(parts) > 2:
        return None
    try:
        values = [float(units.parse(part.strip(), "time")) for part in parts]
    except units.UnitError:
        return None
    between = values[0]
    repair = values[1] if len(values) > 1 else REPAIR_PART * between
    if not (between > 0 and repair >= 0):
        raise InputError([Problem("--failures", text, "Times of more than 0.")])
    return between, repair


def _drawn(
    instance: Instance,
    times: tuple[float, float],
    counts: Sequence[int],
    until_s: float,
    seed: Sequence[int],
) -> list[Event]:
    found: list[Event] = []
    for d, count in enumerate(counts):
        name = str(instance.devices.name[d])
        for unit in range(count):
            # Each unit has draws of its own, whatever the others do.
            rng = np.random.default_rng([*seed, d, unit])
            now = 0.0
            while True:
                now += float(rng.exponential(times[0]))
                if now >= until_s:
                    break
                found.append(DeviceDown(now, name, unit))
                now += float(rng.exponential(times[1])) if times[1] > 0 else 0.0
                found.append(DeviceUp(now, name, unit))
    return sorted(found, key=lambda event: event.time_s)


def _rows(text: str, path: str) -> list[Event]:
    import csv
    import io

    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        have = ", ".join(reader.fieldnames or ())
        raise InputError([Problem(path, have, f"Columns {', '.join(COLUMNS)}.")])
    return [_row(row, f"{path}:{reader.line_num}") for row in reader]


def _row(row: dict[str, Any], place: str) -> Event:
    try:
        time = float(row["time_s"])
        unit = int(row["unit"]) if str(row["unit"] or "").strip() else None
    except ValueError:
        value = f"{row['time_s']}, {row['unit']}"
        raise InputError(
            [Problem(place, value, "A time, and a whole number or nothing.")]
        ) from None
    word, device = str(row["event"]).strip(), str(row["device"])
    if word not in ("down", "up"):
        raise InputError([Problem(place, word, "down or up.")])
    return DeviceDown(time, device, unit) if word == "down" else DeviceUp(time, device, unit)


def _events_named(events: Sequence[Event]) -> str:
    named = [f"{e.event} at {_shown(e.time_s)}" for e in events[:MOST_NAMED]]
    more = [f"and {len(events) - MOST_NAMED} more events"] if len(events) > MOST_NAMED else []
    return ", ".join([*named, *more])


def _shown(value: float) -> str:
    return units.format(value, "time", digits=4)
