"""What the controller takes: events a second, kills at random moments, hostile requests.

python -m bench.control rate --seconds 60          events/s, p99 of decisions
python -m bench.control kill --times 50            kill -9 at random moments: none lost or doubled
python -m bench.control hostile --count 10000      no 5xx, and how memory grows
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FLEET = """
hetopt: 1
name: two kinds
regime: steady
objective: power
devices:
  - {name: big, kind: gpu, count: {min: 0, max: 3}, idle_power: 60 W}
  - {name: small, kind: npu, count: {min: 0, max: 6}, idle_power: 8 W}
profiles:
  see:
    - {device: big, time: 4 ms, energy: 0.8 J}
    - {device: small, time: 12 ms, energy: 0.2 J}
  hear:
    - {device: small, time: 20 ms, energy: 0.3 J}
    - {device: big, time: 5 ms, energy: 0.9 J}
tasks:
  - {name: see, profile: see, job: see}
  - {name: hear, profile: hear, job: hear}
jobs:
  - {name: see, rate: 220/s}
  - {name: hear, rate: 110/s}
"""
BATCH = 100


class Server:
    """A controller in a process of its own; it asks for a token where one is given."""

    def __init__(self, folder: Path, *more: str, token: str | None = None) -> None:
        self.folder, self.more = folder, (*more, "--no-auth")
        if token is not None:
            secret = folder / "token"
            secret.touch(mode=0o600)
            secret.write_text(token, encoding="utf-8")
            self.more = (*more, "--token-file", str(secret))
        self.instance = folder / "fleet.yaml"
        self.instance.write_text(FLEET, encoding="utf-8")
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [
            *(sys.executable, "-m", "hetopt", "control", str(self.instance)),
            *("--port", str(self.port), "--state", str(self.folder / "state.db")),
            *("--method", "heuristic", "--max-rate", "100000", *self.more),
        ]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("listening on"):
                self.port = int(line.split(":")[2].split(",")[0])
                return
            if line.startswith("error"):
                break
        raise OSError("The controller did not start.")

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as a person would."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and answer of one request."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            link.request(method, path, None if body is None else json.dumps(body))
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            link.close()

    def memory_b(self) -> int:
        """Return its resident memory."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """Return the processor time that it took."""
        assert self.process is not None
        row = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(row[11]) + int(row[12])) / os.sysconf("SC_CLK_TCK")


def some_events(count: int, first: int, time_s: float, rng: random.Random) -> list[dict[str, Any]]:
    """Return events as a fleet tells them: a third arrivals, starts and ends each."""
    found: list[dict[str, Any]] = []
    for i in range(first, first + count // 3 + 1):
        job, took = ("see", 0.012) if i % 3 else ("hear", 0.02)
        at = {"task": job, "device": "small", "unit": i % 6, "request": f"r{i}"}
        took *= rng.lognormvariate(0, 0.03)
        found += [
            {"event": "arrived", "id": f"a{i}", "time_s": time_s, "job": job, "request": f"r{i}"},
            {"event": "started", "id": f"s{i}", "time_s": time_s, **at},
            {"event": "finished", "id": f"f{i}", "time_s": time_s, "duration_s": took, **at},
        ]
    return found[:count]


def rate(seconds: float, per_s: float) -> dict[str, float]:
    """Send events at a rate in requests of 100; return what was reached."""
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name))
        server.start()
        try:
            return _rate(server, seconds, per_s)
        finally:
            server.stop()


def _rate(server: Server, seconds: float, per_s: float) -> dict[str, float]:
    rng = random.Random(1)
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    taken, sent, accepted = [], 0, 0
    begin, spent = time.perf_counter(), server.cpu_s()
    while time.perf_counter() - begin < seconds:
        due = begin + sent / per_s
        time.sleep(max(0.0, due - time.perf_counter()))
        rows = some_events(BATCH, sent, time.perf_counter() - begin, rng)
        at = time.perf_counter()
        link.request("POST", "/events", json.dumps(rows))
        answer = json.loads(link.getresponse().read())
        taken.append(time.perf_counter() - at)
        accepted += answer["accepted"]
        sent += BATCH
    span = time.perf_counter() - begin
    taken.sort()
    return {
        "events_per_s": accepted / span,
        "p50_ms": 1e3 * taken[len(taken) // 2],
        "p99_ms": 1e3 * taken[min(len(taken) - 1, int(0.99 * len(taken)))],
        "cores": (server.cpu_s() - spent) / span,
        "memory_mib": server.memory_b() / 2**20,
    }


def kill(times: int, seed: int = 1, longest_s: float = 0.6) -> dict[str, int]:
    """Kill the controller at random moments while events come; check what is there afterwards.

    Raises
    ------
    AssertionError
        Where an accepted event is lost or counted twice, or decisions differ from those that the
        log gives in one go, or from those told before.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, "--delta", "0.3s")
        told: set[str] = set()
        sent: list[list[dict[str, Any]]] = []
        said: dict[int, Any] = {}
        first = 0
        for number in range(times):
            server.start()
            timer = threading.Timer(rng.uniform(0.0, longest_s), server.kill)
            timer.start()
            try:
                while True:
                    # What was not answered is told again: it may have been accepted, or not.
                    rows = sent[-1] if sent and sent[-1][0]["id"] not in told else None
                    if rows is None:
                        rows = some_events(30, first, float(number), rng)
                        if rng.random() < 0.05:
                            kind = rng.choice(["device_down", "device_up"])
                            rows.append(
                                {
                                    "event": kind,
                                    "id": f"d{first}",
                                    "time_s": float(number),
                                    "device": "small",
                                    "unit": rng.randrange(6),
                                }
                            )
                        first += 30
                        sent.append(rows)
                    status, answer = server.ask("POST", "/events", rows)
                    assert status == 200, answer
                    told |= {row["id"] for row in rows}
                    said |= {d["decision"]: d for d in answer["decisions"]}
            except (OSError, http.client.HTTPException, ValueError):
                pass
            timer.join()
            if number % 10 == 9:
                print(f"{number + 1} of {times}", file=sys.stderr)
        server.start()
        for rows in sent:
            status, answer = server.ask("POST", "/events", rows)
            assert status == 200
            lost = [row["id"] for row in rows if row["id"] in told]
            assert answer["duplicates"] >= len(lost), "an accepted event was lost"
        state = server.ask("GET", "/state")[1]
        unique = {row["id"] for rows in sent for row in rows}
        counted = sum(n for event, n in state["events"].items() if event != "tick")
        assert counted == len(unique), (counted, len(unique))
        after = _all_decisions(server)
        for at, decision in said.items():
            assert after.get(at, decision) == decision, "a decision changed"
        server.stop()
        again = {d["decision"]: d for d in _replayed(folder)}
        # A plan may have come into force between the last answer and the end: with later numbers.
        oldest, newest = min(again), max(after)
        for at in {*after, *(at for at in again if min(after) <= at <= newest)}:
            assert at < oldest or again.get(at) == after.get(at), "the log decides otherwise"
        return {"kills": times, "events": len(unique), "decisions": len(after)}


def _all_decisions(server: Server) -> dict[int, Any]:
    made = server.ask("GET", "/state")[1]["decisions"]
    found: dict[int, Any] = {}
    at = max(0, made - 9000)
    while True:
        rows = server.ask("GET", f"/decisions?after={at}&limit=5000")[1]["decisions"]
        if not rows:
            return found
        found |= {d["decision"]: d for d in rows}
        at = rows[-1]["decision"]


def _replayed(folder: Path) -> list[dict[str, Any]]:
    """Return the decisions that the log gives where it is applied in one go."""
    from hetopt import read_instance
    from hetopt.control.planner import Settings
    from hetopt.control.serve import Setup, make_service
    from hetopt.solve import SolveOptions

    instance = read_instance(folder / "fleet.yaml")
    setup = Setup(0, None, folder / "state.db", 1.0, 1.0, Settings(SolveOptions()))
    service = make_service(instance, None, setup)
    service.journal.close()
    return list(service.controller.decisions)


def hostile(count: int, seed: int = 1) -> dict[str, float]:
    """Send hostile requests over a socket; count statuses, and see how memory grows.

    One in four has no token or a wrong one, and one in 200 a body of more than is taken.
    """
    from tests.unit.control.test_app import hostile as one

    rng = random.Random(seed)
    token = "correct-horse-battery-staple"
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name), token=token)
        server.start()
        statuses: dict[str, float] = {}
        early = 0
        try:
            for number in range(count):
                method, path, headers, body = one(rng)
                if rng.random() < 0.75:
                    headers = {"Authorization": f"Bearer {token}", **headers}
                if rng.random() < 0.005:
                    method, path, body = "POST", "/events", b"[" + b" " * 3_000_000
                status = _status(server.port, method, path, headers, body)
                statuses[status] = statuses.get(status, 0) + 1
                if number == count // 10:
                    early = server.memory_b()
                if number % 1000 == 999:
                    print(f"{number + 1} of {count}", file=sys.stderr)
            assert not [s for s in statuses if s.startswith("5")], statuses
            assert server.ask("GET", "/health")[0] == 200
            grown = (server.memory_b() - early) / 2**20
        finally:
            server.stop()
        return {**dict(sorted(statuses.items())), "memory_grown_mib": grown}


def _status(port: int, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """Return the status of one request, or that the connection was closed."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        # What the library itself would not send is left out.
        safe = path.replace("\x00", "").replace(" ", "%20")
        kept = {k: v for k, v in headers.items() if k != "Content-Length"}
        link.request(method, safe, body, kept)
        return str(link.getresponse().status)
    except (OSError, http.client.HTTPException):
        return "closed"
    finally:
        link.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of them and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("rate", "kill", "hostile"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--per-s", type=float, default=1000.0)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--count", type=int, default=10_000)
    asked = parser.parse_args(arguments)
    found: dict[str, Any]
    if asked.what == "rate":
        found = rate(asked.seconds, asked.per_s)
    elif asked.what == "kill":
        found = kill(asked.times)
    else:
        found = hostile(asked.count)
    for key, value in found.items():
        print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
