"""The controller as a process: killed at random moments, asked by the client, its files written."""

import json
import runpy

import pytest
from ruamel.yaml import YAML

from bench.control import Server, kill
from hetopt.control.client import Client
from hetopt.control.monitoring import ALERTS


def test_killed_at_random_moments_it_loses_nothing_and_decides_the_same():
    found = kill(3, seed=4, longest_s=0.8)
    assert found["kills"] == 3


def test_the_client_sends_events_and_hears_decisions(tmp_path):
    server = Server(tmp_path)
    server.start()
    try:
        client = Client(f"http://127.0.0.1:{server.port}")
        now = client.health()["time_s"]
        answer = client.send([{"event": "arrived", "time_s": now, "job": "see", "request": "r"}])
        assert answer["accepted"] == 1
        assert [d["action"] for d in client.decisions(5)] == ["route"]
        client.send([{"event": "device_down", "time_s": now + 1, "device": "small"}])
        assert {d["why"] for d in client.decisions(30)} == {"failure"}
        assert client.state()["jobs"][0]["arrived"] == 1
    finally:
        server.stop()


def test_a_deployed_pipeline_runs_beside_a_controller(tmp_path, repo_path):
    onnx = pytest.importorskip("onnx")
    from hetopt import deploy, read_instance, solve
    from hetopt.profiling.onnx.document import instance_document, profile_models
    from tests.small_models import light, real_weights, saved

    place = "onnxruntime:cpu@0"
    saved(real_weights(onnx.load(light("squeezenet"))), tmp_path, "net.onnx")
    document = instance_document(
        profile_models([tmp_path / "net.onnx"], most_segments=2),
        devices=[{"name": place}],
        options=lambda profile, segment: [
            {"device": place, "label": "fp32-t1", "time_s": 0.01, "energy_j": 0.1}
        ],
        folder=tmp_path,
        settings={"name": "net", "regime": "steady", "objective": "power"},
        more={},
    )
    document["jobs"][0] = {"name": document["jobs"][0]["name"], "rate_per_s": 5} | {
        k: v for k, v in document["jobs"][0].items() if k not in ("name", "share", "rate_per_s")
    }
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps(document))
    instance = read_instance(file)
    plan = solve(instance, time_limit=2)
    deploy(plan, instance, "onnxruntime", tmp_path / "pipeline", beside=tmp_path)
    server = Server(tmp_path)
    server.instance = file
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        example = runpy.run_path(str(repo_path / "examples" / "control_client.py"))
        pipeline = str(tmp_path / "pipeline")
        assert example["main"]([pipeline, "--url", url, "--rounds", "1", "--frames", "12"]) == 0
        state = Client(url).state()
    finally:
        server.stop()
    assert state["jobs"][0]["served"] == 12
    assert state["devices"][0]["executions"] == 12 * len(instance.tasks)


def test_alerts_and_dashboard_are_written(tmp_path):
    from typer.testing import CliRunner

    from hetopt.cli.app import app

    alerts, board = tmp_path / "alerts.yaml", tmp_path / "board.json"
    asked = ["control", "--write-alerts", str(alerts), "--write-dashboard", str(board)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    rules = YAML(typ="safe").load(alerts.read_text())["groups"][0]["rules"]
    assert [rule["alert"] for rule in rules] == [row[0] for row in ALERTS]
    assert json.loads(board.read_text())["panels"]
