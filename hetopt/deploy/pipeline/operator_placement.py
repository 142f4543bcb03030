"""Whole models with the plan's places on their operators, for runtimes that split them themselves.

ONNX Runtime reads ``layer_ann`` of nodes and ``session.layer_assignment_settings``, which says
which device each annotation goes to. OpenVINO's HETERO device reads the ``affinity`` of operators,
which files do not keep: a script sets it and compiles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hetopt.deploy.target import Provenance
from hetopt.profiling.onnx.cut import submodel
from hetopt.profiling.onnx.graph import Operator, OperatorGraph

ANNOTATION = "layer_ann"
DESIGNATORS = {
    "cpu": "cpu",
    "cuda": "cuda",
    "tensorrt": "cuda",
    "dml": "dml",
    "rocm": "gpu",
    "migraphx": "gpu",
    "qnn": "npu",
    "vitisai": "npu",
}
"""What ONNX Runtime's layer assignment calls the devices of its execution providers."""

SCRIPT = '''{comment}
"""Compile {job} for OpenVINO's HETERO device: each operator where the plan has it.

python {name}    or, in a program: from {module} import compiled
"""

import json
from pathlib import Path

import openvino

HERE = Path(__file__).resolve().parent


def compiled():
    """Return the compiled model."""
    places = json.loads((HERE / "{places}").read_text(encoding="utf-8"))
    core = openvino.Core()
    model = core.read_model(HERE / "{model}")
    affinity = {{}}
    # From the end on: what has no tensor of the file's own stands where it is needed.
    for op in reversed(model.get_ordered_ops()):
        names = [n for port in op.outputs() for n in port.get_names()]
        readers = [
            affinity[target.get_node().get_friendly_name()]
            for port in op.outputs()
            for target in port.get_target_inputs()
        ]
        found = [places["tensors"][n] for n in names if n in places["tensors"]]
        affinity[op.get_friendly_name()] = (found or readers or [places["devices"][0]])[0]
    for op in model.get_ops():
        if op.get_type_name() == "Result":
            source = op.input_value(0).get_node().get_friendly_name()
            affinity[op.get_friendly_name()] = affinity[source]
        op.get_rt_info()["affinity"] = affinity[op.get_friendly_name()]
    # As exact as the submodels: no hidden change of precision.
    settings = {{"INFERENCE_PRECISION_HINT": "f32"}}
    return core.compile_model(model, "HETERO:" + ",".join(places["devices"]), settings)


if __name__ == "__main__":
    print(compiled())
'''


def whole_files(
    job: str,
    graph: OperatorGraph,
    placed: Sequence[tuple[Sequence[Operator], str]],
    runtime: str,
    origin: Provenance,
) -> tuple[dict[str, bytes], str]:
    """Return files of a whole model with its places, or why there are none.

    Parameters
    ----------
    job
        Its name, as it stands in file names.
    graph
        The model.
    placed
        Parts of it with the runtime's device that each runs on.
    runtime
        ``onnxruntime`` or ``openvino``.
    origin
        What the files say of where they come from.
    """
    devices = list(dict.fromkeys(device for _, device in placed))
    if runtime == "openvino":
        return _hetero(job, graph, placed, devices, origin), ""
    unknown = [d for d in devices if d not in DESIGNATORS]
    if unknown:
        return {}, f"layer assignment has no word for the execution provider {unknown[0]}"
    return _annotated(job, graph, placed, devices, origin), ""


def _annotated(
    job: str,
    graph: OperatorGraph,
    placed: Sequence[tuple[Sequence[Operator], str]],
    devices: Sequence[str],
    origin: Provenance,
) -> dict[str, bytes]:
    import onnx

    marks = {n: f"on_{device}" for part, device in placed for o in part for n in o.outputs}
    model = onnx.ModelProto.FromString(submodel(graph))
    for node in model.graph.node:
        mark = next((marks[n] for n in node.output if n in marks), None)
        if mark is not None:
            entry = node.metadata_props.add()
            entry.key, entry.value = ANNOTATION, mark
    rules = ";".join(f"{DESIGNATORS[d]}(=on_{d})" for d in devices)
    settings = {
        **_origin(origin),
        "session_config_entries": {"session.layer_assignment_settings": rules},
        "providers": list(devices),
    }
    return {
        f"whole/{job}.onnx": model.SerializeToString(),
        f"whole/{job}.session.json": json.dumps(settings, indent=1).encode() + b"\n",
    }


def _hetero(
    job: str,
    graph: OperatorGraph,
    placed: Sequence[tuple[Sequence[Operator], str]],
    devices: Sequence[str],
    origin: Provenance,
) -> dict[str, bytes]:
    places = {
        **_origin(origin),
        "devices": list(devices),
        "tensors": {n: device for part, device in placed for o in part for n in o.outputs},
    }
    module = "compile_" + "".join(c if c.isalnum() else "_" for c in job)
    script = SCRIPT.format(
        comment=origin.comment().rstrip(),
        job=job,
        name=f"whole/{module}.py",
        module=module,
        places=f"{job}.places.json",
        model=f"{job}.onnx",
    )
    return {
        f"whole/{job}.onnx": submodel(graph),
        f"whole/{job}.places.json": json.dumps(places, indent=1).encode() + b"\n",
        f"whole/{module}.py": script.encode(),
    }


def _origin(origin: Provenance) -> Mapping[str, Any]:
    return {
        "instance": origin.instance,
        "plan": f"sha256:{origin.plan}",
        "version": origin.version,
    }
