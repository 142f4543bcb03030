"""Units of streams have one configuration each; the figures are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, solve
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.simulate import simulate
from hetopt.simulate.policies.dispatching import dispatcher
from hetopt.simulate.policies.plan import plan_policy
from hetopt.simulate.policies.start_up import StartUp
from hetopt.solution import SteadyPlan
from hetopt.verify import verify


def fleet(a: float, b: float, keeps: float = 0.0, most: int = 6, **settings: Any) -> Instance:
    """Return streams of two configurations, and one of none, of which a unit serves 1000 /s."""
    rates = {"a": a, "b": b, "k": keeps}
    jobs = [name for name, rate in rates.items() if rate]
    return from_frames(
        {
            "devices": pd.DataFrame(
                [
                    {
                        "name": "f",
                        "kind": "fpga",
                        "count_min": 0,
                        "count_max": most,
                        "idle_power_w": 2.0,
                        "setup_time_s": 0.03,
                        **settings.pop("device", {}),
                    }
                ]
            ),
            "options": pd.DataFrame(
                [
                    {
                        "profile": name,
                        "device": "f",
                        "time_s": 0.001,
                        "energy_j": 0.004,
                        "configuration": "" if name == "k" else name,
                    }
                    for name in jobs
                ]
            ),
            "tasks": pd.DataFrame([{"name": name, "job": name} for name in jobs]),
            "jobs": pd.DataFrame([{"name": n, "rate_per_s": rates[n]} for n in jobs]),
        },
        {"regime": "steady", "objective": ["power"], **settings},
    )


@pytest.mark.parametrize(
    ("a", "b", "keeps", "units"),
    [(500, 500, 0, 2), (1200, 300, 0, 3), (500, 500, 1000, 2), (900, 900, 300, 3)],
)
def test_each_unit_serves_one_configuration_and_what_needs_none(
    a: float, b: float, keeps: float, units: int
) -> None:
    question = fleet(a, b, keeps)
    found = solve(question, time_limit=30)
    assert found.status == "optimal"
    assert found.verified
    assert found.objective == pytest.approx(units * 2.0 + 0.004 * (a + b + keeps), rel=1e-6)


def test_loads_that_fit_only_together_cannot_be_served() -> None:
    assert solve(fleet(1200, 300, most=2), time_limit=30).status == "infeasible"


def test_a_single_placement_keeps_to_one_configuration_a_unit() -> None:
    found = solve(fleet(500, 400, 300, routing="single"), time_limit=60)
    assert found.objective == pytest.approx(2 * 2.0 + 0.004 * 1200, rel=1e-6)


def test_the_checker_finds_a_unit_of_two_configurations_and_one_that_is_not_named() -> None:
    question = fleet(500, 400)
    plan = solve(question, time_limit=30).plan
    assert isinstance(plan, SteadyPlan)
    crammed = replace(plan, unit=np.zeros_like(plan.unit))
    assert {v.kind for v in verify(question, crammed).violations} == {"configuration"}
    unnamed = replace(plan, unit=np.full_like(plan.unit, -1))
    assert "unit-missing" in {v.kind for v in verify(question, unnamed).violations}


def test_what_is_not_known_beside_configurations_is_refused() -> None:
    with pytest.raises(InputError, match="memory limit or options of several configurations"):
        fleet(500, 400, device={"memory_b": 1e9})


def test_simulated_units_keep_the_configurations_that_they_have_in_the_plan() -> None:
    instance = fleet(500, 400)
    found = simulate(instance, requests=300, policies=["plan", "greedy", "rolling"], time_limit=5)
    assert list(found.failed) == ["rolling"]
    plan = solve(instance).plan
    assert isinstance(plan, SteadyPlan)
    for policy in (plan_policy, lambda i, p, s: dispatcher("greedy", i, p, s)):
        table = policy(instance, plan, StartUp.none(instance)).table
        names = instance.options.configuration[table.option].tolist()
        rows = list(zip(table.station.tolist(), names, strict=True))
        assert len({station for station, _ in rows}) == len(set(rows)) == 2
