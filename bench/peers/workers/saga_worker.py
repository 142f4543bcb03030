"""Run SAGA's list schedulers on one task graph; runs in SAGA's own environment."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from importlib import import_module, metadata
from pathlib import Path

from saga import Network, TaskGraph

SCHEDULERS = (
    ("heft", "HeftScheduler"),
    ("cpop", "CpopScheduler"),
    ("peft", "PEFTScheduler"),
    ("minmin", "MinMinScheduler"),
    ("maxmin", "MaxMinScheduler"),
    ("sufferage", "SufferageScheduler"),
    ("etf", "ETFScheduler"),
    ("mct", "MCTScheduler"),
    ("met", "METScheduler"),
    ("olb", "OLBScheduler"),
    ("gdl", "GDLScheduler"),
    ("fcp", "FCPScheduler"),
    ("flb", "FLBScheduler"),
    ("dps", "DPSScheduler"),
    ("hbmct", "HbmctScheduler"),
    ("duplex", "DuplexScheduler"),
    ("bil", "BILScheduler"),
    ("wba", "WBAScheduler"),
    ("fastest_node", "FastestNodeScheduler"),
)
"""Quick list schedulers, the best-known first, as the time limit may end the round."""

MOST_SHARE = 0.25
"""Part of the time that one scheduler may take, so that a slow one leaves time for the others."""


def main() -> None:
    """Read a job, run the schedulers until the time is over, write the best plan."""
    job = json.load(sys.stdin)
    network, graph = _network(job), _graph(job)
    graph_cpu_s = time.process_time()
    chosen = job["schedulers"] or [module for module, _ in SCHEDULERS]
    began = time.monotonic()
    best, name, history, failed = None, "", [], []
    signal.signal(signal.SIGALRM, _over)
    share = job["time_limit_s"] * (MOST_SHARE if len(chosen) > 1 else 1.0)
    for module, scheduler in SCHEDULERS:
        if module not in chosen:
            continue
        left = job["time_limit_s"] - (time.monotonic() - began)
        if left <= 0:
            break
        signal.setitimer(signal.ITIMER_REAL, min(left, share))
        try:
            made = getattr(import_module(f"saga.schedulers.{module}"), scheduler)()
            schedule = made.schedule(network, graph)
        except Exception as error:  # noqa: BLE001  # a scheduler that fails leaves the others
            failed.append(f"{scheduler}: {type(error).__name__}")
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if any(node < 0 for node, _ in _tasks(schedule, len(job["cost"]))):
            # Some schedulers leave tasks out on some graphs, and then look best.
            failed.append(f"{scheduler}: tasks left out")
            continue
        if best is None or schedule.makespan < best.makespan:
            best, name = schedule, scheduler
            history.append((time.monotonic() - began, best.makespan))
    answer = {
        "version": f"anrg-saga {metadata.version('anrg-saga')}",
        "best": name,
        "history": history,
        "makespan": best.makespan if best is not None else None,
        "wall_s": time.monotonic() - began,
        "cpu_s": time.process_time() - graph_cpu_s,
        "graph_cpu_s": graph_cpu_s,
        "failed": ", ".join(failed),
        "tasks": _tasks(best, len(job["cost"])) if best is not None else [],
    }
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")


def _over(number: int, frame: object) -> None:
    raise TimeoutError


def _network(job: dict) -> Network:
    nodes = [(f"n{k}", speed) for k, speed in enumerate(job["speed"])]
    edges = [
        (f"n{i}", f"n{j}", math.inf if speed is None else speed) for i, j, speed in job["links"]
    ]
    return Network.create(nodes=nodes, edges=edges)


def _graph(job: dict) -> TaskGraph:
    tasks = [(f"t{k}", cost) for k, cost in enumerate(job["cost"])]
    edges = [(f"t{a}", f"t{b}", size) for a, b, size in job["edges"]]
    return TaskGraph.create(tasks=tasks, dependencies=edges)


def _tasks(schedule: object, count: int) -> list[list[float]]:
    found: list[list[float]] = [[-1, 0.0] for _ in range(count)]
    for node, row in schedule.mapping.items():
        for task in row:
            if task.name.startswith("t") and task.name[1:].isdigit():
                found[int(task.name[1:])] = [int(str(node)[1:]), task.start]
    return found


if __name__ == "__main__":
    main()
