"""Schedules that leave jobs out, against values worked out by hand and enumeration."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import Model, from_frames
from hetopt.analysis.explanation import explain
from hetopt.errors import InputError
from hetopt.evaluate import evaluate, objectives
from hetopt.formats.plans.reading import plan_from_dict
from hetopt.formats.plans.writing import plan_to_dict
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.model_files import export_model
from hetopt.schedule.optional.hitting_sets import cheapest
from hetopt.solution import SchedulePlan, Solution
from hetopt.solve import solve
from hetopt.verify import verify
from tests.oracles.campaign import OPTIONAL, run_chunk

Rows = list[dict[str, Any]]


def knapsack(
    jobs: dict[str, tuple[float, float]], room: float, must: tuple[str, ...] = (), **settings: Any
) -> Instance:
    """Jobs of one task each (time, value) on one unit until ``room``; all but some optional."""
    frames = {
        "devices": [{"name": "cpu", "idle_power_w": 1.0, "off_when_unused": False}],
        "options": [
            {"profile": n, "device": "cpu", "time_s": t, "energy_j": t}
            for n, (t, _) in jobs.items()
        ],
        "tasks": [{"name": n, "job": n} for n in jobs],
        "jobs": [{"name": n, "value": v, "optional": n not in must} for n, (_, v) in jobs.items()],
    }
    tables = {name: pd.DataFrame(rows) for name, rows in frames.items()}
    return from_frames(tables, {"objective": ["value"], "horizon_s": room} | settings)


BAG = {"a": (4.0, 5.0), "b": (3.0, 4.0), "c": (2.0, 3.0), "d": (5.0, 8.0), "e": (1.0, 0.0)}


def solved(instance: Instance, **more: Any) -> Solution:
    solution = solve(instance, time_limit=60, workers=1, **more)
    assert solution.status == "optimal", (solution.status, solution.objectives, solution.bounds)
    return solution


def left_out(solution: Solution) -> list[str]:
    return [row["job"] for row in solution.quantities["jobs"] if not row["served"]]


def test_the_most_valuable_jobs_that_fit_are_run() -> None:
    solution = solved(knapsack(BAG, 7.0))
    assert solution.objective == pytest.approx(11.0)
    assert left_out(solution) == ["a", "b", "e"]
    assert verify(knapsack(BAG, 7.0), solution.plan).ok


def test_a_job_that_must_run_runs_whatever_it_is_worth() -> None:
    solution = solved(knapsack(BAG, 7.0, must=("e", "b")))
    assert solution.objective == pytest.approx(7.0)
    assert solve(knapsack(BAG, 7.0, must=("a", "b", "c")), time_limit=60).status == "infeasible"
    none = knapsack(BAG, 7.0, objective=["energy"])
    assert solve(none, time_limit=60, workers=1).status == "infeasible"


def test_later_objectives_choose_among_sets_of_equal_value() -> None:
    alike = {"a": (4.0, 5.0), "b": (3.0, 5.0), "c": (2.0, 1.0)}
    solution = solved(knapsack(alike, 5.0, objective=["value", "energy"]))
    # Idle is 1 W for the horizon; b takes less than a.
    assert solution.objectives == pytest.approx((6.0, 5.0 + 5.0))
    assert left_out(solution) == ["a"]


def test_nothing_need_run() -> None:
    solution = solved(knapsack({"a": (4.0, 5.0), "b": (6.0, 1.0)}, 3.0))
    assert solution.objective == 0.0
    assert left_out(solution) == ["a", "b"]
    capped = knapsack({"a": (4.0, 5.0)}, 3.0, power_cap_w=0.5)
    assert solve(capped, time_limit=60, workers=1).status == "infeasible"


def test_a_plan_with_jobs_left_out_is_written_and_read() -> None:
    instance = knapsack(BAG, 7.0)
    plan = solved(instance).plan
    assert isinstance(plan, SchedulePlan)
    rows = plan_to_dict(instance, plan)
    assert {row["task"] for row in rows["assignments"]} == {"c", "d"}
    again = plan_from_dict(instance, rows)
    assert np.array_equal(again.option, plan.option)
    assert evaluate(instance, again)["value"] == pytest.approx(11.0)
    assert solved(instance, start=plan).objective == pytest.approx(11.0)


def test_the_checker_finds_what_must_not_be_left_out() -> None:
    pair = from_frames(
        {
            "devices": pd.DataFrame([{"name": "cpu"}, {"name": "npu"}]),
            "links": pd.DataFrame([{"from": "cpu", "to": "npu", "bandwidth_b_per_s": 1000.0}]),
            "options": pd.DataFrame(
                [
                    {"profile": p, "device": d, "time_s": 1.0, "energy_j": 1.0}
                    for p, d in (("a", "cpu"), ("b", "npu"), ("c", "cpu"))
                ]
            ),
            "tasks": pd.DataFrame(
                [{"name": n, "job": j} for n, j in (("a", "x"), ("b", "x"), ("c", "y"))]
            ),
            "transfers": pd.DataFrame([{"from": "a", "to": "b", "bytes": 1000.0}]),
            "jobs": pd.DataFrame(
                [{"name": "x", "value": 2.0, "optional": True}, {"name": "y", "value": 1.0}]
            ),
        },
        {"objective": ["value"]},
    )
    plan = solved(pair).plan
    assert isinstance(plan, SchedulePlan)
    assert len(plan.hops) == 1

    def without(*tasks: int, hops: bool = True) -> list[str]:
        option, start = plan.option.copy(), plan.start_s.copy()
        option[list(tasks)], start[list(tasks)] = -1, np.nan
        kept = plan.hops if hops else type(plan.hops).empty()
        cut = replace(plan, option=option, start_s=start, hops=kept)
        return sorted({v.kind for v in verify(pair, cut).violations})

    assert without(0, 1, hops=False) == []
    assert "left-out" in without(0, 1)  # its message is still sent
    assert "left-out" in without(0)  # half of a job
    assert "left-out" in without(2)  # a job that must run
    claimed = verify(pair, plan, claimed={"value": 2.0})
    assert not claimed.ok


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"objective": ["energy", "value"]}, "value first"),
        ({"objective": ["value", "accuracy"]}, "No accuracy beside value"),
    ],
)
def test_what_does_not_go_with_value_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_question(knapsack(BAG, 7.0, **settings))


def test_a_model_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="settled outside the model"):
        export_model(knapsack(BAG, 7.0), tmp_path / "a.pb")


def test_an_explanation_of_a_plan_knows_the_jobs_left_out() -> None:
    found = explain(knapsack(BAG, 7.0), time_limit=20)
    assert found.status == "feasible"
    assert objectives(found.instance, found.solution.plan) == pytest.approx((11.0,))


def test_the_cheapest_hitting_set_is_that_of_enumeration() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        price = {j: float(rng.integers(1, 6)) for j in range(int(rng.integers(1, 8)))}
        cores = [
            frozenset(rng.choice(len(price), int(rng.integers(1, len(price) + 1)), False).tolist())
            for _ in range(int(rng.integers(0, 6)))
        ]
        sets = [
            frozenset(out)
            for count in range(len(price) + 1)
            for out in itertools.combinations(price, count)
            if all(core & frozenset(out) for core in cores)
        ]
        least = min(sum(price[j] for j in out) for out in sets)
        hit = cheapest(cores, price)
        assert hit.exact
        assert hit.cost == pytest.approx(least)
        equal = {out for out in sets if sum(price[j] for j in out) == least}
        assert {hit.out, *hit.others} == equal


@pytest.mark.parametrize("chunk", range(2))
def test_solve_agrees_with_enumeration_where_jobs_may_be_left_out(chunk: int) -> None:
    run_chunk("optional", range(chunk * 15, (chunk + 1) * 15), time_limit=20.0)


def shop(**fields: Any) -> Instance:
    """Return jobs of one second each in three configurations on one unit that is set up."""
    model = Model("shop", objective="value", regime="schedule", horizon=fields.pop("horizon", 4.0))
    unit = model.device("fpga", **fields)
    for name, value in (("x", 3.0), ("y", 2.0), ("z", 2.5)):
        job = model.job(name, optional=True, value=value)
        job.task(name, options=[unit.option(time=1.0, energy=1.0, configuration=name)])
    return model.build()


def test_jobs_are_left_out_where_set_ups_leave_no_time_for_all() -> None:
    # Two of them and the set-up between take 4 s, three and two set-ups 7.
    solution = solved(shop(setup={"time": 2.0, "energy": 1.0}))
    assert solution.objective == 5.5
    assert left_out(solution) == ["y"]


def test_set_ups_by_a_detour_that_pays_are_refused() -> None:
    rows = [{"from": "x", "to": "z", "time": 3.0}, {"from": "x", "to": "y", "time": 1.0}]
    rows += [{"from": "y", "to": "z", "time": 1.0}]
    with pytest.raises(InputError, match="change between its neighbours"):
        solve(shop(setups=rows), time_limit=5)


def test_set_ups_that_take_energy_are_refused_under_a_cap() -> None:
    made = shop(setup={"time": 1.0, "energy": 1.0})
    capped = replace(made, limits=replace(made.limits, power_cap_w=5.0))
    with pytest.raises(InputError, match="set-ups that take energy"):
        solve(capped, time_limit=5)


@pytest.mark.parametrize(("energy", "taken"), [(3.0, True), (3.5, False)])
def test_sleep_under_a_cap_goes_where_waking_draws_no_more_than_idling(
    energy: float, taken: bool
) -> None:
    model = Model("still", objective="value", regime="schedule", horizon=6.0, power_cap=6.0)
    sleep = {"power": 1.0, "wake_time": 1.0, "wake_energy": energy}
    unit = model.device("unit", idle_power=4.0, sleep=sleep, off_when_unused=False)
    other = model.device("other")
    for name, on, joules in (("a", unit, 1.0), ("b", other, 12.0), ("c", other, 8.0)):
        job = model.job(name, optional=True, value=joules)
        job.task(name, options=[on.option(time=4.0, energy=joules)])
    made = model.build()
    if taken:
        # Beside a the others do not fit below the cap, and one after the other not into 6 s.
        assert left_out(solved(made)) == ["a", "c"]
    else:
        with pytest.raises(InputError, match="to wake than to idle"):
            solve(made, time_limit=5)


def test_schedules_with_set_ups_and_sleep_agree_with_enumeration() -> None:
    run_chunk(OPTIONAL, [1, 3, 4, 7, 10, 11, 13, 15, 16, 19], 60.0)
