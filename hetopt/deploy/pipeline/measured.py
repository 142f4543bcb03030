"""Models measured here, as an instance file: what ``hetopt profile --measure`` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import write_whole
from hetopt.formats.native.document import read_json
from hetopt.formats.native.document_text import document_text
from hetopt.profiling.measure.options import BATCH_AXIS, measured_document
from hetopt.profiling.measure.places import parse_place
from hetopt.profiling.measure.quantise import PRECISIONS
from hetopt.profiling.measure.sweep import CLOCKS, MOST_S, Sweep, measure
from hetopt.profiling.onnx.document import ModelProfile, profile_models
from hetopt.profiling.onnx.segments import cut_alike

FORMS = (".json", ".yaml", ".yml")


def measure_models(
    files: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    on: Sequence[str] = ("onnxruntime:cpu",),
    sizes: Mapping[str, int] | None = None,
    segments: int = 12,
    batches: Sequence[int] = (1,),
    precisions: Sequence[str] = ("fp32",),
    threads: Sequence[int] | None = None,
    most_s: float = MOST_S,
    clock: str = "wall",
    regime: str = "",
    report: Callable[[str], object] | None = None,
    extend: Callable[[dict[str, Any], list[ModelProfile]], dict[str, Any]] | None = None,
) -> tuple[Sweep, dict[str, Any]]:
    """Measure models on this machine and write the instance that comes of it.

    Parameters
    ----------
    files
        ONNX files; each becomes a job.
    output
        Instance file to write (``.yaml`` or ``.json``); ``None`` writes none.
    on
        Places: ``onnxruntime:cpu@0``, ``openvino:CPU@1`` ...; without ``@CORES`` on all.
    sizes
        Sizes of open axes, by name or as ``input.0``.
    segments
        Largest number of segments of each model.
    batches, precisions, threads
        What to sweep over; threads by default all cores of each place.
    most_s
        Seconds spent at most on measuring a segment.
    clock
        ``wall``, or ``cpu``: processor time, on a machine that others use.
    regime
        ``schedule`` or ``steady``; default: steady where batches are not just 1.
    report
        Called with a line about what is measured.
    extend
        Adds to the document before it is read and written.

    Returns
    -------
    tuple
        What was measured, and the document of the instance.

    Raises
    ------
    InputError
        If a file, place or question is wrong, or nothing could be measured.
    """
    places = list(dict.fromkeys(parse_place(text) for text in on))
    _check(batches, precisions, clock, regime)
    if output is not None and not str(output).endswith(FORMS):
        raise InputError([Problem("-o", str(output), f"A file {' or '.join(FORMS)}.")])
    counts = sorted(set(batches))

    def profiles(batch: int) -> list[ModelProfile]:
        asked = _sizes(sizes or {}, counts, batch)
        try:
            return profile_models(files, sizes=asked, most_segments=segments, report=report)
        except InputError as error:
            axis = [p for p in error.problems if (p.place, p.value) == ("--shape", BATCH_AXIS)]
            if not axis or BATCH_AXIS in (sizes or {}):
                raise
            listed = ",".join(map(str, counts))
            text = f"1, as no model has an open axis of the name {BATCH_AXIS}."
            raise InputError([Problem("--batch", listed, text)]) from None

    first = profiles(counts[0])
    sweep = measure(
        lambda batch: first if batch == counts[0] else _alike(profiles(batch), first),
        places,
        batches=counts,
        precisions=list(dict.fromkeys(precisions)),
        threads=threads,
        most_s=most_s,
        clock=clock,
        report=report,
    )
    folder = None if output is None else Path(output).absolute().parent
    document = measured_document(first, sweep, places, regime=regime, folder=folder, batches=counts)
    if extend is not None:
        document = extend(document, first)
    # Read first, so that what is written is an instance as any other.
    read_json(json.dumps(document), "the measured instance")
    if output is not None:
        text = document_text(document, yaml=not str(output).endswith(".json"))
        write_whole(Path(output), text)
    return sweep, document


def _check(batches: Sequence[int], precisions: Sequence[str], clock: str, regime: str) -> None:
    for name in precisions:
        if name not in PRECISIONS:
            raise InputError([Problem("--precision", name, f"Of {', '.join(PRECISIONS)}.")])
    for flag, value, choices in (
        ("--clock", clock, CLOCKS),
        ("--regime", regime, ("", "schedule", "steady")),
    ):
        if value not in choices:
            raise InputError([Problem(flag, value, f"{' or '.join(filter(None, choices))}.")])
    if regime == "schedule" and set(batches) != {1}:
        listed = ",".join(map(str, batches))
        raise InputError([Problem("--batch", listed, "1: a schedule runs one request.")])


def _sizes(given: Mapping[str, int], batches: Sequence[int], batch: int) -> dict[str, int]:
    if list(batches) == [1]:
        return dict(given)
    if BATCH_AXIS in given:
        text = f"No size of {BATCH_AXIS} beside --batch."
        raise InputError([Problem("--shape", f"{BATCH_AXIS}={given[BATCH_AXIS]}", text)])
    return {**given, BATCH_AXIS: batch}


def _alike(models: Sequence[ModelProfile], first: Sequence[ModelProfile]) -> list[ModelProfile]:
    """Cut the models for another batch size where those for the first one are cut."""
    return [
        replace(model, segments=tuple(s), crossings=tuple(c))
        for model, like in zip(models, first, strict=True)
        for s, c in [cut_alike(model.graph, like.segments)]
    ]
