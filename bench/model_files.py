"""Model files to pipelines: whether outputs stay the same, and whether plans tell the time.

    python -m bench.model_files equal                    every light network of the package onnx
    python -m bench.model_files equal resnet50 vgg19     only these
    python -m bench.model_files predict                  three networks over core 0 and core 1
    python -m bench.model_files predict --clock cpu      by processor time, on a busy machine
    python -m bench.model_files predict --precision int8

``equal`` cuts each network (the real graph, with random weights) into 2 to 6 segments and runs them
in turn on ONNX Runtime and on OpenVINO, starting with either; it prints the largest difference from
the whole model's outputs, over the largest value, and says whether that is within 1e-3.

``predict`` does what a user does, with the command line: measures the networks on ONNX Runtime on
core 0 and OpenVINO on core 1 in fp32 and int8, plans a frame of all three (least makespan) and each
network as a stream (largest throughput, cut over both), deploys and runs the plans, and prints
predicted beside measured time a frame, or rate. One JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hetopt.profiling.measure.quantise import difference
from hetopt.profiling.measure.sessions import open_session
from hetopt.profiling.onnx.cut import borders, submodel
from hetopt.profiling.onnx.graph import Operator, OperatorGraph, operator_graph
from hetopt.profiling.onnx.load import read_model
from hetopt.profiling.onnx.segments import segments
from tests.small_models import light, real_weights

NETWORKS = (
    "squeezenet",
    "shufflenet",
    "inception_v1",
    "inception_v2",
    "densenet121",
    "resnet50",
    "bvlc_alexnet",
    "zfnet512",
    "vgg19",
)
PREDICTED = ("resnet50", "squeezenet", "inception_v1")
PLACES = ("onnxruntime:cpu@0", "openvino:CPU@1")
RUNTIMES = (("onnxruntime", "cpu"), ("openvino", "CPU"))
MOST = range(2, 7)
TOLERANCE = 1e-3
SEGMENTS = 6


def equal(name: str, folder: Path) -> dict[str, Any]:
    """Cut a network in 2 to 6 and hold its outputs against the whole."""
    graph = operator_graph(read_model(_saved(name, folder)))
    rng = np.random.default_rng(0)
    feeds = {n: rng.standard_normal(_shape(graph, n)).astype(np.float32) for n in graph.inputs}
    whole = {r: _run(graph, graph.operators, r, folder, feeds) for r in RUNTIMES}
    first = whole[RUNTIMES[0]]
    worst, found = {}, 0
    for most in MOST:
        cut, _ = segments(graph, most)
        found = max(found, len(cut))
        for order in (RUNTIMES, RUNTIMES[::-1]):
            tensors = dict(feeds)
            for segment, runtime in zip(cut, cycle(order), strict=False):
                tensors |= _run(graph, segment.operators, runtime, folder, tensors)
            off = difference([tensors[n] for n in first], list(first.values()))
            worst[f"{len(cut)} from {order[0][0]}"] = off
    runtimes = difference(list(whole[RUNTIMES[1]].values()), list(first.values()))
    return {
        "network": name,
        "segments": found,
        "difference": max(worst.values()),
        "whole_on_openvino": runtimes,
        "spread_of_outputs": float(np.std(next(iter(first.values())))),
        "equal": max(worst.values()) <= TOLERANCE,
    }


def predict(
    names: Sequence[str], frames: int, clock: str, precision: str, folder: Path
) -> Iterator[dict[str, Any]]:
    """Measure, plan, deploy and run; yield predicted and measured figures."""
    paths = [_saved(name, folder) for name in names]
    yield _together(paths, frames, clock, precision, folder)
    for path in paths:
        yield _streamed(path, frames, clock, precision, folder)


def _together(
    paths: list[Path], frames: int, clock: str, precision: str, folder: Path
) -> dict[str, Any]:
    instance = folder / "together.yaml"
    _profile(paths, instance, clock, precision)
    verdict = _planned(instance, folder / "together", frames, clock, "one")
    return {"asked": "frame of " + " + ".join(p.stem for p in paths), **verdict}


def _streamed(path: Path, frames: int, clock: str, precision: str, folder: Path) -> dict[str, Any]:
    instance = folder / f"{path.stem}-stream.yaml"
    _profile([path], instance, clock, precision, "--regime", "steady")
    verdict = _planned(instance, folder / f"{path.stem}-stream", frames, clock, "fast")
    return {"asked": f"stream of {path.stem}", **verdict}


def _profile(paths: list[Path], instance: Path, clock: str, precision: str, *more: str) -> None:
    _hetopt(
        *("profile", *map(str, paths), "--segments", str(SEGMENTS), "--measure", "--clock", clock),
        *(
            "--on",
            ",".join(PLACES),
            "--precision",
            precision,
            "--most-time",
            "1s",
            "-o",
            str(instance),
            *more,
        ),
    )


def _planned(instance: Path, target: Path, frames: int, clock: str, pace: str) -> dict[str, Any]:
    plan = target.with_suffix(".plan.json")
    result = _hetopt("solve", str(instance), "--time-limit", "20", "--json", "-o", str(plan))
    _hetopt("deploy", str(instance), str(plan), "--to", "onnxruntime", "-o", str(target))
    load = os.getloadavg()[0]
    verdict = _hetopt(
        *("run", str(target), "--frames", str(frames), "--pace", pace, "--clock", clock, "--json"),
        codes=(0, 5),
    )
    line = verdict["frame"] or verdict["rate"]
    return {
        "status": result["status"],
        "units": len({s["unit"] for s in verdict["stages"]}),
        "stages": len(verdict["stages"]),
        "options": sorted({s["option"] for s in verdict["stages"]}),
        "predicted": line["predicted"],
        "measured": line["measured"],
        "off": line["off"],
        "within_15_percent": abs(line["off"]) <= 0.15,
        "outputs": verdict["outputs"],
        "clock": clock,
        "load": load,
        "cpu_share": verdict["cpu_share"],
    }


def _hetopt(*arguments: str, codes: Sequence[int] = (0,)) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "hetopt", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode not in codes:
        raise SystemExit(f"hetopt {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout) if "--json" in arguments else None


def _saved(name: str, folder: Path) -> Path:
    path = folder / f"{name}.onnx"
    if not path.is_file():
        onnx.save(real_weights(onnx.load(light(name))), path)
    return path


def _shape(graph: OperatorGraph, name: str) -> tuple[int, ...]:
    shape = graph.types[name].shape
    assert shape is not None
    return shape


def _run(
    graph: OperatorGraph,
    operators: Sequence[Operator],
    runtime: tuple[str, str],
    folder: Path,
    tensors: dict[str, Any],
) -> dict[str, Any]:
    inputs, outputs = borders(graph, operators)
    path = folder / "part.onnx"
    path.write_bytes(submodel(graph, operators))
    session = open_session(*runtime, str(path), 1, inputs, outputs)
    found = session.run([tensors[n] for n in inputs])
    return {n: np.array(a) for n, a in zip(outputs, found, strict=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the command line; 1 where outputs differ or a prediction is off by more than 15 %."""
    parser = argparse.ArgumentParser(prog="python -m bench.model_files")
    parser.add_argument("what", choices=("equal", "predict"))
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--precision", default="fp32,int8")
    chosen = parser.parse_args(arguments)
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.what == "equal":
            for network in chosen.networks or NETWORKS:
                began = time.monotonic()
                row = equal(network, folder)
                good = good and row["equal"]
                print(
                    json.dumps({**row, "seconds": round(time.monotonic() - began, 1)}), flush=True
                )
        else:
            names = chosen.networks or PREDICTED
            for row in predict(names, chosen.frames, chosen.clock, chosen.precision, folder):
                good = good and row["within_15_percent"]
                print(json.dumps(row), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
