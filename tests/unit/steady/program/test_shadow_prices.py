"""Duals as advice: what one more of a limit is worth, held against the relaxation solved again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, solve
from hetopt.formats.plans import solution_to_dict
from hetopt.instance import Instance
from hetopt.report.terminal.shadow_prices import marginal_line
from hetopt.solvers.mip_arrays import mip_arrays
from hetopt.solvers.relaxation import Relaxation
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.routes import single_task_routes as columns_module
from hetopt.steady.routes.packings import unit_kinds
from hetopt.steady.routes.routes import enumerate_routes

STEP = 1e-4


def rack(objective: str, **settings: Any) -> Instance:
    """Two jobs, one of them in two tasks over a link, on three scarce devices."""
    devices = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "count_min": [0, 1, 2],
            "count_max": [4, 3, 2],
            "idle_power_w": [3.0, 5.0, 2.0],
            "price_per_s": [0.5, 0.25, 0.1],
            "off_when_unused": [True, True, False],
        }
    )
    figures = {"x": (0.3, 0.5, 0.6), "y": (0.4, 0.2, 0.5), "z": (0.5, 0.4, 0.3)}
    options = [
        {"profile": p, "device": d, "time_s": t, "energy_j": 4.0 * t + 3.0 * k}
        for p, times in figures.items()
        for k, (d, t) in enumerate(zip("abc", times, strict=True))
    ]
    frames = {
        "devices": devices,
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame({"name": ["x", "y", "z"], "job": ["xy", "xy", "z"]}),
        "transfers": pd.DataFrame([{"from": "x", "to": "y", "bytes": 100.0}]),
        "links": pd.DataFrame(
            [
                {"from": u, "to": v, "bandwidth_b_per_s": w, "energy_j_per_b": 0.01}
                for u, v, w in (("a", "b", 150.0), ("b", "c", 400.0), ("c", "a", 300.0))
            ]
        ),
        "jobs": pd.DataFrame({"name": ["xy", "z"], "rate_per_s": [6.0, 5.0]}),
    }
    return from_frames(frames, {"regime": "steady", "objective": objective} | settings)


def relaxed(instance: Instance) -> float:
    """The objective of the relaxation, in SI units."""
    routes = enumerate_routes(instance)
    model = SteadyModel(instance, routes, unit_kinds(instance, routes.routes))
    scale = model.aim(instance.objective[0])
    found = Relaxation(mip_arrays(model.problem)).solve()
    assert found.outcome == "optimal"
    return found.objective / scale


def between_the_slopes(value: float, change: Callable[[float], Instance], step: float) -> bool:
    """Whether a derivative lies between those to the left and to the right."""
    here = relaxed(change(0.0))
    right = (relaxed(change(step)) - here) / step
    left = (here - relaxed(change(-step))) / step
    low, high = min(left, right), max(left, right)
    room = 1e-5 * max(1.0, abs(low), abs(high))
    return low - room <= value <= high + room


QUESTIONS = [
    ("power", {}),
    ("power", {"budget_per_s": 2.6}),
    ("cost", {"energy_price_per_j": 0.01, "pue": 1.3, "power_cap_w": 95.0}),
    ("throughput", {"power_cap_w": 60.0}),
    ("throughput", {"budget_per_s": 1.5}),
    ("throughput", {}),
]


@pytest.mark.parametrize(("objective", "settings"), QUESTIONS)
def test_marginals_are_slopes_of_the_relaxation(objective: str, settings: dict[str, Any]) -> None:
    instance = rack(objective, **settings)
    told = solve(instance, time_limit=20).marginal
    assert told is not None
    assert told["objective"] == objective
    for key in ("power_cap_w", "budget_per_s"):
        limit = getattr(instance.limits, key)
        if np.isinf(limit):
            assert told[key] is None
            continue
        assert between_the_slopes(
            told[key], lambda by, k=key, b=limit: instance.with_limits(**{k: b + by}), STEP
        )
    for j, row in enumerate(told["jobs"]):

        def busier(by: float, j: int = j) -> Instance:
            rate = instance.jobs.rate_per_s + by * (np.arange(2) == j)
            return replace(instance, jobs=replace(instance.jobs, rate_per_s=rate))

        assert between_the_slopes(row["rate_per_s"], busier, STEP), row
    for k, row in enumerate(told["links"]):

        def wider(by: float, k: int = k) -> Instance:
            width = instance.links.bandwidth_b_per_s + by * (np.arange(3) == k)
            return replace(instance, links=replace(instance.links, bandwidth_b_per_s=width))

        assert between_the_slopes(row["bandwidth_b_per_s"], wider, STEP), row


@pytest.mark.parametrize(("objective", "settings"), QUESTIONS)
def test_one_more_unit_is_worth_no_more_than_it_is_said_to_be(
    objective: str, settings: dict[str, Any]
) -> None:
    instance = rack(objective, **settings)
    told = solve(instance, time_limit=20).marginal
    assert told is not None
    better = 1.0 if objective == "throughput" else -1.0
    for d, row in enumerate(told["devices"]):
        most = instance.devices.count_max + (np.arange(3) == d)
        more = replace(instance, devices=replace(instance.devices, count_max=most))
        gain = better * (relaxed(more) - relaxed(instance))
        said = better * row["unit"]
        # Gains shrink with every further unit, so a whole one gains no more than the first part.
        assert gain <= said + 1e-6 * max(1.0, abs(said)), row
        assert said >= 0.0
        assert (said > 1e-9) == (gain > 1e-9), row


def test_columns_tell_the_same_marginals(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = rack("throughput", power_cap_w=60.0)
    alone = replace(
        instance,
        edges=replace(
            instance.edges, src=np.empty(0, int), dst=np.empty(0, int), tensor=np.empty(0, int)
        ),
        tasks=replace(instance.tasks, job=np.array([0, 1, 2])),
        jobs=replace(
            instance.jobs,
            **{
                name: np.append(column, column[:1])
                for name in instance.jobs.__dataclass_fields__
                if (column := getattr(instance.jobs, name)) is not None
            },
        ),
    )
    plain = solve(alone, time_limit=20).marginal
    monkeypatch.setattr(columns_module, "MANY", 1)
    listed = solve(alone, time_limit=20).marginal
    assert plain is not None
    assert listed is not None
    assert listed["power_cap_w"] == pytest.approx(plain["power_cap_w"], rel=1e-6)
    for key, name in (("jobs", "rate_per_s"), ("devices", "unit")):
        ours, theirs = ([row[name] for row in told[key]] for told in (listed, plain))
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)


def test_the_line_for_people_names_what_matters_most() -> None:
    instance = rack("throughput", power_cap_w=60.0)
    told = solve(instance, time_limit=10).marginal
    assert told is not None
    line = marginal_line(instance, told)
    assert "power cap +" in line
    assert "requests/s per W" in line
    assert "Shadow prices of throughput" in line


def test_a_single_placement_has_no_marginals_and_the_result_says_so() -> None:
    instance = rack("power")
    single = solve(replace(instance, routing="single"), time_limit=10)
    assert single.marginal is None
    split = solution_to_dict(instance, solve(instance, time_limit=10))
    assert json.loads(json.dumps(split))["marginal"]["objective"] == "power"
