"""HEFT on one graph, here and by SAGA: the same list scheduler, timed in one run."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import numpy as np

from bench.answers import Limits
from bench.peers.environments import missing
from bench.peers.outside import ask_saga
from hetopt.build import Model
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.solution import SchedulePlan

TASKS, MACHINES = 5_000, 16
LIMIT_S = 600.0
"""Time that SAGA may take."""
RUNS = 3
"""Runs here of which the least counts; the first one before them loads the compiled loops."""


def heft_race(smoke: bool) -> list[dict[str, Any]]:
    """CPU time of HEFT on a layered graph of related machines: ours, SAGA's, their ratio.

    SAGA's fields are left out, with a reason, where its environment is missing. Ours counts from
    an instance to a plan, SAGA's from its graph to a schedule; building either is apart.
    """
    tasks, machines = (60, 4) if smoke else (TASKS, MACHINES)
    plan, seconds = None, math.inf
    for run in range(RUNS + 1):
        # Packed columns are kept with an instance: each run has a fresh one.
        instance = related(tasks, machines, seed=0)
        if not run:
            # The first schedule of an instance does not wait for the compiler, the second does.
            CONSTRUCTORS["heft"](instance)
        began = time.process_time()
        plan = CONSTRUCTORS["heft"](instance)
        if run:
            seconds = min(seconds, time.process_time() - began)
    row: dict[str, Any] = {
        "tasks": tasks,
        "devices": machines,
        "transfers": len(instance.edges),
        "cpu_seconds": seconds,
        "makespan": _makespan(instance, plan),
    }
    why = missing("saga")
    if why:
        return [row | {"skipped": why}]
    found = ask_saga(instance, Limits(LIMIT_S, 1, 0), ("heft",))
    row |= {
        "saga_version": found["version"],
        "saga_cpu_seconds": found["cpu_s"],
        "saga_graph_cpu_seconds": found["graph_cpu_s"],
        "saga_makespan": found["makespan"],
        "times_faster": found["cpu_s"] / max(seconds, 1e-9),
    }
    return [row]


def related(tasks: int, machines: int, *, seed: int) -> Instance:
    """Return a layered graph on related machines: time = work / speed, links all alike.

    √tasks layers, each later task after 1 to 3 of the layer before; work and message sizes uniform
    in 1 to 10, speeds uniform in 1 to 4, 1 B/s between any two machines.
    """
    rng = random.Random(seed)
    model = Model("related", objective="makespan")
    names = [f"m{k}" for k in range(machines)]
    devices = [model.device(name, kind="cpu") for name in names]
    model.profile("any", [device.option(time=1 / rng.uniform(1, 4)) for device in devices])
    for i, a in enumerate(names):
        for b in names[:i]:
            model.link(a, b, bandwidth=1.0, both_ways=True)
    layers = np.array_split(np.arange(tasks), round(math.sqrt(tasks)))
    for number, layer in enumerate(layers):
        for task in layer.tolist():
            model.task(f"t{task}", "any", work=rng.uniform(1, 10))
            before = layers[number - 1].tolist() if number else []
            for other in rng.sample(before, min(len(before), rng.randint(1, 3))):
                model.transfer(f"t{other}", f"t{task}", rng.uniform(1, 10))
    return model.build()


def _makespan(instance: Instance, plan: SchedulePlan | None) -> float | None:
    return None if plan is None else objective_value(instance, plan, "makespan")
