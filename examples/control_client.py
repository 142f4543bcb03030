"""Run a deployed pipeline of streams beside a controller: tell what ran, heed what it decides.

    hetopt deploy fleet.yaml plan.json --to onnxruntime -o pipeline
    hetopt control fleet.yaml plan.json --token-file token &
    python examples/control_client.py pipeline --token-file token

The pipeline runs in rounds, at the plan's rate. After each round its frames are told as requests
that arrived, and its tasks as started and finished, with the times that were measured. Steps of a
new plan are printed; requests that it would send to another device or option than the pipeline has
need another deployment, and the example ends and says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hetopt.control.client import Client
from hetopt.deploy.pipeline.run import Run, run_pipeline
from hetopt.deploy.pipeline.telemetry import telemetry_rows

BATCH = 1000


def events_of(run: Run, clock_s: float, name: str) -> list[dict[str, Any]]:
    """Return the events of a run that began at a time of the controller's clock."""
    routes = run.pipeline["routes"]
    jobs = {frame.number: routes[run.stages[frame.stages[0]].route]["job"] for frame in run.frames}
    found = []
    for frame in run.frames:
        request = f"{name}-{frame.number}"
        at = clock_s + max(0.0, frame.released_s)
        found.append(
            {
                "event": "arrived",
                "id": f"a-{request}",
                "time_s": at,
                "request": request,
                "job": jobs[frame.number],
            }
        )
    for row in telemetry_rows(run):
        if row["frame"] not in jobs:
            continue
        request = f"{name}-{row['frame']}"
        where = {
            "task": row["task"],
            "device": row["device"],
            "unit": int(str(row["unit"]).rpartition("#")[2]),
            "option": row["label"],
            "request": request,
        }
        begin = clock_s + max(0.0, row["start_s"])
        key = f"{request}-{row['task']}"
        found.append({"event": "started", "id": f"s-{key}", "time_s": begin, **where})
        found.append(
            {
                "event": "finished",
                "id": f"f-{key}",
                "time_s": begin + row["time_s"],
                "duration_s": row["time_s"],
                **where,
            }
        )
    return sorted(found, key=lambda e: e["time_s"])


def send(client: Client, events: list[dict[str, Any]]) -> None:
    """Send events in requests of at most 1,000."""
    for begin in range(0, len(events), BATCH):
        client.send(events[begin : begin + BATCH])


def elsewhere(run: Run, decisions: Iterable[dict[str, Any]]) -> list[str]:
    """Return where a new plan sends requests that the pipeline does not go."""
    has = {(row["task"], row["device"], row["label"]) for row in telemetry_rows(run)}
    return [
        f"{p['task']} on {p['device']} {p.get('option', '')}".strip()
        for d in decisions
        if d["action"] == "route" and d.get("why")
        for p in d["placements"]
        if (p["task"], p["device"], p.get("option", "")) not in has
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run rounds until a new plan needs another pipeline, or there were enough."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pipeline", help="folder that hetopt deploy wrote")
    parser.add_argument("--url", default="http://127.0.0.1:8765")
    parser.add_argument("--token-file")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=20, help="of each round")
    asked = parser.parse_args(arguments)
    token = Path(asked.token_file).read_text().strip() if asked.token_file else None
    client = Client(asked.url, token)
    # What was decided before is none of our business.
    client.last = client.state()["decisions"]
    for number in range(asked.rounds):
        begin = client.health()["time_s"]
        run = run_pipeline(asked.pipeline, frames=asked.frames, compare=False)
        send(client, events_of(run, begin, f"{begin:.3f}-{number}"))
        decisions = client.decisions()
        for d in decisions:
            if d.get("why"):
                print(f"{d['why']}: {d['action']} {d.get('job') or d.get('device', '')}")
        wanted = elsewhere(run, decisions)
        if wanted:
            print("The new plan needs another pipeline: " + ", ".join(dict.fromkeys(wanted)))
            return 0
    state = client.state()
    for job in state["jobs"]:
        print(f"{job['job']}: {job['served']} served, {job['missed']} too late")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
