"""The HTTP face: what it takes, what it says, what it turns away."""

import json
import random
import string

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hetopt.control.monitoring import alert_rules, dashboard

ARRIVED = {"event": "arrived", "time_s": 1.0, "job": "see", "request": "r", "id": "a1"}


def test_events_are_accepted_once_and_answered_with_decisions(opened):
    with opened() as client:
        first = client.post("/events", json=[ARRIVED]).json()
        assert (first["accepted"], first["duplicates"]) == (1, 0)
        assert first["decisions"][0]["action"] == "route"
        again = client.post("/events", json=[ARRIVED, {**ARRIVED, "id": "a2"}]).json()
        assert (again["accepted"], again["duplicates"]) == (1, 1)
        assert client.get("/state").json()["jobs"][0]["arrived"] == 2
        found = client.get("/decisions", params={"after": 0}).json()
        assert [d["decision"] for d in found["decisions"]] == [1, 2]
        waited = client.get("/decisions", params={"after": 2, "wait": 0.05}).json()
        assert waited["decisions"] == []


def test_what_was_accepted_is_there_after_a_restart_and_goes_on_the_same(opened):
    rows = [{**ARRIVED, "id": f"x{i}", "request": f"x{i}"} for i in range(40)]
    with opened() as client:
        client.post("/events", json=rows[:20])
        before = client.get("/decisions").json()["decisions"]
    with opened() as client:
        assert client.service.restored == 20
        assert client.get("/decisions").json()["decisions"] == before
        answer = client.post("/events", json=rows).json()
        assert (answer["accepted"], answer["duplicates"]) == (20, 20)
        state = client.service.controller.to_dict()
        client.service.journal.snapshot(
            client.service.journal.seq, {"controller": state, "plans": []}
        )
    with opened() as client:
        assert client.service.restored == 0
        assert client.service.controller.to_dict() == state
        assert client.post("/events", json=rows).json()["duplicates"] == 40


def test_a_failure_leads_to_a_plan_and_its_steps(opened):
    with opened() as client:
        down = {"event": "device_down", "time_s": 2.0, "device": "small", "id": "d"}
        client.post("/events", json=down)
        found = client.get("/decisions", params={"wait": 20}).json()["decisions"]
        assert found[0]["action"] == "switch_on"
        assert found[0]["device"] == "big"
        assert found[0]["why"] == "failure"
        routes = client.get("/plan").json()["plan"]["routes"]
        assert {t["device"] for r in routes for t in r["tasks"]} == {"big"}
        assert client.get("/state").json()["plans"][0]["why"] == "failure"
    with opened() as client:
        assert client.get("/decisions").json()["decisions"][: len(found)] == found


def test_only_the_token_opens(opened):
    with opened() as client:
        for header in ("", "Bearer", "Bearer wrong", "Basic eA==", "Bearer \xff".encode("latin-1")):
            for method, path in (
                ("POST", "/events"),
                ("GET", "/state"),
                ("GET", "/decisions"),
                ("GET", "/plan"),
                ("GET", "/decisions/stream"),
                ("GET", "/metrics"),
            ):
                answer = client.request(method, path, headers={"Authorization": header})
                assert answer.status_code == 401, (header, path)
        assert client.get("/health", headers={"Authorization": ""}).status_code == 200
        page = client.get("/", headers={"Authorization": ""})
        assert page.status_code == 200
        assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
        assert "default-src 'none'" in page.headers["content-security-policy"]
    with opened(token=None, hosts=("127.0.0.1",)) as client:
        assert client.get("/state").status_code == 200
        assert client.get("/state", headers={"Host": "evil.example"}).status_code == 400


def test_limits_on_size_count_and_rate_hold(opened):
    with opened() as client:
        assert client.post("/events", content=b"[" + b" " * 3_000_000).status_code == 413
        many = [{**ARRIVED, "id": str(i)} for i in range(1001)]
        assert client.post("/events", json=many).status_code == 422
        assert client.post("/events", json=[]).status_code == 422
    with opened(rate_per_s=1.0) as client:
        answers = [
            client.post("/events", json=[{**ARRIVED, "id": f"q{k}{i}"} for i in range(400)])
            for k in range(4)
        ]
        assert [a.status_code for a in answers] == [200, 200, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 0


def hostile(rng):
    """Return one hostile request: method, path, headers, body."""
    letters = string.printable
    junk = "".join(rng.choice(letters) for _ in range(rng.randrange(1, 300)))
    deep = rng.randrange(10, 5000)
    bodies = [
        junk.encode(),
        b"",
        b"null",
        b"[]",
        b"{}",
        b"1e999",
        b"NaN",
        b'"x"',
        b"\xff\xfe",
        b"[" * deep,
        b"[" * deep + b"]" * deep,
        b'{"a":' * deep + b"1" + b"}" * deep,
        b'{"event":"arrived","id":"z","time_s":' + b"[" * deep + b"]" * deep + b',"job":"see"}',
        json.dumps(
            {**ARRIVED, "time_s": rng.choice(["x", None, [], {}, True, -1, 1e400])}
        ).encode(),
        json.dumps({**ARRIVED, "id": rng.choice(["", 5, None, "i" * 100_000, ["a"]])}).encode(),
        json.dumps(
            {**ARRIVED, "job": rng.choice(["", 7, "../../etc/passwd", "see\x00", {}])}
        ).encode(),
        json.dumps({**ARRIVED, "work": {junk: rng.choice([1, "x", None])}}).encode(),
        json.dumps({**ARRIVED, junk[:20]: junk}).encode(),
        json.dumps({"event": junk}).encode(),
        json.dumps([ARRIVED, 5, None, [junk]]).encode(),
        b'{"event":"arrived","time_s":1,"job":"see","id":"\\ud800"}',
        b'{"event":"arrived","time_s":1,"job":"\\udfff","id":"x"}',
        b'{"event":"arrived","time_s":' + b"9" * 5000 + b',"job":"see","id":"x"}',
        json.dumps(
            {"event": "device_down", "time_s": 1, "device": "big", "unit": 10**30, "id": "u"}
        ).encode(),
        json.dumps(
            {
                "event": "finished",
                "time_s": 1,
                "task": "see",
                "device": "small",
                "unit": 0,
                "duration_s": 1e300,
                "energy_j": -5,
                "id": "e",
            }
        ).encode(),
        json.dumps(
            {"event": "rate_changed", "time_s": 1, "job": "see", "rate_per_s": 1e308, "id": "r"}
        ).encode(),
        json.dumps({"events": {"a": 1}}).encode(),
        json.dumps(ARRIVED).encode(),
    ]
    paths = [
        "/events",
        "/events",
        "/events",
        "/events",
        "/decisions?after=-1",
        "/decisions?after=x",
        "/decisions?after=99999999999999999999",
        "/decisions?wait=nan",
        "/decisions?wait=1e9",
        "/decisions?limit=0",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/events/../state",
        "//",
        "/%00",
        "/state?x=%ff",
        "/metrics/",
        "/openapi.json",
        "/decisions/stream?after=-5",
        "/docs",
        "/plan/%0d%0aX: y",
    ]
    headers = [
        {},
        {},
        {},
        {"Authorization": "Bearer x"},
        {"Content-Type": "text/xml"},
        {"Content-Length": "99999999999999999999999"},
        {"Last-Event-ID": "x"},
        {"X-Long": "a" * 5000},
    ]
    method = rng.choice(
        ["POST", "POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"]
    )
    return method, rng.choice(paths), rng.choice(headers), rng.choice(bodies)


def test_hostile_requests_are_refused_and_never_an_error_of_the_service(opened):
    rng = random.Random(11)
    statuses = {}
    with opened() as client:
        for _ in range(400):
            method, path, headers, body = hostile(rng)
            if path.startswith("/decisions/stream"):
                headers = {**headers, "Last-Event-ID": "-"}
            answer = client.request(method, path, headers=headers, content=body)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (method, path, body[:80], answer.text[:300])
            if answer.status_code == 422:
                assert answer.json()["detail"]
        # It still does what it is for.
        assert client.post("/events", json=[{**ARRIVED, "id": "end"}]).json()["accepted"] == 1
    assert statuses[422] > 20
    assert statuses[401] > 5


def test_metrics_are_what_the_parser_of_prometheus_reads(opened):
    with opened() as client:
        client.post("/events", json=[ARRIVED])
        client.post("/events", json={"nonsense": 1})
        text = client.get("/metrics").text
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert families["hetopt_requests_arrived"].type == "counter"
    arrived = {s.labels["job"]: s.value for s in families["hetopt_requests_arrived"].samples}
    assert arrived == {"see": 1.0, "hear": 0.0}
    for family in families.values():
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total")
            assert set(sample.labels) <= {
                "device",
                "hw_id",
                "job",
                "event",
                "status",
                "reason",
                "le",
            }
    latency = families["hetopt_request_latency_seconds"]
    assert latency.type == "histogram"
    # Alerts and panels ask only for what is there.
    known = {s.name for f in families.values() for s in f.samples}
    known |= {f.name + "_total" for f in families.values() if f.type == "counter"}
    known |= {"hetopt_power_cap_watts"}  # there once a cap is
    import re

    asked = json.dumps([alert_rules(), dashboard()])
    for name in set(re.findall(r"(?:hetopt|hw)_[a-z_]+", asked)):
        assert name in known, name


def test_the_description_of_the_interface_names_every_path(opened):
    with opened() as client:
        paths = client.get("/openapi.json").json()["paths"]
    assert {"/events", "/decisions", "/decisions/stream", "/state", "/plan", "/metrics"} <= set(
        paths
    )
    body = paths["/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert len(body["items"]["oneOf"]) == 7


@pytest.mark.parametrize(
    ("mode", "text", "word"),
    [
        (0o644, "x" * 20, "chmod 600"),
        (0o600, "short", "at least 16"),
        (0o600, "a b" * 10, "letters"),
    ],
)
def test_token_files_worth_nothing_are_refused(tmp_path, mode, text, word):
    from hetopt import InputError
    from hetopt.control.serve import read_token

    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(InputError, match=word):
        read_token(str(path), no_auth=False)
    with pytest.raises(InputError, match="--token-file"):
        read_token(None, no_auth=False)
    assert read_token(None, no_auth=True) is None
