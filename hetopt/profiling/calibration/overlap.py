"""How much longer executions took while another device ran too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance.dtypes import Floats
from hetopt.profiling.calibration.telemetry import Observation

LEAST = 10
"""Executions alone, and together, from which on a factor is told."""
TOGETHER, ALONE = 0.5, 0.05
"""Part of an execution during which the other device ran: at least, and at most."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Executions on a device while another one ran, against those while it did not.

    Attributes
    ----------
    device, other
        Names.
    together, alone
        Executions.
    factor
        Median time together over median time alone, each relative to its option's.
    """

    device: str
    other: str
    together: int
    alone: int
    factor: float


def overlaps(
    observed: Sequence[Observation], stated: Mapping[tuple[str, str, str], float]
) -> list[Overlap]:
    """Return the slow-down of each device by each other one, where telemetry has starts.

    Parameters
    ----------
    observed
        Executions; those without a start are left out.
    stated
        Time by task, device and label: what executions are compared with.
    """
    rows = [r for r in observed if not math.isnan(r.start_s)]
    by_device: dict[str, list[Observation]] = {}
    for row in rows:
        by_device.setdefault(row.device, []).append(row)
    found = []
    busy = {name: _busy(mine) for name, mine in by_device.items()}
    for name, mine in by_device.items():
        start = np.array([r.start_s for r in mine])
        time = np.array([r.time_s for r in mine])
        known = np.array([stated.get((r.task, r.device, r.label), math.nan) for r in mine])
        ratio = np.log(time / known)
        for other, (at, total) in busy.items():
            if other == name:
                continue
            shared = np.interp(start + time, at, total) - np.interp(start, at, total)
            part = shared / time
            valid = ~np.isnan(ratio)
            together, alone = valid & (part >= TOGETHER), valid & (part <= ALONE)
            if together.sum() >= LEAST and alone.sum() >= LEAST:
                change = float(np.median(ratio[together]) - np.median(ratio[alone]))
                found.append(
                    Overlap(name, other, int(together.sum()), int(alone.sum()), math.exp(change))
                )
    return found


def _busy(rows: Sequence[Observation]) -> tuple[Floats, Floats]:
    """Return the time during which any unit of a device was busy, cumulated, at its corners."""
    spans = sorted((r.start_s, r.start_s + r.time_s) for r in rows)
    merged: list[list[float]] = []
    for begin, end in spans:
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    at, total = [], []
    done = 0.0
    for begin, end in merged:
        at += [begin, end]
        total += [done, done + end - begin]
        done += end - begin
    return np.array(at), np.array(total)
