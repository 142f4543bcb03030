"""Models of jobs, found and checked, and the submodels of stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hetopt.deploy.pipeline.stages import Stage, option_words
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.profiling.measure.options import BATCH_AXIS
from hetopt.profiling.measure.quantise import in_precision
from hetopt.profiling.measure.tensors import DTYPES
from hetopt.profiling.onnx.cut import borders, submodel
from hetopt.profiling.onnx.graph import Operator, OperatorGraph, operator_graph
from hetopt.profiling.onnx.load import read_model
from hetopt.profiling.onnx.segments import select


class Models:
    """The models of an instance's jobs, read once for each batch size.

    Parameters
    ----------
    instance
        Its jobs name their ``model``, its hash and the sizes of its open axes.
    beside
        Folder that relative paths are from.
    """

    def __init__(self, instance: Instance, beside: Path) -> None:
        self._instance, self._beside = instance, beside
        self._graphs: dict[tuple[int, int], OperatorGraph] = {}

    def graph(self, job: int, batch: int) -> OperatorGraph:
        """Return the operators of a job's model.

        Raises
        ------
        InputError
            If the job names no model, the file is another one, or it cannot be read.
        """
        if (job, batch) not in self._graphs:
            self._graphs[job, batch] = self._read(job, batch)
        return self._graphs[job, batch]

    def _read(self, job: int, batch: int) -> OperatorGraph:
        jobs = self._instance.jobs
        name, file = str(jobs.name[job]), str(jobs.model[job])
        if not file:
            expected = "A job with its model, as hetopt profile --measure writes it."
            raise InputError([Problem(f"jobs.{name}.model", "", expected)])
        sizes = self._sizes(job)
        path = self._beside / file
        if batch > 1:
            sizes[BATCH_AXIS] = batch
        try:
            model = read_model(path, sizes)
        except InputError:
            # A model measured over batch sizes states none for its axis.
            if batch != 1 or BATCH_AXIS in sizes:
                raise
            model = read_model(path, {**sizes, BATCH_AXIS: 1})
        wanted = str(jobs.model_sha256[job])
        if wanted and wanted != model.sha256:
            expected = f"The file that was profiled, of sha256 {wanted}."
            raise InputError([Problem(str(path), f"sha256 {model.sha256}", expected)])
        return operator_graph(model)

    def _sizes(self, job: int) -> dict[str, int]:
        jobs = self._instance.jobs
        text = str(jobs.model_shape[job])
        sizes = {}
        for part in filter(None, text.split(",")):
            axis, mark, size = part.rpartition("=")
            if not mark or not size.isdecimal():
                place = f"jobs.{jobs.name[job]}.model_shape"
                raise InputError([Problem(place, text, "Sizes of open axes: batch=8,seq=128.")])
            sizes[axis] = int(size)
        return sizes

    def operators(self, stage: Stage, graph: OperatorGraph) -> list[Operator]:
        """Return the operators of a stage.

        Raises
        ------
        InputError
            If a task names no segment of its model.
        """
        found: dict[int, Operator] = {}
        for part in stage.parts:
            text = str(self._instance.tasks.segment[part.task])
            name = str(self._instance.tasks.name[part.task])
            jobs = self._instance.tasks.job
            alone = int((jobs == jobs[part.task]).sum()) == 1
            try:
                chosen = list(graph.operators) if alone and not text else select(graph, text)
            except ValueError:
                expected = "Places of operators in the model's file: 0-57,60."
                raise InputError([Problem(f"tasks.{name}.segment", text, expected)]) from None
            found |= {o.index: o for o in chosen}
        return [found[index] for index in sorted(found)]


def check_cover(
    models: Models, instance: Instance, graph: OperatorGraph, stages: Sequence[Stage]
) -> None:
    """Refuse segments that leave operators out, or have one twice.

    Raises
    ------
    InputError
        With the operators.
    """
    counted: dict[int, int] = {}
    for stage in stages:
        for part in stage.parts:
            for o in models.operators(Stage((part,)), graph):
                counted[o.index] = counted.get(o.index, 0) + 1
    missing = [o.name for o in graph.operators if o.index not in counted]
    twice = [o.name for o in graph.operators if counted.get(o.index, 0) > 1]
    job = str(instance.jobs.name[int(instance.tasks.job[stages[0].first.task])])
    for names, words in ((missing, "no segment has"), (twice, "several segments have")):
        if names:
            expected = f"Segments with each operator once: {words} {names[0]}."
            raise InputError([Problem(f"jobs.{job}", "", expected)])


def stage_file(graph: OperatorGraph, operators: Sequence[Operator], label: str) -> bytes:
    """Return the submodel of a stage in the precision of its option."""
    return in_precision(submodel(graph, operators), option_words(label)["precision"])


def tensor(graph: OperatorGraph, name: str) -> dict[str, Any]:
    """Return name, shape and type of a tensor that passes between stages.

    Raises
    ------
    InputError
        If its size is not known before the model runs.
    """
    kind = graph.types.get(name)
    if kind is None or kind.shape is None:
        expected = "A cut where sizes are known before the model runs."
        raise InputError([Problem(str(graph.model.path), name, expected)])
    return {"name": name, "shape": list(kind.shape), "dtype": DTYPES.get(kind.dtype, kind.dtype)}


__all__ = ["Models", "borders", "check_cover", "stage_file", "tensor"]
