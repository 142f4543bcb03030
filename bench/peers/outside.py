"""Peers in environments of their own: what they get, and how their plans come back.

A worker (``workers/``) is a script that knows the peer and nothing of hetopt. It reads one JSON
object from the standard input and writes one to the file that it is given.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.answers import Answer, Limits, UnsupportedError
from bench.peers.environments import missing, python_of
from bench.peers.shop import Extra, Shop, Stock, has_limits, shop
from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.problem import Mode
from hetopt.schedule.model.tick_schedule import retime, tick_schedule_of
from hetopt.solution import SchedulePlan

WORKERS = Path(__file__).parent / "workers"
GRACE_S = 30.0
"""Time beyond the limit for starting a worker and building its model."""
SAME_SPEED = 1e-9
"""Relative difference up to which times on two machines are in the same ratio for all tasks."""


def pyjobshop(instance: Instance, limits: Limits) -> Answer:
    """PyJobShop (Lan and Berkhout 2025): shops and projects without transfer times, makespan.

    Raises
    ------
    UnsupportedError
        If the instance has more than that.
    """
    began = time.monotonic()
    extras: tuple[Extra, ...] = ("slots", "renewables", "budgets")
    plain = _shop(instance, "PyJobShop's model here", extras)
    if plain.has_messages():
        raise UnsupportedError("PyJobShop has no transfer times that depend on both machines.")
    job = {
        "places": [plain.slots(place) for place in range(len(plain.places))],
        "renewables": [stock.limit for stock in plain.renewables],
        "budgets": [stock.limit for stock in plain.budgets],
        "tasks": [
            [
                [place, m.duration, _amounts(plain.renewables, m), _amounts(plain.budgets, m)]
                for place, m in row
            ]
            for row in plain.choices
        ],
        "edges": [[a, b] for a, b, _ in plain.problem.edges],
    }
    spent_s = time.monotonic() - began
    found = ask("pyjobshop", job, limits, spent_s)
    answer = Answer(
        status=found["status"],
        method=found["version"],
        build_s=spent_s + found["build_s"],
        wall_s=spent_s + found["wall_s"],
        bound=found["bound"] * plain.tick_s if plain.exact else math.nan,
    )
    if not plain.exact and answer.status == "optimal":
        answer.status = "feasible"
    if found["tasks"]:
        chosen = [plain.choices[t][choice] for t, (choice, _) in enumerate(found["tasks"])]
        answer.plan = plain.plan(chosen, [start for _, start in found["tasks"]])
        answer.claimed = found["objective"] * plain.tick_s
        answer.history = [(answer.wall_s, answer.claimed, answer.bound)]
    return answer


def saga(instance: Instance, limits: Limits) -> Answer:
    """SAGA's list schedulers (Coleman and Krishnamachari 2024), each once; the best one counts.

    Raises
    ------
    UnsupportedError
        If machines are not related, or links have latency, differ by direction or are missing.
    """
    began = time.monotonic()
    plain = _shop(instance, "SAGA")
    spent_s, found = _asked_saga(plain, limits, began, ())
    answer = Answer(
        status="feasible" if found["tasks"] else "unknown",
        termination="iteration_limit",
        method=f"{found['version']} {found['best']}",
        note="" if found["tasks"] else f"No scheduler gave a plan: {found['failed']}",
        wall_s=spent_s + found["wall_s"],
        history=[(spent_s + t, value, math.nan) for t, value in found["history"]],
    )
    if found["tasks"]:
        chosen = [_mode_at(plain, t, int(place)) for t, (place, _) in enumerate(found["tasks"])]
        answer.plan = kept_order(plain, chosen, [begin for _, begin in found["tasks"]])
    return answer


def ask_saga(instance: Instance, limits: Limits, schedulers: tuple[str, ...]) -> dict[str, Any]:
    """Run some of SAGA's schedulers, by the names of their modules; return its worker's answer.

    Raises
    ------
    UnsupportedError
        As :func:`saga`.
    RuntimeError
        If SAGA is not installed, fails, or does not come back.
    """
    return _asked_saga(_shop(instance, "SAGA"), limits, time.monotonic(), schedulers)[1]


def _asked_saga(
    plain: Shop, limits: Limits, began: float, schedulers: tuple[str, ...]
) -> tuple[float, dict[str, Any]]:
    """Return the time spent before SAGA's worker starts, and its answer."""
    cost, speed = _related(plain)
    job = {
        "cost": cost,
        "speed": speed,
        "edges": _sizes(plain),
        "links": _links(plain),
        "schedulers": schedulers,
    }
    spent_s = time.monotonic() - began
    return spent_s, ask("saga", job, limits, spent_s)


def _amounts(stocks: tuple[Stock, ...], mode: Mode) -> list[int]:
    return [stock.amount.get(mode.option, 0) for stock in stocks]


def _shop(instance: Instance, name: str, allow: tuple[Extra, ...] = ()) -> Shop:
    if instance.objective[0] != "makespan":
        raise UnsupportedError(f"{name} minimises the makespan, not {instance.objective[0]}.")
    plain = shop(instance, allow)
    if has_limits(plain):
        raise UnsupportedError(f"{name} has no releases and deadlines.")
    return plain


def ask(peer: str, job: dict[str, Any], limits: Limits, spent_s: float) -> dict[str, Any]:
    """Run a worker on a job; return its answer.

    Raises
    ------
    RuntimeError
        If the peer is not installed, fails, or does not come back.
    """
    why = missing(peer)
    if why:
        raise RuntimeError(why)
    left = max(0.1, limits.time_limit_s - spent_s)
    job |= {"time_limit_s": left, "workers": limits.workers, "seed": limits.seed}
    with tempfile.TemporaryDirectory(prefix="hetopt-bench-") as folder:
        target = Path(folder) / "answer.json"
        command = [str(python_of(peer)), "-I", str(WORKERS / f"{peer}_worker.py"), str(target)]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=limits.time_limit_s + GRACE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{peer} did not come back within its limit.") from None
        if done.returncode or not target.exists():
            last = " ".join(done.stderr.strip().splitlines()[-2:])
            raise RuntimeError(f"{peer} failed with code {done.returncode}: {last}")
        answer: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return answer


def _related(plain: Shop) -> tuple[list[float], list[float]]:
    """Return cost per task and speed per place, time = cost / speed."""
    instance = plain.problem.instance
    times = np.full((plain.problem.n_tasks, len(plain.places)), np.inf)
    for task, row in enumerate(plain.choices):
        for place, mode in row:
            time_s = instance.tasks.work[task] * instance.options.time_s[mode.option]
            times[task, place] = min(times[task, place], time_s)
    if not np.isfinite(times).all():
        raise UnsupportedError("SAGA needs every task to run on every machine.")
    longest = times.sum(axis=0)
    speed = longest[0] / longest if longest.all() else np.ones(len(plain.places))
    cost = times[:, 0]
    if not np.allclose(times * speed, cost[:, None], rtol=SAME_SPEED, atol=0.0):
        raise UnsupportedError("SAGA knows related machines only: time = cost / speed.")
    return cost.tolist(), speed.tolist()


def _sizes(plain: Shop) -> list[list[float]]:
    """Edges with bytes (0: pure precedence); parallel edges are not told apart by SAGA."""
    size = plain.problem.bytes_b
    most: dict[tuple[int, int], float] = {}
    for a, b, tensor in plain.problem.edges:
        most[a, b] = max(most.get((a, b), 0.0), size[tensor] if tensor >= 0 else 0.0)
    return [[a, b, bytes_b] for (a, b), bytes_b in most.items()]


def _links(plain: Shop) -> list[list[float | None]]:
    """Speed for each pair of places, None: infinite."""
    instance, network = plain.problem.instance, plain.problem.network
    if not len(instance.tensors):
        return [[i, j, None] for j in range(len(plain.places)) for i in range(j)]
    found: list[list[float | None]] = []
    for j, (b, _) in enumerate(plain.places):
        for i, (a, _) in enumerate(plain.places[:j]):
            there, back = network.path(a, b, 1.0), network.path(b, a, 1.0)
            if not there or not back or len(there) > 1 or len(back) > 1:
                raise UnsupportedError("SAGA needs a direct link between any two machines.")
            ways = [int(there[0]), int(back[0])]
            speeds = instance.links.bandwidth_b_per_s[ways].tolist()
            if instance.links.latency_s[ways].any() or speeds[0] != speeds[1]:
                raise UnsupportedError("SAGA has no latency, and links work alike both ways.")
            found.append([i, j, speeds[0] if math.isfinite(speeds[0]) else None])
    return found


def kept_order(
    plain: Shop, chosen: list[tuple[int, Mode]], begins: list[float]
) -> SchedulePlan | None:
    """Carry a plan with starts in s as floats to hetopt's grid, keeping its order."""
    problem = plan_problem(plain.problem.instance)
    start = [round(begin / float(problem.grid.tick)) for begin in begins]
    fine = Shop(problem, plain.places, exact=False)
    own = {m.option: m for row in problem.modes for m in row}
    first = fine.plan([(p, own[m.option]) for p, m in chosen], start)
    schedule = tick_schedule_of(problem, first)
    moved = None if schedule is None else retime(schedule, problem)
    return first if moved is None else moved.plan()


def _mode_at(plain: Shop, task: int, place: int) -> tuple[int, Mode]:
    """Return the fastest way to run a task at a place."""
    ways = [(p, m) for p, m in plain.choices[task] if p == place]
    return min(ways, key=lambda way: way[1].duration)
