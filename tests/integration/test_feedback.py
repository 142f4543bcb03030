"""From plan to machine and back: a unit becomes 40 % slower while it runs, and the plan follows."""

from __future__ import annotations

import json
import re
import runpy

import numpy as np
import pytest

from bench.control import Server
from hetopt.control.client import Client
from hetopt.profiling.measure.places import allowed_cores

LABEL = "fp32-t1"


def test_a_unit_that_becomes_slower_is_noticed_and_left_before_more_is_late(
    tmp_path, repo_path, capsys
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    cores = allowed_cores()
    if len(cores) < 2:
        pytest.skip("needs two cores, one for each unit")
    from hetopt import deploy, read_instance, solve
    from hetopt.deploy.pipeline.run import run_pipeline
    from hetopt.profiling.onnx.document import instance_document, profile_models
    from tests.small_models import light, real_weights, saved

    first, second = (f"onnxruntime:cpu@{core}" for core in cores[:2])
    saved(real_weights(onnx.load(light("squeezenet"))), tmp_path, "net.onnx")

    def fleet(time_s: float, limit_s: float | None) -> str:
        document = instance_document(
            profile_models([tmp_path / "net.onnx"], most_segments=1),
            devices=[{"name": first}, {"name": second}],
            options=lambda profile, segment: [
                {"device": first, "label": LABEL, "time_s": time_s, "energy_j": 0.1},
                {"device": second, "label": LABEL, "time_s": time_s, "energy_j": 0.5},
            ],
            folder=tmp_path,
            settings={"name": "net", "regime": "steady", "objective": "power"},
            more={},
        )
        job = document["jobs"][0]
        job = {k: v for k, v in job.items() if k != "share"} | {"rate_per_s": 0.1 / time_s}
        document["jobs"][0] = job | ({} if limit_s is None else {"latency_slo_s": limit_s})
        (tmp_path / "fleet.json").write_text(json.dumps(document))
        return str(tmp_path / "fleet.json")

    def deployed(path: str, folder: str) -> None:
        instance = read_instance(path)
        deploy(
            solve(instance, time_limit=5),
            instance,
            "onnxruntime",
            tmp_path / folder,
            beside=tmp_path,
        )

    # What it takes here and now, in processor time: others use this machine too.
    deployed(fleet(0.05, None), "trial")
    trial = run_pipeline(tmp_path / "trial", frames=15, pace="one", compare=False)
    took = float(np.median([e.cpu_s for e in trial.executed]))
    path = fleet(took, 1.2 * took)
    deployed(path, "pipeline")
    server = Server(tmp_path)
    server.instance = tmp_path / "fleet.json"
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        example = runpy.run_path(str(repo_path / "examples" / "feedback_loop.py"))
        asked = [str(tmp_path / "pipeline"), path, "--url", url, "--clock", "cpu"]
        asked += ["--throttle", f"{first}#0=1.4", "--after", "2", "--rounds", "8"]
        assert example["main"]([*asked, "--frames", "10"]) == 0
        state, said = Client(url).state(), capsys.readouterr().out
    finally:
        server.stop()
    rounds = [(int(a), b) for a, b in re.findall(r"round \d+: (\d+) of 10 too late on (\S+)", said)]
    assert [b for _, b in rounds[:3]] == ["pipeline"] * 3, said
    moved = next(k for k, (_, folder) in enumerate(rounds) if folder != "pipeline")
    # Noticed within 30 events of the slower unit: rounds of 10 requests from the third on.
    assert moved <= 2 + 3, said
    assert state["drifts"][0]["device"] == first
    assert 1.2 < state["drifts"][0]["factor"] < 1.7
    slow = [late for late, _ in rounds[2:moved]]
    after = [late for late, _ in rounds[moved:]]
    assert sum(slow) >= 0.6 * 10 * len(slow), said
    assert sum(after) <= 0.3 * 10 * len(after), said
