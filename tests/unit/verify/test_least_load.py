"""The checker finds units that are on and not busy enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solution import ScenarioPlan, SteadyPlan
from hetopt.verify import verify
from tests.unit.verify.test_steady import Route, make


def instance(**settings: object) -> Instance:
    """a, b: 1 ms a request on box (least 0.25 of 0.8, always on, 1 of 3 spare) and on alone."""
    frames = {
        "devices": [
            {"name": "box", "count_min": 3, "count_max": 3, "spare": 1, "min_load": 0.25}
            | {"off_when_unused": False, "max_utilization": 0.8, "exclusive": False}
            | {"memory_b": np.inf},
            {"name": "alone", "count_min": 0, "count_max": 4, "min_load": 0.5, "exclusive": True},
            {"name": "lean", "count_min": 0, "count_max": 2, "min_load": 0.5, "memory_b": 10.0},
        ],
        "options": [
            {"profile": p, "device": d, "time_s": 1e-3, "energy_j": 1.0}
            for p in "ab"
            for d in ("box", "alone", "lean")
        ],
        "tasks": [{"name": n, "job": n, "profile": n} for n in "ab"],
        "jobs": [{"name": n, "rate_per_s": r} for n, r in (("a", 600.0), ("b", 1300.0))],
    }
    tables = {name: pd.DataFrame(rows) for name, rows in frames.items()}
    return from_frames(tables, {"regime": "steady", "objective": "power"} | settings)


def route(job: str, device: str, rate: float, unit: int = -1) -> Route:
    return (job, rate, [(device, "", unit)])


GOOD = [route("a", "box", 500.0), route("a", "lean", 100.0, 0), route("b", "alone", 900.0)]
GOOD += [route("b", "lean", 400.0, 0)]
UNITS = {"box": (3, 3), "alone": (1, 1), "lean": (1, 1)}


def kinds(plan: SteadyPlan, of: Instance | None = None) -> list[str]:
    return [v.kind for v in verify(of or instance(), plan).violations]


def test_a_plan_whose_units_are_busy_enough_is_accepted() -> None:
    assert kinds(make(instance(), GOOD, UNITS)) == []


@pytest.mark.parametrize(
    ("routes", "units"),
    [
        # Two units of box work; 490 requests keep them busy for 0.245 each.
        ([route("a", "box", 490.0), route("a", "lean", 110.0, 0), *GOOD[2:]], {}),
        # A second unit of lean with nothing to do.
        (GOOD, {"lean": (2, 2)}),
        # Two units for what keeps one busy for 0.9 only: 0.45 each.
        (GOOD, {"alone": (2, 2)}),
        # One job for each unit of its own: 0.2 of a is too little beside the 0.9 of b.
        (
            [route("a", "box", 500.0), route("a", "alone", 100.0), *GOOD[2:]],
            {"alone": (2, 2), "lean": (1, 1)},
        ),
        # Requests that nobody sends.
        ([*GOOD[:3], route("b", "lean", 400.1, 0)], {}),
    ],
    ids=["spares aside", "named unit", "exclusive: too many", "exclusive: no number", "excess"],
)
def test_a_unit_that_is_not_busy_enough_is_found(
    routes: list[Route], units: dict[str, tuple[int, int]]
) -> None:
    assert "min-load" in kinds(make(instance(), routes, UNITS | units))


def test_more_than_one_proportion_is_found_where_throughput_is_asked_for() -> None:
    most = instance(objective="throughput")
    half = [replaced for j, r, t in GOOD for replaced in [(j, r * 1.2, t)]]
    fewer = {"box": (3, 3), "alone": (2, 2), "lean": (1, 1)}
    assert kinds(make(most, half, fewer), most) == []
    uneven = [half[0], half[1], half[2], (half[3][0], half[3][1] * 1.01, half[3][2])]
    assert "min-load" in kinds(make(most, uneven, fewer), most)


def test_scenarios_serve_the_same_part_of_their_demand() -> None:
    tables = {
        "devices": pd.DataFrame([{"name": "box", "min_load": 0.1}]),
        "options": pd.DataFrame([{"profile": "a", "device": "box", "time_s": 1e-3}]),
        "tasks": pd.DataFrame([{"name": "a", "job": "a"}]),
        "jobs": pd.DataFrame([{"name": "a", "rate_per_s": 400.0}]),
        "scenarios": pd.DataFrame([{"name": "day"}, {"name": "night", "demand": 0.5}]),
    }
    of = from_frames(tables, {"regime": "steady", "objective": "throughput"})
    day = make(of, [route("a", "box", 400.0)], {"box": (1, 1)})
    night = replace(day, rate_per_s=np.array([200.0]))
    assert verify(of, ScenarioPlan((day, night))).ok
    report = verify(of, ScenarioPlan((day, day)))
    assert [v.kind for v in report.violations] == ["min-load"]
