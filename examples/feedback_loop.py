"""The loop from plan to machine and back, on this machine: a unit becomes slower, the plan follows.

    hetopt deploy fleet.yaml plan.json --to onnxruntime -o pipeline
    hetopt control fleet.yaml plan.json --no-auth &
    python examples/feedback_loop.py pipeline fleet.yaml --throttle onnxruntime:cpu@0#0=1.4

The pipeline runs in rounds. After some of them a unit is throttled: it is busy for longer with the
same work. What was measured is told to the controller, which notices, plans anew and sends requests
elsewhere; the new plan is deployed beside the first, and runs from then on. Each line says how many
requests of a round were too late.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hetopt import deploy, read_instance
from hetopt.control.client import Client
from hetopt.deploy.pipeline.run import Run, run_pipeline
from hetopt.deploy.pipeline.telemetry import telemetry_rows
from hetopt.formats.plans.reading import plan_from_dict


def events_of(run: Run, clock_s: float, name: str, clock: str) -> list[dict[str, Any]]:
    """Return the events of a round: each request arrives as the first of its tasks begins.

    So what is told of it is how long its tasks took, by the clock that is asked for.
    """
    routes = run.pipeline["routes"]
    jobs = {frame.number: routes[run.stages[frame.stages[0]].route]["job"] for frame in run.frames}
    found: list[dict[str, Any]] = []
    ends: dict[int, float] = {}
    for row in telemetry_rows(run, clock):
        frame = row["frame"]
        if frame not in jobs:
            continue
        request, begin = f"{name}-{frame}", clock_s + max(0.0, row["start_s"])
        if frame not in ends:
            told = {"event": "arrived", "id": f"a-{request}", "time_s": begin}
            found.append({**told, "job": jobs[frame], "request": request})
            ends[frame] = begin
        where = {
            "task": row["task"],
            "device": row["device"],
            "unit": int(str(row["unit"]).rpartition("#")[2]),
            "option": row["label"],
            "request": request,
        }
        key = f"{request}-{row['task']}"
        found.append({"event": "started", "id": f"s-{key}", "time_s": ends[frame], **where})
        ends[frame] += row["time_s"]
        told = {"event": "finished", "id": f"f-{key}", "time_s": ends[frame]}
        found.append({**told, "duration_s": row["time_s"], **where})
    return sorted(found, key=lambda e: e["time_s"])


def factors(texts: list[str]) -> dict[str, float]:
    """Return the factor of each unit."""
    pairs = [text.rpartition("=") for text in texts]
    return {unit: float(factor) for unit, _, factor in pairs}


def main(arguments: list[str] | None = None) -> int:
    """Run rounds, and follow the plan."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pipeline", help="folder that hetopt deploy wrote")
    parser.add_argument("instance", help="what the controller was started with")
    parser.add_argument("--url", default="http://127.0.0.1:8765")
    parser.add_argument("--token-file")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=10, help="of each round")
    parser.add_argument("--throttle", action="append", default=[], metavar="UNIT=FACTOR")
    parser.add_argument("--after", type=int, default=2, help="rounds before the unit is throttled")
    parser.add_argument("--clock", default="wall", help="wall, or cpu on a busy machine")
    asked = parser.parse_args(arguments)
    token = Path(asked.token_file).read_text().strip() if asked.token_file else None
    client, instance = Client(asked.url, token), read_instance(asked.instance)
    folder, missed = Path(asked.pipeline), 0
    client.last = client.state()["decisions"]
    for number in range(asked.rounds):
        slower = factors(asked.throttle) if number >= asked.after else {}
        begin = client.health()["time_s"]
        units = {row["unit"] for row in read_units(folder)}
        run = run_pipeline(
            folder,
            frames=asked.frames,
            pace="one",
            compare=False,
            throttle={unit: factor for unit, factor in slower.items() if unit in units},
        )
        client.send(events_of(run, begin, f"{begin:.3f}-{number}", asked.clock))
        anew = [d for d in client.decisions(2.0 if slower else 0.0) if d.get("why")]
        state = client.state()
        late = sum(job["missed"] for job in state["jobs"])
        print(f"round {number}: {late - missed} of {len(run.frames)} too late on {folder.name}")
        missed = late
        if any(d["action"] == "route" for d in anew):
            print(f"a new plan ({anew[0]['why']}) after {state['drifts'][-1:]}")
            folder = folder.with_name(f"{Path(asked.pipeline).name}-{number}")
            plan = plan_from_dict(instance, client.plan()["plan"])
            # It serves the rates that the controller has seen.
            served = np.bincount(plan.route_job, plan.rate_per_s, len(instance.jobs))
            now = replace(instance, jobs=replace(instance.jobs, rate_per_s=served))
            deploy(plan, now, "onnxruntime", folder, beside=Path(asked.instance).parent)
    return 0


def read_units(folder: Path) -> list[dict[str, Any]]:
    """Return the units of a pipeline."""
    from hetopt.deploy.pipeline.write import read_pipeline

    found: list[dict[str, Any]] = list(read_pipeline(folder)["units"])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
