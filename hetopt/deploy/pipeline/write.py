"""The files of a pipeline: ``pipeline.json``, a submodel per stage, a page that explains them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetopt.deploy.pipeline.models import Models, borders, check_cover, stage_file, tensor
from hetopt.deploy.pipeline.operator_placement import whole_files
from hetopt.deploy.pipeline.stages import Route, Stage, option_words, routes
from hetopt.deploy.target import Artefacts, Parameters, Provenance
from hetopt.deploy.text import readme
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.instance.states.setups import device_setups
from hetopt.profiling.measure.places import EXTRAS, Place, allowed_cores, parse_place
from hetopt.profiling.measure.quantise import TOLERANCES
from hetopt.solution import Plan, SchedulePlan
from hetopt.units import format as with_unit

VERSION = 1
DEFAULT_DEVICES = {"onnxruntime": "cpu", "openvino": "CPU"}

PARAMETERS = {
    "place.DEVICE": "where a device's units run: RUNTIME:DEVICE@CORES; default: as its name says, "
    "else the target's runtime on all cores",
    "join": "yes (default) or no: whether neighbours on one unit become one submodel",
    "whole": "yes or no (default): also whole models with the plan's places on their operators, "
    "for the runtime's own splitting (layer assignment of ONNX Runtime, HETERO of OpenVINO)",
    "tolerance.fp32": f"largest difference of outputs allowed; default {TOLERANCES['fp32']}",
    "tolerance.int8": f"the same where a stage is quantised; default {TOLERANCES['int8']}",
}


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """What the parts of the files are made from."""

    instance: Instance
    models: Models
    places: dict[int, Place]


def write_pipeline(
    plan: Plan, instance: Instance, parameters: Parameters, runtime: str
) -> Artefacts:
    """Return the files of a pipeline for ``hetopt run``.

    Parameters
    ----------
    plan, instance
        What to execute; jobs name their models, tasks their segments.
    parameters
        See ``PARAMETERS``.
    runtime
        Runtime of devices whose name says none.

    Raises
    ------
    InputError
        If a model or segment is missing or does not fit, or a place cannot be read.
    """
    found = routes(instance, plan, join=_yes(parameters.value("join", "yes"), "join"))
    models = Models(instance, parameters.beside)
    used = sorted({int(instance.options.device[s.first.option]) for r in found for s in r.stages})
    made = _Pipeline(instance, models, {d: _place(instance, d, parameters, runtime) for d in used})
    files: dict[str, bytes] = {}
    listed = [_route(made, route, files) for route in found if route.stages]
    origin = Provenance.of(instance, plan)
    notes = _notes(instance, found)
    if _yes(parameters.value("whole", "no"), "whole"):
        notes += _wholes(made, found, runtime, origin, files)
    pipeline = {
        "hetopt_pipeline": VERSION,
        "version": origin.version,
        "instance": origin.instance,
        "plan": f"sha256:{origin.plan}",
        "regime": instance.regime,
        "frame_s": _frame_s(instance, plan),
        "hop_s": float(instance.links.latency_s.max(initial=0.0)),
        "tolerance": {
            name: _number(parameters.value(f"tolerance.{name}", str(value)), name)
            for name, value in TOLERANCES.items()
        },
        "units": _units(made, found),
        "routes": listed,
    }
    files["pipeline.json"] = json.dumps(pipeline, indent=1).encode() + b"\n"
    files["README.md"] = readme(
        "Pipeline of submodels",
        origin,
        [
            "`hetopt run DIR` executes it here, and compares times and outputs.",
            "`pipeline.json` says which unit runs which submodel, and which tensors pass on.",
        ],
        notes,
        (),
    )
    return Artefacts(files, tuple(notes))


def _wholes(
    made: _Pipeline,
    found: list[Route],
    runtime: str,
    origin: Provenance,
    files: dict[str, bytes],
) -> list[str]:
    """Add the whole models that the runtime can split itself; say which it cannot, and why."""
    instance, notes = made.instance, []
    for route in found:
        job = str(instance.jobs.name[route.job])
        places = [made.places[int(instance.options.device[s.first.option])] for s in route.stages]
        labels = {option_words(_label(instance, s))["precision"] for s in route.stages}
        why = ""
        if sum(r.job == route.job for r in found) > 1:
            why = "its requests take several routes"
        elif any(p.runtime != runtime for p in places):
            why = f"part of it runs on another runtime than {runtime}"
        elif labels != {"fp32"}:
            why = "part of it is quantised, and a whole model has one precision here"
        else:
            graph = made.models.graph(
                route.job, int(instance.options.batch[route.stages[0].first.option])
            )
            placed = [
                (made.models.operators(s, graph), p.device)
                for s, p in zip(route.stages, places, strict=True)
            ]
            more, why = whole_files(re.sub(r"[^\w.-]", "_", job), graph, placed, runtime, origin)
            files |= more
        if why:
            notes.append(f"No whole model of {job}: {why}.")
    return notes


def _label(instance: Instance, stage: Stage) -> str:
    return str(instance.options.label[stage.first.option])


def _route(made: _Pipeline, route: Route, files: dict[str, bytes]) -> dict[str, Any]:
    instance = made.instance
    batches = {int(instance.options.batch[s.first.option]) for s in route.stages}
    job = str(instance.jobs.name[route.job])
    if len(batches) > 1:
        expected = f"One batch size along a route of job {job}."
        raise InputError([Problem("plan", ", ".join(map(str, sorted(batches))), expected)])
    graph = made.models.graph(route.job, batches.pop())
    check_cover(made.models, instance, graph, route.stages)
    tensors: dict[str, dict[str, Any]] = {}
    stages = [_stage(made, stage, graph, tensors, files) for stage in route.stages]
    for name in (*graph.inputs, *graph.outputs):
        tensors.setdefault(name, tensor(graph, name))
    batch = int(instance.options.batch[route.stages[0].first.option])
    return {
        "job": job,
        "model": str(graph.model.path.resolve()),
        "model_sha256": graph.model.sha256,
        "model_sizes": dict(graph.model.sizes),
        "batch": batch,
        "rate_per_s": None if route.rate_per_s != route.rate_per_s else route.rate_per_s,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "tensors": list(tensors.values()),
        "stages": stages,
    }


def _stage(
    made: _Pipeline,
    stage: Stage,
    graph: Any,
    tensors: dict[str, dict[str, Any]],
    files: dict[str, bytes],
) -> dict[str, Any]:
    instance, first = made.instance, stage.first
    device = int(instance.options.device[first.option])
    label = str(instance.options.label[first.option])
    place, words = made.places[device], option_words(label)
    operators = made.models.operators(stage, graph)
    inputs, outputs = borders(graph, operators)
    for name in (*inputs, *outputs):
        tensors.setdefault(name, tensor(graph, name))
    tasks = [str(instance.tasks.name[p.task]) for p in stage.parts]
    path = f"models/{_file_name(tasks, label, int(instance.options.batch[first.option]))}.onnx"
    if path not in files:
        files[path] = stage_file(graph, operators, label)
    return {
        "tasks": tasks,
        "predicted_task_s": [p.time_s for p in stage.parts],
        "predicted_s": stage.time_s,
        "start_s": None if first.start_s != first.start_s else first.start_s,
        "unit": f"{instance.devices.name[device]}#{first.unit}",
        "option": label,
        "precision": words["precision"],
        "threads": words["threads"] or len(place.cores),
        "model": path,
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def _file_name(tasks: list[str], label: str, batch: int) -> str:
    name = tasks[0] if len(tasks) == 1 else f"{tasks[0]}-{tasks[-1].rpartition('/')[2]}"
    more = f".b{batch}" if batch > 1 and f"b{batch}" not in label.split("-") else ""
    return re.sub(r"[^\w.-]", "_", f"{name}.{label or 'fp32'}{more}")


def _units(made: _Pipeline, found: list[Route]) -> list[dict[str, Any]]:
    instance = made.instance
    used = sorted(
        {
            (int(instance.options.device[s.first.option]), s.first.unit)
            for r in found
            for s in r.stages
        }
    )
    return [
        {
            "unit": f"{instance.devices.name[d]}#{u}",
            "device": str(instance.devices.name[d]),
            "runtime": made.places[d].runtime,
            "runtime_device": made.places[d].device,
            "cores": list(made.places[d].cores),
        }
        for d, u in used
    ]


def _place(instance: Instance, device: int, parameters: Parameters, runtime: str) -> Place:
    name = str(instance.devices.name[device])
    given = parameters.of_device("place", name)
    if given:
        return parse_place(given, f"--parameter place.{name}")
    if name.partition(":")[0] in EXTRAS and ":" in name:
        return parse_place(name, f"devices.{name}")
    return Place(runtime, DEFAULT_DEVICES[runtime], allowed_cores())


def _frame_s(instance: Instance, plan: Plan) -> float | None:
    """Return when the last task ends after the first begins."""
    if not isinstance(plan, SchedulePlan):
        return None
    times = instance.options.time_s[plan.option] * instance.tasks.work
    return float((plan.start_s + times).max() - plan.start_s.min())


def _notes(instance: Instance, found: list[Route]) -> list[str]:
    notes = []
    scaled = [
        str(instance.tasks.name[p.task])
        for r in found
        for s in r.stages
        for p in s.parts
        if instance.tasks.work[p.task] != 1
    ]
    if scaled:
        notes.append(
            f"Work other than 1 ({scaled[0]}) scales the plan's times, not what a model computes."
        )
    unread = sorted(
        {
            str(instance.options.label[s.first.option])
            for r in found
            for s in r.stages
            if str(instance.options.label[s.first.option]).partition("-")[0]
            not in ("fp32", "int8", "")
        }
    )
    notes += [
        f"Option {label!r} names no precision that is made here: it runs as its file, fp32."
        for label in unread
    ]
    if instance.regime == "schedule":
        notes += _uncounted_cuts(instance, found)
    return notes


def _uncounted_cuts(instance: Instance, found: list[Route]) -> list[str]:
    """Say where a unit changes a job's option between neighbours: a cut that no link pays for."""
    notes = []
    for route in found:
        cuts: dict[int, int] = {}
        for a, b in itertools.pairwise(route.stages):
            same = (a.first.unit, instance.options.device[a.first.option]) == (
                b.first.unit,
                instance.options.device[b.first.option],
            )
            if same and _label(instance, a) != _label(instance, b):
                device = int(instance.options.device[a.first.option])
                cuts[device] = cuts.get(device, 0) + 1
        for device, count in cuts.items():
            if device in device_setups(instance):
                continue
            links = instance.links
            near = links.latency_s[(links.src == device) | (links.dst == device)]
            about = (
                f", by its links some {with_unit(float(near.mean()), 'time')}" if near.any() else ""
            )
            notes.append(
                f"{instance.jobs.name[route.job]} changes its option {count} "
                f"time{'s' if count > 1 else ''} between neighbours on "
                f"{instance.devices.name[device]}: the plan does not count what such a cut "
                f"takes{about}. It does where {instance.devices.name[device]} states a setup_time."
            )
    return notes


def _yes(text: str, name: str) -> bool:
    if text not in ("yes", "no"):
        raise InputError([Problem(f"--parameter {name}", text, "yes or no.")])
    return text == "yes"


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InputError([Problem(f"--parameter tolerance.{name}", text, "A number above 0.")])
    return value


def read_pipeline(folder: Path) -> Mapping[str, Any]:
    """Read the pipeline of a folder.

    Raises
    ------
    InputError
        If there is none, or it is of another version.
    """
    from hetopt.formats.json_text import parse_json, read_text

    path = folder / "pipeline.json"
    if not path.is_file():
        expected = "A folder that hetopt deploy --to onnxruntime or openvino wrote."
        raise InputError([Problem(str(folder), "", expected)])
    found = parse_json(read_text(path), str(path))
    if not isinstance(found, dict) or found.get("hetopt_pipeline") != VERSION:
        expected = f"A pipeline of version {VERSION} (hetopt_pipeline)."
        raise InputError([Problem(str(path), "", expected)])
    missing = [key for key in ("units", "routes", "tolerance") if key not in found]
    if missing:
        raise InputError([Problem(str(path), "", f"A pipeline with {', '.join(missing)}.")])
    return found
