"""Solve a flexible shop or project with PyJobShop; runs in PyJobShop's own environment."""

from __future__ import annotations

import json
import math
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from pyjobshop import Machine, Model


def main() -> None:
    """Read a job, solve it, write the answer."""
    job = json.load(sys.stdin)
    began = time.monotonic()
    model = Model()
    places = [_place(model, slots, len(job["tasks"])) for slots in job["places"]]
    stocks = [model.add_renewable(capacity) for capacity in job["renewables"]]
    stocks += [model.add_consumable(capacity) for capacity in job["budgets"]]
    tasks = [model.add_task() for _ in job["tasks"]]
    modes = []
    for task, choices in zip(tasks, job["tasks"], strict=True):
        modes.append(
            [
                _mode(model, task, places[place], length, stocks, [*held, *spent])
                for place, length, held, spent in choices
            ]
        )
    for a, b in job["edges"]:
        model.add_end_before_start(tasks[a], tasks[b])
    data = model.data()
    build_s = time.monotonic() - began
    result = model.solve(
        time_limit=max(0.1, job["time_limit_s"] - build_s),
        display=False,
        num_workers=job["workers"],
        random_seed=job["seed"],
    )
    found = math.isfinite(result.objective)
    first = {}
    for index, mode in enumerate(data.modes):
        first.setdefault(mode.task, index)
    answer = {
        "version": f"pyjobshop {metadata.version('pyjobshop')}",
        "status": {"Optimal": "optimal", "Feasible": "feasible", "Infeasible": "infeasible"}.get(
            result.status.value, "unknown"
        ),
        "objective": result.objective if found else math.nan,
        "bound": result.lower_bound if found else math.nan,
        "build_s": build_s,
        "wall_s": time.monotonic() - began,
        "tasks": [[t.mode - first[i], t.start] for i, t in enumerate(result.best.tasks)]
        if found
        else [],
    }
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf-8")


def _place(model: Model, slots: int, tasks: int) -> Any:
    """Add a place; one that can run all tasks at once is no limit at all."""
    if slots == 1:
        return model.add_machine()
    return model.add_renewable(slots) if slots < tasks else None


def _mode(
    model: Model,
    task: Any,
    place: Any,
    length: int,
    stocks: list[Any],
    amounts: list[int],
) -> Any:
    """Add a mode with its place, where that is a limit, and what it uses."""
    used = [(stock, amount) for stock, amount in zip(stocks, amounts, strict=True) if amount]
    if isinstance(place, Machine):
        used.insert(0, (place, 0))
    elif place is not None:
        used.insert(0, (place, 1))
    return model.add_mode(task, [s for s, _ in used], length, [a for _, a in used])


if __name__ == "__main__":
    main()
