"""Short tables of schedule instances for tests, and how they are solved."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hetopt import from_frames
from hetopt.evaluate import objectives
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.schedule.solve import solve_schedule
from hetopt.verify import verify

Row = dict[str, Any]


def device(name: str, **fields: Any) -> Row:
    return {"name": name, **fields}


def option(profile: str, on: str, time_s: float, energy_j: float = 0.0, **fields: Any) -> Row:
    return {"profile": profile, "device": on, "time_s": time_s, "energy_j": energy_j, **fields}


def task(name: str, profile: str = "", **fields: Any) -> Row:
    return {"name": name, "profile": profile or name, **fields}


def link(src: str, dst: str, bandwidth: float = 1.0, **fields: Any) -> Row:
    return {"from": src, "to": dst, "bandwidth_b_per_s": bandwidth, **fields}


def edge(src: str, dst: str, bytes_b: float | None = None, **fields: Any) -> Row:
    row = {"from": src, "to": dst, **fields}
    return row if bytes_b is None else {**row, "bytes": bytes_b}


def instance(
    devices: list[Row],
    options: list[Row],
    tasks: list[Row],
    *,
    links: list[Row] | None = None,
    transfers: list[Row] | None = None,
    jobs: list[Row] | None = None,
    pools: list[Row] | None = None,
    more: dict[str, list[Row]] | None = None,
    **settings: Any,
) -> Instance:
    tables = {
        "devices": devices,
        "options": options,
        "tasks": tasks,
        "links": links,
        "transfers": transfers,
        "jobs": jobs,
        "pools": pools,
        **(more or {}),
    }
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items() if rows}
    return from_frames(frames, {"regime": "schedule", **settings})


@dataclass(frozen=True)
class Solved:
    """A result with the values of its plan."""

    result: RegimeResult
    values: tuple[float, ...]


def solved(question: Instance, seconds: float = 20.0, **budget: Any) -> Solved:
    """Solve and check that the plan is one, and that no bound is beyond it."""
    limit = Budget(deadline=time.monotonic() + seconds, limit_s=seconds, **budget)
    result = solve_schedule(question, limit)
    if result.plan is None:
        return Solved(result, ())
    report = verify(question, result.plan)
    assert report.ok, report.violations
    return Solved(result, objectives(question, result.plan))
