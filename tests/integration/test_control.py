"""The controller as a process: killed at random moments, asked by the client, its files written."""

import json

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


def test_alerts_and_dashboard_are_written(tmp_path):
    from typer.testing import CliRunner

    from hetopt.cli.app import app

    alerts, board = tmp_path / "alerts.yaml", tmp_path / "board.json"
    asked = ["control", "--write-alerts", str(alerts), "--write-dashboard", str(board)]
    assert CliRunner().invoke(app, asked).exit_code == 0
    rules = YAML(typ="safe").load(alerts.read_text())["groups"][0]["rules"]
    assert [rule["alert"] for rule in rules] == [row[0] for row in ALERTS]
    assert json.loads(board.read_text())["panels"]
