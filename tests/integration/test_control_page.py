"""The controller's page in a real browser, and its stream of decisions from a real server."""

from __future__ import annotations

import http.client
import json
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.control import Server, some_events

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


def keep_telling(server: Server, over: threading.Event, told: threading.Event) -> None:
    """Send events as a fleet that works does, until it is over; say when some have been told."""
    rng, begin, number = random.Random(3), time.monotonic(), 0
    server.ask("POST", "/events", [{"event": "cap_changed", "id": "cap", **CAP}])
    while not over.is_set():
        rows = some_events(30, number, 0.1 + time.monotonic() - begin, rng)
        server.ask("POST", "/events", rows)
        number += 30
        if number >= SOME:
            told.set()
        over.wait(0.1)


SOME = 300


CAP = {"time_s": 0.05, "power_cap_w": 150.0}


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian package chromium)")
def test_the_page_shows_schedule_power_and_plan_beside_what_is_so(
    server: Server, tmp_path: Path
) -> None:
    over, told = threading.Event(), threading.Event()
    teller = threading.Thread(target=keep_telling, args=(server, over, told))
    teller.start()
    try:
        # The page shows what ran; on a busy machine it would be read before anything did.
        assert told.wait(60)
        shown = subprocess.run(
            [
                *(str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"),
                *("--enable-logging=stderr", "--virtual-time-budget=15000", "--dump-dom"),
                f"http://127.0.0.1:{server.port}/",
            ],
            capture_output=True,
            text=True,
            timeout=150,
            check=True,
        )
    finally:
        over.set()
        teller.join()
    assert "CONSOLE" not in shown.stderr
    page = shown.stdout
    assert "two kinds, live" in page
    # Power now, of the plan, and the cap, each a line with points.
    power = re.search(r'<svg id="power".*?</svg>', page, re.S)
    assert power is not None
    points = re.findall(r'<polyline points="([^"]*)"', power.group())
    assert len(points) == 3
    assert all(len(line.split()) >= 2 for line in points)
    assert "the cap, 150 W" in page
    # The live schedule has a lane for each device, and what ran in one.
    lanes = re.search(r'<svg id="lanes".*?</svg>', page, re.S)
    assert lanes is not None
    assert ">big<" in lanes.group()
    assert ">small<" in lanes.group()
    assert "<rect" in lanes.group()
    for table, words in (("jobs", ("see", "hear", "/s")), ("devices", ("small", "big"))):
        found = re.search(rf'<table id="{table}">.*?</table>', page, re.S)
        assert found is not None
        assert all(word in found.group() for word in words)
    assert re.search(r"small#\d on", page)


def test_decisions_come_as_they_are_made_and_go_on_where_a_client_was(server: Server) -> None:
    def listen(headers: dict[str, str], count: int) -> list[dict[str, object]]:
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        link.request("GET", "/decisions/stream", headers=headers)
        answer = link.getresponse()
        assert answer.status == 200
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        found, number = [], None
        while len(found) < count:
            line = answer.readline().decode().strip()
            if line.startswith("id:"):
                number = int(line[3:])
            elif line.startswith("data:"):
                decision = json.loads(line[5:])
                assert decision["decision"] == number
                found.append(decision)
        link.close()
        return found

    heard: list[list[dict[str, object]]] = []
    first = threading.Thread(target=lambda: heard.append(listen({}, 10)))
    first.start()
    time.sleep(0.3)
    rng = random.Random(1)
    for part in range(4):
        rows = some_events(30, 30 * part, 0.1 * part, rng)
        assert server.ask("POST", "/events", rows)[0] == 200
    first.join(30)
    assert [d["decision"] for d in heard[0]] == list(range(1, 11))
    again = listen({"Last-Event-ID": "10"}, 5)
    assert [d["decision"] for d in again] == list(range(11, 16))
    told = server.ask("GET", "/decisions?after=10&limit=5")[1]["decisions"]
    assert told == again
