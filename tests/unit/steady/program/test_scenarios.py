"""One fleet for several demands: what is shared, what is not, and what is refused."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.build import Model
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate, objective_value
from hetopt.formats.plans import plan_from_dict, plan_to_dict, read_result, write_solution
from hetopt.instance import Instance
from hetopt.instance.overrides import scale_demand
from hetopt.runtime.budget import Budget
from hetopt.solution import ScenarioPlan
from hetopt.solve import solve
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify

BOX = {"name": "box", "count_min": 0, "count_max": -1, "idle_power_w": 100.0, "price_per_s": 1.0}
DAY_NIGHT = [{"name": "day", "weight": 3.0}, {"name": "night", "weight": 1.0, "demand": 0.2}]


def make(scenarios: list[dict[str, Any]], **more: Any) -> Instance:
    """Boxes of 100 requests/s that take 2 J each, and a demand of 250/s."""
    device = BOX | more.pop("device", {})
    frames = {
        "devices": [device],
        "options": [{"profile": "net", "device": "box", "time_s": 0.01, "energy_j": 2.0}],
        "tasks": [{"name": "net"}],
        "jobs": [{"name": "net", "rate_per_s": 250.0} | more.pop("job", {})],
        "scenarios": scenarios,
        "rates": more.pop("rates", []),
    }
    settings = {"regime": "steady", "objective": "power"} | more
    tables = {k: pd.DataFrame(v) for k, v in frames.items() if v}
    return from_frames(tables, settings)


def planned(instance: Instance) -> ScenarioPlan:
    """The plan of a solve, checked."""
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 20))
    assert isinstance(result.plan, ScenarioPlan), result.reason
    report = verify(instance, result.plan)
    assert report.ok, report.violations
    name = instance.objective[0]
    assert objective_value(instance, result.plan, name) == pytest.approx(result.bounds[0], rel=1e-5)
    return result.plan


def test_power_is_the_mean_by_weight_and_units_rest_at_night() -> None:
    instance = make(DAY_NIGHT)
    plan = planned(instance)
    assert [p.units_on.tolist() for p in plan.plans] == [[3], [1]]
    assert [p.units_had.tolist() for p in plan.plans] == [[3], [3]]
    mean = (3 * (300 + 500) + (100 + 100)) / 4
    assert objective_value(instance, plan, "power") == pytest.approx(mean)


def test_units_are_paid_for_in_every_scenario_and_on_where_they_are_never_off() -> None:
    bought = make(DAY_NIGHT, objective="cost")
    assert objective_value(bought, planned(bought), "cost") == pytest.approx(3.0)
    always = make(DAY_NIGHT, device={"off_when_unused": False})
    plan = planned(always)
    assert [p.units_on.tolist() for p in plan.plans] == [[3], [3]]
    mean = (3 * (300 + 500) + (300 + 100)) / 4
    assert objective_value(always, plan, "power") == pytest.approx(mean)


def test_the_power_cap_holds_in_each_scenario_and_the_budget_on_the_mean() -> None:
    prices = {"energy_price_per_j": 0.01, "objective": "cost"}
    mean = 3 + 0.01 * (3 * 800 + 200) / 4
    assert planned(make(DAY_NIGHT, budget_per_s=mean + 1e-6, **prices))
    tight = solve(make(DAY_NIGHT, budget_per_s=mean - 0.01, **prices), time_limit=20)
    assert tight.status == "infeasible"
    # The mean power of 650 W is below this cap, the day's 800 W are not.
    capped = solve(make(DAY_NIGHT, power_cap_w=700.0), time_limit=20)
    assert capped.status == "infeasible"


def test_throughput_is_one_scale_of_all_scenarios() -> None:
    scenarios = [{"name": "day"}, {"name": "night", "demand": 0.5}]
    instance = make(scenarios, objective="throughput", device={"count_min": 4, "count_max": 4})
    plan = planned(instance)
    # 400/s by day are 1.6 times its demand; the night serves 1.6 times its own.
    assert objective_value(instance, plan, "throughput") == pytest.approx(1.6 * (250 + 125) / 2)
    assert evaluate(instance, plan)["scale"] == pytest.approx(1.6)


def test_a_rate_of_its_own_replaces_the_factor_and_zero_asks_for_nothing() -> None:
    rates = [{"scenario": "night", "job": "net", "rate_per_s": 150.0}]
    instance = make([*DAY_NIGHT, {"name": "off", "weight": 0.0}], rates=rates)
    assert instance.scenarios.rate_per_s[:, 0].tolist() == [250.0, 150.0, 250.0]
    assert scale_demand(instance, 2).scenarios.rate_per_s[:, 0].tolist() == [500.0, 300.0, 500.0]
    assert set_values(instance, ["rates.night/net.rate=5/s"]).scenarios.rate_per_s[1, 0] == 5.0
    with pytest.raises(InputError, match="rate above 0"):
        make([*DAY_NIGHT, {"name": "off", "demand": 0.0}])


def test_each_scenario_and_the_common_fleet_are_checked() -> None:
    instance = make(DAY_NIGHT)
    plan = planned(instance)
    day, night = plan.plans
    other = replace(night, units_had=np.array([4]))
    assert "scenario-fleet" in verify(instance, ScenarioPlan((day, other))).kinds
    idle = replace(night, rate_per_s=night.rate_per_s / 2)
    report = verify(instance, ScenarioPlan((day, idle)))
    assert report.kinds == ("demand",)
    assert "Scenario night" in report.violations[0].message
    assert verify(instance, ScenarioPlan((day,))).kinds == ("scenarios",)
    assert verify(instance, day).kinds == ("wrong-regime",)


def test_plans_name_the_scenario_of_each_row_and_are_read_again(tmp_path: Path) -> None:
    instance = make(DAY_NIGHT)
    solution = solve(instance, time_limit=20, workers=1)
    assert isinstance(solution.plan, ScenarioPlan)
    written = plan_to_dict(instance, solution.plan)
    assert [row["scenario"] for row in written["units"]] == ["day", "night"]
    for target in (tmp_path / "plan.json", tmp_path / "tables"):
        write_solution(target, instance, solution)
        again = read_result(instance, target)
        assert plan_to_dict(instance, again.plan) == written
        assert again.claimed == {"power": solution.objective}
    written["units"][1]["had"] = 9
    del written["routes"][0]["scenario"]
    with pytest.raises(InputError) as error:
        plan_from_dict(instance, written)
    assert "share one fleet" in str(error.value)
    assert "name of a scenario" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"routing": "single"}, "split"),
        ({"scenarios": [{"name": "a"}, {"name": "a"}]}, "no other row"),
        ({"scenarios": [{"name": "a", "weight": 0.0}]}, "weight above 0"),
        ({"scenarios": [{"name": "a", "demand": -1.0}]}, "at least 0"),
        ({"rates": [{"scenario": "dusk", "job": "net", "rate_per_s": 1.0}]}, "A scenario"),
        ({"rates": [{"scenario": "day", "job": "nut", "rate_per_s": 1.0}]}, "A job"),
        ({"rates": [{"scenario": "day", "job": "net", "rate_per_s": 1.0}] * 2}, "Each job once"),
        (
            {
                "job": {"rate_per_s": np.nan, "share": 1.0},
                "objective": "throughput",
                "rates": [{"scenario": "day", "job": "net", "rate_per_s": 1.0}],
            },
            "demand_per_s",
        ),
        (
            {"regime": "schedule", "objective": "energy", "job": {"rate_per_s": np.nan}},
            "steady regime",
        ),
    ],
)
def test_wrong_scenarios_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(change.pop("scenarios", DAY_NIGHT), **change)


def test_the_builder_takes_scenarios() -> None:
    model = Model("m", objective="power")
    box = model.device("box", idle_power=10)
    job = model.job("net", rate=5, options=[box.option(time="10 ms", energy=1)])
    model.scenario("day", weight=2)
    model.scenario("night", demand=0.5, rates={job: "1 req/s"})
    assert model.build().scenarios.rate_per_s[:, 0].tolist() == [5.0, 1.0]
