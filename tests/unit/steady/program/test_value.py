"""The most valuable part of a demand, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.analysis.compare import compare
from hetopt.analysis.explanation import explain
from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.formats.native.document import read_yaml
from hetopt.formats.shipped import shipped_path
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.solution import SteadyPlan
from hetopt.solve import SolveOptions, solve
from hetopt.steady import solve as steady_solve
from hetopt.steady.routes.routes import TooManyRoutesError
from hetopt.verify import verify
from tests.oracles.campaign import run_chunk
from tests.unit.steady.program.test_formulation import make

BOX = {"name": "box", "count_min": 0, "count_max": 1, "idle_power_w": 100.0}
OTHER = {"name": "other", "count_min": 0, "count_max": 1, "idle_power_w": 50.0}


def run(name: str, device: str = "box", time_s: float = 0.01) -> dict[str, Any]:
    return {"profile": name, "device": device, "time_s": time_s, "energy_j": 1.0}


def rack(
    least: dict[str, float] | None = None, objective: str = "value", **settings: Any
) -> Instance:
    """One box for 100 requests a second: 80 of a at 1, 60 of b at 3, 50 of c at 0.5."""
    jobs = [
        {"name": n, "rate_per_s": r, "value": v, "min_share": (least or {}).get(n, 0.0)}
        for n, r, v in (("a", 80.0, 1.0), ("b", 60.0, 3.0), ("c", 50.0, 0.5))
    ]
    return make([BOX], [run(n) for n in "abc"], jobs, objective=objective, **settings)


def value(instance: Instance, **options: Any) -> float:
    solution = solve(instance, time_limit=20, workers=1, **options)
    assert solution.status == "optimal", (solution.status, solution.reason)
    return float(solution.objectives[0])


def test_the_dearest_requests_are_served_first() -> None:
    solution = solve(rack(), time_limit=20, workers=1)
    assert solution.objective == pytest.approx(60 * 3 + 40 * 1)
    rows = {row["job"]: row for row in solution.quantities["jobs"]}
    assert [rows[n]["served"] for n in "abc"] == pytest.approx([0.5, 1.0, 0.0])
    assert rows["b"]["value_per_s"] == pytest.approx(180.0)
    assert solution.quantities["value_per_s"] == pytest.approx(220.0)


def test_a_least_share_comes_before_what_is_worth_more() -> None:
    assert value(rack({"c": 0.8})) == pytest.approx(40 * 0.5 + 60 * 3)
    assert value(rack({"c": 1.0, "a": 0.25})) == pytest.approx(50 * 0.5 + 20 * 1 + 30 * 3)


def test_least_shares_that_do_not_fit_are_infeasible_and_nothing_else_is() -> None:
    solution = solve(rack({"a": 1.0, "c": 0.5}), time_limit=20, workers=1)
    assert solution.status == "infeasible"
    assert solve(rack(power_cap_w=99.0), time_limit=20, workers=1).objective == 0.0
    assert solve(rack(objective="power"), time_limit=20, workers=1).status == "infeasible"


def test_a_job_that_nothing_can_run_is_left_out_unless_it_must_be_served() -> None:
    lost = _forbidding(rack(), "b")
    assert value(lost) == pytest.approx(80 * 1 + 20 * 0.5)
    assert solve(_forbidding(rack({"b": 0.1}), "b"), time_limit=20).status == "infeasible"
    assert value(_forbidding(_forbidding(_forbidding(rack(), "a"), "b"), "c")) == 0.0


def _forbidding(instance: Instance, task: str) -> Instance:
    frames, settings = to_frames(instance), to_settings(instance)
    tasks = frames["tasks"]
    old = tasks.get("forbid", pd.Series([[] for _ in range(len(tasks))]))
    tasks["forbid"] = [
        [*f, "box"] if n == task else f for n, f in zip(tasks["name"], old, strict=True)
    ]
    return from_frames(frames, settings)


def test_of_two_objectives_the_first_counts_first() -> None:
    both = rack(objective=["value", "power"], power_cap_w=180.0)
    solution = solve(both, time_limit=20, workers=1)
    # 80 W above idle are 80 requests a second.
    assert solution.objectives == pytest.approx((60 * 3 + 20 * 1, 180.0))
    thrift = solve(rack({"c": 0.5}, ["power", "value"]), time_limit=20, workers=1)
    assert thrift.objectives == pytest.approx((125.0, 12.5))


def test_each_scenario_serves_its_own_part_and_the_value_is_the_mean() -> None:
    frames, settings = to_frames(rack()), to_settings(rack())
    frames["scenarios"] = pd.DataFrame(
        [{"name": "day", "weight": 3.0}, {"name": "night", "weight": 1.0, "demand": 0.5}]
    )
    whole = from_frames(frames, settings)
    assert value(whole) == pytest.approx((3 * 220 + 1 * (30 * 3 + 40 + 25 * 0.5)) / 4)


@pytest.mark.parametrize("least", [{}, {"c": 0.8}, {"a": 0.5, "c": 0.5}])
def test_generated_routes_have_the_same_value_and_a_bound(least: dict[str, float]) -> None:
    two = make(
        [BOX, OTHER],
        [run(n, d, t) for n in "abc" for d, t in (("box", 0.01), ("other", 0.02))],
        to_frames(rack(least))["jobs"].to_dict("records"),
        objective="value",
        power_cap_w=230.0,
    )
    known = solve(two, time_limit=20, workers=1)
    with mock.patch.object(
        steady_solve, "enumerate_routes", mock.Mock(side_effect=TooManyRoutesError("forced"))
    ):
        found = solve(two, time_limit=20, workers=1)
    assert found.objective == pytest.approx(known.objective, rel=1e-6)
    assert found.bound >= known.objective * (1 - 1e-9)


def test_the_checker_finds_too_little_and_too_much() -> None:
    instance = rack({"c": 0.8})
    plan = solve(instance, time_limit=20, workers=1).plan
    assert isinstance(plan, SteadyPlan)
    of = instance.jobs.name[plan.route_job].tolist()

    def kinds(job: str, factor: float) -> list[str]:
        rate = plan.rate_per_s.copy()
        rate[of.index(job)] *= factor
        return [v.kind for v in verify(instance, replace(plan, rate_per_s=rate)).violations]

    assert kinds("c", 1.0) == []
    assert kinds("c", 0.99) == ["min-share"]
    assert "demand" in kinds("b", 1.01)
    claimed = verify(instance, plan, claimed={"value": 201.0})
    assert not claimed.ok


def test_an_explanation_moves_least_shares_and_asks_for_the_least_power_of_them() -> None:
    found = explain(rack({"a": 0.5}, power_cap_w=120.0), time_limit=20)
    text = str(found.to_json())
    assert "min_share" in text
    # 40 requests a second at 1 J each beside 100 W idle, not all 190.
    assert "140" in text


def test_compare_says_how_much_more_the_mix_is_worth() -> None:
    jobs = to_frames(rack())["jobs"].to_dict("records")
    two = make([BOX, OTHER], [run("a"), run("b"), run("c", "other")], jobs, objective="value")
    comparison = compare(two, options=SolveOptions(time_limit_s=20, workers=1))
    # box alone leaves c out: 60 of b and 40 of a.
    assert comparison.gain.value == pytest.approx((220 + 25) / 220 - 1)
    assert comparison.gain.proven == pytest.approx((220 + 25) / 220 - 1, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"objective": ["value", "throughput"]}, "other than throughput"),
        ({"objective": ["value", "accuracy"]}, "other than accuracy"),
        ({"routing": "single"}, "rates that divide"),
    ],
)
def test_what_does_not_go_with_value_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_question(rack(**settings))


def test_value_without_any_is_refused() -> None:
    plain = make([BOX], [run("a")], [{"name": "a", "rate_per_s": 1.0}], objective="value")
    with pytest.raises(InputError, match="A value above 0 of some job"):
        check_question(plain)


@pytest.mark.parametrize("chunk", range(3))
def test_solve_agrees_with_enumeration_where_value_is_asked_for(chunk: int) -> None:
    run_chunk("value", range(chunk * 20, (chunk + 1) * 20), time_limit=10.0)


def test_shares_stay_within_what_is_demanded() -> None:
    solution = solve(rack(), time_limit=20, workers=1)
    served = [row["served"] for row in solution.quantities["jobs"]]
    assert np.all(np.array(served) <= 1 + 1e-12)


def test_what_the_room_of_an_earlier_objective_serves_contradicts_no_bound() -> None:
    question = read_yaml(
        """
hetopt: 1
regime: steady
objective: [power, value]
power_cap: 6 W
devices: [{name: cpu, count: 2, idle_power: 1.5 W, memory: 6 kB}]
profiles: {p0: [{device: cpu, time: 0.2, energy: 8.5, weights: 1 kB}]}
jobs:
  - {name: j0, profile: p0, rate: 0.9 /s, value: 1}
  - {name: j1, rate: 0.05 /s, latency_slo: 1 s, min_share: 1,
     tasks: [{name: t1, profile: p0, work: 0.3}]}
""",
        "room",
    )
    found = solve(question, time_limit=20, workers=1, seed=435)
    # One unit on, and 0.05 × 0.3 × 8.5 J/s; what 1e-9 of that serves is next to nothing.
    assert found.objectives == pytest.approx((1.6275, 0.0), abs=1e-6)
    assert found.status == "optimal"
    assert not any("contradicted" in note for note in found.notes)


def test_an_option_that_draws_more_than_all_else_hides_the_cap_from_no_plan():
    instance = read_instance(shipped_path("rack-shed"))
    options = instance.options
    energy = options.energy_j.copy()
    # Beside what photo tags on the NPU draw now, that of all others is below what a solver sees.
    heaviest = int(np.flatnonzero(np.isclose(options.time_s, 6.8549e-06, rtol=1e-4))[0])
    energy[heaviest] = 2.0**64 * options.time_s[heaviest]
    wild = replace(instance, options=replace(options, energy_j=energy))
    found = solve(wild, method="mip", time_limit=20)
    assert found.plan is not None
    assert verify(wild, found.plan).ok
    assert found.objectives[0] == pytest.approx(32964.64, rel=1e-5)
