"""Models as instances whose options are estimated, segment by segment, from data sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.capabilities import Capability, capability
from hetopt.profiling.operator_work import PRECISION_NAMES, PRECISIONS, OperatorWork, family_work
from hetopt.profiling.roofline import Correction, Estimate, correct, estimate
from hetopt.profiling.tables.measurement import Measurement

if TYPE_CHECKING:
    from hetopt.profiling.onnx.document import ModelProfile
    from hetopt.profiling.onnx.graph import Operator
    from hetopt.profiling.onnx.segments import Segment

BYTES = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0}
DEPTHWISE = 25
"""Multiply-accumulates of an output, at most, of a convolution whose channels do not mix."""
PREFERRED = ("fp32", "fp16", "int8", "bf16", "fp8")
"""Precisions by which a target that names none is estimated: the first that it has."""
LINK_B_PER_S, LINK_LATENCY_S = 8e9, 20e-6
"""Bandwidth and latency between devices of an instance that states none: a few lanes of PCIe."""


@dataclass(frozen=True, slots=True)
class Target:
    """A processor that options are estimated for, in one precision."""

    processor: Capability
    precision: str


def targets_of(text: str) -> list[Target]:
    """Read ``DEVICE[:PRECISION],...``.

    Raises
    ------
    InputError
        If a device has no data sheet here, or states no peak of the precision.
    """
    found = []
    for part in (p.strip() for p in text.split(",")):
        name, _, said = part.partition(":")
        processor = capability(name)
        stated = [p for p in PREFERRED if p in processor.peaks]
        precision = PRECISION_NAMES.get(said, said) or stated[0]
        if precision not in stated:
            expected = f"DEVICE:PRECISION with a precision of {name}: {', '.join(stated)}."
            raise InputError([Problem("--estimate", part, expected)])
        target = Target(processor, precision)
        if target not in found:
            found.append(target)
    return found


def works_of(operators: Sequence[Operator], precision: str) -> tuple[OperatorWork, ...]:
    """Return the operators of a segment as they would be in another precision.

    Operators that view what others wrote take nothing. Bytes scale with the element's size.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
    works = []
    for o in operators:
        if o.family in ("view", "control"):
            continue
        own = BYTES.get(PRECISION_NAMES.get(o.precision, o.precision), 4.0)
        size = (o.read_b + o.written_b + o.weights_b) * BYTES[precision] / own
        outputs = o.written_b / own
        depthwise = o.family == "convolution" and 0 < o.macs <= DEPTHWISE * outputs
        family = "depthwise-conv" if depthwise else o.family
        works.append(family_work(family, o.flop, size, precision))
    return tuple(works)


def estimated_document(
    profiles: Sequence[ModelProfile],
    targets: Sequence[Target],
    *,
    uncalibrated: bool = False,
    interval: float = 0.9,
    known: Sequence[Measurement] = (),
    folder: Path | None = None,
    report: Callable[[str], object] | None = None,
) -> dict[str, Any]:
    """Return the document of an instance: a task per segment, an estimated option per target.

    A model's cut costs nothing but its transfers; the links are placeholders of a few lanes of
    PCIe, to be replaced. Energy is stated where it is known of every target. Devices that share
    DRAM and power slow each other down, which an estimate knows nothing of.

    Parameters
    ----------
    profiles
        Models whose operators were counted, and their segments.
    targets
        Processors and precisions.
    uncalibrated
        Estimate from the data sheet alone where no measured run calibrates.
    interval
        Share of outcomes that intervals hold.
    known
        Measured times of whole models, on targets or on other processors of their kinds, which
        correct what the estimate says wrong of a model. The task is the model's name, the device
        an ID of the capabilities; where labels state a precision, it is the target's.
    folder
        Where the instance will stand.
    report
        Called with a line about what is done.

    Raises
    ------
    InputError
        Where nothing calibrates a target and ``uncalibrated`` is not set.
    """
    from hetopt.profiling.onnx.document import instance_document

    devices = list(dict.fromkeys(t.processor.device for t in targets))
    made: dict[tuple[str, str, str, str], Estimate] = {}
    _check_known(known, profiles)
    for profile in profiles:
        for target in targets:
            correction = _correction(profile, target, known)
            for segment in profile.segments:
                works = works_of(segment.operators, target.precision)
                made[_key(profile, segment, target)] = _estimate(
                    works, target, uncalibrated, interval, correction
                )
        if report is not None:
            report(f"{profile.name}: {len(profile.segments)} segments on {', '.join(devices)}")
    powered = all(not math.isnan(found.energy_j) for found in made.values())

    def options(profile: ModelProfile, segment: Segment) -> list[dict[str, Any]]:
        return [
            _option(segment, target, made[_key(profile, segment, target)], powered)
            for target in targets
        ]

    rows = [_device(capability(name), powered) for name in devices]
    return instance_document(
        profiles,
        devices=rows,
        options=options,
        folder=folder,
        settings={
            "name": "-".join(p.name for p in profiles),
            "description": _description(made, uncalibrated),
            "regime": "schedule",
            "objective": "makespan",
        },
        more={"links": _links(devices)} if len(devices) > 1 else {},
    )


def _description(made: Mapping[tuple[str, str, str, str], Estimate], uncalibrated: bool) -> str:
    """Say what an estimated instance is, and why it has no energies where it has none."""
    text = "Options are estimated, not measured; links are placeholders (docs/estimates.md)."
    silent = [*dict.fromkeys(key[2] for key, found in made.items() if math.isnan(found.energy_j))]
    if not silent:
        return text
    known = dict.fromkeys(key[2] for key in made if key[2] not in silent)
    rest = f", so that those of {', '.join(known)} are left out too" if known else ""
    limits = (capability(name) for name in silent)
    stated = any(not math.isnan(limit.power_w) and not limit.power_shared for limit in limits)
    way = " (--uncalibrated goes by power limits)" if stated and not uncalibrated else ""
    return f"{text} No energy is known of {', '.join(silent)}{way}{rest}."


def _key(profile: ModelProfile, segment: Segment, target: Target) -> tuple[str, str, str, str]:
    return profile.name, segment.name, target.processor.device, target.precision


def _estimate(
    works: tuple[OperatorWork, ...],
    target: Target,
    uncalibrated: bool,
    interval: float,
    correction: Correction | None,
) -> Estimate:
    # A segment of views alone takes no time; a launch stands for what passes it on.
    asked = works or (OperatorWork("other", 0.0, 1.0, target.precision),)
    return estimate(
        asked,
        target.processor,
        interval=interval,
        uncalibrated=uncalibrated,
        correction=correction,
    )


def _check_known(known: Sequence[Measurement], profiles: Sequence[ModelProfile]) -> None:
    names = [p.name for p in profiles]
    for row in known:
        capability(row.device)
        if row.task not in names:
            expected = f"A model that is profiled: {', '.join(names)}."
            raise InputError([Problem("--known", row.task, expected)])


def _correction(
    profile: ModelProfile, target: Target, known: Sequence[Measurement]
) -> Correction | None:
    """Return what measured times of the whole model say of its parts on a target."""
    mine = [row for row in known if row.task == profile.name]
    mine = [row for row in mine if capability(row.device).kind == target.processor.kind]
    stated = [row for row in mine if _precision(row.label)]
    mine = [row for row in mine if _precision(row.label) in ("", target.precision)]
    if not mine or (stated and not any(_precision(row.label) for row in mine)):
        return None
    times: dict[str, float] = {}
    for row in mine:
        times[row.device] = min(row.time_s / row.batch, times.get(row.device, math.inf))
    return correct(works_of(profile.graph.operators, target.precision), target.processor, times)


def _precision(label: str) -> str:
    """Return the precision that a label names, empty where it names none."""
    words = label.lower().replace("-", " ").split()
    names = (PRECISION_NAMES.get(word, word) for word in words)
    return next((name for name in names if name in PRECISIONS), "")


def _option(segment: Segment, target: Target, found: Estimate, powered: bool) -> dict[str, Any]:
    fields = {
        key: float(f"{value:.6g}") if isinstance(value, float) else value
        for key, value in found.option_fields().items()
        if powered or not key.startswith("energy")
    }
    share = BYTES[target.precision] / BYTES["fp32"]
    return {
        "device": target.processor.device,
        "label": target.precision,
        **fields,
        "memory_b": segment.memory_b * share,
        "weights_b": segment.weights_b * share,
    }


def _device(processor: Capability, powered: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": processor.device, "kind": processor.kind}
    if not math.isnan(processor.memory_b):
        row["memory_b"] = processor.memory_b
    if powered:
        row["idle_known"] = False  # no data sheet states it: energies are whole energies
    return row | {"source": processor.source}


def _links(devices: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "from": a,
            "to": b,
            "bandwidth_b_per_s": LINK_B_PER_S,
            "latency_s": LINK_LATENCY_S,
            "both_ways": True,
        }
        for i, a in enumerate(devices)
        for b in devices[i + 1 :]
    ]
