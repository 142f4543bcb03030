"""Measurements as an instance: devices, options, links that carry the cost of cutting."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.profiling.measure.places import Place
from hetopt.profiling.measure.sweep import Measured, Sweep
from hetopt.profiling.onnx.document import ModelProfile, instance_document
from hetopt.profiling.onnx.segments import Segment
from hetopt.version import __version__

BATCH_AXIS = "batch"
"""Open axis of models whose size is the batch of an option."""
SHARE = 0.9
"""Share of the runs that an option's interval holds."""


def measured_document(
    profiles: Sequence[ModelProfile],
    sweep: Sweep,
    places: Sequence[Place],
    *,
    regime: str = "",
    folder: Path | None = None,
    batches: Sequence[int] = (1,),
) -> dict[str, Any]:
    """Return the document of an instance whose options are measured here.

    In a schedule the time of a segment is its median alone, times whole / sum of segments: what the
    parts of a model take when they are not cut apart. What a cut costs beyond that is a latency of
    the links between devices, where the plan pays it if it cuts there (``hetopt deploy`` joins
    neighbours on one unit). Streams load units by the medians alone, as a latency loads no unit.

    Parameters
    ----------
    profiles
        The models, as they were measured with the first batch size.
    sweep
        What was measured.
    places
        Where; each becomes a device of one unit.
    regime
        ``schedule`` or ``steady``; default: steady if batch sizes differ from 1.
    folder
        Where the instance will stand.
    batches
        Batch sizes measured; where they are not just 1, options state theirs and jobs no size of
        the axis.
    """
    regime = regime or ("schedule" if list(batches) == [1] else "steady")
    shared = _shared_cores(places)
    rows = {(r.model, r.setting): r for r in sweep.rows}
    once = regime == "schedule"
    labels = {(r.setting.place, r.setting.label) for r in sweep.rows}
    # Where options can change, a set-up of the place may say what a cut between them takes.
    changing = [p for p in places if once and sum(place == p for place, _ in labels) > 1]

    def options(profile: ModelProfile, segment: Segment) -> list[dict[str, Any]]:
        number = profile.segments.index(segment)
        return [
            _option(segment, row, number, sweep, shared, row.scale if once else 1.0)
            | ({"configuration": row.setting.label} if row.setting.place in changing else {})
            for (model, _), row in rows.items()
            if model == profile.name
        ]

    known = {
        p.name: next((r.idle_w for r in sweep.rows if r.setting.place == p), math.nan)
        for p in places
    }
    devices = [
        {
            "name": p.name,
            "kind": p.kind,
            **(
                {"idle_power_w": known[p.name]}
                if known[p.name] == known[p.name]
                else {"idle_known": False}
            ),
            "source": sweep.machine,
        }
        for p in places
    ]
    resources = [{"name": f"core-{c}", "capacity": 1} for c in shared]
    links = [_link(a, b, sweep) for a, b in permutations(places, 2)]
    settings = {
        "name": "-".join(p.name for p in profiles),
        "description": about(sweep),
        "regime": regime,
        "objective": "makespan" if once else "throughput",
    }
    if regime == "steady":
        settings["routing"] = (
            "single" if len(profiles) > 1 or len(profiles[0].segments) > 1 else "split"
        )
    return instance_document(
        profiles,
        devices=devices,
        options=options,
        folder=folder,
        batch_axis="" if list(batches) == [1] else BATCH_AXIS,
        settings=settings,
        more={
            **({"links": links} if links else {}),
            **({"resources": resources} if resources else {}),
        },
    )


def about(sweep: Sweep) -> str:
    """Return what an instance says of its measurements."""
    lines = [f"Measured by hetopt {__version__} on {date.today().isoformat()}: {sweep.machine}."]
    if sweep.clock == "cpu":
        lines.append("Times are processor time by thread: those of cores that nobody else uses.")
    for row in sweep.rows:
        cut = (
            f"; its {len(row.segments)} segments take {row.sum_s * 1e3:.3g} ms, "
            f"{row.boundary_s * 1e3:.3g} ms a cut"
            if len(row.segments) > 1
            else ""
        )
        lines.append(
            f"{row.model} on {row.setting.place.name} {row.setting.label}: whole "
            f"{row.whole_s * 1e3:.4g} ms{cut}; outputs differ from fp32 by {row.difference:.2g} of "
            f"the largest."
        )
    lines += [f"Not run: {text}." for text in sweep.failed]
    missing = sorted({r.energy_missing for r in sweep.rows if r.energy_missing})
    lines += [f"Energy is missing: {text}." for text in missing]
    return " ".join(lines)


def _option(
    segment: Segment,
    row: Measured,
    number: int,
    sweep: Sweep,
    shared: Sequence[int],
    scale: float,
) -> dict[str, Any]:
    setting = row.setting
    times = np.array(row.segments[number]) * scale
    found: dict[str, Any] = {
        "device": setting.place.name,
        "label": setting.label,
        "time_s": _rounded(np.median(times)),
        "time_low_s": _rounded(np.quantile(times, (1 - SHARE) / 2)),
        "time_high_s": _rounded(np.quantile(times, (1 + SHARE) / 2)),
        "interval": SHARE,
        "weights_b": segment.weights_b / (4 if setting.precision == "int8" else 1),
        "source": f"measured by hetopt {__version__}",
    }
    if setting.batch > 1:
        found["batch"] = setting.batch
    # Options without energy beside others with it would be read as 0 J: all, or none.
    if not any(r.energy_missing for r in sweep.rows):
        found["energy_j"] = _rounded(row.energy_j[number] * scale)
    uses = {f"core-{c}": 1 for c in setting.place.pinned(setting.threads) if c in shared}
    if uses:
        found["uses"] = uses
    return found


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _shared_cores(places: Sequence[Place]) -> list[int]:
    """Return the cores that two places share: a resource each, so that a plan never doubles one."""
    used = [c for p in places for c in set(p.cores)]
    return sorted({c for c in used if used.count(c) > 1})


def _link(source: Place, target: Place, sweep: Sweep) -> dict[str, Any]:
    cuts = [
        r.boundary_s for r in sweep.rows if r.setting.place in (source, target) and r.boundary_s
    ]
    return {
        "from": source.name,
        "to": target.name,
        "latency_s": _rounded(sweep.hop_s + (statistics.mean(cuts) if cuts else 0.0)),
        "bandwidth_b_per_s": _rounded(sweep.copy_b_per_s),
    }
