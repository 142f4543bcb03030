"""Profiles of models as a document, as tables, and as the document of an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.onnx.graph import OperatorGraph, operator_graph
from hetopt.profiling.onnx.load import read_model, unknown_axes
from hetopt.profiling.onnx.segments import Crossing, Segment, segments
from hetopt.version import __version__

VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A model, its operators, and the segments that it is cut into.

    ``name`` is the name of its job; tasks are called ``name/s1``, ``name/s2`` ...
    """

    name: str
    graph: OperatorGraph
    segments: tuple[Segment, ...]
    crossings: tuple[Crossing, ...]

    def task(self, segment: str) -> str:
        """Return the name of a segment's task."""
        return f"{self.name}/{segment}"

    @property
    def shape(self) -> str:
        """Sizes of open axes as ``--shape`` takes them."""
        return shape_text(self.graph.model.sizes)


def shape_text(sizes: Mapping[str, int]) -> str:
    """Write sizes of open axes as ``--shape`` takes them."""
    return ",".join(f"{k}={v}" for k, v in sorted(sizes.items()))


def profile_models(
    paths: Sequence[str | Path],
    *,
    sizes: Mapping[str, int] | None = None,
    most_segments: int = 12,
    report: Callable[[str], object] | None = None,
) -> list[ModelProfile]:
    """Count the operators of model files and cut each into segments.

    Parameters
    ----------
    paths
        ONNX files; each becomes a job.
    sizes
        Sizes of open axes, by name or as ``input.0``; those of one name hold for all models.
    most_segments
        Largest number of segments of each model.
    report
        Called with a line about what is done.

    Raises
    ------
    InputError
        If a file cannot be read, an axis has no size, or a size is given that no model has.
    """
    profiles: list[ModelProfile] = []
    for path in paths:
        if report is not None:
            report(f"{path}: counting operators")
        graph = operator_graph(read_model(path, sizes))
        cut, crossings = segments(graph, most_segments)
        name = _name(Path(path).stem, [p.name for p in profiles])
        profiles.append(ModelProfile(name, graph, tuple(cut), tuple(crossings)))
    unknown = unknown_axes(sizes or {}, [p.graph.model for p in profiles])
    if unknown:
        expected = "An open axis of a model by its name, or INPUT.NUMBER."
        raise InputError([Problem("--shape", name, expected) for name in unknown])
    return profiles


def _name(stem: str, taken: Sequence[str]) -> str:
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def profile_document(profiles: Sequence[ModelProfile]) -> dict[str, Any]:
    """Return the profile as one JSON object (docs/profile.schema.json)."""
    return {
        "hetopt_profile": VERSION,
        "version": __version__,
        "models": [_model(p) for p in profiles],
    }


def _model(profile: ModelProfile) -> dict[str, Any]:
    graph = profile.graph
    return {
        "name": profile.name,
        "file": str(graph.model.path),
        "sha256": graph.model.sha256,
        "shape": profile.shape,
        "totals": {
            "operators": len(graph.operators),
            "constant_operators": graph.folded,
            "flop": sum(o.flop for o in graph.operators),
            "macs": sum(o.macs for o in graph.operators),
            "read_bytes": sum(o.read_b for o in graph.operators),
            "written_bytes": sum(o.written_b for o in graph.operators),
            "weights_bytes": graph.weights_b,
        },
        "not_counted": graph.not_counted(),
        "segments": [_segment(profile, s) for s in profile.segments],
        "transfers": [
            {
                "from": profile.task(c.source),
                "to": profile.task(c.target),
                "tensor": c.tensor,
                "bytes": c.bytes_b,
            }
            for c in profile.crossings
        ],
        "operators": operator_rows(profile),
    }


def _segment(profile: ModelProfile, segment: Segment) -> dict[str, Any]:
    families: dict[tuple[str, str], dict[str, float]] = {}
    for o in segment.operators:
        row = families.setdefault((o.family, o.precision), {"flop": 0.0, "bytes": 0.0, "count": 0})
        row["flop"] += o.flop
        row["bytes"] += o.read_b + o.written_b + o.weights_b
        row["count"] += 1
    return {
        "task": profile.task(segment.name),
        "segment": segment.places,
        "operators": len(segment.operators),
        "flop": segment.flop,
        "macs": segment.macs,
        "read_bytes": segment.read_b,
        "written_bytes": segment.written_b,
        "weights_bytes": segment.weights_b,
        "memory_bytes": segment.memory_b,
        "inputs": list(segment.inputs),
        "outputs": list(segment.outputs),
        "families": [
            {"family": f, "precision": p, **row} for (f, p), row in sorted(families.items())
        ],
    }


def operator_rows(profile: ModelProfile) -> list[dict[str, Any]]:
    """Return one row per operator, for documents and tables."""
    segment_of = {o.index: s.name for s in profile.segments for o in s.operators}
    return [
        {
            "place": o.index,
            "name": o.name,
            "op_type": o.op_type,
            "domain": o.domain,
            "family": o.family,
            "precision": o.precision,
            "task": profile.task(segment_of[o.index]),
            "flop": o.flop,
            "macs": o.macs,
            "read_bytes": o.read_b,
            "written_bytes": o.written_b,
            "weights_bytes": o.weights_b,
            "not_counted": o.not_counted,
        }
        for o in profile.graph.operators
    ]


def profile_tables(profiles: Sequence[ModelProfile]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the tables ``operators``, ``segments`` and ``transfers``."""
    tables: dict[str, list[dict[str, Any]]] = {"operators": [], "segments": [], "transfers": []}
    for profile in profiles:
        model = _model(profile)
        about = {"model": profile.name}
        tables["operators"] += [about | row for row in model["operators"]]
        tables["transfers"] += [about | row for row in model["transfers"]]
        tables["segments"] += [
            about | {k: v for k, v in row.items() if not isinstance(v, list)}
            for row in model["segments"]
        ]
    return tables


def instance_document(
    profiles: Sequence[ModelProfile],
    *,
    devices: Sequence[Mapping[str, Any]],
    options: Callable[[ModelProfile, Segment], Sequence[Mapping[str, Any]]],
    folder: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    batch_axis: str = "",
) -> dict[str, Any]:
    """Return the document of an instance: a job per model, a task per segment.

    Parameters
    ----------
    profiles
        The models.
    devices
        Rows of the instance's devices.
    options
        The rows of options of a segment (``device``, ``time_s``, ...); the weights are added.
    folder
        Where the instance will stand: model files are named from there. ``None``: absolute.
    settings
        Settings of the instance; ``more`` are further parts (``links``, ``resources``).
    batch_axis
        Open axis whose size each option's batch is, so that jobs do not state it.
    """
    chosen = dict(settings or {})
    steady = chosen.get("regime") == "steady"
    jobs, tasks, transfers = [], [], []
    found: dict[str, list[dict[str, Any]]] = {}
    for profile in profiles:
        sizes = {k: v for k, v in profile.graph.model.sizes.items() if k != batch_axis}
        jobs.append(
            {
                "name": profile.name,
                "model": _place(profile.graph.model.path, folder),
                "model_sha256": profile.graph.model.sha256,
                **({"model_shape": shape_text(sizes)} if sizes else {}),
                **({"share": 1 / len(profiles)} if steady else {}),
            }
        )
        for segment in profile.segments:
            name = profile.task(segment.name)
            tasks.append({"name": name, "job": profile.name, "segment": segment.places})
            found[name] = [
                {"memory_b": segment.memory_b, **_weights(profile, segment, row), **row}
                for row in options(profile, segment)
            ]
        transfers += [
            {
                "from": profile.task(c.source),
                "to": profile.task(c.target),
                "tensor": f"{profile.name}/{c.tensor}",
                "bytes": c.bytes_b,
            }
            for c in profile.crossings
        ]
    return {
        "hetopt": 1,
        **chosen,
        "devices": [dict(row) for row in devices],
        **(more or {}),
        "profiles": found,
        "jobs": jobs,
        "tasks": tasks,
        **({"transfers": transfers} if transfers else {}),
    }


def _weights(profile: ModelProfile, segment: Segment, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an option's weights take: of a precision once, whatever batch or threads."""
    if not segment.weights_b:
        return {}
    precision = str(row.get("label", "")).partition("-")[0] or "fp32"
    return {
        "weights_b": segment.weights_b,
        "model": profile.task(segment.name),
        "variant": precision,
    }


def _place(path: Path, folder: Path | None) -> str:
    import os

    if folder is None:
        return str(path.resolve())
    return os.path.relpath(path.resolve(), folder.resolve())
